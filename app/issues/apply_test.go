package issues

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"kibitz/app/db"
	"kibitz/app/db/dbtest"
	"kibitz/app/errs"
	"kibitz/app/model"
	"kibitz/app/store"
	"kibitz/ingest"
)

// director is a mover that rehearses and applies.
type director struct {
	*mover
	rehearsals *Rehearsals
}

func newDirector(t *testing.T, d *db.DB) *director {
	m := newMover(t, d)
	return &director{m, NewRehearsals(m.store, m.groupings, m.refiles, m.ids, slog.New(slog.DiscardHandler))}
}

// newRules merge a and b, split the fatal ones of c off, and leave d alone.
const newRules = `message:"fault of a" -> ab
message:"fault of b" -> ab
message:"fault of c" level:fatal -> c, fatal title="fault of c, fatal"
`

// rehearsed is a finished rehearsal of a draft.
func (d *director) rehearsed(g model.Grouping) model.Rehearsal {
	d.t.Helper()
	return d.desk.run(d.rehearsals, g)
}

func (d *director) apply(of model.Rehearsal) model.Refile {
	d.t.Helper()
	r, err := d.rehearsals.Apply(d.ctx, of.ID, 5)
	d.must(err)
	d.run()
	return d.state(r)
}

// everything is all that is counted and bound, in words, without issues that are hidden and empty.
func (d *director) everything() []string {
	d.t.Helper()
	return d.lines(`SELECT concat_ws(' ', 'issue', id, events, users, first_seen, last_seen, first_release, last_release, merged_into) FROM issue
			WHERE deleted_at IS NULL AND (merged_into IS NULL OR events > 0)
		UNION ALL SELECT concat_ws(' ', 'stat', issue_id, bucket, level, n) FROM issue_stat
		UNION ALL SELECT concat_ws(' ', 'tag', issue_id, key, value, n) FROM issue_tag
		UNION ALL SELECT concat_ws(' ', 'user', issue_id, user_hash, n) FROM issue_user
		UNION ALL SELECT concat_ws(' ', 'hash', hash, issue_id) FROM issue_hash
		UNION ALL SELECT concat_ws(' ', 'event', id, issue_id, hash) FROM event ORDER BY 1`)
}

// TestApply holds that a rehearsal comes true, that new events go where those of the past went, and that undoing it gives
// back every counter, hash, event and the rules.
func TestApply(t *testing.T) {
	t.Parallel()
	dbtest.Both(t, func(t *testing.T, pg *db.DB) {
		d := newDirector(t, pg)
		for i, group := range []string{"a", "b", "c", "d"} {
			d.faults(group, 0, 60+30*i)
		}
		before := d.everything()
		of := d.rehearsed(draft(newRules))
		if of.Result == nil || of.Result.Moved != 60+40 || of.Result.SplitCount != 1 || of.Result.MergeCount != 1 {
			t.Fatalf("rehearsed %+v", of)
		}
		b := d.issue("b")
		r := d.apply(of)
		if r.State != model.JobDone || r.Kind != model.RefileRegroup || r.AccountID != 5 {
			t.Errorf("the refiling is %+v", r)
		}
		d.wantListed("b: 150", "c, fatal: 40", "c: 80", "d: 150")
		d.sound()
		if now := d.issue("b"); now.ID != b.ID {
			t.Error("the larger issue does not keep its place")
		}
		if g, err := d.groupings.Current(d.ctx, d.project.ID); err != nil || g.Version != 1 || g.FingerprintRules != newRules || !strings.Contains(g.Note, "applied rehearsal") {
			t.Errorf("the grouping is %+v %v", g, err)
		}
		d.undo(r)
		d.same("undone", d.everything(), before)
		if g, err := d.groupings.Current(d.ctx, d.project.ID); err != nil || g.Version != 2 || g.FingerprintRules != "" || !strings.Contains(g.Note, "undid") {
			t.Errorf("after undoing the grouping is %+v %v", g, err)
		}
		again := d.rehearsed(draft(newRules))
		d.apply(again)
		for i, group := range []string{"a", "b", "c", "d"} {
			d.faults(group, 300, 303+i)
		}
		d.wantListed("b: 157", "c, fatal: 41", "c: 84", "d: 156")
		d.sound()
	})
}

