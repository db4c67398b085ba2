package model

import (
	"time"

	"kibitz/app/trace"
)

// StatementDelta is what one statement did on one server between two snapshots of pg_stat_statements.
type StatementDelta struct {
	Partition string
	Server    string // identity of the server; nodes that share it report once
	QueryID   int64  // of that server; not comparable across major versions
	// SQL is PostgreSQL's normalised text: constants are $n. "" when the server did not tell it again.
	SQL string
	// Fingerprint is ours, the same on every server; 0 when it could not be computed.
	Fingerprint int64
	From, To    time.Time
	Toplevel    bool

	Calls int64
	Total time.Duration // spent executing; planning is not tracked by default
	Rows  int64
	StatementIO
}

// StatementGap is a stretch of time whose statements are not fully known, and why.
type StatementGap struct {
	Server   string
	From, To time.Time
	Reason   string // reset, evicted or unreachable
	Times    int64  // how often statements were evicted; each time a twentieth of them
}

// StatementCounters is one row of pg_stat_statements: sums since the server began to count.
type StatementCounters struct {
	StatementDelta           // From, To and Partition are not set
	User, Database int64     // oids
	Role           string    // that ran it
	Since          time.Time // of this row (PostgreSQL 17 and later); else zero
}

// StatementSnapshot is pg_stat_statements at one moment. Missing tells why there is none: extension, rights; "" when there is.
type StatementSnapshot struct {
	At, Reset time.Time
	Evictions int64
	Missing   string
	Rows      []StatementCounters
}

// Plan is how PostgreSQL would run a statement, or ran it.
type Plan struct {
	Root      PlanNode
	Generic   bool // made without knowing the values of placeholders
	Ran       bool // with times and rows as they were
	Planning  time.Duration
	Execution time.Duration
	Settings  []Attr // that differ from their defaults and changed the plan
}

// PlanNode is one step of a plan. Costs are PostgreSQL's own units: 1 is the reading of a page in sequence.
type PlanNode struct {
	Type                 string // Seq Scan, Hash Join ...
	Relation, Index      string
	Startup, Total, Self float64 // cost; Self without that of the steps below
	Rows                 float64 // expected
	Width                int
	ActualRows, Loops    float64       // of each loop; only when it ran
	ActualTime           time.Duration // of all loops, with the steps below
	Hit, Read            int64         // blocks, with the steps below
	Details              []Attr        // Filter, Index Cond, Sort Key ...
	Removed              float64       // rows that a filter threw away
	Children             []PlanNode
}

// Attr is a name and what it says.
type Attr struct{ Key, Value string }

// StatementCall is one call of a statement, of a kept span or of a server's log; or what a backend did during one.
type StatementCall struct {
	Project   int64
	Statement int32
	Source    StatementSource // FromSpans or FromLog
	Kind      CallKind
	At        time.Time     // when it ended
	Duration  time.Duration // or how long a lock was waited for
	PID       int32         // of the backend; 0 unknown
	Trace     trace.ID      // of a span, as Span and Endpoint
	Span      trace.SpanID
	Endpoint  int32
	Params    string // of a log, values masked, as Plan
	Plan      string // of auto_explain
	Note      string // what the log says, where it is no execution
}

// CallKind is what a StatementCall tells. The numbers are stored: never reuse one.
type CallKind int16

// The kinds.
const (
	CallExecuted CallKind = 1 + iota
	CallTempFile
	CallWaiting  // for a lock, still
	CallAcquired // a lock
)
