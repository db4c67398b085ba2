package requests

import (
	"cmp"
	"slices"
	"time"

	"kibitz/app/model"
	"kibitz/app/sketch"
	"kibitz/app/store"
)

// QueryOrder is what a digest of statements is sorted by, the most first.
type QueryOrder string

// The orders. Total is the default.
const (
	QueriesByTotal QueryOrder = "total"
	QueriesByMean  QueryOrder = "mean"
	QueriesByCalls QueryOrder = "calls"
	QueriesByP95   QueryOrder = "p95"
	QueriesByRows  QueryOrder = "rows"
	QueriesByIO    QueryOrder = "io" // blocks moved, of those whose server counts them
)

// QueryOrders are all of them, as flags call them.
func QueryOrders() []QueryOrder {
	return []QueryOrder{QueriesByTotal, QueriesByMean, QueriesByCalls, QueriesByP95, QueriesByRows, QueriesByIO}
}

// key is what a statement has of an order.
func (o QueryOrder) key(q *Query) float64 {
	switch o {
	case QueriesByMean:
		return float64(q.Mean())
	case QueriesByCalls:
		return q.N
	case QueriesByP95:
		p95, _ := q.Quantile(0.95)
		return float64(p95)
	case QueriesByRows:
		return q.Rows
	case QueriesByIO:
		io, _ := q.IO()
		return float64(io.Moved())
	}
	return float64(q.Total)
}

func sortQueries(list []Query, by QueryOrder) {
	type ranked struct {
		q   Query
		key float64
	}
	all := make([]ranked, len(list))
	for i := range list {
		all[i] = ranked{list[i], by.key(&list[i])}
	}
	slices.SortFunc(all, func(a, b ranked) int {
		return cmp.Or(cmp.Compare(b.key, a.key), cmp.Compare(b.q.Total, a.q.Total), cmp.Compare(a.q.ID, b.q.ID))
	})
	for i := range all {
		list[i] = all[i].q
	}
}

// querySum is one statement while it is added up: each source apart.
type querySum struct {
	id      int32
	sources map[model.StatementSource]*sourceSum
}

type sourceSum struct {
	QueryTotals
	endpoints, callers map[int32]*QueryUser
	trend              []time.Duration
}

// sumQueries puts the rows of each statement together. Statements that the wanted source does not know are left out.
func sumQueries(rows []store.StatementRollup, o QueryOptions, trend Buckets) ([]*querySum, error) {
	at := map[int32]*querySum{}
	var out []*querySum
	for i := range rows {
		r := &rows[i]
		if o.Source != 0 && r.Source != o.Source {
			continue
		}
		s := at[r.Statement]
		if s == nil {
			s = &querySum{id: r.Statement, sources: map[model.StatementSource]*sourceSum{}}
			at[r.Statement], out = s, append(out, s)
		}
		if err := s.source(r.Source, trend.N).add(r, trend); err != nil {
			return nil, err
		}
	}
	return out, nil
}

func (s *querySum) source(source model.StatementSource, steps int) *sourceSum {
	sum := s.sources[source]
	if sum == nil {
		sum = &sourceSum{QueryTotals{Durations: sketch.New()}, map[int32]*QueryUser{}, map[int32]*QueryUser{}, make([]time.Duration, steps)}
		s.sources[source] = sum
	}
	return sum
}

func (s *sourceSum) add(r *store.StatementRollup, trend Buckets) error {
	if at := trend.index(r.Bucket); len(s.trend) > 0 {
		s.trend[min(max(at, 0), len(s.trend)-1)] += ofMicros(r.Total)
	}
	addUser(s.endpoints, r.Endpoint, r)
	addUser(s.callers, r.Caller, r)
	return s.QueryTotals.add(r)
}

// believed leaves of each statement the rows of the source that is believed first.
func believed(rows []store.StatementRollup) []store.StatementRollup {
	first := map[int32]model.StatementSource{}
	for i := range rows {
		r := &rows[i]
		if had, ok := first[r.Statement]; !ok || slices.Index(sourceOrder(), r.Source) < slices.Index(sourceOrder(), had) {
			first[r.Statement] = r.Source
		}
	}
	return slices.DeleteFunc(rows, func(r store.StatementRollup) bool { return r.Source != first[r.Statement] })
}

// addUser counts for who sent it; 0 is nobody who is known.
func addUser(users map[int32]*QueryUser, id int32, r *store.StatementRollup) {
	if id == 0 {
		return
	}
	u := users[id]
	if u == nil {
		u = &QueryUser{id: id}
		users[id] = u
	}
	u.N, u.Total = u.N+r.N, u.Total+ofMicros(r.Total)
}

// query takes the numbers of the source that is believed first.
func (s *querySum) query(length time.Duration) (q Query) {
	q.ID = s.id
	for _, source := range sourceOrder() {
		sum := s.sources[source]
		switch {
		case sum == nil:
		case q.Source == 0:
			q.Source, q.QueryTotals, q.Trend = source, sum.QueryTotals, sum.trend
			q.Endpoints, q.Callers = usersOf(sum.endpoints, sum.Total), usersOf(sum.callers, sum.Total)
		default:
			if q.Others == nil {
				q.Others = map[model.StatementSource]*QueryTotals{}
			}
			q.Others[source] = &sum.QueryTotals
		}
	}
	if length > 0 {
		q.Impact = float64(q.Total) / float64(length)
	}
	return q
}

// usersOf lists who sends a statement, the most time first.
func usersOf(users map[int32]*QueryUser, total time.Duration) []QueryUser {
	list := make([]QueryUser, 0, len(users))
	for _, u := range users {
		if total > 0 {
			u.Share = float64(u.Total) / float64(total)
		}
		list = append(list, *u)
	}
	slices.SortFunc(list, func(a, b QueryUser) int { return cmp.Or(cmp.Compare(b.Total, a.Total), cmp.Compare(a.id, b.id)) })
	return list
}
