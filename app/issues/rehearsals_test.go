package issues

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"slices"
	"strings"
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

// rehearser is the use case over a desk.
func (k *desk) rehearser() *Rehearsals {
	return NewRehearsals(k.store, k.groupings, NewRefiles(k.store, k.groupings, k.ids, k.groupings.log), k.ids, k.groupings.log)
}

// waitFor looks until a condition holds.
func (k *desk) waitFor(what string, holds func() bool) {
	k.t.Helper()
	ctx, cancel := context.WithTimeout(k.ctx, 60*time.Second)
	defer cancel()
	for !holds() {
		select {
		case <-ctx.Done():
			k.t.Fatalf("it never came that %s", what)
		case <-time.After(5 * time.Millisecond):
		}
	}
}

// fill stores n events of each message, in batches in which they are mixed.
func (k *desk) fill(n int, texts ...string) {
	k.t.Helper()
	for range n {
		var records []ingest.Record
		for _, text := range texts {
			r := k.record(0, message(text))
			binary.BigEndian.PutUint64(r.EventID[8:], uint64(r.ID))
			records = append(records, r)
		}
		k.must(k.write(records...))
	}
}

// run rehearses a draft on everything and waits for its end.
func (k *desk) run(r *Rehearsals, d model.Grouping) model.Rehearsal {
	k.t.Helper()
	k.pass()
	job, err := r.Start(k.ctx, k.project.ID, 7, d, time.Now().Add(-time.Hour))
	k.must(err)
	k.must(k.drive(r))
	job, err = r.Get(k.ctx, job.ID)
	k.must(err)
	return job
}

// pass waits until the millisecond of the newest event is over: a window ends with a whole one.
func (k *desk) pass() {
	last := model.TimeOf(k.ids.Next())
	k.waitFor("time passes", func() bool { return time.Now().After(last.Add(2 * time.Millisecond)) })
}

// drive works until nothing waits.
func (k *desk) drive(r *Rehearsals) error {
	return r.round(db.With(k.ctx, db.Jobs))
}

// TestRehearsal holds the exact counts of a draft that merges two issues and splits one, and that nothing has changed.
func TestRehearsal(t *testing.T) {
	t.Parallel()
	dbtest.Both(t, func(t *testing.T, d *db.DB) {
		k := newDesk(t, d)
		_, err := k.groupings.Save(k.ctx, k.project.ID, 1, 0, draft(`message:"split*" -> whole`))
		k.must(err)
		k.fill(3, "merge: a", "merge: b", "split: c", "split: d", "still: e")
		k.fill(2, "merge: b", "split: d")
		before := k.list("all")
		job := k.run(k.rehearser(), draft(`message:"merge*" -> one`))
		got := job.Result
		if job.State != model.JobDone || got == nil {
			t.Fatalf("it ended as %+v", job)
		}
		want := model.RehearsalResult{Events: 19, Moved: 3 + 3, IssuesBefore: 4, IssuesAfter: 4, SplitCount: 1, MergeCount: 1}
		if have := *got; have.Events != want.Events || have.Moved != want.Moved || have.IssuesBefore != want.IssuesBefore || have.IssuesAfter != want.IssuesAfter ||
			have.SplitCount != want.SplitCount || have.MergeCount != want.MergeCount || have.Unreadable != 0 {
			t.Errorf("have %+v\nwant %+v", have, want)
		}
		checkChange(t, "split", got.Splits[0], "split: c", 8, "split: c", 5, "split: c", 3)
		checkChange(t, "merge", got.Merges[0], "merge: b", 8, "merge: b", 5, "merge: a", 3)
		if parts := got.Splits[0].Parts; parts[0].IssueID == 0 || parts[1].IssueID != 0 {
			t.Errorf("the larger half keeps the issue, the smaller one makes another: %+v", parts)
		}
		if job.Done != 19 || job.Total != 19 || job.StartedAt.IsZero() || job.FinishedAt.IsZero() || job.Version != 1 {
			t.Errorf("the job is %+v", job)
		}
		if after := k.list("all"); !slices.EqualFunc(before, after, func(a, b Row) bool { return a.Issue == b.Issue }) {
			t.Errorf("a rehearsal changed issues: %+v", after)
		}
	})
}

func checkChange(t *testing.T, what string, c model.RehearsedChange, title string, events int64, parts ...any) {
	t.Helper()
	if c.Title != title || c.Events != events || c.IssueID == 0 || c.Number == 0 || len(c.Parts) != len(parts)/2 {
		t.Errorf("%s: %+v", what, c)
	}
	for i, p := range c.Parts {
		if p.Title != parts[2*i] || fmt.Sprint(p.Events) != fmt.Sprint(parts[2*i+1]) || len(p.Examples) != 3 || len(p.Hash) != 32 {
			t.Errorf("%s, part %d: %+v", what, i, p)
		}
	}
}

