package pglog

import (
	"bytes"
	"fmt"
	"io"
	"maps"
	"reflect"
	"strings"
	"testing"
	"time"

	"kibitz/app/sketch"
	"kibitz/ingest/sqltext"
)

// tally adds portions up, a line for each statement.
type tally map[string]Sum

func (y tally) add(t testing.TB, p Portion) {
	t.Helper()
	raw, err := p.Append(nil)
	if err != nil {
		t.Fatal(err)
	}
	if p, err = DecodePortion(raw); err != nil { // as it comes out of the spool
		t.Fatal(err)
	}
	texts := map[uint64]string{}
	for _, x := range p.Texts {
		texts[x.Fingerprint] = x.SQL
	}
	for _, s := range p.Sums {
		text, ok := texts[s.Fingerprint]
		if !ok {
			t.Errorf("a portion lacks the text of %x", s.Fingerprint)
		}
		sum := y[text]
		sum.Calls, sum.Errors, sum.Total, sum.Max = sum.Calls+s.Calls, sum.Errors+s.Errors, sum.Total+s.Total, max(sum.Max, s.Max)
		y[text] = sum
	}
}

// tallyOf is what a whole digest says in the same words.
func tallyOf(d *Digest) tally {
	y := tally{}
	for _, s := range d.Stats() {
		if s.Calls+s.Errors > 0 {
			y[s.Form.Text] = Sum{Calls: s.Calls, Errors: s.Errors, Total: float64(s.Total) / float64(time.Microsecond), Max: s.Max.Microseconds()}
		}
	}
	return y
}

// same compares tallies; sums of floats differ in the order of adding.
func (y tally) same(o tally) bool {
	return maps.EqualFunc(y, o, func(a, b Sum) bool {
		d := a.Total - b.Total
		a.Total, b.Total = 0, 0
		return reflect.DeepEqual(a, b) && d < 1 && d > -1
	})
}

// comparePortions: a log that is read at once, and one that is read line by line, cut and restored again and again, both add up
// to its digest. Messages of syslog are cut in chunks between which those of other backends stand, so that it cannot be read in
// pieces that end at any message.
func comparePortions(t *testing.T, format Format, log []byte, want *Digest) {
	t.Helper()
	whole, pieces := tally{}, tally{}
	o := Options{Now: time.Now(), Normalizer: sqltext.NewNormalizer(1 << 20)}
	if _, err := Gather(bytes.NewReader(log), o, func(p Portion) error { whole.add(t, p); return nil }); err != nil {
		t.Fatal(err)
	}
	o = DetectAs(log[:min(len(log), maxSample)], o)
	c, err := NewCollector(o)
	if err != nil {
		t.Fatal(err)
	}
	for i, line := range bytes.SplitAfter(log, []byte("\n")) {
		if i%50 == 0 && c.Begins(bytes.TrimRight(line, "\n")) { // as a tail does when it stops and begins again
			c.Cut(o.Now)
			pieces.add(t, c.Take(false))
			waits := c.Unpaired()
			if c, err = NewCollector(o); err != nil {
				t.Fatal(err)
			}
			c.Restore(waits)
		}
		c.Push(line, o.Now)
	}
	c.Close()
	pieces.add(t, c.Take(true))
	digest := tallyOf(want)
	for text, sum := range digest {
		if one := (tally{text: sum}); !one.same(tally{text: whole[text]}) || format != Syslog && !one.same(tally{text: pieces[text]}) {
			t.Errorf("%s: %.60s: the digest is %v, at once %v, in pieces %v", format, text, sum, whole[text], pieces[text])
		}
	}
	if len(whole) != len(digest) || format != Syslog && len(pieces) != len(digest) {
		t.Errorf("%s: of %d statements %d come at once and %d in pieces", format, len(digest), len(whole), len(pieces))
	}
}

