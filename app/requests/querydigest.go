package requests

import (
	"context"
	"slices"
	"time"

	"kibitz/app/model"
	"kibitz/app/sketch"
	"kibitz/app/store"
)

// A query is seen up to three times: by the program that sends it (spans), by its server's log, and by the server's
// pg_stat_statements. Each counts the same executions, so that they are never added to each other. By default a statement's
// numbers are those of spans when there are any, since they alone know endpoints and lines of code; else those of the log,
// which knows each duration; else those of pg_stat_statements, which knows sums only. What the others say stands beside.

// sourceOrder is which source is believed first.
func sourceOrder() []model.StatementSource {
	return []model.StatementSource{model.FromSpans, model.FromLog, model.FromPgStat}
}

// QueryOptions say which digest is wanted.
type QueryOptions struct {
	Project int64
	Period  model.Period
	// Source is whose numbers are taken; 0: of each statement those that come first in the order above.
	Source     model.StatementSource
	Statements []int32 // nil: all
	Sort       QueryOrder
	Top        int  // 0: all
	Compare    bool // with the period of the same length before
}

// QueryDigest is the statements of a project in a period.
type QueryDigest struct {
	Queries []Query // as many as were asked for
	Found   int     // how many there are
	Calls   float64 // of all of them
	Total   time.Duration
	Trend   Buckets // the steps of Query.Trend
}

// Query is one statement.
type Query struct {
	store.Statement
	Source model.StatementSource // whose numbers these are
	QueryTotals
	// Impact is the share of the period that passed in it, of one connection: its mean duration over the mean interval between
	// its calls (End Point's "system impact"). It may be more than 1.
	Impact float64
	// Before are the numbers of the same source in the period before; nil when it had none, or nobody asked.
	Before *QueryTotals
	// Others are what other sources say of the same executions. They are not added.
	Others    map[model.StatementSource]*QueryTotals
	Endpoints []QueryUser // who sends it, the most time first; of spans only
	Callers   []QueryUser // lines of code, the same
	Trend     []time.Duration
}

// QueryTotals are calls added up, by their weight.
type QueryTotals struct {
	N, Failed       float64
	Total, Max      time.Duration // Max is 0 when nobody knows
	Rows, RowsKnown float64       // rows of the calls that told theirs, and how many those are
	Durations       *sketch.Sketch
	IO              *model.StatementIO // of FromPgStat; nil elsewhere
}

// IO is what the statement read and wrote, whoever's numbers its others are; ok is false when nobody told.
func (q *Query) IO() (io model.StatementIO, ok bool) {
	known := q.QueryTotals.IO
	if counted := q.Others[model.FromPgStat]; known == nil && counted != nil {
		known = counted.IO
	}
	if known == nil {
		return io, false
	}
	return *known, true
}

// QueryUser is an endpoint or a line of code that sends a statement.
type QueryUser struct {
	Endpoint model.Endpoint // of Endpoints
	Code     string         // of Callers: file:line function
	N        float64
	Total    time.Duration
	Share    float64 // of the statement's time, 0 to 1
	id       int32
}

// Mean is the mean duration of the calls that told theirs.
func (t *QueryTotals) Mean() time.Duration {
	n := t.Durations.Count()
	if n == 0 {
		n = t.N
	}
	if n == 0 {
		return 0
	}
	return time.Duration(float64(t.Total) / n)
}

// Quantile is a percentile of the durations; ok is false when only their sum is known.
func (t *QueryTotals) Quantile(q float64) (d time.Duration, ok bool) {
	d = ofMicros(t.Durations.Quantile(q))
	if t.Max > 0 {
		d = min(d, t.Max) // a bin's middle may lie above its largest value
	}
	return d, t.Durations.Count() > 0
}

// RowsPerCall is the mean number of rows; ok is false when no call told it.
func (t *QueryTotals) RowsPerCall() (rows float64, ok bool) {
	if t.RowsKnown == 0 {
		return 0, false
	}
	return t.Rows / t.RowsKnown, true
}

func ofMicros(us float64) time.Duration { return time.Duration(us * float64(time.Microsecond)) }