// TestApplyRefused holds when a rehearsal cannot be applied: before it has a result, twice, and after other rules.
func TestApplyRefused(t *testing.T) {
	t.Parallel()
	d := newDirector(t, dbtest.New(t))
	d.faults("a", 0, 5)
	open, err := d.rehearsals.Start(d.ctx, d.project.ID, 1, draft(newRules), time.Now().Add(-time.Hour))
	d.must(err)
	refused := func(what string, id int64, text string) {
		t.Helper()
		if _, err := d.rehearsals.Apply(d.ctx, id, 1); errs.Of(err) != errs.Conflict || !strings.Contains(errs.Message(err), text) {
			t.Errorf("%s: %v", what, err)
		}
	}
	refused("without a result", open.ID, "no result yet")
	of, late := d.rehearsed(draft(newRules)), d.rehearsed(draft(newRules))
	r := d.apply(of)
	refused("twice", of.ID, "changed since")
	refused("after another", late.ID, "from version 0 to 1")
	_, err = d.groupings.Save(d.ctx, d.project.ID, 1, 1, draft("message:x -> y"))
	d.must(err)
	if _, err := d.refiles.Undo(d.ctx, r.ID, 1); errs.Of(err) != errs.Conflict || !strings.Contains(errs.Message(err), "Restore version 1") {
		t.Errorf("undone after others changed the rules: %v", err)
	}
	_, err = d.groupings.Restore(d.ctx, d.project.ID, 1, 1)
	d.must(err)
	d.undo(r)
}

// TestApplyOvertaken holds that a change of the rules between the application and its job ends it, with a reason, and
// that nothing has moved.
func TestApplyOvertaken(t *testing.T) {
	t.Parallel()
	d := newDirector(t, dbtest.New(t))
	d.faults("a", 0, 5)
	d.faults("b", 0, 5)
	of := d.rehearsed(draft(newRules))
	r, err := d.rehearsals.Apply(d.ctx, of.ID, 1)
	d.must(err)
	before := d.everything()
	_, err = d.groupings.Save(d.ctx, d.project.ID, 1, 0, draft("message:x -> y"))
	d.must(err)
	if err := d.refiles.round(d.ctx); err != nil { // the job has ended: nothing is to be tried again
		t.Errorf("the round says %v", err)
	}
	if r = d.state(r); r.State != model.JobFailed || !strings.Contains(r.Error, "changed since the rehearsal") {
		t.Errorf("the refiling is %+v", r)
	}
	d.same("after a refusal", d.everything(), before)
}

// TestApplyWhileDigesting applies and undoes while another goroutine digests: every event is where its hash leads, and
// every counter is what a recount gives.
func TestApplyWhileDigesting(t *testing.T) {
	t.Parallel()
	dbtest.Both(t, func(t *testing.T, pg *db.DB) {
		d := newDirector(t, pg)
		groups := []string{"a", "b", "c", "d"}
		for i, g := range groups {
			d.faults(g, i, i+60)
		}
		digesting, stop := sync.WaitGroup{}, make(chan struct{})
		stored := 240
		of := d.rehearsed(draft(newRules))
		digesting.Go(func() {
			for n := 0; ; n++ {
				select {
				case <-stop:
					return
				default:
				}
				var records []ingest.Record
				for i := range 20 {
					records = append(records, d.fault(groups[(n+i)%4], n+i))
				}
				if err := d.write(records...); err != nil {
					t.Error(err)
					return
				}
				stored += len(records)
			}
		})
		r := d.apply(of)
		close(stop)
		digesting.Wait()
		d.sound()
		var sum int64
		for _, row := range d.list("all") {
			sum += row.Issue.Events
		}
		if r.State != model.JobDone || sum != int64(stored) || len(d.listed()) != 4 {
			t.Errorf("%+v: %d events of %d in %q", r, sum, stored, d.listed())
		}
		same := d.rehearsed(draft(newRules))
		if same.Result.Moved != 0 {
			t.Errorf("a rehearsal of the same rules would move %d: %+v", same.Result.Moved, same.Result)
		}
	})
}