// TestBuckets: calls are parted by ten minutes, and a plan that comes when its call has been taken is no call.
func TestBuckets(t *testing.T) {
	t.Parallel()
	c, err := NewCollector(Options{Format: Stderr, Prefix: "%m [%p] ", Normalizer: sqltext.NewNormalizer(1 << 20)})
	if err != nil {
		t.Fatal(err)
	}
	push := func(text string) {
		for line := range strings.SplitSeq(text, "|") {
			c.Push([]byte(line), time.Time{})
		}
		c.Cut(time.Time{})
	}
	push("2026-11-25 10:09:59.000 UTC [7] LOG:  duration: 2.000 ms  execute x: SELECT $1|2026-11-25 10:10:01.000 UTC [8] LOG:  duration: 3.000 ms  statement: SELECT 5")
	first := c.Take(false)
	push("2026-11-25 10:10:01.500 UTC [7] LOG:  duration: 1.990 ms  plan:|\tQuery Text: SELECT $1|\tResult  (cost=0.00..0.01 rows=1 width=4)")
	second := c.Take(false)
	if len(first.Sums) != 2 || !first.Sums[0].Bucket.Equal(time.Date(2026, 11, 25, 10, 0, 0, 0, time.UTC)) || first.Sums[0].Calls != 1 || first.Executions() != 2 {
		t.Errorf("%+v", first)
	}
	if second.Executions() != 0 || len(second.Calls) != 1 || second.Calls[0].Duration != 2*time.Millisecond || second.Calls[0].Plan == "" {
		t.Errorf("%+v", second)
	}
	push("2026-11-25 10:10:02.000 UTC [9] LOG:  duration: 1.000 ms  plan:|\tQuery Text: SELECT 7|\tResult  (cost=0.00..0.01 rows=1 width=4)")
	if p := c.Take(false); p.Executions() != 0 {
		t.Errorf("a plan does not wait for its duration: %+v", p)
	}
	if p := c.Take(true); p.Executions() != 1 {
		t.Errorf("a plan waits for ever: %+v", p)
	}
	s := sketch.New()
	if err := s.MergeEncoded(first.Sums[0].Durations); err != nil || s.Count() != 1 {
		t.Error(err, s.Count())
	}
}

func TestMask(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{"$1 = '42', $2 = NULL, $3 = 'ann@example.org'": "$1 = '42', $2 = NULL, $3 = '…'", "a": "a", "": "",
		"SELECT 'it''s', '2026-11-25 10:00:00'": "SELECT '…', '2026-11-25 10:00:00'", "WHERE x = 'open": "WHERE x = '…", "'t' 'f'": "'t' 'f'",
		"'" + strings.Repeat("4", 40) + "'": "'…'"} {
		if got := mask(text); got != want {
			t.Errorf("%q is %q", text, got)
		}
	}
}

// TestCollectorBounds: what is beyond a limit is counted, and nothing grows without one.
func TestCollectorBounds(t *testing.T) {
	t.Parallel()
	var lines, calls int
	var lost int64
	text := strings.Repeat("2026-11-25 10:00:00.000 UTC [7] LOG:  checkpoint starting: time\n", maxLines+10)
	var b strings.Builder
	for i := range maxPortion*2 + 10 {
		fmt.Fprintf(&b, "2026-11-25 10:00:00.000 UTC [7] LOG:  duration: 1.000 ms  statement: SELECT c%d\n", i)
	}
	largest := 0
	_, err := Gather(strings.NewReader(text+b.String()), Options{Format: Stderr, Prefix: "%m [%p] ", Normalizer: sqltext.NewNormalizer(1 << 20)}, func(p Portion) error {
		lines, calls, largest = lines+len(p.Lines), calls+int(p.Executions()), max(largest, len(p.Sums), len(p.Calls))
		for _, l := range p.Lost {
			lost += l.N
		}
		return nil
	})
	if err != nil || lines != maxLines+10 || calls != maxPortion*2+10 || lost != 0 || largest > maxPortion {
		t.Errorf("%v: %d lines, %d calls, %d lost, %d in a portion", err, lines, calls, lost, largest)
	}
	c, _ := NewCollector(Options{Format: JSON, Normalizer: sqltext.NewNormalizer(1 << 20)})
	for range maxLines + 3 {
		c.Push([]byte(`{"timestamp":"2026-11-25 10:00:00.000 UTC","error_severity":"LOG","message":"x"}`), time.Time{})
	}
	c.Push([]byte("{rubbish"), time.Time{})
	if p := c.Take(true); !reflect.DeepEqual(p.Lost, []Loss{{"pglog_lines", 3}, {"pglog_malformed", 1}}) {
		t.Errorf("%v", p.Lost)
	}
	big := Portion{Sums: make([]Sum, 2*maxPortion+1), Lines: make([]Line, 2)}
	if parts := big.Split(); len(parts) != 3 || len(parts[0].Lines) != 2 || len(parts[2].Sums) != 1 || len(parts[2].Lines) != 0 {
		t.Errorf("%d parts", len(parts))
	}
}

