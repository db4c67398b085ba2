// Package db is the partitioned database: four partitions that share nothing but, by default, a server. It
// routes by key, holds the pools, retries transactions, counts queries and applies migrations. It knows no
// table of ours besides its own bookkeeping.
package db

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync/atomic"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgxpool"

	"kibitz/app/errs"
)

// Partition is one vertical slice of the data: a schema with a login role of its own. A statement touches one.
type Partition string

// The partitions.
const (
	Forums Partition = "forums" // sites and threads
	Posts  Partition = "posts"  // posts, votes, flags
	Users  Partition = "users"  // accounts, sessions, tokens
	Ops    Partition = "ops"    // projects, issues, events, outcomes
)

// Partitions are all partitions, in the order in which they are migrated.
var Partitions = []Partition{Forums, Posts, Users, Ops}

// Role is the login role that a partition's statements run under. It may not create anything, and sees no other
// partition.
func Role(p Partition) string { return "kibitz_" + string(p) }

// Key routes a statement: to a partition, and within it to the shard of a forum or project. 0 is the directory,
// which lives on the default shard.
type Key struct {
	Part Partition
	ID   int64
}

// Use says on whose behalf a statement runs; each use has connections of its own, so that a burst of events
// cannot take those of the pages.
type Use int

// The uses.
const (
	Web Use = iota
	Ingest
	Jobs
)

// limits of a use: how long a statement may run and how long one may wait for a connection.
type useLimits struct {
	name      string
	statement time.Duration
	acquire   time.Duration
}

// A page fails fast, since its reader reloads; the drain and jobs would rather wait.
var limitsOf = map[Use]useLimits{
	Web:    {"web", 5 * time.Second, 250 * time.Millisecond},
	Ingest: {"ingest", 60 * time.Second, 10 * time.Second},
	Jobs:   {"jobs", 10 * time.Minute, 30 * time.Second},
}

// PartConfig says where a partition lives. Owner is the address of a role that may create tables in its schema;
// Primary that of the role that statements run under.
type PartConfig struct {
	Primary  string
	Owner    string
	Replicas []string
}

// Config is what a DB is made of. Pools bounds the connections of each use.
type Config struct {
	Parts map[Partition]PartConfig
	Pools map[Use]int
	Log   *slog.Logger
	// UseReplicas says whether reads go to replicas, where there are some; nil always. It is asked for each read.
	UseReplicas func() bool `json:"-"`
	// WebWait is how long a page waits for a connection; 250 ms when 0. Tests on a busy machine, where opening one takes
	// longer than that, say more.
	WebWait time.Duration
	// Tracer is told of every statement besides the counters; nil for none. One that is a CallerTracer is told earlier, too.
	Tracer pgx.QueryTracer
}

// CallerTracer is a tracer that looks at the stack for the code that wants a statement. It is told before pgx is, when
// that code is two calls away and not ten: each call more costs it time.
type CallerTracer interface {
	TraceCaller(ctx context.Context, conn *pgx.Conn)
}

// DB is the open core.
type DB struct {
	caller  CallerTracer // nil when nobody looks
	parts   map[Partition]*part
	log     *slog.Logger
	webWait time.Duration
	spread  func() bool // whether replicas are read from
}

type part struct {
	config   PartConfig
	primary  map[Use]*pgxpool.Pool
	replicas []*pgxpool.Pool // web only
	next     atomic.Uint32
}

// Querier runs statements outside of a transaction.
type Querier interface {
	Exec(ctx context.Context, sql string, args ...any) (pgconn.CommandTag, error)
	Query(ctx context.Context, sql string, args ...any) (pgx.Rows, error)
	QueryRow(ctx context.Context, sql string, args ...any) pgx.Row
}

