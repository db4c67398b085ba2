package pglog

import "strings"

// inference makes a log_line_prefix of what one has written, from left to right.
type inference struct {
	rest string
	out  strings.Builder
	used map[string]bool
}

// infer guesses the log_line_prefix that wrote a head.
func infer(head string) string {
	i := inference{rest: head, used: map[string]bool{}}
	for i.rest != "" {
		switch n := i.label(); {
		case n > 0:
		case i.whole():
		default:
			i.literal(1)
		}
	}
	return i.out.String()
}

func (i *inference) literal(n int) {
	i.out.WriteString(strings.ReplaceAll(i.rest[:n], "%", "%%"))
	i.rest = i.rest[n:]
}

// put writes an escape for the n bytes that it stands for; each is used once.
func (i *inference) put(escape string, n int) bool {
	if n <= 0 || i.used[escape] {
		return false
	}
	i.used[escape] = true
	i.out.WriteString(escape)
	i.rest = i.rest[n:]
	return true
}

// labels are what people write before a value, and which escape follows.
var labels = []struct{ label, escape string }{
	{"application_name=", "%a"}, {"application=", "%a"}, {"appname=", "%a"}, {"app=", "%a"}, {"a=", "%a"},
	{"username=", "%u"}, {"user=", "%u"}, {"u=", "%u"}, {"database=", "%d"}, {"dbname=", "%d"}, {"db=", "%d"}, {"d=", "%d"},
	{"client=", "%h"}, {"host=", "%h"}, {"remote=", "%h"}, {"h=", "%h"}, {"r=", "%h"}, {"backend=", "%b"}, {"pid=", "%p"}, {"p=", "%p"},
	{"session=", "%c"}, {"sid=", "%c"}, {"line=", "%l"}, {"l=", "%l"}, {"sqlstate=", "%e"}, {"state=", "%e"}, {"error=", "%e"}, {"e=", "%e"},
	{"queryid=", "%Q"}, {"query_id=", "%Q"}, {"qid=", "%Q"}, {"vxid=", "%v"}, {"xid=", "%x"}, {"tx=", "%x"}, {"tag=", "%i"}, {"cmd=", "%i"},
}

// label reads LABEL=value; the value goes up to the next label, comma, bracket or blank. It answers how much it read.
func (i *inference) label() int {
	before := len(i.rest)
	for _, l := range labels {
		if len(i.rest) < len(l.label) || !strings.EqualFold(i.rest[:len(l.label)], l.label) || i.used[l.escape] || i.used["%r"] && l.escape == "%h" {
			continue
		}
		i.literal(len(l.label))
		n := strings.IndexAny(i.rest, ",]);")
		if blank := strings.IndexByte(i.rest, ' '); blank >= 0 && (n < 0 || blank < n) {
			n = blank
		}
		if n < 0 {
			n = len(i.rest)
		}
		escape := l.escape
		if value := i.rest[:n]; escape == "%h" && (strings.Contains(value, "(") || strings.HasSuffix(i.rest[:min(n+1, len(i.rest))], ")")) {
			escape, n = "%r", min(n+1, len(i.rest))
		}
		i.used[escape] = true
		i.out.WriteString(escape)
		i.rest = i.rest[n:]
		return before - len(i.rest)
	}
	return 0
}

// whole reads what is known by its form alone.
func (i *inference) whole() bool {
	s := i.rest
	if t, n := scanTime(s); n > 0 {
		escape := "%t"
		if t.Nanosecond() != 0 || n > 19 && s[19] == '.' {
			escape = "%m"
		}
		return i.put(escape, n) || i.put("%s", n)
	}
	if _, n := scanEpoch(s); n > 10 {
		return i.put("%n", n)
	}
	if i.session(s) {
		return true
	}
	if n := count(s, "0123456789abcdefABCDEF.:"); n > 2 && (s[0] != ':' || s[1] == ':') && n < len(s) && s[n] == '(' && i.closing(n) > 0 {
		return i.put("%r", i.closing(n))
	}
	if strings.HasPrefix(s, "[local]") {
		return i.put("%r", len("[local]"))
	}
	return i.numbers(s) || i.names(s)
}

// closing is where the (port) behind a host ends.
func (i *inference) closing(n int) int {
	m := count(i.rest[n+1:], "0123456789")
	if m == 0 || n+1+m >= len(i.rest) || i.rest[n+1+m] != ')' {
		return 0
	}
	return n + m + 2
}

// session reads the hexadecimal id of %c, which has a dot in it.
func (i *inference) session(s string) bool {
	n := count(s, "0123456789abcdef.")
	start, pid, ok := strings.Cut(s[:n], ".")
	return ok && len(start) == 8 && pid != "" && !strings.Contains(pid, ".") && i.put("%c", n)
}

// numbers reads a process, the line of its log, and a virtual transaction.
func (i *inference) numbers(s string) bool {
	n := count(s, "0123456789")
	if n == 0 {
		return false
	}
	if n < len(s) && s[n] == '/' {
		if m := count(s[n+1:], "0123456789"); m > 0 {
			return i.put("%v", n+1+m)
		}
	}
	if n == 5 && n < len(s) && s[n] == ' ' && i.used["%p"] && strings.HasPrefix(s, "0000") {
		return i.put("%e", n)
	}
	return i.put("%p", n) || i.put("%l", n) || i.put("%x", n)
}

// names reads user@database.
func (i *inference) names(s string) bool {
	at := strings.IndexByte(s, '@')
	if at <= 0 || at > maxFree || strings.ContainsAny(s[:at], " =,[]:") {
		return false
	}
	if !i.put("%u", at) {
		return false
	}
	i.literal(1)
	n := strings.IndexAny(i.rest, " ,]:")
	if n < 0 {
		n = len(i.rest)
	}
	i.put("%d", n)
	return true
}
