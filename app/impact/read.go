package impact

import (
	"cmp"
	"context"
	"slices"
	"time"

	"kibitz/app/model"
	"kibitz/app/store"
	"kibitz/app/switches"
)

// sparkBuckets is how many buckets a sparkline has at the least; their width is a minute, five, an hour or a day.
func sparkStep(since time.Duration) time.Duration {
	switch {
	case since <= 2*time.Hour:
		return 5 * time.Minute
	case since <= 4*24*time.Hour:
		return time.Hour
	}
	return 24 * time.Hour
}

// total adds up what one answer of a switch got.
type total struct {
	*store.SwitchTotal
	spark []float64
}

func newTotal(buckets int) *total {
	return &total{store.NewSwitchUnion(), make([]float64, buckets)}
}

// Rows gives what requests of the last stretch of time tell of every switch of an environment that they name: one statement.
func (i *Impact) Rows(ctx context.Context, env string, since time.Duration) (map[string]SwitchImpact, error) {
	now, step := time.Now().UTC(), sparkStep(since)
	from := now.Add(-since).Truncate(max(step, coarsest(since)))
	rows, err := i.Store.NamedSwitchSums(ctx, store.SwitchQuery{Envs: i.names(env), From: from, To: now.Add(time.Minute), Step: min(step, coarsest(since))})
	if err != nil {
		return nil, err
	}
	buckets := int(now.Sub(from)/step) + 1
	byKey := map[string]map[string]*total{}
	for n := range rows {
		key, variant := answerOf(rows[n].Label)
		if byKey[key] == nil {
			byKey[key] = map[string]*total{}
		}
		t := byKey[key][variant]
		if t == nil {
			t = newTotal(buckets)
			byKey[key][variant] = t
		}
		if err := t.Add(&rows[n].SwitchRollup); err != nil {
			return nil, err
		}
		if at := int(rows[n].Bucket.Sub(from) / step); at >= 0 && at < buckets {
			t.spark[at] += rows[n].N
		}
	}
	known := i.switchesOf(env)
	out := make(map[string]SwitchImpact, len(byKey))
	for key, variants := range byKey {
		out[key] = SwitchImpact{Key: key, Variants: impacts(known[key], variants), Start: from, Step: step}
	}
	return out, nil
}

func impacts(s *switches.Switch, variants map[string]*total) (list []VariantImpact) {
	for name, t := range variants {
		if t.Seen == 0 {
			continue // only error events named it
		}
		d := t.DurationsOf()
		v := VariantImpact{Variant: name, On: !isOff(s, name), Requests: t.N, Failed: t.Failed, Seen: t.Seen, Subjects: t.People().Count(),
			P50: asDuration(d.Quantile(0.5)), P95: asDuration(d.Quantile(0.95)), P99: asDuration(d.Quantile(0.99)), Spark: t.spark}
		if t.N > 0 {
			v.Queries = t.SwitchRollup.Queries / t.N
		}
		list = append(list, v)
	}
	slices.SortFunc(list, func(a, b VariantImpact) int { return cmp.Or(onFirst(a.On, b.On), cmp.Compare(a.Variant, b.Variant)) })
	return list
}

func onFirst(a, b bool) int {
	switch {
	case a == b:
		return 0
	case a:
		return -1
	}
	return 1
}

// Series gives what requests between two moments tell of a switch, by answer and bucket.
func (i *Impact) Series(ctx context.Context, env, key string, from, to time.Time) ([]VariantSeries, error) {
	start, step, n := model.Period{From: from, To: to}.Buckets(time.Minute)
	rows, err := i.Store.NamedSwitchSums(ctx, store.SwitchQuery{Envs: i.names(env), Key: key, From: start, To: start.Add(time.Duration(n) * step), Step: tableFor(step)})
	if err != nil {
		return nil, err
	}
	byVariant := map[string][]*store.SwitchTotal{}
	for r := range rows {
		_, variant := answerOf(rows[r].Label)
		if byVariant[variant] == nil {
			byVariant[variant] = make([]*store.SwitchTotal, n)
		}
		at := int(rows[r].Bucket.Sub(start) / step)
		if at < 0 || at >= n {
			continue
		}
		list := byVariant[variant]
		if list[at] == nil {
			list[at] = store.NewSwitchUnion()
		}
		if err := list[at].Add(&rows[r].SwitchRollup); err != nil {
			return nil, err
		}
	}
	return seriesOf(i.switchesOf(env)[key], byVariant, start, step), nil
}

// tableFor is the coarsest table whose buckets make those of a chart.
func tableFor(step time.Duration) time.Duration {
	switch {
	case step%(24*time.Hour) == 0:
		return 24 * time.Hour
	case step%time.Hour == 0:
		return time.Hour
	}
	return time.Minute
}

func seriesOf(s *switches.Switch, byVariant map[string][]*store.SwitchTotal, start time.Time, step time.Duration) (out []VariantSeries) {
	for variant, totals := range byVariant {
		v := VariantSeries{Variant: variant, On: !isOff(s, variant), Step: step, Points: make([]Point, len(totals))}
		for n, t := range totals {
			v.Points[n] = pointOf(t, start.Add(time.Duration(n)*step))
		}
		out = append(out, v)
	}
	slices.SortFunc(out, func(a, b VariantSeries) int { return cmp.Or(onFirst(a.On, b.On), cmp.Compare(a.Variant, b.Variant)) })
	return out
}

func pointOf(t *store.SwitchTotal, start time.Time) Point {
	if t == nil {
		return Point{Start: start}
	}
	d, seen := t.DurationsOf(), float64(t.Seen)
	p := Point{Start: start, N: t.N, Failed: t.Failed, Seen: t.Seen, Subjects: t.People().Count(), FailedShare: wilson(t.Failed, t.N, seen),
		P50: quantile(d, 0.5, seen), P95: quantile(d, 0.95, seen), P99: quantile(d, 0.99, seen)}
	if t.N > 0 {
		p.Queries = t.SwitchRollup.Queries / t.N
	}
	return p
}

// People estimates how many different people asked for a switch in the last stretch of time: those it would reach at 100 %.
func (i *Impact) People(ctx context.Context, env, key string, last time.Duration) (Estimate, error) {
	now, step := time.Now().UTC(), coarsest(last)
	rows, err := i.Store.NamedSwitchSums(ctx, store.SwitchQuery{Envs: i.names(env), Key: key, From: now.Add(-last).Truncate(step), To: now.Add(time.Minute), Step: step})
	if err != nil {
		return Estimate{}, err
	}
	s := i.switchesOf(env)[key]
	all, on := store.NewSwitchUnion(), store.NewSwitchUnion()
	for n := range rows {
		if err := all.People().MergeEncoded(rows[n].Subjects); err != nil {
			return Estimate{}, err
		}
		if _, variant := answerOf(rows[n].Label); isOff(s, variant) {
			continue
		}
		if err := on.People().MergeEncoded(rows[n].Subjects); err != nil {
			return Estimate{}, err
		}
	}
	e := crowd(all.People().Count(), last)
	e.On = on.People().Count()
	return e, nil
}

// FlipsBetween are the changes of an environment's switches between two moments, oldest first: marks for charts.
func (i *Impact) FlipsBetween(ctx context.Context, env string, from, to time.Time) ([]model.Flip, error) {
	if i.Flips == nil {
		return nil, nil
	}
	return i.Flips(ctx, env, from, to)
}
