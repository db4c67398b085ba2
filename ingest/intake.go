package ingest

import (
	"context"

	"kibitz/app/errs"
	"kibitz/app/trace"
	"kibitz/ingest/envelope"
)

// containerNodes is how many times the values of an event a container of spans or lines may have: it holds up to a
// thousand.
const containerNodes = 4

// intake is what the items of one message become.
type intake struct {
	*Pipeline
	from     Source
	env      envelope.Envelope
	events   []Record
	requests []trace.Request
	lines    []trace.LogLine
	refused  error // why the last item that was refused was
}

// take reads one item. What is refused is counted.
func (in *intake) take(item *envelope.Item) {
	switch item.Type {
	case "event":
		r, err := in.record(in.from, in.env.EventID, item.Payload)
		if err != nil {
			in.refused = err
			return
		}
		in.events = append(in.events, r)
	case "transaction":
		in.transaction(item)
	case "span":
		in.spans(item)
	case "log":
		in.logs(item)
	case "client_report":
		in.clientReport(in.from.Project, item.Payload)
	default:
		category, reason := categoryOf(item.Type)
		in.outcomes.Count(in.from.Project, category, Filtered, reason, 1)
	}
}

func (in *intake) transaction(item *envelope.Item) {
	if len(item.Payload) > in.limits.EventSize {
		in.outcomes.Count(in.from.Project, "transaction", TooLarge, "event_size", 1)
		in.refused = errs.New(errs.TooLarge, "The transaction has %d bytes; ingest.event_size allows %d. Record fewer spans.", len(item.Payload), in.limits.EventSize)
		return
	}
	lim := envelope.Limits{Depth: in.limits.JSONDepth, Nodes: in.limits.JSONNodes}
	q, rejected, err := envelope.ParseTransaction(envelope.Clean(item.Payload), in.env.DSC, lim)
	if err != nil {
		in.refuse("transaction", 1, err)
		return
	}
	in.reject("span", rejected)
	in.requests = append(in.requests, q)
}

func (in *intake) spans(item *envelope.Item) {
	if in.oversize("span", item) {
		return
	}
	requests, rejected, err := envelope.ParseSpans(envelope.Clean(item.Payload), in.env.DSC, in.container())
	if err != nil {
		in.refuse("span", item.Count, err)
		return
	}
	in.reject("span", rejected)
	in.requests = append(in.requests, requests...)
}

func (in *intake) logs(item *envelope.Item) {
	if in.oversize("log_item", item) {
		return
	}
	lines, rejected, err := envelope.ParseLogs(envelope.Clean(item.Payload), in.container())
	if err != nil {
		in.refuse("log_item", item.Count, err)
		return
	}
	in.reject("log_item", rejected)
	in.lines = append(in.lines, lines...)
}

func (in *intake) container() envelope.Limits {
	return envelope.Limits{Depth: in.limits.JSONDepth, Nodes: containerNodes * in.limits.JSONNodes}
}

// oversize refuses a container that is too large.
func (in *intake) oversize(category string, item *envelope.Item) bool {
	if len(item.Payload) <= in.limits.ContainerSize {
		return false
	}
	in.outcomes.Count(in.from.Project, category, TooLarge, "container_size", count(item.Count))
	in.refused = errs.New(errs.TooLarge, "An item of spans or log lines has %d bytes; ingest.container_size allows %d. Send more, smaller ones.",
		len(item.Payload), in.limits.ContainerSize)
	return true
}

// maxCount bounds what an item says of how many it holds.
const maxCount = 10_000

func count(said int) int64 { return int64(min(max(said, 1), maxCount)) }

// refuse counts an item of which nothing is taken.
func (in *intake) refuse(category string, n int, err error) {
	reason, outcome, kind := envelope.Reason(err), Invalid, errs.Invalid
	if reason == "json_nodes" || reason == "span_duration" {
		outcome, kind = TooLarge, errs.TooLarge
	}
	in.outcomes.Count(in.from.Project, category, outcome, reason, count(n))
	in.refused = errs.New(kind, "The %s cannot be read: %v", category, err)
}

// reject counts what was left out of an item that is taken.
func (in *intake) reject(category string, r envelope.Rejected) {
	in.outcomes.Count(in.from.Project, category, Invalid, "invalid_"+category, int64(r.N))
}

func (in *intake) kept() int { return len(in.events) + len(in.requests) + len(in.lines) }

// keep puts everything into the spool at once, so that it shares one write. What could not be is counted.
func (in *intake) keep(ctx context.Context) error {
	records := append(in.events, in.requestRecords(in.from, in.requests)...)
	records = append(records, in.logRecords(in.from, in.lines)...)
	if len(records) == 0 {
		return nil
	}
	err := in.spool.Append(ctx, records...)
	if err == nil {
		return nil
	}
	whole, spans := countRequests(in.requests)
	for category, n := range map[string]int64{"error": int64(len(in.events)), "transaction": whole, "span": spans, "log_item": int64(len(in.lines))} {
		in.outcomes.Count(in.from.Project, category, RateLimited, "spool_unavailable", n)
	}
	return err
}
