package charts

import (
	"math"
	"strconv"
	"strings"
	"testing"
	"time"
)

func atof(t *testing.T, s string) float64 {
	t.Helper()
	f, err := strconv.ParseFloat(s, 64)
	if err != nil {
		t.Error(err)
	}
	return f
}

func texts(ticks []Tick) string {
	var out []string
	for _, k := range ticks {
		out = append(out, k.Text)
	}
	return strings.Join(out, " | ")
}

func TestLinear(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		unit       Unit
		most       float64
		name, want string
	}{
		{Duration, 1260, "s", "0 | 0.4 | 0.8 | 1.2 | 1.6"}, {Duration, 642, "ms", "0 | 200 | 400 | 600 | 800"}, {Duration, .3, "µs", "0 | 100 | 200 | 300"},
		{Duration, 205, "ms", "0 | 100 | 200 | 300"}, {Count, 3, "", "0 | 1 | 2 | 3"}, {Count, 431, "", "0 | 200 | 400 | 600"}, {Count, 3800, "", "0 | 1k | 2k | 3k | 4k"},
		{Bytes, 6.2e9, "GB", "0 | 2 | 4 | 6 | 8"}, {Percent, 7, "%", "0 | 2 | 4 | 6 | 8"}, {ByteRate, 800, "B/s", "0 | 200 | 400 | 600 | 800"},
		{Count, 0, "", "0 | 1"}, {Rate, nan, "/s", "0 | 0.25 | 0.5 | 0.75 | 1"}, {Rate, .05, "/min", "0 | 1 | 2 | 3"}, {Duration, 200e3, "min", "0 | 1 | 2 | 3 | 4"},
	} {
		s := Linear(c.unit, []float64{-3, c.most, nan})
		if got := texts(s.Ticks); got != c.want || s.Name != c.name {
			t.Errorf("%v up to %v: got %s in %q, want %s in %q", c.unit, c.most, got, s.Name, c.want, c.name)
		}
	}
	if s := Summed(Count, []float64{3, 4, nan}, []float64{3, 4, 900}); s.Max != 8 {
		t.Errorf("stacked, the axis ends at %v", s.Max)
	}
	if s := Linear(Count, []float64{math.MaxFloat64}); !finite(s.Max) {
		t.Errorf("the largest number has an axis up to %v", s.Max)
	}
}

func TestBetween(t *testing.T) {
	t.Parallel()
	s := Between(Score, .85, 1)
	if texts(s.Ticks) != "0.85 | 1" || s.Y(.85) != 100 || s.Y(1) != 0 || s.Y(.2) != 100 || s.Y(nan) != 100 {
		t.Errorf("%s, %v", texts(s.Ticks), s.Y(.925))
	}
	if s := Between(Percent, 0, 100); texts(s.Ticks) != "0 | 50 | 100" {
		t.Errorf("per cent: %s", texts(s.Ticks))
	}
	if s := Between(Score, 1, 1); s.Min != 0 || s.Max != 1 {
		t.Errorf("no length: %+v", s)
	}
}

func TestText(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		unit Unit
		v    float64
		want string
	}{
		{Duration, 0, "0 ms"}, {Duration, .25, "250 µs"}, {Duration, 9.999, "10 ms"}, {Duration, 642.4, "642 ms"}, {Duration, 999.6, "1 s"}, {Duration, 1260, "1.26 s"},
		{Duration, 59e3, "59 s"}, {Duration, 600e3, "10 min"}, {Duration, 3 * 3600e3, "3 h"}, {Duration, 90 * 3600e3, "3.75 d"}, {Count, 12_900, "12.9k"},
		{Count, 1, "1"}, {Rate, 6.9, "6.9 /s"}, {Rate, 12e3, "12 k/s"}, {Rate, 12. / 3600, "12 /h"}, {Rate, 0, "0 /s"}, {Rate, .05, "3 /min"}, {Percent, 20.44, "20.4 %"}, {Bytes, 1.5e6, "1.5 MB"}, {Score, .9312, "0.93"},
		{Count, nan, "–"}, {Duration, inf, "–"}, {Duration, -642, "-642 ms"}, {Score, -.0001, "0"}, {Unit(99), 3, "3"},
	} {
		if got := c.unit.Text(c.v); got != c.want {
			t.Errorf("%v of unit %d: got %q, want %q", c.v, c.unit, got, c.want)
		}
	}
}

func TestChange(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		before, now float64
		up          bool
		want        string
	}{{100, 119, true, "19 %"}, {100, 69, false, "31 %"}, {7, 28.7, true, "4.1×"}, {5, 5, false, "0 %"}, {0, 5, false, ""}, {nan, 5, false, ""}, {5, inf, false, ""}, {8, 0, false, "100 %"}} {
		if up, got := Change(c.before, c.now); up != c.up || got != c.want {
			t.Errorf("%v to %v: got %v %q", c.before, c.now, up, got)
		}
	}
}

