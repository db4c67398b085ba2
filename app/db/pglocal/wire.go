package pglocal

import (
	"bufio"
	"context"
	"encoding/binary"
	"fmt"
	"io"
	"net"
	"time"
)

// wire is just enough of PostgreSQL's protocol (version 3, "Frontend/Backend Protocol" of its manual) to ask a server
// on a trusted unix socket whether it answers and what a setting is. It keeps the driver out of this layer, and psql
// and pg_isready, which the fetched programs lack, out of the requirements.
type wire struct {
	conn net.Conn
	r    *bufio.Reader
}

// serverError is what the server answered instead.
type serverError struct{ code, message string }

func (e *serverError) Error() string { return fmt.Sprintf("%s (SQLSTATE %s)", e.message, e.code) }

// wireTimeout bounds one connection; each asks for a handful of settings.
const wireTimeout = 10 * time.Second

// maxMessage bounds a message of the server; those that we ask for have some hundred bytes.
const maxMessage = 1 << 20

// dialWire connects as the superuser.
func dialWire(ctx context.Context, socketDir string) (*wire, error) {
	ctx, cancel := context.WithTimeout(ctx, wireTimeout)
	defer cancel()
	conn, err := new(net.Dialer).DialContext(ctx, "unix", socketFile(socketDir))
	if err != nil {
		return nil, err
	}
	deadline, _ := ctx.Deadline()
	if err := conn.SetDeadline(deadline); err != nil {
		conn.Close()
		return nil, err
	}
	w := &wire{conn, bufio.NewReader(conn)}
	body := append([]byte{0, 3, 0, 0}, "user\x00"+Superuser+"\x00database\x00postgres\x00\x00"...)
	if _, err = w.conn.Write(frame(body)); err == nil {
		_, err = w.untilReady()
	}
	if err != nil {
		conn.Close()
		return nil, err
	}
	return w, nil
}

// query answers the first column of the first row.
func (w *wire) query(sql string) (string, error) {
	if _, err := w.conn.Write(append([]byte{'Q'}, frame(append([]byte(sql), 0))...)); err != nil {
		return "", err
	}
	return w.untilReady()
}

// show answers a setting.
func (w *wire) show(name string) (string, error) { return w.query("SHOW " + name) }

func (w *wire) close() {
	w.conn.Write(append([]byte{'X'}, frame(nil)...)) // a courtesy: the server logs nothing
	w.conn.Close()
}

// frame puts the length, which counts itself, before a body.
func frame(body []byte) []byte {
	return append(binary.BigEndian.AppendUint32(nil, uint32(len(body)+4)), body...)
}

// untilReady reads up to ReadyForQuery, and answers the first column of the first row on the way.
func (w *wire) untilReady() (value string, err error) {
	rows := 0
	for {
		kind, body, rerr := w.message()
		if rerr != nil {
			// The server closes after an error at startup, so that the error is the last thing there is.
			if err != nil {
				return "", err
			}
			return "", rerr
		}
		switch kind {
		case 'R':
			if len(body) < 4 || binary.BigEndian.Uint32(body) != 0 {
				return "", &serverError{"28000", "the server asks for a password on its own socket: pg_hba.conf was changed"}
			}
		case 'E':
			err = parseError(body)
		case 'D':
			if rows++; rows == 1 {
				value = firstColumn(body)
			}
		case 'Z':
			return value, err
		}
	}
}

func (w *wire) message() (kind byte, body []byte, err error) {
	var head [5]byte
	if _, err := io.ReadFull(w.r, head[:]); err != nil {
		return 0, nil, err
	}
	n := binary.BigEndian.Uint32(head[1:])
	if n < 4 || n > maxMessage {
		return 0, nil, fmt.Errorf("a message of %d bytes is no answer of PostgreSQL", n)
	}
	body = make([]byte, n-4)
	_, err = io.ReadFull(w.r, body)
	return head[0], body, err
}

// firstColumn is the first value of a DataRow; "" for NULL.
func firstColumn(body []byte) string {
	if len(body) < 6 {
		return ""
	}
	n := int32(binary.BigEndian.Uint32(body[2:]))
	if n < 0 || int(n) > len(body)-6 {
		return ""
	}
	return string(body[6 : 6+n])
}

// parseError reads the fields of an ErrorResponse: a letter and a text that ends with a zero, C being the code and M
// the message.
func parseError(body []byte) error {
	e := &serverError{}
	for len(body) > 0 && body[0] != 0 {
		end := 1
		for end < len(body) && body[end] != 0 {
			end++
		}
		switch body[0] {
		case 'C':
			e.code = string(body[1:end])
		case 'M':
			e.message = string(body[1:end])
		}
		body = body[min(end+1, len(body)):]
	}
	return e
}
