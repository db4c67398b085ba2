package charts

import (
	"slices"
	"time"
	"unicode/utf8"
)

// Marker is something that happened and may explain what a graph does.
type Marker struct {
	At time.Time
	// Kind is release or switch.
	Kind string
	// Label is the release, or the switch and what became of it; URL is where it leads.
	Label, URL string
	// Share is how many of a hundred a switch is on for since.
	Share float64
	// Killed is set when a guard turned the switch off.
	Killed bool
}

// Flag is a marker on a graph.
type Flag struct {
	Marker
	X float64 // per cent from the left
	// Flip puts the label to the left of its line, Bare leaves it out.
	Flip, Bare bool
}

// MaxFlags is how many markers a graph bears; of more the latest are drawn.
const MaxFlags = 24

// Flags places markers. A character of a label takes perChar per cent of the width; labels that would run into another
// or out of the graph are turned to the other side of their line, or left out. left is how many markers had no room.
func Flags(c Clock, markers []Marker, perChar float64) (flags []Flag, left int) {
	for _, m := range markers {
		if x, ok := c.X(m.At); ok {
			flags = append(flags, Flag{Marker: m, X: x})
		}
	}
	slices.SortStableFunc(flags, func(a, b Flag) int { return a.At.Compare(b.At) })
	left = max(len(flags)-MaxFlags, 0)
	flags = flags[left:]
	taken := -100.0
	for i := range flags {
		next := 200.0
		if i+1 < len(flags) {
			next = flags[i+1].X
		}
		taken = flags[i].place(taken, next, perChar)
	}
	return flags, left
}

// place turns or strips the label so that it fits between what is taken and the next line, and tells what is taken then.
func (f *Flag) place(taken, next, perChar float64) float64 {
	width := float64(utf8.RuneCountInString(f.Label)+3) * perChar
	switch {
	case f.X+width <= min(100, next) && f.X >= taken:
		return f.X + width
	case f.X-width >= max(0, taken):
		f.Flip = true
	default:
		f.Bare = true
	}
	return max(taken, f.X+2*perChar)
}

// State is how the pie of a switch is drawn: off, partial, on or killed.
func (m Marker) State() string {
	switch {
	case m.Killed:
		return "killed"
	case m.Share >= 100:
		return "on"
	case m.Share > 0:
		return "partial"
	}
	return "off"
}
