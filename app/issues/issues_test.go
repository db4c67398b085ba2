package issues

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"math/rand/v2"
	"os"
	"slices"
	"testing"
	"time"

	"github.com/klauspost/compress/zstd"

	"kibitz/app/db"
	"kibitz/app/db/dbtest"
	"kibitz/app/errs"
	"kibitz/app/model"
	"kibitz/app/store"
	"kibitz/ingest"
	"kibitz/ingest/envelope"
)

func TestMain(m *testing.M) {
	if config := os.Getenv(moverEnv); config != "" {
		os.Exit(moveUntilKilled(config))
	}
	os.Exit(dbtest.Run(m))
}

// desk is the use cases over clean databases, with a digester and a place in an imagined spool.
type desk struct {
	t         testing.TB
	ctx       context.Context
	store     *store.Store
	issues    *Issues
	projects  *Projects
	groupings *Groupings
	digester  *Digester
	ids       *model.IDs
	at        ingest.Position
	project   model.Project
	zstd      *zstd.Encoder
}

func newDesk(t testing.TB, d *db.DB) *desk {
	t.Helper()
	s, ids := store.New(d), model.NewIDs(1)
	log := slog.New(slog.NewTextHandler(io.Discard, nil))
	groupings := NewGroupings(s, log)
	digester, err := NewDigester(s, groupings, nil, NewHub(), log)
	if err != nil {
		t.Fatal(err)
	}
	enc, err := zstd.NewWriter(nil)
	if err != nil {
		t.Fatal(err)
	}
	k := &desk{t: t, ctx: t.Context(), store: s, issues: New(s, groupings, ids), groupings: groupings, projects: NewProjects(s, log), digester: digester, ids: ids, zstd: enc}
	if k.project, _, err = k.projects.Ensure(k.ctx, "shop", "python"); err != nil {
		t.Fatal(err)
	}
	return k
}

// record is the spooled form of an event's JSON.
func (k *desk) record(eventID byte, body string) ingest.Record {
	return ingest.Record{ID: k.ids.Next(), Project: k.project.ID, KeyID: 1, Kind: ingest.KindEvent, Received: time.Now().UTC().Truncate(time.Millisecond),
		EventID: [16]byte{1, eventID}, Payload: k.zstd.EncodeAll([]byte(body), nil)}
}

// write stores records as one batch and moves on.
func (k *desk) write(records ...ingest.Record) error {
	to := ingest.Position{Segment: 1, Offset: k.at.Offset + 100}
	err := k.digester.Write(k.ctx, ingest.Batch{Node: "n", From: k.at, To: to, Records: records})
	if err == nil {
		k.at = to
	}
	return err
}

func (k *desk) must(err error) {
	k.t.Helper()
	if err != nil {
		k.t.Fatal(err)
	}
}

func (k *desk) list(status string) []Row {
	k.t.Helper()
	page, err := k.issues.List(k.ctx, Filter{Projects: []int64{k.project.ID}, Status: status, Sort: "last_seen", Limit: 100, Since: time.Now().Add(-24 * time.Hour)})
	k.must(err)
	return page.Rows
}

func (k *desk) stored(outcome, reason string) (n int64) {
	k.t.Helper()
	all, err := k.store.Outcomes(k.ctx, k.project.ID, time.Now().Add(-48*time.Hour))
	k.must(err)
	for _, o := range all {
		if o.Outcome == outcome && o.Reason == reason {
			n += o.N
		}
	}
	return n
}

func message(text string) string { return fmt.Sprintf(`{"message":%q,"level":"error"}`, text) }

// TestDigest takes an event through grouping into the database, in one database and in four.
func TestDigest(t *testing.T) {
	t.Parallel()
	dbtest.Both(t, func(t *testing.T, d *db.DB) {
		k := newDesk(t, d)
		r := rand.New(rand.NewPCG(1, 1))
		var records []ingest.Record
		for i := range 4 {
			records = append(records, k.record(byte(i), string(envelope.SampleEvent(r, i%2, "", time.Now()))))
		}
		k.must(k.write(records...))
		rows := k.list("unresolved")
		if len(rows) != 2 || rows[0].Issue.Events != 2 || rows[1].Issue.Events != 2 {
			t.Fatalf("got %+v", rows)
		}
		titles := []string{rows[0].Issue.Type, rows[1].Issue.Type}
		if slices.Sort(titles); !slices.Equal(titles, []string{"IntegrityError", "PricingError"}) || rows[0].Issue.Culprit == "" {
			t.Errorf("got %+v", rows)
		}
		var n int64
		for _, b := range rows[0].Stats {
			n += b.N
		}
		if n != 2 {
			t.Errorf("the sparkline sums up to %d", n)
		}
	})
}

