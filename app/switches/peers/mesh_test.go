package peers

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net"
	"testing"
	"time"
)

// node is a process in a test.
type node struct {
	*Mesh
	set *Set
}

func newNode(t *testing.T, name, secret string, peers ...string) *node {
	t.Helper()
	n := &node{set: NewSet()}
	m, err := Listen(Options{Node: name, Version: "test", Listen: "127.0.0.1:0", Secret: []byte(secret), Peers: peers, Set: n.set, Log: slog.New(slog.DiscardHandler),
		Receive: func(r []Record) { n.set.Merge(r) },
		Ask: func(_ context.Context, op string, body json.RawMessage) (json.RawMessage, int, string) {
			if op != "echo" {
				return nil, 404, "no " + op
			}
			return body, 0, ""
		}})
	if err != nil {
		t.Fatal(err)
	}
	n.Mesh = m
	t.Cleanup(m.Close)
	return n
}

func until(t *testing.T, what string, ok func() bool) {
	t.Helper()
	for end := time.Now().Add(30 * time.Second); !ok(); time.Sleep(5 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatal("waited in vain until " + what)
		}
	}
}

func (n *node) connected() (c int) {
	for _, p := range n.Mesh.Peers() {
		if p.Connected {
			c++
		}
	}
	return c
}

func record(key string, revision int64) Record {
	return Record{ID: ID{Switch, "production", key}, Version: Version{revision, "x"}, Body: json.RawMessage(`{"state":"on"}`)}
}

// TestMesh: three processes of which each was told of one other find each other, are told, and one that comes late is told all.
func TestMesh(t *testing.T) {
	t.Parallel()
	a := newNode(t, "a", "s")
	b := newNode(t, "b", "s", a.Address())
	c := newNode(t, "c", "s", b.Address())
	until(t, "all know each other", func() bool { return a.connected() == 2 && b.connected() == 2 && c.connected() == 2 })
	r := []Record{record("k", 1)}
	a.set.Merge(r)
	told, of, slowest := a.Publish(r).Wait(t.Context(), 10*time.Second)
	if told != 2 || of != 2 || slowest <= 0 {
		t.Errorf("%d of %d were told after %s", told, of, slowest)
	}
	if _, ok := c.set.Get(r[0].ID); !ok {
		t.Error("it was acknowledged before it was there")
	}
	d := newNode(t, "d", "s", c.Address())
	until(t, "the new one has it", func() bool { _, ok := d.set.Get(r[0].ID); return ok })
}

// TestManyByComparison: 5,000 registers that only one has, and others that only the other has, are on both sides after a comparison.
func TestManyByComparison(t *testing.T) {
	t.Parallel()
	a := newNode(t, "a", "s")
	for i := range 5000 {
		a.set.Merge([]Record{record(fmt.Sprint("a", i), int64(i+1))})
	}
	b := newNode(t, "b", "s")
	for i := range 5000 {
		b.set.Merge([]Record{record(fmt.Sprint("b", i), int64(i+1))})
	}
	b.Learn(a.Address())
	until(t, "both hold the same", func() bool { return a.set.Len() == 10_000 && a.set.Sums() == b.set.Sums() })
}

// TestStranger: who has another secret learns nothing, and tells nothing.
func TestStranger(t *testing.T) {
	t.Parallel()
	a := newNode(t, "a", "s")
	a.set.Merge([]Record{record("k", 1)})
	x := newNode(t, "x", "another", a.Address())
	x.set.Merge([]Record{record("evil", 9)})
	if _, err := Dial(t.Context(), a.Address(), []byte("another")); err == nil {
		t.Error("it talks to who has another secret")
	}
	conn, err := net.Dial("tcp", a.Address())
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	conn.Write(make([]byte, nonceLen))
	conn.Write([]byte{0xff, 0xff, 0xff, 0xff}) // 4 GiB, it says
	conn.SetReadDeadline(time.Now().Add(20 * time.Second))
	if n, err := io.Copy(io.Discard, conn); err != nil || n != int64(len(magic)+nonceLen) {
		t.Errorf("a stranger got %d bytes, %v", n, err)
	}
	if a.set.Len() != 1 || x.set.Len() != 1 || a.connected() != 0 {
		t.Error("they exchanged switches")
	}
}

// TestReplay: what was recorded of a connection is worth nothing on another.
func TestReplay(t *testing.T) {
	t.Parallel()
	a := newNode(t, "a", "s")
	conn, err := net.Dial("tcp", a.Address())
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	spy := &tee{Conn: conn}
	r := bufio.NewReader(spy)
	w, _, err := introduce(spy, r, []byte("s"), hello{Node: "b", Instance: "b"})
	if err != nil {
		t.Fatal(err)
	}
	if err := w.write(framePush, message{ID: 1, Records: []Record{record("k", 1)}}); err != nil {
		t.Fatal(err)
	}
	until(t, "it is taken", func() bool { return a.set.Len() == 1 })
	a.set.Clear()
	again, err := net.Dial("tcp", a.Address())
	if err != nil {
		t.Fatal(err)
	}
	defer again.Close()
	again.Write(spy.sent)
	again.SetReadDeadline(time.Now().Add(20 * time.Second))
	if _, err := io.Copy(io.Discard, again); err != nil {
		t.Error(err)
	}
	if a.set.Len() != 0 {
		t.Error("a repeated message was taken")
	}
}

// tee remembers what is written.
type tee struct {
	net.Conn
	sent []byte
}

// Write implements io.Writer.
func (c *tee) Write(p []byte) (int, error) {
	c.sent = append(c.sent, p...)
	return c.Conn.Write(p)
}

func TestAsk(t *testing.T) {
	t.Parallel()
	a := newNode(t, "a", "s")
	c, err := Dial(t.Context(), a.Address(), []byte("s"))
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	for range 2 {
		if got, status, _, err := c.Ask(t.Context(), "echo", map[string]int{"n": 1}); err != nil || status != 0 || string(got) != `{"n":1}` {
			t.Error(string(got), status, err)
		}
	}
	if _, status, text, err := c.Ask(t.Context(), "other", nil); err != nil || status != 404 || text != "no other" {
		t.Error(status, text, err)
	}
	if a.connected() != 0 || len(a.Peers()) != 0 {
		t.Error("a command counts as a process")
	}
}

// TestAgain: a peer that went and came back at the same address is told again.
func TestAgain(t *testing.T) {
	t.Parallel()
	b := newNode(t, "b", "s")
	address := b.Address()
	a := newNode(t, "a", "s", address)
	until(t, "they are connected", func() bool { return a.connected() == 1 })
	b.Close()
	until(t, "it is lost", func() bool { return a.connected() == 0 })
	r := []Record{record("k", 1)}
	a.set.Merge(r)
	if told, of, _ := a.Publish(r).Wait(t.Context(), time.Second); told != 0 || of != 1 {
		t.Errorf("%d of %d", told, of)
	}
	n := &node{set: NewSet()}
	m, err := Listen(Options{Node: "b", Listen: address, Secret: []byte("s"), Set: n.set, Log: slog.New(slog.DiscardHandler), Receive: func(r []Record) { n.set.Merge(r) }})
	if err != nil {
		t.Fatal(err)
	}
	defer m.Close()
	until(t, "it has what it missed", func() bool { return n.set.Len() == 1 })
}
