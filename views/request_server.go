package views

import (
	"fmt"
	"time"

	"github.com/a-h/templ"

	"kibitz/app/trace"
)

const (
	// maxServerRows bounds the calls that a page lists of a server's log.
	maxServerRows = 50
	// maxLoggedPlan bounds a plan as it is shown, in bytes.
	maxLoggedPlan = 16 << 10
)

// ServerCall is what a database server's log tells of one span.
type ServerCall struct {
	Span           trace.SpanID
	Text           string // the statement, as the span has it
	Client, Server time.Duration
	PID            int32
	Certain        bool   // the backend is the same; else statement and time alone fit
	Params, Plan   string // values masked
	Note           string // what the backend did meanwhile: a temporary file, a lock; then there are no durations
}

func certainty(certain bool) string {
	if certain {
		return ""
	}
	return ", probable: statement and time fit, the backend does not tell"
}

// serverSub adds up what is known on both sides.
func serverSub(p RequestProps) string {
	var client, server time.Duration
	n := 0
	for _, s := range p.Server {
		if s.Note == "" {
			n, client, server = n+1, client+s.Client, server+s.Server
		}
	}
	return fmt.Sprintf("%s in its log: %s there, %s for the program", plural(int64(n), "statement"), timeSum(server), timeSum(client))
}

// spanLink leads to the details of the span that a call belongs to.
func spanLink(p RequestProps, s ServerCall) templ.SafeURL {
	v := p.View
	v.Span = s.Span
	return templ.SafeURL(requestPath(&p.Request) + v.query() + "#span")
}
