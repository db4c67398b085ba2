package detect

import (
	"cmp"
	"slices"
	"strings"
	"time"

	"kibitz/app/trace"
	"kibitz/ingest/sqltext"
)

// slowQueries are statements, writes too, that work for long; waiting for a connection is not the statement's fault.
func slowQueries(w *work, th *Thresholds) (found []Finding, why Reason) {
	switch {
	case th.SlowQuery == 0:
		return nil, note(off)
	case len(w.queries) == 0:
		return nil, note("no queries")
	}
	why = note(cut)
	slowest := time.Duration(-1)
	for _, c := range w.queries {
		worked := c.took() - min(max(0, c.span.Pool), c.took())
		switch {
		case c.cut:
		case worked >= ms(th.SlowQuery):
			f := w.finding(SlowQuery, []*call{c})
			f.Wasted = worked
			found = append(found, f)
		case worked > slowest:
			slowest, why = worked, took("slow_query_ms", worked, th.SlowQuery)
			why.Statement = c.form
		}
	}
	return found, why
}

// asked is a query with its values, and how many writes came before it: after a write the same query may have another
// answer, and asking again is right.
type asked struct {
	text, values string
	writes       int
}

// groups are queries that were asked more than once with the same values, in order of the first. known is how many queries
// tell their values.
func (w *work) groups() (list []*bag, known int) {
	bags := map[asked]*bag{}
	writes := 0
	for i, c := range w.queries {
		if c.write {
			writes++
		}
		values, ok := valuesOf(c.span)
		if !c.read || c.cut || !ok {
			continue
		}
		known++
		k := asked{strings.TrimSpace(c.span.Text), values, writes}
		if bags[k] == nil {
			bags[k] = &bag{}
			list = append(list, bags[k])
		}
		bags[k].add(w.queries, i)
	}
	return list, known
}

// wasted is the time of all calls but the longest.
func (b *bag) wasted() time.Duration {
	longest := time.Duration(0)
	for _, c := range b.calls {
		longest = max(longest, c.took())
	}
	return b.total - longest
}

// repeated tells whether b is reported as a duplicate: a query that reads a table, not a sequence or the time.
func (b *bag) repeated(th *Thresholds) bool {
	return th.DuplicateCount > 0 && len(b.calls) >= th.DuplicateCount && b.wasted() >= ms(th.DuplicateWasted) && reads(b.calls[0])
}

func reads(c *call) bool { return len(sqltext.Tables(c.form)) > 0 }

// claim notes which queries are duplicates, before loops are looked for: the same query with the same values again and again
// is repaired by keeping its answer, not by a join.
func (w *work) claim(th *Thresholds) {
	w.claimed = map[*call]*bag{}
	w.equal, w.known = w.groups()
	for _, b := range w.equal {
		if !b.repeated(th) {
			continue
		}
		for _, c := range b.calls {
			w.claimed[c] = b
		}
	}
}

// allClaimed tells that calls are the same query with the same values only.
func (w *work) allClaimed(calls []*call) bool {
	for _, c := range calls {
		if w.claimed[c] == nil || w.claimed[c] != w.claimed[calls[0]] {
			return false
		}
	}
	return true
}

// duplicates are queries that were asked with the same values and nothing written between. Those within a loop that is
// reported are not told twice.
func duplicates(w *work, th *Thresholds) (found []Finding, why Reason) {
	switch {
	case th.DuplicateCount == 0:
		return nil, note(off)
	case len(w.queries) == 0:
		return nil, note("no queries")
	}
	if w.known == 0 {
		return nil, note("the client does not tell the values of its queries")
	}
	var nearest *bag
	for _, b := range w.equal {
		switch {
		case inLoop(b.calls):
			why = note("equal ones are part of a loop: see " + QueryLoop.String())
		case b.repeated(th):
			found = append(found, w.finding(DuplicateQuery, b.calls))
		case nearest == nil || len(b.calls) > len(nearest.calls) || len(b.calls) == len(nearest.calls) && b.wasted() > nearest.wasted():
			nearest = b
		}
	}
	if nearest != nil {
		why = missedDuplicate(nearest, th)
	}
	return found, why
}

func missedDuplicate(b *bag, th *Thresholds) (why Reason) {
	switch {
	case len(b.calls) < th.DuplicateCount:
		why = count("duplicate_query_count", len(b.calls), th.DuplicateCount)
	case b.wasted() < ms(th.DuplicateWasted):
		why = took("duplicate_query_wasted_ms", b.wasted(), th.DuplicateWasted)
	default:
		why = note("the query reads no table")
	}
	why.Statement = b.calls[0].form
	return why
}

func inLoop(calls []*call) bool {
	for _, c := range calls {
		if !c.loop {
			return false
		}
	}
	return true
}

// valuesOf is the values of a query as far as they do not stand in its text, and whether they are known. Whoever takes them
// out of the text leaves a placeholder.
func valuesOf(s *trace.Span) (values string, ok bool) {
	var list []string
	for _, a := range s.Attrs {
		if strings.HasPrefix(a.Key, "db.query.parameter.") || a.Key == "db.params" {
			list = append(list, a.Key+"="+a.Value)
		}
	}
	slices.SortFunc(list, cmp.Compare)
	return strings.Join(list, "\x00"), len(list) > 0 || !placeholder(s.Text)
}

// placeholder tells whether a statement may have one ($1, ?, %s, %(name)s, :name, @name). One in a string counts too: rather
// one duplicate less than a false one.
func placeholder(text string) bool {
	for i := range len(text) {
		next := byte(0)
		if i+1 < len(text) {
			next = text[i+1]
		}
		switch text[i] {
		case '?':
			return true
		case '$':
			if next >= '0' && next <= '9' {
				return true
			}
		case '%':
			if next == 's' || next == '(' {
				return true
			}
		case ':', '@':
			if (next == '_' || next|0x20 >= 'a' && next|0x20 <= 'z') && (i == 0 || text[i-1] != ':') {
				return true
			}
		}
	}
	return false
}