type cutShort struct{ io.Reader }

func (b cutShort) Read(p []byte) (int, error) {
	n, err := b.Reader.Read(p)
	if err == io.EOF {
		err = io.ErrUnexpectedEOF
	}
	return n, err
}

func TestGatherCut(t *testing.T) {
	t.Parallel()
	calls := int64(0)
	text := "2026-11-25 10:00:00.000 UTC [7] LOG:  duration: 1.000 ms  statement: SELECT 1\n2026-11-25 10:00:00.000 UTC [7] LOG:  duration: 1.000 ms  statement: SELECT"
	stats, err := Gather(cutShort{strings.NewReader(text)}, Options{Normalizer: sqltext.NewNormalizer(1 << 20)}, func(p Portion) error { calls += p.Executions(); return nil })
	if err != nil || !stats.Cut || calls != 2 {
		t.Errorf("%v %+v %d", err, stats, calls)
	}
	if _, err := Gather(strings.NewReader(text), Options{Normalizer: sqltext.NewNormalizer(1 << 20)}, func(Portion) error { return io.ErrClosedPipe }); err != io.ErrClosedPipe {
		t.Errorf("an error of the spool is %v", err)
	}
}

// FuzzCollector: whatever comes, in any format, portions are of a bounded size and can be stored.
func FuzzCollector(f *testing.F) {
	f.Add([]byte("2026-11-25 10:00:00.000 UTC [7] LOG:  duration: 1.000 ms  plan:\n\tQuery Text: SELECT 'a'\n\tResult  (cost=0.00..0.01 rows=1 width=4)\n"), uint8(0))
	f.Add([]byte(`{"timestamp":"2026-11-25 10:00:00.000 UTC","pid":7,"error_severity":"ERROR","message":"x","statement":"SELECT 1"}`+"\n"), uint8(2))
	f.Add([]byte("<134>Nov 25 10:00:00 postgres[7]: [3-1] LOG:  duration: 1.000 ms  statement: SELECT 1\n"), uint8(3))
	f.Fuzz(func(t *testing.T, log []byte, format uint8) {
		forms := sqltext.NewNormalizer(1 << 16)
		o := Options{Format: Formats()[int(format)%len(Formats())], Normalizer: forms, Now: time.Unix(1_800_000_000, 0)}
		c, err := NewCollector(o)
		if err != nil {
			t.Fatal(err)
		}
		all := tally{}
		for i, line := range bytes.SplitAfter(log, []byte("\n")) {
			c.Push(line, o.Now)
			if i%7 == 3 {
				c.Cut(o.Now)
				waits := c.Unpaired()
				all.add(t, c.Take(i%2 == 0))
				c.Restore(waits)
			}
		}
		c.Close()
		all.add(t, c.Take(true))
	})
}

// FuzzDecodePortion: what is in a spool may be damaged.
func FuzzDecodePortion(f *testing.F) {
	p := Portion{Source: "s", Seq: 1, Sums: []Sum{{Fingerprint: 1}}, Calls: []Call{{Plan: "p"}}}
	raw, _ := p.Append(nil)
	f.Add(raw)
	f.Fuzz(func(t *testing.T, raw []byte) {
		if p, err := DecodePortion(raw); err == nil {
			if _, err := p.Append(nil); err != nil && !strings.Contains(err.Error(), "year outside") {
				t.Fatal(err)
			}
			p.Split()
		}
	})
}
