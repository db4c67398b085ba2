package views

import (
	"cmp"
	"slices"
	"strconv"
	"time"

	"kibitz/app/trace"
)

// pageRows is how many rows a page of the waterfall has: about 50 kB of the 100 that a page may weigh.
const pageRows = 500

// waterfall is what a page shows of a trace.
type waterfall struct {
	view   RequestView
	axis   axis    // of the lanes: what is zoomed to
	whole  axis    // of the trace
	rows   []wfRow // of this page
	first  int     // the place of rows[0] among all
	total  int     // rows over all pages
	spans  int     // spans in all rows
	folded int     // of those, in folds
	levels int     // the depth of the deepest row
	hits   map[trace.SpanID]bool
	open   []wfRow // the rows of all pages
	drawn  []wfRow // those and what the zoom leaves out, for the minimap and the details below
}

// wfRow is a row with its place in the whole trace.
type wfRow struct {
	spanRow
	// request is set on the row of a program's request; its Spans has the request as a span.
	request *trace.Request
	url     string        // of that request's page
	offset  time.Duration // of its request since the beginning of the trace
	depth   int           // 0 is the first program's request
	below   int           // rows below it, shown or not
	self    []Stretch     // the parts in which no child ran, since the beginning of the trace; nil without children
	shut    bool          // its children are left out
}

// newWaterfall lays out the trace of a request page.
func newWaterfall(p RequestProps) waterfall {
	all := joinSegments(p.Segments[:min(len(p.Segments), maxSegments)])
	w := waterfall{view: p.View, whole: axisOf(all), hits: hitSpans(p.Findings)}
	w.axis = zoomed(w.whole, p.View.Zoom)
	for i := range all {
		w.levels = max(w.levels, all[i].depth)
		if all[i].request == nil && !all[i].Gap {
			w.spans += len(all[i].Spans)
			w.folded += foldSize(all[i])
		}
	}
	nest(all)
	w.drawn = w.order(all)
	w.open = w.drawn
	if w.isZoomed() {
		w.open = w.order(w.onAxis(all))
	}
	w.total = len(w.open)
	w.first = min(p.View.Row, max(w.total-1, 0)) / pageRows * pageRows
	w.rows = w.open[w.first:min(w.first+pageRows, w.total)]
	return w
}

func foldSize(r wfRow) int {
	if len(r.Spans) > 1 {
		return len(r.Spans)
	}
	return 0
}

func hitSpans(findings []RequestFinding) map[trace.SpanID]bool {
	out := map[trace.SpanID]bool{}
	for _, f := range findings {
		for _, id := range f.Spans {
			out[id] = true
		}
	}
	return out
}

// joinSegments puts the rows of all programs in one order: a request stands below the span of the program that called
// it, when that is there.
func joinSegments(segments []Segment) []wfRow {
	if len(segments) == 0 {
		return nil
	}
	j := joiner{segments: segments, base: segments[0].Request.Start, called: map[trace.SpanID][]int{}, done: make([]bool, len(segments))}
	have := map[trace.SpanID]bool{}
	for i := range segments {
		r := &segments[i].Request
		if r.Start.Before(j.base) {
			j.base = r.Start
		}
		have[r.Span] = true
		for n := range r.Spans {
			have[r.Spans[n].ID] = true
		}
	}
	for i, s := range segments {
		if have[s.Request.Parent] && s.Request.Parent != 0 {
			j.called[s.Request.Parent] = append(j.called[s.Request.Parent], i)
		}
	}
	for i, s := range segments {
		if !have[s.Request.Parent] || s.Request.Parent == 0 {
			j.add(i, 0)
		}
	}
	for i := range segments { // requests that call each other in a circle
		j.add(i, 0)
	}
	return j.out
}

type joiner struct {
	segments []Segment
	base     time.Time
	called   map[trace.SpanID][]int // segments by the span that called them
	done     []bool
	out      []wfRow
}

// add writes a segment and those that it called; it goes at most as deep as there are segments.
func (j *joiner) add(i, depth int) {
	if j.done[i] {
		return
	}
	j.done[i] = true
	s := &j.segments[i]
	offset := s.Request.Start.Sub(j.base)
	for n, row := range spanRows(&s.Request) {
		at := wfRow{spanRow: row, offset: offset, depth: depth + row.Depth}
		if n == 0 {
			at.request, at.url = &s.Request, s.URL
			at.Spans[0].ID, at.Spans[0].Op, at.Spans[0].Failed = s.Request.Span, s.Request.Op, s.Request.Failed
		}
		j.out = append(j.out, at)
		for _, span := range row.Spans {
			j.follow(span.ID, at.depth)
		}
	}
}

func (j *joiner) follow(caller trace.SpanID, depth int) {
	if caller == 0 {
		return
	}
	for _, next := range j.called[caller] {
		j.add(next, depth+1)
	}
}

// nest finds, for rows in depth-first order, how many are below each and when none of its children ran.
func nest(rows []wfRow) {
	kids := make([][]Stretch, 0, 16) // by the depth of their parent
	for i := len(rows) - 1; i >= 0; i-- {
		r := &rows[i]
		for len(kids) <= r.depth+1 {
			kids = append(kids, nil)
		}
		if below := kids[r.depth+1]; len(below) > 0 && len(r.Spans) == 1 {
			r.self = uncovered(r.from(), r.to(), below)
		}
		for d := r.depth + 1; d < len(kids); d++ {
			kids[d] = kids[d][:0]
		}
		kids = kids[:r.depth+2]
		if !r.Gap {
			for _, s := range r.Spans {
				kids[r.depth] = append(kids[r.depth], Stretch{r.offset + s.Start, r.offset + s.Start + s.Duration})
			}
		}
	}
	countBelow(rows)
}

