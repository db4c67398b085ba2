// Package ingest takes what receivers accepted to the database: spool first, then drain, exactly once.
// It knows no SQL: what it needs of the database is the Sink.
package ingest

import (
	"context"
	"errors"
	"time"
)

// Kind tells what a spooled record's payload is. The numbers are on disk: never reuse one.
type Kind uint8

// The kinds of records.
const (
	KindEvent    Kind = 1 // zstd-compressed JSON of one error event
	KindOutcomes Kind = 2 // JSON: []OutcomeCount, of items that were not stored
	KindRequests Kind = 3 // zstd of trace.Append: requests and their spans
	KindLogs     Kind = 4 // zstd of trace.AppendLogs
	KindPortion  Kind = 5 // zstd of pglog.Portion.Append: a piece of a PostgreSQL log
)

// Record is one spooled thing.
type Record struct {
	ID       int64 // time-ordered (model.IDs); the stored row's key
	Project  int64
	KeyID    int64 // which project key sent it; 0 for our own
	Kind     Kind
	Received time.Time // server clock, UTC, milliseconds
	EventID  [16]byte
	Items    int    // requests or log lines in it; 0: not known, or another kind
	RemoteIP string // for user.ip_address {{auto}}; "" when unknown
	Payload  []byte
}

// Position is a place in a node's spool: everything before it has been drained.
type Position struct {
	Segment uint64
	Offset  int64
}

// Batch is what one database transaction takes over: the records between two positions.
type Batch struct {
	Node     string
	From, To Position
	Records  []Record
}

// Sink is the database as the drain sees it. Write stores the records and moves this node's cursor
// from From to To in one transaction, or does neither. Bury does the same with one record that
// cannot be stored, keeping it as a dead letter. Errors are told apart by ErrData and ErrSchema;
// any other is worth a retry.
type Sink interface {
	Cursor(ctx context.Context, node string) (Position, error)
	Write(ctx context.Context, batch Batch) error
	Bury(ctx context.Context, batch Batch, reason string) error
}

// ErrData marks a failure caused by the records themselves (SQLSTATE classes 22 and 54): the drain
// bisects the batch and buries the one that fails alone.
var ErrData = errors.New("the records cannot be stored as they are")

// ErrSchema marks a failure that no retry mends (class 42): the drain stops and says so, while the
// spool goes on taking events.
var ErrSchema = errors.New("the database schema does not fit this program")

// ErrCursor marks that another process moved this node's cursor: the drain must read it again.
var ErrCursor = errors.New("the spool cursor was moved by someone else")

// Outcome is where an item ended: exactly one for every item that arrived.
type Outcome string

// The outcomes.
const (
	Stored        Outcome = "stored"
	Filtered      Outcome = "filtered"
	RateLimited   Outcome = "rate_limited"
	Invalid       Outcome = "invalid"
	ClientDropped Outcome = "client_discard"
	TooLarge      Outcome = "too_large"
)

// OutcomeCount is a number of items that ended alike within an hour.
type OutcomeCount struct {
	Project  int64     `json:"p"`
	Hour     time.Time `json:"h"`
	Category string    `json:"c"` // error, transaction, log_item, session, attachment ...
	Outcome  Outcome   `json:"o"`
	Reason   string    `json:"r"`
	N        int64     `json:"n"`
}
