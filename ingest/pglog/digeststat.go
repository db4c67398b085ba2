package pglog

import (
	"cmp"
	"slices"
	"strings"
	"time"

	"kibitz/app/sketch"
)

// stat is that of an entry's statement; nil when there are too many.
func (d *Digest) stat(e *Entry) *Stat {
	form := d.form(e)
	key := d.key(form.Fingerprint, e.Time)
	s := d.stats[key]
	if s == nil {
		if len(d.stats) >= MaxStatements {
			return nil
		}
		form.Text = strings.Clone(form.Text)
		s = &Stat{Form: form, Rows: -1, First: e.Time, Last: e.Time}
		if d.width > 0 {
			s.Bucket = time.Unix(key.bucket, 0).UTC()
		}
		d.stats[key] = s
	}
	s.seen(e)
	return s
}

func (s *Stat) seen(e *Entry) {
	if e.Time.Before(s.First) {
		s.First = e.Time
	}
	if e.Time.After(s.Last) {
		s.Last = e.Time
	}
	if e.QueryID != 0 {
		s.QueryID = e.QueryID
	}
	s.Users, s.Databases, s.Applications = withName(s.Users, e.User), withName(s.Databases, e.Database), withName(s.Applications, e.Application)
}

// withName keeps a sorted list of different names.
func withName(list []string, name string) []string {
	at, found := slices.BinarySearch(list, name)
	if found || name == "" || len(list) >= maxNames {
		return list
	}
	return slices.Insert(list, at, strings.Clone(name))
}

// call counts an execution.
func (d *Digest) call(e *Entry) {
	d.Totals.Calls++
	if e.Timed {
		d.Totals.Executed += e.Duration
	}
	s := d.stat(e)
	if s == nil {
		d.Totals.Unlisted++
		return
	}
	s.Calls++
	if e.Timed {
		s.time(e.Duration)
		s.sample(e)
	}
}

func (s *Stat) time(t time.Duration) {
	if s.Timed++; s.Timed == 1 || t < s.Min {
		s.Min = t
	}
	s.Max = max(s.Max, t)
	s.Total += t
	if s.Durations == nil {
		s.Durations = sketch.New()
	}
	s.Durations.Add(float64(t)/float64(time.Microsecond), 1)
}

// sample keeps an entry when it is among the slowest.
func (s *Stat) sample(e *Entry) {
	if len(s.Samples) == samples && e.Duration <= s.Samples[samples-1].Duration {
		return
	}
	new := sampleOf(e)
	at, _ := slices.BinarySearchFunc(s.Samples, new, func(a, b Sample) int { return cmp.Compare(b.Duration, a.Duration) })
	s.Samples = slices.Insert(s.Samples, at, new)
	s.Samples = s.Samples[:min(len(s.Samples), samples)]
}

// phase counts a parse or a bind.
func (d *Digest) phase(e *Entry) {
	s := d.stat(e)
	if e.Phase == Parse {
		d.Totals.Parsed += e.Duration
		if s != nil {
			s.Parses, s.ParseTime = s.Parses+1, s.ParseTime+e.Duration
		}
		return
	}
	d.Totals.Bound += e.Duration
	if s != nil {
		s.Binds, s.BindTime = s.Binds+1, s.BindTime+e.Duration
	}
}

// about is the statistics that an entry without a call of its own adds to; nil when it names no statement.
func (d *Digest) about(e *Entry) *Stat {
	if e.Statement == "" {
		return nil
	}
	return d.stat(e)
}

// failure counts an error. The statement that failed has been started but will have no duration.
func (d *Digest) failure(e *Entry) {
	d.Totals.Errors++
	if s := d.about(e); s != nil {
		s.Errors++
	}
	if s := d.backends[e.PID]; s != nil {
		d.settle(s)
	}
}

func (d *Digest) temp(e *Entry) {
	d.Totals.TempFiles++
	d.Totals.TempBytes += e.TempBytes
	if s := d.about(e); s != nil {
		s.TempFiles++
		s.TempBytes += e.TempBytes
	}
}

func (d *Digest) acquired(e *Entry) {
	d.Totals.LockWaits++
	d.Totals.LockWait += e.LockWait
	if s := d.about(e); s != nil {
		s.LockWait += e.LockWait
	}
}

// Order is what a digest is sorted by.
type Order string

// The orders, the largest first.
const (
	ByTotal Order = "total"
	ByMean  Order = "mean"
	ByP95   Order = "p95"
	ByCalls Order = "calls"
)

// Orders are all of them, as they are called in flags.
func Orders() []Order { return []Order{ByTotal, ByMean, ByP95, ByCalls} }

// Top are the first n statements of an order that were called, all for n = 0.
func (d *Digest) Top(by Order, n int) []*Stat {
	key := map[Order]func(*Stat) int64{
		ByMean:  func(s *Stat) int64 { return int64(s.Mean()) },
		ByP95:   func(s *Stat) int64 { return int64(s.Quantile(0.95)) },
		ByCalls: func(s *Stat) int64 { return s.Calls },
	}[by]
	if key == nil {
		key = func(s *Stat) int64 { return int64(s.Total) }
	}
	type ranked struct {
		stat *Stat
		key  int64
	}
	list := make([]ranked, 0, len(d.stats))
	for _, s := range d.stats {
		if s.Calls > 0 {
			list = append(list, ranked{s, key(s)})
		}
	}
	slices.SortFunc(list, func(a, b ranked) int {
		return cmp.Or(cmp.Compare(b.key, a.key), strings.Compare(a.stat.Form.Text, b.stat.Form.Text))
	})
	if n > 0 && len(list) > n {
		list = list[:n]
	}
	out := make([]*Stat, len(list))
	for i, r := range list {
		out[i] = r.stat
	}
	return out
}

// Stats are all statements, those included that were never executed but failed, were parsed or left temporary files; in no
// particular order.
func (d *Digest) Stats() []*Stat {
	out := make([]*Stat, 0, len(d.stats))
	for _, s := range d.stats {
		out = append(out, s)
	}
	return out
}
