package ingest

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"kibitz/app/model"
	"kibitz/ingest/envelope"
)

func quiet() *slog.Logger { return slog.New(slog.NewTextHandler(io.Discard, nil)) }

func openSpool(t *testing.T, dir string, segment, max int64) *Spool {
	t.Helper()
	s, err := OpenSpool(SpoolOptions{Dir: dir, SegmentSize: segment, MaxSize: max, Log: quiet()})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	return s
}

func rec(id int64) Record {
	return Record{ID: id, Project: 7, KeyID: 2, Kind: KindEvent, Received: time.UnixMilli(1_800_000_000_000 + id).UTC(), EventID: [16]byte{byte(id)}, RemoteIP: "203.0.113.9",
		Payload: []byte(strings.Repeat("x", 100))}
}

// readAll reads everything from a position on, and where it ends.
func readAll(t *testing.T, s *Spool, at Position) ([]Record, Position) {
	t.Helper()
	var all []Record
	for {
		records, to, err := s.Read(at)
		if err != nil {
			t.Fatal(err)
		}
		if len(records) == 0 && to == at {
			return all, at
		}
		all, at = append(all, records...), to
	}
}

func appendAll(t *testing.T, s *Spool, from, to int64) {
	t.Helper()
	for id := from; id < to; id++ {
		if err := s.Append(t.Context(), rec(id)); err != nil {
			t.Fatal(err)
		}
	}
}

func wantIDs(t *testing.T, records []Record, from, to int64) {
	t.Helper()
	if len(records) != int(to-from) {
		t.Errorf("%d records, want %d", len(records), to-from)
		return
	}
	for i, r := range records {
		if want := rec(from + int64(i)); fmt.Sprint(r) != fmt.Sprint(want) {
			t.Errorf("record %d is %+v, want %+v", i, r, want)
		}
	}
}

// TestSpool writes over several files and reads everything back, then again after a restart.
func TestSpool(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	s := openSpool(t, dir, 2000, 1<<20)
	appendAll(t, s, 1, 50)
	got, end := readAll(t, s, Position{})
	wantIDs(t, got, 1, 50)
	if end.Segment < 4 {
		t.Errorf("all of it is in %d files", end.Segment)
	}
	id := s.ID()
	s.Close()
	s = openSpool(t, dir, 2000, 1<<20)
	appendAll(t, s, 50, 60)
	got, _ = readAll(t, s, Position{})
	wantIDs(t, got, 1, 60)
	if s.ID() != id {
		t.Error("the spool has another name after a restart")
	}
	got, _ = readAll(t, s, end)
	wantIDs(t, got, 50, 60)
	s.Remove(end)
	if left, _ := filepath.Glob(filepath.Join(dir, "*.seg")); len(left) > 3 {
		t.Errorf("after removal there are %d files", len(left))
	}
	got, _ = readAll(t, s, end)
	wantIDs(t, got, 50, 60)
}

// TestSpoolTogether lets many append at once.
func TestSpoolTogether(t *testing.T) {
	t.Parallel()
	s := openSpool(t, t.TempDir(), 64<<10, 1<<24)
	var wg sync.WaitGroup
	for n := range int64(16) {
		wg.Go(func() {
			for i := range int64(50) {
				if err := s.Append(t.Context(), rec(n*50+i)); err != nil {
					t.Error(err)
				}
			}
		})
	}
	wg.Wait()
	seen := map[int64]int{}
	got, _ := readAll(t, s, Position{})
	for _, r := range got {
		seen[r.ID]++
	}
	if len(got) != 800 || len(seen) != 800 {
		t.Errorf("%d records of %d ids", len(got), len(seen))
	}
}

