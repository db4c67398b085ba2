package pglog

import (
	"strings"
	"time"

	"kibitz/app/errs"
	"kibitz/ingest/sqltext"
)

// Format is how a log is written.
type Format string

// The formats. Auto finds out from the first lines.
const (
	Auto   Format = "auto"
	Stderr Format = "stderr"
	CSV    Format = "csvlog"
	JSON   Format = "jsonlog"
	Syslog Format = "syslog"
)

// Formats are all of them, as they are called in flags and settings.
func Formats() []Format { return []Format{Auto, Stderr, CSV, JSON, Syslog} }

// Options say how a log is to be read. The zero value finds out everything.
type Options struct {
	Format Format // "" is Auto
	// Prefix is the log_line_prefix of stderr and syslog; "" finds it from the first lines.
	Prefix string
	// Now is when the log was written at the latest, which gives the times of RFC 3164 their year.
	Now time.Time
	// Normalizer fills Entry.Form; nil leaves it empty.
	Normalizer *sqltext.Normalizer
	detected   bool // Format and Prefix come from Detect
}

// Detected are the options of a log whose beginning has been looked at: its prefix may be none.
func (o Options) Detected(f Format, prefix string) Options {
	o.Format, o.Prefix, o.detected = f, prefix, true
	return o
}

// check refuses what no log can have.
func (o *Options) check() error {
	switch o.Format {
	case "":
		o.Format = Auto
	case Auto, Stderr, CSV, JSON, Syslog:
	default:
		return errs.New(errs.Invalid, "There is no log format %q; there are %v.", o.Format, Formats())
	}
	_, err := ParsePrefix(o.Prefix)
	return err
}

// known tells whether nothing has to be found out. No prefix is one when Detect has said so.
func (o *Options) known() bool {
	return o.Format != Auto && (o.Prefix != "" || o.detected || o.Format == CSV || o.Format == JSON)
}

// maxSample is how much of a log is looked at to find its format, in bytes (limit pglog.maxSample).
const maxSample = 64 << 10

// silence is how long an entry waits for further lines: PostgreSQL writes a message at once, and UDP may hold back some.
const silence = time.Second

// Assembler makes entries of lines that come one by one: of a file that grows, datagrams, or a request. It is for one
// goroutine. What waits is bounded (MaxEntry, MaxOpen) and counted.
type Assembler struct {
	options Options
	emit    func(*Entry)
	stats   Stats

	held     []string // lines that came before the format was known
	heldSize int
	text     *text
	syslog   *syslog
	record   []byte // of csvlog, whose quotes are still open
	over     bool   // the record is larger than MaxEntry
	quoted   bool
}

// NewAssembler makes one that hands entries to emit, which must not keep them.
func NewAssembler(o Options, emit func(*Entry)) (*Assembler, error) {
	if err := o.check(); err != nil {
		return nil, err
	}
	a := &Assembler{options: o}
	a.emit = func(e *Entry) {
		e.normalize(o.Normalizer)
		emit(e)
	}
	if o.known() {
		a.start(o.Format, o.Prefix)
	}
	return a, nil
}

func (e *Entry) normalize(n *sqltext.Normalizer) {
	if n != nil && e.Statement != "" {
		e.Form = n.Normalize(e.Statement)
	}
}

// start begins to read a format that is known.
func (a *Assembler) start(f Format, prefix string) {
	a.stats.Format, a.stats.Prefix = f, prefix
	p, err := ParsePrefix(prefix)
	if err != nil {
		p = &Prefix{} // check has seen what was given, and Detect finds no wrong one
	}
	switch f {
	case Stderr:
		a.text = newText(p, &a.stats, a.emit)
	case Syslog:
		a.syslog = newSyslog(p, &a.stats, a.emit)
	}
}

