package requests

import (
	"context"
	"slices"
	"strings"
	"time"

	"kibitz/app/errs"
	"kibitz/app/model"
	"kibitz/app/requests/filter"
	"kibitz/app/store"
	"kibitz/app/trace"
)

// ListQuery asks for a page of requests of a project.
type ListQuery struct {
	Project  int64
	Filter   filter.Filter
	From, To time.Time
	Sort     store.RequestSort
	Limit    int
	After    model.RequestRow // the last row of the page before; its ID is 0 on the first
}

// Listed is a stored request with its names. Request has no spans.
type Listed struct {
	Row      model.RequestRow
	Request  trace.Request
	Endpoint model.Endpoint
}

// Search gives a page of requests, and whether there are more.
func (r *Requests) Search(ctx context.Context, q ListQuery) (list []Listed, more bool, err error) {
	sq, err := r.query(ctx, q)
	if err != nil {
		return nil, false, err
	}
	sq.Limit++
	rows, err := r.store.SearchRequests(ctx, sq)
	if err != nil {
		return nil, false, err
	}
	if more = len(rows) > q.Limit; more {
		rows = rows[:q.Limit]
	}
	list, err = r.withNames(ctx, q.Project, rows)
	return list, more, err
}

// Volume gives the requests that a search finds by steps of time, and how many rows were looked at.
func (r *Requests) Volume(ctx context.Context, q ListQuery, step time.Duration) ([]store.RequestCount, int64, error) {
	sq, err := r.query(ctx, q)
	if err != nil {
		return nil, 0, err
	}
	return r.store.RequestVolume(ctx, sq, step)
}

// query turns the names of a filter into ids.
func (r *Requests) query(ctx context.Context, q ListQuery) (store.RequestQuery, error) {
	out := store.RequestQuery{Project: q.Project, From: q.From, To: q.To, Sort: q.Sort, Limit: q.Limit, After: q.After}
	var n filterNames
	var err error
	if n.needed(q.Filter, filter.Endpoint, filter.Method, filter.Service, filter.Word) {
		if n.endpoints, err = r.store.AllEndpoints(ctx, q.Project); err != nil {
			return out, err
		}
	}
	if n.needed(q.Filter, filter.Release, filter.Env, filter.Host, filter.Switch) {
		if n.labels, err = r.store.AllLabels(ctx, q.Project); err != nil {
			return out, err
		}
	}
	for _, t := range q.Filter.Terms {
		term := store.RequestTerm{Not: t.Not}
		for _, v := range t.Values {
			alt, err := n.alternative(t.Field, v)
			if err != nil {
				return out, err
			}
			term.Any = append(term.Any, alt)
		}
		out.Terms = append(out.Terms, term)
	}
	return out, nil
}

// filterNames are the names of a project that a filter speaks of.
type filterNames struct {
	endpoints []model.Endpoint
	labels    []model.Label
}

func (n *filterNames) needed(f filter.Filter, fields ...filter.Field) bool {
	return slices.ContainsFunc(f.Terms, func(t filter.Term) bool { return slices.Contains(fields, t.Field) })
}

var labelKinds = map[filter.Field]model.LabelKind{filter.Release: model.LabelRelease, filter.Env: model.LabelEnvironment,
	filter.Host: model.LabelHost, filter.Switch: model.LabelSwitch}

var labelColumns = map[filter.Field]store.RequestColumn{filter.Release: store.OfRelease, filter.Env: store.OfEnvironment,
	filter.Host: store.OfHost, filter.Switch: store.OfSwitch}

