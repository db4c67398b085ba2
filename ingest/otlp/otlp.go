// Package otlp reads what OpenTelemetry SDKs send over HTTP (https://opentelemetry.io/docs/specs/otlp/), in protobuf and in
// JSON, and writes the answers. It is pure.
package otlp

import (
	"errors"
	"fmt"
	"mime"
	"strings"
	"time"

	"kibitz/app/trace"
)

// Encoding is how a message is written. An answer is written as its question was.
type Encoding int

// The encodings.
const (
	Protobuf Encoding = iota
	JSON
)

// EncodingOf is the encoding that a content type names.
func EncodingOf(contentType string) (Encoding, bool) {
	kind, _, err := mime.ParseMediaType(contentType)
	if err != nil && !errors.Is(err, mime.ErrInvalidMediaParameter) {
		kind, _, _ = strings.Cut(contentType, ";")
	}
	switch strings.ToLower(strings.TrimSpace(kind)) {
	case "application/x-protobuf", "application/protobuf":
		return Protobuf, true
	case "application/json":
		return JSON, true
	}
	return Protobuf, false
}

// ContentType is the encoding's name.
func (e Encoding) ContentType() string {
	if e == JSON {
		return "application/json"
	}
	return "application/x-protobuf"
}

// ErrMalformed marks a message that cannot be read; nothing of it is taken.
var ErrMalformed = errors.New("the message is not OTLP")

// Limits bound a message.
type Limits struct {
	Items int // spans or log records of a message: ingest.otlp_items
}

// Limits that no setting changes.
const (
	maxBackwards  = time.Second         // how far a span may end before it begins, since clocks are set; it then takes no time
	maxTook       = 31 * 24 * time.Hour // span_duration
	maxItemSize   = 4 << 20             // otlp_item_size: the JSON of one span
	maxItemValues = 10_000              // otlp_item_values: values in the JSON of one span
	maxNesting    = 8                   // values within values that are shown
	maxWeight     = 1e6
)

// typicalSpan is the size of a span in protobuf, from which room is made.
const typicalSpan = 256

// Rejected is what was left out of a message while the rest was taken, as partial success tells it.
type Rejected struct {
	N    int
	Text string // why, of the first
}

func (r *Rejected) add(format string, args ...any) {
	if r.N++; r.N == 1 {
		r.Text = fmt.Sprintf(format, args...)
	}
}

// DecodeTraces reads an ExportTraceServiceRequest. Spans that cannot be are rejected and the rest is taken; the error is
// ErrMalformed.
func DecodeTraces(body []byte, encoding Encoding, lim Limits) ([]trace.Request, Rejected, error) {
	d := decoder{limits: lim, loose: make([]trace.Loose, 0, min(len(body)/typicalSpan+1, lim.Items))}
	read := d.protoTraces
	if encoding == JSON {
		read = d.jsonTraces
	}
	if err := read(body); err != nil {
		return nil, Rejected{}, fmt.Errorf("%w: %w", ErrMalformed, err)
	}
	requests, twice := trace.Assemble(d.loose)
	for range twice {
		d.rejected.add("a span came twice in one message")
	}
	return requests, d.rejected, nil
}

// DecodeLogs reads an ExportLogsServiceRequest, as DecodeTraces does.
func DecodeLogs(body []byte, encoding Encoding, lim Limits) ([]trace.LogLine, Rejected, error) {
	d := decoder{limits: lim}
	read := d.protoLogs
	if encoding == JSON {
		read = d.jsonLogs
	}
	if err := read(body); err != nil {
		return nil, Rejected{}, fmt.Errorf("%w: %w", ErrMalformed, err)
	}
	return d.lines, d.rejected, nil
}

// decoder reads one message.
type decoder struct {
	limits   Limits
	texts    trace.Texts
	facts    trace.Facts
	origin   trace.Facts // of the resource
	scope    string
	items    int
	loose    []trace.Loose
	lines    []trace.LogLine
	rejected Rejected
}

// span is a span as it is written, but for its attributes, which go to the facts.
type span struct {
	trace       trace.ID
	id, parent  trace.SpanID
	wrong       string // which id cannot be
	state, name string
	flags       uint64
	kind        uint64
	start, end  uint64 // ns since 1970
	code        uint64
	lost        uint64 // attributes
}

