package requests

import (
	"context"
	"slices"
	"time"

	"kibitz/app/errs"
	"kibitz/app/model"
	"kibitz/app/sketch"
	"kibitz/app/store"
	"kibitz/app/trace"
)

// Sum is requests added up. Times are microseconds; everything but Seen counts requests by their weight.
type Sum struct {
	N, Failed  float64
	Seen       int64
	Time       [trace.Categories]float64
	QueryCount float64
	Durations  *sketch.Sketch // microseconds
	Queries    *sketch.Sketch // database queries a request
}

// NewSum makes an empty one.
func NewSum() *Sum { return &Sum{Durations: sketch.New(), Queries: sketch.New()} }

func (s *Sum) add(r *store.EndpointRollup) error {
	s.N, s.Failed, s.Seen, s.QueryCount = s.N+r.N, s.Failed+r.Failed, s.Seen+r.Seen, s.QueryCount+r.Queries
	for c := range s.Time {
		s.Time[c] += r.Time[c]
	}
	if err := s.Durations.MergeEncoded(r.Durations); err != nil {
		return err
	}
	return s.Queries.MergeEncoded(r.PerQuery)
}

func (s *Sum) merge(o *Sum) {
	s.N, s.Failed, s.Seen, s.QueryCount = s.N+o.N, s.Failed+o.Failed, s.Seen+o.Seen, s.QueryCount+o.QueryCount
	for c := range s.Time {
		s.Time[c] += o.Time[c]
	}
	s.Durations.Merge(o.Durations)
	s.Queries.Merge(o.Queries)
}

// Apdex is the score of Apdex Alliance's specification 1.1: the satisfied, and half of the tolerating, of all. Any T will
// do, whenever it was chosen, since it comes from the sketch.
func (s *Sum) Apdex(t time.Duration) float64 {
	n := s.Durations.Count()
	if n == 0 {
		return 0
	}
	satisfied, tolerating := s.Durations.Below(micros(t)), s.Durations.Below(micros(4*t))
	return (satisfied + (tolerating-satisfied)/2) / n
}

// EndpointKey is what people know an endpoint by. Several programs of a project may have it.
type EndpointKey struct {
	Project      int64
	Method, Name string
}

// EndpointSum is an endpoint's requests of a period.
type EndpointSum struct {
	EndpointKey
	Apdex time.Duration
	*Sum
}

// coarsest is the table of sums that will do for a stretch of time.
func coarsest(d time.Duration) time.Duration {
	switch {
	case d <= 2*time.Hour:
		return time.Minute
	case d <= 14*24*time.Hour:
		return time.Hour
	}
	return 24 * time.Hour
}

// EndpointSums adds the requests of a period up by endpoint.
func (r *Requests) EndpointSums(ctx context.Context, projects []int64, p model.Period) ([]EndpointSum, error) {
	step := coarsest(p.To.Sub(p.From))
	rows, err := r.store.EndpointSums(ctx, store.SumQuery{Projects: projects, From: p.From.Truncate(step), To: p.To, Step: step})
	if err != nil {
		return nil, err
	}
	var ids []int32
	for i := range rows {
		ids = append(ids, rows[i].Endpoint)
	}
	endpoints, err := r.store.Endpoints(ctx, 0, compact(ids))
	if err != nil {
		return nil, err
	}
	at := map[EndpointKey]int{}
	var list []EndpointSum
	for i := range rows {
		e := endpoints[rows[i].Endpoint]
		key := EndpointKey{rows[i].Project, e.Method, e.Name}
		n, ok := at[key]
		if !ok {
			n = len(list)
			at[key], list = n, append(list, EndpointSum{key, e.Apdex, NewSum()})
		}
		if err := list[n].add(&rows[i]); err != nil {
			return nil, err
		}
	}
	return list, nil
}

// Endpoint is one endpoint, and its ids.
type Endpoint struct {
	EndpointKey
	IDs        []int32
	Apdex      time.Duration
	Thresholds []byte
}

// Endpoint finds an endpoint; errs.NotFound when there is none.
func (r *Requests) Endpoint(ctx context.Context, key EndpointKey) (e Endpoint, err error) {
	list, err := r.store.FindEndpoints(ctx, key.Project, key.Method, key.Name)
	if err != nil {
		return e, err
	}
	if len(list) == 0 {
		return e, errs.New(errs.NotFound, "There is no such endpoint. It may have had no request yet.")
	}
	e = Endpoint{EndpointKey: key, Apdex: list[0].Apdex, Thresholds: list[0].Thresholds}
	for _, one := range list {
		e.IDs = append(e.IDs, one.ID)
	}
	return e, nil
}

// Buckets is a stretch of time cut into n equal steps.
type Buckets struct {
	From time.Time
	Step time.Duration
	N    int
}

// BucketsOf cuts a period so that it makes a graph.
func BucketsOf(p model.Period) (b Buckets) {
	b.From, b.Step, b.N = p.Buckets(time.Minute)
	return b
}

