package requests

import (
	"cmp"
	"context"
	"slices"
	"time"

	"kibitz/app/model"
	"kibitz/app/sketch"
	"kibitz/app/store"
)

// StatementSum is a statement of a project in a period, as its programs report it, or its servers' logs and counters.
type StatementSum struct {
	store.Statement
	N, Failed       float64
	Rows, RowsKnown float64 // RowsKnown is how many calls told theirs
	Total, Max, P95 time.Duration
	Spark           []int64 // microseconds, in equal steps over the period
	P95Known        bool    // or only sums are
	Callers         []StatementCaller
	IO              *model.StatementIO // as the server counts; nil where it was not asked
}

// StatementCaller is who sends a statement: an endpoint, and a line of its code.
type StatementCaller struct {
	Endpoint model.Endpoint // its ID is 0 when nobody knows
	Code     string
	N        float64
	Total    time.Duration
	labelID  int32 // of Code
}

// sparkBuckets is in how many steps a statement's time is drawn.
const sparkBuckets = 30

// StatementSums adds a project's statements of a period up, the most expensive first; only those with given ids when there are
// any. Where several tell of the same calls they are not added: spans are believed first, then the server's log, then its
// counters. Those alone tell of blocks, which stand beside whatever is believed.
func (r *Requests) StatementSums(ctx context.Context, project int64, p model.Period, ids []int32) ([]StatementSum, error) {
	rows, err := r.store.StatementSums(ctx, store.StatementQuery{Project: project, Statements: ids, From: p.From, To: p.To})
	if err != nil {
		return nil, err
	}
	moved := ioByStatement(rows)
	sums, err := sumStatements(believed(rows), p)
	if err != nil || len(sums) == 0 {
		return nil, err
	}
	for i := range sums {
		sums[i].IO = moved[sums[i].ID]
	}
	return sums, r.nameStatements(ctx, project, sums)
}

func ioByStatement(rows []store.StatementRollup) map[int32]*model.StatementIO {
	sums := map[int32]*model.StatementIO{}
	for i := range rows {
		if r := &rows[i]; r.IO != nil {
			sums[r.Statement] = store.AddIO(sums[r.Statement], r.IO)
		}
	}
	return sums
}

// FindStatement is the statement of a project with a fingerprint; ok is false when there is none.
func (r *Requests) FindStatement(ctx context.Context, project int64, fingerprint uint64) (st store.Statement, ok bool, err error) {
	return r.store.FindStatement(ctx, project, fingerprint)
}

// sumStatements puts the rows of a statement together.
func sumStatements(rows []store.StatementRollup, p model.Period) ([]StatementSum, error) {
	type caller struct{ endpoint, code int32 }
	type building struct {
		StatementSum
		durations *sketch.Sketch
		callers   map[caller]*StatementCaller
	}
	byID := map[int32]*building{}
	for i := range rows {
		row := &rows[i]
		b := byID[row.Statement]
		if b == nil {
			b = &building{durations: sketch.New(), callers: map[caller]*StatementCaller{}}
			b.ID, b.Spark = row.Statement, make([]int64, sparkBuckets)
			byID[row.Statement] = b
		}
		if err := b.durations.MergeEncoded(row.Durations); err != nil {
			return nil, err
		}
		b.add(row, p)
		key := caller{row.Endpoint, row.Caller}
		c := b.callers[key]
		if c == nil {
			c = &StatementCaller{Endpoint: model.Endpoint{ID: row.Endpoint}, labelID: row.Caller}
			b.callers[key] = c
		}
		c.N, c.Total = c.N+row.N, c.Total+fromMicros(row.Total)
	}
	out := make([]StatementSum, 0, len(byID))
	for _, b := range byID {
		b.P95, b.P95Known = fromMicros(b.durations.Quantile(0.95)), b.durations.Count() > 0
		for _, c := range b.callers {
			b.Callers = append(b.Callers, *c)
		}
		slices.SortFunc(b.Callers, func(x, y StatementCaller) int {
			return cmp.Or(cmp.Compare(y.Total, x.Total), cmp.Compare(x.Endpoint.ID, y.Endpoint.ID), cmp.Compare(x.labelID, y.labelID))
		})
		out = append(out, b.StatementSum)
	}
	slices.SortFunc(out, func(a, b StatementSum) int { return cmp.Or(cmp.Compare(b.Total, a.Total), cmp.Compare(a.ID, b.ID)) })
	return out, nil
}

func (s *StatementSum) add(row *store.StatementRollup, p model.Period) {
	s.N, s.Failed, s.Rows, s.RowsKnown = s.N+row.N, s.Failed+row.Failed, s.Rows+row.Rows, s.RowsKnown+row.RowsKnown
	s.Total, s.Max = s.Total+fromMicros(row.Total), max(s.Max, time.Duration(row.Max)*time.Microsecond)
	if length := p.To.Sub(p.From); length > 0 {
		at := int(int64(row.Bucket.Sub(p.From)) * sparkBuckets / int64(length))
		s.Spark[min(max(at, 0), sparkBuckets-1)] += int64(row.Total)
	}
}

func fromMicros(us float64) time.Duration { return time.Duration(us * float64(time.Microsecond)) }

// nameStatements gives the sums their texts, and their callers endpoints and lines: three queries for all.
func (r *Requests) nameStatements(ctx context.Context, project int64, sums []StatementSum) error {
	var ids, endpoints, labels []int32
	for _, s := range sums {
		ids = append(ids, s.ID)
		for _, c := range s.Callers {
			endpoints, labels = append(endpoints, c.Endpoint.ID), append(labels, c.labelID)
		}
	}
	texts, err := r.store.StatementsByID(ctx, compact(ids))
	if err != nil {
		return err
	}
	named, err := r.store.Endpoints(ctx, project, compact(endpoints))
	if err != nil {
		return err
	}
	lines, err := r.store.Labels(ctx, project, compact(labels))
	if err != nil {
		return err
	}
	for i := range sums {
		sums[i].Statement = texts[sums[i].ID]
		for k := range sums[i].Callers {
			c := &sums[i].Callers[k]
			c.Endpoint, c.Code = named[c.Endpoint.ID], lines[c.labelID].Value
		}
	}
	return nil
}
