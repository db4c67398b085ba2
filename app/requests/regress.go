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
	if err := d.flipped(ctx, b, now); err != nil {
		return err
	}
	rows, err := d.store.ReleasedSums(ctx, now.Add(-regressOver).Truncate(time.Hour), now)
	if err != nil {
		return err
	}
	pairs, err := newestTwo(rows)
	if err != nil {
		return err
	}
	pairs = d.comparable(pairs)
	if len(pairs) == 0 {
		return nil
	}
	endpoints, labels, err := d.namesOf(ctx, pairs)
	if err != nil {
		return err
	}
	for _, p := range pairs {
		if err := d.compareReleases(b, p, endpoints[p[1].endpoint], labels[p[1].id].Value, now); err != nil {
			return err
		}
	}
	return nil
}

// comparable leaves pairs out that were found slower already, or have too few requests.
func (d *Digester) comparable(pairs [][2]release) [][2]release {
	return slices.DeleteFunc(pairs, func(p [2]release) bool {
		return d.regressed[[2]int32{p[1].endpoint, p[1].id}] || min(p[0].sum.Seen, p[1].sum.Seen) < int64(d.thresholds(p[1].endpoint).RegressionRequests)
	})
}

func (d *Digester) thresholds(endpoint int32) detect.Thresholds {
	if th, ok := d.settings.thresholds[endpoint]; ok {
		return th
	}
	return detect.Defaults()
}

// namesOf gives the names of what is compared: two statements, however many pairs there are.
func (d *Digester) namesOf(ctx context.Context, pairs [][2]release) (map[int32]model.Endpoint, map[int32]model.Label, error) {
	var endpointIDs, labelIDs []int32
	for _, p := range pairs {
		endpointIDs, labelIDs = append(endpointIDs, p[1].endpoint), append(labelIDs, p[1].id)
	}
	endpoints, err := d.store.Endpoints(ctx, 0, endpointIDs)
	if err != nil {
		return nil, nil, err
	}
	labels, err := d.store.Labels(ctx, 0, compact(labelIDs))
	return endpoints, labels, err
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
func (d *Digester) compareReleases(b *batch, p [2]release, e model.Endpoint, name string, now time.Time) error {
	before, after := p[0], p[1]
	it := &item{Request: trace.Request{Name: e.Name, Method: e.Method, Release: name, Start: now}, project: after.project, received: now,
		row: model.RequestRow{Endpoint: after.endpoint, Release: after.id}}
	found, _ := detect.Compare(distribution(before.sum), distribution(after.sum), detect.Change{Endpoint: detect.Endpoint(&it.Request), By: "release",
		To: "release " + name}, d.thresholds(after.endpoint))
	if found == nil {
		return nil
	}
	d.regressed[[2]int32{after.endpoint, after.id}] = true
	return d.fileRegression(b, it, found, int64(it.row.Release))
}

// fileRegression files what a change did; the same change is filed once, by its number.
func (d *Digester) fileRegression(b *batch, it *item, f *detect.Finding, change int64) error {
	key := findingKeyOf(f)
	e := model.FindingEvent{ID: d.ids.Next(), Project: it.project, Received: it.received,
		EventID: md5.Sum(fmt.Appendf(nil, "%x %d %d", key, it.row.Endpoint, change))}
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
		Release: it.row.Release, N: 1, Wasted: f.Wasted, Evidence: inWords(f)})
	return nil
}
