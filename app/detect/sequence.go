package detect

import (
	"strings"
	"time"
)

// run is calls one after the other.
type run struct {
	calls       []*call
	independent []*call // of queries
}

// saved is the time that a request would not have taken had the independent ones run beside the others.
func (r *run) saved() time.Duration {
	var beside, inLine, longest time.Duration
	for _, c := range r.calls {
		inLine = plus(inLine, c.took())
	}
	for _, c := range r.independent {
		beside = plus(beside, c.took())
		longest = max(longest, c.took())
	}
	return inLine - max(longest, inLine-beside)
}

func (r *run) total() (sum time.Duration) {
	for _, c := range r.calls {
		sum = plus(sum, c.took())
	}
	return sum
}

// consecutiveQueries are SELECTs in line of which some depend on no other. It is known only of those that have no WHERE and
// no value: they cannot use what the ones before them answered. A write, or two that overlap, break the line; other work
// between them does not. Duplicates and loops are told as such.
func consecutiveQueries(w *work, th *Thresholds) (found []Finding, why Reason) {
	switch {
	case th.QueriesCount == 0:
		return nil, note(off)
	case len(w.queries) < th.QueriesCount:
		return nil, count("consecutive_queries_count", len(w.queries), th.QueriesCount)
	}
	why = note("no query in line is known to be independent of those before it")
	longest := time.Duration(-1)
	for _, r := range w.runs() {
		if len(r.independent) == 0 || len(r.calls) < 2 {
			continue
		}
		missed, ok := r.weigh(th)
		switch {
		case ok:
			f := w.finding(ConsecutiveQueries, r.independent)
			f.Wasted = r.saved()
			found = append(found, f)
		case r.saved() > longest:
			longest, why = r.saved(), missed
			why.Statement = r.independent[0].form
		}
	}
	return found, why
}

// runs are the lines of queries of a request.
func (w *work) runs() (list []run) {
	begin := 0
	for i, c := range w.queries {
		switch {
		case !c.read:
			begin = i + 1
			continue
		case i == begin || w.queries[i-1].to > c.from:
			begin = i
			list = append(list, run{})
		case w.free(c):
			list[len(list)-1].independent = append(list[len(list)-1].independent, c)
		}
		list[len(list)-1].calls = w.queries[begin : i+1]
	}
	return list
}

func (w *work) free(c *call) bool {
	return !c.cut && !c.loop && w.claimed[c] == nil && !strings.Contains(c.form, "?") && !strings.Contains(strings.ToUpper(c.form), "WHERE")
}

// weigh tells whether r is worth a finding, or what it lacks.
func (r *run) weigh(th *Thresholds) (missed Reason, ok bool) {
	if len(r.calls) < th.QueriesCount {
		return count("consecutive_queries_count", len(r.calls), th.QueriesCount), false
	}
	for _, c := range r.independent {
		if c.took() <= ms(th.QueriesEach) {
			return took("consecutive_queries_each_ms", c.took(), th.QueriesEach), false
		}
	}
	saved, total := r.saved(), r.total()
	if saved < ms(th.QueriesSaved) {
		return took("consecutive_queries_saved_ms", saved, th.QueriesSaved), false
	}
	if percent := 100 * float64(saved) / float64(max(1, total)); percent < float64(th.QueriesPercent) {
		return Reason{Limit: "consecutive_queries_saved_percent", Have: float64(int(10*percent)) / 10, Need: float64(th.QueriesPercent)}, false
	}
	return missed, true
}

// consecutiveHTTP are slow HTTP calls in line; faster ones between them do not matter.
func consecutiveHTTP(w *work, th *Thresholds) (found []Finding, why Reason) {
	switch {
	case th.CallsCount == 0:
		return nil, note(off)
	case len(w.http) == 0:
		return nil, note("no HTTP calls")
	}
	slow, longest := w.slowCalls(th)
	if len(slow) == 0 {
		return nil, took("consecutive_http_each_ms", longest, th.CallsEach)
	}
	var most *run
	for _, r := range lines(slow, ms(th.CallsGap)) {
		switch {
		case inLoop(r.calls):
			why = note("the calls are a loop: see " + HTTPLoop.String())
		case len(r.calls) >= th.CallsCount && r.saved() >= ms(th.CallsSaved):
			f := w.finding(ConsecutiveHTTP, r.calls)
			f.Wasted = r.saved()
			found = append(found, f)
		case most == nil || len(r.calls) > len(most.calls) || len(r.calls) == len(most.calls) && r.saved() > most.saved():
			most = r
		}
	}
	if most != nil {
		why = missedCalls(most, th)
	}
	return found, why
}

func missedCalls(r *run, th *Thresholds) (why Reason) {
	why = took("consecutive_http_saved_ms", r.saved(), th.CallsSaved)
	if len(r.calls) < th.CallsCount {
		why = count("consecutive_http_count", len(r.calls), th.CallsCount)
	}
	why.Statement = r.calls[0].form
	return why
}

func (w *work) slowCalls(th *Thresholds) (slow []*call, longest time.Duration) {
	for _, c := range w.http {
		longest = max(longest, c.took())
		if c.took() >= ms(th.CallsEach) {
			slow = append(slow, c)
		}
	}
	return slow, longest
}

// lines cuts calls where two overlap, or where the pause between two is too long for one to have waited for the other.
func lines(calls []*call, gap time.Duration) (list []*run) {
	var at *run
	for _, c := range calls {
		if at != nil {
			last := at.calls[len(at.calls)-1]
			if last.to > c.from || c.from-last.to >= gap {
				at = nil
			}
		}
		if at == nil {
			at = &run{}
			list = append(list, at)
		}
		at.calls = append(at.calls, c)
		at.independent = at.calls
	}
	return list
}
