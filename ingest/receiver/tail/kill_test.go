package tail

import (
	"context"
	"io"
	"log/slog"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/klauspost/compress/zstd"

	"kibitz/app/model"
	"kibitz/ingest"
	"kibitz/ingest/pglog"
	"kibitz/ingest/sqltext"
)

// childDir is set in the process that is killed.
const childDir = "KIBITZ_TEST_TAIL"

func TestMain(m *testing.M) {
	if dir := os.Getenv(childDir); dir != "" {
		follow(dir)
	}
	os.Exit(m.Run())
}

func quiet() *slog.Logger { return slog.New(slog.NewTextHandler(io.Discard, nil)) }

func openSpool(dir string) (*ingest.Spool, error) {
	return ingest.OpenSpool(ingest.SpoolOptions{Dir: filepath.Join(dir, "spool"), SegmentSize: 1 << 20, MaxSize: 1 << 30, Log: quiet()})
}

// follow reads the logs of a directory into its spool until it is killed.
func follow(dir string) {
	spool, err := openSpool(dir)
	if err != nil {
		panic(err)
	}
	ids := model.NewIDs(1)
	p := ingest.NewPipeline(ingest.PipelineOptions{Spool: spool, Outcomes: ingest.NewOutcomes(spool, ids, quiet()), IDs: ids, Limits: ingest.DefaultLimits(), Log: quiet()})
	t, err := Open(Options{Globs: []string{filepath.Join(dir, "*.log")}, Log: pglog.Options{Normalizer: sqltext.NewNormalizer(1 << 20)}, State: filepath.Join(dir, "state"),
		Source: "s", Project: 7, Accept: p.AcceptPortion, Logger: quiet(), Poll: time.Millisecond})
	if err != nil {
		panic(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	go func() {
		_, _ = io.Copy(io.Discard, os.Stdin) // its end is the end
		cancel()
	}()
	t.Run(ctx)
	if err := spool.Close(); err != nil {
		panic(err)
	}
	os.Exit(0)
}

// child begins a process that follows; to close stdin stops it.
func (b *bench) child() (*exec.Cmd, io.Closer) {
	b.t.Helper()
	child := exec.Command(os.Args[0])
	child.Env = append(os.Environ(), childDir+"="+b.dir)
	in, err := child.StdinPipe()
	if err == nil {
		err = child.Start()
	}
	if err != nil {
		b.t.Fatal(err)
	}
	return child, in
}

// eventually waits for a condition.
func eventually(t *testing.T, what string, is func() bool) {
	t.Helper()
	for end := time.Now().Add(60 * time.Second); !is(); time.Sleep(time.Millisecond) {
		if time.Now().After(end) {
			t.Fatal(what)
		}
	}
}

// read tells whether the state says that the newest log has been read to its end.
func (b *bench) read() bool {
	s, _, err := loadState(b.name("state"))
	info, serr := os.Stat(b.name("pg.log"))
	return err == nil && serr == nil && slices.ContainsFunc(s.Next, func(p place) bool { return p.identity == identityOf(info) && p.Offset == info.Size() })
}

// TestKill: a process that is killed again and again, while its log grows and is renamed, counts each call once.
func TestKill(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	const rounds, each = 8, 300
	written := 0
	for round := range rounds {
		child, _ := b.child()
		eventually(t, "the process does not begin", func() bool { _, err := os.Stat(b.name("state")); return err == nil })
		for n := range each / 10 {
			b.write("pg.log", stderrLines(written, 10))
			written += 10
			if n == each/20 && round%4 == 3 {
				if err := os.Rename(b.name("pg.log"), b.name("pg.log."+string(rune('a'+round)))); err != nil {
					t.Fatal(err)
				}
			}
			time.Sleep(time.Duration(rand.IntN(60)) * time.Millisecond) // the kill shall meet it at any point
		}
		if err := child.Process.Kill(); err != nil {
			t.Fatal(err)
		}
		_ = child.Wait() // it was killed
	}
	child, in := b.child()
	eventually(t, "the log is not read to its end", b.read)
	in.Close()
	if err := child.Wait(); err != nil {
		t.Fatal(err)
	}
	drain(t, b)
	if got := b.sink.total(); got != int64(written) {
		t.Errorf("%d calls are counted of %d; lost %v", got, written, b.sink.lost)
	}
	t.Logf("%d calls, %d portions that came twice", written, b.sink.repeated)
}

// drain gives the sink what is in the spool, as the drain does.
func drain(t *testing.T, b *bench) {
	t.Helper()
	b.sink = newSink()
	spool, err := openSpool(b.dir)
	if err != nil {
		t.Fatal(err)
	}
	defer spool.Close()
	d, err := zstd.NewReader(nil)
	if err != nil {
		t.Fatal(err)
	}
	var at ingest.Position
	for {
		records, to, err := spool.Read(at)
		if err != nil {
			t.Fatal(err)
		}
		for i := range records {
			u, err := records[i].Unpack(d)
			if err != nil {
				t.Fatal(err)
			}
			if err := b.sink.accept(t.Context(), ingest.Source{}, u.Portion); err != nil {
				t.Fatal(err)
			}
		}
		if len(records) == 0 && to == at {
			break
		}
		at = to
	}
}
