package charts

import (
	"math"
	"time"
)

// Folding is how several values become one.
type Folding uint8

// Mean is for rates, Sum for counts, Max for percentiles, which no mean is honest about.
const (
	Mean Folding = iota
	Sum
	Max
)

// Fold is the mean, sum or maximum of the values that there are; missing when there are none.
func Fold(by Folding, values []float64) float64 {
	n, total, most := 0, 0.0, math.Inf(-1)
	for _, v := range values {
		if finite(v) {
			n, total, most = n+1, total+v, max(most, v)
		}
	}
	switch {
	case n == 0:
		return math.NaN()
	case by == Max:
		return most
	case by == Mean:
		return total / float64(n)
	}
	return total
}

// Series is one line or surface of a graph.
type Series struct {
	Name   string
	Values []float64 // one a bucket; NaN where there is none
	By     Folding   // how several buckets make a row of the table
}

// Trend says in a sentence what a series does: its first and last value, its smallest and largest and when.
func Trend(c Clock, u Unit, s Series) string {
	first, last, least, most := -1, -1, -1, -1
	for i, v := range s.Values {
		if !finite(v) {
			continue
		}
		if first < 0 {
			first, least, most = i, i, i
		}
		if v < s.Values[least] {
			least = i
		}
		if v > s.Values[most] {
			most = i
		}
		last = i
	}
	if first < 0 {
		return s.Name + ": no data."
	}
	text := func(i int) string { return u.Text(s.Values[i]) }
	if text(least) == text(most) {
		return s.Name + ": " + text(last) + " throughout."
	}
	return s.Name + ": last " + text(last) + changed(s.Values[first], s.Values[last]) + "; lowest " + text(least) + " at " + c.Label(least) +
		", highest " + text(most) + " at " + c.Label(most) + " UTC."
}

// changed is how the last value differs from the first.
func changed(first, last float64) string {
	up, text := Change(first, last)
	switch {
	case text == "" || text == "0 %":
		return ""
	case up:
		return ", up " + text
	}
	return ", down " + text
}

// Row is a line of the table behind a graph: some buckets, and a value of each series.
type Row struct {
	From, To time.Time
	Values   []float64
}

// Rows are at most `most` lines of the table behind a graph, each of as many buckets.
func Rows(c Clock, series []Series, most int) []Row {
	if c.N <= 0 || most <= 0 {
		return nil
	}
	width := (c.N + most - 1) / most
	var out []Row
	for i := 0; i < c.N; i += width {
		end := min(i+width, c.N)
		row := Row{From: c.At(i), To: c.At(end)}
		for _, s := range series {
			row.Values = append(row.Values, Fold(s.By, s.Values[min(i, len(s.Values)):min(end, len(s.Values))]))
		}
		out = append(out, row)
	}
	return out
}
