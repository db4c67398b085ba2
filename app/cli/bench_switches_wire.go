package cli

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/valyala/fasthttp"

	"kibitz/app/config"
	"kibitz/app/rollout"
)

// What the section of protocols measures with.
const (
	wireSwitches = 50
	wireSenders  = 8
	wireTime     = 5 * time.Second
	wireStreams  = 2000
)

// protocols measures how many questions a second a server in another process answers by OFREP, and how long a flip takes to reach
// every page that listens. Server and PostgreSQL share the cores with who asks.
func (b *switchBench) protocols(ctx context.Context) error {
	w := &wireBench{ingestBench: ingestBench{out: b.out, log: b.log}}
	return inBenchDir(&w.data, func() error { return w.run(ctx) })
}

type wireBench struct {
	ingestBench
	call  *call
	token string
}

func (w *wireBench) run(ctx context.Context) error {
	if err := w.chooseAddress(); err != nil {
		return err
	}
	server, err := w.start(ctx)
	if err != nil {
		return err
	}
	defer server.stop()
	cfg, err := config.Load("", nil, w.settings())
	if err != nil {
		return err
	}
	w.call = &call{out: io.Discard, err: w.log, config: cfg, log: newLogger(cfg, w.log)}
	if err := w.prepare(ctx); err != nil {
		return err
	}
	const context, base = `{"context":{"targetingKey":"user-4711","plan":"pro","country":"DE"}}`, "/ofrep/v1/evaluate/flags"
	for _, q := range []struct{ what, path, tag string }{{"one switch", base + "/bench-7", ""}, {"bulk of 50 switches", base, ""}, {"bulk that has not changed", base, "yes"}} {
		if err := w.ask(q.what, q.path, context, q.tag != ""); err != nil {
			return err
		}
	}
	return w.streams(ctx)
}

// prepare makes a token and fifty switches of 50 %.
func (w *wireBench) prepare(ctx context.Context) (err error) {
	err = withStore(ctx, w.call, func(p *Program) error {
		w.token, err = p.Accounts.AddSystemToken(ctx, "bench", []string{"switch:read"}, time.Hour)
		return err
	})
	for i := 0; i < wireSwitches && err == nil; i++ {
		var req switchRequest
		req.Env, req.Key = rollout.Production, fmt.Sprint("bench-", i)
		req.Switch.Key = req.Key
		var done rollout.Published
		if err = w.call.askSwitches(ctx, "add", req, &done); err == nil {
			err = w.set(ctx, req.Key, "50%")
		}
	}
	return err
}

func (w *wireBench) set(ctx context.Context, key, to string) error {
	var done rollout.Published
	return w.call.askSwitches(ctx, "set", switchRequest{Env: rollout.Production, Key: key, To: to}, &done)
}

// ask sends the same question over several connections for a while. With known it names the answer that it has.
func (w *wireBench) ask(what, path, body string, known bool) error {
	client := &fasthttp.HostClient{Addr: w.address, MaxConns: wireSenders + 1, ReadTimeout: 10 * time.Second}
	tag, status := "", fasthttp.StatusOK
	if known {
		first, res := w.question(path, body, ""), fasthttp.AcquireResponse()
		if err := client.Do(first, res); err != nil {
			return err
		}
		tag, status = string(res.Header.Peek("ETag")), fasthttp.StatusNotModified
	}
	var wg sync.WaitGroup
	var failed, bytes atomic.Int64
	times := make([][]time.Duration, wireSenders)
	end := time.Now().Add(wireTime)
	for n := range wireSenders {
		wg.Go(func() {
			req, res := w.question(path, body, tag), fasthttp.AcquireResponse()
			for began := time.Now(); began.Before(end); {
				if err := client.Do(req, res); err != nil || res.StatusCode() != status {
					failed.Add(1)
				}
				now := time.Now()
				times[n] = append(times[n], now.Sub(began))
				began = now
				bytes.Store(int64(len(res.Body())))
			}
		})
	}
	wg.Wait()
	all := slices.Concat(times...)
	fmt.Fprintf(w.out, "  %-28s %8.0f req/s, p50 %s, p99 %s, %d bytes, %d failed\n", what, float64(len(all))/wireTime.Seconds(), quantileOf(all, 0.5), quantileOf(all, 0.99), bytes.Load(), failed.Load())
	if failed.Load() > 0 {
		return fmt.Errorf("%d of %d questions failed", failed.Load(), len(all))
	}
	return nil
}

