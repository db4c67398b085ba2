package requests

import (
	"context"
	"crypto/md5"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"time"

	"kibitz/app/detect"
	"kibitz/app/model"
	"kibitz/app/store"
	"kibitz/app/trace"
)

const (
	// regressEvery is how often releases are compared.
	regressEvery = 2 * time.Minute
	// regressOver is the stretch of time whose requests are compared.
	regressOver = 24 * time.Hour
)

// release is an endpoint's requests of one release.
type release struct {
	endpoint, id int32
	project      int64
	sum          *Sum
}

// regressions compares each endpoint's newest release with the one before, from time to time, and files what became slower
// beside a batch. The drain does it, so that a finding and its event are stored together as all others are.
func (d *Digester) regressions(ctx context.Context, b *batch, now time.Time) error {
	if now.Sub(d.compared) < regressEvery {
		return nil
	}
	d.compared = now
	rows, err := d.store.ReleasedSums(ctx, now.Add(-regressOver).Truncate(time.Hour), now)
	if err != nil {
		return err
	}
	pairs, err := newestTwo(rows)
	if err != nil {
		return err
	}
	for _, p := range pairs {
		if err := d.compareReleases(ctx, b, p[0], p[1], now); err != nil {
			return err
		}
	}
	return nil
}

// newestTwo gives for each endpoint its newest release and the one before it, older first. Labels of releases have ids in
// the order in which they first appeared.
func newestTwo(rows []store.EndpointRollup) (pairs [][2]release, err error) {
	byEndpoint := map[int32]map[int32]*release{}
	var order []int32
	for i := range rows {
		r := &rows[i]
		if r.Release == 0 {
			continue
		}
		if byEndpoint[r.Endpoint] == nil {
			byEndpoint[r.Endpoint], order = map[int32]*release{}, append(order, r.Endpoint)
		}
		at := byEndpoint[r.Endpoint][r.Release]
		if at == nil {
			at = &release{r.Endpoint, r.Release, r.Project, NewSum()}
			byEndpoint[r.Endpoint][r.Release] = at
		}
		if err := at.sum.add(r); err != nil {
			return nil, err
		}
	}
	slices.Sort(order)
	for _, endpoint := range order {
		var ids []int32
		for id := range byEndpoint[endpoint] {
			ids = append(ids, id)
		}
		if slices.Sort(ids); len(ids) > 1 {
			pairs = append(pairs, [2]release{*byEndpoint[endpoint][ids[len(ids)-2]], *byEndpoint[endpoint][ids[len(ids)-1]]})
		}
	}
	return pairs, nil
}

func distribution(s *Sum) detect.Distribution {
	return detect.Distribution{N: int(s.Seen), Quantile: func(q float64) time.Duration { return time.Duration(s.Durations.Quantile(q)) * time.Microsecond }}
}

// compareReleases files a regression when the newer release is surely slower. Its event has the same id whichever process
// finds it, and however often.
func (d *Digester) compareReleases(ctx context.Context, b *batch, before, after release, now time.Time) error {
	th, ok := d.settings.thresholds[after.endpoint]
	if !ok {
		th = detect.Defaults()
	}
	key := [2]int32{after.endpoint, after.id}
	if d.regressed[key] || min(before.sum.Seen, after.sum.Seen) < int64(th.RegressionRequests) {
		return nil
	}
	endpoints, err := d.store.Endpoints(ctx, after.project, []int32{after.endpoint})
	if err != nil {
		return err
	}
	labels, err := d.store.Labels(ctx, after.project, []int32{after.id})
	if err != nil {
		return err
	}
	e := endpoints[after.endpoint]
	it := &item{Request: trace.Request{Name: e.Name, Method: e.Method, Release: labels[after.id].Value, Start: now}, project: after.project, received: now,
		row: model.RequestRow{Endpoint: after.endpoint, Release: after.id}}
	found, _ := detect.Compare(distribution(before.sum), distribution(after.sum), detect.Change{Endpoint: detect.Endpoint(&it.Request), By: "release",
		To: "release " + labels[after.id].Value}, th)
	if found == nil {
		return nil
	}
	d.regressed[key] = true
	return d.fileRegression(b, it, found)
}

func (d *Digester) fileRegression(b *batch, it *item, f *detect.Finding) error {
	key := findingKeyOf(f)
	e := model.FindingEvent{ID: d.ids.Next(), Project: it.project, Received: it.received,
		EventID: md5.Sum(fmt.Appendf(nil, "%x %d %d", key, it.row.Endpoint, it.row.Release))}
	event := eventOf(it, f, e.EventID)
	contexts := event["contexts"].(object)
	delete(contexts, "trace")
	contexts["finding"] = object{"endpoint": strings.TrimSpace(it.Method + " " + it.Name), "release": it.Release, "advice": f.Evidence.Suggestion, "wasted": rounded(f.Wasted)}
	body, err := json.Marshal(event)
	if err != nil {
		return fmt.Errorf("cannot write a regression as an event: %w", err)
	}
	e.Body = d.out.EncodeAll(body, nil)
	b.events = append(b.events, e)
	b.seen = append(b.seen, store.FindingSeen{Project: it.project, Key: key, Endpoint: it.row.Endpoint, Kind: string(f.Kind), At: it.received,
		Release: it.row.Release, N: 1, Wasted: f.Wasted})
	return nil
}