// TestApplyThenRules holds that an event which rules of a later version filed keeps their group, though the job of an
// application comes by after it.
func TestApplyThenRules(t *testing.T) {
	t.Parallel()
	d := newDirector(t, dbtest.New(t))
	d.faults("a", 0, 5)
	d.faults("b", 0, 6)
	of := d.rehearsed(draft(newRules))
	_, err := d.rehearsals.Apply(d.ctx, of.ID, 5)
	d.must(err)
	held, err := d.store.HoldRefiles(d.ctx, d.project.ID, func(ctx context.Context) error {
		job, _, err := d.store.NextRefile(ctx, d.project.ID)
		if err == nil {
			err = d.rehearsals.regroup(ctx, &job)
		}
		if !errors.Is(err, store.ErrRefileMoved) {
			t.Errorf("it does not make room for others: %v", err)
		}
		return nil
	})
	if d.must(err); !held {
		t.Fatal("somebody else works")
	}
	_, err = d.groupings.Save(d.ctx, d.project.ID, 1, 1, draft(`message:"fault of a" -> alone`+"\n"))
	d.must(err)
	bound := time.Now()
	d.waitFor("clocks agree", func() bool { return time.Since(bound) > clockSlack })
	d.faults("a", 7, 8)
	d.run()
	d.wantListed("a: 1", "b: 11")
	d.sound()
}

// TestApplyKilled ends the job after each of its transactions, as a kill would: the next one goes on and counts nothing twice.
func TestApplyKilled(t *testing.T) {
	t.Parallel()
	d := newDirector(t, dbtest.New(t))
	for _, group := range []string{"a", "b", "c"} {
		d.faults(group, 0, 600)
	}
	before := d.everything()
	of := d.rehearsed(draft(newRules))
	r, err := d.rehearsals.Apply(d.ctx, of.ID, 5)
	d.must(err)
	kill := func() (steps int) {
		for {
			ctx, cancel := context.WithCancel(d.ctx)
			refiles := NewRefiles(d.store, d.groupings, d.ids, slog.New(afterBatch{slog.DiscardHandler, cancel}))
			NewRehearsals(d.store, d.groupings, refiles, d.ids, d.rehearsals.log)
			err := refiles.round(ctx)
			cancel()
			if err == nil {
				return steps
			}
			if !errors.Is(err, context.Canceled) {
				t.Fatal(err)
			}
			steps++
		}
	}
	if n := kill(); n < 4 {
		t.Errorf("%d steps", n)
	}
	d.wantListed("a: 1200", "c, fatal: 200", "c: 400")
	d.sound()
	_, err = d.refiles.Undo(d.ctx, r.ID, 5)
	d.must(err)
	kill()
	d.same("undone", d.everything(), before)
}

// TestApplyOlder holds that the events from before the window follow a hash that goes elsewhere, and that an issue which
// keeps some of them stays.
func TestApplyOlder(t *testing.T) {
	t.Parallel()
	d := newDirector(t, dbtest.New(t))
	d.faults("a", 0, 30)
	d.faults("b", 0, 10)
	d.pass()
	since := time.Now()
	d.faults("a", 30, 35)
	d.faults("b", 10, 30)
	d.pass()
	job, err := d.rehearsals.Start(d.ctx, d.project.ID, 1, draft(newRules), since)
	d.must(err)
	d.must(d.drive(d.rehearsals))
	if job, err = d.rehearsals.Get(d.ctx, job.ID); err != nil || job.Result.Events != 25 {
		t.Fatalf("rehearsed %+v %v", job, err)
	}
	d.apply(job)
	d.wantListed("a: 30", "b: 35")
	d.sound()
}