func (w *wireBench) question(path, body, tag string) *fasthttp.Request {
	req := fasthttp.AcquireRequest()
	req.Header.SetMethod("POST")
	req.SetRequestURI("http://" + w.address + path)
	req.Header.Set("Authorization", "Bearer "+w.token)
	req.Header.SetContentType("application/json")
	if tag != "" {
		req.Header.Set("If-None-Match", tag)
	}
	req.SetBodyString(body)
	return req
}

// quantileOf sorts and picks.
func quantileOf(list []time.Duration, q float64) time.Duration {
	if len(list) == 0 {
		return 0
	}
	slices.Sort(list)
	return list[min(int(q*float64(len(list))), len(list)-1)].Round(10 * time.Microsecond)
}

// streams opens many streams, flips a switch several times, and says when they were told.
func (w *wireBench) streams(ctx context.Context) error {
	path, err := w.streamPath()
	if err != nil {
		return err
	}
	told := make(chan time.Time, wireStreams)
	var conns []net.Conn
	defer func() {
		for _, c := range conns {
			c.Close()
		}
	}()
	ready := make(chan error, wireStreams)
	for range wireStreams {
		c, err := net.Dial("tcp", w.address)
		if err != nil {
			return fmt.Errorf("cannot open stream %d: %w", len(conns)+1, err)
		}
		conns = append(conns, c)
		go listenTo(c, path, ready, told)
	}
	for range conns {
		if err := <-ready; err != nil {
			return err
		}
	}
	const flips = 7
	var all, last []time.Duration
	for i := range flips {
		began := time.Now()
		if err := w.set(ctx, "bench-7", fmt.Sprintf("%d%%", 10+i)); err != nil {
			return err
		}
		var slowest time.Duration
		for range conns {
			select {
			case at := <-told:
				all = append(all, at.Sub(began))
				slowest = max(slowest, at.Sub(began))
			case <-time.After(10 * time.Second):
				return errors.New("not every stream was told of a flip within ten seconds")
			}
		}
		last = append(last, slowest)
	}
	fmt.Fprintf(w.out, "  %-28s from the command to p50 %s, p99 %s, the last of all after %s (median of %d flips; worst %s)\n", fmt.Sprint(wireStreams, " pages that listen"),
		quantileOf(all, 0.5), quantileOf(all, 0.99), quantileOf(last, 0.5), flips, quantileOf(last, 1))
	return nil
}

func (w *wireBench) streamPath() (string, error) {
	req, res := w.question("/ofrep/v1/evaluate/flags", "", ""), fasthttp.AcquireResponse()
	if err := (&fasthttp.HostClient{Addr: w.address}).Do(req, res); err != nil {
		return "", err
	}
	var bulk struct {
		EventStreams []struct{ Endpoint struct{ RequestURI string } }
	}
	if err := json.Unmarshal(res.Body(), &bulk); err != nil || len(bulk.EventStreams) == 0 {
		return "", fmt.Errorf("the bulk names no stream: %s", res.Body())
	}
	return bulk.EventStreams[0].Endpoint.RequestURI, nil
}

// listenTo tells when a stream is open, and then the moment of each event.
func listenTo(c net.Conn, path string, ready chan<- error, told chan<- time.Time) {

	if _, err := fmt.Fprintf(c, "GET %s HTTP/1.1\r\nHost: bench\r\n\r\n", path); err != nil {
		ready <- err
		return
	}
	lines := bufio.NewScanner(bufio.NewReaderSize(c, 512))
	open := false
	for lines.Scan() {
		switch line := lines.Text(); {
		case !open && strings.HasPrefix(line, "HTTP/1.1 ") && !strings.HasPrefix(line, "HTTP/1.1 200"):
			ready <- fmt.Errorf("a stream answers %s", line)
			return
		case line == ": listening":
			open = true
			ready <- nil
		case open && strings.HasPrefix(line, "data: "):
			told <- time.Now()
		}
	}
	if !open {
		ready <- errors.New("a stream ended before it began")
	}
}
