package cli

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	"github.com/valyala/fasthttp"
)

// perfBench compares a server that records its own requests with one that does not: the same load on both by turns, a few
// seconds each, so that whatever else the machine does meets both.
type perfBench struct {
	out, log io.Writer
	rounds   int
	length   time.Duration
	senders  int
	data     string
	sides    [2]*perfSide
}

// perfSide is one of the two servers.
type perfSide struct {
	ingestBench
	name   string
	server *child
	cookie string
}

// The account that looks at pages.
const (
	benchEmail    = "bench@example.org"
	benchPassword = "a password of the benchmark"
)

func benchPerf(ctx context.Context, c *call) error {
	f := c.flags("bench perf")
	b := &perfBench{out: c.out, log: c.err}
	f.IntVar(&b.rounds, "rounds", 7, "how often both servers have their turn")
	f.DurationVar(&b.length, "for", 3*time.Second, "how long a turn is")
	f.IntVar(&b.senders, "senders", 8, "connections that ask at once")
	f.StringVar(&b.data, "data", "", "directory for the servers' data; a temporary one when empty")
	if err := f.Parse(c.args[1:]); err != nil || f.NArg() > 0 || b.rounds < 1 || b.senders < 1 {
		return errUsage
	}
	return inBenchDir(&b.data, func() error { return b.run(ctx) })
}

func (b *perfBench) run(ctx context.Context) error {
	for i, on := range []bool{true, false} {
		s, err := b.start(ctx, on)
		if err != nil {
			return err
		}
		defer s.server.stop()
		b.sides[i] = s
	}
	// Events come first: pages then have issues to show.
	for _, door := range []perfDoor{{"events of 13 KB", (*perfSide).sendEvents}, {"page /issues", (*perfSide).readPages}} {
		if err := b.compare(ctx, door); err != nil {
			return err
		}
	}
	return nil
}

// start starts one of the servers and signs in.
func (b *perfBench) start(ctx context.Context, on bool) (*perfSide, error) {
	name := strconv.FormatBool(on)
	s := &perfSide{name: name, ingestBench: ingestBench{out: b.out, log: b.log, data: filepath.Join(b.data, name), extra: []string{
		"KIBITZ_PERF_ENABLED=" + name, "KIBITZ_ADMIN_EMAIL=" + benchEmail, "KIBITZ_ADMIN_PASSWORD=" + benchPassword}}}
	if err := os.MkdirAll(s.data, 0o755); err != nil {
		return nil, err
	}
	if err := s.chooseAddress(); err != nil {
		return nil, err
	}
	var err error
	if s.server, err = s.ingestBench.start(ctx); err != nil {
		return nil, err
	}
	if err := s.signIn(); err != nil {
		return nil, errors.Join(err, s.server.stop())
	}
	return s, nil
}

func (s *perfSide) signIn() error {
	req, res := fasthttp.AcquireRequest(), fasthttp.AcquireResponse()
	req.Header.SetMethod(fasthttp.MethodPost)
	req.SetRequestURI("http://" + s.address + "/signin")
	req.Header.Set("Sec-Fetch-Site", "same-origin")
	req.Header.SetContentType("application/x-www-form-urlencoded")
	req.SetBodyString(url.Values{"email": {benchEmail}, "password": {benchPassword}}.Encode())
	if err := fasthttp.Do(req, res); err != nil {
		return fmt.Errorf("cannot sign in: %w", err)
	}
	cookie := fasthttp.AcquireCookie()
	for _, value := range res.Header.Cookies() {
		if err := cookie.ParseBytes(value); err == nil && len(cookie.Value()) > 0 {
			s.cookie = string(cookie.Key()) + "=" + string(cookie.Value())
		}
	}
	if s.cookie == "" {
		return fmt.Errorf("cannot sign in: the server answers %d", res.StatusCode())
	}
	return nil
}

// perfDoor is a kind of request, and what sends them until stop is closed and tells how many were answered.
type perfDoor struct {
	name string
	load func(s *perfSide, senders int, stop chan struct{}) int
}

// turn is one server's few seconds.
type turn struct {
	rate float64
	cpu  time.Duration // of the server process, for a request; 0 unknown
}

