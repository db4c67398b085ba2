package requests

import (
	"context"
	"slices"

	"kibitz/app/store"
	"kibitz/app/trace"
	"kibitz/ingest"
)

// spanKey is what a request is known again by. Two projects may see the same trace.
type spanKey struct {
	project int64
	trace   trace.ID
	span    trace.SpanID
}

type traceKey struct {
	project int64
	trace   trace.ID
}

// settle leaves resent requests out, and brings requests and the spans that came apart from them together: those of this
// batch and those that wait in the database.
func (d *Digester) settle(ctx context.Context, b *batch) error {
	ids := b.traces()
	if len(ids) == 0 {
		return nil
	}
	seen, err := d.store.SeenSpans(ctx, ids)
	if err != nil {
		return err
	}
	b.leaveSeenOut(seen)
	waiting, err := d.store.PendingSpans(ctx, b.rootTraces())
	if err != nil {
		return err
	}
	return d.join(b, seen, waiting)
}

func (b *batch) traces() []trace.ID {
	ids := b.rootTraces()
	for _, it := range b.loose {
		ids = append(ids, it.Trace)
	}
	return compactIDs(ids)
}

func (b *batch) rootTraces() []trace.ID {
	ids := make([]trace.ID, 0, len(b.items)+len(b.loose))
	for _, it := range b.items {
		ids = append(ids, it.Trace)
	}
	return compactIDs(ids)
}

func compactIDs(ids []trace.ID) []trace.ID {
	slices.SortFunc(ids, func(x, y trace.ID) int { return slices.Compare(x[:], y[:]) })
	return slices.Compact(ids)
}

// leaveSeenOut drops requests that are stored, or come twice in the batch. One without ids (a line of syslog that names
// none) cannot be known again.
func (b *batch) leaveSeenOut(seen []store.SeenSpan) {
	known := make(map[spanKey]bool, len(seen)+len(b.items))
	for _, s := range seen {
		known[spanKey{s.Project, s.Trace, s.Span}] = true
	}
	kept := b.items[:0]
	for _, it := range b.items {
		key := spanKey{it.project, it.Trace, it.Span}
		if known[key] && it.Span != 0 {
			b.count(it.project, it.received, "transaction", string(ingest.Filtered), "duplicate", 1)
			b.count(it.project, it.received, "span", string(ingest.Filtered), "duplicate", int64(len(it.Spans)))
			continue
		}
		known[key] = true
		kept = append(kept, it)
	}
	b.items = kept
}

// join gives loose spans to their requests. What is left waits, or is added to a request that is stored, or is counted.
func (d *Digester) join(b *batch, seen []store.SeenSpan, waiting []store.TraceRow) error {
	if len(b.loose)+len(waiting) == 0 {
		return nil
	}
	homes := map[traceKey][]*trace.Request{}
	for _, it := range b.items {
		key := traceKey{it.project, it.Trace}
		homes[key] = append(homes[key], &it.Request)
	}
	for _, w := range waiting {
		if here := homes[traceKey{w.Project, w.Trace}]; len(here) > 0 {
			requests, err := d.open(w.Body)
			if err != nil {
				d.log.Warn("spans that waited for their request cannot be read", "trace", w.Trace, "err", err)
				continue
			}
			for i := range requests {
				trace.Join(here, &requests[i])
			}
		}
	}
	stored := map[traceKey]bool{}
	for _, s := range seen {
		key := traceKey{s.Project, s.Trace}
		stored[key] = stored[key] || s.Kept
	}
	for _, it := range b.loose {
		key := traceKey{it.project, it.Trace}
		if it.Spans = trace.Join(homes[key], &it.Request); len(it.Spans) == 0 {
			continue
		}
		kept, known := stored[key]
		d.place(b, it, known, kept)
	}
	return nil
}

// place puts spans without a request where they belong: known tells whether their trace is stored, kept whether its spans are.
func (d *Digester) place(b *batch, it *item, known, kept bool) {
	n := int64(len(it.Spans))
	switch {
	case known && !kept:
		b.count(it.project, it.received, "span", string(ingest.Filtered), "request_not_kept", n)
	case known:
		b.late = append(b.late, d.traceRow(it, 0))
		b.count(it.project, it.received, "span", string(ingest.Stored), "", n)
	default:
		b.pending = append(b.pending, d.traceRow(it, 0))
		b.count(it.project, it.received, "span", string(ingest.Stored), "waiting", n)
	}
}

func (d *Digester) traceRow(it *item, request int64) store.TraceRow {
	raw := trace.Append(nil, []trace.Request{it.Request})
	return store.TraceRow{Project: it.project, Trace: it.Trace, Request: request, Spans: len(it.Spans), Body: d.out.EncodeAll(raw, make([]byte, 0, len(raw)/3))}
}

// open reads the body of a TraceRow.
func (d *Digester) open(body []byte) ([]trace.Request, error) {
	raw, err := d.in.DecodeAll(body, nil)
	if err != nil {
		return nil, err
	}
	return trace.Decode(raw)
}
