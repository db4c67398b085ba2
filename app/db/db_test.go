package db_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strings"
	"sync"
	"testing"
	"testing/fstest"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"kibitz/app/db"
	"kibitz/app/db/dbtest"
	"kibitz/app/errs"
	"kibitz/migrations"
)

func TestMain(m *testing.M) { os.Exit(dbtest.Run(m)) }

func ops() db.Key { return db.Key{Part: db.Ops} }

func code(err error) string {
	var pg *pgconn.PgError
	if errors.As(err, &pg) {
		return pg.Code
	}
	return ""
}

// TestIsolation holds that each role sees its own schema and no other, and may not create anything.
func TestIsolation(t *testing.T) {
	t.Parallel()
	d := dbtest.New(t)
	tables := map[db.Partition]string{db.Forums: "forum", db.Posts: "forum_count", db.Users: "account", db.Ops: "project"}
	for part, own := range tables {
		q := d.Write(t.Context(), db.Key{Part: part})
		var n int
		if err := q.QueryRow(t.Context(), "SELECT count(*) FROM "+own).Scan(&n); err != nil {
			t.Errorf("%s cannot read its own %s: %v", part, own, err)
		}
		for other, table := range tables {
			if other == part {
				continue
			}
			if err := q.QueryRow(t.Context(), "SELECT count(*) FROM "+string(other)+"."+table).Scan(&n); code(err) != "42501" {
				t.Errorf("%s reads %s.%s: %v", part, other, table, err)
			}
		}
		for _, sql := range []string{"CREATE TABLE x (n int)", "CREATE SCHEMA x", "CREATE TABLE public.x (n int)", "DROP TABLE " + own, "DELETE FROM migration"} {
			if _, err := q.Exec(t.Context(), sql); code(err) != "42501" {
				t.Errorf("%s may %s: %v", part, sql, err)
			}
		}
	}
}

// TestRetry holds that a transaction undone by a serialization failure is tried again, and any other error is not.
func TestRetry(t *testing.T) {
	t.Parallel()
	d := dbtest.New(t)
	runs := 0
	err := d.Tx(t.Context(), ops(), func(pgx.Tx) error {
		if runs++; runs < 3 {
			return &pgconn.PgError{Code: "40001"}
		}
		return nil
	})
	if err != nil || runs != 3 {
		t.Errorf("%d runs: %v", runs, err)
	}
	runs = 0
	err = d.Tx(t.Context(), ops(), func(pgx.Tx) error { runs++; return &pgconn.PgError{Code: "40P01"} })
	if code(err) != "40P01" || runs != 3 {
		t.Errorf("%d runs: %v", runs, err)
	}
	runs = 0
	if err = d.Tx(t.Context(), ops(), func(pgx.Tx) error { runs++; return errs.New(errs.Conflict, "no") }); errs.Of(err) != errs.Conflict || runs != 1 {
		t.Errorf("%d runs: %v", runs, err)
	}
}