// TestMergedStay holds that what people merged stays together whatever the rules say, that what they deleted stays away,
// and that a rehearsal of the present rules moves nothing then.
func TestMergedStay(t *testing.T) {
	t.Parallel()
	d := newDirector(t, dbtest.New(t))
	for _, group := range []string{"a", "b", "c", "d"} {
		d.faults(group, 0, 12)
	}
	d.merge(d.issue("d"), d.issue("c"))
	d.run()
	_, err := d.refiles.Delete(d.ctx, []int64{d.issue("a").ID}, true, 5)
	d.must(err)
	of := d.rehearsed(draft(""))
	if got := of.Result; got.Moved != 0 || got.Events != 36 || got.IssuesAfter != 2 {
		t.Errorf("the present rules: %+v", got)
	}
	d.apply(of)
	d.faults("c", 12, 14)
	d.wantListed("b: 12", "d: 26")
	d.sound()
}

// TestApplyConfig holds that another configuration can be applied, and that every event carries its new hash.
func TestApplyConfig(t *testing.T) {
	t.Parallel()
	d := newDirector(t, dbtest.New(t))
	_, err := d.groupings.Save(d.ctx, d.project.ID, 1, 0, model.Grouping{Config: "newstyle:2023-01-11"})
	d.must(err)
	var records []ingest.Record
	for n := range 6 {
		records = append(records, d.record(byte(n), fmt.Sprintf(`{"message":"x","fingerprint":["{{ nothing }}","%d"]}`, n%2)))
	}
	d.must(d.write(records...))
	d.apply(d.rehearsed(draft("")))
	d.sound()
	if rows := d.list("all"); len(rows) != 2 || rows[0].Issue.Events != 3 || rows[0].Issue.Config != "newstyle:2023-01-11" {
		t.Errorf("listed are %+v", rows)
	}
	if n := d.lines(`SELECT count(DISTINCT config)::text FROM issue_hash`)[0]; n != "2" {
		t.Errorf("hashes of %s configurations", n)
	}
}

// TestApplyLate holds that an event which the old version filed after the job had looked at later ones gets the group that
// the new version gives it, and that this is undone with the rest.
func TestApplyLate(t *testing.T) {
	t.Parallel()
	d := newDirector(t, dbtest.New(t))
	d.faults("e", 0, 3)
	d.pass()
	since := time.Now()
	d.faults("a", 0, 5)
	d.faults("b", 0, 6)
	before := d.everything()
	of := d.rehearsed(draft(newRules + `message:"fault of e" -> late`))
	r, err := d.rehearsals.Apply(d.ctx, of.ID, 5)
	d.must(err)
	held, err := d.store.HoldRefiles(d.ctx, d.project.ID, func(ctx context.Context) error {
		job, _, err := d.store.NextRefile(ctx, d.project.ID)
		if err != nil {
			return err
		}
		blind := of
		blind.Since = since // so that the events of e are new to what follows
		setup, err := setupOf(model.Grouping{Config: of.Config, FingerprintRules: of.FingerprintRules})
		if err != nil {
			return err
		}
		return d.rehearsals.bind(ctx, &job, blind, setup)
	})
	if d.must(err); !held {
		t.Fatal("somebody else works")
	}
	d.run()
	d.wantListed("b: 11", "e: 3")
	d.sound()
	d.undo(r)
	d.same("undone", d.everything(), before)
}

// TestApplyAtOnce holds that of several people who apply a rehearsal at the same moment one does, and that it can be undone.
func TestApplyAtOnce(t *testing.T) {
	t.Parallel()
	d := newDirector(t, dbtest.New(t))
	d.faults("a", 0, 5)
	d.faults("b", 0, 6)
	before := d.everything()
	of := d.rehearsed(draft(newRules))
	var all sync.WaitGroup
	made, refused := make(chan model.Refile, 2), make(chan error, 2)
	d.must(d.db.Tx(d.ctx, db.Key{Part: db.Ops}, func(tx pgx.Tx) error {
		if _, err := tx.Exec(d.ctx, `SELECT FROM rehearsal WHERE id = $1 FOR UPDATE`, of.ID); err != nil {
			return err
		}
		for range cap(made) {
			all.Go(func() {
				if r, err := d.rehearsals.Apply(d.ctx, of.ID, 5); err != nil {
					refused <- err
				} else {
					made <- r
				}
			})
		}
		d.waitFor("both wait for the rehearsal", func() bool {
			return len(d.lines(`SELECT pid::text FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'`)) == cap(made)
		})
		return nil
	}))
	all.Wait()
	if len(made) != 1 {
		t.Fatalf("%d of %d applied it", len(made), cap(made))
	}
	for range len(refused) {
		if err := <-refused; errs.Of(err) != errs.Conflict {
			t.Errorf("the others are told %v", err)
		}
	}
	d.run()
	d.wantListed("b: 11")
	d.undo(<-made)
	d.same("undone", d.everything(), before)
}

