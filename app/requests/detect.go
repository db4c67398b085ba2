package requests

import (
	"context"
	"time"

	"kibitz/app/detect"
	"kibitz/app/model"
	"kibitz/app/store"
)

// settingsEvery is how often the drain reads what people set for endpoints, and which findings are gone.
const settingsEvery = 20 * time.Second

// settings are what the drain reads from time to time.
type settings struct {
	at         time.Time
	thresholds map[int32]detect.Thresholds // of endpoints that have their own
}

// refresh reads settings when it is time. A failure leaves those of before: the drain must go on.
func (d *Digester) refresh(ctx context.Context) {
	now := time.Now()
	if now.Sub(d.settings.at) < settingsEvery {
		return
	}
	d.settings.at = now
	list, err := d.store.TunedEndpoints(ctx)
	if err == nil {
		d.settings.thresholds = make(map[int32]detect.Thresholds, len(list))
		for _, e := range list {
			d.settings.thresholds[e.ID] = Thresholds(e.Thresholds)
		}
		err = d.refreshFixed(ctx)
	}
	if err != nil {
		d.log.Warn("cannot read the settings of endpoints; those of before go on", "err", err)
	}
}

func (d *Digester) refreshFixed(ctx context.Context) error {
	fixed, err := d.store.FixedFindings(ctx)
	if err != nil {
		return err
	}
	clear(d.findings.fixed)
	for _, f := range fixed {
		d.findings.fixed[findingKey{f.Project, f.Key}] = f.FixedIn
	}
	return nil
}

// detect runs the detectors over a batch on all cores.
func (d *Digester) detect(ctx context.Context, b *batch) error {
	d.refresh(ctx)
	normalize := func(sql string) (string, uint64) {
		form := d.normalize.Normalize(sql)
		return form.Text, form.Fingerprint
	}
	defaults := detect.Defaults()
	return eachOn(len(b.items), func(i int) error {
		it := b.items[i]
		if len(it.Spans) == 0 {
			return nil
		}
		th, ok := d.settings.thresholds[it.row.Endpoint]
		if !ok {
			th = defaults
		}
		if !detect.Possible(&it.Request, &th) {
			return nil
		}
		it.found, _ = detect.Run(&it.Request, normalize, th)
		it.row.Found = foundBits(it.found)
		return nil
	})
}

// FindingIssues gives the number of the issue that each finding was filed in; 0 for those that were not.
func (r *Requests) FindingIssues(ctx context.Context, project int64, found []detect.Finding) ([]int64, error) {
	numbers := make([]int64, len(found))
	if len(found) == 0 {
		return numbers, nil
	}
	keys := make([][]byte, len(found))
	for i := range found {
		key := findingKeyOf(&found[i])
		keys[i] = key[:]
	}
	byKey, err := r.store.FindingIssues(ctx, project, keys)
	if err != nil {
		return nil, err
	}
	for i := range keys {
		numbers[i] = byKey[[16]byte(keys[i])]
	}
	return numbers, nil
}

// EndpointFindings gives what was found at endpoints, the most wasteful first.
func (r *Requests) EndpointFindings(ctx context.Context, endpoints []int32) ([]store.FindingRow, error) {
	return r.store.EndpointFindings(ctx, endpoints)
}

// fixedAfter is how many requests of a newer release must have come without a finding until it counts as gone.
const fixedAfter = 20

// ResolveFixed resolves the issues of findings that a newer release has not: at least fixedAfter requests of it came to the
// endpoint, and it was in none of them.
func (r *Requests) ResolveFixed(ctx context.Context) (int, error) {
	open, err := r.store.OpenFindings(ctx)
	if err != nil || len(open) == 0 {
		return 0, err
	}
	newer, err := r.store.NewerReleases(ctx, open, fixedAfter)
	if err != nil || len(newer) == 0 {
		return 0, err
	}
	var issues, activity []int64
	for _, f := range newer {
		issues, activity = append(issues, f.Issue), append(activity, r.ids.Next())
	}
	if err := r.store.NoteFixed(ctx, newer); err != nil {
		return 0, err
	}
	changed, err := r.store.SetStatus(ctx, issues, activity, model.Resolved, 0)
	return len(changed), err
}
