package cli

import (
	"context"
	"errors"
	"fmt"
	"hash/fnv"
	"net"
	"net/http"
	"path/filepath"
	"strings"
	"time"

	"kibitz/app/config"
	"kibitz/app/db"
	"kibitz/app/errs"
	"kibitz/app/forward"
	"kibitz/app/hostmetrics"
	"kibitz/app/issues"
	"kibitz/app/model"
	"kibitz/app/perf"
	"kibitz/app/prometheus"
	"kibitz/app/requests"
	"kibitz/app/switches"
	"kibitz/app/web"
	"kibitz/ingest"
	"kibitz/ingest/pglog"
	"kibitz/ingest/receiver"
	"kibitz/ingest/receiver/sockets"
	"kibitz/ingest/sqltext"
)

// stopWithin is how long a clean stop may take; SIGTERM promises ten seconds in all.
const stopWithin = 8 * time.Second

// server is a running Kibitz.
type server struct {
	*Program
	spool    *ingest.Spool
	drain    *ingest.Drain
	outcomes *ingest.Outcomes
	pipeline *ingest.Pipeline
	self     *selfReporter
	recorder *perf.Recorder // nil when our own requests are not recorded
	web      *web.Server
	syslog   *sockets.Door // nil when it is off
	forms    *sqltext.Normalizer
	readers  []func() // end those who read logs of PostgreSQL
	digester *issues.Digester
	counts   *prometheus.Requests
	forward  *forward.Forwarder // nil when nothing is sent on
	sender   *perf.OTLP         // what it sends with
	started  time.Time
	failed   chan error
	cancel   context.CancelFunc
}

// serve is `kibitz serve`.
func serve(ctx context.Context, c *call) error {
	s, err := start(ctx, c)
	if err != nil {
		return err
	}
	return s.wait(ctx)
}

// start brings everything up and prints where it is.
func start(ctx context.Context, c *call) (s *server, err error) {
	limit, source := c.config.ApplyMemoryLimit()
	c.log.Info("memory limit", "bytes", limit, "from", source)
	if _, err := pglog.ParsePrefix(c.config.PGLog.Prefix); err != nil {
		return nil, plain(err)
	}
	// The port is taken first: a second server must fail before it touches the data.
	ln, err := net.Listen("tcp", c.config.Listen)
	if err != nil {
		return nil, fmt.Errorf("cannot listen on %s: %w; choose another address with KIBITZ_LISTEN", c.config.Listen, err)
	}
	c.listener = ln
	p, err := open(ctx, c, false)
	if err != nil {
		ln.Close()
		return nil, err
	}
	s = &server{Program: p, failed: make(chan error, 2), started: time.Now()}
	// Until the first of these passes, events are grouped when the store has told that their projects have rules.
	if err := s.Groupings.Refresh(ctx); err != nil {
		s.log.Warn("cannot read the groupings of projects", "err", err)
	}
	if err := s.startIngest(); err != nil {
		s.close(ctx)
		return nil, err
	}
	if err := s.startWeb(ctx, c); err != nil {
		s.close(ctx)
		return nil, err
	}
	return s, nil
}

func (s *server) startIngest() (err error) {
	cfg := s.config
	s.spool, err = ingest.OpenSpool(ingest.SpoolOptions{Dir: filepath.Join(cfg.Data, "spool"), SegmentSize: cfg.Spool.SegmentSize,
		MaxSize: cfg.Spool.MaxSize, Log: s.log})
	if err != nil {
		return err
	}
	s.outcomes = ingest.NewOutcomes(s.spool, s.IDs, s.log)
	s.counts = prometheus.NewRequests(cfg.Metrics.Endpoints)
	performance, err := requests.NewDigester(requests.DigesterOptions{Store: s.Store, IDs: s.IDs, Log: s.log, KeepOneIn: cfg.Perf.KeepOneIn,
		KeepSpans: s.features.gate(switches.OwnSpans), Counts: s.counts, Ends: s.outcomes.Ends(), Flips: s.allFlips})
	if err != nil {
		return err
	}
	if s.digester, err = issues.NewDigester(s.Store, s.Groupings, performance, s.Hub, s.log); err != nil {
		return err
	}
	sink, err := s.forwarding(jobsSink{s.digester})
	if err != nil {
		return err
	}
	s.pipeline = ingest.NewPipeline(ingest.PipelineOptions{Spool: s.spool, Outcomes: s.outcomes, IDs: s.IDs, Limits: limits(cfg), Log: s.log})
	s.drain = ingest.NewDrain(ingest.DrainOptions{Node: cfg.Node, Spool: s.spool, Sink: sink, Log: s.log})
	return nil
}