// compare gives both servers their turns and prints the medians.
func (b *perfBench) compare(ctx context.Context, door perfDoor) error {
	var turns [2][]turn
	var ratios []float64
	for round := range b.rounds + 1 {
		var both [2]turn
		for k := range 2 {
			side := (round + k) % 2 // each goes first as often as the other
			t, err := b.turn(ctx, b.sides[side], door)
			if err != nil {
				return err
			}
			both[side] = t
		}
		if round == 0 {
			continue // connections are opened, statements prepared
		}
		ratios = append(ratios, both[0].rate/both[1].rate)
		turns[0], turns[1] = append(turns[0], both[0]), append(turns[1], both[1])
	}
	with, without := medianTurn(turns[0]), medianTurn(turns[1])
	fmt.Fprintf(b.out, "%s: %.0f/s recorded, %.0f/s not: %.1f %% in the median of %d rounds (%.1f to %.1f); CPU of the server %s and %s each: %+.1f %%\n",
		door.name, with.rate, without.rate, 100*median(ratios), b.rounds, 100*slices.Min(ratios), 100*slices.Max(ratios),
		with.cpu.Round(100*time.Nanosecond), without.cpu.Round(100*time.Nanosecond), 100*(float64(with.cpu)/float64(max(without.cpu, 1))-1))
	return nil
}

func (b *perfBench) turn(ctx context.Context, s *perfSide, door perfDoor) (t turn, err error) {
	stop := make(chan struct{})
	timer := time.AfterFunc(b.length, func() { close(stop) })
	defer timer.Stop()
	began, cpu := time.Now(), cpuOf(s.server.cmd.Process.Pid)
	n := door.load(s, b.senders, stop)
	took, used := time.Since(began), cpuOf(s.server.cmd.Process.Pid)-cpu
	if ctx.Err() != nil {
		return t, ctx.Err()
	}
	if n == 0 {
		return t, fmt.Errorf("no %s was answered by the server with perf.enabled %s", door.name, s.name)
	}
	return turn{float64(n) / took.Seconds(), used / time.Duration(n)}, nil
}

// sendEvents sends events as their SDK does.
func (s *perfSide) sendEvents(senders int, stop chan struct{}) int {
	client := &fasthttp.HostClient{Addr: s.address, MaxConns: senders + 1}
	var wg sync.WaitGroup
	s.acked = nil
	for n := range senders {
		wg.Go(func() { s.send(client, n, stop) })
	}
	wg.Wait()
	return len(s.acked)
}

// readPages asks for the list of issues, signed in.
func (s *perfSide) readPages(senders int, stop chan struct{}) int {
	client := &fasthttp.HostClient{Addr: s.address, MaxConns: senders + 1}
	var wg sync.WaitGroup
	var answered atomic.Int64
	for range senders {
		wg.Go(func() {
			req, res := fasthttp.AcquireRequest(), fasthttp.AcquireResponse()
			req.SetRequestURI("http://" + s.address + "/issues")
			req.Header.Set("Cookie", s.cookie)
			for {
				select {
				case <-stop:
					return
				default:
				}
				if err := client.Do(req, res); err == nil && res.StatusCode() == fasthttp.StatusOK {
					answered.Add(1)
				}
			}
		})
	}
	wg.Wait()
	return int(answered.Load())
}

func median(list []float64) float64 {
	sorted := slices.Sorted(slices.Values(list))
	return sorted[len(sorted)/2]
}

func medianTurn(turns []turn) turn {
	var rates, cpus []float64
	for _, t := range turns {
		rates, cpus = append(rates, t.rate), append(cpus, float64(t.cpu))
	}
	return turn{median(rates), time.Duration(median(cpus))}
}

// cpuOf is the time that a process has had of the cores, in clock ticks of 10 ms (proc(5): stat, utime and stime); 0 where
// there is no /proc.
func cpuOf(pid int) time.Duration {
	text, err := os.ReadFile("/proc/" + strconv.Itoa(pid) + "/stat")
	if err != nil {
		return 0
	}
	fields := bytes.Fields(text[bytes.LastIndexByte(text, ')')+1:]) // a program's name may hold anything
	if len(fields) < 13 {
		return 0
	}
	user, _ := strconv.Atoi(string(fields[11]))
	system, _ := strconv.Atoi(string(fields[12]))
	return time.Duration(user+system) * 10 * time.Millisecond
}
