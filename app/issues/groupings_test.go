package issues

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"strings"
	"sync"
	"testing"
	"time"

	"kibitz/app/db"
	"kibitz/app/db/dbtest"
	"kibitz/app/errs"
	"kibitz/app/model"
	"kibitz/app/store"
	"kibitz/grouping"
	"kibitz/ingest"
)

// draft is a grouping of the present configuration with fingerprint rules.
func draft(fingerprints string) model.Grouping {
	return model.Grouping{Config: string(grouping.Current), FingerprintRules: fingerprints}
}

// TestGroupingVersions holds saving, the conflict of two who save, the history and restoring.
func TestGroupingVersions(t *testing.T) {
	t.Parallel()
	dbtest.Both(t, func(t *testing.T, d *db.DB) {
		k := newDesk(t, d)
		g, project := k.groupings, k.project.ID
		now, err := g.Current(k.ctx, project)
		if k.must(err); now.Version != 0 || now.Config != string(grouping.Current) {
			t.Errorf("a project begins with %+v", now)
		}
		first, err := g.Save(k.ctx, project, 7, 0, draft(`message:"a*" -> a`))
		if k.must(err); first.Version != 1 || first.AccountID != 7 || first.At.IsZero() || first.Note != "edited" {
			t.Errorf("saved %+v", first)
		}
		if _, err := g.Save(k.ctx, project, 8, 0, draft("")); errs.Of(err) != errs.Conflict {
			t.Errorf("a second editor of version 0: %v", err)
		}
		if _, err := g.Save(k.ctx, project, 7, 1, draft(`message:"a*" -> b`)); err != nil {
			t.Error(err)
		}
		back, err := g.Restore(k.ctx, project, 7, 1)
		if k.must(err); back.Version != 3 || back.FingerprintRules != first.FingerprintRules || back.Note != "restored version 1" {
			t.Errorf("restored %+v", back)
		}
		history, err := g.History(k.ctx, project, 10)
		if k.must(err); len(history) != 3 || history[0].Version != 3 || history[2].FingerprintRules != first.FingerprintRules {
			t.Errorf("the history is %+v", history)
		}
		if s := g.Setup(project); s.Version != 3 || s.Primary.Rules == nil {
			t.Errorf("in memory is %+v", s)
		}
		if none, err := g.Restore(k.ctx, project, 7, 0); err != nil || none.Version != 4 || none.FingerprintRules != "" {
			t.Errorf("restored the beginning: %+v %v", none, err)
		}
	})
}

