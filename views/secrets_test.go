package views

import (
	"os/exec"
	"strings"
	"testing"
	"unicode/utf8"

	"kibitz/ingest/envelope"
)

func TestMasked(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ key, value, want string }{
		{"cart", "88213", "88213"}, {"Authorization", "Bearer abc", filtered}, {"X-Api-Key", "abc", filtered}, {"db_password", "abc", filtered}, {"password", "", ""},
		{"form", `{"a":1,"password":"abc","deep":[{"token":"abc"}]}`, `{"a":1,"deep":[{"token":"[Filtered]"}],"password":"[Filtered]"}`},
		{"form", `{"b":1.50,"a":"<x>"}`, `{"b":1.50,"a":"<x>"}`}, // without a secret nothing is written anew
		{"form", `{"password":"abc","cut`, `{"password":"[Filtered]","cut`},
		{"form", `{'password': 'a\'bc', 'n': 1}`, `{'password': "[Filtered]", 'n': 1}`},
		{"form", `{"a":1} {"password":"abc"}`, `{"a":1} {"password":"[Filtered]"}`},
		{"url", "https://mara:abc@host/path?x=1", "https://[Filtered]@host/path?x=1"},
		{"url", "https://host/?a=1&access_token=abc&key=abc&b#f", "https://host/?a=1&access_token=[Filtered]&key=[Filtered]&b#f"},
		{"url", "https://host/?access%5Ftoken=abc", "https://host/?access%5Ftoken=[Filtered]"},
	} {
		if got := masked(c.key, c.value); got != c.want {
			t.Errorf("%s %s\n got %s\nwant %s", c.key, c.value, got, c.want)
		}
	}
}

// TestNoSecretOnThePage holds over every place of an event that may carry one: the sample has the same secret in
// headers, cookies, the query, the body and a local variable.
func TestNoSecretOnThePage(t *testing.T) {
	t.Parallel()
	p := sampleIssuePage()
	p.Event.Breadcrumbs[0].Data = append(p.Event.Breadcrumbs[0].Data, envelope.Field{Key: "url", Value: "https://x/?token=tok-cafe-1234"})
	p.Event.Request.URL = "https://u:tok-cafe-1234@shop.example/?token=tok-cafe-1234"
	p.Event.Extra = append(p.Event.Extra, envelope.Field{Key: "sent", Value: `{"secret":"tok-cafe-1234"}`, JSON: true})
	html := rendered(t, IssuePage(sampleChrome("/"), p))
	if at := strings.Index(html, "tok-cafe"); at >= 0 {
		t.Errorf("a secret is shown: %s", html[max(0, at-200):at+20])
	}
	for _, want := range []string{"filtered", "88213", "rates.freight.example"} {
		if !strings.Contains(html, want) {
			t.Errorf("the page lacks %q", want)
		}
	}
}

// TestCurlIsHarmless gives the command what would be options, files or patterns to curl.
func TestCurlIsHarmless(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		r          envelope.Request
		want, lack string
	}{
		"option as the address": {envelope.Request{URL: "-o/tmp/x"}, `--url '-o/tmp/x'`, ""},
		"option as the method":  {envelope.Request{URL: "x", Method: "--output"}, `-X 'output'`, "--output"},
		"file of headers":       {envelope.Request{URL: "x", Headers: []envelope.Pair{{Key: "@/etc/passwd", Value: "y"}}}, "curl 'x'", "passwd"},
		"file as the body":      {envelope.Request{URL: "x", Data: "@/etc/passwd"}, `--data-raw '@/etc/passwd'`, ""},
		"pattern":               {envelope.Request{URL: "https://x/[1-999]"}, `curl -g 'https://x/[1-999]'`, ""},
		"empty header":          {envelope.Request{URL: "x", Headers: []envelope.Pair{{Key: "Accept", Value: ""}}}, `-H 'Accept;'`, ""},
		"end of a paste":        {envelope.Request{URL: "x\x1b[201~\rrm -rf"}, `$'x\033[201~\015rm -rf'`, "\x1b"},
		"form": {envelope.Request{URL: "x", Data: "{}", Headers: []envelope.Pair{{Key: "content-type", Value: "application/x-www-form-urlencoded; charset=utf-8"}},
			DataFields: []envelope.Field{{Key: "a b", Value: "c&d"}, {Key: "password", Value: "abc"}}}, `--data-raw 'a+b=c%26d&password=[Filtered]'`, "abc"},
	} {
		got := curl(&c.r)
		if !strings.Contains(got, c.want) || (c.lack != "" && strings.Contains(got, c.lack)) {
			t.Errorf("%s: got %s", name, got)
		}
	}
}

// TestQuoteInAShell lets a shell read what was quoted.
func TestQuoteInAShell(t *testing.T) {
	t.Parallel()
	bash, err := exec.LookPath("bash")
	if err != nil {
		t.Skip("no bash here")
	}
	for _, text := range []string{"", "plain", "it's", `a\b "c" $HOME $(id) ` + "`id`", "two\nlines\ttab", "esc\x1b[31m\x017'\\", "\u0085next", "ünïcode ☃", "'''", "!history"} {
		out, err := exec.CommandContext(t.Context(), bash, "-c", "printf %s "+quote(text)).Output()
		if err != nil || string(out) != text {
			t.Errorf("%q: got %q, %v", text, out, err)
		}
	}
}

func FuzzMasked(f *testing.F) {
	for _, s := range []string{`{"token":"x"}`, `[{"password":`, "https://a:b@c/?token=d", `{'secret': "`} {
		f.Add("k", s)
	}
	f.Fuzz(func(t *testing.T, key, value string) {
		got := masked(key, value)
		if utf8.ValidString(value) && !utf8.ValidString(got) {
			t.Errorf("%q became %q", value, got)
		}
		if secretName(key) && value != "" && got != filtered {
			t.Errorf("%q is shown", key)
		}
	})
}