// Push takes a line, without or with its line break, or a datagram of syslog whole. now is the caller's clock.
func (a *Assembler) Push(line []byte, now time.Time) {
	a.stats.Lines++
	a.stats.Bytes += int64(len(line))
	s := strings.TrimRight(string(line), "\r\n")
	if a.stats.Format != "" {
		a.take(s, now)
		return
	}
	a.held = append(a.held, s)
	if a.heldSize += len(s) + 1; a.heldSize >= maxSample {
		a.settle(now)
	}
}

// settle finds the format of the lines that were held, and reads them.
func (a *Assembler) settle(now time.Time) {
	if len(a.held) == 0 {
		return
	}
	f, prefix := detect(a.held, a.options)
	a.start(f, prefix)
	for _, line := range a.held {
		a.take(line, now)
	}
	a.held, a.heldSize = nil, 0
}

func (a *Assembler) take(line string, now time.Time) {
	switch a.stats.Format {
	case Stderr:
		a.text.line(line, Entry{}, false, now)
	case Syslog:
		year := a.options.Now
		if year.IsZero() {
			year = now
		}
		a.syslog.line(line, year, now)
	case JSON:
		var e Entry
		a.done(line == "" || parseJSON(line, &e), line, &e)
	case CSV:
		a.csvLine(line)
	}
}

// done hands a record on, or counts it.
func (a *Assembler) done(ok bool, record string, e *Entry) {
	switch {
	case !ok:
		a.stats.Malformed++
	case record != "":
		a.stats.Entries++
		a.emit(e)
	}
}

// csvLine adds a line to the record of csvlog, which ends at a line break outside quotes.
func (a *Assembler) csvLine(line string) {
	if len(a.record)+len(line) > MaxEntry {
		a.over = true
	}
	if !a.over {
		a.record = append(append(a.record, line...), '\n')
	}
	if strings.Count(line, `"`)%2 == 1 {
		a.quoted = !a.quoted
	}
	if !a.quoted {
		a.csvRecord()
	}
}

func (a *Assembler) csvRecord() {
	record, over := strings.TrimSuffix(string(a.record), "\n"), a.over
	a.record, a.over, a.quoted = a.record[:0], false, false
	if over {
		a.stats.Truncated++
		return
	}
	var e Entry
	a.done(record == "" || parseCSV(record, &e), record, &e)
}

// Flush closes what has been silent for a second by the caller's clock.
func (a *Assembler) Flush(now time.Time) {
	a.settle(now)
	before := now.Add(-silence)
	if a.text != nil {
		a.text.flush(before)
	}
	if a.syslog != nil {
		a.syslog.flush(before)
	}
}

// Cut closes everything that is open, as if no line of it followed. Unlike after Close, lines may follow. A record of csvlog
// that has not ended (Begins tells) is forgotten: it is to be read again.
func (a *Assembler) Cut(now time.Time) {
	a.settle(now)
	a.record, a.over, a.quoted = a.record[:0], false, false
	if a.text != nil {
		a.text.closeAll()
	}
	if a.syslog != nil {
		a.syslog.closeAll()
	}
}

// Begins tells whether a line, without its line break, begins an entry or a record, so that what precedes it is whole.
func (a *Assembler) Begins(line []byte) bool {
	switch a.stats.Format {
	case Stderr:
		var e Entry
		word, _, ok := a.text.prefix.read(string(line), &e)
		return ok && severities[word]
	case Syslog:
		h, _, ok := readHeader(string(line), a.options.Now)
		return ok && h.chunk <= 1
	case CSV:
		return !a.quoted
	}
	return a.stats.Format == JSON
}

// Close closes everything: no line will follow. A record that is cut off is counted as malformed.
func (a *Assembler) Close() {
	a.settle(a.options.Now)
	if len(a.record) > 0 || a.over {
		a.csvRecord()
	}
	if a.text != nil {
		a.text.closeAll()
	}
	if a.syslog != nil {
		a.syslog.closeAll()
	}
}

// Stats are the counts until now.
func (a *Assembler) Stats() Stats { return a.stats }
