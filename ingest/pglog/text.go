package pglog

import (
	"strings"
	"time"
)

// MaxOpen bounds the entries that wait for further lines (limit pglog.MaxOpen): one for each backend that writes at once.
const MaxOpen = 10_000

// text puts together what stderr and syslog write: a line with prefix and severity, lines that belong to it and begin with
// a TAB, and DETAIL, CONTEXT, STATEMENT with a prefix of their own. Lines of several backends may be mixed.
type text struct {
	prefix *Prefix
	open   map[int32]*pending // by pid
	last   *pending           // what a line without a prefix belongs to
	order  []*pending         // as they were opened; closed ones are nil-ed by closed
	stats  *Stats
	emit   func(*Entry)
}

// pending is an entry whose lines are not all there.
type pending struct {
	entry  Entry
	part   string // the severity or word of the section that is being read
	first  string // its first line
	more   []byte // first and what follows it, once something does
	size   int
	seen   time.Time
	closed bool
}

func newText(p *Prefix, stats *Stats, emit func(*Entry)) *text {
	return &text{prefix: p, open: map[int32]*pending{}, stats: stats, emit: emit}
}

// line takes one line. base is what is known of it beside its text; glue says that a line without a prefix goes on in the
// middle of the one before, unless it begins with a TAB.
func (x *text) line(line string, base Entry, glue bool, now time.Time) {
	e := base
	word, message, ok := "", "", false
	if line == "" || line[0] != '\t' {
		word, message, ok = x.prefix.read(line, &e)
	}
	switch {
	case !ok:
		x.goOn(line, base.PID, glue, now)
	case severities[word]:
		x.begin(word, message, e, now)
	default:
		x.section(word, message, e.PID, now)
	}
}

// begin opens an entry, and closes the last one of the same backend.
func (x *text) begin(word, message string, e Entry, now time.Time) {
	if p := x.open[e.PID]; p != nil {
		x.close(p)
	}
	if len(x.open) >= MaxOpen {
		x.stats.Evicted++
		x.oldest()
	}
	p := &pending{entry: e, part: word, first: message, size: len(message), seen: now}
	x.open[e.PID], x.last = p, p
	x.order = append(x.order, p)
	x.compact()
}

// compact forgets closed entries at the front, and all of them when most are closed.
func (x *text) compact() {
	for len(x.order) > 0 && x.order[0].closed {
		x.order[0] = nil
		x.order = x.order[1:]
	}
	if len(x.order) < 64 || len(x.order) < 2*len(x.open) {
		return
	}
	kept := make([]*pending, 0, len(x.open))
	for _, p := range x.order {
		if !p.closed {
			kept = append(kept, p)
		}
	}
	x.order = kept
}

func (x *text) oldest() {
	for _, p := range x.order {
		if !p.closed {
			x.close(p)
			return
		}
	}
}

// section begins DETAIL and the like.
func (x *text) section(word, message string, pid int32, now time.Time) {
	p := x.open[pid]
	if p == nil {
		x.stats.Unclaimed++
		return
	}
	p.commit()
	x.last, p.seen, p.part, p.first = p, now, word, ""
	if x.room(p, len(message)) {
		p.first = message
	}
}

// goOn adds a line to the section that is being read.
func (x *text) goOn(line string, pid int32, glue bool, now time.Time) {
	p := x.last
	if pid != 0 {
		p = x.open[pid]
	}
	if p == nil || p.closed {
		x.stats.Unclaimed++
		return
	}
	p.seen = now
	if !x.room(p, len(line)+1) {
		return
	}
	if p.more == nil {
		p.more = append(make([]byte, 0, len(p.first)+len(line)+1), p.first...)
	}
	rest, tab := strings.CutPrefix(line, "\t")
	if tab || !glue {
		p.more = append(p.more, '\n')
	}
	p.more = append(p.more, rest...)
}

// room tells whether so many bytes may be added.
func (x *text) room(p *pending, n int) bool {
	if p.size += n; p.size <= MaxEntry {
		return true
	}
	if !p.entry.Truncated {
		p.entry.Truncated = true
		x.stats.Truncated++
	}
	return false
}

// commit puts the section into its field.
func (p *pending) commit() {
	value := p.first
	if p.more != nil {
		value, p.more = string(p.more), nil
	}
	value = valid(value)
	switch p.part {
	case "DETAIL":
		p.entry.Detail = value
	case "HINT":
		p.entry.Hint = value
	case "CONTEXT":
		p.entry.Context = value
	case "STATEMENT":
		p.entry.Statement = value
	case "QUERY", "LOCATION", "BACKTRACE":
	default:
		p.entry.Severity, p.entry.Message = severityName(p.part), value
	}
}

func (x *text) close(p *pending) {
	p.commit()
	p.closed = true
	delete(x.open, p.entry.PID)
	p.entry.interpret()
	x.stats.Entries++
	x.emit(&p.entry)
}

// flush closes what has been silent since a moment.
func (x *text) flush(before time.Time) {
	for _, p := range x.order {
		if !p.closed && !p.seen.After(before) {
			x.close(p)
		}
	}
	x.compact()
}

func (x *text) closeAll() {
	for _, p := range x.order {
		if !p.closed {
			x.close(p)
		}
	}
	x.order = nil
}
