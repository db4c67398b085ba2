// Package cli holds the commands, one a file, and the program that they are wired from. It is the only package
// that sees all others.
package cli

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"log/slog"
	"net"
	"os/signal"
	"syscall"

	"kibitz/app/config"
	"kibitz/app/errs"
)

// Version is set when the program is built.
var Version = "dev"

// call is what a command gets.
type call struct {
	args   []string
	out    io.Writer
	err    io.Writer
	config *config.Config // nil for commands that need none
	log    *slog.Logger

	listener net.Listener // of serve, which takes its address before anything else
}

// command is one word of the command line.
type command struct {
	name, args, help string
	bare             bool // needs no configuration
	run              func(ctx context.Context, c *call) error
}

func commands() []command {
	return []command{
		{"serve", "", "run Kibitz: dashboard, ingest and, unless configured otherwise, its own PostgreSQL", false, serve},
		{"demo", "", "run Kibitz with realistic traffic in two projects", false, demo},
		{"setup", "", "print a new one-time link that makes the first owner", false, setup},
		{"project", "add SLUG [--platform P] | list [--json]", "add or list the projects that report", false, project},
		{"switch", "add KEY | set KEY on|off|N%|kill|unkill | list | get | try | remove | history | undo | copy | processes | export | import", "flip feature switches of the running processes", false, switchCommand},
		{"token", "add --scopes S,S [--env E] [--name N] | list | revoke ID", "manage API tokens", false, token},
		{"group", "[--explain] [--rules FILE] FILE...", "print how event files are grouped, a JSON line each", true, group},
		{"queries", "[--project P] [--since 1h] [--json] | --file LOG [flags]", "print which statements took the time, of a project or of a PostgreSQL log", true, queries},
		{"bench", "ingest | rehearsal | perf | guard [flags]", "measure this machine", true, bench},
		{"requests", "list --project P [--since 1h] [--json] [FILTER] | show TRACE_ID [--json]", "list requests, or print the spans of one", false, requestsCommand},
		{"report", "preview [--html] | send", "print the mailed report of queries and databases, or send it now", false, report},
		{"migrate", "", "bring the databases up to this version", false, migrate},
		{"config", "[--json]", "print the effective configuration, secrets redacted", false, printConfig},
		{"ready", "", "exit with 0 when the server here is ready", false, ready},
		{"version", "", "print the version", true, printVersion},
	}
}

// errUsage is a command line that was not understood; the usage has been printed.
var errUsage = errors.New("usage")

// Run runs one command and answers the exit status: 0, 1 for a failure, 2 for a wrong command line.
func Run(args []string, out, errOut io.Writer) int {
	if len(args) == 0 || args[0] == "help" || args[0] == "-h" || args[0] == "--help" {
		usage(out)
		return 0
	}
	for _, cmd := range commands() {
		if cmd.name == args[0] {
			return status(errOut, cmd.start(args[1:], out, errOut))
		}
	}
	fmt.Fprintf(errOut, "kibitz: there is no command %q\n\n", args[0])
	usage(errOut)
	return 2
}

func (cmd command) start(args []string, out, errOut io.Writer) error {
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGINT, syscall.SIGTERM)
	defer stop()
	c := &call{args: args, out: out, err: errOut, log: slog.New(slog.NewTextHandler(errOut, nil))}
	if !cmd.bare {
		if err := c.configure(); err != nil {
			return err
		}
	}
	return cmd.run(ctx, c)
}

// configure reads the settings. Commands that need them for some of their work only call it themselves.
func (c *call) configure() error {
	cfg, err := config.FromEnvironment()
	if err != nil {
		return err
	}
	c.config, c.log = cfg, newLogger(cfg, c.err)
	for _, w := range cfg.Warnings {
		c.log.Warn(w)
	}
	return nil
}

func status(errOut io.Writer, err error) int {
	switch {
	case err == nil:
		return 0
	case errors.Is(err, errUsage), errors.Is(err, flag.ErrHelp):
		return 2
	}
	fmt.Fprintf(errOut, "kibitz: %v\n", err)
	return 1
}

func newLogger(cfg *config.Config, w io.Writer) *slog.Logger {
	var level slog.Level
	if err := level.UnmarshalText([]byte(cfg.Log.Level)); err != nil {
		level = slog.LevelInfo
	}
	opts := &slog.HandlerOptions{Level: level}
	if cfg.Log.Format == "json" {
		return slog.New(slog.NewJSONHandler(w, opts))
	}
	return slog.New(slog.NewTextHandler(w, opts))
}

func usage(w io.Writer) {
	fmt.Fprint(w, "Kibitz: comments, errors, timings and switches on one dashboard.\n\nUsage: kibitz COMMAND\n\n")
	for _, cmd := range commands() {
		fmt.Fprintf(w, "  %-8s %-40s %s\n", cmd.name, cmd.args, cmd.help)
	}
	fmt.Fprint(w, "\nSettings come from kibitz.toml and KIBITZ_* variables; `kibitz config` prints them.\n")
}

// flags makes a flag set that reports a wrong command line as errUsage.
func (c *call) flags(name string) *flag.FlagSet {
	f := flag.NewFlagSet("kibitz "+name, flag.ContinueOnError)
	f.SetOutput(c.err)
	return f
}

func (c *call) wrong(format string, args ...any) error {
	fmt.Fprintf(c.err, "kibitz: "+format+"\n", args...)
	return errUsage
}

func printVersion(_ context.Context, c *call) error {
	fmt.Fprintln(c.out, "kibitz", Version)
	return nil
}

func printConfig(_ context.Context, c *call) error {
	f := c.flags("config")
	asJSON := f.Bool("json", false, "print JSON")
	if err := f.Parse(c.args); err != nil {
		return errUsage
	}
	if *asJSON {
		return c.config.DumpJSON(c.out)
	}
	return c.config.Dump(c.out)
}

// plain is what a person at the shell should read of an error: its public sentence when it has one.
func plain(err error) error {
	if errs.Of(err) == errs.Internal {
		return err
	}
	return errors.New(errs.Message(err))
}
