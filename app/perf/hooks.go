package perf

import (
	"context"
	"strconv"
	"time"

	"kibitz/app/trace"
)

// Cache begins a call of a cache: op is cache.get, cache.put, cache.remove or cache.flush, key what it is about. End it
// with Hit for a read, with End or EndErr otherwise.
func Cache(ctx context.Context, op, key string) Span { return Begin(ctx, trace.Cache, op, key) }

// Hit ends the read of a cache and tells whether it had the key.
func (s Span) Hit(hit bool) {
	o := Outcome{Rows: -1, hit: -1}
	if hit {
		o.hit = 1
	}
	s.EndWith(o)
}

// Render renders a template under its name. What fn does with its context stands below it.
func Render(ctx context.Context, name string, fn func(context.Context) error) error {
	span := Begin(ctx, trace.Template, "template.render", name)
	ended := false
	defer func() {
		if !ended { // a panic, which goes on
			span.EndWith(Outcome{Failed: true, State: "internal_error", Rows: -1})
		}
	}()
	err := fn(span.Context(ctx))
	span.EndErr(err)
	ended = true
	return err
}

// ServerTiming is the header Server-Timing (https://www.w3.org/TR/server-timing/) of the request so far: milliseconds by
// category, and how many operations, where there were any.
func (q *Request) ServerTiming() string {
	t := q.Totals()
	b := make([]byte, 0, 192)
	var all time.Duration
	for c, d := range t.Time {
		if all += d; t.N[c] > 0 {
			b = append(b, trace.Category(c).String()...)
			b = append(b, ";dur="...)
			b = appendMilliseconds(b, d)
			b = append(b, `;desc="`...)
			b = append(strconv.AppendInt(b, int64(t.N[c]), 10), `", `...)
		}
	}
	return string(appendMilliseconds(append(b, "total;dur="...), all))
}

// appendMilliseconds writes a duration in milliseconds with three digits behind the point.
func appendMilliseconds(b []byte, d time.Duration) []byte {
	us := d.Microseconds()
	b = append(strconv.AppendInt(b, us/1000, 10), '.')
	for scale := int64(100); scale > 0; scale /= 10 {
		b = append(b, '0'+byte(us/scale%10))
	}
	return b
}
