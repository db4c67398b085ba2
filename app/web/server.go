// Package web is the dashboard and the API on fiber. routes.go is the map; each page has a file of its own.
// Handlers read the request, call a use case and render; they never see the database.
package web

import (
	"context"
	"fmt"
	"log/slog"
	"net"
	"strings"
	"sync/atomic"
	"time"

	"github.com/gofiber/fiber/v2"
	"github.com/valyala/fasthttp"

	"kibitz/app/accounts"
	"kibitz/app/flags"
	"kibitz/app/impact"
	"kibitz/app/issues"
	"kibitz/app/model"
	"kibitz/app/perf"
	"kibitz/app/requests"
	"kibitz/app/rollout"
	"kibitz/app/switches"
	"kibitz/app/switches/flaghook"
)

// Options are what a server is made of.
type Options struct {
	Base           string // public address, without a slash at the end
	TrustedProxies []string
	Version        string
	Log            *slog.Logger
	Accounts       *accounts.Accounts
	Issues         *issues.Issues
	Projects       *issues.Projects
	Groupings      *issues.Groupings
	Rehearsals     *issues.Rehearsals
	Refiles        *issues.Refiles
	Requests       *requests.Requests
	KeepOneIn      int    // one in so many unremarkable requests keeps its spans
	Syslog         string // where syslog is taken; "" when it is not
	Hub            *issues.Hub
	Statements     *requests.RecentStatements
	Health         *requests.Health
	Explainer      *requests.Explainer
	Board          *rollout.Board // nil: no pages of switches
	Impact         *impact.Impact
	// Ingest mounts the endpoints that SDKs send to; HeaderReceived sets their limits before a body is read.
	Ingest         func(fiber.Router)
	HeaderReceived func(*fasthttp.RequestHeader) fasthttp.RequestConfig
	// TestEvent sends a test event into a project.
	TestEvent func(ctx context.Context, key model.ProjectKey, by model.Account) error
	// Ready tells why the server is not ready, or nil.
	Ready func(ctx context.Context) error
	// Report takes errors that answer 500.
	Report func(ctx context.Context, err error)
	// Queries gives a request's context a counter of its database queries, and reads it.
	Queries func(ctx context.Context) (context.Context, func() (n int, spent time.Duration))
	// Recorder records every request; nil for none.
	Recorder *perf.Recorder
	// Metrics is the text of /metrics; MetricsOpen lets those read it who have no token.
	Metrics     func(ctx context.Context) []byte
	MetricsOpen bool
	// SwitchDoors are where programs elsewhere ask switches; nil for none.
	SwitchDoors *SwitchDoors
	// Flags takes changes of flags that others tell of, and tells of ours; nil for neither.
	Flags *flags.Flags
	// OwnChanges are changes of our own switches of one key ("" all) before an id, newest first; nil for none.
	OwnChanges func(ctx context.Context, key string, before int64, n int) ([]model.FlagChange, error)
	// Switches answers for those who ask for pages; nil for none. Feature says whether one of Kibitz's own features is on for
	// whoever a context belongs to (see switches.Own); nil for all of them.
	Switches *switches.Holder
	Feature  func(ctx context.Context, key string) bool
}

// Server is the web half of Kibitz.
type Server struct {
	app        *fiber.App
	base       string
	https      bool
	log        *slog.Logger
	version    string
	started    time.Time
	accounts   *accounts.Accounts
	issues     *issues.Issues
	projects   *issues.Projects
	groupings  *issues.Groupings
	rehearsals *issues.Rehearsals
	refiles    *issues.Refiles
	requests   *requests.Requests
	keepOneIn  int
	syslog     string
	hub        *issues.Hub
	statements *requests.RecentStatements
	health     *requests.Health
	explainer  *requests.Explainer
	board      *rollout.Board
	impact     *impact.Impact
	proxies    proxies
	testEvent  func(ctx context.Context, key model.ProjectKey, by model.Account) error
	ready      func(ctx context.Context) error
	report     func(ctx context.Context, err error)
	queries    func(ctx context.Context) (context.Context, func() (int, time.Duration))
	metrics    func(ctx context.Context) []byte
	flags      *flags.Flags
	ownChanges func(ctx context.Context, key string, before int64, n int) ([]model.FlagChange, error)
	feature    func(ctx context.Context, key string) bool
	streams    atomic.Int64
	stopping   context.Context
	stop       context.CancelFunc
	draining   atomic.Bool
}

