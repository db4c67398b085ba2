// Package dbtest gives a test a clean, migrated Kibitz database on a real PostgreSQL: a clone of a template, made
// in some tens of milliseconds. A package that uses it has
//
//	func TestMain(m *testing.M) { os.Exit(dbtest.Run(m)) }
package dbtest

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"kibitz/app/db"
	"kibitz/app/db/pglocal"
	"kibitz/migrations"
)

// cluster is the PostgreSQL of one test binary, with two templates: one database with all partitions, and four
// with one each.
type cluster struct {
	pg    *pglocal.Server
	count atomic.Int64
}

// running is set by Run, the only thing that the testing package calls before the tests.
var running atomic.Pointer[cluster]

// Run starts PostgreSQL, prepares the templates, runs the tests and stops it. It answers the exit status.
func Run(m *testing.M) int {
	dir, err := os.MkdirTemp("", "kibitz-test-")
	if err != nil {
		return fail(err)
	}
	defer os.RemoveAll(dir)
	// PostgreSQL may run as another user than the tests.
	if err := os.Chmod(dir, 0o755); err != nil {
		return fail(err)
	}
	ctx := context.Background()
	pg, err := pglocal.Start(ctx, pglocal.Options{Dir: filepath.Join(dir, "postgres"), Log: discard(), Progress: os.Stderr})
	if err != nil {
		return fail(err)
	}
	defer pg.Stop(ctx)
	c := &cluster{pg: pg}
	if err := c.template(ctx); err != nil {
		return fail(err)
	}
	running.Store(c)
	return m.Run()
}

func fail(err error) int {
	fmt.Fprintln(os.Stderr, "cannot prepare the test database:", err)
	return 1
}

func discard() *slog.Logger { return slog.New(slog.NewTextHandler(io.Discard, nil)) }

// template makes the databases that tests clone.
func (c *cluster) template(ctx context.Context) error {
	admin := c.pg.DSN(pglocal.Superuser, "postgres")
	if err := db.Provision(ctx, admin, "template_one"); err != nil {
		return err
	}
	for _, p := range db.Partitions {
		if err := db.Provision(ctx, admin, "template_"+string(p), p); err != nil {
			return err
		}
	}
	for _, split := range []bool{false, true} {
		if err := migrate(ctx, c.config("template", split)); err != nil {
			return err
		}
	}
	return nil
}

func migrate(ctx context.Context, cfg db.Config) error {
	d, err := db.Open(ctx, cfg)
	if err != nil {
		return err
	}
	defer d.Close()
	if err := d.Migrate(ctx, migrations.Files, func(string, string) {}); err != nil {
		return err
	}
	return d.MakeDays(ctx, db.Ops, "event", db.ByDay, time.Now().AddDate(0, 0, -db.DaysBehind), db.DaysBehind+1+db.DaysAhead)
}

// patience is how long tests wait for a connection: all packages at once on two cores may need seconds to open one.
const patience = 5 * time.Second

// config names databases: PREFIX_one, or PREFIX_forums and so on.
func (c *cluster) config(prefix string, split bool) db.Config {
	parts := map[db.Partition]db.PartConfig{}
	for _, p := range db.Partitions {
		name := prefix + "_one"
		if split {
			name = prefix + "_" + string(p)
		}
		parts[p] = db.PartConfig{Primary: c.pg.DSN(db.Role(p), name), Owner: c.pg.DSN(pglocal.Superuser, name)}
	}
	return db.Config{Parts: parts, Pools: map[db.Use]int{db.Web: 4, db.Ingest: 2, db.Jobs: 2}, Log: discard(), WebWait: patience}
}

// New is a clean database with all partitions in it, gone when the test ends.
func New(t testing.TB) *db.DB { return open(t, Config(t, false)) }

// Split is a clean core whose four partitions live in four databases.
func Split(t testing.TB) *db.DB { return open(t, Config(t, true)) }

// Both runs a test against one database and against four.
func Both(t *testing.T, fn func(t *testing.T, d *db.DB)) {
	t.Run("one database", func(t *testing.T) { t.Parallel(); fn(t, New(t)) })
	t.Run("four databases", func(t *testing.T) { t.Parallel(); fn(t, Split(t)) })
}

// Config makes clean databases and says where they are, for tests that open them on their own.
func Config(t testing.TB, split bool) db.Config {
	t.Helper()
	c := running.Load()
	if c == nil {
		t.Fatal("call dbtest.Run from TestMain")
	}
	prefix := fmt.Sprintf("test%d", c.count.Add(1))
	names := []string{"one"}
	if split {
		names = nil
		for _, p := range db.Partitions {
			names = append(names, string(p))
		}
	}
	for _, n := range names {
		c.exec(t, "CREATE DATABASE "+prefix+"_"+n+" TEMPLATE template_"+n)
		t.Cleanup(func() { c.exec(t, "DROP DATABASE IF EXISTS "+prefix+"_"+n+" WITH (FORCE)") })
	}
	return c.config(prefix, split)
}

func open(t testing.TB, cfg db.Config) *db.DB {
	t.Helper()
	d, err := db.Open(context.Background(), cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(d.Close)
	return d
}

func (c *cluster) exec(t testing.TB, sql string) {
	t.Helper()
	ctx := context.Background()
	conn, err := pgx.Connect(ctx, c.pg.DSN(pglocal.Superuser, "postgres"))
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close(ctx)
	if _, err := conn.Exec(ctx, sql); err != nil {
		t.Fatal(err)
	}
}

// Budget runs fn and fails when it takes more than max statements, printing them all, after Disqus's
// assertQueryCount.
func Budget(t testing.TB, ctx context.Context, max int, fn func(ctx context.Context)) {
	t.Helper()
	ctx, counter := db.WithCounter(ctx)
	fn(ctx)
	if counter.N() > max {
		t.Errorf("%d statements, the budget is %d:\n%s", counter.N(), max, strings.Join(counter.Queries(), "\n---\n"))
	}
}
