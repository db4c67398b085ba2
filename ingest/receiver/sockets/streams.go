package sockets

import (
	"crypto/tls"
	"errors"
	"io"
	"net"
	"net/netip"
	"os"
	"time"

	"kibitz/ingest"
	"kibitz/ingest/syslog"
)

// handshakeWithin is how long a sender may take to agree on TLS.
const handshakeWithin = 10 * time.Second

// acceptRest is the pause after a failure to accept: without file descriptors it would fail again at once.
const acceptRest = 50 * time.Millisecond

// acceptAll takes connections until the listener is closed.
func (d *Door) acceptAll(ln net.Listener, transport uint8) {
	for {
		c, err := ln.Accept()
		if d.stopping() {
			if err == nil {
				c.Close()
			}
			return
		}
		if err != nil {
			d.o.Log.Warn("cannot take a syslog connection", "transport", transports[transport], "err", err)
			if errors.Is(err, net.ErrClosed) {
				return
			}
			select {
			case <-d.stop:
			case <-time.After(acceptRest):
			}
			continue
		}
		d.accept(c, transport)
	}
}

// accept starts a reader for a connection that is allowed and has room. What is counted here is connections.
func (d *Door) accept(c net.Conn, transport uint8) {
	from := peer(c)
	if from.IsValid() && !allowed(d.o.Allow, from) {
		d.drop("connection", ingest.Filtered, "syslog_allow", transport)
		c.Close()
		return
	}
	if !d.enter(c) {
		d.drop("connection", ingest.RateLimited, "syslog_connections", transport)
		c.Close()
		return
	}
	d.readers.Go(func() {
		defer d.leave(c)
		d.serve(c, from, transport)
	})
}

// peer is a sender's address; that of a Unix socket is none.
func peer(c net.Conn) netip.Addr {
	if a, ok := c.RemoteAddr().(*net.TCPAddr); ok {
		return a.AddrPort().Addr().Unmap()
	}
	return netip.Addr{}
}

func (d *Door) enter(c net.Conn) bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	if len(d.conns) >= d.o.Limits.Connections || d.stopping() {
		return false
	}
	d.conns[c] = true
	return true
}

func (d *Door) leave(c net.Conn) {
	c.Close()
	d.mu.Lock()
	defer d.mu.Unlock()
	delete(d.conns, c)
}

// serve reads one connection to its end.
func (d *Door) serve(c net.Conn, from netip.Addr, transport uint8) {
	stream := c
	if transports[transport] == "tls" {
		secured := tls.Server(c, d.o.TLS)
		c.SetDeadline(time.Now().Add(handshakeWithin))
		if err := secured.Handshake(); err != nil {
			d.drop("connection", ingest.Invalid, "syslog_tls", transport)
			return
		}
		c.SetDeadline(time.Time{})
		stream = secured
	}
	f := syslog.NewFramer(stream, d.o.Limits.MessageSize)
	for {
		d.await(c)
		message, err := f.Next()
		if err == nil {
			d.take(message, from, transport)
		} else if !d.survives(err, transport) {
			return
		}
	}
}

// await bounds the wait for the next message. The second look is for a stop between the first and the deadline.
func (d *Door) await(c net.Conn) {
	if !d.stopping() {
		c.SetReadDeadline(time.Now().Add(d.o.Limits.Idle))
		if d.stopping() {
			c.SetReadDeadline(time.Now().Add(grace))
		}
	}
}

// survives counts what an error means, and tells whether the connection may go on.
func (d *Door) survives(err error, transport uint8) bool {
	var long syslog.TooLong
	switch {
	case errors.As(err, &long):
		d.drop("log_item", ingest.TooLarge, "syslog_message_size", transport)
		return true
	case errors.Is(err, syslog.ErrFraming):
		d.drop("log_item", ingest.Invalid, "syslog_framing", transport)
	case errors.Is(err, io.EOF), errors.Is(err, os.ErrDeadlineExceeded), d.stopping():
	default: // reset, or a broken TLS record
		d.drop("connection", ingest.Invalid, "syslog_connection", transport)
	}
	return false
}
