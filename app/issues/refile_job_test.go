package issues

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
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
	"kibitz/grouping"
	"kibitz/ingest"
)

// TestDelete holds that deleted issues are nowhere to be seen, that their next event makes a new one, and that undoing
// the deletion brings all back, with what the new one got.
func TestDelete(t *testing.T) {
	t.Parallel()
	dbtest.Both(t, func(t *testing.T, d *db.DB) {
		m := newMover(t, d)
		m.faults("a", 0, 20)
		m.faults("b", 0, 10)
		a := m.issue("a")
		row, err := m.store.LatestEvent(m.ctx, a)
		m.must(err)
		r, err := m.refiles.Delete(m.ctx, []int64{a.ID}, false, 5)
		m.must(err)
		m.wantListed("b: 10")
		if _, err := m.issues.Find(m.ctx, m.project.ID, a.Number); errs.Of(err) != errs.NotFound {
			t.Errorf("the deleted issue: %v", err)
		}
		if _, _, err := m.issues.ProjectEvent(m.ctx, m.project.ID, row.EventID); errs.Of(err) != errs.NotFound {
			t.Errorf("an event of it: %v", err)
		}
		if _, err := m.refiles.Delete(m.ctx, []int64{a.ID}, false, 5); errs.Of(err) != errs.Conflict {
			t.Errorf("deleted twice: %v", err)
		}
		m.faults("a", 20, 25)
		m.wantListed("a: 5", "b: 10")
		young := m.issue("a")
		m.undo(r)
		m.wantListed("a: 25", "b: 10")
		m.sound()
		if now := m.issue("a"); now.ID != a.ID || young.ID == a.ID {
			t.Errorf("the issue is %d, was %d", now.ID, a.ID)
		}
		if gone, err := m.store.IssueByID(m.ctx, young.ID); err != nil || gone.MergedInto != a.ID {
			t.Errorf("the new issue is %+v, %v", gone, err)
		}
	})
}

// TestDiscard holds that events of discarded hashes are counted and not stored, until the deletion is undone or
// the hash accepted.
func TestDiscard(t *testing.T) {
	t.Parallel()
	dbtest.Both(t, func(t *testing.T, d *db.DB) {
		m := newMover(t, d)
		m.faults("a", 0, 4)
		a := m.issue("a")
		r, err := m.refiles.Delete(m.ctx, []int64{a.ID}, true, 5)
		m.must(err)
		m.faults("a", 4, 7)
		m.wantListed()
		if stored, dropped := m.stored("stored", ""), m.stored("filtered", "discarded"); stored != 4 || dropped != 3 {
			t.Errorf("%d stored, %d discarded", stored, dropped)
		}
		stones, err := m.refiles.Tombstones(m.ctx, m.project.ID)
		if m.must(err); len(stones) != 1 || stones[0].Hash != a.Hash || stones[0].Title != a.Title || stones[0].RefileID != r.ID || stones[0].AccountID != 5 {
			t.Errorf("tombstones are %+v", stones)
		}
		m.undo(r)
		m.faults("a", 7, 8)
		m.wantListed("a: 5")
		m.sound()
		if r, err = m.refiles.Delete(m.ctx, []int64{a.ID}, true, 5); err != nil {
			t.Fatal(err)
		}
		m.must(m.refiles.Accept(m.ctx, m.project.ID, a.Hash))
		m.faults("a", 8, 9)
		m.wantListed("a: 1")
		if err := m.refiles.Accept(m.ctx, m.project.ID, a.Hash); errs.Of(err) != errs.NotFound {
			t.Errorf("accepted twice: %v", err)
		}
	})
}

