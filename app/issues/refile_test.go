package issues

import (
	"fmt"
	"log/slog"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"kibitz/app/db"
	"kibitz/app/db/dbtest"
	"kibitz/app/errs"
	"kibitz/app/model"
	"kibitz/ingest"
)

// mover is a desk with refilings and direct sight of the counters.
type mover struct {
	*desk
	refiles *Refiles
	db      *db.DB
	next    int
}

func newMover(t testing.TB, d *db.DB) *mover {
	k := newDesk(t, d)
	return &mover{desk: k, db: d, refiles: NewRefiles(k.store, k.groupings, k.ids, slog.New(slog.DiscardHandler))}
}

// run does all jobs that wait.
func (m *mover) run() {
	m.t.Helper()
	m.must(m.refiles.round(db.With(m.ctx, db.Jobs)))
}

// fault is a spooled event: its group by fingerprint, and what it is counted under by n.
func (m *mover) fault(group string, n int) ingest.Record {
	m.next++
	at := time.Now().Add(-time.Duration(n%7) * 40 * time.Minute).Unix()
	level := []string{"error", "warning", "fatal"}[n%3]
	body := fmt.Sprintf(`{"message":"fault of %s","fingerprint":[%q],"level":%q,"timestamp":%d,"release":"shop@%d","environment":"e%d",
		"server_name":"web-%d","user":{"id":"u%d"}}`, group, group, level, at, n%4, n%2, n%5, n%6)
	if n%9 == 8 { // whose user is known by the address alone, which the body does not hold
		body = strings.Replace(body, fmt.Sprintf(`{"id":"u%d"}`, n%6), `{"ip_address":"{{auto}}"}`, 1)
	}
	r := m.record(0, body)
	r.EventID, r.RemoteIP = [16]byte{9, byte(m.next >> 8), byte(m.next)}, fmt.Sprintf("192.0.2.%d", n%3)
	return r
}

// faults stores events of a group, in batches.
func (m *mover) faults(group string, from, to int) {
	m.t.Helper()
	for chunk := range slices.Chunk(count(from, to), 200) {
		var records []ingest.Record
		for _, n := range chunk {
			records = append(records, m.fault(group, n))
		}
		m.must(m.write(records...))
	}
}

func count(from, to int) (out []int) {
	for n := from; n < to; n++ {
		out = append(out, n)
	}
	return out
}

// issue is the listed issue of a group.
func (m *mover) issue(group string) model.Issue {
	m.t.Helper()
	for _, row := range m.list("all") {
		if row.Issue.Title == "fault of "+group {
			return row.Issue
		}
	}
	m.t.Fatalf("no issue of %s is listed", group)
	return model.Issue{}
}

func (m *mover) listed() (titles []string) {
	m.t.Helper()
	for _, row := range m.list("all") {
		titles = append(titles, fmt.Sprintf("%s: %d", strings.TrimPrefix(row.Issue.Title, "fault of "), row.Issue.Events))
	}
	slices.Sort(titles)
	return titles
}

func (m *mover) wantListed(want ...string) {
	m.t.Helper()
	if got := m.listed(); !slices.Equal(got, want) {
		m.t.Errorf("listed are %q, want %q", got, want)
	}
}

// lines is the result of a query on the ops partition, a line a row.
func (m *mover) lines(sql string, args ...any) (out []string) {
	m.t.Helper()
	rows, err := m.db.Write(m.ctx, db.Key{Part: db.Ops}).Query(m.ctx, sql, args...)
	m.must(err)
	out, err = pgx.CollectRows(rows, pgx.RowTo[string])
	m.must(err)
	return out
}

func (m *mover) exec(sql string, args ...any) {
	m.t.Helper()
	_, err := m.db.Write(m.ctx, db.Key{Part: db.Ops}).Exec(m.ctx, sql, args...)
	m.must(err)
}