// TestRehearsalPanic holds that a panic over a chunk of events is an error of the job, and not the end of the process.
func TestRehearsalPanic(t *testing.T) {
	t.Parallel()
	k := newDesk(t, dbtest.New(t))
	k.fill(4, "a")
	k.pass()
	setup, err := setupOf(draft(""))
	k.must(err)
	r, span := k.rehearser(), store.SpanOf(k.project.ID, time.Now().Add(-time.Hour), time.Now().Add(time.Hour))
	err = r.regroupEvents(db.With(k.ctx, db.Jobs), span, setup, func(*regroupChunk) error { panic("on purpose") })
	if err == nil || !strings.Contains(err.Error(), "panic: on purpose") || !strings.Contains(err.Error(), "regroup.go") {
		t.Errorf("got %v", err)
	}
}

// TestRehearseSame holds that the present rules move nothing.
func TestRehearseSame(t *testing.T) {
	t.Parallel()
	k := newDesk(t, dbtest.New(t))
	k.fill(4, "a", "b", "c")
	if got := k.run(k.rehearser(), draft("")).Result; got.Moved != 0 || got.SplitCount+got.MergeCount != 0 || got.IssuesBefore != 3 || got.IssuesAfter != 3 {
		t.Errorf("got %+v", got)
	}
}

// TestRehearsalWindow holds that events before the window are not looked at.
func TestRehearsalWindow(t *testing.T) {
	t.Parallel()
	k := newDesk(t, dbtest.New(t))
	k.fill(4, "a")
	k.pass()
	since := time.Now()
	k.fill(3, "b")
	k.pass()
	r := k.rehearser()
	job, err := r.Start(k.ctx, k.project.ID, 7, draft(""), since)
	k.must(err)
	k.pass()
	k.fill(2, "c")
	k.must(k.drive(r))
	job, err = r.Get(k.ctx, job.ID)
	if k.must(err); job.Result == nil || job.Result.Events != 3 {
		t.Errorf("got %+v", job)
	}
}

// TestRehearsalUnreadable holds that what cannot be read any more is counted and stays.
func TestRehearsalUnreadable(t *testing.T) {
	t.Parallel()
	d := dbtest.New(t)
	k := newDesk(t, d)
	k.fill(3, "a", "b")
	_, err := d.Write(k.ctx, db.Key{Part: db.Ops}).Exec(k.ctx, `UPDATE event SET body = '\x00' WHERE title = 'a'`)
	k.must(err)
	got := k.run(k.rehearser(), draft(`message:* -> all`)).Result
	if got.Unreadable != 3 || got.Events != 6 || got.Moved != 0 || got.IssuesBefore != 2 || got.IssuesAfter != 2 {
		t.Errorf("got %+v", got)
	}
}

// TestRehearsalLimits holds that each limit ends a rehearsal with its name and an advice.
func TestRehearsalLimits(t *testing.T) {
	t.Parallel()
	k := newDesk(t, dbtest.New(t))
	k.fill(1, "a", "b", "c", "d")
	for name, limits := range map[string]simulationLimits{"groups": {3, 9, 9}, "hashes": {9, 3, 9}, "moves": {9, 9, 3}} {
		r := k.rehearser()
		r.limits = limits
		job := k.run(r, draft(""))
		if job.State != model.JobFailed || !strings.Contains(job.Error, name) || !strings.Contains(job.Error, "shorter window") || job.Result != nil {
			t.Errorf("%s: %+v", name, job)
		}
	}
}

// TestRehearsalRefused holds what cannot be started, and how many may wait.
func TestRehearsalRefused(t *testing.T) {
	t.Parallel()
	k := newDesk(t, dbtest.New(t))
	r := k.rehearser()
	past := time.Now().Add(-time.Hour)
	if _, err := r.Start(k.ctx, k.project.ID, 1, draft("nonsense"), past); errs.Of(err) != errs.Unprocessable {
		t.Errorf("bad rules: %v", err)
	}
	if _, err := r.Start(k.ctx, k.project.ID, 1, draft(""), time.Now().Add(time.Hour)); errs.Of(err) != errs.Unprocessable {
		t.Errorf("a window of the future: %v", err)
	}
	var jobs []model.Rehearsal
	for range maxOpenRehearsals {
		job, err := r.Start(k.ctx, k.project.ID, 1, draft(""), past)
		k.must(err)
		jobs = append(jobs, job)
	}
	if _, err := r.Start(k.ctx, k.project.ID, 1, draft(""), past); errs.Of(err) != errs.Limited {
		t.Errorf("one too many: %v", err)
	}
	k.must(r.Cancel(k.ctx, jobs[0].ID))
	if err := r.Cancel(k.ctx, jobs[0].ID); errs.Of(err) != errs.Conflict {
		t.Errorf("cancelled twice: %v", err)
	}
	k.must(k.drive(r))
	list, err := r.List(k.ctx, k.project.ID, 10)
	if k.must(err); len(list) != maxOpenRehearsals || list[len(list)-1].State != model.JobCancelled || list[0].State != model.JobDone {
		t.Errorf("got %+v", list)
	}
}

