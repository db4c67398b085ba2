package cli

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	mathrand "math/rand/v2"
	"net"
	"net/url"
	"os"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/klauspost/compress/gzip"
	"github.com/valyala/fasthttp"

	"kibitz/app/config"
	"kibitz/app/store"
	"kibitz/ingest/envelope"
)

// bench is `kibitz bench`.
func bench(ctx context.Context, c *call) error {
	if len(c.args) > 0 && c.args[0] == "rehearsal" {
		return benchRehearsal(ctx, c)
	}
	if len(c.args) > 0 && c.args[0] == "requests" {
		return benchRequests(ctx, c)
	}
	if len(c.args) > 0 && c.args[0] == "perf" {
		return benchPerf(ctx, c)
	}
	if len(c.args) > 0 && c.args[0] == "guard" {
		return benchGuard(ctx, c)
	}
	if len(c.args) > 0 && c.args[0] == "switches" {
		return benchSwitches(ctx, c)
	}
	if len(c.args) == 0 || c.args[0] != "ingest" {
		return c.wrong("say `kibitz bench ingest [--for 15s] [--senders 32] [--kill]`, `kibitz bench rehearsal [--events 200000]`, `kibitz bench requests [--for 15s]`, `kibitz bench guard [--runs 1000]`, " +
			"`kibitz bench perf [--rounds 20] [--for 2s] [--senders 8] [--only events|pages]` or `kibitz bench switches [--rounds 5] [--only SECTION]`")
	}
	f := c.flags("bench ingest")
	b := &ingestBench{out: c.out, log: c.err}
	f.DurationVar(&b.length, "for", 15*time.Second, "how long to send")
	f.IntVar(&b.senders, "senders", 32, "connections that send at once")
	f.BoolVar(&b.kill, "kill", false, "kill the server in the middle, start it again, and look for every acknowledged event")
	f.StringVar(&b.data, "data", "", "directory for the server's data; a temporary one when empty")
	if err := f.Parse(c.args[1:]); err != nil || f.NArg() > 0 {
		return errUsage
	}
	return b.run(ctx)
}

// ingestBench sends 12 KB Python events, compressed as their SDK does, to a server in another process, and counts what is
// acknowledged and what is stored.
type ingestBench struct {
	out, log io.Writer
	length   time.Duration
	senders  int
	kill     bool
	data     string
	extra    []string // settings

	target  string
	auth    string
	address string
	project int64
	mu      sync.Mutex
	acked   [][16]byte
	took    []time.Duration
	failed  atomic.Int64
	bytes   atomic.Int64
}

func (b *ingestBench) run(ctx context.Context) error {
	return inBenchDir(&b.data, func() error { return b.bench(ctx) })
}

func (b *ingestBench) bench(ctx context.Context) error {
	if err := b.chooseAddress(); err != nil {
		return err
	}
	server, err := b.start(ctx)
	if err != nil {
		return err
	}
	fmt.Fprintf(b.out, "disk: %s\n", b.measureDisk())
	began := time.Now()
	if server, err = b.load(ctx, server); err != nil {
		return err
	}
	sent := time.Since(began)
	defer server.stop()
	return b.report(ctx, began, sent)
}

func (b *ingestBench) settings() []string {
	return append([]string{"KIBITZ_LISTEN=" + b.address, "KIBITZ_DATA=" + b.data, "KIBITZ_LOG_LEVEL=warn", "KIBITZ_NODE=bench", "KIBITZ_PUBLIC_URL="},
		b.extra...)
}

func (b *ingestBench) chooseAddress() error {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	b.address = ln.Addr().String()
	return ln.Close()
}

func (b *ingestBench) start(ctx context.Context) (*child, error) {
	server, err := startChild(ctx, b.log, b.settings()...)
	if err != nil {
		return nil, err
	}
	u, err := url.Parse(server.dsn)
	if err != nil {
		return nil, fmt.Errorf("cannot read the server's DSN: %w", err)
	}
	id := strings.Trim(u.Path, "/")
	b.auth = "Sentry sentry_version=7, sentry_client=kibitz.bench/1, sentry_key=" + u.User.Username()
	b.target = "http://" + b.address + "/api/" + id + "/envelope/"
	b.project, err = strconv.ParseInt(id, 10, 64)
	return server, err
}

// load sends for the length asked for; with --kill the server dies in the middle and is started again.
func (b *ingestBench) load(ctx context.Context, server *child) (*child, error) {
	stop := make(chan struct{})
	var wg sync.WaitGroup
	client := &fasthttp.HostClient{Addr: b.address, MaxConns: b.senders + 1, ReadTimeout: 10 * time.Second, MaxIdemponentCallAttempts: 1}
	for n := range b.senders {
		wg.Go(func() { b.send(client, n, stop) })
	}
	wait := func(d time.Duration) {
		select {
		case <-ctx.Done():
		case <-time.After(d):
		}
	}
	var err error
	if b.kill {
		wait(b.length / 2)
		fmt.Fprintln(b.out, "SIGKILL")
		if err = server.kill(); err == nil {
			server, err = b.start(ctx)
		}
		wait(b.length / 2)
	} else {
		wait(b.length)
	}
	close(stop)
	wg.Wait()
	return server, err
}

