package sockets

import (
	"net"
	"net/netip"

	"kibitz/ingest"
)

// readUDP takes datagrams until the socket is closed. One byte more than allowed tells what is too long.
func (d *Door) readUDP(c *net.UDPConn, transport uint8) {
	buf, oob := make([]byte, d.o.Limits.MessageSize+1), make([]byte, 64)
	lost := uint32(0)
	for {
		n, oobn, _, peer, err := c.ReadMsgUDPAddrPort(buf, oob)
		if err != nil {
			if d.over(err, transport) {
				return
			}
			continue
		}
		if total, ok := kernelDrops(oob[:oobn]); ok && total != lost {
			d.dropped("log_item", ingest.RateLimited, "syslog_kernel", transport, int64(total-lost)) // the counter may wrap
			lost = total
		}
		from := peer.Addr().Unmap()
		if !allowed(d.o.Allow, from) {
			d.drop("log_item", ingest.Filtered, "syslog_allow", transport)
			continue
		}
		d.take(buf[:n], from, transport)
	}
}

// readUnix takes datagrams of this machine. Its queue holds some ten messages, after which a blocking sender waits: nothing here
// may take long.
func (d *Door) readUnix(c *net.UnixConn, transport uint8) {
	buf := make([]byte, d.o.Limits.MessageSize+1)
	for {
		n, err := c.Read(buf)
		if err != nil {
			if d.over(err, transport) {
				return
			}
			continue
		}
		d.take(buf[:n], netip.Addr{}, transport)
	}
}

// over tells whether an error of a datagram socket ends its reader. Others are told and passed over: an ICMP answer to what we
// never sent, say.
func (d *Door) over(err error, transport uint8) bool {
	if d.stopping() {
		return true
	}
	d.o.Log.Warn("cannot read from a syslog socket", "transport", transports[transport], "err", err)
	_, is := err.(net.Error)
	return !is
}