// TestDuplicate holds that a resent event, on the same or a later batch, counts once, and the first body wins.
func TestDuplicate(t *testing.T) {
	t.Parallel()
	dbtest.Both(t, func(t *testing.T, d *db.DB) {
		k := newDesk(t, d)
		k.must(k.write(k.record(1, message("first")), k.record(1, message("second"))))
		k.must(k.write(k.record(1, message("third")), k.record(2, message("first"))))
		rows := k.list("all")
		if len(rows) != 1 || rows[0].Issue.Title != "first" || rows[0].Issue.Events != 2 {
			t.Errorf("got %+v", rows)
		}
		if s, f := k.stored("stored", ""), k.stored("filtered", "duplicate"); s != 2 || f != 2 {
			t.Errorf("%d stored, %d duplicates", s, f)
		}
	})
}

// TestCursor holds that a batch whose place was taken by another writes nothing, and that a repeated one does neither.
func TestCursor(t *testing.T) {
	t.Parallel()
	k := newDesk(t, dbtest.New(t))
	k.must(k.write(k.record(1, message("a"))))
	k.at = ingest.Position{}
	if err := k.write(k.record(2, message("b"))); !errors.Is(err, ingest.ErrCursor) {
		t.Errorf("got %v", err)
	}
	if rows := k.list("all"); len(rows) != 1 {
		t.Errorf("got %+v", rows)
	}
	at, err := k.digester.Cursor(k.ctx, "n")
	if k.must(err); at != (ingest.Position{Segment: 1, Offset: 100}) {
		t.Errorf("the cursor is %+v", at)
	}
}

// TestRegression holds what an event does to issues that people were done with.
func TestRegression(t *testing.T) {
	t.Parallel()
	dbtest.Both(t, func(t *testing.T, d *db.DB) {
		k := newDesk(t, d)
		k.must(k.write(k.record(1, message("resolved one")), k.record(2, message("archived one"))))
		for _, row := range k.list("all") {
			status := model.Resolved
			if row.Issue.Title == "archived one" {
				status = model.Archived
			}
			changes, err := k.issues.SetStatus(k.ctx, []int64{row.Issue.ID}, status, 5)
			if k.must(err); len(changes) != 1 || changes[0].Before != model.Unresolved {
				t.Errorf("changes are %+v", changes)
			}
		}
		k.must(k.write(k.record(3, message("resolved one")), k.record(4, message("archived one"))))
		back, kept := k.list("unresolved"), k.list("archived")
		if len(back) != 1 || !back[0].Issue.Regressed || back[0].Issue.Events != 2 {
			t.Errorf("unresolved: %+v", back)
		}
		if len(kept) != 1 || kept[0].Issue.Events != 2 || kept[0].Issue.Regressed {
			t.Errorf("archived: %+v", kept)
		}
		activity, err := k.store.IssueActivity(k.ctx, back[0].Issue.ID, 10)
		if k.must(err); len(activity) != 1 || activity[0].AccountID != 5 || activity[0].After != "resolved" {
			t.Errorf("activity is %+v", activity)
		}
	})
}

// TestTagsAndUsers holds that tags beyond their limit are counted together and users once.
func TestTagsAndUsers(t *testing.T) {
	t.Parallel()
	k := newDesk(t, dbtest.New(t))
	for batch := range 12 {
		var records []ingest.Record
		for i := range 20 {
			n := batch*20 + i
			records = append(records, k.record(byte(n), fmt.Sprintf(`{"message":"x","tags":{"request":"r%d"},"user":{"id":"%d"}}`, n, n%7)))
		}
		k.must(k.write(records...))
	}
	issue := k.list("all")[0].Issue
	if issue.Events != 240 || issue.Users != 7 {
		t.Errorf("%d events of %d users", issue.Events, issue.Users)
	}
	shares, err := k.store.IssueTags(k.ctx, issue.ID)
	k.must(err)
	values, sum := 0, int64(0)
	for _, s := range shares {
		if s.Key == "request" {
			values++
			sum += s.Events
		}
	}
	if values > store.MaxTagValues+1+20 || sum != 240 {
		t.Errorf("%d values of %d events", values, sum)
	}
}

