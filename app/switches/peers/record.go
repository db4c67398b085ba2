// Package peers keeps the registers of all processes of an installation equal, without a database: each register is a Lamport
// register, whose merge is pure (Set), and Mesh carries them from process to process over signed TCP frames.
package peers

import (
	"bytes"
	"cmp"
	"encoding/json"
	"errors"
	"time"
)

// Kind is what a register holds.
type Kind string

// The kinds of registers. A kill is a register of its own, so that no edit of a switch, however late, undoes it.
const (
	Switch      Kind = "switch"
	Segment     Kind = "segment"
	Kill        Kind = "kill"
	Opt         Kind = "opt" // one person's or forum's opinion of a switch
	Environment Kind = "environment"
)

// Version orders the values of a register: by revision, and between equal ones by the node that made it. Clocks have no say.
type Version struct {
	Revision int64  `json:"revision"`
	Node     string `json:"node"`
}

// Compare is negative when v is older than o.
func (v Version) Compare(o Version) int {
	return cmp.Or(cmp.Compare(v.Revision, o.Revision), cmp.Compare(v.Node, o.Node))
}

// IsZero tells that there is no version.
func (v Version) IsZero() bool { return v == Version{} }

// ID names a register.
type ID struct {
	Kind Kind   `json:"kind"`
	Env  string `json:"env"`
	Key  string `json:"key"`
}

// Record is a value of a register, and who gave it that. Every process can write the row and the line of history of a record that
// it got, should the one that made it be gone.
type Record struct {
	ID
	Version Version         `json:"version"`
	Deleted bool            `json:"deleted,omitempty"` // registers are never forgotten, so that an older value does not come back
	Body    json.RawMessage `json:"body,omitempty"`

	By      string    `json:"by,omitempty"`
	ByKind  string    `json:"by_kind,omitempty"` // person, guard, schedule ...
	Account int64     `json:"account,omitempty"`
	Why     string    `json:"why,omitempty"`
	At      time.Time `json:"at"`               // of the clock of who made it; for people only
	Action  string    `json:"action,omitempty"` // what the line of history says was done
	Change  int64     `json:"change,omitempty"` // id of the line of history; 0 has none
	Undoes  int64     `json:"undoes,omitempty"` // the change that this one takes back
}

// Limits of a record.
const (
	// MaxBody is the size of a register's value in bytes.
	MaxBody = 512 << 10
	// MaxText is the length of a name or a reason in bytes.
	MaxText = 2000
	// MaxRevision keeps a broken peer from using up the numbers.
	MaxRevision = 1 << 53
)

// Check tells what is wrong with a record that came from outside.
func (r *Record) Check() error {
	switch {
	case r.Kind == "" || len(r.Kind) > 40 || r.Key == "" || len(r.Key) > MaxText || r.Env == "" || len(r.Env) > 200:
		return errors.New("a record has no kind, environment or key, or too long ones")
	case r.Version.Revision <= 0 || r.Version.Revision > MaxRevision || r.Version.Node == "" || len(r.Version.Node) > 200:
		return errors.New("a record has no version, or an impossible one")
	case len(r.Body) > MaxBody:
		return errors.New("a record is too large")
	case len(r.By) > MaxText || len(r.ByKind) > 40 || len(r.Why) > MaxText || len(r.Action) > 40:
		return errors.New("a record has a text that is too long")
	case len(r.Body) > 0 && !json.Valid(r.Body):
		return errors.New("a record holds no JSON")
	}
	return nil
}

// beats tells whether r takes o's place. Two values of one version exist only where two processes share a name; the bytes decide
// then, so that everybody decides alike.
func (r *Record) beats(o *Record) bool {
	if c := r.Version.Compare(o.Version); c != 0 {
		return c > 0
	}
	if r.Deleted != o.Deleted {
		return r.Deleted
	}
	return bytes.Compare(r.Body, o.Body) > 0
}
