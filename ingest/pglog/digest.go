package pglog

import (
	"math"
	"slices"
	"strings"
	"time"

	"kibitz/app/sketch"
	"kibitz/ingest/sqltext"
)

// MaxStatements bounds the different statements that are counted apart (limit pglog.MaxStatements); further ones are
// counted in Totals.Unlisted.
const MaxStatements = 50_000

// maxNames bounds the users, databases and applications that are listed of a statement (limit pglog.maxNames).
const maxNames = 20

// samples is how many of the slowest calls of a statement are kept whole.
const samples = 3

// maxSampleText bounds the SQL, parameters and plan of a sample, in bytes each (limit pglog.maxSampleText).
const maxSampleText = 64 << 10

// Stat is what a digest knows of one statement.
type Stat struct {
	Form sqltext.Form
	// Bucket is the stretch of time that the calls ended in; zero unless the digest parts them by time.
	Bucket time.Time
	Calls  int64 // executions: simple statements, executes and plans without one
	// Timed is how many of them said how long they took. Total, Min and Max are of those.
	Timed           int64
	Total, Min, Max time.Duration
	// Parses and Binds of the extended protocol are phases before the execution; they have times of their own, which Total
	// does not hold, as in pgBadger.
	Parses, Binds       int64
	ParseTime, BindTime time.Duration
	Rows                int64 // -1: logs do not tell
	Errors              int64
	TempFiles           int64
	TempBytes           int64
	LockWait            time.Duration // until locks were acquired
	First, Last         time.Time
	QueryID             int64
	Samples             []Sample // the slowest, the slowest first
	Users               []string
	Databases           []string
	Applications        []string

	// Durations are those of Timed, in microseconds.
	Durations *sketch.Sketch
}

// Sample is one call.
type Sample struct {
	Time                              time.Time
	Duration                          time.Duration
	PID                               int32
	Statement, Params, Plan           string
	User, Database, Application, Host string
}

// Mean is Total over Timed.
func (s *Stat) Mean() time.Duration {
	if s.Timed == 0 {
		return 0
	}
	return s.Total / time.Duration(s.Timed)
}

// Quantile is the duration that a share q of the calls do not exceed, within sketch.Error: of 2 calls the 95th percentile is
// the slower one.
func (s *Stat) Quantile(q float64) time.Duration {
	if s.Timed == 0 {
		return 0
	}
	// The sketch counts from 0 to n-1 and rounds down; half a rank more keeps rounding errors from the rank before.
	rank := math.Ceil(q*float64(s.Timed)) - 0.5
	us := s.Durations.Quantile(rank / max(1, float64(s.Timed-1)))
	return min(max(time.Duration(math.Round(us))*time.Microsecond, s.Min), s.Max)
}

// Totals are those of all statements together. Executed, Parsed and Bound are what pgBadger calls the total query
// duration, in its three parts.
type Totals struct {
	Entries, Calls, Errors  int64
	Executed, Parsed, Bound time.Duration
	TempFiles, TempBytes    int64
	LockWaits               int64
	LockWait                time.Duration
	Unlisted                int64 // calls of statements beyond MaxStatements
	Forgotten               int64 // backends beyond MaxOpen, whose lines could not be paired
	First, Last             time.Time
}

// Digest folds entries into statistics by statement. It is for one goroutine.
//
// A call is counted once, whichever lines tell of it: log_statement and log_duration write two, auto_explain adds a plan to
// the line of log_min_duration_statement. They are paired by backend.
type Digest struct {
	Totals   Totals
	forms    *sqltext.Normalizer
	stats    map[statKey]*Stat
	backends map[int32]*session
	width    time.Duration // of the stretches of time that calls are parted by; 0: they are not
}

// statKey tells statistics apart.
type statKey struct {
	fingerprint uint64
	bucket      int64 // seconds since 1970; 0 when calls are not parted by time
}

// session is what a backend has told and what waits for its other half.
type session struct {
	plans   []Entry // of auto_explain, whose duration line may follow; not counted yet
	started *Entry  // a statement whose duration line may follow; not counted yet
	counted called  // an execution whose plan may follow
}

// called is an execution that has been counted. The zero value is none.
type called struct {
	fingerprint uint64
	time        time.Time
	duration    time.Duration
}

// NewDigest makes an empty one. Statements of entries without a Form are normalised with forms.
func NewDigest(forms *sqltext.Normalizer) *Digest {
	return &Digest{forms: forms, stats: map[statKey]*Stat{}, backends: map[int32]*session{}}
}

// Add takes an entry. It keeps no memory of it but clones.
func (d *Digest) Add(e *Entry) {
	if d.Totals.Entries++; d.Totals.First.IsZero() || e.Time.Before(d.Totals.First) {
		d.Totals.First = e.Time
	}
	if e.Time.After(d.Totals.Last) {
		d.Totals.Last = e.Time
	}
	switch e.Kind {
	case Duration:
		d.duration(e)
	case Plan:
		d.plan(e)
	case Started:
		d.started(e)
	case Failure:
		d.failure(e)
	case TempFile:
		d.temp(e)
	case Acquired:
		d.acquired(e)
	}
}

// Close counts what still waits. Statistics are complete after it.
func (d *Digest) Close() {
	for _, s := range d.backends {
		d.settle(s)
	}
	clear(d.backends)
}

