package requests

import (
	"cmp"
	"context"
	"slices"

	"github.com/klauspost/compress/zstd"

	"kibitz/app/errs"
	"kibitz/app/store"
	"kibitz/app/trace"
)

// Traced is what is known of one request of a trace: with its spans when they are kept.
type Traced struct {
	Listed
	Kept bool
}

// Trace gives the requests of a trace in order of start: in each program that it passed through. errs.NotFound when there is
// none.
func (r *Requests) Trace(ctx context.Context, id trace.ID) ([]Traced, error) {
	rows, err := r.store.RequestsOfTrace(ctx, id)
	if err != nil {
		return nil, err
	}
	if len(rows) == 0 {
		return nil, errs.New(errs.NotFound, "No request of this trace is stored: it never came, or its days are over.")
	}
	listed, err := r.withNames(ctx, 0, rows)
	if err != nil {
		return nil, err
	}
	bodies, err := r.store.TraceBodies(ctx, id)
	if err != nil {
		return nil, err
	}
	return unfold(listed, bodies)
}

// maxTraceSpans bounds the spans of a trace that are shown together (limit trace_spans).
const maxTraceSpans = 100_000

// unfold gives requests their spans, and those that came late to the request that they belong to.
func unfold(listed []Listed, bodies []store.TraceRow) ([]Traced, error) {
	out := make([]Traced, len(listed))
	at := map[int64]int{}
	for i, l := range listed {
		out[i] = Traced{Listed: l}
		at[l.Row.ID] = i
	}
	var late []trace.Request
	spans := 0
	for _, b := range bodies {
		if spans += b.Spans; spans > maxTraceSpans {
			break
		}
		requests, err := unpackBody(b.Body)
		if err != nil {
			return nil, err
		}
		if i, ok := at[b.Request]; ok && len(requests) == 1 {
			totals := out[i].Request.Totals
			out[i].Request, out[i].Kept = requests[0], true
			out[i].Request.Totals = totals
		} else if b.Request == 0 {
			late = append(late, requests...)
		}
	}
	homes := make([]*trace.Request, len(out))
	for i := range out {
		homes[i] = &out[i].Request
	}
	for i := range late {
		trace.Join(homes, &late[i])
	}
	for i := range out {
		sortSpans(out[i].Request.Spans)
	}
	return out, nil
}

func sortSpans(spans []trace.Span) {
	slices.SortStableFunc(spans, func(a, b trace.Span) int {
		return cmp.Or(cmp.Compare(a.Start, b.Start), cmp.Compare(b.Duration, a.Duration), cmp.Compare(a.ID, b.ID))
	})
}

func unpackBody(body []byte) ([]trace.Request, error) {
	d, err := zstd.NewReader(nil, zstd.WithDecoderConcurrency(1), zstd.WithDecoderMaxMemory(maxUnpacked))
	if err != nil {
		return nil, err
	}
	defer d.Close()
	raw, err := d.DecodeAll(body, nil)
	if err != nil {
		return nil, err
	}
	return trace.Decode(raw)
}
