package cli

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/valyala/fasthttp"
)

// turn is one server's few seconds.
type turn struct {
	rate     float64
	p99      time.Duration
	cpu      time.Duration // of the server process and of its database, for a request; 0 unknown
	database time.Duration // the database's part of it
}

// compare gives both servers their turns and prints what they came to.
func (b *perfBench) compare(ctx context.Context, door perfDoor) error {
	var turns [2][]turn
	for round := range b.rounds + 1 {
		for k := range 2 {
			side := (round + k) % 2 // with, without, without, with ...
			t, err := b.turn(ctx, b.sides[side], door)
			if err != nil {
				return err
			}
			if round > 0 { // before it connections are opened and statements prepared
				turns[side] = append(turns[side], t)
			}
		}
	}
	b.print(door, turns)
	return nil
}

// print tells medians, and of the share that is left with the recorder the quartiles as well: what half of the rounds lie
// between.
func (b *perfBench) print(door perfDoor, turns [2][]turn) {
	var ratios, costs []float64
	for i := range turns[0] {
		ratios = append(ratios, 100*turns[0][i].rate/turns[1][i].rate)
		costs = append(costs, 100*(float64(turns[0][i].cpu)/float64(max(turns[1][i].cpu, 1))-1))
	}
	with, without := medianTurn(turns[0]), medianTurn(turns[1])
	round := func(d time.Duration) time.Duration { return d.Round(100 * time.Nanosecond) }
	fmt.Fprintf(b.out, "%s: %.0f/s recorded, %.0f/s not: %.1f %% in the median of %d rounds (half of them %.1f to %.1f, all %.1f to %.1f)\n", door.name,
		with.rate, without.rate, quantile(ratios, 0.5), b.rounds, quantile(ratios, 0.25), quantile(ratios, 0.75), slices.Min(ratios), slices.Max(ratios))
	fmt.Fprintf(b.out, "\tp99 %s and %s; CPU of server and database %s and %s each, of which database %s and %s: %+.1f %% in the median (half %+.1f to %+.1f)\n",
		with.p99.Round(10*time.Microsecond), without.p99.Round(10*time.Microsecond), round(with.cpu), round(without.cpu), round(with.database),
		round(without.database), quantile(costs, 0.5), quantile(costs, 0.25), quantile(costs, 0.75))
}

func (b *perfBench) turn(ctx context.Context, s *perfSide, door perfDoor) (t turn, err error) {
	stop := make(chan struct{})
	timer := time.AfterFunc(b.length, func() { close(stop) })
	defer timer.Stop()
	began, server, database := time.Now(), cpuOf(s.server.cmd.Process.Pid), cpuBelow(s.server.cmd.Process.Pid)
	took := door.load(s, b.senders, stop)
	lasted := time.Since(began)
	if ctx.Err() != nil {
		return t, ctx.Err()
	}
	if len(took) == 0 {
		return t, fmt.Errorf("no %s was answered by the server with perf.enabled %s", door.name, s.name)
	}
	// What is left to do must neither go uncounted nor fall into the other's turn.
	if err := s.settle(ctx); err != nil {
		return t, err
	}
	n := time.Duration(len(took))
	server, database = cpuOf(s.server.cmd.Process.Pid)-server, cpuBelow(s.server.cmd.Process.Pid)-database
	slices.Sort(took)
	return turn{rate: float64(n) / lasted.Seconds(), p99: took[len(took)*99/100], cpu: (server + database) / n, database: database / n}, nil
}

// A recorder hands on what it has within a second, and the drain waits a quarter of one for more: settleLeast is longer than both,
// and the same for a server without, so that what an idle server does counts alike. settleWithin is how long one may take to store
// what it has acknowledged in its turn.
const (
	settleLeast  = 1500 * time.Millisecond
	settleWithin = time.Minute
)

// settle waits until everything that a server took, and recorded of it, is in its database.
func (s *perfSide) settle(ctx context.Context) error {
	finished := -1.0
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-time.After(settleLeast):
	}
	for end := time.Now().Add(settleWithin); time.Now().Before(end); {
		m, err := s.metrics()
		if err != nil {
			return err
		}
		if finished < 0 {
			finished = m["kibitz_recorder_finished_total"]
		}
		if m["kibitz_drain_lag_bytes"] == 0 && m["kibitz_recorder_delivered_total"]+m["kibitz_recorder_dropped_total"] >= finished {
			return nil
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(100 * time.Millisecond):
		}
	}
	return errors.New("cannot wait any longer for the server to store what it took")
}

// metrics are the server's numbers without labels.
func (s *perfSide) metrics() (map[string]float64, error) {
	status, body, err := fasthttp.Get(nil, "http://"+s.address+"/metrics")
	if err != nil || status != fasthttp.StatusOK {
		return nil, fmt.Errorf("cannot read the server's metrics: status %d: %w", status, err)
	}
	m := map[string]float64{}
	for line := range strings.Lines(string(body)) {
		name, value, _ := strings.Cut(strings.TrimSpace(line), " ")
		if v, err := strconv.ParseFloat(value, 64); err == nil {
			m[name] = v
		}
	}
	return m, nil
}

// quantile is the value that the share q of a list lies below.
func quantile(list []float64, q float64) float64 {
	sorted := slices.Sorted(slices.Values(list))
	return sorted[min(int(q*float64(len(sorted))), len(sorted)-1)]
}

func medianTurn(turns []turn) turn {
	of := func(value func(turn) float64) float64 {
		var list []float64
		for _, t := range turns {
			list = append(list, value(t))
		}
		return quantile(list, 0.5)
	}
	return turn{rate: of(func(t turn) float64 { return t.rate }), p99: time.Duration(of(func(t turn) float64 { return float64(t.p99) })),
		cpu: time.Duration(of(func(t turn) float64 { return float64(t.cpu) })), database: time.Duration(of(func(t turn) float64 { return float64(t.database) }))}
}

// process is what /proc tells of one: proc(5), stat. Time is that of itself and of its children that have ended, in clock
// ticks of 10 ms.
type process struct {
	parent    int
	own, dead time.Duration
}

func readProcess(pid string) (p process, ok bool) {
	text, err := os.ReadFile(filepath.Join("/proc", pid, "stat"))
	if err != nil {
		return p, false
	}
	fields := bytes.Fields(text[bytes.LastIndexByte(text, ')')+1:]) // a program's name may hold anything
	if len(fields) < 15 {
		return p, false
	}
	number := func(i int) int { n, _ := strconv.Atoi(string(fields[i])); return n }
	ticks := func(i int) time.Duration { return time.Duration(number(i)) * 10 * time.Millisecond }
	return process{number(1), ticks(11) + ticks(12), ticks(13) + ticks(14)}, true
}

// cpuOf is the time that a process has had of the cores; 0 where there is no /proc.
func cpuOf(pid int) time.Duration {
	p, _ := readProcess(strconv.Itoa(pid))
	return p.own
}

// cpuBelow is the time that everything below a process has had, what has ended included.
func cpuBelow(pid int) (sum time.Duration) {
	dirs, _ := filepath.Glob("/proc/[0-9]*")
	all := map[int]process{}
	for _, dir := range dirs {
		if p, ok := readProcess(filepath.Base(dir)); ok {
			id, _ := strconv.Atoi(filepath.Base(dir))
			all[id] = p
		}
	}
	for id, p := range all {
		if id == pid {
			sum += p.dead
			continue
		}
		for at := p.parent; at > 1; at = all[at].parent {
			if at == pid {
				sum += p.own + p.dead
				break
			}
		}
	}
	return sum
}
