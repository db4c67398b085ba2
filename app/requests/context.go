package requests

import (
	"context"
	"maps"
	"slices"
	"time"

	"kibitz/app/model"
	"kibitz/app/sketch"
	"kibitz/app/store"
	"kibitz/app/trace"
)

// Around is what stands around one request: how its endpoint usually is, and the requests beside it.
type Around struct {
	N             int64   // requests of the endpoint in the day before it ended, by weight
	SlowerThan    float64 // per cent of them
	Median        time.Duration
	MedianQueries int
	// Those nearest in duration at the endpoint, and in time of the same user; nil for none.
	Faster, Slower, Before, After *Listed
}

// aroundFor is the stretch of time within which a request is compared.
const aroundFor = 24 * time.Hour

// Around tells what stands around a request.
func (r *Requests) Around(ctx context.Context, row model.RequestRow) (a Around, err error) {
	from, to := row.Start.Add(-aroundFor), row.Start.Add(time.Hour)
	sums, err := r.store.EndpointSums(ctx, store.SumQuery{Projects: []int64{row.ProjectID}, Endpoints: []int32{row.Endpoint}, From: from.Truncate(time.Hour), To: to, Step: time.Hour})
	if err != nil {
		return a, err
	}
	if err := a.stand(sums, row.Duration); err != nil {
		return a, err
	}
	near, err := r.store.NearRequests(ctx, row, from, to)
	if err != nil {
		return a, err
	}
	listed, err := r.withNames(ctx, row.ProjectID, near.All())
	if err != nil {
		return a, err
	}
	byID := map[int64]*Listed{}
	for i := range listed {
		byID[listed[i].Row.ID] = &listed[i]
	}
	a.Faster, a.Slower, a.Before, a.After = byID[near.Faster.ID], byID[near.Slower.ID], byID[near.Before.ID], byID[near.After.ID]
	return a, nil
}

func (a *Around) stand(sums []store.EndpointRollup, took time.Duration) error {
	durations, queries := sketch.New(), sketch.New()
	for i := range sums {
		if err := durations.MergeEncoded(sums[i].Durations); err != nil {
			return err
		}
		if err := queries.MergeEncoded(sums[i].PerQuery); err != nil {
			return err
		}
	}
	if durations.Count() == 0 {
		return nil
	}
	a.N = int64(durations.Count())
	a.SlowerThan = 100 * durations.Below(micros(took)*(1-sketch.Error)) / durations.Count()
	a.Median = time.Duration(durations.Quantile(0.5)) * time.Microsecond
	a.MedianQueries = int(queries.Quantile(0.5) + 0.5)
	return nil
}

// EventsOf gives the newest events that name a trace.
func (r *Requests) EventsOf(ctx context.Context, project int64, id trace.ID) ([]model.StoredEvent, error) {
	return r.store.EventsOfTrace(ctx, project, id, 50)
}

// LogsOf gives the first log lines of a trace, and how many there are.
func (r *Requests) LogsOf(ctx context.Context, project int64, id trace.ID) ([]trace.LogLine, int64, error) {
	return r.store.LogsOfTrace(ctx, project, id, 100)
}

// Any tells whether a request of a project is stored.
func (r *Requests) Any(ctx context.Context, project int64) (bool, error) {
	return r.store.AnyRequest(ctx, project)
}

// Days is how many days requests are kept.
func (r *Requests) Days() int { return r.retention.Days }

// IssuesOf gives the number of the issue that an event of a trace is in, for the traces that have one.
func (r *Requests) IssuesOf(ctx context.Context, project int64, ids []trace.ID) (map[trace.ID]int64, error) {
	if len(ids) == 0 {
		return nil, nil
	}
	issues, err := r.store.IssuesOfTraces(ctx, project, ids)
	if err != nil || len(issues) == 0 {
		return nil, err
	}
	list, err := r.store.IssuesByID(ctx, slices.Collect(maps.Values(issues)))
	if err != nil {
		return nil, err
	}
	numbers := map[int64]int64{}
	for _, i := range list {
		numbers[i.ID] = i.Number
	}
	out := make(map[trace.ID]int64, len(issues))
	for id, issue := range issues {
		out[id] = numbers[issue]
	}
	return out, nil
}
