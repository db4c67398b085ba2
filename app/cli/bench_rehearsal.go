package cli

import (
	"bytes"
	"context"
	"encoding/binary"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"path/filepath"
	"runtime/debug"
	"runtime/metrics"
	"sync/atomic"
	"syscall"
	"time"

	"kibitz/app/config"
	"kibitz/app/db"
	"kibitz/app/issues"
	"kibitz/app/model"
	"kibitz/app/store"
	"kibitz/grouping"
	"kibitz/ingest"
	"kibitz/ingest/envelope"

	"github.com/klauspost/compress/zstd"
)

// rehearsalBench stores events of a few thousand issues and rehearses rules on them.
type rehearsalBench struct {
	out, log io.Writer
	events   int
	data     string

	program *Program
	project int64
}

func benchRehearsal(ctx context.Context, c *call) error {
	f := c.flags("bench rehearsal")
	b := &rehearsalBench{out: c.out, log: c.err}
	f.IntVar(&b.events, "events", 200_000, "how many events to store and rehearse on")
	f.StringVar(&b.data, "data", "", "directory for the data; a temporary one when empty")
	if err := f.Parse(c.args[1:]); err != nil || f.NArg() > 0 || b.events < 1 {
		return errUsage
	}
	return inBenchDir(&b.data, func() error { return b.run(ctx) })
}