// TestGroupingRefused holds that what cannot be used is refused with its line or its limit, and saves nothing.
func TestGroupingRefused(t *testing.T) {
	t.Parallel()
	k := newDesk(t, dbtest.New(t))
	many := strings.Repeat("message:x -> y\n", 100_000)
	for name, c := range map[string]struct {
		draft model.Grouping
		text  string
	}{
		"a rule without an arrow": {draft("message:x -> y\nmessage:x"), "line 2"},
		"too many rules":          {draft(many), "rules"},
		"an unknown matcher":      {model.Grouping{Config: string(grouping.Current), StackRules: "functoin:x -app"}, "functoin"},
		"an unknown config":       {model.Grouping{Config: "newstyle:1999-01-01"}, "newstyle:1999-01-01"},
		"a NUL":                   {draft("message:\"\x00\" -> y"), "not text"},
	} {
		_, err := k.groupings.Save(k.ctx, k.project.ID, 1, 0, c.draft)
		if errs.Of(err) != errs.Unprocessable || !strings.Contains(errs.Message(err), c.text) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if history, err := k.groupings.History(k.ctx, k.project.ID, 1); err != nil || len(history) != 0 {
		t.Errorf("%+v %v", history, err)
	}
}

// TestSecondaryConfig holds that a change of the configuration keeps looking for the groups of the old one for 90 days, and
// a change of the rules alone does not begin that again.
func TestSecondaryConfig(t *testing.T) {
	t.Parallel()
	k := newDesk(t, dbtest.New(t))
	older := model.Grouping{Config: string(grouping.Newstyle2023)}
	_, err := k.groupings.Save(k.ctx, k.project.ID, 1, 0, older)
	k.must(err)
	newer, err := k.groupings.Save(k.ctx, k.project.ID, 1, 1, draft(""))
	k.must(err)
	if s := k.groupings.Setup(k.project.ID); s.Primary.Config != grouping.Newstyle2026 || s.Secondary == nil || s.Secondary.Config != grouping.Newstyle2023 {
		t.Errorf("after the change: %+v", s)
	}
	edited, err := k.groupings.Save(k.ctx, k.project.ID, 1, 2, draft("message:x -> y"))
	if k.must(err); !edited.SecondaryUntil.Equal(newer.SecondaryUntil) || time.Until(newer.SecondaryUntil) < 89*24*time.Hour {
		t.Errorf("until %s, then until %s", newer.SecondaryUntil, edited.SecondaryUntil)
	}
}

// TestSharpEdge changes the rules again and again while events are digested by one whose memory is always behind. No
// batch is filed by two versions, and none that began after a version was saved by an older one.
func TestSharpEdge(t *testing.T) {
	t.Parallel()
	dbtest.Both(t, func(t *testing.T, d *db.DB) {
		k := newDesk(t, d)
		stale := NewGroupings(k.store, slog.New(slog.NewTextHandler(io.Discard, nil)))
		digester, err := NewDigester(k.store, stale, nil, NewHub(), k.groupings.log)
		k.must(err)
		const versions, size = 12, 5
		var mu sync.Mutex
		saved, begun, done := int64(0), map[string]int64{}, make(chan error, 1)
		wrote := make(chan struct{}, 1) // a batch has ended since the last save
		go func() {
			for v := range int64(versions) {
				<-wrote
				_, err := k.groupings.Save(k.ctx, k.project.ID, 1, v, draft(fmt.Sprintf(`message:"*" -> v%d title="v%d"`, v+1, v+1)))
				if err != nil {
					done <- err
					return
				}
				mu.Lock()
				saved = v + 1
				mu.Unlock()
			}
			done <- nil
		}()
		at := ingest.Position{}
		for batch, ended := 0, false; !ended; batch++ {
			select {
			case err := <-done:
				k.must(err)
				ended = true // and one batch more
			default:
			}
			var records []ingest.Record
			for i := range size {
				r := k.record(byte(i), message(fmt.Sprintf("batch %d event %d", batch, i)))
				r.EventID[2], r.EventID[3] = byte(batch), byte(batch>>8)
				records = append(records, r)
			}
			mu.Lock()
			begun[fmt.Sprint(batch)] = saved
			mu.Unlock()
			to := ingest.Position{Segment: 1, Offset: at.Offset + 1}
			k.must(digester.Write(k.ctx, ingest.Batch{Node: "n", From: at, To: to, Records: records}))
			at = to
			select {
			case wrote <- struct{}{}:
			default:
			}
		}
		checkEdge(k, begun, versions)
	})
}

// checkEdge reads by which version each event was filed: its issue's title says it, or its own when there were no rules.
func checkEdge(k *desk, begun map[string]int64, last int64) {
	k.t.Helper()
	batches := map[string]int64{}
	for _, row := range k.list("all") {
		var version int64
		fmt.Sscanf(row.Issue.Title, "v%d", &version)
		events, err := k.issues.Events(k.ctx, row.Issue, 0, 0, 10_000)
		k.must(err)
		for _, e := range events {
			_, ev, err := k.issues.ProjectEvent(k.ctx, k.project.ID, e.EventID)
			k.must(err)
			batch := strings.Fields(ev.Message.Formatted)[1]
			if was, ok := batches[batch]; ok && was != version {
				k.t.Errorf("batch %s was filed by versions %d and %d", batch, was, version)
			}
			if batches[batch] = version; version < begun[batch] {
				k.t.Errorf("batch %s began after version %d and was filed by %d", batch, begun[batch], version)
			}
		}
	}
	if end := batches[fmt.Sprint(len(batches)-1)]; len(batches) != len(begun) || end != last {
		k.t.Errorf("%d of %d batches, the last by version %d", len(batches), len(begun), end)
	}
}

// TestSecondaryHash holds, in the store, that hashes of an older configuration find a group, that the new ones are bound
// to it, and that they are asked for only when they are needed.
func TestSecondaryHash(t *testing.T) {
	t.Parallel()
	k := newDesk(t, dbtest.New(t))
	asked := 0
	save := func(n byte, config string, hash, older [16]byte) store.Digested {
		e := store.NewEvent{ID: k.ids.Next(), ProjectID: k.project.ID, EventID: [16]byte{n}, Received: time.Now(), Timestamp: time.Now(), Level: "error",
			Title: config, Body: []byte{}, Hashes: [][16]byte{hash}, Config: config, Secondary: func() [][16]byte { asked++; return [][16]byte{older} }}
		out, err := k.store.SaveDigest(k.ctx, store.Digest{Move: store.SpoolMove{Node: "n", FromPos: k.at.Offset, ToPos: k.at.Offset + 1},
			Events: []store.NewEvent{e}, Versions: map[int64]int64{k.project.ID: 0}})
		k.must(err)
		k.at.Offset++
		return out
	}
	old, primary, second := [16]byte{1}, [16]byte{2}, [16]byte{3}
	save(1, "old", old, [16]byte{9})
	for n, hash := range [][16]byte{primary, second, primary, second} {
		if out := save(byte(2+n), "new", hash, old); len(out.NewIssues) != 0 || len(out.Regressed) != 0 || out.Stored != 1 {
			t.Errorf("event %d: %+v", n, out)
		}
	}
	if rows := k.list("all"); len(rows) != 1 || rows[0].Issue.Events != 5 || rows[0].Issue.Config != "old" {
		t.Errorf("got %+v", rows)
	}
	if asked != 3 {
		t.Errorf("%d times asked for older hashes; 3 events had no group", asked)
	}
}

// TestUpgrade holds that events which 2023 grouped find their issue after the project went over to 2026, whose hashes of
// them differ.
func TestUpgrade(t *testing.T) {
	t.Parallel()
	dbtest.Both(t, func(t *testing.T, d *db.DB) {
		k := newDesk(t, d)
		_, err := k.groupings.Save(k.ctx, k.project.ID, 1, 0, model.Grouping{Config: string(grouping.Newstyle2023)})
		k.must(err)
		bodies := []string{`{"message":"one","fingerprint":["{{ nothing }}", "one"]}`, `{"message":"two","fingerprint":["{{ nothing }}", "two"]}`}
		k.must(k.write(k.record(1, bodies[0]), k.record(2, bodies[1])))
		before := k.list("all")
		_, err = k.groupings.Save(k.ctx, k.project.ID, 1, 1, draft(""))
		k.must(err)
		k.must(k.write(k.record(3, bodies[0]), k.record(4, bodies[1]), k.record(5, bodies[1])))
		k.must(k.write(k.record(6, bodies[1]), k.record(7, `{"message":"three"}`)))
		after := map[string]model.Issue{}
		for _, row := range k.list("all") {
			after[row.Issue.Title] = row.Issue
		}
		if len(after) != 3 || after["one"].Events != 2 || after["two"].Events != 4 || after["three"].Config != string(grouping.Newstyle2026) {
			t.Errorf("after the upgrade: %+v", after)
		}
		for _, row := range before {
			if now := after[row.Issue.Title]; now.ID != row.Issue.ID || now.Config != string(grouping.Newstyle2023) {
				t.Errorf("%q is %+v", row.Issue.Title, now)
			}
		}
		detail, err := k.issues.Detail(k.ctx, after["one"], "latest", time.Now())
		if k.must(err); detail.Grouping.Config != grouping.Newstyle2026 || detail.Grouping.Hashes()[0] == after["one"].Hash {
			t.Errorf("the page explains %s by %v", detail.Issue.Hash, detail.Grouping.Hashes())
		}
	})
}

// TestGroupingsOffline holds that the last known groupings stay when the database goes away.
func TestGroupingsOffline(t *testing.T) {
	t.Parallel()
	d := dbtest.New(t)
	k := newDesk(t, d)
	_, err := k.groupings.Save(k.ctx, k.project.ID, 1, 0, draft("message:x -> y"))
	k.must(err)
	ended, cancel := context.WithCancel(k.ctx)
	cancel()
	if err := k.groupings.Refresh(ended); err == nil {
		t.Error("a refresh without a database succeeded")
	}
	if s := k.groupings.Setup(k.project.ID); s.Version != 1 || s.Primary.Rules == nil {
		t.Errorf("in memory is %+v", s)
	}
}
