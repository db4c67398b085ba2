package peers

import (
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"sync"
	"time"
)

// Limits of messages, in bytes.
const (
	maxFrame = 8 << 20 // of somebody who has the secret
	maxHello = 4 << 10 // of somebody who has yet to show it
	nonceLen = 16
	macLen   = sha256.Size
)

// magic opens a connection, and names the version of what follows.
const magic = "kibitz peers 1\n"

// kind of a message.
type frameKind byte

const (
	frameHello   frameKind = 1 + iota // who dials
	frameWelcome                      // who answers
	framePush                         // records
	frameAck                          // they are published
	frameSums                         // what somebody holds, in sums
	frameDiff                         // the parts that differ, with their versions
	frameFetch                        // names of registers
	frameGive                         // their records
	frameAsk                          // a command
	frameAnswer
)

// directions keep what one side signed from being sent back to it.
const (
	fromDialer   byte = 1
	fromListener byte = 2
)

// errForged is a frame whose signature is wrong: by somebody without the secret, or repeated, or left out.
var errForged = errors.New("a message is not signed with the secret of this installation")

// frame is a message on the wire: length of kind and body (4 bytes, big endian), kind, body, and HMAC-SHA256 over direction, number,
// length, kind and body. The key is made of the secret and a random number of each side, and messages are numbered, so none can be
// repeated, neither later nor elsewhere.
func appendFrame(to []byte, key []byte, direction byte, number uint64, kind frameKind, body []byte) []byte {
	to = binary.BigEndian.AppendUint32(to, uint32(1+len(body)))
	to = append(to, byte(kind))
	start := len(to) - 5
	to = append(to, body...)
	return append(to, sign(key, direction, number, to[start:])...)
}

func sign(key []byte, direction byte, number uint64, text []byte) []byte {
	h := hmac.New(sha256.New, key)
	var head [9]byte
	head[0] = direction
	binary.BigEndian.PutUint64(head[1:], number)
	h.Write(head[:])
	h.Write(text)
	return h.Sum(nil)
}

// readFrame reads one, of at most so many bytes.
func readFrame(r io.Reader, key []byte, direction byte, number uint64, most int) (frameKind, []byte, error) {
	var head [4]byte
	if _, err := io.ReadFull(r, head[:]); err != nil {
		return 0, nil, err
	}
	n := int64(binary.BigEndian.Uint32(head[:]))
	if n < 1 || n > int64(most) {
		return 0, nil, fmt.Errorf("a message has %d bytes; %d are allowed", n, most)
	}
	text := make([]byte, 4+n+macLen)
	copy(text, head[:])
	if _, err := io.ReadFull(r, text[4:]); err != nil {
		return 0, nil, err
	}
	if !hmac.Equal(text[4+n:], sign(key, direction, number, text[:4+n])) {
		return 0, nil, errForged
	}
	return frameKind(text[4]), text[5 : 4+n], nil
}

// sessionKey is what the frames of one connection are signed with.
func sessionKey(secret, listener, dialer []byte) []byte {
	h := hmac.New(sha256.New, secret)
	h.Write([]byte(magic))
	h.Write(listener)
	h.Write(dialer)
	return h.Sum(nil)
}

// wire is a connection with its keys. Several goroutines may write, one reads.
type wire struct {
	conn     net.Conn
	key      []byte
	out, in  byte
	most     int
	received uint64

	mu   sync.Mutex
	sent uint64
}

// writeWait is how long the other side may take to read a message.
const writeWait = 3 * time.Second

func (w *wire) write(kind frameKind, message any) error {
	body, err := json.Marshal(message)
	if err != nil {
		return fmt.Errorf("cannot write a message: %w", err)
	}
	if len(body) >= maxFrame {
		return fmt.Errorf("cannot write a message of %d bytes; %d are allowed", len(body), maxFrame)
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	text := appendFrame(make([]byte, 0, len(body)+5+macLen), w.key, w.out, w.sent, kind, body)
	w.sent++
	if err := w.conn.SetWriteDeadline(time.Now().Add(writeWait)); err != nil {
		return err
	}
	_, err = w.conn.Write(text)
	return err
}

func (w *wire) read(r io.Reader) (frameKind, []byte, error) {
	kind, body, err := readFrame(r, w.key, w.in, w.received, w.most)
	w.received++
	return kind, body, err
}

// greet opens a connection from the side that dialed.
func greet(conn net.Conn, secret []byte) (*wire, error) {
	head := make([]byte, len(magic)+nonceLen)
	if _, err := io.ReadFull(conn, head); err != nil {
		return nil, err
	}
	if string(head[:len(magic)]) != magic {
		return nil, errors.New("it is no process of Kibitz, or one of another version")
	}
	mine := nonce()
	if _, err := conn.Write(mine); err != nil {
		return nil, err
	}
	return &wire{conn: conn, key: sessionKey(secret, head[len(magic):], mine), out: fromDialer, in: fromListener, most: maxFrame}, nil
}

// receive opens a connection from the side that listens. The first message may be small only.
func receive(conn net.Conn, secret []byte) (*wire, error) {
	mine := nonce()
	if _, err := conn.Write(append([]byte(magic), mine...)); err != nil {
		return nil, err
	}
	theirs := make([]byte, nonceLen)
	if _, err := io.ReadFull(conn, theirs); err != nil {
		return nil, err
	}
	return &wire{conn: conn, key: sessionKey(secret, mine, theirs), out: fromListener, in: fromDialer, most: maxHello}, nil
}

func nonce() []byte {
	b := make([]byte, nonceLen)
	rand.Read(b) // never fails (crypto/rand)
	return b
}