// counters is all that is counted of an issue, in words.
func (m *mover) counters(issue int64) []string {
	m.t.Helper()
	return m.lines(`SELECT concat_ws(' ', 'issue', events, users, first_seen, last_seen, first_release, last_release) FROM issue WHERE id = $1
		UNION ALL SELECT concat_ws(' ', 'stat', bucket, level, n) FROM issue_stat WHERE issue_id = $1
		UNION ALL SELECT concat_ws(' ', 'tag', key, value, n) FROM issue_tag WHERE issue_id = $1
		UNION ALL SELECT concat_ws(' ', 'user', user_hash, n) FROM issue_user WHERE issue_id = $1 ORDER BY 1`, issue)
}

func (m *mover) same(what string, got, want []string) {
	m.t.Helper()
	for _, line := range got {
		if !slices.Contains(want, line) {
			m.t.Errorf("%s: too much: %s", what, line)
		}
	}
	for _, line := range want {
		if !slices.Contains(got, line) {
			m.t.Errorf("%s: missing: %s", what, line)
		}
	}
}

// sound holds what must be true at rest: every event is at one issue that is listed and to which its hash leads, and every
// counter is what a recount of the events gives.
func (m *mover) sound() {
	m.t.Helper()
	m.same("events away from their hash", m.lines(`SELECT concat_ws(' ', e.id, e.issue_id, h.issue_id) FROM event e
		LEFT JOIN issue_hash h USING (project_id, hash) LEFT JOIN issue i ON i.id = e.issue_id
		WHERE i.deleted_at IS NULL AND (h.issue_id IS DISTINCT FROM e.issue_id OR i.merged_into IS NOT NULL)`), nil)
	m.same("events", m.lines(`SELECT concat_ws(' ', id, events, first_seen, last_seen) FROM issue WHERE events <> 0`),
		m.lines(`SELECT concat_ws(' ', issue_id, count(*), min(ts), max(ts)) FROM event GROUP BY issue_id`))
	m.same("half hours", m.lines(`SELECT concat_ws(' ', issue_id, bucket, level, n) FROM issue_stat`),
		m.lines(`SELECT concat_ws(' ', issue_id, date_bin('30 min', ts, 'epoch'), level, count(*)) FROM event
			GROUP BY issue_id, date_bin('30 min', ts, 'epoch'), level`))
	m.same("users", m.lines(`SELECT concat_ws(' ', issue_id, user_hash, n) FROM issue_user`),
		m.lines(`SELECT concat_ws(' ', issue_id, user_hash, count(*)) FROM event WHERE user_hash <> 0 GROUP BY issue_id, user_hash`))
	m.same("users of issues", m.lines(`SELECT concat_ws(' ', id, users) FROM issue WHERE users <> 0`),
		m.lines(`SELECT concat_ws(' ', issue_id, count(DISTINCT user_hash)) FROM event WHERE user_hash <> 0 GROUP BY issue_id`))
	m.same("releases", m.lines(`SELECT concat_ws(' ', issue_id, value, n) FROM issue_tag WHERE key = 'release'`),
		m.lines(`SELECT concat_ws(' ', issue_id, release, count(*)) FROM event WHERE release <> '' GROUP BY issue_id, release`))
	m.same("tags of every event", m.lines(`SELECT concat_ws(' ', issue_id, sum(n)) FROM issue_tag WHERE key = 'level' GROUP BY issue_id`),
		m.lines(`SELECT concat_ws(' ', issue_id, count(*)) FROM event GROUP BY issue_id`))
}

func (m *mover) merge(into model.Issue, from ...model.Issue) model.Refile {
	m.t.Helper()
	r, err := m.refiles.Merge(m.ctx, into.ID, idsOfIssues(from), 5)
	m.must(err)
	return r
}

func idsOfIssues(list []model.Issue) (ids []int64) {
	for _, i := range list {
		ids = append(ids, i.ID)
	}
	return ids
}

func (m *mover) undo(r model.Refile) {
	m.t.Helper()
	_, err := m.refiles.Undo(m.ctx, r.ID, 5)
	m.must(err)
	m.run()
}

func (m *mover) state(r model.Refile) model.Refile {
	m.t.Helper()
	r, err := m.refiles.Get(m.ctx, r.ID)
	m.must(err)
	return r
}

