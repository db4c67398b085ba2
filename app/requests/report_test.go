package requests

import (
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"kibitz/app/db"
	"kibitz/app/db/dbtest"
	"kibitz/app/errs"
	"kibitz/app/issues"
	"kibitz/app/mail"
	"kibitz/app/mail/mailtest"
	"kibitz/app/model"
	"kibitz/app/sketch"
	"kibitz/app/store"
)

func TestReportPeriod(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ schedule, now, name, from, to string }{
		{"weekly", "2026-11-23T06:00:00Z", "2026-W47", "2026-11-16", "2026-11-23"}, // a Monday
		{"weekly", "2026-11-23T05:59:59Z", "2026-W46", "2026-11-09", "2026-11-16"},
		{"weekly", "2026-11-29T23:00:00Z", "2026-W47", "2026-11-16", "2026-11-23"},
		{"weekly", "2027-01-04T06:00:00Z", "2026-W53", "2026-12-28", "2027-01-04"},
		{"daily", "2026-11-25T06:00:00Z", "2026-11-24", "2026-11-24", "2026-11-25"},
		{"daily", "2026-11-25T05:00:00Z", "2026-11-23", "2026-11-23", "2026-11-24"},
	} {
		now, err := time.Parse(time.RFC3339, c.now)
		if err != nil {
			t.Fatal(err)
		}
		p, name, title := reportPeriod(c.schedule, now)
		if name != c.name || p.From.Format(time.DateOnly) != c.from || p.To.Format(time.DateOnly) != c.to || title == "" {
			t.Errorf("%s at %s: %s, %s to %s", c.schedule, c.now, name, p.From, p.To)
		}
	}
}

// reporting is reports over a database in which a project sent a statement and a request in a week.
func reporting(t *testing.T, d *db.DB, server *mailtest.Server, at time.Time) *Reports {
	t.Helper()
	s := store.New(d)
	project, _, err := issues.NewProjects(s, discard()).Ensure(t.Context(), "shop", "python")
	if err != nil {
		t.Fatal(err)
	}
	statements := []store.Statement{{ProjectID: project.ID, Fingerprint: 9, SQL: "SELECT <b> FROM cart WHERE id = ?"}}
	if err := s.PutStatements(t.Context(), statements); err != nil {
		t.Fatal(err)
	}
	owned(t, d, `INSERT INTO endpoint (project_id, service, method, name) SELECT id, '', 'GET', '/cart' FROM project WHERE slug = 'shop'`)
	durations := sketch.New()
	durations.Add(250_000, 10)
	row := []any{at.Add(time.Minute), at.Truncate(time.Hour), project.ID, statements[0].ID, int32(1), int32(0), int32(0), int16(model.FromSpans), 10.0, 0.0, 2_500_000.0, int64(300_000), 10.0, 10.0, durations.Encode()}
	columns := []string{"received", "bucket", "project_id", "statement_id", "endpoint_id", "caller_id", "release_id", "source", "n", "failed", "total_us", "max_us", "rows", "rows_known", "durations"}
	if _, err := d.Copy(t.Context(), db.Key{Part: db.Ops}, "statement_raw", columns, pgx.CopyFromRows([][]any{row})); err != nil {
		t.Fatal(err)
	}
	counted := append([]any(nil), row...)
	counted[7], counted[10] = int16(model.FromPgStat), 9e12 // the same calls, counted by the server: they are not to be added
	if _, err := d.Copy(t.Context(), db.Key{Part: db.Ops}, "statement_raw", columns, pgx.CopyFromRows([][]any{counted})); err != nil {
		t.Fatal(err)
	}
	mailer, err := mail.New(server.URL)
	if err != nil {
		t.Fatal(err)
	}
	return NewReports(s, New(s, model.NewIDs(1), discard(), Retention{Days: 14, MinuteDays: 30, HourDays: 400, Budget: 1 << 40}), newHealth(d), discard(),
		ReportOptions{Base: "https://kibitz.example", From: "kibitz@example.org", To: []string{"mara@example.org"}, Schedule: "weekly", Server: mailer})
}

// TestReport sends the report of each week once, however many processes look, and not before a whole week was seen.
func TestReport(t *testing.T) {
	t.Parallel()
	d, server := dbtest.New(t), mailtest.New(t)
	monday := time.Date(2026, 11, 23, 7, 0, 0, 0, time.UTC)
	r := reporting(t, d, server, monday.AddDate(0, 0, 2))
	if err := r.SendDue(t.Context(), monday); err != nil || len(server.Mails()) != 0 {
		t.Fatalf("%d mails before the first week has passed, %v", len(server.Mails()), err)
	}
	next := monday.AddDate(0, 0, 7)
	server.Refuse("451 later")
	if err := r.SendDue(t.Context(), next); err == nil {
		t.Error("a mail that was refused is no error")
	}
	server.Refuse("")
	var all sync.WaitGroup
	for range 5 {
		all.Go(func() {
			if err := r.SendDue(t.Context(), next); err != nil {
				t.Error(err)
			}
		})
	}
	all.Wait()
	// Whoever did not get the lock went away; one more look finds that all is done.
	if err := r.SendDue(t.Context(), next.Add(time.Hour)); err != nil {
		t.Error(err)
	}
	mails := server.Wait(t, 1)
	if len(mails) != 1 {
		t.Fatalf("%d mails for one week", len(mails))
	}
	m := strings.NewReplacer("=\r\n", "", "=3D", "=").Replace(mails[0].Data)
	for _, want := range []string{"Message-ID: <report-weekly-2026-W48@kibitz.example>", "Week 48 of 2026", "1. 100 % of the time: 2.5 s, 10 calls, mean 250 ms, longest 300 ms  [shop]",
		"SELECT <b> FROM cart", "SELECT &lt;b&gt; FROM cart", "https://kibitz.example/queries/0000000000000009?", "DATABASES"} {
		if !strings.Contains(m, want) {
			t.Errorf("the mail lacks %q", want)
		}
	}
	if err := r.SendDue(t.Context(), next.AddDate(0, 0, 7)); err != nil {
		t.Error(err)
	}
	if n := len(server.Mails()); n != 2 {
		t.Errorf("%d mails for two weeks", n)
	}
}

func TestReportNow(t *testing.T) {
	t.Parallel()
	d, server := dbtest.New(t), mailtest.New(t)
	now := time.Now()
	r := reporting(t, d, server, now)
	props, err := r.Preview(t.Context(), now)
	if err != nil || props.Checked.IsZero() || props.Unknown == 0 || len(props.Statements) != 0 {
		t.Errorf("%+v, %v", props, err)
	}
	if err := r.SendNow(t.Context(), now); err != nil {
		t.Error(err)
	}
	server.Wait(t, 1)
	r.options.To = nil
	if err := r.SendNow(t.Context(), now); errs.Of(err) != errs.Unprocessable {
		t.Error(err)
	}
	r.options.Server = nil
	if err := r.SendNow(t.Context(), now); errs.Of(err) != errs.Unprocessable {
		t.Error(err)
	}
}