// session is the state of a backend.
func (d *Digest) session(pid int32) *session {
	s := d.backends[pid]
	if s == nil {
		if len(d.backends) >= MaxOpen {
			d.Totals.Forgotten += int64(len(d.backends))
			d.Close()
		}
		s = &session{}
		d.backends[pid] = s
	}
	return s
}

// settle counts what waits as calls of their own.
func (d *Digest) settle(s *session) {
	for i := range s.plans {
		d.call(&s.plans[i])
	}
	s.plans = s.plans[:0]
	if s.started != nil {
		d.call(s.started)
		s.started = nil
	}
	s.counted = called{}
}

// duration takes a line of log_min_duration_statement, or of log_duration, which belongs to the statement before it.
func (d *Digest) duration(e *Entry) {
	switch {
	case e.Statement == "":
		d.alone(e)
	case e.Phase == Parse || e.Phase == Bind:
		d.phase(e)
	case e.Phase == Execute:
		d.executed(d.session(e.PID), *e)
	default:
		d.whole(e)
	}
}

// executed counts an execution of the extended protocol. Its plan is written when the portal is closed: behind this line.
func (d *Digest) executed(s *session, call Entry) {
	d.unstart(s, &call)
	d.settle(s)
	d.call(&call)
	s.counted = called{d.form(&call).Fingerprint, call.Time, call.Duration}
}

// whole counts a simple statement, whose plan is written before this line.
func (d *Digest) whole(e *Entry) {
	s := d.backends[e.PID]
	if s == nil {
		d.call(e)
		return
	}
	call := *e
	d.unstart(s, &call)
	d.takePlan(s, &call)
	d.settle(s)
	d.call(&call)
}

// unstart forgets the start of a statement whose duration has come.
func (d *Digest) unstart(s *session, call *Entry) {
	if s.started != nil && d.form(s.started).Fingerprint == d.form(call).Fingerprint {
		s.started = nil
	}
}

// takePlan takes the last plan of the same statement out of what waits.
func (d *Digest) takePlan(s *session, call *Entry) {
	for i := len(s.plans) - 1; i >= 0; i-- {
		if d.form(&s.plans[i]).Fingerprint == d.form(call).Fingerprint {
			call.Plan = s.plans[i].Plan
			s.plans = slices.Delete(s.plans, i, i+1)
			return
		}
	}
}

// alone gives a duration to the statement that was started. One of none belongs to a phase whose statement nobody logged;
// pgBadger does not count it either.
func (d *Digest) alone(e *Entry) {
	s := d.backends[e.PID]
	if s == nil || s.started == nil {
		return
	}
	call := *s.started
	call.Duration, call.Timed = e.Duration, true
	if call.Phase == Execute {
		d.executed(s, call)
	} else {
		d.whole(&call)
	}
}

// maxPlans bounds the plans of one backend that wait (limit pglog.maxPlans): nested statements write one each.
const maxPlans = 16

func (d *Digest) plan(e *Entry) {
	s := d.session(e.PID)
	if fp := d.form(e).Fingerprint; s.counted.fingerprint == fp && !s.counted.time.IsZero() {
		d.attach(e, s.counted)
		s.counted = called{}
		return
	}
	if len(s.plans) >= maxPlans {
		d.call(&s.plans[0])
		s.plans = slices.Delete(s.plans, 0, 1)
	}
	s.plans = append(s.plans, e.clone())
}

// attach adds a plan to the sample of an execution, when that is among the slowest.
func (d *Digest) attach(e *Entry, c called) {
	stat := d.stats[d.key(c.fingerprint, c.time)]
	if stat == nil {
		d.late(e, c)
		return
	}
	for i := range stat.Samples {
		if p := &stat.Samples[i]; p.PID == e.PID && p.Time.Equal(c.time) && p.Duration == c.duration && p.Plan == "" {
			p.Plan = bounded(e.Plan)
			return
		}
	}
	d.late(e, c)
}

// key is where a call that ended at a moment is counted.
func (d *Digest) key(fingerprint uint64, at time.Time) statKey {
	if d.width == 0 {
		return statKey{fingerprint, 0}
	}
	return statKey{fingerprint, at.Truncate(d.width).Unix()}
}

func (d *Digest) started(e *Entry) {
	s := d.session(e.PID)
	d.settle(s)
	c := e.clone()
	s.started = &c
}

// clone is a copy that shares no memory with the log. Only what a digest needs is kept.
func (e *Entry) clone() Entry {
	c := *e
	c.Message, c.Detail, c.Hint, c.Context = "", "", "", ""
	c.Statement, c.Params, c.Plan = bounded(e.Statement), bounded(e.Params), bounded(e.Plan)
	c.User, c.Database, c.Application, c.Host = strings.Clone(e.User), strings.Clone(e.Database), strings.Clone(e.Application), strings.Clone(e.Host)
	return c
}

// bounded clones the beginning of a text; it does not cut a character.
func bounded(s string) string {
	if len(s) > maxSampleText {
		return strings.ToValidUTF8(s[:maxSampleText], "")
	}
	return strings.Clone(s)
}

func (d *Digest) form(e *Entry) sqltext.Form {
	if e.Form.Text == "" {
		e.Form = d.forms.Normalize(e.Statement)
	}
	return e.Form
}
