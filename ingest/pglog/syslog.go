package pglog

import (
	"slices"
	"strings"
	"time"
)

// header is what syslog puts before a line of PostgreSQL's: <PRI>Mon DD HH:MM:SS [HOST] IDENT[PID]: [SEQ-CHUNK] text. The
// time may be of RFC 3339, as rsyslog and Go write it.
type header struct {
	time       time.Time
	host       string
	pid        int32
	seq, chunk int // 0 with syslog_sequence_numbers = off
}

// readHeader takes the header off a line. now gives the year that RFC 3164 leaves out: the time is at most a day ahead.
func readHeader(line string, now time.Time) (h header, text string, ok bool) {
	s := line
	if strings.HasPrefix(s, "<") {
		end := strings.IndexByte(s[:min(len(s), 6)], '>')
		if end < 0 {
			return h, "", false
		}
		s = strings.TrimPrefix(s[end+1:], "1 ") // the version of RFC 5424
	}
	if h.time, s, ok = headerTime(s, now); !ok {
		return h, "", false
	}
	return h.origin(s)
}

func headerTime(s string, now time.Time) (time.Time, string, bool) {
	if t, n := scanTime(s); n > 0 {
		return t, s[n:], true
	}
	if len(s) < len(time.Stamp) {
		return time.Time{}, "", false
	}
	t, err := time.Parse(time.Stamp, s[:len(time.Stamp)])
	if err != nil {
		return time.Time{}, "", false
	}
	t = t.AddDate(now.Year(), 0, 0)
	if t.After(now.Add(24 * time.Hour)) {
		t = t.AddDate(-1, 0, 0)
	}
	return t, s[len(time.Stamp):], true
}

// maxOrigin bounds where IDENT[PID]: may stand.
const maxOrigin = 400

// origin reads [HOST] IDENT[PID]: and the sequence. RFC 5424 writes HOST IDENT PID MSGID SD in its place.
func (h header) origin(s string) (header, string, bool) {
	s = strings.TrimLeft(s, " ")
	at := strings.Index(s[:min(len(s), maxOrigin)], "]:")
	open := -1
	if at > 0 {
		open = strings.LastIndexByte(s[:at], '[')
	}
	if open > 0 && count(s[open+1:at], "0123456789") == at-open-1 {
		h.pid = number32(s[open+1 : at])
		if host, ident, two := strings.Cut(s[:open], " "); two && !strings.Contains(ident, " ") {
			h.host = host
		}
		return h.sequence(strings.TrimPrefix(s[at+2:], " "))
	}
	f := strings.SplitN(s, " ", 6)
	if len(f) < 6 || count(f[2], "0123456789") != len(f[2]) || f[4] != "-" {
		return h, "", false
	}
	h.host, h.pid = f[0], number32(f[2])
	return h.sequence(strings.TrimPrefix(f[5], "\ufeff"))
}

// sequence reads [SEQ-CHUNK].
func (h header) sequence(s string) (header, string, bool) {
	end := strings.IndexByte(s[:min(len(s), 24)], ']')
	if end > 0 && s[0] == '[' {
		seq, chunk, ok := strings.Cut(s[1:end], "-")
		a, b := digits(seq), digits(chunk)
		if ok && seq != "" && chunk != "" && a >= 0 && b > 0 && len(seq) < 16 {
			h.seq, h.chunk = max(a, 1), b
			return h, strings.TrimPrefix(s[end+1:], " "), true
		}
	}
	return h, s, true
}

// backend tells processes of several hosts apart.
type backend struct {
	host string
	pid  int32
}

// chunks are those of one message, in the order in which they came.
type chunks struct {
	key   backend
	seq   int
	time  time.Time
	list  []chunk
	size  int
	seen  time.Time
	first int // the place in line for eviction
}

type chunk struct {
	n    int
	text string
}

// syslog puts chunks together, and hands whole messages to a text for each host. PostgreSQL cuts a message at its line
// breaks, of which the next begins with a TAB, and lines at about 900 bytes, where the next goes on at once.
type syslog struct {
	prefix *Prefix
	open   map[backend]*chunks
	hosts  map[string]*text
	turn   int
	stats  *Stats
	emit   func(*Entry)
}