// Open makes the pools. It does not connect: a partition whose server is down costs only its own statements.
func Open(ctx context.Context, c Config) (*DB, error) {
	caller, _ := c.Tracer.(CallerTracer)
	d := &DB{caller: caller, parts: map[Partition]*part{}, log: c.Log, webWait: c.WebWait, spread: c.UseReplicas}
	for _, name := range Partitions {
		p, err := openPart(ctx, name, c)
		if err != nil {
			d.Close()
			return nil, fmt.Errorf("cannot open partition %s: %w", name, err)
		}
		d.parts[name] = p
	}
	return d, nil
}

func openPart(ctx context.Context, name Partition, c Config) (*part, error) {
	p := &part{config: c.Parts[name], primary: map[Use]*pgxpool.Pool{}}
	if p.config.Primary == "" {
		return nil, errors.New("no address is configured")
	}
	for use := range limitsOf {
		pool, err := openPool(ctx, name, p.config.Primary, use, c)
		if err != nil {
			p.close()
			return nil, err
		}
		p.primary[use] = pool
	}
	for _, dsn := range p.config.Replicas {
		pool, err := openPool(ctx, name, dsn, Web, c)
		if err != nil {
			p.close()
			return nil, err
		}
		p.replicas = append(p.replicas, pool)
	}
	return p, nil
}

func openPool(ctx context.Context, name Partition, dsn string, use Use, c Config) (*pgxpool.Pool, error) {
	cfg, err := pgxpool.ParseConfig(dsn)
	if err != nil {
		return nil, errors.New("the address is not a PostgreSQL URL or connection string") // err would quote the password
	}
	lim := limitsOf[use]
	cfg.MaxConns, cfg.MinConns = int32(max(c.Pools[use], 1)), 0
	cfg.MaxConnIdleTime, cfg.HealthCheckPeriod = 5*time.Minute, 30*time.Second
	cfg.ConnConfig.ConnectTimeout = 3 * time.Second
	cfg.ConnConfig.Tracer = tracers(c.Tracer)
	rt := cfg.ConnConfig.RuntimeParams
	rt["search_path"] = string(name)
	rt["application_name"] = "kibitz " + lim.name
	rt["timezone"] = "UTC"
	rt["statement_timeout"] = fmt.Sprint(lim.statement.Milliseconds())
	rt["idle_in_transaction_session_timeout"] = "60000"
	rt["lock_timeout"] = fmt.Sprint(min(lim.statement, 30*time.Second).Milliseconds())
	return pgxpool.NewWithConfig(ctx, cfg)
}

func (p *part) close() {
	for _, pool := range p.primary {
		pool.Close()
	}
	for _, pool := range p.replicas {
		pool.Close()
	}
}

// Close waits for running statements and closes every connection.
func (d *DB) Close() {
	for _, p := range d.parts {
		p.close()
	}
}

type useKey struct{}

// With says on whose behalf the statements of ctx run; Web when nothing is said.
func With(ctx context.Context, use Use) context.Context { return context.WithValue(ctx, useKey{}, use) }

func useOf(ctx context.Context) Use {
	use, _ := ctx.Value(useKey{}).(Use)
	return use
}

type pinKey struct{}

// Pin makes the reads of ctx go to the primary: for a request that has written, or whose session lately did.
func Pin(ctx context.Context) context.Context { return context.WithValue(ctx, pinKey{}, true) }

// Read is where statements that change nothing go: a replica when there is one and ctx is not pinned, else the
// primary.
func (d *DB) Read(ctx context.Context, key Key) Querier {
	p := d.parts[key.Part]
	if pinned, _ := ctx.Value(pinKey{}).(bool); pinned || len(p.replicas) == 0 || useOf(ctx) != Web || (d.spread != nil && !d.spread()) {
		return d.Write(ctx, key)
	}
	return querier{p.replicas[int(p.next.Add(1))%len(p.replicas)], d.limits(Web), key.Part, d.caller}
}

// limits are those of a use.
func (d *DB) limits(use Use) useLimits {
	lim := limitsOf[use]
	if use == Web && d.webWait > 0 {
		lim.acquire = d.webWait
	}
	return lim
}