// TestPurge holds that a deletion becomes final after its time, and not before, and leaves nothing behind.
func TestPurge(t *testing.T) {
	t.Parallel()
	dbtest.Both(t, func(t *testing.T, d *db.DB) {
		m := newMover(t, d)
		m.faults("a", 0, 30)
		m.faults("b", 0, 20)
		m.faults("c", 0, 10)
		a, b := m.issue("a"), m.issue("b")
		merged := m.merge(b, a)
		m.run()
		r, err := m.refiles.Delete(m.ctx, []int64{b.ID}, false, 5)
		m.must(err)
		if _, err := m.refiles.Undo(m.ctx, merged.ID, 5); errs.Of(err) != errs.Conflict || !strings.Contains(err.Error(), "deletion "+fmt.Sprint(r.ID)) {
			t.Errorf("undone before the deletion: %v", err)
		}
		m.must(m.refiles.Purge(db.With(m.ctx, db.Jobs), r.CreatedAt))
		if n := m.lines(`SELECT count(*)::text FROM event`); n[0] != "60" {
			t.Errorf("purged too early: %s events are left", n[0])
		}
		m.must(m.refiles.Purge(db.With(m.ctx, db.Jobs), r.CreatedAt.Add(time.Second)))
		m.sound()
		for _, table := range []string{"issue", "issue_stat", "issue_tag", "issue_user", "issue_activity", "issue_hash", "event"} {
			column := map[bool]string{true: "id", false: "issue_id"}[table == "issue"]
			left := m.lines(`SELECT DISTINCT `+column+`::text FROM `+table+` WHERE `+column+` = ANY($1)`, []int64{a.ID, b.ID})
			m.same(table, left, nil)
		}
		m.wantListed("c: 10")
		if _, err := m.refiles.Undo(m.ctx, r.ID, 5); errs.Of(err) != errs.Conflict {
			t.Errorf("undone after the purge: %v", err)
		}
	})
}

// TestMergeWhileDigesting merges, splits and undoes while another goroutine digests: at rest every event is where its
// hash leads, and every counter is what a recount gives.
func TestMergeWhileDigesting(t *testing.T) {
	t.Parallel()
	dbtest.Both(t, func(t *testing.T, d *db.DB) {
		m := newMover(t, d)
		groups := []string{"a", "b", "c", "d"}
		for i, g := range groups {
			m.faults(g, i, i+60)
		}
		a, b, c, dd := m.issue("a"), m.issue("b"), m.issue("c"), m.issue("d")
		digesting, stop := sync.WaitGroup{}, make(chan struct{})
		stored := 240
		digesting.Go(func() {
			for n := 0; ; n++ {
				select {
				case <-stop:
					return
				default:
				}
				var records []ingest.Record
				for i := range 20 {
					records = append(records, m.fault(groups[(n+i)%4], n+i))
				}
				if err := m.write(records...); err != nil {
					t.Error(err)
					return
				}
				stored += len(records)
			}
		})
		r := m.merge(b, a)
		m.run()
		second := m.merge(c, b, dd)
		m.run()
		off, err := m.refiles.Split(m.ctx, c.ID, []string{dd.Hash}, 5)
		m.must(err)
		m.run()
		m.undo(off)
		m.undo(second)
		m.undo(r)
		last := m.merge(a, b, c)
		m.run()
		close(stop)
		digesting.Wait()
		m.run()
		m.sound()
		m.wantListed(fmt.Sprintf("a: %d", stored*3/4), fmt.Sprintf("d: %d", stored/4))
		if n := m.lines(`SELECT count(*)::text FROM event`)[0]; n != fmt.Sprint(stored) {
			t.Errorf("%s events of %d", n, stored)
		}
		if r := m.state(last); r.State != model.JobDone {
			t.Errorf("the last refiling is %+v", r)
		}
	})
}

// TestDigestHoldsHashes holds that a merge waits for a digest that has looked its hashes up and not yet stored
// its events.
func TestDigestHoldsHashes(t *testing.T) {
	t.Parallel()
	m := newMover(t, dbtest.New(t))
	m.faults("a", 0, 3)
	m.faults("b", 0, 3)
	a, b := m.issue("a"), m.issue("b")
	// An open transaction that holds the row of a keeps a digest between its look and its commit.
	held, release := make(chan struct{}), make(chan struct{})
	var blocker, digest, merge sync.WaitGroup
	blocker.Go(func() { m.holdRow(a.ID, held, release) })
	<-held
	digest.Go(func() {
		if err := m.write(m.fault("a", 3)); err != nil {
			t.Error(err)
		}
	})
	m.until("the digest waits for the row", `SELECT count(*) >= 1 FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND datname = current_database()`)
	merge.Go(func() {
		if _, err := m.refiles.Merge(m.ctx, b.ID, []int64{a.ID}, 5); err != nil {
			t.Error(err)
		}
	})
	m.until("the merge waits for the digest", `SELECT count(*) = 1 FROM pg_locks WHERE locktype = 'advisory' AND NOT granted
		AND database = (SELECT oid FROM pg_database WHERE datname = current_database())`)
	close(release)
	blocker.Wait()
	digest.Wait()
	merge.Wait()
	m.run()
	m.sound()
	m.wantListed("b: 7")
}

