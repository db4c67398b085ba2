// Package detect finds what makes a request slow without need: loops of queries, of writes, of HTTP calls and of cache
// reads, slow and repeated queries, work that waits in line although it could run side by side, and endpoints that became
// slower. It is pure. What it does not report, it explains.
//
// The criteria are those of Sentry's detectors where there are such, so that people find what they know, made blind to
// order: a loop is a bag of equal calls from one line of code, whatever ran between them and before them.
package detect

import (
	"slices"
	"strings"
	"time"

	"kibitz/app/trace"
)

// Kind is what a detector looks for. The words are stored with issues: never change one.
type Kind string

// The kinds.
const (
	QueryLoop          Kind = "n_plus_one_query"    // the same query for each row of another
	WriteLoop          Kind = "write_loop"          // the same INSERT, UPDATE or DELETE again and again
	HTTPLoop           Kind = "n_plus_one_http"     // calls to the same parameterised URL
	CacheLoop          Kind = "cache_loop"          // reads of one key after the other
	SlowQuery          Kind = "slow_query"          // one statement that takes long
	DuplicateQuery     Kind = "duplicate_query"     // the same query with the same values, nothing written between
	ConsecutiveQueries Kind = "consecutive_queries" // queries in line that do not depend on each other
	ConsecutiveHTTP    Kind = "consecutive_http"    // slow HTTP calls in line
	Regression         Kind = "endpoint_regression" // an endpoint became slower with a release or a switch
)

var names = map[Kind]string{QueryLoop: "N+1 query", WriteLoop: "Writes in a loop", HTTPLoop: "N+1 HTTP call",
	CacheLoop: "Cache reads in a loop", SlowQuery: "Slow query", DuplicateQuery: "Duplicate query",
	ConsecutiveQueries: "Independent queries in line", ConsecutiveHTTP: "HTTP calls in line", Regression: "Slower endpoint"}

var advice = map[Kind]string{
	QueryLoop:          "Fetch all rows with one query before the loop: a join, IN (…), or the ORM's prefetch.",
	WriteLoop:          "Collect the rows and write them in one statement of several rows, a batch, or COPY.",
	HTTPLoop:           "Ask for all of them with one call when the service can, or send the calls side by side.",
	CacheLoop:          "Read all keys with one get_many.",
	SlowQuery:          "Look at its plan on the page of the query: a missing index and rows read in vain are the usual causes.",
	DuplicateQuery:     "Keep the first answer for the rest of the request.",
	ConsecutiveQueries: "Run them side by side on connections of their own, or as one batch.",
	ConsecutiveHTTP:    "Send them side by side when none needs the answer of another.",
	Regression:         "Compare the two: the ranked difference shows which queries and categories the time went to.",
}

// String is its name on pages.
func (k Kind) String() string { return names[k] }

// Finding is one thing that a detector found in a request.
type Finding struct {
	Kind Kind
	// Title names it by its statement, without values.
	Title string
	// Fingerprint is what stays the same over releases: kind, endpoint, file and function without the line, statement.
	Fingerprint []string
	// Hint is set when it is worth a note on the request, but no issue.
	Hint bool
	// Wasted is what the request would have saved at the most: of a loop, all calls but the longest.
	Wasted   time.Duration
	Evidence Evidence
}

// Evidence is what a finding stands on.
type Evidence struct {
	Spans []trace.SpanID // the first 50
	Count int
	Total time.Duration
	// Statement is without values; Examples are up to three different texts as they came, cut to 1,000 bytes.
	Statement string
	Examples  []string
	// Source is the query that ended last before a loop of queries began, which may be the one it loops over.
	Source string
	// File, Line and Func are the code that asked; empty and 0 when the client did not tell.
	File       string
	Line       int
	Func       string
	Suggestion string
}

// Normalizer takes the values out of a statement and answers the rest and its fingerprint.
type Normalizer func(sql string) (text string, fingerprint uint64)

// detectors in the order of their findings.
var detectors = []struct {
	kind Kind
	run  func(w *work, th *Thresholds) (found []Finding, why Reason)
}{
	{QueryLoop, queryLoops}, {WriteLoop, writeLoops}, {HTTPLoop, httpLoops}, {CacheLoop, cacheLoops}, {SlowQuery, slowQueries},
	{DuplicateQuery, duplicates}, {ConsecutiveQueries, consecutiveQueries}, {ConsecutiveHTTP, consecutiveHTTP},
}

