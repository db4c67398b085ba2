package requests

import (
	"bytes"
	"context"
	"encoding/binary"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"kibitz/app/db"
	"kibitz/app/db/dbtest"
	"kibitz/app/db/pglocal"
	"kibitz/app/trace"
	"kibitz/ingest"
	"kibitz/ingest/pglog"
	"kibitz/ingest/receiver/tail"
	"kibitz/ingest/sqltext"
)

// watched is a PostgreSQL that writes its log in three forms, each file of which is followed into a project of its own.
type watched struct {
	*desk
	mu    sync.Mutex
	logs  string
	conn  *pgx.Conn
	forms *sqltext.Normalizer
}

func newWatched(t *testing.T) *watched {
	t.Helper()
	w := &watched{desk: newDesk(t, dbtest.New(t), 1), forms: sqltext.NewNormalizer(1 << 20)}
	dir, err := os.MkdirTemp("", "kibitz-logs-")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	if err := os.Chmod(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	pg, err := pglocal.Start(t.Context(), pglocal.Options{Dir: filepath.Join(dir, "pg")})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { pg.Stop(context.Background()) })
	w.logs = filepath.Join(dir, "pg", "data", "log")
	w.connect(pg)
	for _, set := range []string{"logging_collector = on", "log_destination = 'stderr,csvlog,jsonlog'", "log_directory = 'log'", "log_filename = 'pg.log'",
		"log_min_duration_statement = 0", "log_line_prefix = '%m [%p] %q%u@%d '", "session_preload_libraries = 'auto_explain'", "log_temp_files = 0", "log_min_error_statement = error"} {
		w.exec("ALTER SYSTEM SET " + set)
	}
	w.conn.Close(t.Context())
	if err := pg.Restart(t.Context()); err != nil {
		t.Fatal(err)
	}
	w.connect(pg)
	return w
}

func (w *watched) connect(pg *pglocal.Server) {
	w.t.Helper()
	var err error
	if w.conn, err = pgx.Connect(w.ctx, pg.DSN(pglocal.Superuser, "postgres")); err != nil {
		w.t.Fatal(err)
	}
	w.t.Cleanup(func() { w.conn.Close(context.Background()) })
}

func (w *watched) exec(sql string, args ...any) {
	w.t.Helper()
	if _, err := w.conn.Exec(w.ctx, sql, args...); err != nil {
		w.t.Fatal(err)
	}
}