// holdRow locks the row of an issue, says so, and lets go when told.
func (m *mover) holdRow(issue int64, held, release chan struct{}) {
	err := m.db.Tx(m.ctx, db.Key{Part: db.Ops}, func(tx pgx.Tx) error {
		if _, err := tx.Exec(m.ctx, `SELECT FROM issue WHERE id = $1 FOR UPDATE`, issue); err != nil {
			return err
		}
		close(held)
		<-release
		return nil
	})
	if err != nil {
		m.t.Error(err)
	}
}

// until waits for a condition of the database.
func (m *mover) until(what, sql string) {
	m.t.Helper()
	deadline, tick := time.After(30*time.Second), time.NewTicker(5*time.Millisecond)
	defer tick.Stop()
	for {
		var ok bool
		m.must(m.db.Write(m.ctx, db.Key{Part: db.Ops}).QueryRow(m.ctx, sql).Scan(&ok))
		if ok {
			return
		}
		select {
		case <-tick.C:
		case <-deadline:
			m.t.Fatalf("in vain: %s", what)
		}
	}
}

// TestKilledJob ends a job between two of its steps, as a kill would, at each of them in turn: the next one goes on, and
// counts nothing twice, whether it moves on or back.
func TestKilledJob(t *testing.T) {
	t.Parallel()
	dbtest.Both(t, func(t *testing.T, d *db.DB) {
		m := newMover(t, d)
		m.faults("a", 0, 1200)
		m.faults("b", 0, 100)
		a, b := m.issue("a"), m.issue("b")
		before := append(m.counters(a.ID), m.counters(b.ID)...)
		r := m.merge(b, a)
		if n := m.killEachStep(r); n != 3 {
			t.Errorf("%d steps", n)
		}
		m.run()
		m.wantListed("b: 1300")
		m.sound()
		if r = m.state(r); r.State != model.JobDone || r.Done != 1200 {
			t.Errorf("the refiling is %+v", r)
		}
		_, err := m.refiles.Undo(m.ctx, r.ID, 5)
		m.must(err)
		if n := m.killEachStep(r); n != 3 {
			t.Errorf("%d steps back", n)
		}
		m.run()
		m.wantListed("a: 1200", "b: 100")
		m.sound()
		m.same("undone", append(m.counters(a.ID), m.counters(b.ID)...), before)
	})
}

// killEachStep starts a job anew for each of its steps, cancels it once that is taken, and tells how many there were.
func (m *mover) killEachStep(r model.Refile) (steps int) {
	m.t.Helper()
	for done := int64(0); ; {
		ctx, cancel := context.WithCancel(db.With(m.ctx, db.Jobs))
		err := NewRefiles(m.store, m.groupings, m.ids, slog.New(afterBatch{slog.DiscardHandler, cancel})).round(ctx)
		cancel()
		if err == nil {
			return steps
		}
		if !errors.Is(err, context.Canceled) {
			m.t.Fatal(err)
		}
		if now := m.state(r).Done; now == done {
			m.t.Fatalf("a step that moved nothing after %d", done)
		} else {
			done = now
		}
		steps++
	}
}

// afterBatch is a log that cancels its reader's work after a step of a job.
type afterBatch struct {
	slog.Handler
	cancel context.CancelFunc
}

func (afterBatch) Enabled(context.Context, slog.Level) bool { return true }

func (h afterBatch) Handle(_ context.Context, r slog.Record) error {
	if r.Message == movedBatch {
		h.cancel()
	}
	return nil
}

