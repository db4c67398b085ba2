package charts

import (
	"math"
	"time"
)

// Clock is the axis of time: N buckets of Step from From, in UTC.
type Clock struct {
	From time.Time
	Step time.Duration
	N    int
	// Open is set when the last bucket still fills.
	Open bool
}

// At is when a bucket begins.
func (c Clock) At(i int) time.Time { return c.From.Add(time.Duration(i) * c.Step).UTC() }

// To is when the last bucket ends.
func (c Clock) To() time.Time { return c.At(c.N) }

// X is a moment's place in per cent of the axis. ok is false for those outside.
func (c Clock) X(t time.Time) (at float64, ok bool) {
	length := float64(c.Step) * float64(c.N)
	if length <= 0 || t.Before(c.From) || t.After(c.To()) {
		return 0, false
	}
	return round1(float64(t.Sub(c.From)) / length * 100), true
}

// Label is when a bucket begins, in words without a comma: with its day when the axis is longer than one.
func (c Clock) Label(i int) string { return c.At(i).Format(c.form()) }

func (c Clock) form() string {
	switch length := time.Duration(c.N) * c.Step; {
	case c.Step >= 24*time.Hour:
		return "2 Jan 2006"
	case length > 24*time.Hour:
		return "Mon 2 Jan 15:04"
	case c.Step < time.Minute:
		return "15:04:05"
	}
	return "15:04"
}

// steps between marks. Each is a whole part of the next larger unit, so that marks stand at round times.
var steps = []time.Duration{time.Second, 5 * time.Second, 15 * time.Second, 30 * time.Second,
	time.Minute, 2 * time.Minute, 5 * time.Minute, 10 * time.Minute, 15 * time.Minute, 30 * time.Minute,
	time.Hour, 2 * time.Hour, 3 * time.Hour, 6 * time.Hour, 12 * time.Hour,
	24 * time.Hour, 48 * time.Hour, 7 * 24 * time.Hour, 14 * 24 * time.Hour}

// edgeRoom is how close to an end of the axis, in per cent, a text would stick out if it stood in the middle of its mark.
const edgeRoom = 4

// Ticks are at most `most` marks at round moments of UTC: seconds, minutes, hours, days, or the first of a month.
func (c Clock) Ticks(most int) []Tick {
	length := c.To().Sub(c.From)
	if length <= 0 || most < 1 {
		return nil
	}
	var out []Tick
	for _, t := range c.moments(length, most) {
		at, ok := c.X(t)
		if !ok {
			continue
		}
		tick := Tick{At: at, Text: c.tickText(t, length, len(out) == 0), Alt: len(out)%2 == 1, Moment: t}
		if at < edgeRoom {
			tick.Edge = -1
		} else if at > 100-edgeRoom {
			tick.Edge = 1
		}
		out = append(out, tick)
	}
	return out
}

func (c Clock) moments(length time.Duration, most int) (out []time.Time) {
	for _, step := range steps {
		if length/step > time.Duration(most-1) {
			continue
		}
		// Truncate counts from the zero time, a Monday: weeks begin with one.
		for t := c.From.UTC().Truncate(step); !t.After(c.To()); t = t.Add(step) {
			out = append(out, t)
		}
		return out
	}
	months := int(math.Ceil(length.Hours() / 24 / 30 / float64(most)))
	for t := time.Date(c.From.UTC().Year(), 1, 1, 0, 0, 0, 0, time.UTC); !t.After(c.To()); t = t.AddDate(0, months, 0) {
		out = append(out, t)
	}
	return out
}

// tickText names the day at midnight, and first of all when the axis is longer than a day.
func (c Clock) tickText(t time.Time, length time.Duration, first bool) string {
	midnight := t.Equal(t.Truncate(24 * time.Hour))
	switch {
	case length > 300*24*time.Hour:
		return t.Format("Jan 2006")
	case midnight && length > time.Hour:
		return t.Format("2 Jan")
	case first && length > 24*time.Hour:
		return t.Format("2 Jan 15:04")
	case length <= 2*time.Minute:
		return t.Format("15:04:05")
	}
	return t.Format("15:04")
}

// Gap is a stretch without data: its beginning and width in per cent, and its first bucket and the one after its last.
type Gap struct {
	X, W     float64
	From, To int
}

// Gaps are the stretches in which every series misses its value.
func Gaps(series ...[]float64) []Gap {
	n := 0
	for _, values := range series {
		n = max(n, len(values))
	}
	var out []Gap
	for i := 0; i < n; i++ {
		start := i
		for i < n && missing(series, i) {
			i++
		}
		if i > start {
			out = append(out, Gap{round1(float64(start) / float64(n) * 100), round1(float64(i-start) / float64(n) * 100), start, i})
		}
	}
	return out
}

func missing(series [][]float64, i int) bool {
	for _, values := range series {
		if i < len(values) && finite(values[i]) {
			return false
		}
	}
	return true
}
