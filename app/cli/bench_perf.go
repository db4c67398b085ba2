package cli

import (
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
	"time"

	"github.com/valyala/fasthttp"
)

// perfBench compares a server that records its own requests with one that does not: the same load on both by turns, a few
// seconds each, so that whatever else the machine does meets both. Each is first in every other round.
type perfBench struct {
	out, log io.Writer
	rounds   int
	length   time.Duration
	senders  int
	data     string
	only     string
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
	f.IntVar(&b.rounds, "rounds", 20, "how often both servers have their turn")
	f.DurationVar(&b.length, "for", 2*time.Second, "how long a turn is")
	f.IntVar(&b.senders, "senders", 8, "connections that ask at once")
	f.StringVar(&b.only, "only", "", "events or pages; both when empty")
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
	for _, door := range []perfDoor{{"events", "events of 13 KB", (*perfSide).sendEvents}, {"pages", "page /issues", (*perfSide).readPages}} {
		if b.only != "" && b.only != door.key {
			continue
		}
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
		"KIBITZ_PERF_ENABLED=" + name, "KIBITZ_METRICS_OPEN=true", "KIBITZ_ADMIN_EMAIL=" + benchEmail, "KIBITZ_ADMIN_PASSWORD=" + benchPassword}}}
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

// perfDoor is a kind of request, and what sends them until stop is closed and tells how long each of those that were answered
// took.
type perfDoor struct {
	key, name string
	load      func(s *perfSide, senders int, stop chan struct{}) []time.Duration
}

// sendEvents sends events as their SDK does.
func (s *perfSide) sendEvents(senders int, stop chan struct{}) []time.Duration {
	client := &fasthttp.HostClient{Addr: s.address, MaxConns: senders + 1}
	var wg sync.WaitGroup
	s.acked, s.took = nil, nil
	for n := range senders {
		wg.Go(func() { s.send(client, n, stop) })
	}
	wg.Wait()
	return s.took
}

// readPages asks for the list of issues, signed in.
func (s *perfSide) readPages(senders int, stop chan struct{}) []time.Duration {
	client := &fasthttp.HostClient{Addr: s.address, MaxConns: senders + 1}
	var wg sync.WaitGroup
	took := make([][]time.Duration, senders)
	for n := range senders {
		wg.Go(func() { took[n] = s.readPage(client, stop) })
	}
	wg.Wait()
	return slices.Concat(took...)
}

func (s *perfSide) readPage(client *fasthttp.HostClient, stop chan struct{}) (took []time.Duration) {
	req, res := fasthttp.AcquireRequest(), fasthttp.AcquireResponse()
	req.SetRequestURI("http://" + s.address + "/issues")
	req.Header.Set("Cookie", s.cookie)
	for {
		select {
		case <-stop:
			return took
		default:
		}
		began := time.Now()
		if err := client.Do(req, res); err == nil && res.StatusCode() == fasthttp.StatusOK {
			took = append(took, time.Since(began))
		}
	}
}
