package requests

import (
	"cmp"
	"context"
	"slices"
	"time"

	"kibitz/app/model"
	"kibitz/app/sketch"
	"kibitz/app/store"
	"kibitz/app/trace"
)

// SwitchSum is the requests of an endpoint in which a switch gave one answer.
type SwitchSum struct {
	Label              string // key=variant
	N, Failed          float64
	Seen               int64
	P50, P75, P95, P99 time.Duration
	Queries            float64                         // mean a request
	Time               [trace.Categories]time.Duration // mean a request
	Durations          *sketch.Sketch                  // microseconds
}

// maxAnswers is how many answers of switches an endpoint's page compares, by their names.
const maxAnswers = 200

// SwitchSums gives, for each switch that requests of an endpoint asked in a period, the requests with each answer: from sums, so of all
// of them.
func (r *Requests) SwitchSums(ctx context.Context, e Endpoint, p model.Period) ([]SwitchSum, error) {
	step := coarsest(p.To.Sub(p.From))
	rows, err := r.store.NamedSwitchSums(ctx, store.SwitchQuery{Endpoints: e.IDs, From: p.From.Truncate(step), To: p.To, Step: step})
	if err != nil {
		return nil, err
	}
	totals := map[string]*store.SwitchTotal{}
	for i := range rows {
		if err := addTo(totals, rows[i].Label, &rows[i].SwitchRollup); err != nil {
			return nil, err
		}
	}
	out := make([]SwitchSum, 0, len(totals))
	for label, t := range totals {
		out = append(out, switchSum(label, t))
	}
	slices.SortFunc(out, func(a, b SwitchSum) int { return cmp.Compare(a.Label, b.Label) })
	return out[:min(len(out), maxAnswers)], nil
}

func addTo[K comparable](totals map[K]*store.SwitchTotal, key K, r *store.SwitchRollup) error {
	t := totals[key]
	if t == nil {
		t = store.NewSwitchTotal(store.SwitchRollup{Project: r.Project, Endpoint: r.Endpoint, Switch: r.Switch})
		totals[key] = t
	}
	return t.Add(r)
}

func switchSum(label string, t *store.SwitchTotal) SwitchSum {
	d := t.DurationsOf()
	at := func(q float64) time.Duration { return time.Duration(d.Quantile(q)) * time.Microsecond }
	s := SwitchSum{Label: label, N: t.N, Failed: t.Failed, Seen: t.Seen, P50: at(0.5), P75: at(0.75), P95: at(0.95), P99: at(0.99), Durations: d}
	if t.N > 0 {
		s.Queries = t.SwitchRollup.Queries / t.N
		for c := range s.Time {
			s.Time[c] = time.Duration(t.Time[c] / t.N * float64(time.Microsecond))
		}
	}
	return s
}
