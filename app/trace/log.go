package trace

import (
	"strings"
	"time"
)

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

// LevelOf is a level in our words: of its name, in any of the usual spellings, or else of OpenTelemetry's severity number
// (https://opentelemetry.io/docs/specs/otel/logs/data-model/), which is 0 or less when unknown. What neither tells is info.
func LevelOf(name string, number int) string {
	switch strings.ToLower(whole(name, MaxOp)) { // constants, so that no name is kept by reference
	case "trace":
		return "trace"
	case "debug":
		return "debug"
	case "info", "information", "informational", "notice", "log":
		return "info"
	case "warn", "warning":
		return "warn"
	case "error", "err", "severe":
		return "error"
	case "fatal", "critical", "alert", "emergency", "emerg", "panic":
		return "fatal"
	}
	if number > 24 || number < 1 {
		return "info"
	}
	return [...]string{"trace", "debug", "info", "warn", "error", "fatal"}[(number-1)/4]
}