// Run is everything that can be found in a request by itself, and of every kind that was not found the reason. Neither the
// order of spans nor their ids change anything.
func Run(r *trace.Request, normalize Normalizer, th Thresholds) (found []Finding, reasons []Reason) {
	reasons = make([]Reason, 0, len(detectors))
	note := unfit(r)
	var w *work
	if note == "" {
		w = gather(r, normalize)
		w.claim(&th)
	}
	for _, d := range detectors {
		why := Reason{Note: note}
		var list []Finding
		if w != nil {
			list, why = d.run(w, &th)
		}
		if len(list) > 1 {
			list = merge(list)
		}
		found = append(found, list...)
		if len(list) == 0 {
			why.Kind, why.Lost = d.kind, r.Lost
			reasons = append(reasons, why)
		}
	}
	return found, reasons
}

func unfit(r *trace.Request) string {
	switch {
	case r.Summed:
		return "the sender gave totals in place of spans"
	case r.Partial:
		return "the request itself has not come, only some of its spans"
	case len(r.Spans) == 0:
		return "the request has no spans"
	}
	return ""
}

// Limits of what is kept.
const (
	maxFindings = 20 // of a kind in one request; whoever repairs these finds the next
	maxSpans    = 50
	maxExamples = 3
	maxExample  = 1000 // bytes
)

// finding describes calls, which are not none, by the first of them.
func (w *work) finding(kind Kind, calls []*call) Finding {
	first := calls[0]
	f := Finding{Kind: kind, Title: kind.String() + ": " + first.title(), Evidence: Evidence{Count: len(calls), Statement: first.form,
		File: first.span.File, Line: first.span.Line, Func: first.span.Func, Suggestion: advice[kind]}}
	longest := time.Duration(0)
	for _, c := range calls {
		f.Evidence.Total = plus(f.Evidence.Total, c.took())
		longest = max(longest, c.took())
		f.Evidence.note(c)
	}
	f.Wasted = f.Evidence.Total - longest
	f.Fingerprint = []string{string(kind), endpoint(w.r), place(first.span), sum(first)}
	return f
}

func (e *Evidence) note(c *call) {
	if len(e.Spans) < maxSpans {
		e.Spans = append(e.Spans, c.span.ID)
	}
	e.example(clip(c.span.Text, maxExample))
}

func (e *Evidence) example(text string) {
	for _, had := range e.Examples {
		if had == text {
			return
		}
	}
	if len(e.Examples) < maxExamples {
		e.Examples = append(e.Examples, text)
	}
}

// merge makes one of findings that are the same but for their line, and leaves those that waste most, in order of the
// first call of each.
func merge(list []Finding) (out []Finding) {
	known := map[string]int{}
	for _, f := range list {
		print := strings.Join(f.Fingerprint, "\x00")
		at, was := known[print]
		if was {
			out[at].join(f)
			continue
		}
		known[print], out = len(out), append(out, f)
	}
	if len(out) <= maxFindings {
		return out
	}
	waste := make([]time.Duration, len(out))
	for i := range out {
		waste[i] = out[i].Wasted
	}
	slices.Sort(waste)
	least := waste[len(waste)-maxFindings]
	out = slices.DeleteFunc(out, func(f Finding) bool { return f.Wasted < least })
	return out[:maxFindings]
}

func (f *Finding) join(o Finding) {
	f.Wasted = plus(f.Wasted, o.Wasted)
	f.Evidence.Count += o.Evidence.Count
	f.Evidence.Total = plus(f.Evidence.Total, o.Evidence.Total)
	f.Evidence.Spans = append(f.Evidence.Spans, o.Evidence.Spans[:min(len(o.Evidence.Spans), maxSpans-len(f.Evidence.Spans))]...)
	for _, text := range o.Evidence.Examples {
		f.Evidence.example(text)
	}
}

// isRead tells by a statement's verb whether it asks; isWrite, whether it changes rows.
func isRead(verb string) bool { return verb == "SELECT" || verb == "TABLE" || verb == "VALUES" }

func isWrite(verb string) bool {
	return verb == "INSERT" || verb == "UPDATE" || verb == "DELETE" || verb == "MERGE" || verb == "REPLACE"
}
