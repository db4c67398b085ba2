package views

import (
	"html"
	"regexp"
	"strings"
	"testing"
)

func TestTokens(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ platform, line, want string }{
		{"python", `    def tax_for(cart):  # owed`, "    k[def] f[tax_for](cart):  c[# owed]"},
		{"python", `raise E(f"cart {pk}") from exc`, `k[raise] E(s[f"cart {pk}"]) k[from] exc`},
		{"python", `x = """doc""" + 'it\'s'`, `x = s["""doc"""] + s['it\'s']`},
		{"go", "func Flush() { return 0x1f } // done", "k[func] f[Flush]() { k[return] n[0x1f] } c[// done]"},
		{"javascript", "const a = `b ${c}`;", "k[const] a = s[`b ${c}`];"},
		{"rust", "fn first<'a>(s: &'a str) {", "k[fn] f[first]<'a>(s: &'a str) {"},
		{"ruby", `raise "open # not a comment" # one`, `k[raise] s["open # not a comment"] c[# one]`},
		{"php", `$a = "never closed`, `$a = s["never closed]`},
		{"text", `def 88 "is prose"`, `def 88 "is prose"`},
		{"unknown", `name2 = größe`, `name2 = größe`},
	} {
		var got strings.Builder
		for _, tok := range tokens(c.line, lexiconOf(c.platform)) {
			if tok.class == "" {
				got.WriteString(tok.text)
			} else {
				got.WriteString(tok.class + "[" + tok.text + "]")
			}
		}
		if got.String() != c.want {
			t.Errorf("%s\n got %s\nwant %s", c.platform, got.String(), c.want)
		}
	}
}

// TestLongLine leaves a line without colours that would take long to read.
func TestLongLine(t *testing.T) {
	t.Parallel()
	if got := tokens(strings.Repeat(`'\`, maxColoured), lexiconOf("python")); len(got) != 1 {
		t.Errorf("%d tokens", len(got))
	}
	if got := tokens("if "+strings.Repeat("x", maxColoured-3), lexiconOf("python")); len(got) != 2 {
		t.Errorf("%d tokens in the longest line with colours", len(got))
	}
}

func TestCode(t *testing.T) {
	t.Parallel()
	got := rendered(t, code([]sourceLine{{number: 7, text: `a = "<b>"`}, {number: 8, hit: true}}, "python"))
	want := `<code><span class="l" data-n="7">a = <span class="s">&#34;&lt;b&gt;&#34;</span></span><span class="l" data-n="8" data-hit></span></code>`
	if got != want {
		t.Errorf("\n got %s\nwant %s", got, want)
	}
}

var tags = regexp.MustCompile(`</?(span|code)[^<>]*>`)

// FuzzCode holds that colours change no character of a line, and that nothing of it becomes markup.
func FuzzCode(f *testing.F) {
	for _, s := range []string{`def f("x`, "a'b`c\"\\", "// <script>", `r"\`, "0x1'é'", `'''`} {
		f.Add(s, "python")
		f.Add(s, "rust")
	}
	f.Fuzz(func(t *testing.T, line, platform string) {
		var joined strings.Builder
		for _, tok := range tokens(line, lexiconOf(platform)) {
			joined.WriteString(tok.text)
		}
		if joined.String() != line {
			t.Fatalf("%q became %q", line, joined.String())
		}
		page := rendered(t, code([]sourceLine{{text: line}}, platform))
		bare := tags.ReplaceAllString(page, "")
		if strings.ContainsAny(bare, "<>") || html.UnescapeString(bare) != html.UnescapeString(html.EscapeString(line)) {
			t.Fatalf("%q is on the page as %q", line, page)
		}
	})
}