// inBenchDir runs fn with a directory for data, a temporary one when none is named.
func inBenchDir(dir *string, fn func() error) error {
	if *dir != "" {
		return fn()
	}
	temp, err := os.MkdirTemp("", "kibitz-bench-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(temp)
	if err := os.Chmod(temp, 0o755); err != nil { // PostgreSQL may run as another user
		return err
	}
	*dir = filepath.Join(temp, "data")
	return fn()
}

func (b *rehearsalBench) run(ctx context.Context) error {
	cfg, err := config.Load("", nil, []string{"KIBITZ_DATA=" + b.data, "KIBITZ_LOG_LEVEL=warn", "KIBITZ_NODE=bench"})
	if err != nil {
		return err
	}
	c := &call{out: io.Discard, err: b.log, config: cfg, log: newLogger(cfg, b.log)}
	return withStore(ctx, c, func(p *Program) error {
		b.program = p
		project, _, err := p.Projects.Ensure(ctx, "bench", "python")
		if err != nil {
			return err
		}
		b.project = project.ID
		if err := b.fill(db.With(ctx, db.Jobs)); err != nil {
			return err
		}
		return b.measure(db.With(ctx, db.Jobs))
	})
}

// Variety of the events: each of the sample's failures in 200 programs of its own is an issue, and each of those has a
// few bodies.
const (
	benchPrograms = 200
	benchBodies   = 3
)

// fill stores the events through the digest, so that issues, hashes and counters are those of a real project.
func (b *rehearsalBench) fill(ctx context.Context) error {
	digester, err := issues.NewDigester(b.program.Store, b.program.Groupings, nil, b.program.Hub, b.program.log)
	if err != nil {
		return err
	}
	bodies, size, err := benchEvents()
	if err != nil {
		return err
	}
	began, at := time.Now(), ingest.Position{}
	for n := 0; n < b.events; {
		var records []ingest.Record
		for ; len(records) < 1000 && n < b.events; n++ {
			r := ingest.Record{ID: b.program.IDs.Next(), Project: b.project, Kind: ingest.KindEvent, Received: time.Now().UTC(), Payload: bodies[n*7919%len(bodies)]}
			binary.BigEndian.PutUint64(r.EventID[8:], uint64(r.ID))
			records = append(records, r)
		}
		to := ingest.Position{Segment: 1, Offset: at.Offset + 1}
		if err := digester.Write(ctx, ingest.Batch{Node: "bench", From: at, To: to, Records: records}); err != nil {
			return err
		}
		at = to
	}
	fmt.Fprintf(b.out, "stored: %d events of %d bytes, %d compressed, in %s\n", b.events, size, meanSize(bodies), time.Since(began).Round(time.Second))
	return nil
}

func meanSize(bodies [][]byte) int {
	sum := 0
	for _, body := range bodies {
		sum += len(body)
	}
	return sum / len(bodies)
}

// benchEvents are compressed events of many programs, and their mean size before.
func benchEvents() (bodies [][]byte, size int, err error) {
	z, err := zstd.NewWriter(nil, zstd.WithEncoderLevel(zstd.SpeedFastest), zstd.WithEncoderConcurrency(1))
	if err != nil {
		return nil, 0, err
	}
	defer z.Close()
	r := rand.New(rand.NewPCG(1, 1))
	for i := range benchPrograms * benchBodies {
		for fault := range envelope.Faults {
			event := envelope.SampleEvent(r, fault, "00000000000000000000000000000000", time.Now())
			event = bytes.ReplaceAll(event, []byte("shop.web.dispatch"), fmt.Appendf(nil, "shop.web.dispatch_%d", i%benchPrograms))
			size += len(event)
			bodies = append(bodies, z.EncodeAll(event, nil))
		}
	}
	return bodies, size / len(bodies), nil
}

// benchDraft merges the issues of one failure, splits those of another by its transaction, and leaves the others alone.
func benchDraft() model.Grouping {
	return model.Grouping{Config: string(grouping.Current),
		StackRules:       "stack.module:shop.web.dispatch_1* -group\nfamily:other stack.abs_path:**/shop/web/** +app\nstack.function:handle -app\n",
		FingerprintRules: "error.type:PricingError -> pricing, {{ transaction }}\nerror.type:ReadTimeout tags.region:nz -> {{ default }}, nz\nmessage:\"*nothing like this*\" -> nothing\n"}
}

// measure prints what the rehearsal does a second, beside the same bodies only being read.
func (b *rehearsalBench) measure(ctx context.Context) error {
	span := store.SpanOf(b.project, time.Now().Add(-time.Hour), time.Now().Add(time.Minute))
	began, n, bytes := time.Now(), 0, 0
	for before := -1; n > before; {
		before = n
		var err error
		span, err = b.program.Store.ReadEvents(ctx, span, 256, func(e store.RawEvent) bool {
			n, bytes = n+1, bytes+len(e.Body)
			return true
		})
		if err != nil {
			return err
		}
	}
	took := time.Since(began)
	fmt.Fprintf(b.out, "only read: %d events, %.0f/s, %.0f MB/s\n", n, float64(n)/took.Seconds(), float64(bytes)/took.Seconds()/1e6)
	debug.FreeOSMemory() // what storing took
	began = time.Now()
	peak, before := watchMemory(), cpuTime()
	job, err := b.rehearse(ctx)
	if err != nil {
		return err
	}
	took, most := time.Since(began), peak()
	used := cpuTime() - before
	fmt.Fprintf(b.out, "rehearsed: %d events in %s = %.0f/s, %s of a core an event, memory at most %d MB\n", job.Result.Events, took.Round(time.Millisecond),
		float64(job.Result.Events)/took.Seconds(), (used / time.Duration(max(job.Result.Events, 1))).Round(100*time.Nanosecond), most>>20)
	fmt.Fprintf(b.out, "found: %d issues would be %d; %d split, %d merge, %d events move\n", job.Result.IssuesBefore, job.Result.IssuesAfter,
		job.Result.SplitCount, job.Result.MergeCount, job.Result.Moved)
	return nil
}

func (b *rehearsalBench) rehearse(ctx context.Context) (job model.Rehearsal, err error) {
	ctx, stop := context.WithCancel(ctx)
	defer stop()
	go b.program.Rehearsals.Run(ctx)
	if job, err = b.program.Rehearsals.Start(ctx, b.project, 0, benchDraft(), time.Now().Add(-time.Hour)); err != nil {
		return job, plain(err)
	}
	for job.State == model.JobQueued || job.State == model.JobRunning {
		select {
		case <-ctx.Done():
			return job, ctx.Err()
		case <-time.After(50 * time.Millisecond):
		}
		if job, err = b.program.Rehearsals.Get(ctx, job.ID); err != nil {
			return job, err
		}
	}
	if job.State != model.JobDone {
		return job, fmt.Errorf("cannot rehearse: it ended as %s: %s", job.State, job.Error)
	}
	return job, nil
}

// watchMemory looks every 20 ms at what this process has mapped and not given back; the answer is the most.
func watchMemory() (most func() uint64) {
	var peak atomic.Uint64
	done := make(chan struct{})
	go func() {
		sample := []metrics.Sample{{Name: "/memory/classes/total:bytes"}, {Name: "/memory/classes/heap/released:bytes"}}
		for {
			metrics.Read(sample)
			peak.Store(max(peak.Load(), sample[0].Value.Uint64()-sample[1].Value.Uint64()))
			select {
			case <-done:
				return
			case <-time.After(20 * time.Millisecond):
			}
		}
	}()
	return func() uint64 { close(done); return peak.Load() }
}

// cpuTime is what this process has used of the cores, without PostgreSQL: it says more than the clock on a busy machine.
func cpuTime() time.Duration {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		return 0
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}