// TestSplitBeforeBind holds that what is split between the application of a rehearsal and its job is moved before, with its
// events, and is undone after: the order is that in which hashes moved, not that in which people asked.
func TestSplitBeforeBind(t *testing.T) {
	t.Parallel()
	d := newDirector(t, dbtest.New(t))
	d.faults("c", 0, 5)
	d.faults("d", 0, 9)
	d.merge(d.issue("d"), d.issue("c"))
	d.run()
	d.pass()
	since := time.Now()
	d.faults("a", 0, 20)
	d.faults("c", 5, 7)
	d.pass()
	before := d.everything()
	of, err := d.rehearsals.Start(d.ctx, d.project.ID, 1, draft(`message:"fault of a" -> c`+"\n"), since)
	d.must(err)
	d.must(d.drive(d.rehearsals))
	applied, err := d.rehearsals.Apply(d.ctx, of.ID, 5)
	d.must(err)
	hash := d.lines(`SELECT encode(hash, 'hex') FROM event WHERE title = 'fault of c' LIMIT 1`)[0]
	split, err := d.refiles.Split(d.ctx, d.issue("d").ID, []string{hash}, 5)
	d.must(err)
	d.run()
	d.wantListed("a: 27", "d: 9")
	d.sound()
	if _, err := d.refiles.Undo(d.ctx, split.ID, 5); errs.Of(err) != errs.Conflict || !strings.Contains(errs.Message(err), "Undo that one first") {
		t.Errorf("the split is undone below the regrouping: %v", err)
	}
	d.undo(applied)
	d.wantListed("a: 20", "c: 7", "d: 9")
	d.undo(split)
	d.same("undone", d.everything(), before)
}

// TestMergeIntoEmptied holds that an issue which a regrouping empties stays when others are merged into it meanwhile.
func TestMergeIntoEmptied(t *testing.T) {
	t.Parallel()
	d := newDirector(t, dbtest.New(t))
	d.faults("c", 0, 7)
	d.pass()
	since := time.Now()
	d.faults("a", 0, 9)
	d.faults("b", 0, 8)
	d.pass()
	before := d.everything()
	of, err := d.rehearsals.Start(d.ctx, d.project.ID, 1, draft(`message:"fault of b" -> a`+"\n"), since)
	d.must(err)
	d.must(d.drive(d.rehearsals))
	applied, err := d.rehearsals.Apply(d.ctx, of.ID, 5)
	d.must(err)
	var merged model.Refile
	held, err := d.store.HoldRefiles(d.ctx, d.project.ID, func(ctx context.Context) error {
		job, _, err := d.store.NextRefile(ctx, d.project.ID)
		if err != nil {
			return err
		}
		if of, err = d.rehearsals.Get(ctx, of.ID); err != nil {
			return err
		}
		setup, err := setupOf(model.Grouping{Config: of.Config, FingerprintRules: of.FingerprintRules})
		if err != nil {
			return err
		}
		if err := d.rehearsals.bind(ctx, &job, of, setup); err != nil {
			return err
		}
		merged = d.merge(d.issue("b"), d.issue("c"))
		return nil
	})
	if d.must(err); !held {
		t.Fatal("somebody else works")
	}
	d.run()
	d.wantListed("a: 17", "b: 7")
	d.sound()
	d.undo(merged)
	d.undo(applied)
	d.same("undone", d.everything(), before)
}