// TestMerge holds that a merge leaves what a digest of all events into one issue would have, that new events follow at
// once, and that undoing it gives everything back, with what came since.
func TestMerge(t *testing.T) {
	t.Parallel()
	dbtest.Both(t, func(t *testing.T, d *db.DB) {
		m := newMover(t, d)
		m.faults("a", 0, 90)
		m.faults("b", 0, 35)
		m.faults("c", 10, 20)
		a, b, c := m.issue("a"), m.issue("b"), m.issue("c")
		before := [][]string{m.counters(a.ID), m.counters(b.ID), m.counters(c.ID)}
		r := m.merge(b, a, c)
		m.wantListed("b: 35") // at once, though no event has moved
		counts, err := m.issues.Counts(m.ctx, []int64{m.project.ID})
		if m.must(err); counts["all"] != 1 {
			t.Errorf("counts are %v", counts)
		}
		m.faults("a", 3, 5)
		m.run()
		m.wantListed("b: 137")
		m.sound()
		if r = m.state(r); r.State != model.JobDone || r.Done != 100 || r.Total != 100 || r.Hashes != 2 || r.FinishedAt.IsZero() {
			t.Errorf("the refiling is %+v", r)
		}
		old, err := m.issues.Find(m.ctx, m.project.ID, a.Number)
		if m.must(err); old.MergedInto != b.ID {
			t.Errorf("a leads to %d", old.MergedInto)
		}
		m.undo(r)
		m.wantListed("a: 92", "b: 35", "c: 10")
		m.sound()
		m.same("b", m.counters(b.ID), before[1])
		m.same("c", m.counters(c.ID), before[2])
		if r = m.state(r); r.State != model.JobUndone || r.Done != 102 {
			t.Errorf("the refiling is %+v", r)
		}
		if _, err := m.refiles.Undo(m.ctx, r.ID, 5); errs.Of(err) != errs.Conflict {
			t.Errorf("undone twice: %v", err)
		}
		m.wantListed("a: 92", "b: 35", "c: 10")
	})
}

// TestMergeEqualsDigest compares a merge with a digest of the same events into one issue, counter by counter, and its
// undoing with what was before.
func TestMergeEqualsDigest(t *testing.T) {
	t.Parallel()
	m := newMover(t, dbtest.New(t))
	for i := range 8 {
		m.faults([]string{"a", "b", "c"}[i%3], i*31, i*31+31)
	}
	a, b, c := m.issue("a"), m.issue("b"), m.issue("c")
	before := append(append(m.counters(a.ID), m.counters(b.ID)...), m.counters(c.ID)...)
	r := m.merge(c, a, b)
	m.run()
	merged := m.counters(c.ID)
	fresh := newMover(t, dbtest.New(t))
	fresh.digestAsOne(m)
	whole := fresh.list("all")
	if len(whole) != 1 {
		t.Fatalf("%d issues", len(whole))
	}
	m.same("merged", merged, fresh.counters(whole[0].Issue.ID))
	m.undo(r)
	m.same("undone", append(append(m.counters(a.ID), m.counters(b.ID)...), m.counters(c.ID)...), before)
	m.sound()
}

// digestAsOne stores the events of another mover, in order of id, under one fingerprint.
func (m *mover) digestAsOne(from *mover) {
	m.t.Helper()
	rows, err := from.db.Write(m.ctx, db.Key{Part: db.Ops}).Query(m.ctx, `SELECT id, event_id, received, body FROM event ORDER BY id`)
	m.must(err)
	var id int64
	var eventID [16]byte
	var received time.Time
	var body []byte
	n := 0
	_, err = pgx.ForEachRow(rows, []any{&id, &eventID, &received, &body}, func() error {
		text, err := m.digester.bodies.DecodeAll(body, nil)
		if err != nil {
			return err
		}
		r := m.record(0, oneFingerprint.ReplaceAllString(string(text), `"fingerprint":["all"]`))
		r.ID, r.EventID, r.Received, r.RemoteIP = id, eventID, received, fmt.Sprintf("192.0.2.%d", n%3)
		n++
		return m.write(r)
	})
	m.must(err)
}

var oneFingerprint = regexp.MustCompile(`"fingerprint":\["[abc]"\]`)

