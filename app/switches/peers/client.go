package peers

import (
	"bufio"
	"context"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"time"
)

// Client is a command beside running processes: it asks one of them, and is no peer itself.
type Client struct {
	wire *wire
	r    *bufio.Reader
	next uint64
	// Node is the process that answers.
	Node string
}

// Dial connects to a process.
func Dial(ctx context.Context, address string, secret []byte) (*Client, error) {
	conn, err := (&net.Dialer{Timeout: dialWait}).DialContext(ctx, "tcp", address)
	if err != nil {
		return nil, fmt.Errorf("cannot reach the process at %s: %w", address, err)
	}
	r := bufio.NewReader(conn)
	w, them, err := introduce(conn, r, secret, hello{Node: "command", Instance: hex.EncodeToString(nonce())})
	if err != nil {
		conn.Close()
		return nil, fmt.Errorf("cannot talk to the process at %s: %w", address, err)
	}
	return &Client{wire: w, r: r, Node: them.Node}, nil
}

// Close ends the connection.
func (c *Client) Close() error { return c.wire.conn.Close() }

// Ask has the process run a command. status is not 0 when it refused, with what a person should read.
func (c *Client) Ask(ctx context.Context, op string, body any) (answer json.RawMessage, status int, text string, err error) {
	raw, err := json.Marshal(body)
	if err != nil {
		return nil, 0, "", fmt.Errorf("cannot ask %s: %w", op, err)
	}
	c.next++
	stop := context.AfterFunc(ctx, func() { c.wire.conn.Close() })
	defer stop()
	if err := c.wire.conn.SetReadDeadline(time.Now().Add(askWait + time.Second)); err != nil {
		return nil, 0, "", err
	}
	if err := c.wire.write(frameAsk, message{ID: c.next, Op: op, Body: raw}); err != nil {
		return nil, 0, "", fmt.Errorf("cannot ask %s: %w", op, err)
	}
	kind, got, err := c.wire.read(c.r)
	if err != nil {
		return nil, 0, "", fmt.Errorf("cannot ask %s: %w", op, err)
	}
	var m message
	if err := json.Unmarshal(got, &m); err != nil || kind != frameAnswer || m.ID != c.next {
		return nil, 0, "", errors.Join(fmt.Errorf("cannot understand the answer to %s", op), err)
	}
	return m.Body, m.Status, m.Error, nil
}
