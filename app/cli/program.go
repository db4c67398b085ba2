package cli

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"path/filepath"
	"sync/atomic"
	"time"

	"kibitz/app/accounts"
	"kibitz/app/config"
	"kibitz/app/db"
	"kibitz/app/db/pglocal"
	"kibitz/app/impact"
	"kibitz/app/issues"
	"kibitz/app/model"
	"kibitz/app/requests"
	"kibitz/app/rollout"
	"kibitz/app/store"
	"kibitz/app/switches"
	"kibitz/migrations"
)

// Program is the database half of Kibitz, wired: what every command that touches data needs.
type Program struct {
	config     *config.Config
	log        *slog.Logger
	base       string
	pg         *pglocal.Server // nil when every partition has a server of its own
	DB         *db.DB
	Store      *store.Store
	IDs        *model.IDs
	Accounts   *accounts.Accounts
	Projects   *issues.Projects
	Groupings  *issues.Groupings
	Rehearsals *issues.Rehearsals
	Issues     *issues.Issues
	Refiles    *issues.Refiles
	Requests   *requests.Requests
	Statements *requests.Statements
	Health     *requests.Health
	Reports    *requests.Reports
	Hub        *issues.Hub
	Board      *rollout.Board // nil for commands, which ask a running process
	Impact     *impact.Impact
	impact     atomic.Pointer[impact.Impact] // the same, for the board, which runs before it is there
	features   *features
	wire       wire
	listener   net.Listener // of the server; nil for commands
}

// open wires the program over the databases of its configuration: brings the embedded PostgreSQL up (or, beside a
// running server, attaches to it), and migrates when migrate is set.
func open(ctx context.Context, c *call, attach bool) (*Program, error) {
	p := &Program{config: c.config, log: c.log, base: baseURL(c.config), IDs: model.NewIDs(nodeNumber(c.config.Node)), Hub: issues.NewHub(),
		features: newFeatures(c.config.Node), listener: c.listener}
	if !attach {
		if err := p.startBoard(); err != nil {
			return nil, err
		}
	}
	if err := p.connect(ctx, c, attach); err != nil {
		p.Close(context.WithoutCancel(ctx))
		return nil, err
	}
	p.Store = store.New(p.DB)
	if p.Board != nil {
		p.Board.Attach(ctx, p.Store)
	}
	p.startImpact()
	p.Accounts = accounts.New(p.Store, p.IDs, c.log)
	p.Projects = issues.NewProjects(p.Store, c.log)
	p.Groupings = issues.NewGroupings(p.Store, c.log)
	p.Issues = issues.New(p.Store, p.Groupings, p.IDs)
	p.Refiles = issues.NewRefiles(p.Store, p.Groupings, p.IDs, c.log)
	p.Rehearsals = issues.NewRehearsals(p.Store, p.Groupings, p.Refiles, p.IDs, c.log)
	p.Requests = requests.New(p.Store, p.IDs, c.log, requests.Retention{Days: c.config.Perf.RequestDays, MinuteDays: c.config.Perf.MinuteDays,
		HourDays: c.config.Perf.HourDays, Budget: c.config.Perf.DiskBudget})
	p.Statements = requests.NewStatements(p.Store, c.log)
	p.Health = requests.NewHealth(requests.HealthOptions{Store: p.Store, Statements: p.Statements.Recent, Log: c.log,
		Local: p.embeds, Memory: requests.MemoryAvailable})
	reports, err := p.reports()
	if err != nil {
		p.Close(context.WithoutCancel(ctx))
		return nil, err
	}
	p.Reports = reports
	return p, nil
}

// commandWait is how long a command waits for a connection. A page fails after 250 ms, since its reader reloads; a script
// would have to, and on a busy machine the first connection takes longer.
const commandWait = 30 * time.Second

// connect brings the databases up.
func (p *Program) connect(ctx context.Context, c *call, attach bool) error {
	parts, err := p.partitions(ctx, c, attach)
	if err != nil {
		return err
	}
	cfg := db.Config{Parts: parts, Pools: map[db.Use]int{db.Web: c.config.Database.Pool.Web,
		db.Ingest: c.config.Database.Pool.Ingest, db.Jobs: c.config.Database.Pool.Jobs}, Log: c.log,
		UseReplicas: p.features.gate(switches.OwnReplicas)}
	if attach {
		cfg.WebWait = commandWait
	}
	traceQueries(c.config, &cfg)
	if p.DB, err = db.Open(ctx, cfg); err != nil {
		return err
	}
	return p.prepare(ctx, attach && p.pg != nil && p.pg.Attached())
}

