package detect

import (
	"time"

	"kibitz/app/trace"
)

// kindSum is the spans of a category that a request has.
type kindSum struct {
	n              int
	total, longest time.Duration
}

func (k *kindSum) add(d time.Duration) {
	d = max(d, 0)
	k.n, k.total, k.longest = k.n+1, plus(k.total, d), max(k.longest, d)
}

// Possible tells whether Run could find anything in a request at all. Most requests have too few calls, or too short ones,
// for every threshold, which one look at their spans tells; Run itself takes twenty times as long. It may be true
// although nothing will be found, never false although something would.
func Possible(r *trace.Request, th *Thresholds) bool {
	var db, http, cache kindSum
	for i := range r.Spans {
		s := &r.Spans[i]
		switch s.Category {
		case trace.DB:
			db.add(s.Duration)
		case trace.HTTP:
			http.add(s.Duration)
		case trace.Cache:
			cache.add(s.Duration)
		}
	}
	return db.reaches(th.QueryLoopCount, th.QueryLoopTotal) || db.reaches(th.WriteLoopCount, th.WriteLoopTotal) ||
		db.reaches(th.DuplicateCount, th.DuplicateWasted) || db.reaches(th.QueriesCount, th.QueriesSaved) && db.longest >= ms(th.QueriesEach) ||
		th.SlowQuery > 0 && db.longest >= ms(th.SlowQuery) || http.reaches(th.HTTPLoopCount, th.HTTPLoopTotal) ||
		http.reaches(th.CallsCount, th.CallsSaved) && http.longest >= ms(th.CallsEach) || cache.reaches(th.CacheLoopCount, th.CacheLoopTotal)
}

// reaches tells whether there are so many calls, which take so many milliseconds together; a count of 0 is a detector that is
// turned off.
func (k *kindSum) reaches(count, total int) bool {
	return count > 0 && k.n >= count && k.total >= ms(total)
}
