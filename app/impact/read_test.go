package impact

import (
	"context"
	"math"
	"slices"
	"strings"
	"testing"
	"time"

	"kibitz/app/db"
	"kibitz/app/db/dbtest"
	"kibitz/app/store"
	"kibitz/app/switches"
	"kibitz/app/trace"
)

// TestRows holds what a list of switches tells of requests, in one statement, whether or not sums have been merged.
func TestRows(t *testing.T) {
	t.Parallel()
	k := newDesk(t, partly("tea", 50), partly("cart", 50))
	k.now = time.Now().UTC()
	var list []trace.Request
	for n := range 400 {
		q := k.visit(n%100, n%2 == 0 && n%8 == 0, answer("tea", n%2 == 0), trace.Switch{Key: "cart", Variant: "true"})
		if n%2 == 0 {
			q.Duration = 100 * time.Millisecond
		}
		list = append(list, q)
	}
	other := k.visit(1, true, answer("tea", true))
	other.Environment = "staging"
	k.take(append(list, other)...)
	for range 2 {
		k.checkRows()
		if _, err := k.Store.MergeRollups(k.ctx); err != nil {
			t.Fatal(err)
		}
	}
}

func (k *desk) checkRows() {
	k.t.Helper()
	var rows map[string]SwitchImpact
	dbtest.Budget(k.t, k.ctx, 1, func(ctx context.Context) {
		var err error
		if rows, err = k.Rows(ctx, "production", 24*time.Hour); err != nil {
			k.t.Fatal(err)
		}
	})
	tea := rows["tea"].Variants
	if len(rows) != 2 || len(tea) != 2 || !tea[0].On || tea[1].Variant != "off" {
		k.t.Fatalf("the list tells %+v", rows)
	}
	on := tea[0]
	if on.Requests != 200 || on.Failed != 50 || on.Subjects != 50 || math.Abs(on.P95.Seconds()-0.1) > 0.005 || sumAll(on.Spark) != 200 || on.Spark[len(on.Spark)-1]+on.Spark[len(on.Spark)-2] != 200 {
		k.t.Errorf("with it on: %+v", on)
	}
	if b := on.FailedShare(); b.Low > 0.25 || b.High < 0.25 || b.Low < 0.18 || b.High > 0.33 {
		k.t.Errorf("a quarter failed: %+v", b)
	}
	if cart := rows["cart"].Variants[0]; cart.Variant != "on" || cart.Requests != 400 || cart.Subjects != 100 {
		k.t.Errorf("true is on: %+v", cart)
	}
	e, err := k.People(k.ctx, "production", "tea", 24*time.Hour)
	if err != nil || e.Subjects != 100 || e.On != 50 || e.Low > 100 || e.High < 100 {
		k.t.Errorf("it reaches %+v %v", e, err)
	}
	k.checkSeries()
}

func sumAll(list []float64) (sum float64) {
	for _, n := range list {
		sum += n
	}
	return sum
}

func (k *desk) checkSeries() {
	k.t.Helper()
	var series []VariantSeries
	dbtest.Budget(k.t, k.ctx, 1, func(ctx context.Context) {
		var err error
		if series, err = k.Series(ctx, "production", "tea", k.now.Add(-time.Hour), k.now.Add(time.Minute)); err != nil {
			k.t.Fatal(err)
		}
	})
	if len(series) != 2 || series[0].Variant != "on" {
		k.t.Fatalf("the series are %+v", series)
	}
	n, points := 0.0, 0
	for _, p := range series[0].Points {
		if n += p.N; p.N > 0 {
			points++
			if p.P95.Low > p.P95.Value || p.P95.High < p.P95.Value || p.FailedShare.Low > 0.25 || p.FailedShare.High < 0.25 {
				k.t.Errorf("a point is %+v", p)
			}
		}
	}
	if n != 200 || points != 1 {
		k.t.Errorf("%v requests at %d points", n, points)
	}
}