// TestTicks looks for round moments on axes from seconds to years.
func TestTicks(t *testing.T) {
	t.Parallel()
	day := time.Date(2026, 11, 19, 13, 35, 0, 0, time.UTC)
	for name, c := range map[string]struct {
		clock Clock
		most  int
		want  string
	}{
		"minute":  {Clock{From: day, Step: time.Second, N: 60}, 7, "13:35:00 | 13:35:15 | 13:35:30 | 13:35:45 | 13:36:00"},
		"hour":    {Clock{From: day, Step: time.Minute, N: 60}, 7, "13:40 | 13:50 | 14:00 | 14:10 | 14:20 | 14:30"},
		"night":   {Clock{From: day.Add(9 * time.Hour), Step: time.Minute, N: 120}, 7, "23:00 | 23:30 | 20 Nov | 00:30"},
		"day":     {Clock{From: day, Step: 30 * time.Minute, N: 48}, 7, "18:00 | 20 Nov | 06:00 | 12:00"},
		"week":    {Clock{From: day, Step: time.Hour, N: 7 * 24}, 8, "20 Nov | 21 Nov | 22 Nov | 23 Nov | 24 Nov | 25 Nov | 26 Nov"},
		"month":   {Clock{From: day, Step: 6 * time.Hour, N: 120}, 7, "23 Nov | 30 Nov | 7 Dec | 14 Dec"},
		"year":    {Clock{From: day, Step: 24 * time.Hour, N: 365}, 7, "Jan 2027 | Mar 2027 | May 2027 | Jul 2027 | Sep 2027 | Nov 2027"},
		"nothing": {Clock{From: day}, 7, ""},
	} {
		if got := texts(c.clock.Ticks(c.most)); got != c.want {
			t.Errorf("%s: got %s, want %s", name, got, c.want)
		}
	}
	ticks := Clock{From: day.Add(24 * time.Minute), Step: time.Minute, N: 60}.Ticks(7)
	if ticks[0].Edge != -1 || ticks[1].Edge != 0 || ticks[0].Alt || !ticks[1].Alt {
		t.Errorf("edges and every other: %+v", ticks)
	}
}

func TestGaps(t *testing.T) {
	t.Parallel()
	got := Gaps([]float64{1, nan, nan, 4}, []float64{1, inf, 3})
	if len(got) != 1 || got[0] != (Gap{X: 25, W: 25, From: 1, To: 2}) {
		t.Errorf("got %+v", got)
	}
	if got := Gaps([]float64{nan, nan}); len(got) != 1 || got[0].W != 100 {
		t.Errorf("nothing but gaps: %+v", got)
	}
	if Gaps() != nil {
		t.Error("no series has gaps")
	}
}

func TestTrend(t *testing.T) {
	t.Parallel()
	c := Clock{From: time.Date(2026, 11, 19, 13, 35, 0, 0, time.UTC), Step: time.Minute, N: 4}
	for want, values := range map[string][]float64{
		"p95: last 642 ms, up 19 %; lowest 510 ms at 13:36, highest 650 ms at 13:37 UTC.": {540, 510, 650, 642},
		"p95: 9 ms throughout.": {9, 9, nan, 9},
		"p95: no data.":         {nan, inf, nan, nan},
		"p95: last 3 ms, down 40 %; lowest 3 ms at 13:38, highest 5 ms at 13:36 UTC.": {nan, 5, nan, 3},
	} {
		if got := Trend(c, Duration, Series{Name: "p95", Values: values}); got != want {
			t.Errorf("got %q, want %q", got, want)
		}
	}
}

// TestRows folds each series in its own way, and never adds what is missing.
func TestRows(t *testing.T) {
	t.Parallel()
	c := Clock{From: time.Date(2026, 11, 19, 0, 0, 0, 0, time.UTC), Step: time.Minute, N: 5}
	rows := Rows(c, []Series{{Values: []float64{1, 3, nan, nan, 7}}, {Values: []float64{1, 3, 5, nan, 7}, By: Sum}, {Values: []float64{1, 3, 5, 4}, By: Max}}, 3)
	if len(rows) != 3 || rows[0].Values[0] != 2 || rows[0].Values[1] != 4 || rows[0].Values[2] != 3 || !math.IsNaN(rows[1].Values[0]) || rows[1].Values[1] != 5 ||
		rows[2].Values[0] != 7 || !math.IsNaN(rows[2].Values[2]) || !rows[2].To.Equal(c.To()) {
		t.Errorf("got %+v", rows)
	}
	if Rows(Clock{}, nil, 24) != nil {
		t.Error("no buckets make rows")
	}
}

func TestFlags(t *testing.T) {
	t.Parallel()
	c := Clock{From: time.Date(2026, 11, 19, 13, 0, 0, 0, time.UTC), Step: time.Minute, N: 100}
	at := func(minute int, label string) Marker {
		return Marker{At: c.At(minute), Kind: "release", Label: label}
	}
	flags, left := Flags(c, []Marker{at(95, "shop@4.18.0"), at(10, "shop@4.17.0"), at(12, "shop@4.17.1"), at(60, "x"), at(400, "later")}, 1)
	var got []string
	for _, f := range flags {
		got = append(got, strconv.FormatFloat(f.X, 'f', -1, 64)+map[bool]string{true: " flip"}[f.Flip]+map[bool]string{true: " bare"}[f.Bare])
	}
	if want := "10 bare, 12, 60, 95 flip"; strings.Join(got, ", ") != want || left != 0 {
		t.Errorf("got %v and %d, want %s", got, left, want)
	}
	many := make([]Marker, 40)
	for i := range many {
		many[i] = at(i*2, "r")
	}
	if flags, left = Flags(c, many, 1); len(flags) != MaxFlags || left != 16 || flags[len(flags)-1].X != 78 {
		t.Errorf("%d flags, %d left out", len(flags), left)
	}
	for share, want := range map[float64]string{0: "off", 25: "partial", 100: "on"} {
		if got := (Marker{Share: share}).State(); got != want {
			t.Errorf("on for %v is %s", share, got)
		}
	}
	if (Marker{Killed: true, Share: 5}).State() != "killed" {
		t.Error("a killed switch looks alive")
	}
}