// Write is where statements that change something go: the primary, autocommitted.
func (d *DB) Write(ctx context.Context, key Key) Querier {
	use := useOf(ctx)
	return querier{d.parts[key.Part].primary[use], d.limits(use), key.Part, d.caller}
}

// txAttempts is how often a transaction is tried when PostgreSQL asks for it: a serialization failure or a
// deadlock undid it, and it may well pass the next time.
const txAttempts = 3

// Tx runs fn in one transaction on the primary. fn may run several times, so it must do nothing but use tx; it
// must not wait for anything else.
func (d *DB) Tx(ctx context.Context, key Key, fn func(pgx.Tx) error) error {
	use := useOf(ctx)
	q := querier{d.parts[key.Part].primary[use], d.limits(use), key.Part, d.caller}
	for attempt := 1; ; attempt++ {
		err := q.tx(ctx, fn)
		if err == nil || !retryable(err) || attempt == txAttempts {
			return err
		}
		countRetry(ctx)
		// A few milliseconds of difference keep two transactions from meeting again.
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(time.Duration(attempt) * 7 * time.Millisecond):
		}
	}
}

func retryable(err error) bool {
	var pg *pgconn.PgError
	return errors.As(err, &pg) && (pg.Code == "40001" || pg.Code == "40P01")
}

// Copy loads rows in bulk, outside of a transaction: all or none of them.
func (d *DB) Copy(ctx context.Context, key Key, table string, columns []string, rows pgx.CopyFromSource) (n int64, err error) {
	err = d.Tx(ctx, key, func(tx pgx.Tx) (err error) {
		n, err = tx.CopyFrom(ctx, pgx.Identifier{table}, columns, rows)
		return err
	})
	if err != nil {
		return 0, fmt.Errorf("cannot copy into %s: %w", table, err)
	}
	return n, nil
}

// Ping asks every partition's primary and tells which do not answer.
func (d *DB) Ping(ctx context.Context) map[Partition]error {
	ctx, cancel := context.WithTimeout(ctx, 3*time.Second)
	defer cancel()
	out := map[Partition]error{}
	for name, p := range d.parts {
		// As the owner: before the first migration the role of the partition may not exist.
		out[name] = ping(ctx, p.ownerDSN())
	}
	return out
}

func ping(ctx context.Context, dsn string) error {
	conn, err := pgx.Connect(ctx, dsn)
	if err != nil {
		return hidePassword(err)
	}
	defer conn.Close(context.WithoutCancel(ctx))
	return conn.Ping(ctx)
}

// Owner is the address of the role that may create tables; the primary's own when none is configured.
func (p *part) ownerDSN() string {
	if p.config.Owner != "" {
		return p.config.Owner
	}
	return p.config.Primary
}

// Owner runs fn on a connection of the role that owns a partition's schema, with no statement timeout: for
// migrations and for making and dropping days.
func (d *DB) Owner(ctx context.Context, name Partition, fn func(*pgx.Conn) error) error {
	cfg, err := pgx.ParseConfig(d.parts[name].ownerDSN())
	if err != nil {
		return fmt.Errorf("cannot read the owner's address of partition %s", name)
	}
	cfg.RuntimeParams["search_path"] = string(name)
	cfg.RuntimeParams["application_name"] = "kibitz owner"
	cfg.RuntimeParams["timezone"] = "UTC"
	cfg.ConnectTimeout = 5 * time.Second
	conn, err := pgx.ConnectConfig(ctx, cfg)
	if err != nil {
		return fmt.Errorf("cannot reach partition %s as its owner: %w", name, hidePassword(err))
	}
	defer conn.Close(context.WithoutCancel(ctx))
	return fn(conn)
}

// hidePassword keeps the text of a connection error, which pgx already strips of the password, and its kind.
func hidePassword(err error) error {
	var parse *pgconn.ParseConfigError
	if errors.As(err, &parse) {
		return errors.New("the address is not a PostgreSQL URL or connection string")
	}
	return fmt.Errorf("%w: %w", errs.New(errs.Unavailable, ""), err)
}
