package impact

import (
	"cmp"
	"context"
	"fmt"
	"math"
	"slices"
	"strings"
	"time"

	"kibitz/app/model"
	"kibitz/app/store"
)

const (
	// suspectEvents is how many events must name an answer before it is suspected.
	suspectEvents = 5
	// suspectSigmas is how sure a ratio above 1 must be: of a thousand answers that have nothing to do with an issue, about one
	// is suspected.
	suspectSigmas = 3.3
	// maxSuspects is how many are told, the surest first.
	maxSuspects = 10
)

// Suspects are the answers of switches with which an issue's events are commoner, surest first. Exposures are what they are
// compared with: the requests that got each answer while the issue lived. Of a project that sends none it is the events of all its issues.
func (i *Impact) Suspects(ctx context.Context, issue int64) ([]Suspect, error) {
	flags, err := i.Store.IssueFlags(ctx, issue)
	if err != nil || len(flags) == 0 {
		return nil, err
	}
	of, events := flags[0], countsOf(flags)
	exposed, err := i.exposedWhile(ctx, of)
	if err != nil {
		return nil, err
	}
	list, unexposed := i.compareAll(events, exposed, false)
	if len(unexposed) == 0 {
		return ranked(list), nil
	}
	all, err := i.Store.ProjectFlags(ctx, of.Project, unexposed)
	if err != nil {
		return nil, err
	}
	rest := map[string]map[string]float64{}
	for _, tag := range unexposed {
		key := keyOfTag(tag)
		rest[key] = events[key]
	}
	more, _ := i.compareAll(rest, without(countsOf(all), rest), true)
	return ranked(append(list, more...)), nil
}

// exposedWhile counts requests by answer while an issue lived, in whole hours or days.
func (i *Impact) exposedWhile(ctx context.Context, of store.FlagCount) (map[string]map[string]float64, error) {
	step := max(coarsest(of.Last.Sub(of.First)), time.Hour)
	counts, err := i.Store.SwitchCounts(ctx, store.SwitchQuery{Projects: []int64{of.Project}, From: of.First.Truncate(step), To: of.Last.Truncate(step).Add(step), Step: step})
	if err != nil {
		return nil, err
	}
	out := map[string]map[string]float64{}
	for _, c := range counts {
		if key, variant := answerOf(c.Label); c.N > 0 { // else only error events named it
			add(out, key, variant, c.N)
		}
	}
	return out, nil
}

func add(to map[string]map[string]float64, key, variant string, n float64) {
	if to[key] == nil {
		to[key] = map[string]float64{}
	}
	to[key][variant] += n
}

func keyOfTag(tag string) string { return strings.TrimSuffix(strings.TrimPrefix(tag, "flags["), "]") }

// countsOf are events by switch and answer.
func countsOf(flags []store.FlagCount) map[string]map[string]float64 {
	out := map[string]map[string]float64{}
	for _, f := range flags {
		add(out, keyOfTag(f.Tag), normal(f.Variant), float64(f.N))
	}
	return out
}

// without takes counts away.
func without(from, less map[string]map[string]float64) map[string]map[string]float64 {
	for key, variants := range less {
		for variant, n := range variants {
			if from[key] != nil {
				from[key][variant] = max(0, from[key][variant]-n)
			}
		}
	}
	return from
}

// compareAll compares the events of each answer with what could have had it. Tags of switches that nothing is known to compare
// with are given back.
func (i *Impact) compareAll(events, base map[string]map[string]float64, byErrors bool) (list []Suspect, unknown []string) {
	for key, variants := range events {
		if len(base[key]) == 0 {
			unknown = append(unknown, store.FlagTag(key))
			continue
		}
		for variant := range variants {
			if s, ok := compare(key, variant, variants, base[key], byErrors); ok {
				list = append(list, s)
			}
		}
	}
	return list, unknown
}

// compare tells whether an answer is suspect. An answer that everybody had cannot be told apart from having none.
func compare(key, variant string, events, base map[string]float64, byErrors bool) (s Suspect, ok bool) {
	a, n := events[variant], base[variant]
	b, m := sumOf(events)-a, sumOf(base)-n
	if variant == "" || a < suspectEvents || n <= 0 || m <= 0 {
		return s, false
	}
	if sure := rateRatio(a, n, b, m, suspectSigmas); byErrors {
		sure = oddsRatio(a, b, n, m, suspectSigmas)
		if sure.Low <= 1 {
			return s, false
		}
		s.Ratio = oddsRatio(a, b, n, m, z95)
	} else if sure.Low <= 1 {
		return s, false
	} else {
		s.Ratio = rateRatio(a, n, b, m, z95)
	}
	s.Key, s.Variant, s.Events, s.Others, s.Exposed, s.ExposedOthers, s.ByErrors = key, variant, int64(a), int64(b), n, m, byErrors
	s.Text = s.words()
	return s, true
}

