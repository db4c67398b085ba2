package sockets

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"slices"
	"time"

	"kibitz/app/errs"
)

// receiveBuffer is what we ask the kernel to hold for a datagram socket: 0.2 s of 20,000 messages of 1 KiB. It may give less
// (net.core.rmem_max).
const receiveBuffer = 4 << 20

func (d *Door) listen(a Address) error {
	transport := uint8(slices.Index(transports[:], a.Transport))
	if a.local() {
		if err := removeStale(a.Where); err != nil {
			return err
		}
	}
	if a.Transport == "tls" && d.o.TLS == nil {
		return errs.New(errs.Invalid, "syslog: %s needs a certificate: set syslog_tls_cert and syslog_tls_key.", a)
	}
	if a.datagrams() {
		return d.listenPackets(a, transport)
	}
	return d.listenStreams(a, transport)
}

func (d *Door) listenPackets(a Address, transport uint8) error {
	network := map[string]string{"udp": "udp", "unix": "unixgram"}[a.Transport]
	var lc net.ListenConfig
	if a.Transport == "udp" {
		lc.Control = countKernelDrops
	}
	conn, err := lc.ListenPacket(context.Background(), network, a.Where)
	if err != nil {
		return fmt.Errorf("cannot listen on %s: %w", a, err)
	}
	d.opened(a, conn.LocalAddr(), conn)
	switch c := conn.(type) {
	case *net.UDPConn:
		d.grow(a, c)
		d.readers.Go(func() { d.readUDP(c, transport) })
		return nil
	case *net.UnixConn:
		d.grow(a, c)
		if err := os.Chmod(a.Where, d.o.SocketMode); err != nil {
			return fmt.Errorf("cannot let others write to %s: %w", a, err)
		}
		d.readers.Go(func() { d.readUnix(c, transport) })
		return nil
	}
	return fmt.Errorf("cannot listen on %s: no such kind of socket", a)
}

func (d *Door) grow(a Address, c interface{ SetReadBuffer(int) error }) {
	if err := c.SetReadBuffer(receiveBuffer); err != nil {
		d.o.Log.Warn("cannot enlarge a socket's buffer", "address", a.String(), "err", err)
	}
}

func (d *Door) listenStreams(a Address, transport uint8) error {
	network := map[string]string{"tcp": "tcp", "tls": "tcp", "unixstream": "unix"}[a.Transport]
	ln, err := net.Listen(network, a.Where)
	if err != nil {
		return fmt.Errorf("cannot listen on %s: %w", a, err)
	}
	d.opened(a, ln.Addr(), ln)
	if a.local() {
		if err := os.Chmod(a.Where, d.o.SocketMode); err != nil {
			return fmt.Errorf("cannot let others write to %s: %w", a, err)
		}
	}
	d.readers.Go(func() { d.acceptAll(ln, transport) })
	return nil
}

func (d *Door) opened(a Address, at net.Addr, s socket) {
	d.sockets = append(d.sockets, s)
	d.bound = append(d.bound, at.String())
	if a.local() {
		d.paths = append(d.paths, a.Where)
	}
	d.o.Log.Info("syslog", "transport", a.Transport, "address", at.String())
}

// removeStale removes the socket of a process that is no more. One that somebody listens on, and anything that is no socket,
// stays.
func removeStale(path string) error {
	info, err := os.Lstat(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("cannot look at %s: %w", path, err)
	}
	if info.Mode().Type() != fs.ModeSocket {
		return errs.New(errs.Invalid, "syslog: %s is there and is no socket; choose another path.", path)
	}
	for _, network := range []string{"unixgram", "unix"} {
		if c, err := net.DialTimeout(network, path, time.Second); err == nil {
			c.Close()
			return errs.New(errs.Invalid, "syslog: another program listens on %s; choose another path.", path)
		}
	}
	if err := os.Remove(path); err != nil {
		return fmt.Errorf("cannot remove the old socket %s: %w", path, err)
	}
	return nil
}
