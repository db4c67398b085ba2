package grouping

import (
	"strings"
	"testing"
	"unicode/utf8"
)

func TestParameterize(t *testing.T) {
	t.Parallel()
	for in, want := range map[string]string{
		"":                                "",
		"nothing to replace":              "nothing to replace",
		"user 42 not found":               "user <int> not found",
		"mail to ann@site.example failed": "mail to <email> failed",
		"GET https://site.example/a/b?c=1 gave 502":   "GET <url> gave <int>",
		"cannot reach db7.internal.corp.net:5432":     "cannot reach <hostname>:<int>",
		"peer 10.20.30.40 and fe80::1ff:fe23:4567":    "peer <ip> and <ip>",
		"300.1.1.1 is no address":                     "<float>.<float> is no address",
		"order 3f2b8c1e-0d4a-4f6b-9a51-77c0e6d1b2a3":  "order <uuid>",
		"at 2031-11-30T23:59:59.123+02:00, Tue":       "at <date>, Tue",
		"on Tue, 30 Nov 2031 23:59:59 GMT it stopped": "on <date> it stopped",
		"Dec 24 08:15:00 2031 host":                   "<date> host",
		"took 250ms and 1.5s, limit 2s":               "took <duration> and <duration>, limit <duration>",
		"pointer 0xc000123abc":                        "pointer <hex>",
		"std::vec::Vec and Cache::Add":                "std::vec::Vec and Cache::Add",
		"name='x y' on=true off = true":               "name=<quoted_str> on=<bool> off = true",
		"v2 of b64 and utf8":                          "v2 of b64 and utf8",
		"größe12 ist 12":                              "größe12 ist <int>",
		"-1, 1-1, a-1":                                "<int>, <int>-<int>, a-<int>",
		strings.Repeat("x-", 40) + "y.com and y.com":  strings.Repeat("x-", 9) + "<hostname> and <hostname>",
		"ends with a colon 12:":                       "ends with a colon <int>:",
		"www.site.co.uk and SITE.NET, not Site.Com":   "<hostname> and <hostname>, not Site.Com",
		"ping ::ffff:10.1.2.3 and fe80::1: no route":  "ping <ip> and <ip>: no route",
		"02 Jan 06 15:04 MST, 20060102 150405Z":       "<date>, <date>",
		"12é, 10msé and ٣12":                          "12é, 10msé and ٣12",
		"https://a.site/x\u00a0then":                  "<url>\u00a0then",
		"at 2006-01-02 15:04:05.5x":                   "at <date>.5x",
		"1.5e10 of 1.2.3, -0x1f":                      "<int>.<hex> of <float>.<int>, <hex>",
	} {
		if got := Parameterize(in); got != want {
			t.Errorf("%q gives %q, want %q", in, got, want)
		}
	}
}

// TestParameterizeLong holds texts beyond the limit as they are: what is not read cannot be slow.
func TestParameterizeLong(t *testing.T) {
	t.Parallel()
	if text := strings.Repeat("7 ", maxParameterize/2+1); Parameterize(text) != text {
		t.Error("a text beyond the limit was changed")
	}
	if text := strings.Repeat("7 ", maxParameterize/2); !strings.HasPrefix(Parameterize(text), "<int> <int>") {
		t.Error("a text of just the limit was not changed")
	}
}

// maxSteps bounds the searches of no fixed length: so many looks at each byte, however the text is made.
const maxSteps = 12

// stepsOf is how many bytes the searches on a text looked at.
func stepsOf(text string) int {
	s := scanner{text: text}
	s.seekMail(0)
	s.run()
	return s.steps
}

// TestParameterizeLinear repeats what makes searches begin anew, and holds the work to a multiple of the text.
func TestParameterizeLinear(t *testing.T) {
	t.Parallel()
	values, joints := pieces()
	units := append(values, "a@", "a-", "a.", "a.b-", "=\"", "='", "=\"\"", "=\"a='", "datetime.datetime(", "Mon   ", "Mon Jan 1 ", "a.com.", "1.", "::", "1:", "GMT-0800 (",
		strings.Repeat("a-", 30)+" ", strings.Repeat("a-", 40)+".", "1-", "00-", "tx", "Jan 02 2006 14:04:05 GMT+0800 (", "é", "2006-01-02 15:04:05.1")
	for _, u := range append(units, joints[2:]...) {
		for _, by := range []string{"", " ", "-", ":"} {
			text := strings.Repeat(u+by, maxParameterize/len(u+by))
			if n := stepsOf(text); n > maxSteps*len(text) {
				t.Errorf("%q repeated: %d steps for %d bytes", u+by, n, len(text))
			}
		}
	}
}

// FuzzParameterize holds that the scanner agrees with the patterns, is linear, keeps UTF-8 intact, and finds nothing
// more in its own output. A double colon is the exception to the last: between two numbers it is the name of a method,
// and between two placeholders it stands alone, as the address of all addresses does.
func FuzzParameterize(f *testing.F) {
	values, joints := pieces()
	for i, v := range values {
		f.Add(v + joints[i%len(joints)])
	}
	list := shapes()
	f.Fuzz(func(t *testing.T, in string) {
		out := Parameterize(in)
		if utf8.ValidString(in) && !utf8.ValidString(out) {
			t.Errorf("%q gives %q, which is not UTF-8", in, out)
		}
		if n := stepsOf(in); n > maxSteps*len(in) {
			t.Errorf("%d steps for %d bytes: %q", n, len(in), in)
		}
		if again := Parameterize(out); again != out && !strings.Contains(out, "::") && len(out) <= maxParameterize {
			t.Errorf("%q gives %q and then %q", in, out, again)
		}
		if len(in) > 60 || !utf8.ValidString(in) {
			return
		}
		if want := obvious(list, in); out != want {
			t.Errorf("%q gives %q, and by patterns %q", in, out, want)
		}
	})
}