// TestPaging walks over 60 issues in every order, forward and back, without a gap or a repetition.
func TestPaging(t *testing.T) {
	t.Parallel()
	k := newDesk(t, dbtest.New(t))
	for i := range 60 {
		var records []ingest.Record
		for n := range 1 + i%3 {
			records = append(records, k.record(byte(i*4+n), fmt.Sprintf(`{"message":"fault","fingerprint":["f%d"],"timestamp":%d}`, i, time.Now().Unix()-int64(i%10))))
		}
		k.must(k.write(records...))
	}
	for _, sort := range []string{"last_seen", "first_seen", "events"} {
		f := Filter{Projects: []int64{k.project.ID}, Status: "all", Sort: sort, Limit: 7, Since: time.Now()}
		var pages [][]int64
		for {
			page, err := k.issues.List(k.ctx, f)
			k.must(err)
			pages = append(pages, idsOf(page))
			if page.Next == "" {
				f.Cursor = page.Prev
				break
			}
			f.Cursor = page.Next
		}
		seen := map[int64]bool{}
		for _, p := range pages {
			for _, id := range p {
				seen[id] = true
			}
		}
		if len(seen) != 60 || len(pages) != 9 {
			t.Errorf("%s: %d issues on %d pages", sort, len(seen), len(pages))
		}
		for n := len(pages) - 2; n >= 0; n-- {
			page, err := k.issues.List(k.ctx, f)
			if k.must(err); !slices.Equal(idsOf(page), pages[n]) {
				t.Errorf("%s: page %d is another on the way back", sort, n)
			}
			f.Cursor = page.Prev
		}
		if f.Cursor != "" {
			t.Errorf("%s: there is something before the first page", sort)
		}
	}
}

func idsOf(p Page) (ids []int64) {
	for _, r := range p.Rows {
		ids = append(ids, r.Issue.ID)
	}
	return ids
}

// TestDetail reads an issue's events and their neighbours, within its budget of queries.
func TestDetail(t *testing.T) {
	t.Parallel()
	k := newDesk(t, dbtest.New(t))
	for i := range byte(3) {
		k.must(k.write(k.record(i, message("x"))))
	}
	issue := k.list("all")[0].Issue
	var d Detail
	dbtest.Budget(t, k.ctx, 5, func(ctx context.Context) {
		var err error
		d, err = k.issues.Detail(ctx, issue, "latest", time.Now().Add(-time.Hour))
		k.must(err)
	})
	if d.Place.Nth != 3 || d.Place.Next != "" || d.Place.Prev == "" || d.Event == nil || d.Grouping.Title != "x" {
		t.Errorf("latest: %+v", d.Place)
	}
	d, err := k.issues.Detail(k.ctx, issue, "first", time.Now())
	if k.must(err); d.Place.Nth != 1 || d.Place.Prev != "" {
		t.Errorf("first: %+v", d.Place)
	}
	if _, err := k.issues.Detail(k.ctx, issue, "feedfeedfeedfeedfeedfeedfeedfeed", time.Now()); errs.Of(err) != errs.NotFound {
		t.Errorf("an unknown event: %v", err)
	}
	dbtest.Budget(t, k.ctx, 2, func(ctx context.Context) {
		_, err := k.issues.List(ctx, Filter{Projects: []int64{k.project.ID}, Status: "all", Sort: "events", Since: time.Now()})
		k.must(err)
	})
}