// Before is the same stretch some time earlier.
func (b Buckets) Before(d time.Duration) Buckets { return Buckets{b.From.Add(-d), b.Step, b.N} }

// To is where it ends.
func (b Buckets) To() time.Time { return b.From.Add(time.Duration(b.N) * b.Step) }

func (b Buckets) index(t time.Time) int {
	if t.Before(b.From) {
		return -1
	}
	return int(t.Sub(b.From) / b.Step)
}

// Series adds requests up by buckets; nil where there were none. Total is all of them, and ByRelease by release.
type Series struct {
	Buckets   []*Sum
	Total     *Sum
	ByRelease map[int32]*Sum
}

// Series adds up the requests of endpoints, or, when they are nil, of whole projects: then ByRelease tells nothing.
func (r *Requests) Series(ctx context.Context, projects []int64, endpoints []int32, b Buckets) (*Series, error) {
	table := time.Minute
	if b.Step%(24*time.Hour) == 0 {
		table = 24 * time.Hour
	} else if b.Step%time.Hour == 0 {
		table = time.Hour
	}
	rows, err := r.store.EndpointSums(ctx, store.SumQuery{Projects: projects, Endpoints: endpoints, Whole: endpoints == nil, From: b.From, To: b.To(), Step: table})
	if err != nil {
		return nil, err
	}
	s := &Series{Buckets: make([]*Sum, b.N), Total: NewSum(), ByRelease: map[int32]*Sum{}}
	for i := range rows {
		if err := s.add(&rows[i], b.index(rows[i].Bucket)); err != nil {
			return nil, err
		}
	}
	for _, sum := range s.ByRelease {
		s.Total.merge(sum)
	}
	return s, nil
}

func (s *Series) add(r *store.EndpointRollup, at int) error {
	if at < 0 || at >= len(s.Buckets) {
		return nil
	}
	if s.Buckets[at] == nil {
		s.Buckets[at] = NewSum()
	}
	if s.ByRelease[r.Release] == nil {
		s.ByRelease[r.Release] = NewSum()
	}
	for _, sum := range []*Sum{s.Buckets[at], s.ByRelease[r.Release]} {
		if err := sum.add(r); err != nil {
			return err
		}
	}
	return nil
}

// Samples gives kept requests of an endpoint in a period; failed ones only, when that is asked.
func (r *Requests) Samples(ctx context.Context, e Endpoint, p model.Period, sort store.RequestSort, failed bool, limit int) ([]Listed, error) {
	terms := []store.RequestTerm{{Any: []store.RequestAlternative{{Column: store.OfEndpoint, IDs: e.IDs}}}, {Any: []store.RequestAlternative{{Column: store.IsKept}}}}
	if failed {
		terms = append(terms, store.RequestTerm{Any: []store.RequestAlternative{{Column: store.IsFailed}}})
	}
	rows, err := r.store.SearchRequests(ctx, store.RequestQuery{Project: e.Project, From: p.From, To: p.To, Terms: terms, Sort: sort, Limit: limit})
	if err != nil {
		return nil, err
	}
	return r.withNames(ctx, e.Project, rows)
}

// Releases gives the releases that a project first reported in a period.
func (r *Requests) Releases(ctx context.Context, project int64, p model.Period) ([]model.Label, error) {
	return r.store.LabelsSince(ctx, project, model.LabelRelease, p.From, p.To)
}

// Names gives labels by their ids.
func (r *Requests) Names(ctx context.Context, ids []int32) (map[int32]model.Label, error) {
	return r.store.Labels(ctx, 0, slices.Clone(ids))
}

// Tune sets an endpoint's apdex T and thresholds, which are checked.
func (r *Requests) Tune(ctx context.Context, e Endpoint, apdex time.Duration, thresholds []byte) error {
	if apdex < time.Millisecond || apdex > time.Hour {
		return errs.New(errs.Unprocessable, "Apdex T is between 1 and 3,600,000 ms.")
	}
	return r.store.TuneEndpoints(ctx, e.IDs, apdex, thresholds)
}

// StatementsByRelease adds up an endpoint's statements of a period by release.
func (r *Requests) StatementsByRelease(ctx context.Context, e Endpoint, p model.Period) ([]store.StatementRollup, map[int32]store.Statement, error) {
	rows, err := r.store.StatementSums(ctx, store.StatementQuery{Project: e.Project, Endpoints: e.IDs, From: p.From, To: p.To})
	if err != nil {
		return nil, nil, err
	}
	rows, err = store.MergeStatements(rows, func(r *store.StatementRollup) store.StatementRollup {
		return store.StatementRollup{Project: r.Project, Statement: r.Statement, Release: r.Release}
	})
	if err != nil {
		return nil, nil, err
	}
	var ids []int32
	for i := range rows {
		ids = append(ids, rows[i].Statement)
	}
	texts, err := r.store.StatementsByID(ctx, compact(ids))
	return rows, texts, err
}
