// Package sockets is the syslog door: it listens on UDP, TCP, TLS and Unix sockets, and hands requests and log lines on. A
// sender never waits for what stands behind: readers copy into a bounded buffer, and what has no room is counted.
package sockets

import (
	"context"
	"crypto/tls"
	"errors"
	"log/slog"
	"net"
	"net/netip"
	"os"
	"sync"
	"time"

	"kibitz/app/trace"
	"kibitz/ingest"
)

// Options are what a door connects.
type Options struct {
	Listen     []Address
	Allow      []netip.Prefix // besides this machine
	TLS        *tls.Config    // for tls:// addresses
	SocketMode os.FileMode    // of Unix sockets
	Limits     Limits
	// Project takes every message that names no key.
	Project int64
	// Key finds whose a public key is, from memory.
	Key func(ctx context.Context, public string) (project, keyID int64, active bool)
	// Requests and Logs take batches; they may wait for the disk.
	Requests func(context.Context, ingest.Source, []trace.Request) error
	Logs     func(context.Context, ingest.Source, []trace.LogLine) error
	// Postgres takes the pieces of PostgreSQL's own log as they came, in their order; nil: they are log lines. The line is good
	// until it returns.
	Postgres func(from ingest.Source, line []byte)
	Count    func(project int64, category string, outcome ingest.Outcome, reason string, n int64)
	Log      *slog.Logger
}

// Limits bound what senders may take. Each is the setting syslog_ and its name.
type Limits struct {
	MessageSize int           // syslog_message_size, bytes
	Rate        int           // syslog_rate, messages a second of one sender
	Connections int           // syslog_connections, of all stream sockets together
	Buffer      int           // syslog_buffer, bytes that wait for the worker
	Idle        time.Duration // after which a silent connection is closed
}

// DefaultLimits are those of a small machine. 64 KiB is what a UDP datagram can carry, and eight times rsyslog's own.
func DefaultLimits() Limits {
	return Limits{MessageSize: 64 << 10, Rate: 20_000, Connections: 500, Buffer: 16 << 20, Idle: 15 * time.Minute}
}

// Door is sockets that listen.
type Door struct {
	o       Options
	buffer  *buffer
	rate    rate
	sockets []socket
	paths   []string // of Unix sockets
	bound   []string
	readers sync.WaitGroup
	worker  worker
	// stop is closed when the readers shall end, finished when they have, ended when the worker has.
	stop, finished, ended chan struct{}

	mu    sync.Mutex
	conns map[net.Conn]bool
}

// transports are those of Address; reasons of outcomes end in them.
var transports = [...]string{"udp", "tcp", "tls", "unix", "unixstream"}

// Open listens on every address, or on none and tells why.
func Open(o Options) (*Door, error) {
	d := &Door{o: o, buffer: newBuffer(o.Limits.Buffer), rate: rate{max: o.Limits.Rate, now: time.Now}, stop: make(chan struct{}),
		finished: make(chan struct{}), ended: make(chan struct{}), conns: map[net.Conn]bool{}}
	d.worker = worker{door: d, now: time.Now}
	for _, a := range o.Listen {
		err := a.guarded(o.Allow)
		if err == nil {
			err = d.listen(a)
		}
		if err != nil {
			close(d.stop)
			d.hurry()
			d.readers.Wait()
			d.closeSockets()
			return nil, err
		}
	}
	go d.worker.run()
	return d, nil
}

// Addresses are where the door listens, in the order of Options.Listen; a port 0 has become a real one.
func (d *Door) Addresses() []string { return d.bound }

// socket is what Open opened: a listener, or a socket of datagrams.
type socket interface{ Close() error }

// grace is how long Close still reads what has been sent already.
const grace = 100 * time.Millisecond

// Close stops listening, reads what has been sent already, hands it on, and returns when that is done or ctx has ended.
func (d *Door) Close(ctx context.Context) error {
	close(d.stop)
	d.hurry()
	d.readers.Wait()
	d.closeSockets()
	close(d.finished)
	select {
	case <-d.ended:
		return nil
	case <-ctx.Done():
		return errors.New("cannot hand on the last syslog messages in time")
	}
}

// hurry closes listeners, and lets every reader end within grace.
func (d *Door) hurry() {
	until := time.Now().Add(grace)
	for _, s := range d.sockets {
		if packets, ok := s.(net.PacketConn); ok {
			packets.SetReadDeadline(until)
		} else {
			s.Close()
		}
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	for c := range d.conns {
		c.SetReadDeadline(until)
	}
}

func (d *Door) closeSockets() {
	for _, s := range d.sockets {
		s.Close()
	}
	for _, path := range d.paths {
		os.Remove(path)
	}
}

// stopping tells whether an error of a socket is our own doing.
func (d *Door) stopping() bool {
	select {
	case <-d.stop:
		return true
	default:
		return false
	}
}

// take is one message from a socket: checked, copied into the buffer, or counted.
func (d *Door) take(message []byte, from netip.Addr, transport uint8) {
	switch {
	case len(message) > d.o.Limits.MessageSize:
		d.drop("log_item", ingest.TooLarge, "syslog_message_size", transport)
	case !d.rate.admit(from):
		d.drop("log_item", ingest.RateLimited, "syslog_rate", transport)
	case !d.buffer.put(message, from, transport):
		d.drop("log_item", ingest.RateLimited, "syslog_full", transport)
	}
}

// drop counts one of a category that ended here. The reason names the transport, which is where it is mended.
func (d *Door) drop(category string, outcome ingest.Outcome, reason string, transport uint8) {
	d.dropped(category, outcome, reason, transport, 1)
}

func (d *Door) dropped(category string, outcome ingest.Outcome, reason string, transport uint8, n int64) {
	d.o.Count(d.o.Project, category, outcome, reason+"."+transports[transport], n)
}
