package peers

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"sync"
	"time"
)

// link is our way to one peer: a connection that we dialed and use to tell and to ask.
type link struct {
	mesh       *Mesh
	address    string
	configured bool
	queue      chan push

	mu      sync.Mutex
	them    hello // as they said last
	up      bool
	alias   bool // it goes to ourselves, or where another link goes
	seen    time.Time
	took    time.Duration
	began   time.Time // first tried, or lost
	resync  chan struct{}
	waiting map[uint64]chan message
	acks    map[uint64]*Delivery
	next    uint64
}

type push struct {
	records  []Record
	delivery *Delivery
}

// maxQueued is how many changes wait for a slow peer. Beyond it the next comparison brings them.
const maxQueued = 256

func newLink(m *Mesh, address string, configured bool) *link {
	return &link{mesh: m, address: address, configured: configured, queue: make(chan push, maxQueued), resync: make(chan struct{}, 1), began: time.Now()}
}

func (l *link) peer() (Peer, bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return Peer{l.them.Node, l.address, l.them.Version, l.them.Revision, l.took, l.seen, l.up}, l.them.Node != "" && !l.alias
}

func (l *link) isTo(instance string) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.up && !l.alias && l.them.Instance == instance
}

// push queues records; a peer that is away or far behind gets them by comparison.
func (l *link) push(records []Record, d *Delivery) {
	l.mu.Lock()
	up := l.up
	l.mu.Unlock()
	if up {
		select {
		case l.queue <- push{records, d}:
			return
		default:
			l.again()
		}
	}
	d.acked(false)
}

func (l *link) again() {
	select {
	case l.resync <- struct{}{}:
	default:
	}
}

// run keeps the link until the mesh closes or the peer is forgotten.
func (l *link) run() {
	defer l.mesh.forget(l)
	pause := firstPause
	for l.mesh.ctx.Err() == nil {
		began := time.Now()
		err := l.connect()
		l.lost()
		if l.mesh.ctx.Err() != nil || l.givenUp() {
			return
		}
		if time.Since(began) > silence {
			pause = firstPause
		}
		if errors.Is(err, errTwin) {
			pause = forgetAfter
		}
		l.mesh.opts.Log.Debug("no connection to a peer", "address", l.address, "err", err, "again_in", pause)
		select {
		case <-l.mesh.ctx.Done():
		case <-time.After(pause/2 + rand.N(pause)):
		}
		pause = min(2*pause, max(maxPause, pause))
	}
}

// lost fails what waits for the peer.
func (l *link) lost() {
	l.mu.Lock()
	if l.up {
		l.up, l.began = false, time.Now()
	}
	acks := l.acks
	l.acks, l.waiting = nil, nil
	l.mu.Unlock()
	for _, d := range acks {
		d.acked(false)
	}
	for {
		select {
		case p := <-l.queue:
			p.delivery.acked(false)
		default:
			return
		}
	}
}

func (l *link) givenUp() bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return !l.configured && (l.alias || time.Since(l.began) > forgetAfter)
}

var errTwin = errors.New("it is this process, or one that is reached by another address")

// connect dials and works until the connection is lost.
func (l *link) connect() error {
	m := l.mesh
	conn, err := (&net.Dialer{Timeout: dialWait}).DialContext(m.ctx, "tcp", l.address)
	if err != nil {
		return err
	}
	defer conn.Close()
	stop := context.AfterFunc(m.ctx, func() { conn.Close() })
	defer stop()
	r := bufio.NewReaderSize(conn, 32<<10)
	w, them, err := introduce(conn, r, m.opts.Secret, hello{m.opts.Node, m.instance, m.opts.Advertise, m.opts.Version, m.opts.Set.Revision()})
	if err != nil {
		return err
	}
	if them.Instance == m.instance || m.twin(l, them.Instance) {
		l.mu.Lock()
		l.alias = true
		l.mu.Unlock()
		return errTwin
	}
	return l.work(w, r, them)
}

// introduce says who we are and hears who they are.
func introduce(conn net.Conn, r *bufio.Reader, secret []byte, me hello) (*wire, hello, error) {
	var them hello
	if err := conn.SetDeadline(time.Now().Add(helloWait)); err != nil {
		return nil, them, err
	}
	w, err := greet(readerConn{conn, r}, secret)
	if err != nil {
		return nil, them, err
	}
	if err := w.write(frameHello, me); err != nil {
		return nil, them, err
	}
	kind, body, err := w.read(r)
	if err != nil {
		return nil, them, fmt.Errorf("it does not answer; is its secret another one? %w", err)
	}
	if kind != frameWelcome || json.Unmarshal(body, &them) != nil {
		return nil, them, errors.New("it does not say who it is")
	}
	return w, them, conn.SetDeadline(time.Time{})
}

// readerConn reads through a buffer.
type readerConn struct {
	net.Conn
	r *bufio.Reader
}

// Read implements io.Reader.
func (c readerConn) Read(p []byte) (int, error) { return c.r.Read(p) }