// jobsSink sends the drain's statements through the pool of its own, so that pages never wait for it.
type jobsSink struct{ ingest.Sink }

func (s jobsSink) Cursor(ctx context.Context, node string) (ingest.Position, error) {
	return s.Sink.Cursor(db.With(ctx, db.Ingest), node)
}

func (s jobsSink) Write(ctx context.Context, b ingest.Batch) error {
	return s.Sink.Write(db.With(ctx, db.Ingest), b)
}

func (s jobsSink) Bury(ctx context.Context, b ingest.Batch, reason string) error {
	return s.Sink.Bury(db.With(ctx, db.Ingest), b, reason)
}

func (s *server) startWeb(ctx context.Context, c *call) (err error) {
	self, selfKey, err := s.Projects.Ensure(ctx, issues.SelfProject, "go")
	if err != nil {
		return err
	}
	if s.self, err = newSelfReporter(s.pipeline, s.outcomes, self.ID, selfKey.ID, s.config.Node, s.log); err != nil {
		return err
	}
	s.recorder = s.newRecorder(self.ID, selfKey.ID)
	s.Statements.Hear(requests.NewStoredStatements(s.Store, self.ID, s.log).Add)
	lim := limits(s.config)
	rcv := receiver.New(receiver.Options{Keys: keys{s.Projects}, Pipeline: s.pipeline, Outcomes: s.outcomes, Limits: lim, Log: s.log,
		TrustedProxies: s.config.TrustedProxies, PGLog: s.logOptions()})
	doors, err := s.switchDoors(ctx)
	if err != nil {
		return err
	}
	s.startTelling(self.ID)
	s.web, err = web.New(web.Options{Base: s.base, TrustedProxies: s.config.TrustedProxies, Version: Version, Log: s.log, Accounts: s.Accounts,
		Issues: s.Issues, Projects: s.Projects, Groupings: s.Groupings, Rehearsals: s.Rehearsals, Refiles: s.Refiles, Requests: s.Requests, KeepOneIn: s.config.Perf.KeepOneIn, Hub: s.Hub,
		Statements: s.Statements.Recent, Health: s.Health, Explainer: requests.NewExplainer(s.Store), Ingest: rcv.Mount, HeaderReceived: rcv.HeaderReceived,
		TestEvent: s.testEvent, Ready: s.ready, Report: s.self.report, Queries: queryCounter(s.recorder), Recorder: s.recorder,
		SwitchDoors: doors, Flags: s.wire.flags, OwnChanges: s.ownChanges,
		Metrics: s.metrics, MetricsOpen: s.config.Metrics.Open, Feature: s.features.ask, Switches: s.features.holder.Load(), Board: s.Board, Impact: s.Impact})
	if err != nil {
		return err
	}
	if err := s.announce(ctx, c); err != nil {
		return err
	}
	background, cancel := context.WithCancel(context.WithoutCancel(ctx))
	s.cancel = cancel
	s.outcomes.Start()
	s.drain.Start()
	go s.guarded("project keys", func() { s.Projects.Run(background) })
	go s.guarded("tokens of switches", func() { s.wire.gate.Run(background) })
	go s.guarded("groupings", func() { s.Groupings.Run(background) })
	go s.guarded("rehearsals", func() { s.Rehearsals.Run(db.With(background, db.Jobs)) })
	go s.guarded("moves of events", func() { s.Refiles.Run(db.With(background, db.Jobs)) })
	go s.guarded("sums of requests", func() { s.Requests.RunRollups(db.With(background, db.Jobs)) })
	s.startGuard(background)
	go s.guarded("statements", func() { s.Statements.Run(db.With(background, db.Jobs)) })
	go s.guarded("health of databases", func() { s.Health.Run(db.With(background, db.Jobs)) })
	if s.config.Perf.Hosts {
		meter := requests.NewHostMeter(s.Store, s.config.Node, hostmetrics.Machine(), func(n int64) {
			s.outcomes.Count(self.ID, "host_sample", ingest.RateLimited, "database_away", n)
		}, s.log)
		go s.guarded("measurements of this machine", func() { meter.Run(db.With(background, db.Jobs)) })
	}
	go s.guarded("reports", func() { s.Reports.Run(db.With(background, db.Jobs)) })
	go s.guarded("event days", func() { s.keepDays(background) })
	go s.watchPostgres(background)
	if err := s.startSyslog(ctx); err != nil {
		return err
	}
	if err := s.startTail(ctx); err != nil {
		return err
	}
	go func() { s.failed <- s.web.Serve(s.listener) }()
	return nil
}