// TestRehearsalTaken holds that one process runs a rehearsal at a time, that a death lets go of it, and that the next one
// brings it to the same end.
func TestRehearsalTaken(t *testing.T) {
	t.Parallel()
	dbtest.Both(t, func(t *testing.T, d *db.DB) {
		k := newDesk(t, d)
		k.fill(3, "a", "b")
		k.pass()
		r := k.rehearser()
		job, err := r.Start(k.ctx, k.project.ID, 1, draft("message:* -> all"), time.Now().Add(-time.Hour))
		k.must(err)
		held, err := k.store.HoldRehearsals(k.ctx, k.project.ID, func(ctx context.Context) error {
			if _, ok, err := k.store.NextRehearsal(ctx, k.project.ID); err != nil || !ok {
				t.Errorf("nothing to take: %v", err)
			}
			return r.round(k.ctx) // another process, while the first one works
		})
		if k.must(err); !held {
			t.Error("the lock was taken already")
		}
		if job, err = r.Get(k.ctx, job.ID); err != nil || job.State != model.JobRunning {
			t.Errorf("two ran it at once: %+v %v", job, err)
		}
		// The first one is dead: its connection, and the lock with it, is gone.
		k.must(k.drive(r))
		job, err = r.Get(k.ctx, job.ID)
		if k.must(err); job.State != model.JobDone || job.Result.Events != 6 || job.Result.MergeCount != 1 {
			t.Errorf("got %+v", job)
		}
	})
}

// TestRehearsalCancelled holds that the one who runs a rehearsal stops when somebody cancels it, and stores nothing.
func TestRehearsalCancelled(t *testing.T) {
	t.Parallel()
	k := newDesk(t, dbtest.New(t))
	k.fill(1, "a")
	k.pass()
	r := k.rehearser()
	job, err := r.Start(k.ctx, k.project.ID, 1, draft(""), time.Now().Add(-time.Hour))
	k.must(err)
	claimed, _, err := k.store.NextRehearsal(k.ctx, k.project.ID)
	k.must(err)
	k.must(r.Cancel(k.ctx, job.ID))
	if _, err := r.rehearse(k.ctx, claimed); err != errNotWanted {
		t.Errorf("it went on: %v", err)
	}
	job, err = r.Get(k.ctx, job.ID)
	if k.must(err); job.State != model.JobCancelled || job.Result != nil {
		t.Errorf("got %+v", job)
	}
}

// TestRehearsalRun holds that the loop picks up what is queued, and ends with its context.
func TestRehearsalRun(t *testing.T) {
	t.Parallel()
	k := newDesk(t, dbtest.New(t))
	k.fill(1, "a")
	k.pass()
	r := k.rehearser()
	ctx, stop := context.WithCancel(k.ctx)
	ended := make(chan struct{})
	go func() { defer close(ended); r.Run(ctx) }()
	job, err := r.Start(k.ctx, k.project.ID, 1, draft(""), time.Now().Add(-time.Hour))
	k.must(err)
	k.waitFor("it is done", func() bool {
		job, err = r.Get(k.ctx, job.ID)
		return err != nil || job.State == model.JobDone
	})
	k.must(err)
	stop()
	<-ended
}

// TestRegroupPanic holds that a panic over an event is the event's.
func TestRegroupPanic(t *testing.T) {
	t.Parallel()
	if _, err := (&regrouper{}).event([]byte("x")); !errors.Is(err, errUnreadable) {
		t.Errorf("got %v", err)
	}
}

// TestRehearsalConfig holds that another configuration can be rehearsed.
func TestRehearsalConfig(t *testing.T) {
	t.Parallel()
	k := newDesk(t, dbtest.New(t))
	k.fill(2, "a", "b")
	job := k.run(k.rehearser(), model.Grouping{Config: string(grouping.Newstyle2023)})
	if job.State != model.JobDone || job.Config != string(grouping.Newstyle2023) || job.Result.Events != 4 {
		t.Errorf("got %+v", job)
	}
}
