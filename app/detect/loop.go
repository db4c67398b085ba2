package detect

import (
	"cmp"
	"slices"
	"sort"
	"time"
)

// loop is what makes calls a loop.
type loop struct {
	kind                   Kind
	countLimit, totalLimit string
	count, total           int
	hint                   bool
	none                   string // the reason when there is no call at all
	batches                string // and when all of them do much at once
}

func queryLoops(w *work, th *Thresholds) ([]Finding, Reason) {
	l := loop{QueryLoop, "n_plus_one_query_count", "n_plus_one_query_total_ms", th.QueryLoopCount, th.QueryLoopTotal, false,
		"no queries", "all queries ask for many rows at once"}
	found, why := l.find(pick(w.queries, func(c *call) bool { return c.read }), w)
	for i := range found {
		found[i].Evidence.Source = w.source(found[i].first)
	}
	return findings(found), why
}

func writeLoops(w *work, th *Thresholds) ([]Finding, Reason) {
	l := loop{WriteLoop, "write_loop_count", "write_loop_total_ms", th.WriteLoopCount, th.WriteLoopTotal, false,
		"no writes", "all writes take many rows at once"}
	found, why := l.find(pick(w.queries, func(c *call) bool { return c.write }), w)
	return findings(found), why
}

func httpLoops(w *work, th *Thresholds) ([]Finding, Reason) {
	l := loop{HTTPLoop, "n_plus_one_http_count", "n_plus_one_http_total_ms", th.HTTPLoopCount, th.HTTPLoopTotal, false,
		"no HTTP calls", "no HTTP calls"}
	found, why := l.find(w.http, w)
	return findings(found), why
}

func cacheLoops(w *work, th *Thresholds) ([]Finding, Reason) {
	l := loop{CacheLoop, "cache_loop_count", "cache_loop_total_ms", th.CacheLoopCount, th.CacheLoopTotal, true,
		"no reads of single keys from a cache", "no reads of single keys from a cache"}
	found, why := l.find(w.cache, w)
	return findings(found), why
}

func pick(calls []*call, want func(*call) bool) (list []*call) {
	for _, c := range calls {
		if want(c) {
			list = append(list, c)
		}
	}
	return list
}

// bag is the calls of one form from one site, whatever ran between them.
type bag struct {
	calls []*call
	total time.Duration
}

// key is what calls of a bag have in common.
type key struct {
	site site
	mark uint64
	form string
}

// looped is a finding and the call it begins with.
type looped struct {
	Finding
	first *call
}

func findings(list []looped) (out []Finding) {
	for _, l := range list {
		out = append(out, l.Finding)
	}
	return out
}

// find is the loops among calls, or why there is none: the largest bag, and of those the one that took longest.
func (l *loop) find(calls []*call, w *work) (found []looped, why Reason) {
	if l.count == 0 {
		return nil, note(off)
	}
	if len(calls) == 0 {
		return nil, note(l.none)
	}
	bags, skipped := bagsOf(calls)
	var nearest bag
	for _, b := range bags {
		if len(b.calls) >= max(l.count, len(nearest.calls)) {
			b = b.singles() // it takes a look at each text, so only where it matters
		}
		switch {
		case len(b.calls) == 0:
		case w.allClaimed(b.calls):
			skipped = "equal queries have equal values: see " + DuplicateQuery.String()
		case len(b.calls) >= l.count && b.total >= ms(l.total):
			found = append(found, l.report(w, b))
		case len(b.calls) > len(nearest.calls) || len(b.calls) == len(nearest.calls) && b.total > nearest.total:
			nearest = b
		}
	}
	switch {
	case nearest.calls != nil:
		return found, l.missed(nearest)
	case skipped == "":
		skipped = l.batches
	}
	return found, note(skipped)
}

// bagsOf sorts calls by what they have in common, in order of the first of each.
func bagsOf(calls []*call) (list []bag, skipped string) {
	bags := make(map[key]int, len(calls))
	for i, c := range calls {
		if c.cut {
			skipped = cut
			continue
		}
		k := key{site: c.site, mark: c.mark}
		if c.mark == 0 {
			k.form = c.form
		}
		at, known := bags[k]
		if !known {
			at = len(list)
			bags[k], list = at, append(list, bag{})
		}
		list[at].add(calls, i)
	}
	return list, skipped
}

// add puts calls[i] into b. Most bags stay at one call, which costs no slice of its own.
func (b *bag) add(calls []*call, i int) {
	if b.calls == nil {
		b.calls = calls[i : i+1 : i+1]
	} else {
		b.calls = append(b.calls, calls[i])
	}
	b.total = plus(b.total, calls[i].took())
}

// singles is b without calls that already do much at once.
func (b *bag) singles() (out bag) {
	for i, c := range b.calls {
		if c.write || c.read {
			if isBatch(c.span) {
				continue
			}
		}
		out.add(b.calls, i)
	}
	return out
}

func (l *loop) report(w *work, b bag) looped {
	f := w.finding(l.kind, b.calls)
	f.Hint = l.hint
	for _, c := range b.calls {
		c.loop = true
	}
	return looped{f, b.calls[0]}
}

func (l *loop) missed(b bag) (why Reason) {
	if len(b.calls) < l.count {
		why = count(l.countLimit, len(b.calls), l.count)
	} else {
		why = took(l.totalLimit, b.total, l.total)
	}
	why.Statement = b.calls[0].form
	return why
}

// source is the query that ended last before c began: the one whose rows a loop may go through.
func (w *work) source(c *call) string {
	if w.ended == nil {
		w.ended = pick(w.queries, func(q *call) bool { return q.read })
		slices.SortStableFunc(w.ended, func(a, b *call) int { return cmp.Compare(a.to, b.to) })
	}
	at := sort.Search(len(w.ended), func(i int) bool { return w.ended[i].to > c.from })
	for _, q := range slices.Backward(w.ended[max(0, at-maxBack):at]) {
		if q.mark != c.mark {
			return clip(q.form, maxExample)
		}
	}
	return ""
}

// maxBack is how many queries before a loop are looked at for its source.
const maxBack = 100
