package tail

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"kibitz/ingest"
	"kibitz/ingest/pglog"
	"kibitz/ingest/sqltext"
)

// sink takes portions as the drain does: one that has come before is left out.
type sink struct {
	mu       sync.Mutex
	seq      int64
	calls    map[string]int64 // by statement
	lines    int
	lost     map[string]int64
	repeated int
	refuse   bool
}

func newSink() *sink { return &sink{calls: map[string]int64{}, lost: map[string]int64{}} }

func (s *sink) accept(_ context.Context, from ingest.Source, p pglog.Portion) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.refuse {
		return io.ErrShortWrite
	}
	if p.Seq <= s.seq {
		s.repeated++
		return nil
	}
	s.seq = p.Seq
	texts := map[uint64]string{}
	for _, t := range p.Texts {
		texts[t.Fingerprint] = t.SQL
	}
	for _, sum := range p.Sums {
		s.calls[texts[sum.Fingerprint]] += sum.Calls
	}
	for _, l := range p.Lost {
		s.lost[l.Reason] += l.N
	}
	s.lines += len(p.Lines)
	return nil
}

func (s *sink) total() (n int64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, calls := range s.calls {
		n += calls
	}
	return n
}

// bench is a directory with logs, and a tail that follows them.
type bench struct {
	t    *testing.T
	dir  string
	sink *sink
	stop func()
}

func newBench(t *testing.T) *bench {
	t.Helper()
	return &bench{t: t, dir: t.TempDir(), sink: newSink()}
}

// follow begins to follow; with nothing there yet the first file is new.
func (b *bench) follow(globs ...string) {
	b.t.Helper()
	if len(globs) == 0 {
		globs = []string{"*.log", "*.csv", "*.json"}
	}
	for i := range globs {
		globs[i] = filepath.Join(b.dir, globs[i])
	}
	log := slog.New(slog.NewTextHandler(io.Discard, nil))
	tl, err := Open(Options{Globs: globs, Log: pglog.Options{Normalizer: sqltext.NewNormalizer(1 << 20)}, State: filepath.Join(b.dir, "state"), Source: "s", Project: 7,
		Accept: b.sink.accept, Logger: log, Poll: 5 * time.Millisecond})
	if err != nil {
		b.t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan struct{})
	go func() {
		defer close(done)
		tl.Run(ctx)
	}()
	b.stop = func() { cancel(); <-done }
	b.t.Cleanup(b.stop)
}

func (b *bench) name(file string) string { return filepath.Join(b.dir, file) }

// write adds to a file.
func (b *bench) write(file, text string) {
	b.t.Helper()
	f, err := os.OpenFile(b.name(file), os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o600)
	if err != nil {
		b.t.Fatal(err)
	}
	defer f.Close()
	if _, err := f.WriteString(text); err != nil {
		b.t.Fatal(err)
	}
}

// until waits for a count of calls, and then for what might come too much.
func (b *bench) until(want int64) {
	b.t.Helper()
	for end := time.Now().Add(20 * time.Second); b.sink.total() < want; time.Sleep(5 * time.Millisecond) {
		if time.Now().After(end) {
			b.t.Fatalf("%d of %d calls have come; lost %v", b.sink.total(), want, b.sink.lost)
		}
	}
	if got := b.sink.total(); got != want {
		b.t.Fatalf("%d calls have come, not %d", got, want)
	}
}

func at(n int) string {
	return time.Date(2026, 11, 25, 10, 0, 0, 0, time.UTC).Add(time.Duration(n) * 10 * time.Millisecond).Format("2006-01-02 15:04:05.000")
}

func stderrLines(from, n int) string {
	var b strings.Builder
	for i := from; i < from+n; i++ {
		fmt.Fprintf(&b, "%s UTC [%d] joe@shop LOG:  duration: %d.5 ms  statement: SELECT a%d\n\tFROM t WHERE id = %d\n", at(i), 100+i%7, i%90, i%5, i)
	}
	return b.String()
}

func jsonLines(from, n int) string {
	var b strings.Builder
	for i := from; i < from+n; i++ {
		fmt.Fprintf(&b, `{"timestamp":"%s UTC","pid":%d,"error_severity":"LOG","message":"duration: %d.5 ms  statement: SELECT a%d FROM t WHERE id = %d"}`+"\n", at(i), 100+i%7, i%90, i%5, i)
	}
	return b.String()
}

func csvLines(from, n int) string {
	var b strings.Builder
	for i := from; i < from+n; i++ {
		fmt.Fprintf(&b, "%s UTC,\"joe\",\"shop\",%d,\"[local]\",65.1,%d,\"SELECT\",2026-11-25 09:00:00 UTC,3/4,0,LOG,00000,\"duration: %d.5 ms  statement: SELECT a%d\nFROM t WHERE id = %d\",,,,,,,,,\"psql\",\"client backend\",,0\n",
			at(i), 100+i%7, i, i%90, i%5, i)
	}
	return b.String()
}