// full counts an item and tells whether it is beyond the limit.
func (d *decoder) full() bool {
	if d.items++; d.items <= d.limits.Items {
		return false
	}
	d.rejected.add("a message may have %d spans or records (limit ingest.otlp_items)", d.limits.Items)
	return true
}

// The flags of a span (https://github.com/open-telemetry/opentelemetry-proto, SpanFlags): whether its parent is in another
// program is known, and is so.
const remoteParent = 0x100 | 0x200

// codeError is the status of a span that failed.
const codeError = 2

// take adds a span whose attributes are in the facts.
func (d *decoder) take(s *span) {
	took, why := s.check()
	if why != "" {
		d.rejected.add("a span was left out: %s", why)
		return
	}
	f := &d.facts
	f.Named(s.name)
	f.Left(int(min(s.lost, 1<<31)))
	f.Kind = trace.Kind(min(s.kind, uint64(trace.KindConsumer)+1))
	if f.State = "ok"; s.code == codeError {
		f.State, f.Failed = "error", true
	}
	d.belong()
	l := trace.Loose{Trace: s.trace, Start: time.Unix(0, int64(s.start)).UTC(), Service: f.Service, Platform: f.Platform, Keep: f.Keep}
	if s.isRequest() {
		q := f.Request()
		q.Trace, q.Span, q.Parent, q.Start, q.Duration, q.Weight = s.trace, s.id, s.parent, l.Start, took, Weight(s.state)
		l.Root = &q
	} else {
		l.Span = f.Span()
		l.Span.ID, l.Span.Parent, l.Span.Duration = s.id, s.parent, took
		l.Switches, l.User = f.Switches, f.User()
	}
	d.loose = append(d.loose, l)
}

// belong fills in what the resource tells, where the span does not.
func (d *decoder) belong() {
	f, o := &d.facts, &d.origin
	for _, field := range [...]struct {
		own *string
		of  string
	}{{&f.Service, o.Service}, {&f.Release, o.Release}, {&f.Environment, o.Environment}, {&f.Host, o.Host}, {&f.Platform, o.Platform}} {
		if *field.own == "" {
			*field.own = field.of
		}
	}
}

// isRequest tells whether a span is one: it serves, has no parent, or one in another program.
func (s *span) isRequest() bool {
	kind := trace.Kind(min(s.kind, 255))
	return kind == trace.KindServer || kind == trace.KindConsumer || s.parent == 0 || s.flags&remoteParent == remoteParent
}

// check tells how long a span took, or why it cannot be.
func (s *span) check() (took time.Duration, why string) {
	const last = 1<<63 - 1
	switch {
	case s.wrong != "":
		return 0, s.wrong
	case s.trace == trace.ID{}:
		return 0, "its trace id is not 16 bytes that are not all 0"
	case s.id == 0:
		return 0, "its span id is not 8 bytes that are not all 0"
	case s.start == 0 || s.start > last || s.end == 0 || s.end > last:
		return 0, "its start or end is not a time"
	}
	took = time.Duration(s.end) - time.Duration(s.start)
	switch {
	case took < -maxBackwards:
		return 0, "it ends before it begins"
	case took > maxTook:
		return 0, "it takes longer than 31 days (limit span_duration)"
	}
	return max(took, 0), ""
}

// record is a log record as it is written, but for its attributes.
type record struct {
	at, observed uint64
	number       int64
	level, body  string
	trace        trace.ID
	span         trace.SpanID
	lost         uint64
}

// takeRecord adds a log record whose attributes are in the facts.
func (d *decoder) takeRecord(r *record) {
	if r.at == 0 || r.at > 1<<63-1 {
		r.at = r.observed
	}
	if r.at == 0 || r.at > 1<<63-1 {
		d.rejected.add("a record was left out: it has no time")
		return
	}
	d.facts.Left(int(min(r.lost, 1<<31)))
	d.belong()
	line := trace.LogLine{At: time.Unix(0, int64(r.at)).UTC(), Level: trace.LevelOf(r.level, int(r.number)), Logger: d.scope,
		Body: r.body, Trace: r.trace, Span: r.span}
	d.facts.FillLine(&line)
	if line.Body == "" && len(line.Attrs) == 0 {
		d.rejected.add("a record was left out: it has neither a body nor attributes")
		return
	}
	d.lines = append(d.lines, line)
}
