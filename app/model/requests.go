package model

import (
	"hash/fnv"
	"time"

	"kibitz/app/trace"
)

// LabelKind is what a label of a request names. The numbers are stored: never reuse one.
type LabelKind int16

// The kinds of labels. The value of a switch is key=variant; that of a caller file:line, and a space and the function.
const (
	LabelRelease LabelKind = 1 + iota
	LabelEnvironment
	LabelHost
	LabelSwitch
	LabelCaller
)

// KeepReason is why the spans of a request were kept. The numbers are stored: never reuse one.
type KeepReason int16

// The reasons, strongest first. NotKept: the request was counted, its spans were not kept.
const (
	NotKept KeepReason = iota
	KeepAsked
	KeepFailed
	KeepFinding
	KeepSlow
	KeepNewRelease
	KeepNewVariant
	KeepSample
	KeepLinked // an error event names its trace
)

var keepWords = [...]string{"not kept", "it asked to be", "it failed", "a detector found something", "it was slower than 99 % of its endpoint",
	"it was among the first of its release", "it was among the first with a switch's answer", "it was one of the samples", "an error names it"}

// String says it to people.
func (r KeepReason) String() string {
	if int(r) < len(keepWords) {
		return keepWords[max(r, 0)]
	}
	return keepWords[0]
}

// Endpoint is one route of a project's program.
type Endpoint struct {
	ID         int32
	ProjectID  int64
	Service    string // which of the project's programs; "" when it does not say
	Method     string // "" when it is no HTTP request
	Name       string
	Apdex      time.Duration // T: satisfied up to it, tolerating up to four times it
	Thresholds []byte        // JSON of detect.Thresholds, as far as they differ from the defaults
	FirstSeen  time.Time
}

// Label is a name that requests repeat.
type Label struct {
	ID        int32
	ProjectID int64
	Kind      LabelKind
	Value     string
	FirstSeen time.Time
}

// RequestRow is a line of ops.request: one request as it is counted.
type RequestRow struct {
	ID        int64
	Received  time.Time
	ProjectID int64
	Trace     trace.ID
	Span      trace.SpanID
	Start     time.Time
	Duration  time.Duration
	Totals    trace.Totals // N of Other and Pool are not kept
	Endpoint  int32
	Release   int32
	Env       int32
	Host      int32
	UserHash  int64
	Switches  []int32
	Weight    float64
	Status    int
	Failed    bool
	Kept      KeepReason
	Found     int32 // what detectors found, a bit for each kind
}

// StatementSource is where a statement was seen. The numbers are stored: never reuse one.
type StatementSource int16

// The sources.
const (
	FromSpans StatementSource = 1 + iota
	FromLog
	FromPgStat
)

// UserHash is an identity (id:42, ip:203.0.113.9) as it is counted and looked for: 64 bits, never 0. That of nobody is 0.
func UserHash(ident string) int64 {
	if ident == "" || ident == "ip:" {
		return 0
	}
	h := fnv.New64a()
	h.Write([]byte(ident))
	return int64(h.Sum64() | 1)
}

// FindingEvent is what a detector found, as an event for the grouper.
type FindingEvent struct {
	ID       int64
	Project  int64
	EventID  [16]byte
	Received time.Time
	Body     []byte // zstd of the event's JSON
}