// announce makes the first project and, where need be, the first account, and prints where everything is. The
// lines are a contract with scripts.
func (s *server) announce(ctx context.Context, c *call) error {
	_, key, err := s.Projects.Ensure(ctx, "default", "")
	if err != nil {
		return err
	}
	dsn, err := issues.DSN(s.base, key)
	if err != nil {
		return err
	}
	fmt.Fprintln(c.out, "dashboard:", s.base)
	if admin := s.config.Admin; admin.Email != "" && admin.Password != "" {
		if err := s.Accounts.Bootstrap(ctx, admin.Email, admin.Password); err != nil {
			return plain(err)
		}
	}
	if err := s.printSetup(ctx, c); err != nil {
		return err
	}
	fmt.Fprintln(c.out, "dsn:", dsn)
	return nil
}

// printSetup prints the one-time link while there is no owner.
func (p *Program) printSetup(ctx context.Context, c *call) error {
	link, err := p.Accounts.SetupLink(ctx)
	if errs.Of(err) == errs.Conflict {
		return nil
	}
	if err != nil {
		return err
	}
	fmt.Fprintln(c.out, "setup:", p.base+"/setup/"+link)
	return nil
}

// setup is `kibitz setup`.
func setup(ctx context.Context, c *call) error {
	return withStore(ctx, c, func(p *Program) error {
		link, err := p.Accounts.SetupLink(ctx)
		if err != nil {
			return plain(err)
		}
		fmt.Fprintln(c.out, "setup:", p.base+"/setup/"+link)
		return nil
	})
}

// ready says why the server should get no traffic: a database that does not answer is no reason, since the spool
// goes on acknowledging; a spool that cannot is.
func (s *server) ready(context.Context) error { return s.pipeline.Healthy() }

func (s *server) wait(ctx context.Context) error {
	var err error
	select {
	case <-ctx.Done():
	case err = <-s.failed:
	}
	stop, cancel := context.WithTimeout(context.WithoutCancel(ctx), stopWithin)
	defer cancel()
	s.log.Info("stopping")
	return errors.Join(err, s.close(stop))
}

// close stops in the order in which nothing is lost: requests, counters, spool and drain, databases.
func (s *server) close(ctx context.Context) error {
	var failed []error
	if s.web != nil {
		failed = append(failed, s.web.Shutdown(ctx))
	}
	s.listener.Close()
	s.stopTelling()
	if s.syslog != nil {
		failed = append(failed, s.syslog.Close(ctx))
	}
	for _, end := range s.readers {
		end()
	}
	if s.cancel != nil {
		s.cancel()
	}
	if s.self != nil {
		s.self.close()
	}
	failed = append(failed, s.recorder.Close(ctx))
	if s.cancel != nil { // otherwise they never began
		s.drain.Stop()
		s.stopForwarding(ctx)
		s.outcomes.Stop()
	}
	if s.spool != nil {
		failed = append(failed, s.spool.Close())
	}
	s.Program.Close(ctx)
	return errors.Join(failed...)
}

// guarded keeps a panic of a background loop from ending the process, and reports it.
func (s *server) guarded(name string, loop func()) {
	defer func() {
		if r := recover(); r != nil {
			s.self.report(context.Background(), fmt.Errorf("panic in %s: %v", name, r))
		}
	}()
	loop()
}

