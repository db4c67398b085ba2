package sockets

import (
	"encoding/binary"
	"syscall"

	"golang.org/x/sys/unix"
)

// countKernelDrops makes the kernel tell with each datagram how many it had no room for (SO_RXQ_OVFL, socket(7)).
func countKernelDrops(_, _ string, c syscall.RawConn) error {
	var failed error
	err := c.Control(func(fd uintptr) { failed = unix.SetsockoptInt(int(fd), unix.SOL_SOCKET, unix.SO_RXQ_OVFL, 1) })
	if err == nil {
		err = failed
	}
	return err
}

// kernelDrops reads that number, a running total.
func kernelDrops(oob []byte) (total uint32, ok bool) {
	messages, err := unix.ParseSocketControlMessage(oob)
	if err != nil {
		return 0, false
	}
	for _, m := range messages {
		if m.Header.Level == unix.SOL_SOCKET && m.Header.Type == unix.SO_RXQ_OVFL && len(m.Data) >= 4 {
			return binary.NativeEndian.Uint32(m.Data), true
		}
	}
	return 0, false
}