// TestHalfDone undoes a job that has moved half of its events.
func TestHalfDone(t *testing.T) {
	t.Parallel()
	m := newMover(t, dbtest.New(t))
	m.faults("a", 0, 700)
	m.faults("b", 0, 10)
	a, b := m.issue("a"), m.issue("b")
	before := append(m.counters(a.ID), m.counters(b.ID)...)
	r := m.merge(b, a)
	job, ok, err := m.store.NextRefile(m.ctx, m.project.ID)
	if m.must(err); !ok || job.ID != r.ID {
		t.Fatalf("got %+v", job)
	}
	stale := job
	more, err := m.refiles.page(m.ctx, &job, source{scan: store.EventScan{Issue: a.ID}, to: b.ID})
	if m.must(err); !more || m.state(r).Done != refileBatch {
		t.Fatalf("got %+v", m.state(r))
	}
	if _, err := m.refiles.page(m.ctx, &stale, source{scan: store.EventScan{Issue: a.ID}, to: b.ID}); !errors.Is(err, store.ErrRefileMoved) {
		t.Errorf("a second runner: %v", err)
	}
	m.undo(r)
	if _, err := m.refiles.page(m.ctx, &job, source{scan: store.EventScan{Issue: a.ID}, to: b.ID}); !errors.Is(err, store.ErrRefileMoved) {
		t.Errorf("the runner of what was undone: %v", err)
	}
	m.wantListed("a: 700", "b: 10")
	m.sound()
	m.same("undone", append(m.counters(a.ID), m.counters(b.ID)...), before)
}

// TestOldEvents moves events from before hashes and users were kept: they are grouped when met.
func TestOldEvents(t *testing.T) {
	t.Parallel()
	m := newMover(t, dbtest.New(t))
	m.faults("a", 0, 8)
	m.faults("b", 0, 8)
	m.exec(`UPDATE event SET hash = NULL, user_hash = NULL`)
	a, b := m.issue("a"), m.issue("b")
	r := m.merge(b, a)
	m.run()
	m.wantListed("b: 16")
	off, err := m.refiles.Split(m.ctx, b.ID, []string{b.Hash}, 5)
	m.must(err)
	m.run()
	m.wantListed("b: 8", "b: 8") // a's events are left in b, and b's in a new issue of their name
	m.undo(off)
	m.undo(r)
	m.wantListed("a: 8", "b: 8")
}

// TestOldEventsByRules does the same with groups that the project's own rules make.
func TestOldEventsByRules(t *testing.T) {
	t.Parallel()
	m := newMover(t, dbtest.New(t))
	_, err := m.groupings.Save(m.ctx, m.project.ID, 1, 0, model.Grouping{Config: string(grouping.Current),
		FingerprintRules: "message:*apple* -> fruit\nmessage:*pear* -> fruit\nmessage:*rose* -> flower"})
	m.must(err)
	m.must(m.write(m.record(1, message("one apple")), m.record(2, message("a pear")), m.record(3, message("the rose"))))
	m.exec(`UPDATE event SET hash = NULL`)
	rows := m.list("all")
	fruit, flower := rows[0].Issue, rows[1].Issue
	if fruit.Events != 2 {
		fruit, flower = flower, fruit
	}
	m.merge(flower, fruit)
	m.run()
	_, err = m.refiles.Split(m.ctx, flower.ID, []string{fruit.Hash}, 5)
	m.must(err)
	m.run()
	m.wantListed("one apple: 2", "the rose: 1")
}

// tagged stores events whose tag is another one each time, 19 a batch: one batch takes no more than 20 values.
func (m *mover) tagged(group string, from, to int) {
	m.t.Helper()
	for chunk := range slices.Chunk(count(from, to), 19) {
		var records []ingest.Record
		for _, n := range chunk {
			r := m.fault(group, n)
			r.Payload = m.zstd.EncodeAll(fmt.Appendf(nil, `{"message":"fault of %s","fingerprint":[%q],"tags":{"request":"r%d"}}`, group, group, n), nil)
			records = append(records, r)
		}
		m.must(m.write(records...))
	}
}