// TestFormats: a file is followed from its beginning when it is new, in each format, whatever pieces it grows by.
func TestFormats(t *testing.T) {
	t.Parallel()
	for name, lines := range map[string]func(int, int) string{"pg.log": stderrLines, "pg.json": jsonLines, "pg.csv": csvLines} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := newBench(t)
			b.follow()
			text := lines(0, 200)
			for cut := 0; len(text) > 0; cut++ {
				n := min(len(text), 1000+cut*377%900)
				if name == "pg.log" { // as PostgreSQL writes: an entry at once
					n = strings.Index(text[n-1:], "\n2026") + n
					if n < 1 || n > len(text) || !strings.Contains(text, "\n2026") || strings.Index(text[min(n, len(text))-1:], "\n") != 0 {
						n = len(text)
					}
				}
				b.write(name, text[:n])
				text = text[n:]
			}
			b.until(200)
			if len(b.sink.calls) != 5 || b.sink.calls["select a3 from t where id = ?"] != 40 || len(b.sink.lost) > 0 {
				t.Errorf("%v, lost %v", b.sink.calls, b.sink.lost)
			}
		})
	}
}

// TestPast: what was written before the very first start is not counted, what comes behind it is.
func TestPast(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	b.write("pg.json", jsonLines(0, 50))
	b.follow()
	b.write("pg.json", jsonLines(50, 20))
	b.until(20)
}

// TestRestart: a stop and a start lose nothing and repeat nothing, whatever was written and renamed in between.
func TestRestart(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	b.follow()
	b.write("pg.log", stderrLines(0, 30))
	b.until(30)
	b.write("pg.log", stderrLines(30, 30)) // perhaps not taken when it stops
	b.stop()
	b.write("pg.log", stderrLines(60, 30))
	if err := os.Rename(b.name("pg.log"), b.name("pg.log.1")); err != nil {
		t.Fatal(err)
	}
	b.write("pg.log", stderrLines(90, 10))
	b.follow()
	b.until(100)
	if b.sink.repeated > 0 {
		t.Errorf("%d portions were read again after a clean stop", b.sink.repeated)
	}
}

// TestRotation: renamed, cut to nothing, and deleted.
func TestRotation(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	b.follow()
	b.write("pg.log", stderrLines(0, 30))
	b.until(30)
	if err := os.Rename(b.name("pg.log"), b.name("pg.log.1")); err != nil {
		t.Fatal(err)
	}
	b.write("pg.log.1", stderrLines(30, 10)) // its writer has not noticed yet
	b.write("pg.log", stderrLines(40, 10))
	b.until(50)
	if err := os.Truncate(b.name("pg.log"), 0); err != nil {
		t.Fatal(err)
	}
	b.write("pg.log", stderrLines(50, 50)) // longer than before: told by its head
	b.until(100)
	if err := os.Remove(b.name("pg.log")); err != nil {
		t.Fatal(err)
	}
	b.write("pg.log", stderrLines(100, 5))
	b.until(105)
}

// TestSides: of the forms that a server writes side by side the best alone is read.
func TestSides(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	b.write("a.csv", "")
	b.write("a.json", "")
	b.follow()
	b.write("a.csv", csvLines(0, 10))
	b.write("a.log", stderrLines(0, 10))
	b.write("a.json", jsonLines(0, 10))
	b.write("b.csv", csvLines(0, 5))
	b.until(15)
}

// TestPrefix: a prefix that the first lines did not tell is found when others come.
func TestPrefix(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	b.follow()
	b.write("pg.log", at(0)+" UTC [1] LOG:  database system is ready to accept connections\n"+at(0)+" UTC [9] LOG:  duration: 1.0 ms  statement: SELECT 1\n")
	b.until(1)
	b.write("pg.log", stderrLines(0, 40))
	for end := time.Now().Add(20 * time.Second); ; time.Sleep(5 * time.Millisecond) {
		b.sink.mu.Lock()
		lost := b.sink.lost["pglog_unclaimed"]
		b.sink.mu.Unlock()
		if lost > 0 || b.sink.total() == 41 {
			break
		}
		if time.Now().After(end) {
			t.Fatal("nothing was read, and nothing counted as lost")
		}
	}
	before := b.sink.total()
	b.write("pg.log", stderrLines(40, 40))
	b.until(before + 40)
}

// TestFull: while the spool takes nothing, lines wait in their file.
func TestFull(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	b.sink.refuse = true
	b.follow()
	b.write("pg.json", jsonLines(0, 10))
	b.stop()
	b.sink.mu.Lock()
	b.sink.refuse = false
	b.sink.mu.Unlock()
	b.follow()
	b.until(10)
}

func TestOpen(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	if _, err := Open(Options{Globs: []string{"[a"}, State: filepath.Join(dir, "s")}); err == nil {
		t.Error("a broken pattern is taken")
	}
	if _, err := Open(Options{Log: pglog.Options{Prefix: "%y"}, State: filepath.Join(dir, "s")}); err == nil {
		t.Error("a broken prefix is taken")
	}
	if err := os.WriteFile(filepath.Join(dir, "s"), []byte("{"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := Open(Options{State: filepath.Join(dir, "s")}); err == nil || !strings.Contains(err.Error(), "remove the file") {
		t.Errorf("a damaged state: %v", err)
	}
}
