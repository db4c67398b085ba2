// Package pglog reads the logs of PostgreSQL: stderr with any log_line_prefix, csvlog, jsonlog and syslog, from files and
// line by line, and folds them into a digest of queries. Formats are those of
// https://www.postgresql.org/docs/current/runtime-config-logging.html; messages are known in English (lc_messages = C).
// It does no I/O but reading from an io.Reader.
package pglog

import (
	"time"

	"kibitz/ingest/sqltext"
)

// Entry is one message of the log with all that belongs to it. Its strings may share memory with the text that was read:
// clone what is to be kept.
type Entry struct {
	Time        time.Time // UTC; zero when the line says none
	PID         int32     // of the backend; 0 unknown
	User        string
	Database    string
	Application string
	Host        string // of the client: an address, or [local]
	Severity    string // LOG, ERROR, FATAL, PANIC, WARNING, NOTICE, INFO, DEBUG
	SQLState    string // five characters; "" unknown
	Message     string
	Detail      string
	Hint        string
	Context     string
	// Statement is the SQL that the entry is about, whether it stood in the message, in a plan or in STATEMENT.
	Statement string
	Kind      Kind
	Phase     Phase
	Duration  time.Duration // when Timed
	Timed     bool
	QueryID   int64  // of compute_query_id; 0 unknown
	Params    string // $1 = '...', $2 = NULL, as PostgreSQL writes them
	Plan      string // of auto_explain, text, JSON, XML or YAML
	TempBytes int64  // the size of a temporary file
	LockWait  time.Duration
	// Truncated is set when a part was dropped because of MaxEntry.
	Truncated bool
	// Form is Statement normalised; empty unless the reader was given a Normalizer.
	Form sqltext.Form
}

// Kind is what a message tells.
type Kind uint8

// The kinds of messages. Other covers everything that no digest needs.
const (
	Other    Kind = iota
	Duration      // duration: N ms, with a statement or alone
	Started       // statement: SQL or execute NAME: SQL, without a duration (log_statement)
	Plan          // duration: N ms  plan: ...
	TempFile
	Waiting  // process N still waiting for ... after N ms
	Acquired // process N acquired ... after N ms
	Failure  // ERROR, FATAL or PANIC
)

// Phase is which part of the extended protocol a duration belongs to. A simple statement is one phase.
type Phase uint8

// The phases.
const (
	Simple Phase = iota
	Parse
	Bind
	Execute
)

// MaxEntry bounds the text of one entry, and of one record before it is read, in bytes (limit pglog.MaxEntry); what is
// more is dropped, and counted in Stats.
const MaxEntry = 10 << 20

// Stats count what became of the lines. Drops: Malformed and Unclaimed lines, and what Truncated and Evicted lost.
type Stats struct {
	Bytes     int64 // after decompression
	Lines     int64
	Entries   int64
	Malformed int64 // records that could not be read
	Unclaimed int64 // lines that belong to no entry: what precedes the first, or another program's
	Truncated int64 // entries that lost a part (limit pglog.MaxEntry)
	Evicted   int64 // entries closed early because too many were open (limit pglog.MaxOpen)
	// Cut is set when a compressed file ends in its middle. What was before has been read.
	Cut    bool
	Format Format
	Prefix string // of stderr and syslog, given or found
}