// countBelow counts the rows below each by a stack of those that are open.
func countBelow(rows []wfRow) {
	var stack []int
	for i := range rows {
		for len(stack) > 0 && rows[stack[len(stack)-1]].depth >= rows[i].depth {
			last := stack[len(stack)-1]
			rows[last].below = i - last - 1
			stack = stack[:len(stack)-1]
		}
		stack = append(stack, i)
	}
	for _, at := range stack {
		rows[at].below = len(rows) - at - 1
	}
}

// uncovered is what of from..to none of the stretches covers.
func uncovered(from, to time.Duration, by []Stretch) []Stretch {
	sorted := slices.SortedFunc(slices.Values(by), func(a, b Stretch) int { return cmp.Compare(a.From, b.From) })
	out := []Stretch{}
	for _, s := range sorted {
		if s.From > from {
			out = append(out, Stretch{from, min(s.From, to)})
		}
		if from = max(from, s.To); from >= to {
			return out
		}
	}
	return append(out, Stretch{from, to})
}

// from and to are the ends of a row since the beginning of the trace.
func (r *wfRow) from() time.Duration {
	first := r.Spans[0].Start
	for _, s := range r.Spans {
		first = min(first, s.Start)
	}
	return r.offset + first
}

func (r *wfRow) to() time.Duration {
	last := r.Spans[0].Start + r.Spans[0].Duration
	for _, s := range r.Spans {
		last = max(last, s.Start+s.Duration)
	}
	return r.offset + last
}

// took is the time of a row: of a fold, that of all members together.
func (r *wfRow) took() (sum time.Duration) {
	for _, s := range r.Spans {
		sum += s.Duration
	}
	return sum
}

func (r *wfRow) failed() bool {
	return slices.ContainsFunc(r.Spans, func(s trace.Span) bool { return s.Failed })
}

func (r *wfRow) has(id trace.SpanID) bool {
	return id != 0 && slices.ContainsFunc(r.Spans, func(s trace.Span) bool { return s.ID == id })
}

// hit tells whether something was found in the row.
func (w *waterfall) hit(r *wfRow) bool {
	return len(w.hits) > 0 && r.request == nil && slices.ContainsFunc(r.Spans, func(s trace.Span) bool { return w.hits[s.ID] })
}

// order is the rows as the view wants them.
func (w *waterfall) order(all []wfRow) []wfRow {
	switch w.view.Mode {
	case "time", "table":
		return byTime(all)
	case "queries":
		return queriesOnly(all)
	}
	if w.view.Depth == 0 {
		return all
	}
	var out []wfRow
	for _, r := range all {
		if r.depth > w.view.Depth {
			continue
		}
		r.shut = r.depth == w.view.Depth && r.below > 0
		out = append(out, r)
	}
	return out
}

// byTime is every span by itself, in order of start.
func byTime(all []wfRow) []wfRow {
	var out []wfRow
	for _, r := range all {
		if r.Gap {
			continue
		}
		for i := range r.Spans {
			one := r
			one.Spans, one.depth, one.below, one.self = r.Spans[i:i+1], 0, 0, nil
			if len(r.Spans) > 1 {
				one.Self, one.Critical = r.Spans[i].Duration, within(r.Critical, r.Spans[i])
			}
			out = append(out, one)
		}
	}
	slices.SortStableFunc(out, func(a, b wfRow) int { return cmp.Compare(a.offset+a.Spans[0].Start, b.offset+b.Spans[0].Start) })
	return out
}

// within are the stretches that lie within a span.
func within(all []Stretch, s trace.Span) []Stretch {
	var out []Stretch
	for _, c := range all {
		if from, to := max(c.From, s.Start), min(c.To, s.Start+s.Duration); from < to {
			out = append(out, Stretch{from, to})
		}
	}
	return out
}

func queriesOnly(all []wfRow) []wfRow {
	var out []wfRow
	for _, r := range all {
		if r.request == nil && !r.Gap && r.Spans[0].Category == trace.DB {
			r.depth, r.below, r.self = 0, 0, nil
			out = append(out, r)
		}
	}
	return out
}

// pages is where the rows go on: the first rows of the page before and after, -1 for none.
func (w *waterfall) pages() (before, after int) {
	before, after = -1, -1
	if w.first > 0 {
		before = w.first - pageRows
	}
	if w.first+pageRows < w.total {
		after = w.first + pageRows
	}
	return before, after
}

// selected is the row whose details stand below the waterfall: the one that was asked for, else the first that something
// was found in; nil for none.
func (w *waterfall) selected() *wfRow {
	for i := range w.drawn {
		r := &w.drawn[i]
		if r.request == nil && !r.Gap && (r.has(w.view.Span) || w.view.Span == 0 && w.hit(r)) {
			return r
		}
	}
	return nil
}

// sub is the line beside the heading: "26 spans, 12 of them in one row".
func (w *waterfall) sub() string {
	text := plural(int64(w.spans), "span")
	folds := 0
	for i := range w.drawn {
		if foldSize(w.drawn[i]) > 0 {
			folds++
		}
	}
	switch {
	case folds == 1:
		text += ", " + strconv.Itoa(w.folded) + " of them in one row"
	case folds > 1:
		text += ", " + strconv.Itoa(w.folded) + " of them folded into " + strconv.Itoa(folds) + " rows"
	}
	if w.isZoomed() {
		text += "; " + plural(int64(w.total), "row") + " from " + zoomSub(w.stretch())
	}
	return text
}