// TestManyTags holds that values within an issue's room for them come and go exactly, and that those beyond it are kept
// in sum, there and back.
func TestManyTags(t *testing.T) {
	t.Parallel()
	m := newMover(t, dbtest.New(t))
	m.tagged("a", 0, 171)
	m.tagged("b", 60, 231)
	m.tagged("c", 0, 57)
	m.tagged("d", 38, 95)
	a, b, c, d := m.issue("a"), m.issue("b"), m.issue("c"), m.issue("d")
	exact := append(m.counters(c.ID), m.counters(d.ID)...)
	within := m.merge(d, c)
	m.run()
	values := m.lines(`SELECT concat_ws(' ', count(*), sum(n), max(n)) FROM issue_tag WHERE key = 'request' AND value <> '' AND issue_id = $1`, d.ID)
	if values[0] != "95 114 2" {
		t.Errorf("values, their sum and the largest are %s", values[0])
	}
	m.undo(within)
	m.same("within", append(m.counters(c.ID), m.counters(d.ID)...), exact)

	sums := `SELECT concat_ws(' ', issue_id, sum(n), count(*) FILTER (WHERE value <> '') <= 100, bool_and(n > 0)) FROM issue_tag
		WHERE key = 'request' AND issue_id IN ($1, $2) GROUP BY issue_id`
	before := m.lines(sums, a.ID, b.ID)
	beyond := m.merge(b, a)
	m.run()
	m.same("merged", m.lines(sums, a.ID, b.ID), []string{fmt.Sprintf("%d 342 t t", b.ID)})
	m.undo(beyond)
	m.same("beyond", m.lines(sums, a.ID, b.ID), before)
	m.same("before", before, []string{fmt.Sprintf("%d 171 t t", a.ID), fmt.Sprintf("%d 171 t t", b.ID)})
}

// TestRun holds that the loop does what is made while it runs, also by others, and ends.
func TestRun(t *testing.T) {
	t.Parallel()
	m := newMover(t, dbtest.New(t))
	m.faults("a", 0, 5)
	m.faults("b", 0, 5)
	a, b := m.issue("a"), m.issue("b")
	ctx, cancel := context.WithCancel(db.With(m.ctx, db.Jobs))
	var loop sync.WaitGroup
	other := NewRefiles(m.store, m.groupings, m.ids, slog.New(slog.DiscardHandler))
	loop.Go(func() { m.refiles.Run(ctx) })
	loop.Go(func() { other.Run(ctx) })
	m.merge(b, a)
	m.until("the merge is done", `SELECT count(*) = 1 FROM refile WHERE state = 'done'`)
	cancel()
	loop.Wait()
	m.wantListed("b: 10")
	m.sound()
}

// TestHistory holds what is written of a refiling where people look.
func TestHistory(t *testing.T) {
	t.Parallel()
	m := newMover(t, dbtest.New(t))
	m.faults("a", 0, 2)
	m.faults("b", 0, 2)
	a, b := m.issue("a"), m.issue("b")
	r := m.merge(b, a)
	m.run()
	m.undo(r)
	for id, want := range map[int64][]string{a.ID: {"undid merge", "merged_into 2"}, b.ID: {"undid merge", "merged 1"}} {
		lines, err := m.store.IssueActivity(m.ctx, id, 10)
		m.must(err)
		var got []string
		for _, l := range lines {
			if l.AccountID != 5 || l.Before != fmt.Sprint(r.ID) {
				t.Errorf("got %+v", l)
			}
			got = append(got, l.Action+" "+l.After)
		}
		if !slices.Equal(got, want) {
			t.Errorf("got %q, want %q", got, want)
		}
		list, err := m.refiles.ForIssue(m.ctx, id, 10)
		if m.must(err); len(list) != 1 || list[0].ID != r.ID {
			t.Errorf("got %+v", list)
		}
	}
	list, err := m.refiles.List(m.ctx, m.project.ID, 10)
	if m.must(err); len(list) != 1 || list[0].State != model.JobUndone {
		t.Errorf("got %+v", list)
	}
}