func (n *filterNames) alternative(f filter.Field, v filter.Value) (a store.RequestAlternative, err error) {
	fits := filter.Filter{Terms: []filter.Term{{Field: f, Values: []filter.Value{v}}}}
	switch f {
	case filter.Status:
		a.Column = store.OfStatus
		a.Low, a.High = v.Range()
	case filter.Duration:
		low, high := v.Range()
		a.Column, a.Low, a.High = store.OfDuration, ceilMicros(low), high/int64(time.Microsecond)
	case filter.Queries:
		a.Column = store.OfQueries
		a.Low, a.High = v.Range()
	case filter.User:
		if v.Op == filter.Match {
			return a, errs.New(errs.Invalid, "Users can be looked for as a whole only: user:id:42, say. Of each request 8 bytes of its user are kept.")
		}
		a.Column, a.User = store.OfUser, model.UserHash(v.Text)
	case filter.Trace:
		a.Column = store.OfTrace
		a.Trace, _ = trace.ParseID(v.Text)
	case filter.Is:
		a.Column = store.IsFailed
		if v.Text == "kept" {
			a.Column = store.IsKept
		}
	case filter.Release, filter.Env, filter.Host, filter.Switch:
		a.Column, a.IDs = labelColumns[f], n.matchingLabels(fits, labelKinds[f])
	default:
		a.Column, a.IDs = store.OfEndpoint, n.matchingEndpoints(fits)
	}
	return a, nil
}

// ceilMicros is the first whole microsecond that is not below a number of nanoseconds.
func ceilMicros(ns int64) int64 {
	us := ns / int64(time.Microsecond)
	if us*int64(time.Microsecond) < ns {
		us++
	}
	return us
}

func (n *filterNames) matchingEndpoints(f filter.Filter) []int32 {
	ids := []int32{}
	for _, e := range n.endpoints {
		if f.Match(&trace.Request{Name: e.Name, Method: e.Method, Service: e.Service}, false) {
			ids = append(ids, e.ID)
		}
	}
	return ids
}

func (n *filterNames) matchingLabels(f filter.Filter, kind model.LabelKind) []int32 {
	ids := []int32{}
	if f.Match(&trace.Request{}, false) {
		ids = append(ids, 0) // requests without a name, too
	}
	for _, l := range n.labels {
		probe := trace.Request{}
		label(&probe, l)
		if l.Kind == kind && f.Match(&probe, false) {
			ids = append(ids, l.ID)
		}
	}
	return ids
}

// label writes what a label says into a request.
func label(q *trace.Request, l model.Label) {
	switch l.Kind {
	case model.LabelRelease:
		q.Release = l.Value
	case model.LabelEnvironment:
		q.Environment = l.Value
	case model.LabelHost:
		q.Host = l.Value
	case model.LabelSwitch:
		key, variant, _ := strings.Cut(l.Value, "=")
		q.Switches = append(q.Switches, trace.Switch{Key: key, Variant: variant})
	}
}

// withNames gives rows their names: two statements, however many there are.
func (r *Requests) withNames(ctx context.Context, project int64, rows []model.RequestRow) ([]Listed, error) {
	if len(rows) == 0 {
		return nil, nil
	}
	var endpointIDs, labelIDs []int32
	for i := range rows {
		endpointIDs = append(endpointIDs, rows[i].Endpoint)
		labelIDs = append(append(labelIDs, rows[i].Release, rows[i].Env, rows[i].Host), rows[i].Switches...)
	}
	endpoints, err := r.store.Endpoints(ctx, project, compact(endpointIDs))
	if err != nil {
		return nil, err
	}
	labels, err := r.store.Labels(ctx, project, compact(labelIDs))
	if err != nil {
		return nil, err
	}
	list := make([]Listed, len(rows))
	for i := range rows {
		list[i] = named(rows[i], endpoints[rows[i].Endpoint], labels)
	}
	return list, nil
}

func named(row model.RequestRow, e model.Endpoint, labels map[int32]model.Label) Listed {
	q := trace.Request{Trace: row.Trace, Span: row.Span, Name: e.Name, Method: e.Method, Service: e.Service, Status: row.Status, Failed: row.Failed,
		Start: row.Start.UTC(), Duration: row.Duration, Weight: row.Weight, Summed: true, Totals: row.Totals}
	for _, id := range append([]int32{row.Release, row.Env, row.Host}, row.Switches...) {
		if l, ok := labels[id]; ok {
			label(&q, l)
		}
	}
	return Listed{row, q, e}
}

func compact(ids []int32) []int32 {
	slices.Sort(ids)
	return slices.Compact(ids)
}
