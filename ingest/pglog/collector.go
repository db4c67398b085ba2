package pglog

import (
	"cmp"
	"slices"
	"strconv"
	"strings"
	"time"
)

// Width is the stretch of time by which a collector parts calls: that of stored sums of statements.
const Width = 10 * time.Minute

// Limits of what a collector keeps between two takings; what is beyond them is counted as lost.
const (
	maxLines = 5000     // pglog_lines: entries that are no calls
	maxCalls = 200      // pglog_calls: executions that are shown one by one, the slowest
	maxNotes = 200      // pglog_notes: temporary files and locks
	maxBody  = 16 << 10 // of a line's message, and of a statement
	maxField = 1024
)

// Collector makes portions of a log that is read line by line. It is for one goroutine.
type Collector struct {
	in     *Assembler
	digest *Digest
	now    time.Time // by the caller's clock
	texts  map[uint64]Text
	notes  []Call
	lines  []Line
	lost   map[string]int64
	before Stats
	last   time.Time // of the log
}

// NewCollector makes one. o.Normalizer is needed.
func NewCollector(o Options) (*Collector, error) {
	c := &Collector{digest: NewLiveDigest(o.Normalizer, Width)}
	var err error
	if c.in, err = NewAssembler(o, c.entry); err != nil {
		return nil, err
	}
	c.clear()
	return c, nil
}

func (c *Collector) clear() {
	c.texts, c.lost, c.notes, c.lines = map[uint64]Text{}, map[string]int64{}, nil, nil
}

// Push takes a line or a datagram of syslog, as Assembler.Push does.
func (c *Collector) Push(line []byte, now time.Time) {
	c.now = now
	c.in.Push(line, now)
}

// Flush closes entries that have been silent for a second.
func (c *Collector) Flush(now time.Time) {
	c.now = now
	c.in.Flush(now)
}

// Cut closes all entries: what follows is no part of them. Further lines may come.
func (c *Collector) Cut(now time.Time) {
	c.now = now
	c.in.Cut(now)
}

// Begins tells whether a line begins an entry, so that a portion may end before it.
func (c *Collector) Begins(line []byte) bool { return c.in.Begins(line) }

// Unpaired is what waits for its other half beside what Take gives.
func (c *Collector) Unpaired() Unpaired { return c.digest.Unpaired() }

// Restore sets what waits.
func (c *Collector) Restore(u Unpaired) { c.digest.Restore(u) }

// Close counts what waits, after Cut.
func (c *Collector) Close() {
	c.in.Close()
	c.digest.Close()
}

// Stats are those of the reading, since the beginning.
func (c *Collector) Stats() Stats { return c.in.Stats() }

// patience is how long a plan waits for its duration line, by the log's clock: both are written within milliseconds.
const patience = time.Second

// entry takes what the assembler has put together.
func (c *Collector) entry(e *Entry) {
	if e.Time.IsZero() {
		e.Time = c.now
	}
	if e.Time.After(c.last) {
		c.last = e.Time
	}
	c.digest.Add(e)
	switch e.Kind {
	case Duration, Plan, Started:
		c.text(e)
		return
	case TempFile, Waiting, Acquired:
		c.note(e)
	case Failure:
		c.text(e)
	}
	c.line(e)
}

func (c *Collector) text(e *Entry) {
	if e.Statement == "" {
		return
	}
	form := c.digest.form(e)
	if _, known := c.texts[form.Fingerprint]; !known && form.Text != "" {
		c.texts[form.Fingerprint] = Text{form.Fingerprint, cut(form.Text, maxBody), mask(cut(e.Statement, maxBody))}
	}
}

// cut is a copy of at most most bytes, without half a character at its end.
func cut(s string, most int) string {
	if len(s) > most {
		return strings.ToValidUTF8(s[:most], "")
	}
	return strings.Clone(s)
}

func (c *Collector) note(e *Entry) {
	if e.Statement == "" || e.PID == 0 {
		return
	}
	if len(c.notes) >= maxNotes {
		c.lost["pglog_notes"]++
		return
	}
	c.text(e)
	c.notes = append(c.notes, Call{Fingerprint: c.digest.form(e).Fingerprint, Kind: e.Kind, At: e.Time, Duration: e.LockWait, PID: e.PID, Note: cut(e.Message, maxField)})
}