// TestDeadlock lets two transactions lock two rows crosswise: PostgreSQL undoes one, and it passes the next time.
func TestDeadlock(t *testing.T) {
	t.Parallel()
	d := dbtest.New(t)
	q := d.Write(t.Context(), ops())
	if _, err := q.Exec(t.Context(), `INSERT INTO project (id, slug, name) VALUES (1, 'a', 'a'), (2, 'b', 'b')`); err != nil {
		t.Fatal(err)
	}
	var both sync.WaitGroup
	both.Add(2)
	var first [2]sync.Once
	var wg sync.WaitGroup
	for n, order := range [][2]int{{1, 2}, {2, 1}} {
		wg.Go(func() {
			err := d.Tx(t.Context(), ops(), func(tx pgx.Tx) error {
				if _, err := tx.Exec(t.Context(), `UPDATE project SET last_issue = last_issue + 1 WHERE id = $1`, order[0]); err != nil {
					return err
				}
				first[n].Do(func() { both.Done(); both.Wait() }) // only the first try waits for the other
				_, err := tx.Exec(t.Context(), `UPDATE project SET last_issue = last_issue + 1 WHERE id = $1`, order[1])
				return err
			})
			if err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	var sum int
	if err := q.QueryRow(t.Context(), `SELECT sum(last_issue) FROM project`).Scan(&sum); err != nil || sum != 4 {
		t.Errorf("the sum is %d: %v", sum, err)
	}
}

// TestExhausted holds that a page which finds no free connection fails as unavailable, and that the drain has its own.
func TestExhausted(t *testing.T) {
	t.Parallel()
	cfg := dbtest.Config(t, false)
	cfg.WebWait = 0 // as a server has it
	d, err := db.Open(t.Context(), cfg)
	if err != nil {
		t.Fatal(err)
	}
	defer d.Close()
	warm(t, d)
	var held []pgx.Rows
	for range 4 {
		rows, err := d.Read(t.Context(), ops()).Query(t.Context(), "SELECT generate_series(1, 10)")
		if err != nil {
			t.Fatal(err)
		}
		held = append(held, rows)
	}
	if _, err := d.Read(t.Context(), ops()).Exec(t.Context(), "SELECT 1"); errs.Of(err) != errs.Unavailable {
		t.Errorf("with all connections taken: %v", err)
	}
	if _, err := d.Write(db.With(t.Context(), db.Ingest), ops()).Exec(db.With(t.Context(), db.Ingest), "SELECT 1"); err != nil {
		t.Errorf("the drain: %v", err)
	}
	for _, r := range held {
		r.Close()
	}
	if _, err := d.Read(t.Context(), ops()).Exec(t.Context(), "SELECT 1"); err != nil {
		t.Errorf("afterwards: %v", err)
	}
}

// warm opens the connections that the test will hold, since opening may take longer than a page waits.
func warm(t *testing.T, d *db.DB) {
	t.Helper()
	var wg sync.WaitGroup
	for range 4 {
		wg.Go(func() {
			for {
				if _, err := d.Read(t.Context(), ops()).Exec(t.Context(), "SELECT pg_sleep(0.05)"); errs.Of(err) != errs.Unavailable {
					return
				}
			}
		})
	}
	wg.Wait()
}

// TestAway holds that a server that is not there is unavailable, for its own partition only.
func TestAway(t *testing.T) {
	t.Parallel()
	cfg := dbtest.Config(t, true)
	cfg.Parts[db.Posts] = db.PartConfig{Primary: "postgres://kibitz_posts@127.0.0.1:1/nowhere"}
	d, err := db.Open(t.Context(), cfg)
	if err != nil {
		t.Fatal(err)
	}
	defer d.Close()
	if _, err := d.Write(t.Context(), db.Key{Part: db.Posts}).Exec(t.Context(), "SELECT 1"); errs.Of(err) != errs.Unavailable {
		t.Errorf("posts: %v", err)
	}
	if _, err := d.Write(t.Context(), ops()).Exec(t.Context(), "SELECT 1"); err != nil {
		t.Errorf("ops: %v", err)
	}
	if down := d.Ping(t.Context()); down[db.Posts] == nil || down[db.Ops] != nil {
		t.Errorf("ping: %v", down)
	}
}

func TestCounter(t *testing.T) {
	t.Parallel()
	d := dbtest.New(t)
	ctx, counter := db.WithCounter(t.Context())
	err := d.Tx(ctx, ops(), func(tx pgx.Tx) error {
		b := &pgx.Batch{}
		b.Queue("SELECT 1")
		b.Queue("SELECT 2")
		return tx.SendBatch(ctx, b).Close()
	})
	if err != nil {
		t.Fatal(err)
	}
	n, err := d.Copy(ctx, ops(), "outcome", []string{"project_id", "hour", "category", "outcome", "reason", "n"},
		pgx.CopyFromRows([][]any{{int64(1), time.Now(), "error", "stored", "", int64(3)}}))
	if err != nil || n != 1 || counter.N() != 3 || counter.Time() <= 0 {
		t.Errorf("%d rows, %d statements in %s: %v: %q", n, counter.N(), counter.Time(), err, counter.Queries())
	}
}

// TestMigrate holds that migrating again changes nothing, that a changed file, a newer database and another partition's
// database are refused, and that two at once take turns.
func TestMigrate(t *testing.T) {
	t.Parallel()
	d := dbtest.New(t)
	count := 0
	progress := func(string, string) { count++ }
	var wg sync.WaitGroup
	for range 2 {
		wg.Go(func() {
			if err := d.Migrate(t.Context(), migrations.Files, progress); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	if count != 0 {
		t.Errorf("%d files were applied again", count)
	}
	changed := copyOf(t)
	changed["ops/0001_create_meta.sql"].Data = append(changed["ops/0001_create_meta.sql"].Data, '\n')
	if err := d.Migrate(t.Context(), changed, progress); !errors.Is(err, db.ErrForeign) {
		t.Errorf("a changed file: %v", err)
	}
	older := copyOf(t)
	delete(older, "ops/0005_create_ingest.sql")
	if err := d.Migrate(t.Context(), older, progress); !errors.Is(err, db.ErrForeign) || !strings.Contains(err.Error(), "newer program") {
		t.Errorf("an older program: %v", err)
	}
	if err := d.Owner(t.Context(), db.Ops, func(c *pgx.Conn) error {
		_, err := c.Exec(t.Context(), `UPDATE meta SET value = 'posts' WHERE key = 'partition'`)
		return err
	}); err != nil {
		t.Fatal(err)
	}
	if err := d.Migrate(t.Context(), migrations.Files, progress); !errors.Is(err, db.ErrForeign) {
		t.Errorf("another partition's database: %v", err)
	}
}

// TestMigrateHalfway stops in the middle of a file, as a kill would: nothing of it stays, and the next run goes on.
func TestMigrateHalfway(t *testing.T) {
	t.Parallel()
	d := dbtest.New(t)
	more := copyOf(t)
	next := fmt.Sprintf("ops/%04d_add_more.sql", countIn(more, "ops")+1)
	more[next] = &fstest.MapFile{Data: []byte("CREATE TABLE more (n int); SELECT pg_sleep(600);")}
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- d.Migrate(ctx, more, func(string, string) {}) }()
	waitForSleep(t, d, done)
	cancel()
	if err := <-done; err == nil {
		t.Error("the cancelled run says that it went well")
	}
	more[next] = &fstest.MapFile{Data: []byte("CREATE TABLE more (n int);")}
	if err := d.Migrate(t.Context(), more, func(string, string) {}); err != nil {
		t.Errorf("the next run: %v", err)
	}
	if _, err := d.Write(t.Context(), ops()).Exec(t.Context(), "INSERT INTO more VALUES (1)"); err != nil {
		t.Errorf("the new table: %v", err)
	}
}

func countIn(files fstest.MapFS, part string) (n int) {
	for name := range files {
		if strings.HasPrefix(name, part+"/") {
			n++
		}
	}
	return n
}

// waitForSleep waits until some session sleeps in the middle of its migration, which must not end before.
func waitForSleep(t *testing.T, d *db.DB, ended <-chan error) {
	t.Helper()
	for {
		select {
		case err := <-ended:
			t.Fatalf("the migration ended: %v", err)
		default:
		}
		var n int
		err := d.Owner(t.Context(), db.Ops, func(c *pgx.Conn) error {
			return c.QueryRow(t.Context(), `SELECT count(*) FROM pg_stat_activity WHERE wait_event = 'PgSleep' AND datname = current_database()`).Scan(&n)
		})
		if err != nil {
			t.Fatal(err)
		}
		if n > 0 {
			return
		}
	}
}

func copyOf(t *testing.T) fstest.MapFS {
	t.Helper()
	out := fstest.MapFS{}
	for _, part := range db.Partitions {
		files, err := migrations.Files.ReadDir(string(part))
		if err != nil {
			t.Fatal(err)
		}
		for _, f := range files {
			name := string(part) + "/" + f.Name()
			text, err := migrations.Files.ReadFile(name)
			if err != nil {
				t.Fatal(err)
			}
			out[name] = &fstest.MapFile{Data: text}
		}
	}
	return out
}

// TestDays makes days twice, moves rows out of the default partition, and retires days.
func TestDays(t *testing.T) {
	t.Parallel()
	d := dbtest.New(t)
	far := time.Now().UTC().Truncate(24*time.Hour).AddDate(0, 1, 0)
	insert := `INSERT INTO event (received, id, project_id, issue_id, event_id, ts, level, platform, title, release, env, body)
		VALUES ($1, $2, 1, 1, gen_random_uuid(), now(), 'error', '', '', '', '', '')`
	if _, err := d.Write(t.Context(), ops()).Exec(t.Context(), insert, far.Add(time.Hour), 1); err != nil {
		t.Fatal(err)
	}
	for range 2 {
		if err := d.MakeDays(t.Context(), db.Ops, "event", db.ByDay, far, 2); err != nil {
			t.Fatal(err)
		}
	}
	var spare, all int
	err := d.Owner(t.Context(), db.Ops, func(c *pgx.Conn) error {
		return c.QueryRow(t.Context(), `SELECT (SELECT count(*) FROM event_default), (SELECT count(*) FROM event)`).Scan(&spare, &all)
	})
	if err != nil || spare != 0 || all != 1 {
		t.Errorf("%d in the default partition of %d: %v", spare, all, err)
	}
	dropped, err := d.DropDays(t.Context(), db.Ops, "event", db.ByDay, far.AddDate(0, 0, 1))
	if err != nil || len(dropped) != db.DaysBehind+1+db.DaysAhead+1 {
		t.Errorf("dropped %v: %v", dropped, err)
	}
	if err := d.Write(t.Context(), ops()).QueryRow(t.Context(), `SELECT count(*) FROM event`).Scan(&all); err != nil || all != 0 {
		t.Errorf("%d events are left: %v", all, err)
	}
}

func TestClampDay(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, 11, 24, 13, 0, 0, 0, time.UTC)
	first, last := time.Date(2026, 11, 22, 0, 0, 0, 0, time.UTC), time.Date(2026, 12, 1, 0, 0, 0, 0, time.UTC).Add(-time.Microsecond)
	for _, c := range []struct{ at, want time.Time }{
		{now, now}, {now.AddDate(0, 0, -30), first}, {first, first}, {now.AddDate(1, 0, 0), last}, {time.Time{}, first},
	} {
		if got := db.ClampDay(c.at, now); !got.Equal(c.want) {
			t.Errorf("%s becomes %s, want %s", c.at, got, c.want)
		}
	}
}

// TestHold holds that a lock is one process's at a time, and free once its work has ended, however it ended.
func TestHold(t *testing.T) {
	t.Parallel()
	d := dbtest.New(t)
	key, other := db.Key{Part: db.Ops, ID: 7}, db.Key{Part: db.Ops, ID: 8}
	broken := errors.New("broken")
	ran := 0
	held, err := d.Hold(t.Context(), key, 1, func(ctx context.Context) error {
		ran++
		if held, err := d.Hold(ctx, key, 1, func(context.Context) error { ran++; return nil }); held || err != nil {
			t.Errorf("held twice: %v %v", held, err)
		}
		if held, err := d.Hold(ctx, other, 1, func(context.Context) error { ran++; return nil }); !held || err != nil {
			t.Errorf("another key is not free: %v %v", held, err)
		}
		return broken
	})
	if !held || !errors.Is(err, broken) || ran != 2 {
		t.Errorf("held %v, %v, ran %d", held, err, ran)
	}
	if held, err := d.Hold(t.Context(), key, 1, func(context.Context) error { return nil }); !held || err != nil {
		t.Errorf("not free afterwards: %v %v", held, err)
	}
}