// TestSplit holds that hashes which came by a merge go back, that others make a new issue, and that both can be undone.
func TestSplit(t *testing.T) {
	t.Parallel()
	dbtest.Both(t, func(t *testing.T, d *db.DB) {
		m := newMover(t, d)
		m.faults("a", 0, 40)
		m.faults("b", 0, 30)
		m.faults("c", 0, 20)
		a, b, c := m.issue("a"), m.issue("b"), m.issue("c")
		first := m.merge(b, a, c)
		m.run()
		hashes, err := m.refiles.Hashes(m.ctx, b.ID)
		if m.must(err); len(hashes) != 3 || hashes[0].Hash != a.Hash || hashes[0].Events != 40 || hashes[0].FromIssue != a.ID ||
			hashes[0].FromShort != a.Number || hashes[0].Title != "fault of a" || hashes[1].FromIssue != 0 {
			t.Errorf("hashes are %+v", hashes)
		}
		all := []string{hashes[0].Hash, hashes[1].Hash, hashes[2].Hash}
		if _, err := m.refiles.Split(m.ctx, b.ID, all, 5); errs.Of(err) != errs.Unprocessable {
			t.Errorf("all hashes: %v", err)
		}
		back, err := m.refiles.Split(m.ctx, b.ID, []string{a.Hash}, 5)
		m.must(err)
		m.faults("a", 2, 3)
		m.run()
		m.wantListed("a: 41", "b: 50")
		m.sound()
		if back.Into != a.ID {
			t.Errorf("a went to %d", back.Into)
		}
		// b's own hash has nowhere to go back to.
		off, err := m.refiles.Split(m.ctx, b.ID, []string{b.Hash}, 5)
		m.must(err)
		m.run()
		m.sound()
		made, err := m.store.IssueByID(m.ctx, off.Into)
		if m.must(err); made.Title != "fault of b" || made.Events != 30 || made.Number != 4 || made.ID == b.ID {
			t.Errorf("the new issue is %+v", made)
		}
		if _, err := m.refiles.Undo(m.ctx, first.ID, 5); errs.Of(err) != errs.Conflict || !strings.Contains(err.Error(), fmt.Sprint(back.ID)) {
			t.Errorf("undone out of order: %v", err)
		}
		m.faults("b", 4, 5)
		m.undo(off)
		m.wantListed("a: 41", "b: 51")
		m.undo(back)
		m.wantListed("b: 92")
		m.sound()
		m.undo(first)
		m.wantListed("a: 41", "b: 31", "c: 20")
		m.sound()
		if gone, err := m.store.IssueByID(m.ctx, off.Into); err != nil || gone.MergedInto != b.ID || gone.Events != 0 {
			t.Errorf("the new issue is %+v, %v", gone, err)
		}
	})
}

// TestMergeOfMerge merges what was merged before, while the first job still waits, and undoes both in their order.
func TestMergeOfMerge(t *testing.T) {
	t.Parallel()
	m := newMover(t, dbtest.New(t))
	m.faults("a", 0, 30)
	m.faults("b", 5, 25)
	m.faults("c", 9, 19)
	a, b, c := m.issue("a"), m.issue("b"), m.issue("c")
	before := append(append(m.counters(a.ID), m.counters(b.ID)...), m.counters(c.ID)...)
	first, second := m.merge(b, a), m.merge(c, b)
	m.run()
	m.wantListed("c: 60")
	m.sound()
	if _, err := m.refiles.Merge(m.ctx, a.ID, []int64{c.ID}, 5); errs.Of(err) != errs.Conflict {
		t.Errorf("merged into one that is merged: %v", err)
	}
	if _, err := m.refiles.Undo(m.ctx, first.ID, 5); errs.Of(err) != errs.Conflict {
		t.Errorf("undone out of order: %v", err)
	}
	m.undo(second)
	m.wantListed("b: 50", "c: 10")
	m.sound()
	m.undo(first)
	m.wantListed("a: 30", "b: 20", "c: 10")
	m.sound()
	m.same("undone", append(append(m.counters(a.ID), m.counters(b.ID)...), m.counters(c.ID)...), before)
}