// eventMark stands in the prepared events where the id belongs.
const eventMark = "00000000000000000000000000000000"

// send is one connection. Events are prepared, since this process shares the cores; each gets an id of its own and is
// compressed, as the SDK would.
func (b *ingestBench) send(client *fasthttp.HostClient, n int, stop chan struct{}) {
	r := mathrand.New(mathrand.NewPCG(uint64(n), 1))
	var prepared []string
	for i := range 2 * envelope.Faults {
		event := envelope.SampleEvent(r, i, eventMark, time.Now())
		prepared = append(prepared, fmt.Sprintf("{\"event_id\":\"%s\"}\n{\"type\":\"event\",\"length\":%d}\n%s\n", eventMark, len(event), event))
	}
	req, res := fasthttp.AcquireRequest(), fasthttp.AcquireResponse()
	req.Header.SetMethod("POST")
	req.SetRequestURI(b.target)
	req.Header.Set("X-Sentry-Auth", b.auth)
	req.Header.Set("Content-Encoding", "gzip")
	z, err := gzip.NewWriterLevel(nil, gzip.BestSpeed)
	if err != nil {
		return
	}
	for i := 0; ; i++ {
		select {
		case <-stop:
			return
		default:
		}
		var id [16]byte
		rand.Read(id[:])
		text := strings.ReplaceAll(prepared[i%len(prepared)], eventMark, hex.EncodeToString(id[:]))
		b.bytes.Add(int64(len(text)))
		req.ResetBody()
		z.Reset(req.BodyWriter())
		io.WriteString(z, text)
		z.Close()
		began := time.Now()
		if err := client.Do(req, res); err != nil || res.StatusCode() != fasthttp.StatusOK {
			b.failed.Add(1)
			time.Sleep(10 * time.Millisecond)
			continue
		}
		b.mu.Lock()
		b.acked, b.took = append(b.acked, id), append(b.took, time.Since(began))
		b.mu.Unlock()
	}
}

// report waits until everything acknowledged has been drained, and prints the figures.
func (b *ingestBench) report(ctx context.Context, began time.Time, sent time.Duration) error {
	n := len(b.acked)
	if n == 0 {
		return errors.New("no event was acknowledged")
	}
	slices.Sort(b.took)
	at := func(q float64) time.Duration { return b.took[min(int(q*float64(n)), n-1)].Round(10 * time.Microsecond) }
	fmt.Fprintf(b.out, "acknowledged: %d events of %d bytes in %s = %.0f/s, p50 %s, p99 %s, refused or cut %d\n", n, b.bytes.Load()/int64(max(n, 1)),
		sent.Round(time.Millisecond), float64(n)/sent.Seconds(), at(0.5), at(0.99), b.failed.Load())
	found, twice, err := b.count(ctx)
	if err != nil {
		return err
	}
	all := time.Since(began)
	fmt.Fprintf(b.out, "drained: %d in %s = %.0f/s\n", found, all.Round(time.Millisecond), float64(found)/all.Seconds())
	fmt.Fprintf(b.out, "acknowledged ids found exactly once: %d of %d (missing %d, twice %d)\n", found-twice, n, n-found, twice)
	if found != n || twice != 0 {
		return errors.New("acknowledged events were lost or counted twice")
	}
	return nil
}

// count looks for the acknowledged ids beside the running server until no more of them come.
func (b *ingestBench) count(ctx context.Context) (found, twice int, err error) {
	cfg, err := config.Load("", nil, b.settings())
	if err != nil {
		return 0, 0, err
	}
	c := &call{out: io.Discard, err: b.log, config: cfg, log: newLogger(cfg, b.log)}
	err = withStore(ctx, c, func(p *Program) error {
		last, still := -1, 0
		for still < 20 && ctx.Err() == nil {
			if found, twice, err = copies(ctx, p.Store, b.project, b.acked); err != nil || found == len(b.acked) {
				return err
			}
			if still++; found != last {
				last, still = found, 0
			}
			select {
			case <-ctx.Done():
			case <-time.After(250 * time.Millisecond):
			}
		}
		return ctx.Err()
	})
	return found, twice, err
}

func copies(ctx context.Context, s *store.Store, project int64, ids [][16]byte) (found, twice int, err error) {
	for part := range slices.Chunk(ids, 20_000) {
		f, t, err := s.EventCopies(ctx, project, part)
		if err != nil {
			return 0, 0, err
		}
		found, twice = found+f, twice+t
	}
	return found, twice, nil
}

// measureDisk is the physical limit beside which the figures stand: how often this disk can make 128 KiB durable.
func (b *ingestBench) measureDisk() string {
	f, err := os.CreateTemp(b.data, "sync")
	if err != nil {
		return "unknown"
	}
	defer os.Remove(f.Name())
	defer f.Close()
	block := make([]byte, 128<<10)
	n, began := 0, time.Now()
	for ; time.Since(began) < time.Second; n++ {
		if _, err := f.Write(block); err != nil || f.Sync() != nil {
			return "unknown"
		}
	}
	return fmt.Sprintf("%d synced writes of 128 KiB a second", n)
}
