package peers

import (
	"context"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"log/slog"
	"net"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"
)

// Options is what a Mesh is made of.
type Options struct {
	Node, Version string // of this process and of the program
	Listen        string // host:port
	Advertise     string // what others are told to dial; the address that is listened on when empty
	Secret        []byte // that all messages are signed with; all processes have the same
	Peers         []string
	Set           *Set
	// Receive publishes records that came, before they are acknowledged.
	Receive func([]Record)
	// Synced is told when a comparison with a peer found nothing (more) to exchange.
	Synced func()
	// Ask answers a command; nil refuses all. status 0 is no error, else it is an HTTP status and text its message.
	Ask func(ctx context.Context, op string, body json.RawMessage) (answer json.RawMessage, status int, text string)
	Log *slog.Logger
}

// How peers are kept.
const (
	dialWait    = 2 * time.Second
	helloWait   = 3 * time.Second
	silence     = 10 * time.Second // without a message, a connection is given up
	syncEvery   = 2 * time.Second
	firstPause  = 100 * time.Millisecond // before a peer is dialed again; doubles
	maxPause    = 3 * time.Second
	forgetAfter = 2 * time.Minute // an unreachable peer that no setting names
	maxPeers    = 200
	maxConns    = 512
	maxOpening  = 64 // connections that have not shown the secret yet
)

// Mesh is one process among its peers: it dials all that it knows, and answers all that dial it.
type Mesh struct {
	opts     Options
	instance string
	listener net.Listener
	ctx      context.Context
	cancel   context.CancelFunc
	tasks    sync.WaitGroup
	opening  chan struct{}
	conns    atomic.Int64

	mu    sync.Mutex
	links map[string]*link // by address
	full  bool             // no more are taken
}

// Listen opens the door and dials the peers.
func Listen(o Options) (*Mesh, error) {
	ln, err := net.Listen("tcp", o.Listen)
	if err != nil {
		return nil, fmt.Errorf("cannot listen for peers on %s: %w", o.Listen, err)
	}
	if o.Advertise == "" {
		o.Advertise = ln.Addr().String()
	}
	m := &Mesh{opts: o, instance: hex.EncodeToString(nonce()), listener: ln, opening: make(chan struct{}, maxOpening), links: map[string]*link{}}
	m.ctx, m.cancel = context.WithCancel(context.Background())
	for _, address := range o.Peers {
		m.learn(address, true)
	}
	m.tasks.Go(m.accept)
	return m, nil
}

// Address is what others are told to dial.
func (m *Mesh) Address() string { return m.opts.Advertise }

// Close leaves.
func (m *Mesh) Close() {
	m.mu.Lock()
	m.full = true
	m.mu.Unlock()
	m.cancel()
	m.listener.Close()
	m.tasks.Wait()
}

// Learn adds an address that a peer may have.
func (m *Mesh) Learn(address string) { m.learn(address, false) }

func (m *Mesh) learn(address string, configured bool) {
	if _, port, err := net.SplitHostPort(address); err != nil || port == "0" || address == m.opts.Advertise || len(address) > 300 {
		return
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.links[address] != nil || len(m.links) >= maxPeers || m.full || m.ctx.Err() != nil {
		return
	}
	l := newLink(m, address, configured)
	m.links[address] = l
	m.tasks.Go(l.run)
}

func (m *Mesh) forget(l *link) {
	m.mu.Lock()
	defer m.mu.Unlock()
	delete(m.links, l.address)
}

// Peer is another process.
type Peer struct {
	Node, Address, Version string
	Revision               int64
	Took                   time.Duration // of its last acknowledgement
	Seen                   time.Time     // of its last message; zero never
	Connected              bool
}

// Peers are the other processes that are reached, or were not long ago, by node.
func (m *Mesh) Peers() []Peer {
	var out []Peer
	for _, l := range m.all() {
		if p, ok := l.peer(); ok {
			out = append(out, p)
		}
	}
	slices.SortFunc(out, func(a, b Peer) int { return strings.Compare(a.Node+a.Address, b.Node+b.Address) })
	return out
}

func (m *Mesh) all() []*link {
	m.mu.Lock()
	defer m.mu.Unlock()
	out := make([]*link, 0, len(m.links))
	for _, l := range m.links {
		out = append(out, l)
	}
	return out
}

// Addresses are those of the peers that are reached, for gossip and for the next start.
func (m *Mesh) Addresses() []string {
	out := []string{}
	for _, p := range m.Peers() {
		if p.Connected && len(out) < maxGossip {
			out = append(out, p.Address)
		}
	}
	return out
}

// twin tells whether another link goes to the same process.
func (m *Mesh) twin(l *link, instance string) bool {
	for _, o := range m.all() {
		if o != l && o.isTo(instance) {
			return true
		}
	}
	return false
}

// Publish sends records to all peers at once, and does not wait.
func (m *Mesh) Publish(records []Record) *Delivery {
	d := newDelivery()
	for _, l := range m.all() {
		if _, known := l.peer(); known {
			d.expect()
			l.push(records, d)
		}
	}
	d.sealed()
	return d
}

// Delivery is how far records have come.
type Delivery struct {
	began time.Time

	mu      sync.Mutex
	peers   int
	told    int
	open    int // not acknowledged, and not failed
	slowest time.Duration
	done    chan struct{}
}

func newDelivery() *Delivery { return &Delivery{began: time.Now(), open: 1, done: make(chan struct{})} }

func (d *Delivery) expect() {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.peers++
	d.open++
}

// sealed says that no more peers come.
func (d *Delivery) sealed() { d.end() }

// acked says that a peer has published the records, or is lost.
func (d *Delivery) acked(ok bool) (took time.Duration) {
	took = time.Since(d.began)
	if ok {
		d.mu.Lock()
		d.told++
		d.slowest = max(d.slowest, took)
		d.mu.Unlock()
	}
	d.end()
	return took
}

func (d *Delivery) end() {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.open--; d.open == 0 {
		close(d.done)
	}
}

// Wait waits until every peer that is reached has acknowledged, or for so long, and tells how many of how many have, and after what
// time the slowest of them did.
func (d *Delivery) Wait(ctx context.Context, most time.Duration) (told, of int, slowest time.Duration) {
	timer := time.NewTimer(most)
	defer timer.Stop()
	select {
	case <-d.done:
	case <-timer.C:
	case <-ctx.Done():
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.told, d.peers, d.slowest
}
