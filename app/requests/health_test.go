package requests

import (
	"context"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"kibitz/app/db"
	"kibitz/app/db/dbtest"
	"kibitz/app/db/pglocal"
	"kibitz/app/model"
	"kibitz/app/store"
)

func newHealth(d *db.DB) *Health {
	return NewHealth(HealthOptions{Store: store.New(d), Statements: NewRecentStatements(), Log: discard(), Local: func(string) bool { return true }, Memory: MemoryAvailable})
}

func checked(t testing.TB, h *Health) HealthReport {
	t.Helper()
	if err := h.Check(t.Context()); err != nil {
		t.Fatal(err)
	}
	return h.Report()
}

// finding is the answer of a check on a node.
func finding(t testing.TB, r HealthReport, check, node string) model.Finding {
	t.Helper()
	for _, f := range r.Findings {
		if f.Check == check && strings.Contains(f.Node, node) {
			return f
		}
	}
	t.Fatalf("no finding %s on %s", check, node)
	return model.Finding{}
}

func itemOf(f model.Finding, name string) string {
	for _, i := range f.Items {
		if strings.Contains(i.Name, name) {
			return i.SQL + " " + i.Said
		}
	}
	return ""
}

// TestHealthSick makes a database sick in every way that can be made in a second, and finds each.
func TestHealthSick(t *testing.T) {
	t.Parallel()
	d := dbtest.New(t)
	owned(t, d, `CREATE TABLE sick (id int PRIMARY KEY, a int, b text, c bigint)`, `CREATE SEQUENCE sick_seq AS int OWNED BY sick.a`,
		`INSERT INTO sick SELECT n + 2000000000, n, repeat('x', 600), n FROM generate_series(1, 25000) n`, `SELECT setval('sick_seq', 2100000000)`,
		`ALTER TABLE sick ALTER b SET STORAGE EXTERNAL`, `CREATE INDEX sick_unused ON sick (b, id)`, `CREATE INDEX sick_long ON sick (a, c)`, `CREATE INDEX sick_short ON sick (a)`,
		`CREATE INDEX sick_invalid ON sick (c, a)`, `UPDATE pg_index SET indisvalid = false WHERE indexrelid = 'sick_invalid'::regclass`,
		`ALTER TABLE sick ADD CONSTRAINT sick_key FOREIGN KEY (c) REFERENCES issue (id) NOT VALID`,
		`GRANT SELECT ON sick TO kibitz_ops`, `GRANT SELECT ON SEQUENCE sick_seq TO kibitz_ops`, `ALTER TABLE sick SET (autovacuum_enabled = off)`, `ANALYZE sick`,
		`UPDATE migration SET applied_at = now() - interval '30 days'`)
	for range 3 {
		var n int
		if err := d.Read(t.Context(), db.Key{Part: db.Ops}).QueryRow(t.Context(), `SELECT count(*) FROM sick WHERE b = 'y'`).Scan(&n); err != nil {
			t.Fatal(err)
		}
	}
	owned(t, d, `SELECT pg_stat_force_next_flush()`, `DELETE FROM sick WHERE a % 2 = 0`)
	h := newHealth(d)
	for _, c := range []struct{ check, name, says string }{
		{"unused_index", "sick_unused", "DROP INDEX CONCURRENTLY ops.sick_unused;"},
		{"duplicate_index", "sick_short", "sick_long does the same"},
		{"invalid_index", "sick_invalid", "REINDEX INDEX CONCURRENTLY ops.sick_invalid;"},
		{"constraints", "sick_key", "ALTER TABLE ops.sick VALIDATE CONSTRAINT sick_key;"},
		{"foreign_keys", "sick_key", "CREATE INDEX CONCURRENTLY ON ops.sick (c);"},
		{"sequences", "sick_seq", "ALTER COLUMN a TYPE bigint"},
		{"int_keys", "sick", "ALTER COLUMN id TYPE bigint"},
		{"missing_index", "sick", "read all of it"},
		{"vacuum", "sick", "rows are dead"},
	} {
		// Counters of sessions reach the catalogs when those are idle; the check is repeated until they have.
		eventually(t, func() string {
			f := finding(t, checked(t, h), c.check, "ops")
			if got := itemOf(f, c.name); (f.Verdict == model.Warn || f.Verdict == model.Bad) && strings.Contains(got, c.says) {
				return ""
			}
			return c.check + ": " + string(f.Verdict) + " " + f.Said + " " + itemOf(f, c.name)
		})
	}
}

// eventually repeats fn until it has nothing to say.
func eventually(t testing.TB, fn func() string) {
	t.Helper()
	deadline := time.After(20 * time.Second)
	for {
		said := fn()
		if said == "" {
			return
		}
		select {
		case <-deadline:
			t.Fatal(said)
		case <-time.After(50 * time.Millisecond):
		}
	}
}

// TestHealthSessions: one session sits in a transaction and holds a lock that another one waits for.
func TestHealthSessions(t *testing.T) {
	t.Parallel()
	d := dbtest.New(t)
	err := d.Owner(t.Context(), db.Ops, func(holder *pgx.Conn) error {
		if _, err := holder.Exec(t.Context(), `BEGIN; LOCK TABLE issue`); err != nil {
			return err
		}
		waited := make(chan error, 1)
		go func() {
			_, err := d.Read(t.Context(), db.Key{Part: db.Ops}).Exec(t.Context(), `SELECT 1 FROM issue`)
			waited <- err
		}()
		h := newHealth(d)
		eventually(t, func() string {
			r := checked(t, h)
			idle, blocked := finding(t, r, "idle_in_transaction", "ops"), finding(t, r, "blocked", "ops")
			for _, i := range blocked.Items {
				if strings.Contains(i.Said, "SELECT 1 FROM issue") && strings.Contains(i.Said, "blocked by ["+pid(holder)+"]") && len(idle.Items) > 0 {
					return ""
				}
			}
			return idle.Said + " " + blocked.Said
		})
		if _, err := holder.Exec(t.Context(), `ROLLBACK`); err != nil {
			return err
		}
		return <-waited
	})
	if err != nil {
		t.Fatal(err)
	}
}

