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

func FuzzParameterize(f *testing.F) {
	for _, seed := range []string{"a@b.c", "a.a.a.com", "::1", "2020-01-01", "Mon, 02 Jan 06 15:04 MST", "datetime.datetime(", "='", "-0xf", "é1", "Mon Jan 1 1", "tx"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, in string) {
		out := Parameterize(in)
		if utf8.ValidString(in) && !utf8.ValidString(out) {
			t.Errorf("%q gives %q, which is not UTF-8", in, out)
		}
		if strings.Count(out, "<")-strings.Count(in, "<") > len(in) {
			t.Errorf("%q gives %q", in, out)
		}
	})
}