// TestTorn damages the end of a file that a killed process left: what is whole stays.
func TestTorn(t *testing.T) {
	t.Parallel()
	half := appendRecord(nil, &Record{ID: 99, Payload: []byte("never acknowledged")})
	for name, tail := range map[string][]byte{"half a record": half[:len(half)-3], "only a length": half[:4], "garbage": []byte("\xff\xff\xff\x7fgarbage"),
		"zeros": make([]byte, 500), "wrong checksum": append([]byte{half[0], half[1], half[2], half[3], 1, 2, 3, 4}, half[8:]...)} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			dir := t.TempDir()
			s := openSpool(t, dir, 1<<20, 1<<24)
			appendAll(t, s, 1, 10)
			s.Close()
			f, err := os.OpenFile(segmentName(dir, 1), os.O_APPEND|os.O_WRONLY, 0)
			if err != nil {
				t.Fatal(err)
			}
			if _, err := f.Write(tail); err != nil || f.Close() != nil {
				t.Fatal(err)
			}
			s = openSpool(t, dir, 1<<20, 1<<24)
			appendAll(t, s, 10, 15)
			got, _ := readAll(t, s, Position{})
			wantIDs(t, got, 1, 15)
		})
	}
}

// TestDisk makes writes and syncs fail: the sender hears of it, and the next one goes to a new file.
func TestDisk(t *testing.T) {
	t.Parallel()
	broken := errors.New("input/output error")
	faults := map[string]func(*disk){
		"write":  func(d *disk) { d.write = func(*os.File, []byte, int64) error { return broken } },
		"sync":   func(d *disk) { d.sync = func(*os.File) error { return broken } },
		"create": func(d *disk) { d.create = func(string, int64) (*os.File, error) { return nil, broken } },
	}
	for name, fault := range faults {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := openSpool(t, t.TempDir(), 1000, 1<<20)
			appendAll(t, s, 1, 4)
			s.mu.Lock() // the writer reads disk only between groups, and none is waiting
			sound := s.disk
			fault(&s.disk)
			s.mu.Unlock()
			failed := 0
			for range 6 { // a file is made anew only when the old one is full
				if err := s.Append(t.Context(), rec(99)); errors.Is(err, broken) {
					failed++
				}
			}
			if failed == 0 {
				t.Error("nobody heard of the fault")
			}
			s.mu.Lock()
			s.disk = sound
			s.mu.Unlock()
			appendAll(t, s, 4, 8)
			var whole []Record
			got, _ := readAll(t, s, Position{})
			for _, r := range got {
				if r.ID != 99 {
					whole = append(whole, r)
				}
			}
			wantIDs(t, whole, 1, 8)
		})
	}
}

func TestSpoolLimits(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	s := openSpool(t, dir, 1000, 3000)
	var err error
	for id := int64(1); err == nil && id < 100; id++ {
		err = s.Append(t.Context(), rec(id))
	}
	if !errors.Is(err, ErrFull) {
		t.Errorf("a full spool: %v", err)
	}
	if _, err := OpenSpool(SpoolOptions{Dir: dir, Log: quiet()}); err == nil {
		t.Error("a second process may open it")
	}
	s.Close()
	if err := s.Append(t.Context(), rec(1)); err == nil {
		t.Error("a closed spool takes records")
	}
}

// TestSpoolKilled appends in a process that is killed: every id that it printed is there once.
func TestSpoolKilled(t *testing.T) {
	t.Parallel()
	if dir := os.Getenv("KIBITZ_TEST_SPOOL"); dir != "" {
		s := openSpool(t, dir, 100<<10, 1<<30)
		for id := int64(1); ; id++ {
			if err := s.Append(context.Background(), rec(id)); err != nil {
				t.Fatal(err)
			}
			fmt.Println("acked", id)
		}
	}
	dir := t.TempDir()
	cmd := exec.Command(os.Args[0], "-test.run=^TestSpoolKilled$")
	cmd.Env = append(os.Environ(), "KIBITZ_TEST_SPOOL="+dir)
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	var acked int64
	for lines := bufio.NewScanner(out); lines.Scan(); {
		if _, err := fmt.Sscanf(lines.Text(), "acked %d", &acked); err == nil && acked == 300 {
			cmd.Process.Kill()
		}
	}
	cmd.Wait()
	got, _ := readAll(t, openSpool(t, dir, 1<<20, 1<<30), Position{})
	if acked < 300 || int64(len(got)) < acked || int64(len(got)) > acked+1 {
		t.Fatalf("%d are acknowledged, %d are there", acked, len(got))
	}
	wantIDs(t, got[:acked], 1, acked+1)
}

