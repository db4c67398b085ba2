package cli

import (
	"context"
	"fmt"
	"io"
	"math"
	"runtime"
	"sync/atomic"
	"time"

	"kibitz/app/switches/guard/simulate"
)

// guardBench plays traffic with a switch in it, and sets how often and how soon the rules stop it beside what is promised.
type guardBench struct {
	out, log io.Writer
	runs     int
	seed     uint64
	outside  int // of our rules
	others   int // of rules that we compare with
	done     atomic.Int64
}

func benchGuard(ctx context.Context, c *call) error {
	f := c.flags("bench guard")
	b := &guardBench{out: c.out, log: c.err}
	f.IntVar(&b.runs, "runs", 1000, "how often six hours are played for each line")
	f.Uint64Var(&b.seed, "seed", 1, "of the random numbers")
	if err := f.Parse(c.args[1:]); err != nil || f.NArg() > 0 || b.runs < 20 {
		return errUsage
	}
	return b.run(ctx)
}

func (b *guardBench) run(ctx context.Context) error {
	fmt.Fprintf(b.out, "%.0f requests a second, %.1f %% fail, a look every %.0f s for 6 h, %d runs a line; error bars are of 99.9 %%\n", simulate.Traffic, 100*simulate.Failures, simulate.Look, b.runs)
	kills, detections := simulate.FalseKills(), simulate.Detections()
	total := int64(b.runs) * int64(len(kills)+len(detections))
	stop := b.watch(total)
	defer stop()
	fmt.Fprintf(b.out, "\nHow often a harmless switch is stopped\n%-52s %6s  %-22s %8s %16s\n", "traffic", "share", "rule", "ours", "promised")
	b.table(ctx, kills, b.rateLine)
	fmt.Fprintf(b.out, "\nHow long a harmful switch lives (median over all runs)\n%-40s %6s  %-22s %9s %9s %22s %8s %14s\n", "traffic", "share", "rule", "ours", "promised", "may be", "stopped", "promised")
	b.table(ctx, detections, b.timeLine)
	if err := ctx.Err(); err != nil {
		return err
	}
	fmt.Fprintf(b.out, "\n%d figures of the guard and %d of other rules are outside of their error bars\n", b.outside, b.others)
	if b.outside > 0 {
		return fmt.Errorf("%d figures of the guard are outside of their error bars", b.outside)
	}
	return nil
}

func (b *guardBench) table(ctx context.Context, rows []simulate.Row, line func(simulate.Row, simulate.Result)) {
	for _, row := range rows {
		results := row.Run(ctx, b.runs, runtime.GOMAXPROCS(0), b.seed, func() { b.done.Add(1) })
		if ctx.Err() != nil {
			return
		}
		for _, r := range results {
			b.tally(r)
			line(row, r)
		}
	}
}

// tally counts what lies outside. Only our own rules are a promise; those of others are there to compare with.
func (b *guardBench) tally(r simulate.Result) {
	switch {
	case r.Within():
	case r.Rule.Ours():
		b.outside++
	default:
		b.others++
	}
}

func (b *guardBench) rateLine(row simulate.Row, r simulate.Result) {
	fmt.Fprintf(b.out, "%-52s %4.0f %%  %-22s %6.1f %% %6.1f ± %4.1f %%  %s\n", row.Name, 100*row.Scenario.Share, r.Rule, 100*r.Found, 100*r.Rate, 100*r.Error, within(r.Within()))
}

func (b *guardBench) timeLine(row simulate.Row, r simulate.Result) {
	median, promised, may := "", "", ""
	if r.Seconds > 0 {
		median, promised, may = seconds(r.Median), seconds(r.Seconds), seconds(r.Low)+" to "+seconds(r.High)
	}
	rate := ""
	if !math.IsNaN(r.Rate) {
		rate = fmt.Sprintf("%5.0f ± %2.0f %%", 100*r.Rate, 100*r.Error)
	}
	name := fmt.Sprintf("×%g %s", row.Scenario.Ratio, row.Name)
	fmt.Fprintf(b.out, "%-40s %4.0f %%  %-22s %9s %9s %22s %6.0f %% %14s  %s\n", name, 100*row.Scenario.Share, r.Rule, median, promised, may, 100*r.Found, rate, within(r.Within()))
}

func seconds(s float64) string {
	if math.IsInf(s, 1) {
		return "never"
	}
	return fmt.Sprintf("%.0f s", s)
}

func within(ok bool) string {
	if ok {
		return "within"
	}
	return "outside"
}

// watch tells how far it is, every ten seconds.
func (b *guardBench) watch(total int64) (stop func()) {
	ctx, cancel := context.WithCancel(context.Background())
	began := time.Now()
	go func() {
		for {
			select {
			case <-ctx.Done():
				return
			case <-time.After(10 * time.Second):
				n := b.done.Load()
				fmt.Fprintf(b.log, "%d of %d runs, %s\n", n, total, time.Since(began).Round(time.Second))
			}
		}
	}()
	return cancel
}
