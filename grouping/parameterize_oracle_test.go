package grouping

import (
	"math/rand/v2"
	"regexp"
	"strings"
	"testing"
	"unicode"
	"unicode/utf8"
)

// shape is one form of a kind of values, written as a pattern: the slow and obvious way to say what the scanner does.
// Go's regexp cannot look around, so before and after check the neighbours, and holds what a pattern cannot count.
type shape struct {
	name   string
	exp    *regexp.Regexp
	before func(string) bool // of the text before
	after  func(string) bool // of the text behind
	holds  func(string) bool // of the value
}

const (
	hexDigit = `[0-9a-fA-F]`
	octet    = `(?:25[0-5]|2[0-4]\d|1\d\d|\d\d?)`
	v4       = octet + `(?:\.` + octet + `){3}`
	blank    = `[\s\x{0b}\x{1c}-\x{1f}\x{85}\x{a0}\x{2003}\x{3000}]`
	weekday  = `(?:Mon|Tue|Wed|Thu|Fri|Sat|Sun|Monday|Tuesday|Wednesday|Thursday|Friday|Saturday|Sunday)`
	month    = `(?:Jan|Feb|Mar|Apr|May|Jun|Jul|Aug|Sep|Oct|Nov|Dec)`
	shortDay = weekday + blank + `+`
	hours    = `[0-2]\d:[0-5]\d(?::[0-5]\d)?`
	mailZone = `(?:[+-]\d{4}|[A-Z]{1,5})`
	isoOff   = `(?:Z[0-2]\d:?[0-5]\d|[+-][0-2]\d:?[0-5]\d|Z)?`
	isoHours = `[ T](?:[0-2]\d:[0-5]\d(?::[0-5]\d(?:[.,]\d+)?)?|[0-2]\d[0-5]\d[0-5]\d(?:[.,]\d+)?)`
)

func wordRune(c rune) bool { return c == '_' || unicode.IsLetter(c) || unicode.IsNumber(c) }

func edgeBefore(s string) bool {
	c, n := utf8.DecodeLastRuneInString(s)
	return n == 0 || !wordRune(c)
}

func edgeAfter(s string) bool {
	c, n := utf8.DecodeRuneInString(s)
	return n == 0 || !wordRune(c)
}

func always(string) bool { return true }

