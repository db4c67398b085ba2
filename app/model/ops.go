package model

import "time"

// Project is one program that reports to Kibitz. Its id is small and stands in the DSN.
type Project struct {
	ID        int64
	Slug      string
	Name      string
	Platform  string // as SDKs name it: python, javascript, node, go, java, php, ruby, csharp, rust; "" unknown
	CreatedAt time.Time
	// FirstEventAt is zero while the project waits for its first event.
	FirstEventAt time.Time
}

// ProjectKey is a public key of a project: it may send and nothing else.
type ProjectKey struct {
	ID        int64
	ProjectID int64
	Public    string // 32 hex digits
	Label     string
	Active    bool
	CreatedAt time.Time
}

// Status is what people have decided about an issue.
type Status string

// The statuses of an issue.
const (
	Unresolved Status = "unresolved"
	Resolved   Status = "resolved"
	Archived   Status = "archived"
)

// Level is the severity of an event or issue.
type Level string

// The levels, worst first.
const (
	Fatal   Level = "fatal"
	Errors  Level = "error"
	Warning Level = "warning"
	Info    Level = "info"
	Debug   Level = "debug"
)

// Issue is a group of events with a common cause.
type Issue struct {
	ID        int64
	ProjectID int64
	Number    int64 // counts up within the project
	Config    string
	Hash      string // the primary hash, hex
	Title     string // "Type: first line of value", or the message
	Type      string
	Value     string
	Culprit   string
	Level     Level
	Platform  string
	Status    Status
	Regressed bool // it was resolved and came back
	FirstSeen time.Time
	LastSeen  time.Time
	Events    int64
	Users     int64
	// FirstRelease and LastRelease are empty when events name none.
	FirstRelease string
	LastRelease  string
	// MergedInto is the issue that took its hashes and events; 0 while it has its own. Such an issue is not listed, and
	// its page leads to the other's.
	MergedInto int64
}

// StoredEvent is one row of ops.event. Body is the event's JSON; empty in lists.
type StoredEvent struct {
	ID        int64 // time-ordered; also the order of paging
	ProjectID int64
	IssueID   int64
	EventID   string    // 32 hex digits
	Received  time.Time // by our clock; names the day partition
	Timestamp time.Time // by the sender's clock, clamped
	Level     Level
	Platform  string
	Title     string
	Release   string
	Env       string
	Body      []byte
}

// TagShare is how many events of an issue carry a value of a tag.
type TagShare struct {
	Key, Value string
	Events     int64
}

// Bucket is the number of events in one stretch of time.
type Bucket struct {
	Start time.Time
	Level Level
	N     int64
}

// OutcomeCount is a line of the outcomes table.
type OutcomeCount struct {
	ProjectID int64
	Hour      time.Time
	Category  string
	Outcome   string
	Reason    string
	N         int64
}