// keepDays makes the days of ops.event ahead of time, every hour.
func (s *server) keepDays(ctx context.Context) {
	tick := time.NewTicker(time.Hour)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
			if err := s.makeDays(ctx); err != nil {
				s.self.report(ctx, err)
			}
			if err := s.Requests.Retire(ctx, time.Now()); err != nil {
				s.self.report(ctx, err)
			}
		}
	}
}

// watchPostgres starts the embedded PostgreSQL again when it dies under us.
func (s *server) watchPostgres(ctx context.Context) {
	for s.pg != nil {
		select {
		case <-ctx.Done():
			return
		case <-s.pg.Done():
		}
		if ctx.Err() != nil {
			return
		}
		s.log.Error("PostgreSQL died; starting it again")
		if err := s.pg.Restart(ctx); err != nil {
			s.log.Error("cannot start PostgreSQL again", "err", err)
			select {
			case <-ctx.Done():
			case <-time.After(2 * time.Second):
			}
		}
	}
}

// ready is `kibitz ready`, for health checks of containers.
func ready(ctx context.Context, c *call) error {
	ctx, cancel := context.WithTimeout(ctx, 2*time.Second)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+localAddress(c.config.Listen)+"/-/ready", nil)
	if err != nil {
		return err
	}
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		return fmt.Errorf("cannot reach the server: %w", err)
	}
	defer res.Body.Close()
	if res.StatusCode != http.StatusOK {
		return fmt.Errorf("the server is not ready: %s", res.Status)
	}
	return nil
}

// localAddress is where a listen address is reached from this machine.
func localAddress(listen string) string {
	host, port, err := net.SplitHostPort(listen)
	if err != nil {
		return listen
	}
	if ip := net.ParseIP(host); host == "" || (ip != nil && ip.IsUnspecified()) {
		host = "127.0.0.1"
	}
	return net.JoinHostPort(host, port)
}

// baseURL is the public address, from public_url or else from the address that we listen on.
func baseURL(c *config.Config) string {
	if c.PublicURL != "" {
		return strings.TrimSuffix(c.PublicURL, "/")
	}
	return "http://" + localAddress(c.Listen)
}

// nodeNumber turns a node's name into the ten bits that ids have room for.
func nodeNumber(name string) int {
	h := fnv.New32a()
	h.Write([]byte(name))
	return int(h.Sum32() & 1023)
}

// keys gives the receiver what it needs of a project key.
type keys struct{ projects *issues.Projects }

func (k keys) Lookup(ctx context.Context, public string) (receiver.KeyInfo, bool) {
	key, ok := k.projects.Key(db.With(ctx, db.Ingest), public)
	return receiver.KeyInfo{ProjectID: key.ProjectID, KeyID: key.ID, Active: key.Active}, ok
}

// countQueries gives a request's context a counter, for the log.
func countQueries(ctx context.Context) (context.Context, func() (int, time.Duration)) {
	ctx, counter := db.WithCounter(ctx)
	return ctx, func() (int, time.Duration) { return counter.N(), counter.Time() }
}

func limits(c *config.Config) ingest.Limits {
	l := ingest.DefaultLimits()
	l.EnvelopeWire, l.StoreWire, l.EnvelopeSize, l.EventSize = c.Ingest.EnvelopeWire, c.Ingest.StoreWire, c.Ingest.EnvelopeSize, c.Ingest.EventSize
	l.Items, l.JSONDepth, l.JSONNodes, l.HeaderLine = c.Ingest.Items, c.Ingest.JSONDepth, c.Ingest.JSONNodes, c.Ingest.HeaderLine
	l.ContainerSize, l.OTLPWire, l.OTLPSize, l.OTLPItems = c.Ingest.ContainerSize, c.Ingest.OTLPWire, c.Ingest.OTLPSize, c.Ingest.OTLPItems
	l.PGLogWire, l.PGLogSize = c.Ingest.PGLogWire, c.Ingest.PGLogSize
	l.HighWater, l.InFlight = c.Spool.HighWater, c.Ingest.InFlight
	return l
}

// testEvent is what "Send a test event" on the welcome page does.
func (s *server) testEvent(ctx context.Context, key model.ProjectKey, by model.Account) error {
	return s.self.testEvent(ctx, key, by)
}