// fakeSink is a database that fails as it is told to.
type fakeSink struct {
	mu     sync.Mutex
	cursor Position
	rows   []int64
	buried []int64
	fail   func(b Batch) error // before anything is stored
	after  func(b Batch) error // after it was: the answer of the commit got lost
}

func (f *fakeSink) Cursor(context.Context, string) (Position, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.cursor, nil
}

func (f *fakeSink) Write(_ context.Context, b Batch) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.fail != nil {
		if err := f.fail(b); err != nil {
			return err
		}
	}
	if b.From != f.cursor {
		return ErrCursor
	}
	for _, r := range b.Records {
		f.rows = append(f.rows, r.ID)
	}
	f.cursor = b.To
	if f.after != nil {
		return f.after(b)
	}
	return nil
}

func (f *fakeSink) Bury(_ context.Context, b Batch, _ string) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	if b.From != f.cursor || len(b.Records) != 1 {
		return ErrCursor
	}
	f.buried = append(f.buried, b.Records[0].ID)
	f.cursor = b.To
	return nil
}

func (f *fakeSink) done() int {
	f.mu.Lock()
	defer f.mu.Unlock()
	return len(f.rows) + len(f.buried)
}

// drainAll runs a drain until n records are through.
func drainAll(t *testing.T, s *Spool, f *fakeSink, n int) {
	t.Helper()
	d := NewDrain(DrainOptions{Node: "n", Spool: s, Sink: f, Log: quiet()})
	d.Start()
	defer d.Stop()
	limit := time.Now().Add(30 * time.Second)
	for f.done() < n {
		if time.Now().After(limit) {
			t.Fatalf("%d of %d are drained", f.done(), n)
		}
		time.Sleep(time.Millisecond)
	}
}

func wantOnce(t *testing.T, ids []int64, n int) {
	t.Helper()
	seen := map[int64]bool{}
	for _, id := range ids {
		if seen[id] {
			t.Errorf("%d is there twice", id)
		}
		seen[id] = true
	}
	if len(seen) != n {
		t.Errorf("%d are there, want %d", len(seen), n)
	}
}

// TestDrain holds that every record arrives once, whatever fails on the way.
func TestDrain(t *testing.T) {
	t.Parallel()
	calls := 0
	cases := map[string]*fakeSink{
		"sound":         {},
		"away at first": {fail: func(Batch) error { calls++; return map[bool]error{true: errors.New("connection refused")}[calls < 4] }},
		"lost commits":  {after: func(b Batch) error { return map[bool]error{true: errors.New("connection reset")}[b.From.Offset < 100] }},
	}
	for name, sink := range cases {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := openSpool(t, t.TempDir(), 3000, 1<<20)
			appendAll(t, s, 1, 101)
			drainAll(t, s, sink, 100)
			wantOnce(t, sink.rows, 100)
			if used, _ := s.Size(); used > 4000 {
				t.Errorf("%d bytes are left", used)
			}
		})
	}
}

// TestDrainBad holds that records which cannot be stored, or panic, are buried alone.
func TestDrainBad(t *testing.T) {
	t.Parallel()
	s := openSpool(t, t.TempDir(), 1<<20, 1<<24)
	appendAll(t, s, 1, 101)
	sink := &fakeSink{fail: func(b Batch) error {
		for _, r := range b.Records {
			switch r.ID {
			case 13, 14, 77:
				return fmt.Errorf("invalid byte sequence: %w", ErrData)
			case 50:
				panic("a fault of ours")
			}
		}
		return nil
	}}
	drainAll(t, s, sink, 100)
	wantOnce(t, sink.rows, 96)
	if fmt.Sprint(sink.buried) != "[13 14 50 77]" {
		t.Errorf("buried are %v", sink.buried)
	}
}

