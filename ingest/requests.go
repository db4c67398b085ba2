package ingest

import (
	"context"
	"fmt"

	"github.com/klauspost/compress/zstd"

	"kibitz/app/trace"
	"kibitz/ingest/pglog"
)

// maxRecordItems bounds the requests or log lines of one record, and so what the drain unfolds at a time.
// maxRecordSpans bounds the spans of the requests in a record, unless it is one request alone.
const (
	maxRecordItems = 500
	maxRecordSpans = 50_000
)

// AcceptRequests takes requests with their spans, from whichever door. It returns when they are safe on disk. Nothing of
// them is kept by reference.
func (p *Pipeline) AcceptRequests(ctx context.Context, from Source, requests []trace.Request) error {
	in := intake{Pipeline: p, from: from, requests: requests}
	return in.keep(ctx)
}

// AcceptLogs takes log lines. It returns when they are safe on disk. Nothing of them is kept by reference.
func (p *Pipeline) AcceptLogs(ctx context.Context, from Source, lines []trace.LogLine) error {
	in := intake{Pipeline: p, from: from, lines: lines}
	return in.keep(ctx)
}

func (p *Pipeline) requestRecords(from Source, requests []trace.Request) (records []Record) {
	for rest := requests; len(rest) > 0; {
		n := batchOf(rest)
		records = append(records, p.packed(from, KindRequests, n, trace.Append(nil, rest[:n])))
		rest = rest[n:]
	}
	return records
}

// batchOf is how many of the requests go into one record.
func batchOf(requests []trace.Request) int {
	spans := 0
	for i := range requests[:min(len(requests), maxRecordItems)] {
		if spans += len(requests[i].Spans); spans > maxRecordSpans && i > 0 {
			return i
		}
	}
	return min(len(requests), maxRecordItems)
}

func (p *Pipeline) logRecords(from Source, lines []trace.LogLine) (records []Record) {
	for rest := lines; len(rest) > 0; {
		n := min(len(rest), maxRecordItems)
		records = append(records, p.packed(from, KindLogs, n, trace.AppendLogs(nil, rest[:n])))
		rest = rest[n:]
	}
	return records
}

func (p *Pipeline) packed(from Source, kind Kind, items int, raw []byte) Record {
	return Record{ID: p.ids.Next(), Project: from.Project, KeyID: from.KeyID, Kind: kind, Items: items, Received: from.Received,
		RemoteIP: from.RemoteIP, Payload: p.zstd.EncodeAll(raw, make([]byte, 0, len(raw)/4))}
}

// countRequests is how many requests and how many spans there are, as quotas and outcomes count them: the request's own
// span is not counted again.
func countRequests(requests []trace.Request) (whole, spans int64) {
	for i := range requests {
		if !requests[i].Partial {
			whole++
		}
		spans += int64(len(requests[i].Spans))
	}
	return whole, spans
}

// Unpacked is what a record of requests, of log lines or of a PostgreSQL log holds.
type Unpacked struct {
	Requests []trace.Request
	Lines    []trace.LogLine
	Portion  pglog.Portion
}

// Unpack reads the payload of such a record.
func (r *Record) Unpack(d *zstd.Decoder) (u Unpacked, err error) {
	raw, err := d.DecodeAll(r.Payload, nil)
	switch {
	case err != nil:
	case r.Kind == KindLogs:
		u.Lines, err = trace.DecodeLogs(raw)
	case r.Kind == KindPortion:
		u.Portion, err = pglog.DecodePortion(raw)
	default:
		u.Requests, err = trace.Decode(raw)
	}
	if err != nil {
		return Unpacked{}, fmt.Errorf("cannot read record %d: %w: %w", r.ID, ErrData, err)
	}
	return u, nil
}
