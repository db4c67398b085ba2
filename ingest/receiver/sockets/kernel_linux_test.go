package sockets

import (
	"context"
	"net"
	"strconv"
	"testing"
	"time"
)

// TestKernelDrops holds that what the kernel had no room for is told exactly: each datagram's number is that of those read and those lost.
func TestKernelDrops(t *testing.T) {
	t.Parallel()
	lc := net.ListenConfig{Control: countKernelDrops}
	p, err := lc.ListenPacket(context.Background(), "udp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	server := p.(*net.UDPConn)
	defer server.Close()
	if err := server.SetReadBuffer(8 << 10); err != nil {
		t.Fatal(err)
	}
	client := dial(t, "udp", server.LocalAddr().String())
	sent := 0
	next := func() { sent++; send(t, client, strconv.Itoa(sent)) }
	for range 500 {
		next()
	}
	server.SetReadDeadline(time.Now().Add(20 * time.Second))
	buf, oob := make([]byte, 1000), make([]byte, 64)
	lost := uint32(0)
	for read, number := 1, 0; number <= 500; read++ {
		n, oobn, _, _, err := server.ReadMsgUDPAddrPort(buf, oob)
		if err != nil {
			t.Fatalf("after %d of %d: %v", read, sent, err)
		}
		lost, _ = kernelDrops(oob[:oobn])
		if number, err = strconv.Atoi(string(buf[:n])); err != nil || read+int(lost) != number {
			t.Fatalf("datagram %d is the %d. that was read, after %d lost", number, read, lost)
		}
		next() // there is room again
	}
	if lost == 0 {
		t.Error("nothing was lost, so nothing is shown")
	}
}
