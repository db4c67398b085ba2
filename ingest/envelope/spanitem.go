package envelope

import (
	"fmt"
	"strings"

	"github.com/valyala/fastjson"

	"kibitz/app/trace"
)

// ParseSpans reads an item of spans: a container of the second version
// (https://develop.sentry.dev/sdk/telemetry/spans/span-protocol/), or a single span of the first that came without its
// transaction. Spans without ids or times that can be are left out and counted as rejected. The error is an *Error.
func ParseSpans(payload []byte, dsc DSC, lim Limits) ([]trace.Request, Rejected, error) {
	p := parsers.Get()
	defer parsers.Put(p)
	v, err := itemObject(p, payload, lim)
	if err != nil {
		return nil, Rejected{}, err
	}
	items, many := container(v)
	s := spanItem{dsc: dsc, loose: make([]trace.Loose, 0, min(len(items), MaxSpans))}
	for i, item := range items {
		if i >= MaxSpans {
			s.rejected.N += len(items) - i
			s.rejected.Text = orElse(s.rejected.Text, fmt.Sprintf("It has more than %d spans (limit transaction_spans).", MaxSpans))
			break
		}
		if err := s.take(item, many); err != nil {
			s.rejected.add(err)
		}
	}
	requests, twice := trace.Assemble(s.loose)
	if twice > 0 {
		s.rejected.N += twice
		s.rejected.Text = orElse(s.rejected.Text, "A span came twice.")
	}
	return requests, s.rejected, nil
}

// spanItem reads the spans of one item; it lives as long as the JSON.
type spanItem struct {
	attributes
	dsc      DSC
	loose    []trace.Loose
	rejected Rejected
}

// take reads one span.
func (s *spanItem) take(v *fastjson.Value, second bool) error {
	if !isObject(v) {
		return &Error{"span", "A span is not an object."}
	}
	id, span, err := ids(v, "trace_id", "span_id")
	if err != nil {
		return err
	}
	end := "end_timestamp"
	if !second && !v.Exists(end) {
		end = "timestamp"
	}
	start, took, err := times(v, "start_timestamp", end)
	if err != nil {
		return err
	}
	s.facts.Reset(&s.texts)
	s.describe(v, second)
	parent, _ := trace.ParseSpanID(bare(v.Get("parent_span_id")))
	l := trace.Loose{Trace: id, Start: start, Service: s.facts.Service, Platform: orElse(s.facts.Platform, s.dsc.Platform), User: s.facts.User(),
		Switches: s.facts.Switches, Keep: s.facts.Keep}
	if isRoot(v, parent) {
		q := s.facts.Request()
		q.Trace, q.Span, q.Parent, q.Start, q.Duration, q.Weight = id, span, parent, start, took, s.dsc.Weight()
		q.Platform = l.Platform
		l.Root = &q
	} else {
		l.Span = s.facts.Span()
		l.Span.ID, l.Span.Parent, l.Span.Duration = span, parent, took
	}
	s.loose = append(s.loose, l)
	return nil
}

// isRoot tells whether a span is a request: it says so, or an earlier draft's is_remote does, or nothing is above it. A
// span of the first version that names the segment it belongs to is none.
func isRoot(v *fastjson.Value, parent trace.SpanID) bool {
	for _, key := range []string{"is_segment", "is_remote"} {
		if is := v.Get(key); is != nil && is.Type() != fastjson.TypeNull {
			return isTrue(is)
		}
	}
	return parent == 0 && !v.Exists("segment_id")
}

// describe gathers what the span says of itself.
func (s *spanItem) describe(v *fastjson.Value, second bool) {
	f := &s.facts
	f.State = s.text(v.Get("status"), trace.MaxOp)
	if second {
		f.Named(bare(v.Get("name")))
		f.Kind = kinds[str(v.Get("kind"), 16)]
		s.typed(v.Get("attributes"))
	} else {
		f.Op = s.text(v.Get("op"), trace.MaxOp)
		f.Named(bare(v.Get("description")))
		s.sets(v.Get("data"))
		s.sets(v.Get("tags"))
		f.Segment = orElse(s.text(v.Get("segment_name"), trace.MaxName), f.Segment)
	}
	if f.Kind == trace.KindUnknown && strings.HasSuffix(f.Op, ".client") {
		f.Kind = trace.KindClient
	}
}

// kinds are those of an earlier draft of the second version.
var kinds = map[string]trace.Kind{"internal": trace.KindInternal, "server": trace.KindServer, "client": trace.KindClient,
	"producer": trace.KindProducer, "consumer": trace.KindConsumer}
