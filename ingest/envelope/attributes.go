package envelope

import (
	"fmt"
	"strings"
	"time"

	"github.com/valyala/fastjson"

	"kibitz/app/trace"
)

// DSC is the part of the dynamic sampling context in an envelope's header that says what a sampled request stands for
// (https://develop.sentry.dev/sdk/telemetry/traces/dynamic-sampling-context/).
type DSC struct {
	SampleRate float64 // 0 unknown
	Platform   string  // of the SDK that sends; "" unknown
}

// maxWeight is how many requests one may stand for. A smaller share than a millionth tells no numbers.
const maxWeight = 1e6

// Weight is how many requests a sampled one stands for, from 1 to 1,000,000.
func (d DSC) Weight() float64 {
	if !(d.SampleRate > 0 && d.SampleRate <= 1) {
		return 1
	}
	return min(1/d.SampleRate, maxWeight)
}

// dscOf reads the members trace and sdk of an envelope's header. SDKs send the rate as text or as a number.
func dscOf(head *fastjson.Value) (d DSC) {
	if rate := head.Get("trace", "sample_rate"); rate != nil {
		if n, err := fastjson.Parse(str(rate, 32)); err == nil && n.Type() == fastjson.TypeNumber {
			d.SampleRate = n.GetFloat64()
		}
	}
	d.Platform = trace.PlatformOf(str(head.Get("sdk", "name"), 128))
	return d
}

// Limits of spans. MaxSpans is also how many the newer SDKs put into one item at the most.
const (
	MaxSpans     = 10_000              // transaction_spans: of one transaction; SDKs stop at 1,000 unless told otherwise
	maxBackwards = time.Second         // how far a span may end before it begins, since clocks are set; it then takes no time
	maxTook      = 31 * 24 * time.Hour // span_duration
)

// Rejected is what was left out of a message while the rest was taken.
type Rejected struct {
	N    int
	Text string // why, of the first
}

func (r *Rejected) add(err error) {
	if r.N++; r.N == 1 {
		r.Text = err.Error()
	}
}

// attributes hands what JSON says of a span to facts. They live as long as the JSON.
type attributes struct {
	texts trace.Texts
	facts trace.Facts
}

// text copies a text, a number or a truth.
func (t *attributes) text(v *fastjson.Value, most int) string {
	if b := bytesOf(v); b != nil {
		return t.texts.Clip(alias(b), most)
	}
	return str(v, most)
}

// sets hands all attributes of an object over.
func (t *attributes) sets(data *fastjson.Value) {
	if !isObject(data) {
		return
	}
	data.GetObject().Visit(func(key []byte, v *fastjson.Value) { t.set(alias(key), v) })
}

// set hands an attribute over, whatever its type: of a list, its members; of an object, its JSON.
func (t *attributes) set(key string, v *fastjson.Value) {
	f := &t.facts
	switch v.Type() {
	case fastjson.TypeString:
		f.Text(key, alias(bytesOf(v)))
	case fastjson.TypeNumber:
		if n, err := v.Int64(); err == nil {
			f.Int(key, n)
		} else {
			f.Float(key, v.GetFloat64())
		}
	case fastjson.TypeTrue, fastjson.TypeFalse:
		f.Bool(key, v.GetBool())
	case fastjson.TypeArray:
		f.Text(key, members(v))
	case fastjson.TypeObject:
		f.Text(key, field("", v).Value)
	}
}

// members are those of a list as text.
func members(v *fastjson.Value) string {
	var parts []string
	for _, m := range v.GetArray()[:min(len(v.GetArray()), maxFields)] {
		parts = append(parts, str(m, trace.MaxAttr))
	}
	return strings.Join(parts, ", ")
}

// typed hands the attributes of newer items over, which are {"key": {"type": ..., "value": ...}}.
func (t *attributes) typed(data *fastjson.Value) {
	if !isObject(data) {
		return
	}
	data.GetObject().Visit(func(key []byte, v *fastjson.Value) {
		if value := v.Get("value"); value != nil {
			t.set(alias(key), value)
		}
	})
}

// itemObject reads an item that is a JSON object. What is nested too deep is cut, as in events.
func itemObject(p *fastjson.Parser, payload []byte, lim Limits) (*fastjson.Value, error) {
	lim = lim.orDefault()
	if err := deep(payload, lim.Depth, lim.Nodes); err != nil {
		if Reason(err) != "json_depth" {
			return nil, err
		}
		payload = Shallow(payload, lim.Depth)
	}
	v, _, err := eventObject(p, payload)
	return v, err
}

// members of a container (https://develop.sentry.dev/sdk/data-model/envelope-items/): {"items": [...]}, or the item itself,
// which is no container then.
func container(v *fastjson.Value) (items []*fastjson.Value, ok bool) {
	if list := v.Get("items"); list != nil {
		return list.GetArray(), true
	}
	return []*fastjson.Value{v}, false
}

// ids reads the two ids that make a span one.
func ids(v *fastjson.Value, traceKey, spanKey string) (trace.ID, trace.SpanID, error) {
	id, ok := trace.ParseID(bare(v.Get(traceKey)))
	if !ok {
		return id, 0, &Error{"trace_id", "It has no trace_id of 32 hexadecimal digits that are not all 0."}
	}
	span, ok := trace.ParseSpanID(bare(v.Get(spanKey)))
	if !ok {
		return id, 0, &Error{"span_id", "It has no span_id of 16 hexadecimal digits that are not all 0."}
	}
	return id, span, nil
}

// times reads when something began and how long it took.
func times(v *fastjson.Value, from, to string) (start time.Time, took time.Duration, err error) {
	start = instant(v.Get(from))
	end := instant(v.Get(to))
	if start.IsZero() || end.IsZero() {
		return start, 0, &Error{"timestamp", fmt.Sprintf("It has no %s and %s that are times.", from, to)}
	}
	took = end.Sub(start)
	switch {
	case took < -maxBackwards:
		return start, 0, &Error{"timestamp", "It ends before it begins."}
	case took > maxTook:
		return start, 0, &Error{"span_duration", "It takes longer than 31 days (limit span_duration)."}
	}
	return start, max(took, 0), nil
}
