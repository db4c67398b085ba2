package pglog

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"kibitz/app/db/pglocal"
	"kibitz/ingest/sqltext"
)

// logged is what one PostgreSQL wrote of one workload.
type logged struct {
	dir    string // of the files
	syslog []byte // a datagram each, with a line break behind it; nil when the machine does not let us listen
}

const livePrefix = "%m [%p] %q[user=%u,db=%d,app=%a,qid=%Q] "

// logEverything runs a workload on a real server that writes all formats at once.
func logEverything(t *testing.T) logged {
	t.Helper()
	dir, err := os.MkdirTemp("", "kibitz-pglog-")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	if err := os.Chmod(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	ctx := t.Context()
	pg, err := pglocal.Start(ctx, pglocal.Options{Dir: filepath.Join(dir, "pg")})
	if err != nil {
		t.Fatal(err)
	}
	stopped := false
	stop := func() {
		if !stopped {
			stopped = true
			pg.Stop(context.Background())
		}
	}
	t.Cleanup(stop)
	collect := listenSyslog(t)
	configure(t, pg, collect != nil)
	workload(t, pg)
	stop()
	out := logged{dir: filepath.Join(dir, "pg", "data", "log")}
	if collect != nil {
		out.syslog = collect()
	}
	return out
}

// configure turns every format and every kind of line on.
func configure(t *testing.T, pg *pglocal.Server, syslog bool) {
	t.Helper()
	conn := connect(t, pg, "postgres", "")
	destinations := "stderr,csvlog,jsonlog"
	if syslog {
		destinations += ",syslog"
	}
	for _, set := range []string{"logging_collector = on", "log_destination = '" + destinations + "'", "log_directory = 'log'", "log_filename = 'pg.log'",
		"log_min_duration_statement = 0", "log_line_prefix = '" + livePrefix + "'", "log_min_error_statement = error", "log_temp_files = 0",
		"log_lock_waits = on", "deadlock_timeout = '50ms'", "compute_query_id = on"} {
		run(t, conn, "ALTER SYSTEM SET "+set)
	}
	run(t, conn, "CREATE DATABASE plain")
	run(t, conn, "CREATE DATABASE explained")
	run(t, conn, "ALTER DATABASE explained SET session_preload_libraries = auto_explain")
	for _, set := range []string{"log_min_duration = 0", "log_analyze = on", "log_format = json"} {
		run(t, conn, "ALTER DATABASE explained SET auto_explain."+set)
	}
	conn.Close(t.Context())
	if err := pg.Restart(t.Context()); err != nil {
		t.Fatal(err)
	}
}

func connect(t *testing.T, pg *pglocal.Server, database, app string) *pgx.Conn {
	t.Helper()
	conn, err := pgx.Connect(t.Context(), pg.DSN(pglocal.Superuser, database)+"&application_name="+app)
	if err != nil {
		t.Fatal(err)
	}
	return conn
}

func run(t *testing.T, conn *pgx.Conn, sql string, args ...any) {
	t.Helper()
	if _, err := conn.Exec(t.Context(), sql, args...); err != nil {
		t.Fatalf("%.200s: %v", sql, err)
	}
}

// workload is what logs are hard to read of: both protocols, several lines, other alphabets, errors, long statements and
// lines, temporary files, waits for locks, and several backends at once.
func workload(t *testing.T, pg *pglocal.Server) {
	t.Helper()
	setup := connect(t, pg, "plain", "setup")
	run(t, setup, "CREATE TABLE t (id int primary key, name text, at timestamptz default now())")
	run(t, setup, "CREATE TABLE locked (id int)")
	run(t, setup, "INSERT INTO locked VALUES (1)")
	setup.Close(t.Context())
	var all sync.WaitGroup
	for worker := range 4 {
		all.Go(func() { plainWorker(t, pg, worker) })
	}
	all.Wait()
	waitForLock(t, pg)
	explained := connect(t, pg, "explained", "explainer")
	for i := range 20 {
		run(t, explained, "SELECT count(*)\n\tFROM pg_class -- plan\nWHERE relpages > $1", i)
	}
	run(t, explained, "SELECT 'simple' FROM pg_class", pgx.QueryExecModeSimpleProtocol)
	explained.Close(t.Context())
}

func plainWorker(t *testing.T, pg *pglocal.Server, worker int) {
	conn, err := pgx.Connect(t.Context(), pg.DSN(pglocal.Superuser, "plain")+fmt.Sprintf("&application_name=worker%%20%d,%%20x", worker))
	if err != nil {
		t.Error(err)
		return
	}
	defer conn.Close(t.Context())
	exec := func(wantState, sql string, args ...any) {
		_, err := conn.Exec(t.Context(), sql, args...)
		var refused *pgconn.PgError
		if errors.As(err, &refused); (err != nil) != (wantState != "") || refused != nil && refused.Code != wantState {
			t.Errorf("%.100s: %v", sql, err)
		}
	}
	for i := range 25 {
		id := worker*1000 + i
		exec("", "INSERT INTO t (id, name) VALUES ($1, $2) ON CONFLICT DO NOTHING", id, "naïve 'quoted'\nname "+strings.Repeat("ü", i))
		exec("", "SELECT id,\n\t\tname\n\n  FROM t\n WHERE id = $1 /* a comment */", id)
		exec("", fmt.Sprintf("SELECT id FROM t WHERE id IN (%d, %d) -- 数据\n OR name = 'it''s \"x\" 😀'", id, i), pgx.QueryExecModeSimpleProtocol)
	}
	exec("", "SELECT '"+strings.Repeat("lorem ipsum dolor ", 500)+"', id FROM t", pgx.QueryExecModeSimpleProtocol)
	exec("", "SELECT '"+strings.Repeat("x", 9000)+"'", pgx.QueryExecModeSimpleProtocol)
	exec("", "SELECT id FROM t WHERE id IN ("+strings.Repeat("1234567, ", 1000)+"\n1)", pgx.QueryExecModeSimpleProtocol)
	exec("", "SELECT"+strings.Repeat("\n\t1,", 900)+"\n\t2", pgx.QueryExecModeSimpleProtocol)
	exec("42P01", "SELECT *\n\tFROM nowhere\n WHERE x = 1", pgx.QueryExecModeSimpleProtocol)
	exec("22012", "SELECT 1 / $1::int", 0)
	exec("", "SET work_mem = '64kB'", pgx.QueryExecModeSimpleProtocol)
	exec("", "SELECT g FROM generate_series(1, 40000) g ORDER BY g DESC", pgx.QueryExecModeSimpleProtocol)
	exec("", "BEGIN; SELECT 1; COMMIT", pgx.QueryExecModeSimpleProtocol)
}

// waitForLock makes one session wait for another until the server says so.
func waitForLock(t *testing.T, pg *pglocal.Server) {
	t.Helper()
	holder, waiter, watcher := connect(t, pg, "plain", "holder"), connect(t, pg, "plain", "waiter"), connect(t, pg, "postgres", "watcher")
	run(t, holder, "BEGIN")
	run(t, holder, "UPDATE locked SET id = 2")
	done := make(chan error, 1)
	go func() {
		_, err := waiter.Exec(t.Context(), "UPDATE locked SET id = 3")
		done <- err
	}()
	// 50 ms after it began to wait the server logs it; a deadlock check is what changes nothing else that one could see.
	for waited := false; !waited; {
		err := watcher.QueryRow(t.Context(), `SELECT coalesce(bool_or(now() - waitstart > interval '150 ms'), false) FROM pg_locks, pg_sleep(0.02) WHERE NOT granted`).Scan(&waited)
		if err != nil {
			t.Fatal(err)
		}
	}
	run(t, holder, "COMMIT")
	if err := <-done; err != nil {
		t.Fatal(err)
	}
	for _, c := range []*pgx.Conn{holder, waiter, watcher} {
		c.Close(t.Context())
	}
}

// listenSyslog takes the place of syslogd where there is none, and answers what ends it and gives what came; nil when it
// cannot.
func listenSyslog(t *testing.T) func() []byte {
	t.Helper()
	const device = "/dev/log"
	if _, err := os.Lstat(device); err == nil {
		t.Logf("syslog is left out: %s is taken", device)
		return nil
	}
	socket, err := net.ListenUnixgram("unixgram", &net.UnixAddr{Name: device, Net: "unixgram"})
	if err != nil {
		t.Logf("syslog is left out: %v", err)
		return nil
	}
	if err := os.Chmod(device, 0o666); err != nil {
		t.Fatal(err)
	}
	done := make(chan []byte, 1)
	go func() { done <- drain(socket) }()
	var once sync.Once
	end := func() { once.Do(func() { socket.SetReadDeadline(time.Now()); socket.Close(); os.Remove(device) }) }
	t.Cleanup(end)
	return func() []byte {
		// The server has ended: what it has sent is in the socket, and an empty one gives the last word.
		client, err := net.Dial("unixgram", device)
		if err == nil {
			client.Write([]byte(lastWord))
			client.Close()
		}
		out := <-done
		end()
		return out
	}
}

const lastWord = "that was all"

func drain(socket *net.UnixConn) []byte {
	var all bytes.Buffer
	buf := make([]byte, 256<<10)
	for {
		n, err := socket.Read(buf)
		if err != nil || string(buf[:n]) == lastWord {
			return all.Bytes()
		}
		all.Write(bytes.TrimRight(buf[:n], "\n\x00"))
		all.WriteByte('\n')
	}
}

// digestOf reads a log and says what it holds, one line for each statement.
func digestOf(t *testing.T, log []byte, o Options) (*Digest, map[string]string, Stats) {
	t.Helper()
	forms := sqltext.NewNormalizer(8 << 20)
	d := NewDigest(forms)
	o.Normalizer = forms
	stats, err := Read(bytes.NewReader(log), o, d.Add)
	if err != nil {
		t.Fatal(err)
	}
	d.Close()
	out := map[string]string{}
	for _, s := range d.Stats() {
		plans, params := 0, ""
		for _, sample := range s.Samples {
			if sample.Plan != "" {
				plans++
			}
			params += "|" + sample.Params
		}
		out[s.Form.Text] = fmt.Sprintf("calls=%d total=%v min=%v max=%v p95=%v parses=%d/%v binds=%d/%v errors=%d temp=%d/%d lock=%v id=%d users=%v dbs=%v apps=%q plans=%d params=%q first=%v last=%v",
			s.Calls, s.Total, s.Min, s.Max, s.Quantile(0.95), s.Parses, s.ParseTime, s.Binds, s.BindTime, s.Errors, s.TempFiles, s.TempBytes, s.LockWait,
			s.QueryID, s.Users, s.Databases, s.Applications, plans, params, s.First.UnixMilli(), s.Last.UnixMilli())
	}
	return d, out, stats
}

func readLog(t *testing.T, dir, name string) []byte {
	t.Helper()
	log, err := os.ReadFile(filepath.Join(dir, name))
	if err != nil {
		t.Fatal(err)
	}
	return log
}
