package views

import (
	"math"
	"slices"
	"strconv"
	"strings"
	"time"
)

// minZoom is the shortest stretch that lanes are zoomed to: clocks of programs do not tell less apart.
const minZoom = time.Microsecond

// parseZoom reads the stretch of an address: milliseconds since the beginning of the trace. What is none is no zoom.
func parseZoom(from, to string) (Stretch, bool) {
	a, b := zoomMoment(from), zoomMoment(to)
	return Stretch{a, b}, a >= 0 && b-a >= minZoom
}

// zoomMoment is a moment of an address, -1 when it is none.
func zoomMoment(text string) time.Duration {
	ms, err := strconv.ParseFloat(text, 64)
	if err != nil || !(ms >= 0 && ms <= 1e9) {
		return -1
	}
	return time.Duration(math.Round(ms*1e3)) * time.Microsecond
}

// zoomText is a moment as an address has it.
func zoomText(d time.Duration) string {
	return strconv.FormatFloat(float64(d.Round(time.Microsecond))/float64(time.Millisecond), 'f', -1, 64)
}

// withZoom shows a stretch, since the beginning of the trace; the zero one is all of it.
func withZoom(v RequestView, s Stretch) RequestView {
	v.Zoom, v.Row = s, 0
	return v
}

// zoomed is the stretch of an axis that a view asks for; the whole one when it asks for none, or for what is outside.
func zoomed(whole axis, s Stretch) axis {
	from, to := max(s.From, 0), min(s.To, whole.length)
	if to-from < minZoom || to-from >= whole.length {
		return whole
	}
	return axis{whole.from + from, to - from}
}

// isZoomed tells whether less than the whole trace is shown.
func (w *waterfall) isZoomed() bool { return w.axis != w.whole }

// stretch is what is shown, since the beginning of the trace.
func (w *waterfall) stretch() Stretch {
	from := w.axis.from - w.whole.from
	return Stretch{from, from + w.axis.length}
}

// meets tells whether a stretch has a part on the axis.
func (a axis) meets(from, to time.Duration) bool { return to >= a.from && from <= a.from+a.length }

// shows tells whether any span of a row has a part on the axis.
func (a axis) shows(r *wfRow) bool {
	for _, s := range r.Spans {
		if a.meets(r.offset+s.Start, r.offset+s.Start+s.Duration) {
			return true
		}
	}
	return false
}

// onAxis leaves out the rows that have no part of the stretch. Whoever called a row that has one has a part, too.
func (w *waterfall) onAxis(all []wfRow) []wfRow {
	if !w.isZoomed() {
		return all
	}
	rows := slices.DeleteFunc(slices.Clone(all), func(r wfRow) bool { return !w.axis.shows(&r) })
	for i := range rows {
		rows[i].below = 0
	}
	countBelow(rows)
	return rows
}

// quarters are the stretches between the ticks, which lead there without a script; nil when they would be too short.
func (w *waterfall) quarters() []Stretch {
	var out []Stretch
	all := w.stretch()
	step := (all.To - all.From) / 4
	if step < minZoom {
		return nil
	}
	for i := range time.Duration(4) {
		out = append(out, Stretch{all.From + i*step, all.From + (i+1)*step})
	}
	return out
}

// around is a row's stretch with a twentieth of it on both sides, so that its ends can be seen.
func (w *waterfall) around(r *wfRow) Stretch {
	margin := max((r.to()-r.from())/20, minZoom)
	return Stretch{max(r.from()-margin-w.whole.from, 0), min(r.to()+margin-w.whole.from, w.whole.length)}
}

// zoomable tells whether zooming to a row would show less than is shown.
func (w *waterfall) zoomable(r *wfRow) bool {
	to := zoomed(w.whole, w.around(r))
	return to != w.axis && to.length < w.whole.length
}

// zoomSub says what is shown: "41 to 82 ms".
func zoomSub(s Stretch) string {
	from, to := took(s.From), took(s.To)
	if at := strings.LastIndexByte(from, ' '); at > 0 && strings.HasSuffix(to, from[at:]) {
		from = from[:at]
	}
	return from + " to " + to
}

// frame is where the minimap marks what is shown, in its columns.
func (w *waterfall) frame() (x, width string) {
	from := w.whole.at(w.axis.from) / 100 * miniColumns
	return tenth(from), tenth(max(w.whole.at(w.axis.from+w.axis.length)/100*miniColumns-from, 0.5))
}

// ticks are the numbers above the lanes, the last one with the unit: since the beginning of the trace.
func (w *waterfall) ticks() []string {
	first, last := w.stretch().From, w.stretch().To
	unit, name := time.Millisecond, " ms"
	switch {
	case last < 10*time.Millisecond:
		unit, name = time.Microsecond, " µs"
	case last >= 10*time.Second:
		unit, name = time.Second, " s"
	}
	decimals, step := 0, float64(w.axis.length)/4/float64(unit)
	for w.isZoomed() && decimals < 6 && step < 10 {
		decimals, step = decimals+1, step*10
	}
	var out []string
	for i := range time.Duration(5) {
		at := float64(first+w.axis.length*i/4) / float64(unit)
		out = append(out, strconv.FormatFloat(at, 'f', decimals, 64))
	}
	out[4] += name
	return out
}