// accept stores a portion as the drain does, in the project of its source.
func (w *watched) accept(_ context.Context, from ingest.Source, p pglog.Portion) error {
	raw, err := p.Append(nil)
	if err != nil {
		return err
	}
	if w.ctx.Err() != nil {
		return nil // the test has ended, and with it the database
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	project := w.project.ID
	defer func() { w.project.ID = project }()
	w.project.ID, w.now = from.Project, time.Now().UTC()
	w.write(ingest.KindPortion, raw)
	return nil
}

// follow follows one file; what it gives stops that.
func (w *watched) follow(name string, project int64) (stop func()) {
	w.t.Helper()
	t, err := tail.Open(tail.Options{Globs: []string{filepath.Join(w.logs, name)}, Log: pglog.Options{Normalizer: w.forms, Prefix: "%m [%p] %q%u@%d "}, Project: project,
		State: filepath.Join(w.logs, "..", name+".state"), Source: name, Accept: w.accept, Logger: discard(), Poll: 10 * time.Millisecond})
	if err != nil {
		w.t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan struct{})
	go func() { defer close(done); t.Run(ctx) }()
	stop = func() { cancel(); <-done }
	w.t.Cleanup(stop)
	return stop
}

// digest is what is stored of a project: calls, their time and failures by statement.
func (w *watched) digest(project int64) map[string]string {
	w.t.Helper()
	rows, err := w.db.Write(w.ctx, db.Key{Part: db.Ops}).Query(w.ctx, `SELECT s.sql, sum(r.n)::text || ' ' || sum(r.total_us)::text || ' ' || sum(r.failed)::text
		FROM statement_raw r JOIN statement s ON s.id = r.statement_id WHERE r.project_id = $1 AND s.sql NOT LIKE '%pg_rotate%' AND s.sql NOT LIKE 'show %' GROUP BY s.id`, project)
	if err != nil {
		w.t.Fatal(err)
	}
	out := map[string]string{}
	var sql, numbers string
	if _, err := pgx.ForEachRow(rows, []any{&sql, &numbers}, func() error { out[sql] = numbers; return nil }); err != nil {
		w.t.Fatal(err)
	}
	return out
}

func (w *watched) until(what string, is func() bool) {
	w.t.Helper()
	for end := time.Now().Add(20 * time.Second); !is(); time.Sleep(20 * time.Millisecond) {
		if time.Now().After(end) {
			w.t.Fatalf("%s: %v\n%v\n%v", what, w.digest(101), w.digest(102), w.digest(103))
		}
	}
}

// TestLogDoors: one workload, followed as stderr, csvlog and jsonlog over a rotation and a restart of the reader, and sent
// whole, is one and the same digest in the database; a plan that the server logged stands with the span that it is of.
func TestLogDoors(t *testing.T) {
	t.Parallel()
	w := newWatched(t)
	files := map[string]int64{"pg.log": 101, "pg.csv": 102, "pg.json": 103}
	stops := map[string]func(){}
	for name, project := range files {
		stops[name] = w.follow(name, project)
	}
	w.exec("CREATE TABLE t (id int PRIMARY KEY, name text)")
	work := func(from, to int) {
		for i := from; i < to; i++ {
			w.exec("INSERT INTO t VALUES ($1, $2)", i, fmt.Sprintf("line\n\tof %d", i))
			w.exec(fmt.Sprintf("SELECT *\n\tFROM t -- it''s\n WHERE id = %d", i), pgx.QueryExecModeSimpleProtocol)
		}
		if _, err := w.conn.Exec(w.ctx, "SELECT 1 / $1::int", 0); err == nil {
			t.Fatal("a division by zero is no error")
		}
	}
	work(0, 20)
	w.rotate()
	work(20, 40)
	for _, stop := range stops {
		stop()
	}
	work(40, 50)
	for name, project := range files {
		w.follow(name, project)
	}
	request := w.planned()
	const last = "set auto_explain.log_min_duration = ?" // twice, the second time at the end
	w.until("the calls do not come", func() bool {
		for _, project := range files {
			if d := w.digest(project); !strings.HasPrefix(d["insert into t values (?)"], "50 ") || !strings.HasPrefix(d[last], "2 ") {
				return false
			}
		}
		return true
	})
	sent := w.sent(104)
	for name, project := range files {
		if got := w.digest(project); !maps.Equal(got, sent) {
			t.Errorf("%s: %v\nis not\n%v", name, got, sent)
		}
	}
	// Three errors in each form but stderr, whose prefix tells no SQLSTATE, and three that were sent.
	k := w.number("SELECT count(*) FROM log_line WHERE level = 5 AND body = 'division by zero' AND attrs->>'sqlstate' = '22012'")
	if d := w.digest(101); k != 9 || d["select ? / ?"] != "0 0 3" {
		t.Errorf("%v lines tell of errors; %v", k, d)
	}
	sides, err := w.requests.ServerSides(w.ctx, 103, request)
	if err != nil || len(sides) != 1 || !sides[0].Certain || !bytes.Contains([]byte(sides[0].Call.Plan), []byte("Seq Scan on t")) || sides[0].Call.Duration > request.Spans[0].Duration {
		t.Errorf("%+v %v", sides, err)
	}
}

// rotate renames the files, and makes the server begin new ones.
func (w *watched) rotate() {
	w.t.Helper()
	for _, name := range []string{"pg.log", "pg.csv", "pg.json"} {
		if err := os.Rename(filepath.Join(w.logs, name), filepath.Join(w.logs, name+".1")); err != nil {
			w.t.Fatal(err)
		}
	}
	w.exec("SELECT pg_rotate_logfile()")
	w.until("the server does not begin new files", func() bool {
		_, err := os.Stat(filepath.Join(w.logs, "pg.json"))
		return err == nil
	})
}

// planned runs a statement whose plan is logged, and gives the request that a program would have recorded of it.
func (w *watched) planned() *trace.Request {
	w.t.Helper()
	w.exec("SET auto_explain.log_min_duration = 0")
	start := time.Now().UTC()
	w.exec("SELECT count(*) FROM t WHERE name LIKE $1", "%9")
	q := &trace.Request{Trace: trace.ID{9}, Span: 9, Start: start, Duration: time.Since(start)}
	binary.BigEndian.PutUint64(q.Trace[8:], 9)
	q.Spans = []trace.Span{{ID: 10, Category: trace.DB, Op: "db.query", Text: "SELECT count(*) FROM t WHERE name LIKE $1", Duration: q.Duration, PID: int32(w.conn.PgConn().PID())}}
	w.exec("SET auto_explain.log_min_duration = -1")
	return q
}

// sent reads the csvlog of both files as it would be sent, and gives what is stored of it.
func (w *watched) sent(project int64) map[string]string {
	w.t.Helper()
	var whole []byte
	for _, name := range []string{"pg.csv.1", "pg.csv"} {
		b, err := os.ReadFile(filepath.Join(w.logs, name))
		if err != nil {
			w.t.Fatal(err)
		}
		whole = append(whole, b...)
	}
	_, err := pglog.Gather(bytes.NewReader(whole), pglog.Options{Normalizer: w.forms, Now: time.Now()}, func(p pglog.Portion) error {
		return w.accept(w.ctx, ingest.Source{Project: project}, p)
	})
	if err != nil {
		w.t.Fatal(err)
	}
	return w.digest(project)
}