func pid(c *pgx.Conn) string { return strconv.Itoa(int(c.PgConn().PID())) }

// TestHealthServers: one server is judged once, whichever partitions are on it; four are judged four times.
func TestHealthServers(t *testing.T) {
	t.Parallel()
	dbtest.Both(t, func(t *testing.T, d *db.DB) {
		r := checked(t, newHealth(d))
		if n := len(r.Servers); n != 1 && n != 4 {
			t.Fatalf("%d servers", n)
		}
		perServer, perPartition := map[string]int{}, map[string]int{}
		for _, f := range r.Findings {
			switch f.Check {
			case "connections":
				perServer[f.Node]++
			case "vacuum":
				perPartition[f.Node]++
			}
			if f.Verdict == "" || f.Said == "" {
				t.Errorf("%+v", f)
			}
		}
		if len(perServer) != len(r.Servers) || len(perPartition) != 4 {
			t.Errorf("%v, %v", perServer, perPartition)
		}
		if f := finding(t, r, "growth", "ops"); f.Verdict != model.Unknown {
			t.Errorf("growth without a past: %+v", f)
		}
	})
}

// TestHealthGrowth compares with what was noted a week ago, and notes today once.
func TestHealthGrowth(t *testing.T) {
	t.Parallel()
	d := dbtest.New(t)
	s, h, today := store.New(d), newHealth(d), time.Now().UTC()
	checked(t, h)
	checked(t, h)
	noted, err := s.SpaceOn(t.Context(), []string{"ops", "users"}, today)
	if err != nil || len(noted) < 10 {
		t.Fatalf("%d sizes, %v", len(noted), err)
	}
	past := []model.SpaceSample{{Part: "ops", Relation: "issue", Day: today.AddDate(0, 0, -8), Bytes: 1}}
	if err := s.AddSpace(t.Context(), past); err != nil {
		t.Fatal(err)
	}
	r := checked(t, h)
	if f := finding(t, r, "growth", "ops"); f.Verdict != model.Healthy || itemOf(f, "issue") == "" {
		t.Errorf("%+v", f)
	}
	if f := finding(t, r, "growth", "users"); f.Verdict != model.Unknown {
		t.Errorf("%+v", f)
	}
	// 91 days later today's sizes are gone.
	if err := s.AddSpace(t.Context(), []model.SpaceSample{{Part: "ops", Relation: "issue", Day: today.AddDate(0, 0, 91), Bytes: 1}}); err != nil {
		t.Fatal(err)
	}
	if noted, err := s.SpaceOn(t.Context(), []string{"ops"}, today); err != nil || len(noted) != 0 {
		t.Errorf("%d sizes are kept too long, %v", len(noted), err)
	}
}

// TestHealthDown: a partition whose server is away is one finding, and the others are judged.
func TestHealthDown(t *testing.T) {
	t.Parallel()
	cfg := dbtest.Config(t, true)
	part := cfg.Parts[db.Posts]
	part.Primary = "postgres://nobody@127.0.0.1:1/none"
	cfg.Parts[db.Posts] = part
	d, err := db.Open(t.Context(), cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(d.Close)
	r := checked(t, newHealth(d))
	f := finding(t, r, "reachable", "posts")
	if f.Verdict != model.Bad || strings.Contains(f.Said, "127.0.0.1") || r.Findings[0].Check != "reachable" {
		t.Errorf("%+v", f)
	}
	finding(t, r, "vacuum", "ops")
}

func TestTrend(t *testing.T) {
	t.Parallel()
	h, start := &Health{vitals: map[string][]VitalSample{}}, time.Now()
	for minute := range 80 {
		reads := int64(60 * minute) // one a second
		if minute > 69 {
			reads = 60*69 + int64(minute-69)*6000
		}
		h.addVitals(model.ServerFacts{Identity: "a", At: start.Add(time.Duration(minute) * time.Minute), Vitals: model.Vitals{IndexReads: reads}})
		now, before := h.trend("a")
		if minute == 18 && (now != -1 || before != -1) {
			t.Errorf("after %d minutes: %v, %v", minute, now, before)
		}
		if minute == 79 && (now != 100 || before != 1) {
			t.Errorf("%v, %v", now, before)
		}
	}
	if n := len(h.vitals["a"]); n != vitalsKept {
		t.Errorf("%d samples are kept", n)
	}
}

func TestMemAvailable(t *testing.T) {
	t.Parallel()
	if n := memAvailable("MemTotal: 5 kB\nMemAvailable:   1000 kB\n"); n != 1024000 {
		t.Error(n)
	}
	if n := memAvailable(""); n != 0 {
		t.Error(n)
	}
}

// patient is how long a test waits for a connection on a busy machine.
const patient = 5 * time.Second

func stop(t testing.TB, s *pglocal.Server) {
	if err := s.Stop(context.Background()); err != nil {
		t.Error(err)
	}
}
