package peers

import (
	"bytes"
	"encoding/binary"
	"encoding/json"
	"errors"
	"log/slog"
	"testing"
)

var testKey = []byte("a key")

func TestFrame(t *testing.T) {
	t.Parallel()
	text := appendFrame(nil, testKey, fromDialer, 7, framePush, []byte("hello"))
	kind, body, err := readFrame(bytes.NewReader(text), testKey, fromDialer, 7, maxHello)
	if err != nil || kind != framePush || string(body) != "hello" {
		t.Fatal(kind, string(body), err)
	}
	read := func(text []byte, key []byte, direction byte, number uint64, most int) error {
		_, _, err := readFrame(bytes.NewReader(text), key, direction, number, most)
		return err
	}
	changed := bytes.Clone(text)
	changed[6] ^= 1
	for name, err := range map[string]error{
		"another secret":  read(text, []byte("another"), fromDialer, 7, maxHello),
		"sent back":       read(text, testKey, fromListener, 7, maxHello),
		"sent again":      read(text, testKey, fromDialer, 8, maxHello),
		"changed":         read(changed, testKey, fromDialer, 7, maxHello),
		"of another kind": read(append(append(bytes.Clone(text[:4]), byte(frameAsk)), text[5:]...), testKey, fromDialer, 7, maxHello),
	} {
		if !errors.Is(err, errForged) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if read(text, testKey, fromDialer, 7, 5) == nil || read(text[:len(text)-1], testKey, fromDialer, 7, maxHello) == nil {
		t.Error("a message that is too large, or cut, was taken")
	}
}

// FuzzFrame: whatever comes, nothing is taken that was not signed, and no more is read than a message may have.
func FuzzFrame(f *testing.F) {
	f.Add(appendFrame(nil, testKey, fromDialer, 0, frameHello, []byte("{}")))
	f.Add([]byte{0xff, 0xff, 0xff, 0xff, 1})
	f.Add(binary.BigEndian.AppendUint32(nil, 0))
	f.Fuzz(func(t *testing.T, text []byte) {
		kind, body, err := readFrame(bytes.NewReader(text), testKey, fromDialer, 0, maxHello)
		if err == nil && !bytes.HasPrefix(text, appendFrame(nil, testKey, fromDialer, 0, kind, body)) {
			t.Error("a message that nobody signed was taken")
		}
	})
}

// FuzzHandle: no message of somebody who has the secret ends the process or puts in what is no record.
func FuzzHandle(f *testing.F) {
	sums := Sums{}
	for _, m := range []message{{Records: []Record{{ID: ID{Switch, "production", "k"}, Version: Version{1, "a"}, Body: json.RawMessage(`{}`)}}}, {Sums: sums.bytes(), Peers: []string{"x:1"}},
		{IDs: []ID{{Switch, "production", "k"}}}, {Op: "list"}} {
		text, err := json.Marshal(m)
		if err != nil {
			f.Fatal(err)
		}
		for kind := frameHello; kind <= frameAnswer; kind++ {
			f.Add(byte(kind), text)
		}
	}
	f.Fuzz(func(t *testing.T, kind byte, body []byte) {
		m := &Mesh{opts: Options{Set: NewSet(), Log: slog.New(slog.DiscardHandler)}}
		m.ctx = t.Context()
		m.opts.Receive = func(records []Record) {
			for i := range records {
				if records[i].Check() == nil {
					m.opts.Set.Merge(records[i : i+1])
				}
			}
		}
		m.links = map[string]*link{}
		m.full = true // nobody is dialed
		_, _, _ = m.handle(frameKind(kind), body)
		for _, r := range m.opts.Set.All() {
			if err := r.Check(); err != nil {
				t.Error(err)
			}
		}
	})
}
