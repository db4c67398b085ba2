package guard

import (
	"fmt"
	"strconv"
	"strings"
	"time"
)

// explain is the sentence of a verdict.
func (s State) explain(v Verdict, set Settings) string {
	switch v.Reason {
	case SampleRatio:
		return fmt.Sprintf("%s, and errors are not judged: %s %% of %s people had it where %s %% were meant (χ² %.0f, p < 0.001), so the two groups differ by more than the switch",
			s.did(v, set), percent(Rate{s.People.With, s.People.With + s.People.Without}.Value()), number(s.People.With+s.People.Without), percent(s.People.Expected), v.Chi)
	case Silent:
		return fmt.Sprintf("%s: nobody has had it since %s, and after %.0f minutes without anyone there is nothing to judge",
			s.did(v, set), s.moment(later(s.Began, s.WithAt)), Silence.Minutes())
	case Alone:
		return "watching: everyone has it, so there is nobody to compare with" + s.past()
	case Harm:
		return s.did(v, set) + ": " + s.numbers(v, set)
	}
	return "watching: " + s.numbers(v, set)
}

// did is what was done, or would have been.
func (s State) did(v Verdict, set Settings) string {
	word := map[Action]string{Hold: "held", Kill: "killed"}[v.Would]
	switch {
	case v.Action == v.Would:
		return word
	case set.Mode == MayHold:
		return "held (this guard may not kill)"
	}
	at := s.At
	if v.Reason == Harm && v.Would == Kill && !s.KilledAt.IsZero() {
		at = s.KilledAt
	} else if v.Reason == Harm && !s.HeldAt.IsZero() {
		at = s.HeldAt
	}
	return "would have " + word + " at " + s.moment(at)
}

// moment is a time of day, with its date if that is not the last window's.
func (s State) moment(t time.Time) string {
	t = t.In(s.At.Location())
	if t.YearDay() == s.At.YearDay() && t.Year() == s.At.Year() {
		return t.Format("15:04")
	}
	return t.Format("15:04 on 2 January")
}

// numbers tells what was counted, of the kind that speaks most clearly, and the evidence of all.
func (s State) numbers(v Verdict, set Settings) string {
	best := v.Findings[0]
	for _, f := range v.Findings[1:] {
		if f.log > best.log {
			best = f
		}
	}
	text := fmt.Sprintf("%s %s %% with it, %s %% without, in %s; ", best.name(), percent(best.With.Value()), percent(best.Without.Value()), best.crowd())
	if v.Reason == Few && best.With.Count < set.Fewest {
		return text + fmt.Sprintf("%s with it so far, judged from %d on", plural(best.With.Count, "failure"), set.Fewest)
	}
	return text + "evidence " + level(v.Evidence) + ", " + set.next(v)
}

// next names the level that the evidence is compared with.
func (set Settings) next(v Verdict) string {
	if v.Would == Watch || (v.Would == Hold && v.Reason != Harm) {
		return "hold at " + level(set.Hold) + ", kill at " + level(set.Kill)
	}
	if v.Would == Hold {
		return "hold at " + level(set.Hold)
	}
	return "kill at " + level(set.Kill)
}

// crowd is how many of those that the shares are shares of had the feature.
func (f Finding) crowd() string {
	word := "exposures"
	if f.Kind != "errors" {
		word = "requests"
	}
	return number(f.With.Of) + " of " + number(plus(f.With.Of, f.Without.Of)) + " " + word
}

// name is a kind and its boundary.
func (f Finding) name() string {
	switch f.Kind {
	case "latency":
		return "answers over " + strconv.FormatFloat(f.Above/1000, 'f', 1, 64) + " ms"
	case "queries":
		return "requests of more than " + strconv.FormatFloat(f.Above, 'f', 0, 64) + " queries"
	}
	return f.Kind
}

// past compares with the time before, in words only.
func (s State) past() string {
	if s.Past.With == 0 {
		return ""
	}
	return fmt.Sprintf("; errors %s %% now, %s %% before everyone had it", percent(Rate{s.Past.Failed, s.Past.With}.Value()), percent(Rate{s.Past.Others, s.Past.Without}.Value()))
}

// warning is what the comparison with the time before gives rise to. It never acts: much else differs between then and
// now.
func (s State) warning(set Settings) string {
	if e := evidence(s.Past.LogEvidence()); e >= set.Hold && s.Past.Failed >= set.Fewest {
		return "errors rose since everyone has it" + s.past() + ", evidence " + level(e) + "; there is nobody without it to compare with, so this only warns"
	}
	return ""
}

func join(a, b string) string {
	if a == "" {
		return b
	}
	return a + "; " + b
}

// percent writes a share as percent with as many digits as tell something.
func percent(v float64) string {
	switch v *= 100; {
	case v == 0:
		return "0"
	case v < 0.1:
		return strconv.FormatFloat(v, 'g', 2, 64)
	}
	return strings.TrimSuffix(strconv.FormatFloat(v, 'f', 1, 64), ".0")
}

// level writes evidence.
func level(v float64) string {
	switch {
	case v >= MaxEvidence:
		return "over a million millions"
	case v < 10:
		return strconv.FormatFloat(v, 'f', 1, 64)
	}
	return number(int64(v))
}

func plural(n int64, word string) string {
	if n == 1 {
		return "1 " + word
	}
	return number(n) + " " + word + "s"
}

// number writes 1204 as 1,204.
func number(n int64) string {
	text := strconv.FormatInt(n, 10)
	for i := len(text) - 3; i > 0 && text[i-1] != '-'; i -= 3 {
		text = text[:i] + "," + text[i:]
	}
	return text
}