func newSyslog(p *Prefix, stats *Stats, emit func(*Entry)) *syslog {
	return &syslog{prefix: p, open: map[backend]*chunks{}, hosts: map[string]*text{}, stats: stats, emit: emit}
}

// line takes a line of a file or a datagram. year is for the times that have none; now is the clock of flush.
func (y *syslog) line(line string, year, now time.Time) {
	h, text, ok := readHeader(line, year)
	if !ok {
		y.stats.Unclaimed++
		return
	}
	y.chunk(h, controls(strings.TrimRight(text, "\x00\n")), now)
}

// controls undoes how rsyslog writes control characters into files: # and three octal digits.
func controls(s string) string {
	if strings.IndexByte(s, '#') < 0 || strings.IndexByte(s, '\t') >= 0 {
		return s
	}
	return escaped.Replace(s)
}

var escaped = strings.NewReplacer("#011", "\t", "#012", "\n", "#015", "\r")

// maxHosts bounds the hosts that are told apart (limit pglog.maxHosts); further ones share a name.
const maxHosts = 1000

func (y *syslog) text(host string) *text {
	if y.hosts[host] == nil {
		if len(y.hosts) >= maxHosts {
			host = ""
		}
		if y.hosts[host] == nil {
			y.hosts[strings.Clone(host)] = newText(y.prefix, y.stats, y.emit)
		}
	}
	return y.hosts[host]
}

func (y *syslog) chunk(h header, text string, now time.Time) {
	key := backend{h.host, h.pid}
	if h.seq == 0 {
		y.feed(text, Entry{Time: h.time, PID: h.pid}, h.host, now)
		return
	}
	c := y.open[key]
	if c != nil && c.seq != h.seq {
		y.close(c)
		c = nil
	}
	if c == nil {
		c = y.begin(key, h)
	}
	c.seen = now
	if c.size += len(text); c.size > MaxEntry {
		if c.size-len(text) <= MaxEntry {
			y.stats.Truncated++
		}
		return
	}
	c.list = append(c.list, chunk{h.chunk, text})
}

func (y *syslog) begin(key backend, h header) *chunks {
	if len(y.open) >= MaxOpen {
		y.stats.Evicted++
		y.oldest()
	}
	y.turn++
	c := &chunks{key: backend{strings.Clone(key.host), key.pid}, seq: h.seq, time: h.time, first: y.turn}
	y.open[c.key] = c
	return c
}

func (y *syslog) oldest() {
	var old *chunks
	for _, c := range y.open {
		if old == nil || c.first < old.first {
			old = c
		}
	}
	y.close(old)
}

// close hands a message on, in the order of its chunks: datagrams may come in another. A message is one entry.
func (y *syslog) close(c *chunks) {
	delete(y.open, c.key)
	slices.SortStableFunc(c.list, func(a, b chunk) int { return a.n - b.n })
	for _, part := range c.list {
		y.feed(part.text, Entry{Time: c.time, PID: c.key.pid}, c.key.host, c.seen)
	}
	x := y.text(c.key.host)
	if p := x.open[c.key.pid]; p != nil {
		x.close(p)
	}
}

// feed hands a chunk on. With syslog_split_messages = off it holds line breaks.
func (y *syslog) feed(text string, base Entry, host string, now time.Time) {
	for i := 0; ; i++ {
		line, rest, more := strings.Cut(text, "\n")
		if i > 0 || line != "" || !more {
			y.text(host).line(line, base, i == 0, now)
		}
		if !more {
			return
		}
		text = rest
	}
}

// flush closes what has been silent since a moment.
func (y *syslog) flush(before time.Time) {
	for _, c := range y.sorted() {
		if !c.seen.After(before) {
			y.close(c)
		}
	}
	for _, x := range y.hosts {
		x.flush(before)
	}
}

func (y *syslog) sorted() []*chunks {
	list := make([]*chunks, 0, len(y.open))
	for _, c := range y.open {
		list = append(list, c)
	}
	slices.SortFunc(list, func(a, b *chunks) int { return a.first - b.first })
	return list
}

func (y *syslog) closeAll() {
	for _, c := range y.sorted() {
		y.close(c)
	}
	for _, x := range y.hosts {
		x.closeAll()
	}
}
