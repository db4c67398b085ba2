package switches

import (
	"fmt"
	"slices"
	"strings"
	"time"
)

// Check says what is wrong with a switch by itself: what an editor shows, and what is refused to be stored, unless it is a
// Warning. What refers to other switches and segments needs CheckIn.
func Check(s Switch) []Problem {
	k := &compiler{alone: true, segments: map[string]*segment{}}
	c := k.compileSwitch(s)
	k.begin(s.Key, "")
	k.checkSelf(s)
	k.checkTexts(s)
	k.checkSchedule(s)
	k.checkRamp(s.Ramp)
	k.checkGuard(s.Guard)
	k.checkLater(c, s)
	return k.problems
}

// CheckIn is Check, and what is wrong with the switch among the others of an environment, whose switch of that key it takes the
// place of: circles, what does not exist. Problems of the other switches that were there before are left out.
func CheckIn(c Config, s Switch) []Problem {
	out := Check(s)
	before := problemSet(compileProblems(c))
	c.Switches = append(slices.DeleteFunc(slices.Clone(c.Switches), func(o Switch) bool { return o.Key == s.Key }), s)
	return addNew(out, compileProblems(c), before, s.Key)
}

// CheckSegment says what is wrong with a segment among the others of an environment, and which switches it would break.
func CheckSegment(c Config, g Segment) []Problem {
	before := problemSet(compileProblems(c))
	c.Segments = append(slices.DeleteFunc(slices.Clone(c.Segments), func(o Segment) bool { return o.Key == g.Key }), g)
	return addNew(nil, compileProblems(c), before, g.Key)
}

func compileProblems(c Config) []Problem {
	_, problems := Compile(c, time.Now())
	return problems
}

func problemSet(list []Problem) map[Problem]bool {
	out := make(map[Problem]bool, len(list))
	for _, p := range list {
		out[p] = true
	}
	return out
}

// addNew adds what is about the key, or was not there before.
func addNew(out, found []Problem, before map[Problem]bool, key string) []Problem {
	for _, p := range found {
		if (p.Key == key || !before[p]) && !slices.Contains(out, p) {
			out = append(out, p)
		}
	}
	return out
}

// checkSelf finds the circles that one switch makes alone.
func (k *compiler) checkSelf(s Switch) {
	if len(s.Requires) > MaxRequires {
		k.fail("requires", "%s", over("required switches", len(s.Requires), MaxRequires, "let one switch stand for them, and require it"))
	}
	for i, r := range s.Requires {
		at := fmt.Sprintf("requires %d", i+1)
		switch {
		case r.Key == "":
			k.fail(at, "it names no switch")
		case r.Key == s.Key:
			k.fail(at, "switches ask each other in a circle: %s → %s", s.Key, s.Key)
		case strings.HasPrefix(r.Key, s.Key+":"):
			k.fail(at, "switches ask each other in a circle: %s → %s → %s, since a child asks its parent", s.Key, r.Key, s.Key)
		}
	}
}

// Limits of what is only shown.
const (
	maxDescription = 10_000 // bytes
	maxTags        = 50
)

func (k *compiler) checkTexts(s Switch) {
	if len(s.Description) > maxDescription {
		k.fail("description", "%s", over("bytes", len(s.Description), maxDescription, "link to a longer text"))
	}
	if len(s.Owner) > MaxText {
		k.fail("owner", "%s", over("bytes", len(s.Owner), MaxText, "a name is enough"))
	}
	if len(s.Tags) > maxTags || slices.ContainsFunc(s.Tags, func(t string) bool { return t == "" || len(t) > MaxKey }) {
		k.fail("tags", "there are more than %d tags, or one is empty or longer than %d bytes", maxTags, MaxKey)
	}
	if s.RemoveBy != "" {
		if _, err := time.Parse(time.DateOnly, s.RemoveBy); err != nil {
			k.fail("remove_by", "%q is no date such as 2006-01-02", cut(s.RemoveBy))
		}
	}
}

func (k *compiler) checkSchedule(s Switch) {
	if len(s.Schedule) > MaxSchedule {
		k.fail("schedule", "%s", over("changes", len(s.Schedule), MaxSchedule, "a ramp has steps"))
	}
	for i, ch := range s.Schedule {
		at := fmt.Sprintf("change %d", i+1)
		if ch.At.IsZero() || ch.State == "" && ch.Percent == nil {
			k.fail(at, "a change needs a moment, and a state or a percentage")
		}
		if ch.State != "" && !slices.Contains([]State{Off, Partial, On, Inherit}, ch.State) {
			k.fail(at, "%q is no state: it is off, partial, on or inherit", cut(string(ch.State)))
		}
		if ch.Percent != nil {
			k.percent(*ch.Percent, at)
		}
	}
}

func (k *compiler) checkRamp(r *Ramp) {
	if r == nil {
		return
	}
	if n := len(r.Steps); n == 0 || n > MaxSteps || r.At < -1 || r.At >= n {
		k.fail("ramp", "it has %d steps and is at %d: 1 to %d steps are allowed, and it is at one of them or before the first", n, r.At, MaxSteps)
	}
	last := 0.0
	for i, s := range r.Steps {
		at := fmt.Sprintf("ramp, step %d", i+1)
		k.percent(s.Percent, at)
		if s.Percent <= last || s.Wait < 0 || s.Subjects < 0 {
			k.fail(at, "each step is wider than the one before, and waits no negative time or number of subjects")
		}
		last = s.Percent
	}
	for i, q := range r.Quiet {
		k.checkQuiet(q, fmt.Sprintf("ramp, quiet %d", i+1))
	}
}

func (k *compiler) checkQuiet(q QuietBit, at string) {
	for _, d := range q.Days {
		if d < 0 || d > 6 {
			k.fail(at, "days are 0, Sunday, to 6; %d is none", d)
		}
	}
	for _, text := range []string{q.From, q.To} {
		if _, err := time.Parse("15:04", text); err != nil {
			k.fail(at, "%q is no time of a day such as 22:30", cut(text))
		}
	}
}

func (k *compiler) checkGuard(g *Guard) {
	if g == nil {
		return
	}
	if g.Mode != "" && !slices.Contains([]GuardMode{GuardKill, GuardHold, GuardShadow, GuardOff}, g.Mode) {
		k.fail("guard", "%q is no mode: it is kill, hold, shadow or off", cut(string(g.Mode)))
	}
	for _, e := range []float64{g.Hold, g.Kill} {
		if e != 0 && !(e >= 1 && e <= 1e12) {
			k.fail("guard", "the evidence to act at is 1 to 1e12; %v is not", e)
		}
	}
}

// checkLater compiles the switch as it is after each change, since that may be broken though today's is not.
func (k *compiler) checkLater(c *compiled, s Switch) {
	for _, ch := range s.Schedule {
		if ch.State == Inherit && !strings.Contains(s.Key, ":") && c.state != Inherit {
			k.fail("schedule", "inherit needs a parent, and the key has none")
			return
		}
	}
}
