package perf

import (
	"strings"

	"kibitz/app/trace"
)

// Remote is a span of another program that a request continues.
type Remote struct {
	Trace  trace.ID
	Parent trace.SpanID
	// State and Baggage are handed on as they came: the headers tracestate and baggage, of which only the members
	// of Sentry's are kept.
	State, Baggage string
	// Unsampled is set when the caller said that it does not keep the trace. We record all the same, and hand it on.
	Unsampled bool
}

// The headers of https://www.w3.org/TR/trace-context/ and https://develop.sentry.dev/sdk/foundations/trace-propagation/.
const (
	HeaderTraceparent = "traceparent"
	HeaderTracestate  = "tracestate"
	HeaderSentryTrace = "sentry-trace"
	HeaderBaggage     = "baggage"
)

// Limits of headers that are handed on; longer ones are left out. 512 bytes are W3C's for a state, 8 KiB its for baggage.
const (
	maxState   = 512
	maxBaggage = 8 << 10
)

// ReadHeaders reads the caller's span from a request's headers; get gives one by its name, in lower case, or "".
// traceparent rules over sentry-trace, which Sentry's SDKs send with the same ids. What is malformed is as if it had not come.
// The texts of the result are copies.
func ReadHeaders(get func(name string) string) (r Remote) {
	w3c, ok := parseTraceparent(get(HeaderTraceparent))
	sentry, okSentry := parseSentryTrace(get(HeaderSentryTrace))
	switch {
	case ok:
		r = w3c
		if state := get(HeaderTracestate); len(state) <= maxState && printable(state) {
			r.State = strings.Clone(state)
		}
	case okSentry:
		r = sentry
	default:
		return r // baggage without a trace belongs to nothing
	}
	r.Baggage = sentryMembers(get(HeaderBaggage))
	return r
}

// parseTraceparent reads version-traceid-parentid-flags. Later versions may add fields behind.
func parseTraceparent(text string) (r Remote, ok bool) {
	if len(text) < 55 || text[2] != '-' || text[35] != '-' || text[52] != '-' || !lowerHex(text[:2]) || text[:2] == "ff" ||
		!lowerHex(text[53:55]) || len(text) > 55 && (text[:2] == "00" || text[55] != '-') {
		return r, false
	}
	if r, ok = parseIDs(text[3:35], text[36:52]); ok {
		r.Unsampled = hexDigit(text[54])&1 == 0
	}
	return r, ok
}

// parseSentryTrace reads traceid-spanid and perhaps -1 or -0; without it the caller leaves the decision to us.
func parseSentryTrace(text string) (r Remote, ok bool) {
	text = strings.TrimSpace(text)
	if len(text) < 49 || text[32] != '-' || len(text) > 49 && (len(text) != 51 || text[49] != '-' || text[50] != '0' && text[50] != '1') {
		return r, false
	}
	if r, ok = parseIDs(text[:32], text[33:49]); ok {
		r.Unsampled = len(text) == 51 && text[50] == '0'
	}
	return r, ok
}

func parseIDs(id, span string) (r Remote, ok bool) {
	if !lowerHex(id) || !lowerHex(span) {
		return r, false
	}
	var okSpan bool
	r.Trace, ok = trace.ParseID(id)
	r.Parent, okSpan = trace.ParseSpanID(span)
	if !ok || !okSpan {
		return Remote{}, false
	}
	return r, true
}

func lowerHex(text string) bool { return strings.Trim(text, "0123456789abcdef") == "" }

func hexDigit(c byte) byte {
	if c >= 'a' {
		return c - 'a' + 10
	}
	return c - '0'
}

// printable keeps line breaks and other control characters out of headers.
func printable(text string) bool {
	for i := range len(text) {
		if text[i] < ' ' || text[i] > '~' {
			return false
		}
	}
	return true
}

// sentryMembers are the members of a baggage header that are Sentry's. Other people's are not ours to hand on: they may
// be meant for one hop.
func sentryMembers(text string) string {
	if text == "" || len(text) > maxBaggage || !printable(text) {
		return ""
	}
	var kept []string
	for member := range strings.SplitSeq(text, ",") {
		if member = strings.TrimSpace(member); strings.HasPrefix(member, "sentry-") {
			kept = append(kept, member)
		}
	}
	return strings.Clone(strings.Join(kept, ",")) // of one member Join makes no copy
}

// Traceparent is W3C's header for a span of a trace.
func Traceparent(id trace.ID, span trace.SpanID, sampled bool) string {
	flags := "-00"
	if sampled {
		flags = "-01"
	}
	return "00-" + id.String() + "-" + span.String() + flags
}

// SentryTrace is Sentry's header for a span of a trace.
func SentryTrace(id trace.ID, span trace.SpanID, sampled bool) string {
	flag := "-0"
	if sampled {
		flag = "-1"
	}
	return id.String() + "-" + span.String() + flag
}

// WriteHeaders sets the headers by which another program continues the trace at this span; set is given names in lower
// case. It does nothing for a span without a request.
func (s Span) WriteHeaders(set func(name, value string)) {
	q := s.request
	if q == nil {
		return
	}
	set(HeaderTraceparent, Traceparent(q.remote.Trace, s.ID(), !q.remote.Unsampled))
	set(HeaderSentryTrace, SentryTrace(q.remote.Trace, s.ID(), !q.remote.Unsampled))
	if q.remote.State != "" {
		set(HeaderTracestate, q.remote.State)
	}
	if q.remote.Baggage != "" {
		set(HeaderBaggage, q.remote.Baggage)
	}
}