// TestOddEvents stores what databases choke on: NUL, lone surrogates, times out of every range, huge numbers, long texts.
func TestOddEvents(t *testing.T) {
	t.Parallel()
	k := newDesk(t, dbtest.New(t))
	long := string(make([]byte, 0))
	for range 2000 {
		long += "0123456789"
	}
	bodies := []string{
		`{"message":"a\u0000b","tags":{"k\u0000":"v\u0000"},"release":"\u0000"}`, `{"message":"\ud800"}`, `{"message":"x","timestamp":1e18}`,
		`{"message":"x","timestamp":-1}`, `{"message":"x","timestamp":"yesterday"}`, `{"message":"x","timestamp":"292277-01-01T00:00:00Z"}`,
		`{"message":"x","extra":{"n":1e200000}}`, `{"message":"` + long + `","transaction":"` + long + `","fingerprint":["` + long + `"]}`,
		`{"exception":[{"type":"` + long + `","value":"` + long + `"}]}`, `{}`, `{"exception":{"values":[null]}}`, `{"level":7,"platform":{},"tags":[1,[2],["a","b"]]}`,
	}
	for i, body := range bodies {
		if err := k.write(k.record(byte(i), body)); err != nil {
			t.Errorf("%.80s: %v", body, err)
		}
	}
	if n := k.stored("stored", ""); n != int64(len(bodies)) {
		t.Errorf("%d of %d are stored", n, len(bodies))
	}
	for _, row := range k.list("all") {
		if _, err := k.issues.Detail(k.ctx, row.Issue, "latest", time.Now()); err != nil {
			t.Errorf("%s cannot be read: %v", row.Issue.Title, err)
		}
		if d := time.Since(row.Issue.LastSeen); d < -2*time.Minute || d > time.Hour {
			t.Errorf("%s was seen at %s", row.Issue.Title, row.Issue.LastSeen)
		}
	}
}

// TestLate holds that an event which waited for days in a spool is stored and found by its id.
func TestLate(t *testing.T) {
	t.Parallel()
	k := newDesk(t, dbtest.New(t))
	late := k.record(1, message("late"))
	late.Received = time.Now().AddDate(0, 0, -5).UTC()
	late.ID = model.FirstIDAt(late.Received)
	k.must(k.write(late))
	if _, ev, err := k.issues.ProjectEvent(k.ctx, k.project.ID, "01010000000000000000000000000000"); err != nil || ev.Message.Formatted != "late" {
		t.Errorf("got %v", err)
	}
}

// TestBury holds that a record which cannot be read is told apart, kept as a dead letter and counted.
func TestBury(t *testing.T) {
	t.Parallel()
	k := newDesk(t, dbtest.New(t))
	bad := k.record(1, "x")
	bad.Payload = []byte("not zstd")
	if err := k.write(bad); !errors.Is(err, ingest.ErrData) {
		t.Fatalf("got %v", err)
	}
	k.must(k.digester.Bury(k.ctx, ingest.Batch{Node: "n", From: k.at, To: ingest.Position{Segment: 1, Offset: 9}, Records: []ingest.Record{bad}}, "broken"))
	n, err := k.store.DeadLetters(k.ctx)
	if k.must(err); n != 1 || k.stored("invalid", "dead_letter") != 1 {
		t.Errorf("%d dead letters", n)
	}
}

// TestProjects holds names, keys and their snapshot.
func TestProjects(t *testing.T) {
	t.Parallel()
	dbtest.Both(t, func(t *testing.T, d *db.DB) {
		k := newDesk(t, d)
		p, key, err := k.projects.Add(k.ctx, "Tealeaf Shop!", "", "python")
		if k.must(err); p.Slug != "tealeaf-shop" || len(key.Public) != 32 {
			t.Errorf("got %+v %+v", p, key)
		}
		if _, _, err := k.projects.Add(k.ctx, "x", "tealeaf-shop", ""); errs.Of(err) != errs.Conflict {
			t.Errorf("the same name again: %v", err)
		}
		if _, _, err := k.projects.Add(k.ctx, "", "No Good", ""); errs.Of(err) != errs.Unprocessable {
			t.Errorf("a bad name: %v", err)
		}
		if got, ok := k.projects.Key(k.ctx, key.Public); !ok || got.ProjectID != p.ID {
			t.Errorf("the key is not known: %+v", got)
		}
		k.must(k.projects.Rotate(k.ctx, p.ID))
		if got, _ := k.projects.Key(k.ctx, key.Public); got.Active {
			t.Error("the old key is active")
		}
		if got, err := k.projects.ActiveKey(k.ctx, p.ID); err != nil || got.Public == key.Public {
			t.Errorf("the new key: %+v %v", got, err)
		}
	})
}
