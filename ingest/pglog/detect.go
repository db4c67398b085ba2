package pglog

import (
	"slices"
	"strings"
	"time"
)

// Detect finds the format of a log by its beginning, and the log_line_prefix where it has one. What is no other format is
// taken for stderr.
func Detect(sample []byte) (Format, string) {
	lines := strings.Split(string(sample), "\n")
	if len(lines) > 1 {
		lines = lines[:len(lines)-1] // the last may be cut
	}
	for i := range lines {
		lines[i] = strings.TrimSuffix(lines[i], "\r")
	}
	return detect(lines, Options{Format: Auto})
}

// DetectAs finds what o leaves open by a sample of the log, and gives the options that say it.
func DetectAs(sample []byte, o Options) Options {
	if o.Format == "" {
		o.Format = Auto
	}
	return o.Detected(detect(splitLines(sample), o))
}

func detect(lines []string, o Options) (Format, string) {
	f := o.Format
	if f == Auto {
		f = formatOf(lines, o.Now)
	}
	prefix := o.Prefix
	switch {
	case prefix != "":
	case f == Stderr:
		prefix = prefixOf(lines)
	case f == Syslog:
		prefix = prefixOf(payloads(lines, o.Now))
	}
	return f, prefix
}

// formatOf asks lines until one has a form that only one format has: the first may be the rest of a record.
func formatOf(lines []string, now time.Time) Format {
	for _, line := range lines {
		var e Entry
		switch {
		case strings.HasPrefix(line, "{") && (parseJSON(line, &e) || strings.Contains(line, `"error_severity"`)):
			return JSON
		case isCSV(line):
			return CSV
		case isSyslog(line, now):
			return Syslog
		}
	}
	return Stderr
}

// isCSV knows the beginning of a record, which may go on in further lines: a time and ten more columns before the severity.
func isCSV(line string) bool {
	_, n := scanTime(line)
	if n == 0 || n >= len(line) || line[n] != ',' {
		return false
	}
	rest, more, ok := line, true, true
	for range csvSeverity + 1 {
		var col string
		if col, rest, more, ok = csvColumn(rest); !ok || !more {
			return false
		}
		if _, known := severities[col]; known {
			return true
		}
	}
	return false
}

func isSyslog(line string, now time.Time) bool {
	_, text, ok := readHeader(line, now)
	if !ok {
		return false
	}
	// A log_line_prefix such as "%m host prog[%p]: " looks the same, but for the severity that it is followed by at once.
	if _, n := scanTime(line); n > 0 && !strings.HasPrefix(line[10:], "T") {
		return false
	}
	return text != ""
}

func payloads(lines []string, now time.Time) []string {
	var out []string
	for _, line := range lines {
		if h, text, ok := readHeader(line, now); ok && h.chunk <= 1 {
			out = append(out, controls(text))
		}
	}
	return out
}

// maxCandidates bounds the prefixes that are tried against the sample.
const maxCandidates = 40

// prefixOf finds the log_line_prefix that reads most lines, and of those the one that says most.
func prefixOf(lines []string) string {
	var candidates []string
	heads := lines[:0:0]
	for _, line := range lines {
		head := headOf(line)
		if head < 0 {
			continue
		}
		heads = append(heads, line)
		if c := infer(line[:head]); len(candidates) < maxCandidates && !slices.Contains(candidates, c) {
			candidates = append(candidates, c)
		}
	}
	candidates = append(candidates, withoutSession(candidates)...)
	best, most := "", [2]int{}
	for _, c := range candidates {
		if score := scoreOf(c, heads); slices.Compare(score[:], most[:]) > 0 {
			best, most = c, score
		}
	}
	return best
}

// headOf is where the severity stands, -1 when there is none in the first bytes.
func headOf(line string) int {
	if strings.HasPrefix(line, "\t") {
		return -1
	}
	for at := 0; at < len(line) && at < 2*maxPrefix; at++ {
		if line[at] < 'A' || line[at] > 'Z' || at > 0 && line[at-1] >= 'A' && line[at-1] <= 'Z' {
			continue
		}
		if word, _, ok := severity(line[at:]); ok && strings.HasPrefix(line[at+len(word):], ":  ") {
			return at
		}
	}
	return -1
}

// withoutSession joins a short prefix, of a process that is no session, with the longer ones that begin like it: %q stands
// where they part.
func withoutSession(candidates []string) []string {
	var out []string
	for _, short := range candidates {
		for _, long := range candidates {
			rest, ok := strings.CutPrefix(long, strings.TrimRight(short, " "))
			if ok && short != "" && strings.TrimSpace(rest) != "" && len(out) < maxCandidates {
				blank := rest[:len(rest)-len(strings.TrimLeft(rest, " "))]
				out = append(out, strings.TrimRight(short, " ")+blank+"%q"+rest[len(blank):])
			}
		}
	}
	return out
}

// scoreOf counts the lines that a prefix reads, and its escapes.
func scoreOf(prefix string, lines []string) [2]int {
	p, err := ParsePrefix(prefix)
	if err != nil {
		return [2]int{}
	}
	n := 0
	for _, line := range lines {
		var e Entry
		if _, _, ok := p.read(line, &e); ok {
			n++
		}
	}
	return [2]int{n, strings.Count(prefix, "%")}
}