// oddsRatio is how many times an issue's odds of having an answer are those of other errors (Woolf 1955, with Haldane's halves).
func oddsRatio(a, b, n, m, deviations float64) Band {
	a, b, n, m = a+0.5, b+0.5, n+0.5, m+0.5
	ratio := (a / b) / (n / m)
	factor := math.Exp(deviations * math.Sqrt(1/a+1/b+1/n+1/m))
	return Band{ratio, ratio / factor, ratio * factor}
}

func sumOf(m map[string]float64) (sum float64) {
	for _, n := range m {
		sum += n
	}
	return sum
}

func (s Suspect) words() string {
	text := fmt.Sprintf("%s more likely with %s %s", times(s.Ratio.Value), s.Key, s.Variant)
	if s.ByErrors {
		return text + ", compared with the other errors of the project: it sends no requests that name the switch"
	}
	return text
}

// times is a ratio as people say it.
func times(r float64) string {
	if r >= 9.95 {
		return fmt.Sprintf("%.0f×", r)
	}
	return fmt.Sprintf("%.1f×", r)
}

// ranked puts the surest first.
func ranked(list []Suspect) []Suspect {
	slices.SortFunc(list, func(a, b Suspect) int {
		return cmp.Or(cmp.Compare(b.Ratio.Low, a.Ratio.Low), cmp.Compare(a.Key, b.Key), cmp.Compare(a.Variant, b.Variant))
	})
	return list[:min(len(list), maxSuspects)]
}

// ErrorGroup is an issue that is commoner with an answer of a switch.
type ErrorGroup struct {
	Issue model.Issue
	Suspect
}

// ErrorGroups are the issues seen since a moment that are commoner with an answer of a switch that is on, surest first.
func (i *Impact) ErrorGroups(ctx context.Context, env, key string, since time.Time) ([]ErrorGroup, error) {
	flags, err := i.Store.FlagIssues(ctx, key, since)
	if err != nil || len(flags) == 0 {
		return nil, err
	}
	first, last := flags[0].First, flags[0].Last
	for _, f := range flags {
		first, last = earlier(first, f.First), later(last, f.Last)
	}
	step := max(coarsest(last.Sub(first)), time.Hour)
	counts, err := i.Store.SwitchCounts(ctx, store.SwitchQuery{Key: key, From: first.Truncate(step), To: last.Truncate(step).Add(step), Step: step})
	if err != nil {
		return nil, err
	}
	return i.groupsOf(ctx, env, key, flags, counts, step)
}

func (i *Impact) groupsOf(ctx context.Context, env, key string, flags []store.FlagCount, counts []store.SwitchCount, step time.Duration) ([]ErrorGroup, error) {
	byIssue := map[int64][]store.FlagCount{}
	for _, f := range flags {
		byIssue[f.Issue] = append(byIssue[f.Issue], f)
	}
	s := i.switchesOf(env)[key]
	var out []ErrorGroup
	var ids []int64
	for issue, list := range byIssue {
		base := exposedOf(list[0], counts, step)
		found, _ := i.compareAll(countsOf(list), map[string]map[string]float64{key: base}, false)
		found = slices.DeleteFunc(found, func(x Suspect) bool { return isOff(s, x.Variant) })
		if len(found) > 0 {
			out, ids = append(out, ErrorGroup{model.Issue{ID: issue}, ranked(found)[0]}), append(ids, issue)
		}
	}
	slices.SortFunc(out, func(a, b ErrorGroup) int {
		return cmp.Or(cmp.Compare(b.Ratio.Low, a.Ratio.Low), cmp.Compare(a.Issue.ID, b.Issue.ID))
	})
	out = out[:min(len(out), maxSuspects)]
	if len(out) == 0 {
		return nil, nil
	}
	return i.withIssues(ctx, out, ids)
}

func (i *Impact) withIssues(ctx context.Context, out []ErrorGroup, ids []int64) ([]ErrorGroup, error) {
	issues, err := i.Store.IssuesByID(ctx, ids)
	if err != nil {
		return nil, err
	}
	byID := make(map[int64]model.Issue, len(issues))
	for _, issue := range issues {
		byID[issue.ID] = issue
	}
	for n := range out {
		out[n].Issue = byID[out[n].Issue.ID]
	}
	return out, nil
}

// exposedOf adds up the requests of an issue's project while it lived.
func exposedOf(f store.FlagCount, counts []store.SwitchCount, step time.Duration) map[string]float64 {
	base := map[string]float64{}
	from, to := f.First.Truncate(step), f.Last.Truncate(step).Add(step)
	for _, c := range counts {
		if _, variant := answerOf(c.Label); c.Project == f.Project && !c.Bucket.Before(from) && c.Bucket.Before(to) {
			base[variant] += c.N
		}
	}
	return base
}

func earlier(a, b time.Time) time.Time {
	if b.Before(a) {
		return b
	}
	return a
}

func later(a, b time.Time) time.Time {
	if b.After(a) {
		return b
	}
	return a
}
