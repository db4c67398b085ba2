package charts

import (
	"math"
	"strconv"
	"strings"
)

// Unit is what a number measures. It decides how the number is written.
type Unit uint8

// The units. Duration is in milliseconds, Percent in hundredths, Score between 0 and 1.
const (
	Count Unit = iota
	Rate       // a second
	Duration
	Bytes
	ByteRate // a second
	Percent
	Score
)

// prefix is a name for numbers of at least from, which are written divided by by.
type prefix struct {
	from, by float64
	name     string
}

var (
	plain     = []prefix{{0, 1, ""}, {1e3, 1e3, "k"}, {1e6, 1e6, "M"}, {1e9, 1e9, "G"}, {1e12, 1e12, "T"}}
	durations = []prefix{{0, 1e-3, "µs"}, {1, 1, "ms"}, {1e3, 1e3, "s"}, {120e3, 60e3, "min"}, {7200e3, 3600e3, "h"}, {172800e3, 86400e3, "d"}}
	sizes     = []prefix{{0, 1, "B"}, {1e3, 1e3, "kB"}, {1e6, 1e6, "MB"}, {1e9, 1e9, "GB"}, {1e12, 1e12, "TB"}}
	perSecond = []prefix{{0, 1. / 3600, "/h"}, {1. / 60, 1. / 60, "/min"}, {.5, 1, "/s"}, {1e3, 1e3, "k/s"}, {1e6, 1e6, "M/s"}, {1e9, 1e9, "G/s"}}
	sizeRates = []prefix{{0, 1, "B/s"}, {1e3, 1e3, "kB/s"}, {1e6, 1e6, "MB/s"}, {1e9, 1e9, "GB/s"}}
	percents  = []prefix{{0, 1, "%"}}
	scores    = []prefix{{0, 1, ""}}
)

func (u Unit) prefixes() []prefix {
	all := [...][]prefix{Count: plain, Rate: perSecond, Duration: durations, Bytes: sizes, ByteRate: sizeRates, Percent: percents, Score: scores}
	if int(u) < len(all) {
		return all[u]
	}
	return plain
}

// prefix is that of a number: 999.6 ms is written as 1 s.
func (u Unit) prefix(v float64) prefix {
	all := u.prefixes()
	best := all[0]
	for _, p := range all {
		if v == 0 && p.by == 1 {
			return p
		}
		if math.Abs(v)*1.0005 >= p.from {
			best = p
		}
	}
	return best
}

// Split is a number in at most three figures, and the name of what it counts; a dash when it is missing.
func (u Unit) Split(v float64) (text, name string) {
	if !finite(v) {
		return "–", ""
	}
	p := u.prefix(v)
	return figures(v / p.by), p.name
}

// Text is a number with its unit: 642 ms, 1.26 s, 12.9k, 20.4 %.
func (u Unit) Text(v float64) string {
	text, name := u.Split(v)
	if name == "" || u == Count {
		return text + name
	}
	return text + " " + name
}

// figures is f in three figures at most, without zeros that say nothing.
func figures(f float64) string {
	places := 0
	switch a := math.Abs(f); {
	case a >= 1e15:
		return strconv.FormatFloat(f, 'g', 3, 64)
	case a < 10:
		places = 2
	case a < 100:
		places = 1
	}
	text := strconv.FormatFloat(f, 'f', places, 64)
	if places > 0 {
		text = strings.TrimRight(strings.TrimRight(text, "0"), ".")
	}
	if text == "-0" {
		return "0"
	}
	return text
}

// Change is how a number became another, in words: up and down are the signs of a delta, and text is the share, or a
// factor beyond three times. Both are nothing while either number is missing, or nothing was there before.
func Change(before, now float64) (up bool, text string) {
	if !finite(before) || !finite(now) || before <= 0 || now < 0 {
		return false, ""
	}
	ratio := now / before
	if ratio >= 3 {
		return true, figures(ratio) + "×"
	}
	return ratio > 1, strconv.FormatFloat(math.Abs(ratio-1)*100, 'f', 0, 64) + " %"
}