// shapes stand in the order of precedence.
func shapes() []shape {
	var out []shape
	add := func(name, pattern string, change ...func(*shape)) {
		s := shape{name, regexp.MustCompile(`^(?:` + pattern + `)$`), edgeBefore, edgeAfter, always}
		for _, f := range change {
			f(&s)
		}
		out = append(out, s)
	}
	anywhere := func(s *shape) { s.before, s.after = always, always }
	openEnd := func(s *shape) { s.after = always }
	behindEquals := func(s *shape) { s.before = func(t string) bool { return strings.HasSuffix(t, "=") } }
	holds := func(f func(string) bool) func(*shape) { return func(s *shape) { s.holds = f } }

	add("email", "[a-zA-Z0-9.!#$%&'*+/=?^_`{|}~-]+@[a-zA-Z0-9-]+(?:\\.[a-zA-Z0-9-]+)*", anywhere)
	add("url", `(?:wss?|https?|ftp)://[^/$.?#\s\x{0b}\x{1c}-\x{1f}\x{85}\x{a0}\x{2003}\x{3000}][^\s\x{0b}\x{1c}-\x{1f}\x{85}\x{a0}\x{2003}\x{3000}]+`, openEnd)
	add("hostname", `[a-zA-Z0-9][a-zA-Z0-9-]{0,62}\.(?:[a-zA-Z0-9-]{1,63}\.)*[a-zA-Z]{2,6}`,
		holds(func(s string) bool { return isTLD(s[strings.LastIndexByte(s, '.')+1:]) }))
	noColonBefore := func(s *shape) { s.before = func(t string) bool { return edgeBefore(t) && !strings.HasSuffix(t, ":") } }
	more := regexp.MustCompile(`^:[0-9a-fA-F:]`)
	noGroupAfter := func(s *shape) { s.after = func(t string) bool { return edgeAfter(t) && !more.MatchString(t) } }
	add("ip", `[0-9a-fA-F:]+:`+v4+`(?:/\d{1,3})?`, holds(isIPv6), noColonBefore)
	add("ip", `[0-9a-fA-F:]{2,}/\d{1,3}`, holds(isIPv6), noColonBefore)
	add("ip", `[0-9a-fA-F:]+[0-9a-fA-F]`, holds(isIPv6), noColonBefore, noGroupAfter)
	add("ip", `[0-9a-fA-F:]*::`, holds(isIPv6), noColonBefore, func(s *shape) {
		s.after = func(t string) bool { return edgeAfter(t) && !strings.HasPrefix(t, ":") }
	})
	add("ip", v4)
	add("traceparent", `00-`+hexDigit+`{32}-`+hexDigit+`{16}-`+hexDigit+`{2}|1-`+hexDigit+`{8}-`+hexDigit+`{24}`)
	add("uuid", hexDigit+`{8}-(?:`+hexDigit+`{4}-){3}`+hexDigit+`{12}`)
	add("sha1", hexDigit+`{40}`)
	add("md5", hexDigit+`{32}`)
	add("date", `(?:`+weekday+`,`+blank+`+)?\d{1,2}`+blank+`+`+month+blank+`+\d{2,4}`+blank+`+`+hours+blank+`+`+mailZone)
	add("date", weekday+`,`+blank+`+\d{1,2}-`+month+`-\d{2,4}`+blank+`+`+hours+blank+`+`+mailZone)
	add("date", `(?:`+shortDay+`)?`+month+blank+`+\d{1,2},`+blank+`+\d{2,4}`)
	add("date", `(?:`+shortDay+`)?`+month+blank+`+\d{1,2}`+blank+`+\d{4}`+blank+`+`+hours+blank+`+GMT[+-]\d{4}`+blank+`+\([^)]{0,60}\)`, openEnd)
	add("date", `(?:`+shortDay+`)?`+month+blank+`+\d{1,2}`+blank+`+\d{4}`+blank+`+`+hours+`(?:`+blank+`+GMT[+-]\d{4})?`)
	add("date", `(?:`+shortDay+`)?`+month+blank+`+\d{1,2}`+blank+`+`+hours+blank+`+\d{4}`)
	add("date", `(?:\d{4}-[01]\d-[0-3]\d|\d{4}[01]\d[0-3]\d)`+isoHours+isoOff)
	add("date", `\d{4}-[01]\d-[0-3]\d`)
	clock := `(?:[01]?\d|2[0-3]):[0-5]\d(?::[0-5]\d)?`
	add("date", clock+` ?[aApP][mM]`)
	add("date", clock, func(s *shape) {
		digit := regexp.MustCompile(`^:\d`)
		s.after = func(t string) bool { return edgeAfter(t) && !digit.MatchString(t) }
	})
	add("date", `datetime\.datetime\([^)]*\)`, openEnd)
	add("duration", `\d+ms|\d+(?:\.\d+)?s`)
	add("swift_txn_id", `tx`+hexDigit+`{21}-`+hexDigit+`{10}[\w-]*`, openEnd)
	add("hex", `-?0[xX]`+hexDigit+`+`)
	add("hex", `-?(?:[0-9a-f]{8,128}|[0-9A-F]{8,128})`)
	mixed := holds(func(s string) bool {
		return strings.ContainsAny(s, "0123456789") && strings.ContainsAny(s, "abcdefABCDEF")
	})
	add("hex", `-?(?:[0-9a-f]{4,6}|[0-9A-F]{4,6})`, mixed)
	add("git_sha", `[0-9a-f]{7}`, mixed)
	add("float", `-?\d+\.\d+`)
	add("int", `-?\d{1,7}`)
	add("quoted_str", `'[^']+'|"[^"]+"`, behindEquals, openEnd)
	add("bool", `[Tt]rue|[Ff]alse`, behindEquals)
	return out
}

// isIPv6 counts groups, as the last of which an IPv4 address stands for two.
func isIPv6(s string) bool {
	s, _, _ = strings.Cut(s, "/")
	groups := 0
	count := func(part string) bool {
		if part == "" {
			return true
		}
		for _, g := range strings.Split(part, ":") {
			switch {
			case oneGroup.MatchString(g):
				groups++
			case lastGroup.MatchString(g) && strings.HasSuffix(s, g) && len(g) < len(s):
				groups += 2
			default:
				return false
			}
		}
		return true
	}
	head, tail, gap := strings.Cut(s, "::")
	if !count(head) || !count(tail) {
		return false
	}
	return gap && groups < 8 || !gap && groups == 8
}

var (
	oneGroup  = regexp.MustCompile(`^` + hexDigit + `{1,4}$`)
	lastGroup = regexp.MustCompile(`^` + v4 + `$`)
)

// obvious is Parameterize by patterns: at each character every shape in turn, the longest value first.
func obvious(list []shape, text string) string {
	var b strings.Builder
	for i := 0; i < len(text); {
		if end, name := longest(list, text, i); end > i {
			b.WriteString("<" + name + ">")
			i = end
			continue
		}
		_, n := utf8.DecodeRuneInString(text[i:])
		b.WriteString(text[i : i+n])
		i += n
	}
	return b.String()
}

