package views

import (
	"cmp"
	"math"
	"slices"
	"strconv"
	"strings"
	"time"

	"kibitz/app/trace"
)

// axis is the time that the lanes show, in which all else is given in per cent.
type axis struct{ from, length time.Duration }

// axisOf spans all rows.
func axisOf(rows []wfRow) axis {
	if len(rows) == 0 {
		return axis{0, 1}
	}
	first, last := time.Duration(math.MaxInt64), time.Duration(math.MinInt64)
	for i := range rows {
		if rows[i].request != nil { // spans outside their request are a matter of clocks, and must not shrink it to nothing
			first, last = min(first, rows[i].from()), max(last, rows[i].to())
		}
	}
	return axis{first, max(last-first, 1)}
}

// at is a moment in per cent of the axis, within it.
func (a axis) at(d time.Duration) float64 {
	return min(max(float64(d-a.from)/float64(a.length)*100, 0), 100)
}

// strip is a piece of a lane in per cent: thin where children cover it, with the mark of an error at its end.
type strip struct {
	x, w         float64
	thin, failed bool
}

func (b strip) style() string { return "--x:" + tenth(b.x) + ";--w:" + tenth(b.w) }

func tenth(f float64) string {
	return strings.TrimSuffix(strconv.FormatFloat(f, 'f', 1, 64), ".0")
}

// Bars that are nearer than this are drawn as one: a lane has some 600 pixels.
const barGap = 0.15

// maxBars bounds the bars of a page, so that pages of folds stay within their weight.
const maxBars = 3000

// bars are the pieces of a row: the thin whole and the thick parts in which no child ran, or one for each member.
func (w *waterfall) bars(r *wfRow) []strip {
	limit := max(maxBars/max(len(w.rows), 1), 4)
	if r.self != nil {
		whole := strip{x: w.axis.at(r.from()), thin: true, failed: r.failed() && w.axis.meets(r.to(), r.to())}
		whole.w = w.axis.at(r.to()) - whole.x
		return append([]strip{whole}, merge(w.axis.stretches(r.self), limit)...)
	}
	var out []strip
	for _, s := range r.Spans {
		from, to := r.offset+s.Start, r.offset+s.Start+s.Duration
		if !w.isZoomed() || w.axis.meets(from, to) { // what clocks put outside the whole is drawn at its edge
			x := w.axis.at(from)
			out = append(out, strip{x: x, w: w.axis.at(to) - x, failed: s.Failed})
		}
	}
	return merge(out, limit)
}

func (a axis) stretches(all []Stretch) []strip {
	var out []strip
	for _, s := range all {
		x := a.at(s.From)
		if width := a.at(s.To) - x; width >= barGap {
			out = append(out, strip{x: x, w: width})
		}
	}
	return out
}

// criticalBars are the stretches of a row on the critical path; nil when that is not asked for.
func (w *waterfall) criticalBars(r *wfRow) []strip {
	if !w.view.Critical {
		return nil
	}
	var out []strip
	for _, s := range r.Critical {
		if w.isZoomed() && !w.axis.meets(r.offset+s.From, r.offset+s.To) {
			continue
		}
		x := w.axis.at(r.offset + s.From)
		out = append(out, strip{x: x, w: w.axis.at(r.offset+s.To) - x})
	}
	return merge(out, max(maxBars/max(len(w.rows), 1), 4))
}

// merge joins bars that touch on a screen; it widens its gap until no more than limit are left.
func merge(strips []strip, limit int) []strip {
	slices.SortFunc(strips, func(a, b strip) int { return cmp.Compare(a.x, b.x) })
	for gap := barGap; ; gap *= 2 {
		var out []strip
		for _, b := range strips {
			if n := len(out) - 1; n >= 0 && b.x-out[n].x-out[n].w < gap && out[n].failed == b.failed {
				out[n].w = max(out[n].w, b.x+b.w-out[n].x)
				continue
			}
			out = append(out, b)
		}
		if len(out) <= limit || gap > 100 {
			return out[:min(len(out), limit)]
		}
	}
}

// Cells of the minimap: 4,000 of them weigh some 10 kB at the worst.
const (
	miniColumns = 160
	miniRows    = 24
)

// minimap is all rows, drawn small: one path for each category.
func (w *waterfall) minimap() [trace.Categories]string {
	var grid [miniRows][miniColumns]int8
	height := min(len(w.drawn), miniRows)
	for i := range w.drawn {
		r := &w.drawn[i]
		y := i * height / max(len(w.drawn), 1)
		for _, s := range r.Spans {
			if r.Gap {
				continue
			}
			x0 := int(w.whole.at(r.offset+s.Start) / 100 * (miniColumns - 1))
			x1 := int(w.whole.at(r.offset+s.Start+s.Duration) / 100 * (miniColumns - 1))
			for x := x0; x <= x1; x++ {
				if c := int8(s.Category) + 1; grid[y][x] <= 1 || c > 1 { // work of the program itself covers nothing else
					grid[y][x] = c
				}
			}
		}
	}
	return drawRuns(&grid, height)
}

// drawRuns writes each run of one category as a line.
func drawRuns(grid *[miniRows][miniColumns]int8, height int) [trace.Categories]string {
	var out [trace.Categories]strings.Builder
	for y := range height {
		for x := 0; x < miniColumns; {
			c, start := grid[y][x], x
			for x < miniColumns && grid[y][x] == c {
				x++
			}
			if c > 0 {
				b := &out[c-1]
				b.WriteString("M" + strconv.Itoa(start) + " " + strconv.Itoa(y) + "h" + strconv.Itoa(x-start) + "v1h-" + strconv.Itoa(x-start) + "z")
			}
		}
	}
	var paths [trace.Categories]string
	for i := range out {
		paths[i] = out[i].String()
	}
	return paths
}

// window is the part of the minimap that the page shows, from the top, in rows of the minimap.
func (w *waterfall) window(first, rows int) (y, height string) {
	scale := float64(min(len(w.drawn), miniRows)) / float64(max(len(w.drawn), 1))
	return tenth(float64(first) * scale), tenth(max(float64(rows)*scale, 0.3))
}