// TestSuspects holds that a switch which makes an error likelier is suspected, by exposures where there are some and else by other
// errors, and that one which everybody has is not.
func TestSuspects(t *testing.T) {
	t.Parallel()
	k := newDesk(t, partly("new_ranking", 10))
	k.now = time.Now().UTC().Add(-time.Minute)
	var list []trace.Request
	for n := range 1000 {
		list = append(list, k.visit(n, false, answer("new_ranking", n%10 == 0), answer("tea", true)))
	}
	k.take(list...)
	for n := range 33 { // 22 of 100 with it, 11 of 900 without
		flags := map[string]string{"new_ranking": "off", "tea": "on", "theme": "light"}
		if n%3 > 0 {
			flags["new_ranking"] = "on"
		}
		if n%11 > 0 {
			flags["theme"] = "dark" // a switch that no request names
		}
		k.fault("cannot rank", n, flags)
	}
	for n := range 60 {
		k.fault("out of tea", n, map[string]string{"theme": []string{"light", "dark"}[n%2]})
	}
	rank := k.issue("cannot rank")
	var got []Suspect
	dbtest.Budget(t, k.ctx, 3, func(ctx context.Context) {
		var err error
		if got, err = k.Suspects(ctx, rank); err != nil {
			t.Fatal(err)
		}
	})
	if len(got) != 2 {
		t.Fatalf("suspected are %+v", got)
	}
	byKey := map[string]Suspect{got[0].Key: got[0], got[1].Key: got[1]}
	if s := byKey["new_ranking"]; s.Ratio.Low > 18 || s.Ratio.High < 18 || s.Exposed != 100 || s.ByErrors || s.Text != "18× more likely with new_ranking on" {
		t.Errorf("suspected is %+v", s)
	}
	if s := byKey["theme"]; !s.ByErrors || s.Variant != "dark" || !strings.Contains(s.Text, "other errors of the project") {
		t.Errorf("suspected is %+v", s)
	}
	k.checkGroups(rank)
}

func (k *desk) checkGroups(want int64) {
	k.t.Helper()
	dbtest.Budget(k.t, k.ctx, 3, func(ctx context.Context) {
		groups, err := k.ErrorGroups(ctx, "production", "new_ranking", k.now.Add(-time.Hour))
		if err != nil || len(groups) != 1 || groups[0].Issue.ID != want || groups[0].Issue.Title == "" || groups[0].Variant != "on" {
			k.t.Errorf("commoner with it are %+v %v", groups, err)
		}
	})
}

// issue is that of a message.
func (k *desk) issue(title string) int64 {
	k.t.Helper()
	var id int64
	if err := k.db.Write(k.ctx, db.Key{Part: db.Ops}).QueryRow(k.ctx, `SELECT id FROM issue WHERE title = $1`, title).Scan(&id); err != nil {
		k.t.Fatal(err)
	}
	return id
}

// TestAsks holds that answers given in process are counted by the minute and the hour, wait for the database, and show in the report
// of stale switches.
func TestAsks(t *testing.T) {
	t.Parallel()
	k := newDesk(t, partly("tea", 50), partly("cart", 50), switches.Switch{Key: "old", State: switches.On, Owner: "shop", RemoveBy: "2020-02-01", Default: "off"})
	now := time.Now().UTC()
	k.Ask("production", "tea", "on", 3)
	k.Ask("production", "tea", "off", 5)
	k.Ask("production", "cart", "on", 1)
	k.Ask("production", strings.Repeat("x", 300), "on", 1)
	away, cancel := context.WithCancel(k.ctx)
	cancel()
	k.Flush(away)
	k.Ask("production", "tea", "on", 4)
	k.Flush(k.ctx)
	k.Flush(k.ctx)
	for _, length := range []time.Duration{time.Hour, 24 * time.Hour} {
		list, err := k.Asks(k.ctx, "production", "tea", now.Add(-length), now.Add(time.Minute))
		if err != nil {
			t.Fatal(err)
		}
		sums := map[string]int64{}
		for _, a := range list {
			sums[a.Variant] += a.N
		}
		if sums["on"] != 7 || sums["off"] != 5 {
			t.Errorf("in %v were asked %v", length, sums)
		}
	}
	stale, err := k.Stale(k.ctx, "production", now.AddDate(0, 0, 29))
	if err != nil {
		t.Fatal(err)
	}
	var keys []string
	for _, s := range stale {
		keys = append(keys, s.Key)
	}
	if !slices.Equal(keys, []string{"cart", "old", "tea"}) {
		t.Errorf("stale are %+v", stale)
	}
}