func (l *link) work(w *wire, r *bufio.Reader, them hello) error {
	l.mu.Lock()
	l.them, l.up, l.alias, l.seen = them, true, false, time.Now()
	l.waiting, l.acks = map[uint64]chan message{}, map[uint64]*Delivery{}
	l.mu.Unlock()
	ctx, cancel := context.WithCancel(l.mesh.ctx)
	defer cancel()
	var tasks sync.WaitGroup
	defer tasks.Wait()
	defer w.conn.Close()
	tasks.Go(func() { defer w.conn.Close(); l.send(ctx, w) })
	tasks.Go(func() { defer w.conn.Close(); l.compare(ctx, w) })
	defer cancel()
	return l.read(w, r)
}

// send writes what is published, one message after the other, without waiting for answers.
func (l *link) send(ctx context.Context, w *wire) {
	for {
		select {
		case <-ctx.Done():
			return
		case p := <-l.queue:
			for i, part := range chunks(p.records) {
				var d *Delivery
				if i == 0 {
					d = p.delivery
				}
				if err := w.write(framePush, message{ID: l.expect(d), Records: part, Revision: l.mesh.opts.Set.Revision()}); err != nil {
					l.again()
					return
				}
			}
		}
	}
}

// expect notes that an answer will come.
func (l *link) expect(d *Delivery) uint64 {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.next++
	if d != nil && l.acks != nil {
		l.acks[l.next] = d
	} else if d != nil {
		go d.acked(false)
	}
	return l.next
}

// read takes answers.
func (l *link) read(w *wire, r *bufio.Reader) error {
	for {
		if err := w.conn.SetReadDeadline(time.Now().Add(silence)); err != nil {
			return err
		}
		_, body, err := w.read(r)
		if err != nil {
			return err
		}
		var m message
		if err := json.Unmarshal(body, &m); err != nil {
			return fmt.Errorf("cannot read a message: %w", err)
		}
		l.answered(m)
	}
}

func (l *link) answered(m message) {
	l.mu.Lock()
	l.seen, l.them.Revision = time.Now(), max(m.Revision, l.them.Revision)
	d, ch := l.acks[m.ID], l.waiting[m.ID]
	delete(l.acks, m.ID)
	delete(l.waiting, m.ID)
	l.mu.Unlock()
	if d != nil {
		took := d.acked(true)
		l.mu.Lock()
		l.took = took
		l.mu.Unlock()
	}
	if ch != nil {
		ch <- m
	}
}

// ask writes a message and waits for the answer.
func (l *link) ask(ctx context.Context, w *wire, kind frameKind, m message) (message, error) {
	ch := make(chan message, 1)
	m.ID, m.Revision = l.expect(nil), l.mesh.opts.Set.Revision()
	l.mu.Lock()
	if l.waiting == nil {
		l.mu.Unlock()
		return m, net.ErrClosed
	}
	l.waiting[m.ID] = ch
	l.mu.Unlock()
	if err := w.write(kind, m); err != nil {
		return m, err
	}
	timer := time.NewTimer(silence)
	defer timer.Stop()
	select {
	case m = <-ch:
		return m, nil
	case <-timer.C:
		return m, errors.New("no answer")
	case <-ctx.Done():
		return m, ctx.Err()
	}
}

// compare compares what both have, at once and every few seconds.
func (l *link) compare(ctx context.Context, w *wire) {
	for {
		if err := l.sync(ctx, w); err != nil {
			return
		}
		select {
		case <-ctx.Done():
			return
		case <-l.resync:
		case <-time.After(syncEvery/2 + rand.N(syncEvery)):
		}
	}
}

// maxRounds bounds one comparison; the next goes on.
const maxRounds = 100

// sync exchanges what differs until nothing does.
func (l *link) sync(ctx context.Context, w *wire) error {
	for range maxRounds {
		more, err := l.round(ctx, w)
		if err != nil {
			return err
		}
		if !more {
			if l.mesh.opts.Synced != nil {
				l.mesh.opts.Synced()
			}
			return nil
		}
	}
	return nil
}

func (l *link) round(ctx context.Context, w *wire) (more bool, err error) {
	set := l.mesh.opts.Set
	sums := set.Sums()
	d, err := l.ask(ctx, w, frameSums, message{Sums: sums.bytes(), Peers: l.mesh.Addresses()})
	if err != nil {
		return false, err
	}
	for _, address := range d.Peers[:min(len(d.Peers), maxGossip)] {
		l.mesh.Learn(address)
	}
	newer, lacking := set.Compare(d.Parts, d.Known)
	for _, part := range chunks(newer) {
		if _, err := l.ask(ctx, w, framePush, message{Records: part}); err != nil {
			return false, err
		}
	}
	if len(lacking) > 0 {
		got, err := l.ask(ctx, w, frameFetch, message{IDs: lacking[:min(len(lacking), roundIDs)]})
		if err != nil {
			return false, err
		}
		l.mesh.opts.Receive(got.Records)
	}
	return len(newer)+len(lacking) > 0, nil
}