// partitions are the four addresses: configured ones, the embedded PostgreSQL for the rest.
func (p *Program) partitions(ctx context.Context, c *call, attach bool) (map[db.Partition]db.PartConfig, error) {
	parts := map[db.Partition]db.PartConfig{}
	embedded := false
	for _, part := range db.Partitions {
		cfg := c.config.Database.Parts[string(part)]
		parts[part] = db.PartConfig{Primary: cfg.Primary, Owner: cfg.Owner, Replicas: cfg.Replicas}
		embedded = embedded || cfg.Primary == ""
	}
	if !embedded {
		return parts, nil
	}
	if err := p.startPostgres(ctx, c, attach); err != nil {
		return nil, err
	}
	for _, part := range db.Partitions {
		if parts[part].Primary == "" {
			parts[part] = db.PartConfig{Primary: p.pg.DSN(db.Role(part), databaseName), Owner: p.pg.DSN(pglocal.Superuser, databaseName)}
		}
	}
	return parts, nil
}

// embeds tells whether a partition is in the embedded PostgreSQL, and so on this machine.
func (p *Program) embeds(part string) bool { return p.config.Database.Parts[part].Primary == "" }

// databaseName is the one database of the embedded PostgreSQL.
const databaseName = "kibitz"

func (p *Program) startPostgres(ctx context.Context, c *call, attach bool) (err error) {
	opts := pglocal.Options{Dir: filepath.Join(c.config.Data, "postgres"), Log: c.log, Progress: c.err}
	if other := pglocal.Elsewhere(opts.Dir); other != "" {
		c.log.Warn("PostgreSQL may not run as root, and its user cannot enter the data directory; its files are kept elsewhere",
			"instead_of", opts.Dir, "dir", other)
		opts.Dir = other
	}
	if bin := c.config.Postgres.Bin; bin != "" {
		opts.Search = []string{bin}
	}
	p.pg, err = pglocal.Start(ctx, opts)
	if errors.Is(err, pglocal.ErrLocked) && attach {
		p.pg, err = pglocal.Attach(ctx, opts)
	}
	if err != nil {
		return fmt.Errorf("cannot bring PostgreSQL up: %w", err)
	}
	return nil
}

// prepare makes roles and schemas where we own the server, and migrates. Beside a running server it has been done.
func (p *Program) prepare(ctx context.Context, beside bool) error {
	if beside {
		return nil
	}
	if p.pg != nil {
		if err := db.Provision(ctx, p.pg.DSN(pglocal.Superuser, "postgres"), databaseName); err != nil {
			return err
		}
	}
	if err := p.waitForDatabases(ctx); err != nil {
		return err
	}
	if err := p.DB.Migrate(ctx, migrations.Files, func(part, name string) { p.log.Info("migrated", "partition", part, "file", name) }); err != nil {
		return err
	}
	return p.makeDays(ctx)
}

// waitingSaid is how often the log says that it is waited for the database.
const waitingSaid = 10 * time.Second

// databaseWait is how long a start waits for databases that are configured but do not answer yet.
const databaseWait = 60 * time.Second

// waitForDatabases gives up after a while, unless this process has switches to answer from: then it goes on doing that.
func (p *Program) waitForDatabases(ctx context.Context) error {
	if p.Board == nil || p.Board.Health().Source == rollout.FromNothing {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, databaseWait)
		defer cancel()
	}
	var said time.Time
	var meanwhile *waiting
	defer func() { meanwhile.end() }()
	for {
		var down []error
		for part, err := range p.DB.Ping(ctx) {
			if err != nil {
				down = append(down, fmt.Errorf("partition %s: %w", part, err))
			}
		}
		if len(down) == 0 {
			return nil
		}
		if meanwhile == nil {
			meanwhile = p.startWaiting()
		}
		if time.Since(said) > waitingSaid {
			said = time.Now()
			p.log.Warn("waiting for the database", "err", errors.Join(down...))
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("cannot reach the database for %s: %w", databaseWait, errors.Join(down...))
		case <-time.After(time.Second):
		}
	}
}

func (p *Program) makeDays(ctx context.Context) error {
	return store.New(p.DB).MakeTimes(ctx, time.Now())
}

// Close lets go of the databases, and stops the embedded PostgreSQL when this program started it.
func (p *Program) Close(ctx context.Context) {
	if p.Board != nil {
		p.Board.Close(ctx)
	}
	if p.DB != nil {
		p.DB.Close()
	}
	if p.pg == nil {
		return
	}
	if err := p.pg.Stop(ctx); err != nil {
		p.log.Error("cannot stop PostgreSQL cleanly", "err", err)
	}
}

// withStore runs fn over the databases, beside a running server or alone.
func withStore(ctx context.Context, c *call, fn func(*Program) error) error {
	p, err := open(ctx, c, true)
	if err != nil {
		return err
	}
	defer p.Close(context.WithoutCancel(ctx))
	return fn(p)
}

// migrate is `kibitz migrate`: opening is migrating.
func migrate(ctx context.Context, c *call) error {
	return withStore(ctx, c, func(p *Program) error {
		if p.pg != nil && p.pg.Attached() {
			if err := p.DB.Migrate(ctx, migrations.Files, func(part, name string) { fmt.Fprintln(c.out, part, name) }); err != nil {
				return err
			}
		}
		fmt.Fprintln(c.out, "the databases are up to date")
		return nil
	})
}
