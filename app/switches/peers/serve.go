package peers

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"net"
	"time"
)

// accept answers those who dial.
func (m *Mesh) accept() {
	for m.ctx.Err() == nil {
		conn, err := m.listener.Accept()
		if err != nil {
			if m.ctx.Err() == nil {
				m.opts.Log.Warn("cannot accept a peer", "err", err)
				time.Sleep(firstPause) // out of descriptors, say
			}
			continue
		}
		if m.conns.Add(1) > maxConns {
			m.conns.Add(-1)
			conn.Close()
			continue
		}
		m.tasks.Go(func() { defer m.conns.Add(-1); m.serve(conn) })
	}
}

// serve answers one that dialed, once it has shown that it has the secret.
func (m *Mesh) serve(conn net.Conn) {
	defer conn.Close()
	stop := context.AfterFunc(m.ctx, func() { conn.Close() })
	defer stop()
	r := bufio.NewReaderSize(conn, 32<<10)
	w, them, err := m.open(conn, r)
	if err != nil {
		if m.ctx.Err() == nil {
			m.opts.Log.Warn("turned away who is no peer of ours", "address", conn.RemoteAddr(), "err", err)
		}
		return
	}
	if them.Address != "" {
		m.Learn(them.Address)
	}
	for {
		if err := m.next(w, r); err != nil {
			return
		}
	}
}

var errBusy = errors.New("too many connections are being opened")

func (m *Mesh) open(conn net.Conn, r *bufio.Reader) (*wire, hello, error) {
	var them hello
	select {
	case m.opening <- struct{}{}:
		defer func() { <-m.opening }()
	default:
		return nil, them, errBusy
	}
	if err := conn.SetDeadline(time.Now().Add(helloWait)); err != nil {
		return nil, them, err
	}
	w, err := receive(readerConn{conn, r}, m.opts.Secret)
	if err != nil {
		return nil, them, err
	}
	kind, body, err := w.read(r)
	if err != nil {
		return nil, them, err
	}
	if kind != frameHello || json.Unmarshal(body, &them) != nil {
		return nil, them, errors.New("it does not say who it is")
	}
	w.most = maxFrame
	err = w.write(frameWelcome, hello{m.opts.Node, m.instance, m.opts.Advertise, m.opts.Version, m.opts.Set.Revision()})
	return w, them, errors.Join(err, conn.SetDeadline(time.Time{}))
}

// next answers one message.
func (m *Mesh) next(w *wire, r *bufio.Reader) error {
	if err := w.conn.SetReadDeadline(time.Now().Add(silence)); err != nil {
		return err
	}
	kind, body, err := w.read(r)
	if err != nil {
		return err
	}
	answer, reply, err := m.handle(kind, body)
	if err != nil {
		m.opts.Log.Warn("a peer sent what cannot be read", "address", w.conn.RemoteAddr(), "err", err)
		return err
	}
	return w.write(answer, reply)
}

// handle does what a message asks and gives the answer.
func (m *Mesh) handle(kind frameKind, body []byte) (frameKind, message, error) {
	var in message
	if err := json.Unmarshal(body, &in); err != nil {
		return 0, in, err
	}
	set := m.opts.Set
	out := message{ID: in.ID}
	var answer frameKind
	switch kind {
	case framePush:
		answer = frameAck
		m.opts.Receive(in.Records)
	case frameSums:
		sums, err := sumsOf(in.Sums)
		if err != nil {
			return 0, out, err
		}
		answer = frameDiff
		for _, address := range in.Peers[:min(len(in.Peers), maxGossip)] {
			m.Learn(address)
		}
		out.Parts, out.Known = diff(set, sums)
		out.Peers = m.Addresses()
	case frameFetch:
		answer = frameGive
		if found := chunks(set.Pick(in.IDs[:min(len(in.IDs), roundIDs)])); len(found) > 0 {
			out.Records = found[0]
		}
	case frameAsk:
		answer = frameAnswer
		out.Body, out.Status, out.Error = m.command(in)
	default:
		return 0, out, errors.New("a message of a kind that there is not")
	}
	out.Revision = set.Revision()
	return answer, out, nil
}

// askWait is how long a command may take.
const askWait = 30 * time.Second

func (m *Mesh) command(in message) (json.RawMessage, int, string) {
	if m.opts.Ask == nil {
		return nil, 404, "This process takes no commands."
	}
	ctx, cancel := context.WithTimeout(m.ctx, askWait)
	defer cancel()
	return m.opts.Ask(ctx, in.Op, in.Body)
}
