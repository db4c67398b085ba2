package cli

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"kibitz/app/db"
	"kibitz/app/db/pglocal"
	"kibitz/app/rollout"
	"kibitz/app/switches/peers"
)

// flipBench measures how long a flip takes until the last of twelve processes answers by it.
type flipBench struct {
	out, log io.Writer
	data     string
	pg       *pglocal.Server
	children []*child
	door     *peers.Client
}

const (
	flipProcesses = 12
	flips         = 400
)

// flip is a section of `kibitz bench switches`: with PostgreSQL, with it frozen and with it stopped.
func (b *switchBench) flip(ctx context.Context) error {
	f := &flipBench{out: b.out, log: b.log}
	return inBenchDir(&f.data, func() error { return f.run(ctx) })
}

func (f *flipBench) run(ctx context.Context) (err error) {
	defer func() {
		for _, c := range f.children {
			err = errors.Join(err, c.kill())
		}
	}()
	if err := f.startPostgres(ctx); err != nil {
		return err
	}
	defer func() { f.pg.Stop(context.WithoutCancel(ctx)) }()
	for i := range flipProcesses {
		c, err := startChild(ctx, f.log, f.settings(i)...)
		if err != nil {
			return err
		}
		f.children = append(f.children, c)
	}
	if err := f.meet(ctx); err != nil {
		return err
	}
	defer f.door.Close()
	if err := f.measure(ctx, "with PostgreSQL", 50*time.Millisecond); err != nil {
		return err
	}
	if err := f.pg.Stop(ctx); err != nil {
		return err
	}
	return f.measure(ctx, "with PostgreSQL stopped", 100*time.Millisecond)
}

// startPostgres starts one that lets twelve programs in.
func (f *flipBench) startPostgres(ctx context.Context) (err error) {
	opts := pglocal.Options{Dir: filepath.Join(f.data, "postgres"), Log: slog.New(slog.DiscardHandler), Progress: io.Discard}
	if f.pg, err = pglocal.Start(ctx, opts); err != nil {
		return err
	}
	conf, err := os.OpenFile(filepath.Join(f.pg.Dir(), "data", "postgresql.conf"), os.O_APPEND|os.O_WRONLY, 0)
	if err != nil {
		return err
	}
	_, err = conf.WriteString("\nmax_connections = 400\n")
	if err := errors.Join(err, conf.Close(), f.pg.Restart(ctx)); err != nil {
		return err
	}
	return db.Provision(ctx, f.pg.DSN(pglocal.Superuser, "postgres"), databaseName)
}

func (f *flipBench) dir(i int) string { return filepath.Join(f.data, fmt.Sprint(i)) }

func (f *flipBench) settings(i int) []string {
	out := []string{"KIBITZ_DATA=" + f.dir(i), "KIBITZ_LISTEN=127.0.0.1:0", "KIBITZ_PUBLIC_URL=http://127.0.0.1:1", "KIBITZ_LOG_LEVEL=error", fmt.Sprintf("KIBITZ_NODE=n%02d", i),
		"KIBITZ_PERF_ENABLED=false", "KIBITZ_PERF_HOSTS=false"}
	for _, p := range db.Partitions {
		name := "KIBITZ_DATABASE_" + strings.ToUpper(string(p))
		out = append(out, name+"_PRIMARY="+f.pg.DSN(db.Role(p), databaseName), name+"_OWNER="+f.pg.DSN(pglocal.Superuser, databaseName))
	}
	return out
}

// meet waits until all know each other, and makes the switch.
func (f *flipBench) meet(ctx context.Context) error {
	d, err := rollout.ReadDoor(switchDir(f.dir(0)))
	if err != nil {
		return err
	}
	if f.door, err = peers.Dial(ctx, d.Address, d.Secret); err != nil {
		return err
	}
	for reached := 0; reached < flipProcesses; {
		var got fleet
		if err := f.ask(ctx, "processes", switchRequest{}, &got); err != nil {
			return err
		}
		reached = 0
		for _, p := range got.Processes {
			if p.Reached {
				reached++
			}
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(100 * time.Millisecond):
		}
	}
	r := switchRequest{Env: rollout.Production, Key: "flip", By: whoami()}
	r.Switch.Key = "flip"
	return f.ask(ctx, "add", r, new(rollout.Published))
}

func (f *flipBench) ask(ctx context.Context, op string, r switchRequest, into any) error {
	raw, status, text, err := f.door.Ask(ctx, op, r)
	if err != nil {
		return err
	}
	if status != 0 {
		return errors.New(text)
	}
	return json.Unmarshal(raw, into)
}

// measure flips, with pauses as between clicks. What a process acknowledges, it answers by.
func (f *flipBench) measure(ctx context.Context, what string, promise time.Duration) error {
	var took []time.Duration
	stored := 0
	for i := range flips {
		r := switchRequest{Env: rollout.Production, Key: "flip", To: []string{"on", "off", "kill", "unkill"}[i%4], By: whoami()}
		var p rollout.Published
		if err := f.ask(ctx, "set", r, &p); err != nil {
			return err
		}
		if p.Told != flipProcesses-1 {
			return fmt.Errorf("%d of %d other processes answer by revision %d", p.Told, flipProcesses-1, p.Revision)
		}
		if took = append(took, p.Slowest); p.Stored {
			stored++
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(5 * time.Millisecond):
		}
	}
	slices.Sort(took)
	at := func(q float64) time.Duration {
		return took[min(int(q*float64(len(took))), len(took)-1)].Round(10 * time.Microsecond)
	}
	fmt.Fprintf(f.out, "  flip to the last of %d processes, %s: p50 %s, p99 %s, slowest %s of %d (promised: p99 under %s); %d were stored before the click was answered\n",
		flipProcesses, what, at(0.5), at(0.99), at(1), len(took), promise, stored)
	return nil
}
