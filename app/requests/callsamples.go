package requests

import (
	"time"

	"kibitz/app/model"
)

// Limits of the calls of kept requests that are remembered one by one, of each statement in ten minutes.
const (
	firstCalls = 3                      // whatever they took
	slowCalls  = 20                     // of those that took slowCall, which servers are likely to have logged
	slowCall   = 100 * time.Millisecond //
)

// callKeeper chooses calls that are worth showing. It forgets everything with each ten minutes.
type callKeeper struct {
	bucket time.Time
	seen   map[int32]*callsSeen
}

type callsSeen struct {
	n, slow int
	slowest time.Duration
}

// wants tells whether a call is one of the first of its statement, a slow one, or slower by a tenth than all
// until now: of no more than some hundred does that hold, up to hours.
func (k *callKeeper) wants(statement int32, took time.Duration, now time.Time) bool {
	if bucket := now.Truncate(statementBucket); !bucket.Equal(k.bucket) {
		k.bucket, k.seen = bucket, map[int32]*callsSeen{}
	}
	s := k.seen[statement]
	if s == nil {
		s = &callsSeen{}
		k.seen[statement] = s
	}
	wanted := s.n < firstCalls || took > s.slowest+s.slowest/10 || took >= slowCall && s.slow < slowCalls
	s.n++
	if took >= slowCall {
		s.slow++
	}
	s.slowest = max(s.slowest, took)
	return wanted
}

// callsOf are the calls of a kept request that are worth showing.
func (d *Digester) callsOf(it *item) (out []model.StatementCall) {
	for i := range it.calls {
		c := &it.calls[i]
		id := d.names.statements[statementKey{it.project, c.print}]
		if id == 0 || !d.calls.wants(id, c.took, it.received) {
			continue
		}
		out = append(out, model.StatementCall{Project: it.project, Statement: id, Source: model.FromSpans, Kind: model.CallExecuted, At: it.Start.Add(c.end), Duration: c.took,
			PID: c.pid, Trace: it.Trace, Span: c.span, Endpoint: it.row.Endpoint})
	}
	return out
}