// TestOutcomes holds that counts reach the spool, stay when it fails, and are bounded.
func TestOutcomes(t *testing.T) {
	t.Parallel()
	s := openSpool(t, t.TempDir(), 1<<20, 1<<24)
	o := NewOutcomes(s, model.NewIDs(1), quiet())
	for i := range 3 * maxOutcomeKeys {
		o.Count(1, "error", Invalid, fmt.Sprint("reason ", i, "\n"), 1)
	}
	if n := len(o.Pending()); n > maxOutcomeKeys+1 {
		t.Errorf("%d keys are kept", n)
	}
	o.flush()
	got, _ := readAll(t, s, Position{})
	if len(got) != 1 || got[0].Kind != KindOutcomes || len(o.Pending()) != 0 {
		t.Errorf("%d records, %d pending", len(got), len(o.Pending()))
	}
	s.Close()
	o.Count(1, "error", Invalid, "x", 2)
	o.flush()
	if p := o.Pending(); len(p) != 1 || p[0].N != 2 {
		t.Errorf("after a failed flush: %+v", p)
	}
}

// TestPipeline holds what becomes of each item.
func TestPipeline(t *testing.T) {
	t.Parallel()
	s := openSpool(t, t.TempDir(), 1<<20, 1<<24)
	ids := model.NewIDs(1)
	o := NewOutcomes(s, ids, quiet())
	p := NewPipeline(PipelineOptions{Spool: s, Outcomes: o, IDs: ids, Limits: DefaultLimits(), Log: quiet()})
	id, err := p.Accept(t.Context(), Source{Project: 7}, envelope.Envelope{}, []envelope.Item{
		{Type: "event", Payload: []byte(`{"event_id":"0123456789ABCDEF0123456789abcdef"}`)},
		{Type: "transaction", Payload: []byte(`{}`)},
		{Type: "client_report", Payload: []byte(`{"discarded_events":[{"reason":"queue_overflow","category":"error","quantity":9},{"reason":"x","category":"log_item","quantity":-3}]}`)},
		{Type: "client_report", Payload: []byte(`[`)},
	})
	if err != nil || id != "0123456789abcdef0123456789abcdef" {
		t.Errorf("%s %v", id, err)
	}
	want := map[string]int64{"transaction invalid trace_id": 1, "error client_discard queue_overflow": 9, "client_report invalid client_report": 1}
	for _, c := range o.Pending() {
		key := fmt.Sprintf("%s %s %s", c.Category, c.Outcome, c.Reason)
		if want[key] != c.N {
			t.Errorf("%s is counted %d times", key, c.N)
		}
		delete(want, key)
	}
	if len(want) > 0 || p.Healthy() != nil {
		t.Errorf("not counted: %v", want)
	}
	if _, err := p.Accept(t.Context(), Source{Project: 7}, envelope.Envelope{}, []envelope.Item{{Type: "event", Payload: make([]byte, 2<<20)}}); err == nil {
		t.Error("an event of 2 MiB is taken")
	}
}

// FuzzParseRecord feeds the reader of records whatever a disk may hold.
func FuzzParseRecord(f *testing.F) {
	r := rec(1)
	f.Add(appendRecord(nil, &r))
	r.Kind, r.EventID, r.Items = KindRequests, [16]byte{}, 500
	f.Add(appendRecord(nil, &r))
	f.Fuzz(func(t *testing.T, b []byte) {
		if len(b) < recordHead {
			return
		}
		if n, err := readLength(b); err == nil && n == len(b) {
			if r, err := parseRecord(b); err == nil && string(appendRecord(nil, &r)) != string(b) {
				t.Error("a record that was read is written differently")
			}
		}
	})
}

// BenchmarkAppend is durable appends by as many senders as the machine takes; a physical limit is the disk's own syncs.
func BenchmarkAppend(b *testing.B) {
	s, err := OpenSpool(SpoolOptions{Dir: b.TempDir(), MaxSize: 1 << 40, Log: quiet()})
	if err != nil {
		b.Fatal(err)
	}
	defer s.Close()
	r := rec(1)
	r.Payload = make([]byte, 3000)
	b.SetParallelism(32)
	b.RunParallel(func(pb *testing.PB) {
		for pb.Next() {
			if err := s.Append(context.Background(), r); err != nil {
				b.Error(err)
			}
		}
	})
}