// Limits of a connection.
const (
	readTimeout = 15 * time.Second
	idleTimeout = 60 * time.Second
	// writeTimeout is for each write, not for a whole answer, so that event streams may live on while a client
	// that stopped reading is dropped.
	writeTimeout = 20 * time.Second
	concurrency  = 8192
	headerBuffer = 16 << 10 // SDKs send long baggage headers
	bodyLimit    = 20 << 20 // the largest of any path; HeaderReceived narrows it
)

// New wires the server; nothing listens yet.
func New(o Options) (*Server, error) {
	trusted, err := parseProxies(o.TrustedProxies)
	if err != nil {
		return nil, err
	}
	s := &Server{base: strings.TrimSuffix(o.Base, "/"), https: strings.HasPrefix(o.Base, "https://"), log: o.Log, version: o.Version,
		started: time.Now(), accounts: o.Accounts, issues: o.Issues, projects: o.Projects, groupings: o.Groupings,
		rehearsals: o.Rehearsals, refiles: o.Refiles, requests: o.Requests, keepOneIn: o.KeepOneIn, syslog: o.Syslog, hub: o.Hub, statements: o.Statements, health: o.Health,
		explainer: o.Explainer, board: o.Board, impact: o.Impact, proxies: trusted,
		testEvent: o.TestEvent, ready: o.Ready, report: o.Report, queries: o.Queries, metrics: o.Metrics, feature: o.Feature}
	s.flags, s.ownChanges = o.Flags, o.OwnChanges
	s.stopping, s.stop = context.WithCancel(context.Background())
	s.app = s.newApp(o.HeaderReceived)
	s.routes(o)
	return s, nil
}

// newApp is fiber with our limits. other narrows the sizes of bodies further.
func (s *Server) newApp(other func(*fasthttp.RequestHeader) fasthttp.RequestConfig) *fiber.App {
	app := fiber.New(fiber.Config{
		AppName: "kibitz", DisableStartupMessage: true, ErrorHandler: s.answerError, Immutable: true, StrictRouting: false, CaseSensitive: true,
		BodyLimit: bodyLimit, ReadTimeout: readTimeout, IdleTimeout: idleTimeout, Concurrency: concurrency, ReadBufferSize: headerBuffer,
		DisablePreParseMultipartForm: true, DisableDefaultContentType: true,
		EnableTrustedProxyCheck: true, EnableIPValidation: true,
	})
	app.Server().HeaderReceived = largerForms(other)
	app.Server().NoDefaultServerHeader = true
	return app
}

// largerForms lets the forms that hold a project's rules be as large as they may.
func largerForms(other func(*fasthttp.RequestHeader) fasthttp.RequestConfig) func(*fasthttp.RequestHeader) fasthttp.RequestConfig {
	return func(h *fasthttp.RequestHeader) fasthttp.RequestConfig {
		path, _, _ := strings.Cut(string(h.RequestURI()), "?")
		switch limit := formLimit(path); {
		case isDoor(path):
			return fasthttp.RequestConfig{MaxRequestBodySize: doorBody}
		case isFlagHook(path):
			return fasthttp.RequestConfig{MaxRequestBodySize: flaghook.MaxBody}
		case limit > maxForm:
			return fasthttp.RequestConfig{MaxRequestBodySize: limit}
		case other != nil:
			return other(h)
		}
		return fasthttp.RequestConfig{}
	}
}

// Serve answers on a listener until Shutdown.
func (s *Server) Serve(ln net.Listener) error {
	if err := s.app.Listener(deadlineListener{ln}); err != nil {
		return fmt.Errorf("cannot serve: %w", err)
	}
	return nil
}

// Shutdown stops in order: not ready any more, streams ended, running requests finished or cut at the deadline.
func (s *Server) Shutdown(ctx context.Context) error {
	s.draining.Store(true)
	s.stop()
	if err := s.app.ShutdownWithContext(ctx); err != nil {
		return fmt.Errorf("cannot finish all requests in time: %w", err)
	}
	return nil
}

// deadlineListener gives each write of its connections a deadline.
type deadlineListener struct{ net.Listener }

func (l deadlineListener) Accept() (net.Conn, error) {
	c, err := l.Listener.Accept()
	if err != nil {
		return nil, err
	}
	return deadlineConn{c}, nil
}

type deadlineConn struct{ net.Conn }

func (c deadlineConn) Write(b []byte) (int, error) {
	if err := c.SetWriteDeadline(time.Now().Add(writeTimeout)); err != nil {
		return 0, err
	}
	return c.Conn.Write(b)
}