func longest(list []shape, text string, i int) (int, string) {
	if text[i] == ' ' {
		return 0, ""
	}
	for _, s := range list {
		if !s.before(text[:i]) {
			continue
		}
		for end := len(text); end > i; end-- {
			if end < len(text) && !utf8.RuneStart(text[end]) {
				continue
			}
			if v := text[i:end]; s.exp.MatchString(v) && s.holds(v) && s.after(text[end:]) {
				return end, s.name
			}
		}
	}
	return 0, ""
}

// pieces are values of every kind, values that are just none, and what may stand around them.
func pieces() (values, joints []string) {
	values = []string{
		"ann@site.com", "a.b+c@x", "a@", "@b.c", "http://a.io/x?y=1", "https://[::1]:80/", "ws://x", "ftp://.a", "tcp://a.com", "HTTP://a.io",
		"site.com", "bbc.co.uk", "a-b.prod.NET", "x.Com", "x.comet", "file.py", "a..com", "1.2.to", "_x.com",
		"10.0.0.1", "256.1.1.1", "1.2.3", "1.2.3.4.5", "::1", "::", "fe80::1%eth0", "::ffff:1.2.3.4", "2001:db8::/32", "1:2:3:4:5:6:7:8", "a::b::c", "Foo::add", "1:2:3:4:5:6:7:8:9", "1::2:",
		"00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01", "1-67891233-abcdef012345678912345678", "bea691f2-2e25-4bec-6838-e0c44b03d60a", "bea691f2-2e25-4bec-6838-e0c44b03d60",
		"5fc35719b9cf96ec602dbc748ff31c587a46961d", "0af7651916cd43dd8448eb211c80319c", "0AF7651916cd43dd8448eb211c80319c",
		"2006-01-02T15:04:05Z07:00", "2006-01-02 15:04", "2006-01-02T15:04:05.5x", "2006-01-02 15:04:99", "20060102T150405+0100", "20060102", "20060102150405", "2006-13-02", "2006-01-02T", "2006-01-0",
		"Mon, 02 Jan 06 15:04 MST", "02 Jan 2006 15:04:05 -0700", "Monday, 02-Jan-06 15:04:05 UTC", "02-Jan-06 15:04:05 UTC", "Jan 18, 2019", "Mon Jan 2 15:04:05 2006", "Mon Jan 02 2006 14:04:05 GMT-0800 (Pacific)", "Jan 02 2006 14:04:056", "Mon Jan 02 2006",
		"11:21", "9:08 pm", "24:00", "12:99", "12:31:99", "1:23:45:67", "23:21:12.345", "11:21amx", "908:31", "datetime.datetime(2025, 6, 24)", "datetime.datetime(", "datetime.date(1)",
		"10ms", "1.5s", "1.5ms", "2 s", "10sec", "tx274a77a8975c4a66aeb24-0052d95365", "tx274a77a8975c4a66aeb24-0052d95365-a_b", "tx274a77a8975c4a66aeb24-0052d9536",
		"0x9af8", "0X1F", "0x", "0xg", "9af8", "9aF8", "deadbeef", "deadbee", "a93c7d2", "A93C7D2", "9af", "cafe", "12345678", "1234567", "123456789012345678",
		"0.23", "1.5e10", "1.2.", "7", "007", "utf-8", "v2", "b64", "x_1", "'1'", `"a b"`, "true", "False", "TRUE", "''", "none", "größe", "é5", "5é", "٣",
	}
	joints = []string{" ", "", "-", " -", "=", ":", ",", ".", "/", "_", "(", ")", "[", "]", "'", `"`, "@", "\n", "\u00a0", "é", "#", "--", "::", "='", "x", "0"}
	return values, joints
}

// oracleTexts is about a second's worth. The scanner has been compared on a hundred times as many.
const oracleTexts = 2000

// TestParameterizeObvious compares the scanner with the patterns on texts made of all kinds of values and joints.
func TestParameterizeObvious(t *testing.T) {
	t.Parallel()
	values, joints := pieces()
	list, r := shapes(), rand.New(rand.NewPCG(3, 1))
	pick := func(from []string) string { return from[r.IntN(len(from))] }
	missed := 0
	compare := func(text string) {
		if got, want := Parameterize(text), obvious(list, text); got != want && missed < 20 {
			missed++
			t.Errorf("%q gives %q, and by patterns %q", text, got, want)
		}
	}
	for _, v := range values {
		for _, j := range joints {
			compare(v + j)
			compare(j + v)
		}
	}
	for range oracleTexts {
		compare(pick(joints) + pick(values) + pick(joints) + pick(values) + pick(joints))
	}
}