// TestBusyHashes holds what people are told who move hashes while an application holds them for longer than a page waits.
func TestBusyHashes(t *testing.T) {
	t.Parallel()
	m := newMover(t, dbtest.New(t))
	m.faults("a", 0, 1)
	m.faults("b", 0, 1)
	a, b := m.issue("a"), m.issue("b")
	m.must(m.db.Tx(db.With(m.ctx, db.Jobs), db.Key{Part: db.Ops}, func(tx pgx.Tx) error {
		if _, err := tx.Exec(m.ctx, `SELECT pg_advisory_xact_lock(715190223, $1)`, m.project.ID); err != nil {
			return err
		}
		if _, err := m.refiles.Merge(m.ctx, a.ID, []int64{b.ID}, 5); errs.Of(err) != errs.Unavailable || !strings.Contains(errs.Message(err), "Try again") {
			t.Errorf("a merge meanwhile: %v", err)
		}
		return nil
	}))
	m.merge(a, b)
}

// TestTaker holds that an event is found at the end of however many merges its issue went through, before any job has
// moved it.
func TestTaker(t *testing.T) {
	t.Parallel()
	m := newMover(t, dbtest.New(t))
	m.faults("0", 0, 1)
	m.faults("other", 0, 1)
	first := m.issue("0")
	id := m.lines(`SELECT event_id::text FROM event WHERE issue_id = $1`, first.ID)[0]
	for n := range 25 {
		m.faults(fmt.Sprint(n+1), 0, 1)
		m.merge(m.issue(fmt.Sprint(n+1)), m.issue(fmt.Sprint(n)))
	}
	first, err := m.store.Issue(m.ctx, first.ProjectID, first.Number)
	m.must(err)
	last, err := m.issues.Taker(m.ctx, first)
	if m.must(err); last.ID != m.issue("25").ID {
		t.Errorf("issue 0 leads to %+v", last)
	}
	if row, _, err := m.issues.Event(m.ctx, last, id); err != nil || row.IssueID != first.ID {
		t.Errorf("its event is %+v, %v", row, err)
	}
	if _, _, err := m.issues.Event(m.ctx, m.issue("other"), id); errs.Of(err) != errs.NotFound {
		t.Errorf("the event of another issue: %v", err)
	}
}

// TestRefusals holds what cannot be merged, split or deleted, and says why.
func TestRefusals(t *testing.T) {
	t.Parallel()
	m := newMover(t, dbtest.New(t))
	m.faults("a", 0, 3)
	m.faults("b", 0, 3)
	a, b := m.issue("a"), m.issue("b")
	other, _, err := m.projects.Ensure(m.ctx, "other", "python")
	m.must(err)
	r := m.fault("z", 1)
	r.Project = other.ID
	m.must(m.write(r))
	page, err := m.issues.List(m.ctx, Filter{Projects: []int64{other.ID}, Status: "all", Sort: "last_seen", Since: time.Now()})
	m.must(err)
	foreign := page.Rows[0].Issue
	many := count(1, MaxRefileIssues+2)
	for _, c := range []struct {
		name string
		into int64
		from []int64
		want errs.Kind
	}{
		{"another project", a.ID, []int64{foreign.ID}, errs.Unprocessable}, {"itself", a.ID, []int64{b.ID, a.ID}, errs.Unprocessable},
		{"nothing", a.ID, nil, errs.Unprocessable}, {"unknown", a.ID, []int64{77}, errs.NotFound}, {"into unknown", 77, []int64{a.ID}, errs.NotFound},
		{"too many", a.ID, wide(many), errs.TooLarge},
	} {
		if _, err := m.refiles.Merge(m.ctx, c.into, c.from, 5); errs.Of(err) != c.want {
			t.Errorf("%s: %v", c.name, err)
		}
	}
	for name, hashes := range map[string][]string{"not hex": {"zz"}, "none": nil, "of another issue": {b.Hash}} {
		if _, err := m.refiles.Split(m.ctx, a.ID, hashes, 5); errs.Of(err) == errs.Internal || err == nil {
			t.Errorf("split %s: %v", name, err)
		}
	}
	if _, err := m.refiles.Undo(m.ctx, 77, 5); errs.Of(err) != errs.NotFound {
		t.Errorf("undo of nothing: %v", err)
	}
	m.wantListed("a: 3", "b: 3")
}

func wide(list []int) (out []int64) {
	for _, n := range list {
		out = append(out, int64(n))
	}
	return out
}