func (t *QueryTotals) add(r *store.StatementRollup) error {
	t.N, t.Failed, t.Rows, t.RowsKnown = t.N+r.N, t.Failed+r.Failed, t.Rows+r.Rows, t.RowsKnown+r.RowsKnown
	t.Total, t.Max = t.Total+ofMicros(r.Total), max(t.Max, time.Duration(r.Max)*time.Microsecond)
	t.IO = store.AddIO(t.IO, r.IO)
	return t.Durations.MergeEncoded(r.Durations)
}

// QueryDigest adds the statements of a project up, the first of the order first: at most five statements to the database.
func (r *Requests) QueryDigest(ctx context.Context, o QueryOptions) (d QueryDigest, err error) {
	ask := store.StatementQuery{Project: o.Project, Statements: o.Statements, From: o.Period.From, To: o.Period.To}
	rows, err := r.store.StatementSums(ctx, ask)
	if err != nil {
		return d, err
	}
	d.Trend.From, d.Trend.Step, d.Trend.N = o.Period.Buckets(statementBucket)
	sums, err := sumQueries(rows, o, d.Trend)
	if err != nil {
		return d, err
	}
	d.take(sums, o)
	if o.Compare && len(d.Queries) > 0 {
		if err := r.compareQueries(ctx, ask, &d); err != nil {
			return d, err
		}
	}
	return d, r.nameQueries(ctx, o.Project, d.Queries)
}

// take sorts the statements, adds them up and keeps the first.
func (d *QueryDigest) take(sums []*querySum, o QueryOptions) {
	length := o.Period.To.Sub(o.Period.From)
	for _, s := range sums {
		q := s.query(length)
		d.Calls, d.Total = d.Calls+q.N, d.Total+q.Total
		d.Queries = append(d.Queries, q)
	}
	d.Found = len(d.Queries)
	sortQueries(d.Queries, o.Sort)
	if o.Top > 0 && len(d.Queries) > o.Top {
		d.Queries = slices.Clone(d.Queries[:o.Top])
	}
}

// compareQueries adds the numbers of the period before.
func (r *Requests) compareQueries(ctx context.Context, ask store.StatementQuery, d *QueryDigest) error {
	ask.From, ask.To = ask.From.Add(-ask.To.Sub(ask.From)), ask.From
	at := map[int32]*Query{}
	ask.Statements = nil
	for i := range d.Queries {
		at[d.Queries[i].ID] = &d.Queries[i]
		ask.Statements = append(ask.Statements, d.Queries[i].ID)
	}
	rows, err := r.store.StatementSums(ctx, ask)
	if err != nil {
		return err
	}
	for i := range rows {
		q := at[rows[i].Statement]
		if q == nil || rows[i].Source != q.Source || !rows[i].Bucket.Before(ask.To.Truncate(ask.Width())) {
			continue // a bucket that both periods share is counted by the later one
		}
		if q.Before == nil {
			q.Before = &QueryTotals{Durations: sketch.New()}
		}
		if err := q.Before.add(&rows[i]); err != nil {
			return err
		}
	}
	return nil
}

// nameQueries gives statements their texts, and who sends them endpoints and lines: three statements for all.
func (r *Requests) nameQueries(ctx context.Context, project int64, list []Query) error {
	if len(list) == 0 {
		return nil
	}
	var ids, endpointIDs, labelIDs []int32
	for i := range list {
		ids = append(ids, list[i].ID)
		for _, u := range list[i].Endpoints {
			endpointIDs = append(endpointIDs, u.id)
		}
		for _, u := range list[i].Callers {
			labelIDs = append(labelIDs, u.id)
		}
	}
	texts, err := r.store.StatementsByID(ctx, compact(ids))
	if err != nil {
		return err
	}
	endpoints, err := r.store.Endpoints(ctx, project, compact(endpointIDs))
	if err != nil {
		return err
	}
	lines, err := r.store.Labels(ctx, project, compact(labelIDs))
	if err != nil {
		return err
	}
	for i := range list {
		q := &list[i]
		q.Statement = texts[q.ID]
		for k := range q.Endpoints {
			q.Endpoints[k].Endpoint = endpoints[q.Endpoints[k].id]
		}
		for k := range q.Callers {
			q.Callers[k].Code = lines[q.Callers[k].id].Value
		}
	}
	return nil
}
