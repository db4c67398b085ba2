// Package trace is the one model of a request and what happened in it, whichever door it came through: our own
// recorder, Sentry transactions and spans, OpenTelemetry, or a line of syslog. It is pure.
package trace

import "time"

// ID is a trace's id, as W3C and Sentry write it: 32 hexadecimal digits.
type ID [16]byte

// SpanID is a span's id: 16 hexadecimal digits. Zero is none.
type SpanID uint64

// Request is one request of one program, or another unit of work with an endpoint of its own (a task, a page load).
// A trace has one for each program that it passes through.
type Request struct {
	Trace  ID
	Span   SpanID // the request itself is a span; Spans below it name it as their parent
	Parent SpanID // the caller's span in another program; 0 when there is none

	// Name is the endpoint: a route with its parameters unnamed, or what the client calls the transaction.
	Name string
	// Source tells what Name is, in Sentry's words: route, url, view, task, component or custom. A url is not an
	// endpoint until it has been parameterised.
	Source string
	Op     string // http.server, queue.process, ...
	Method string // GET, POST, ...; "" when it is no HTTP request
	URL    string // path and query as they were asked for, cut to 2,048 bytes; "" unknown
	Status int    // of HTTP; 0 when there is none
	// State is the outcome in Sentry's words (ok, not_found, internal_error, cancelled ...); "" unknown.
	State  string
	Failed bool

	Start    time.Time // by the sender's clock, UTC
	Duration time.Duration

	Service, Release, Environment, Host string
	Platform                            string // go, python, node, ...
	User                                string // an identity such as id:42 or ip:203.0.113.9; "" unknown
	Switches                            []Switch
	Attrs                               []Attr

	// Weight is how many requests this one stands for: 1 over the share that the client sampled. At least 1.
	Weight float64
	// Keep is set when the request asked for its spans to be kept (header X-Kibitz-Keep, or attribute kibitz.keep).
	Keep bool
	// Summed is set when the sender gave totals in place of spans (a line of syslog); Totals holds them. Otherwise Totals
	// is computed from Spans.
	Summed bool
	Totals Totals
	// Spans are everything below the request, in no particular order.
	Spans []Span
	// Lost is how many spans the sender says it left out.
	Lost int

	// Partial marks spans whose request came in another message, or never will: only Trace, Service, Start, Platform and
	// Spans mean something. Start is that of the earliest span.
	Partial bool
}

// Span is one timed piece of work within a request.
type Span struct {
	ID     SpanID
	Parent SpanID
	// Op is the kind of work in Sentry's words: db.query, cache.get, http.client, template.render, function ...
	Op string
	// Text is what was done: the SQL, the key, the method and URL, the template's name.
	Text     string
	System   string        // postgresql, redis, memcached ...; "" unknown
	Start    time.Duration // since Request.Start; negative when clocks disagree
	Duration time.Duration
	Category Category
	Failed   bool
	State    string // as Request.State, or an SQLSTATE
	// Pool is how long the work waited for a connection before it began; it is a part of Duration.
	Pool time.Duration
	PID  int32 // of the database's backend; 0 unknown
	Rows int64 // that a query returned or changed; -1 unknown
	// File, Line and Func are the code that asked for it; Line is 0 when unknown.
	File  string
	Line  int
	Func  string
	Attrs []Attr
}

// Attr is anything else that the sender told.
type Attr struct{ Key, Value string }

// Switch is a feature switch that was asked during the request, and its answer.
type Switch struct{ Key, Variant string }

// Category is what a request's time was spent on.
type Category uint8

// The six categories. The numbers are stored: never reuse one. Other is the program's own work.
const (
	Other Category = iota
	DB
	Cache
	HTTP
	Template
	Pool
)

// Categories is how many there are.
const Categories = 6

var categoryNames = [Categories]string{"other", "db", "cache", "http", "template", "pool"}

// String is the category's name in JSON and on pages.
func (c Category) String() string {
	if int(c) < len(categoryNames) {
		return categoryNames[c]
	}
	return categoryNames[Other]
}

// Totals are a request's time and operations by category. The times are exclusive and sum to the request's duration.
type Totals struct {
	Time [Categories]time.Duration
	N    [Categories]int
}
