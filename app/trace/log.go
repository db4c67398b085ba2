package trace

import "time"

// LogLine is a line of a program's log.
type LogLine struct {
	At    time.Time // by the sender's clock, UTC
	Level string    // trace, debug, info, warn, error or fatal
	// Logger is what wrote it: a logger's name, or the tag of a syslog message.
	Logger string
	Body   string
	// Trace and Span are the request during which it was written; zero when it names none.
	Trace                               ID
	Span                                SpanID
	Service, Release, Environment, Host string
	Attrs                               []Attr
}
