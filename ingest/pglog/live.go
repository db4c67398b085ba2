package pglog

import (
	"cmp"
	"slices"
	"strings"
	"time"

	"kibitz/ingest/sqltext"
)

// This file is the digest of a log that goes on: what has been counted is taken away again and again, and what waits for its
// other half stays.

// NewLiveDigest makes a digest whose statistics are parted by the stretch of time (width) that calls ended in.
func NewLiveDigest(forms *sqltext.Normalizer, width time.Duration) *Digest {
	d := NewDigest(forms)
	d.width = width
	return d
}

// Take gives what was counted since the last time, in order of fingerprint and bucket.
func (d *Digest) Take() ([]*Stat, Totals) {
	stats, totals := d.Stats(), d.Totals
	slices.SortFunc(stats, func(a, b *Stat) int {
		return cmp.Or(cmp.Compare(a.Form.Fingerprint, b.Form.Fingerprint), a.Bucket.Compare(b.Bucket))
	})
	clear(d.stats)
	d.Totals = Totals{}
	return stats, totals
}

// late keeps a plan whose execution is among the slowest no more, or has been taken already. Logs have few plans, and they
// are what people look for.
func (d *Digest) late(e *Entry, c called) {
	if d.width == 0 {
		return
	}
	e.Time, e.Duration = c.time, c.duration
	s := d.stat(e)
	if s == nil {
		d.Totals.Unlisted++
		return
	}
	if len(s.Samples) < maxLate {
		s.Samples = append(s.Samples, sampleOf(e))
	}
}

// maxLate bounds the samples of a statement between two takings, late plans included (limit pglog.maxLate).
const maxLate = 10

func sampleOf(e *Entry) Sample {
	c := e.clone()
	return Sample{e.Time, e.Duration, e.PID, c.Statement, c.Params, c.Plan, c.User, c.Database, c.Application, c.Host}
}

// Unpaired is what a live digest knows of backends and has not counted: plans and statements whose durations may follow, and
// executions whose plans may. It can be stored, to go on after a restart.
type Unpaired []UnpairedBackend

// UnpairedBackend is that of one backend.
type UnpairedBackend struct {
	PID         int32
	Plans       []Entry `json:",omitempty"`
	Started     *Entry  `json:",omitempty"`
	Fingerprint uint64  `json:",omitempty"` // of the execution that was counted last
	Time        time.Time
	Duration    time.Duration `json:",omitempty"`
}

// Unpaired gives it, in order of process.
func (d *Digest) Unpaired() Unpaired {
	var out Unpaired
	for pid, s := range d.backends {
		if len(s.plans) == 0 && s.started == nil && s.counted.time.IsZero() {
			continue
		}
		w := UnpairedBackend{PID: pid, Plans: slices.Clone(s.plans), Fingerprint: s.counted.fingerprint, Time: s.counted.time, Duration: s.counted.duration}
		if s.started != nil {
			started := *s.started
			w.Started = &started
		}
		out = append(out, w)
	}
	slices.SortFunc(out, func(a, b UnpairedBackend) int { return int(a.PID) - int(b.PID) })
	return out
}

// Restore sets what waits, in the place of what did.
func (d *Digest) Restore(list Unpaired) {
	clear(d.backends)
	for _, w := range list {
		s := &session{plans: slices.Clone(w.Plans), counted: called{w.Fingerprint, w.Time, w.Duration}}
		if w.Started != nil {
			started := *w.Started
			s.started = &started
		}
		d.backends[w.PID] = s
	}
}

// portalOpen is how long after an execution its plan is looked for: it is written when the portal closes.
const portalOpen = time.Minute

// Settle counts what has waited since before a moment of the log's clock: its other half will not come. A statement that was
// started may run for long, and waits for its backend's next line.
func (d *Digest) Settle(before time.Time) {
	for _, pid := range d.pids() {
		s := d.backends[pid]
		for len(s.plans) > 0 && s.plans[0].Time.Before(before) {
			d.call(&s.plans[0])
			s.plans = slices.Delete(s.plans, 0, 1)
		}
		if s.counted.time.Before(before.Add(-portalOpen)) {
			s.counted = called{}
		}
		if len(s.plans) == 0 && s.started == nil && s.counted.time.IsZero() {
			delete(d.backends, pid)
		}
	}
}

// pids are the backends in order, so that the same log always gives the same digest.
func (d *Digest) pids() []int32 {
	out := make([]int32, 0, len(d.backends))
	for pid := range d.backends {
		out = append(out, pid)
	}
	slices.Sort(out)
	return out
}

// mask takes values out of the literals of a text that is kept: what is no number, date or truth value becomes an ellipsis. It
// reads single quotes, doubled ones included, as PostgreSQL writes them in parameters, statements and plans.
func mask(text string) string {
	at := strings.IndexByte(text, '\'')
	if at < 0 {
		return text
	}
	var b strings.Builder
	for at >= 0 {
		b.WriteString(text[:at+1])
		value, rest, closed := literal(text[at+1:])
		if harmless(value) {
			b.WriteString(value)
		} else {
			b.WriteString("…")
		}
		if !closed {
			return b.String()
		}
		b.WriteByte('\'')
		text = rest
		at = strings.IndexByte(text, '\'')
	}
	b.WriteString(text)
	return b.String()
}

// literal reads up to the closing quote.
func literal(s string) (value, rest string, closed bool) {
	for i := 0; i < len(s); i++ {
		if s[i] != '\'' {
			continue
		}
		if i+1 < len(s) && s[i+1] == '\'' {
			i++
			continue
		}
		return s[:i], s[i+1:], true
	}
	return s, "", false
}

// harmlessLength is the longest number or date that is shown: 32 digits are an id.
const harmlessLength = 32

// harmless tells whether a value says nothing of a person by itself.
func harmless(value string) bool {
	switch value {
	case "t", "f", "true", "false", "":
		return true
	}
	return len(value) <= harmlessLength && strings.Trim(value, "0123456789.-+: TZ") == ""
}