// TestAsksBounded holds that what waits is bounded and counts stay right.
func TestAsksBounded(t *testing.T) {
	t.Parallel()
	var a asks
	begin := time.Unix(0, 0)
	for minute := range maxAsks + 500 {
		a.add(begin.Add(time.Duration(minute)*time.Minute), "production", "tea", "on", 2)
	}
	a.add(begin, "production", "cart", "on", 7)
	list, lost := a.take()
	var n int64
	for _, one := range list {
		n += one.N
	}
	if len(list) != maxAsks || n != 2*(maxAsks+500) || lost != 7 {
		t.Errorf("%d wait with %d answers, %d lost", len(list), n, lost)
	}
}

// TestStaleOf holds the reasons to remove a switch.
func TestStaleOf(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, 11, 25, 0, 0, 0, 0, time.UTC)
	ago := func(days int) time.Time { return now.AddDate(0, 0, -days) }
	seen := func(variant string, first, last int) store.AnswerSeen {
		return store.AnswerSeen{Key: "tea", Variant: variant, First: ago(first), Last: ago(last)}
	}
	on := switches.Switch{Key: "tea", State: switches.On}
	tests := map[string]struct {
		s       switches.Switch
		seen    []store.AnswerSeen
		changed int // days ago
		want    []StaleWhy
	}{
		"in use":              {partly("tea", 50), []store.AnswerSeen{seen("on", 90, 0), seen("off", 90, 0)}, 90, nil},
		"nobody asks":         {partly("tea", 50), nil, 90, []StaleWhy{NeverAsked}},
		"asked long ago":      {partly("tea", 50), []store.AnswerSeen{seen("on", 90, 15), seen("off", 90, 16)}, 90, []StaleWhy{NeverAsked}},
		"new":                 {partly("tea", 50), nil, 13, nil},
		"one answer":          {on, []store.AnswerSeen{seen("on", 90, 0), seen("off", 90, 31)}, 40, []StaleWhy{OneSided}},
		"true is on":          {on, []store.AnswerSeen{seen("on", 90, 0), seen("true", 90, 0)}, 40, []StaleWhy{OneSided}},
		"one answer, lately":  {on, []store.AnswerSeen{seen("on", 20, 0)}, 20, nil},
		"default differs":     {switches.Switch{Key: "tea", State: switches.On, Default: "false"}, []store.AnswerSeen{seen("on", 5, 0)}, 5, []StaleWhy{DefaultDiffers}},
		"default is the same": {switches.Switch{Key: "tea", State: switches.Off, Default: "false"}, []store.AnswerSeen{seen("off", 5, 0)}, 5, nil},
		"past its date":       {switches.Switch{Key: "tea", State: switches.Partial, RemoveBy: "2026-11-23"}, []store.AnswerSeen{seen("off", 5, 0), seen("on", 5, 0)}, 5, []StaleWhy{PastRemoveBy}},
		"on its date":         {switches.Switch{Key: "tea", State: switches.Partial, RemoveBy: "2026-11-25"}, []store.AnswerSeen{seen("off", 5, 0), seen("on", 5, 0)}, 5, nil},
	}
	for name, test := range tests {
		if got := staleOf(&test.s, test.seen, ago(test.changed), now); !slices.Equal(got.Why, test.want) {
			t.Errorf("%s: %v, not %v", name, got.Why, test.want)
		}
	}
}

// TestCompare holds when an answer is suspect.
func TestCompare(t *testing.T) {
	t.Parallel()
	tests := map[string]struct {
		events, base map[string]float64
		want         bool
	}{
		"eleven times":       {map[string]float64{"on": 55, "off": 45}, map[string]float64{"on": 1000, "off": 9000}, true},
		"as exposed":         {map[string]float64{"on": 10, "off": 90}, map[string]float64{"on": 1000, "off": 9000}, false},
		"only with it":       {map[string]float64{"on": 12}, map[string]float64{"on": 1000, "off": 9000}, true},
		"everybody has it":   {map[string]float64{"on": 100}, map[string]float64{"on": 10_000}, false},
		"too few to be sure": {map[string]float64{"on": 4}, map[string]float64{"on": 10, "off": 10_000}, false},
		"half as often":      {map[string]float64{"on": 50, "off": 1000}, map[string]float64{"on": 1000, "off": 9000}, false},
	}
	for name, test := range tests {
		if s, ok := compare("tea", "on", test.events, test.base, false); ok != test.want {
			t.Errorf("%s: %+v", name, s)
		}
	}
	if s, _ := compare("tea", "on", map[string]float64{"on": 55, "off": 45}, map[string]float64{"on": 1000, "off": 9000}, false); s.Text != "11× more likely with tea on" {
		t.Errorf("it says %q", s.Text)
	}
}