func (c *Collector) line(e *Entry) {
	if len(c.lines) >= maxLines {
		c.lost["pglog_lines"]++
		return
	}
	l := Line{At: e.Time, Severity: strings.Clone(e.Severity), Message: cut(e.Message, maxBody)}
	statement := ""
	if e.Statement != "" {
		statement = c.digest.form(e).Text
	}
	pid := ""
	if e.PID != 0 {
		pid = strconv.Itoa(int(e.PID))
	}
	for _, f := range []Field{{"pid", pid}, {"user", e.User}, {"database", e.Database}, {"application", e.Application}, {"client", e.Host}, {"sqlstate", e.SQLState},
		{"detail", e.Detail}, {"hint", e.Hint}, {"context", e.Context}, {"statement", statement}} {
		if f.Value != "" {
			l.Fields = append(l.Fields, Field{f.Key, cut(f.Value, maxField)})
		}
	}
	c.lines = append(c.lines, l)
}

// Full tells whether it is time to take a portion, before anything is lost.
func (c *Collector) Full() bool {
	return len(c.texts) >= maxPortion || len(c.lines) >= maxLines || len(c.notes) >= maxNotes
}

// Take gives what came since the last time, but for what waits. silent says that the log has been silent for longer than a
// plan waits.
func (c *Collector) Take(silent bool) (p Portion) {
	before := c.last.Add(-patience)
	if silent {
		before = c.last.Add(1)
	}
	c.digest.Settle(before)
	stats, totals := c.digest.Take()
	for _, s := range stats {
		if s.Calls > 0 || s.Errors > 0 {
			p.Sums = append(p.Sums, sumOf(s))
		}
		p.Calls = append(p.Calls, callsOf(s)...)
		if _, known := c.texts[s.Form.Fingerprint]; !known {
			c.texts[s.Form.Fingerprint] = Text{Fingerprint: s.Form.Fingerprint, SQL: cut(s.Form.Text, maxBody)}
		}
	}
	p.Calls = append(slowest(p.Calls), c.notes...)
	p.Lines = c.lines
	c.lose(totals)
	p.Lost = c.losses()
	p.texts(c.texts)
	c.clear()
	return p
}

func sumOf(s *Stat) Sum {
	sum := Sum{Fingerprint: s.Form.Fingerprint, Bucket: s.Bucket, Calls: s.Calls, Errors: s.Errors, Total: float64(s.Total) / float64(time.Microsecond), Max: s.Max.Microseconds()}
	if s.Durations != nil {
		sum.Durations = s.Durations.Encode()
	}
	return sum
}

// callsOf are the slowest calls, and those with a plan.
func callsOf(s *Stat) (out []Call) {
	for i := range s.Samples {
		x := &s.Samples[i]
		out = append(out, Call{Fingerprint: s.Form.Fingerprint, Kind: Duration, At: x.Time, Duration: x.Duration, PID: x.PID, Params: mask(cut(x.Params, maxBody)), Plan: mask(x.Plan)})
	}
	return out
}

// slowest keeps the calls that are worth most: those with a plan, and then the slowest.
func slowest(list []Call) []Call {
	slices.SortStableFunc(list, func(a, b Call) int {
		return cmp.Or(cmp.Compare(min(len(b.Plan), 1), min(len(a.Plan), 1)), cmp.Compare(b.Duration, a.Duration))
	})
	return list[:min(len(list), maxCalls)]
}

// lose counts what the assembler and the digest lost since the last time.
func (c *Collector) lose(t Totals) {
	now := c.in.Stats()
	for reason, n := range map[string]int64{"pglog_malformed": now.Malformed - c.before.Malformed, "pglog_unclaimed": now.Unclaimed - c.before.Unclaimed,
		"pglog_entry": now.Truncated - c.before.Truncated, "pglog_open": now.Evicted - c.before.Evicted, "pglog_statements": t.Unlisted, "pglog_backends": t.Forgotten} {
		c.lost[reason] += n
	}
	c.before = now
}

func (c *Collector) losses() (out []Loss) {
	for reason, n := range c.lost {
		if n > 0 {
			out = append(out, Loss{reason, n})
		}
	}
	slices.SortFunc(out, func(a, b Loss) int { return strings.Compare(a.Reason, b.Reason) })
	return out
}
