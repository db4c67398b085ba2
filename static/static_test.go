package static

import (
	"strings"
	"testing"
)

func TestEveryFileOpens(t *testing.T) {
	t.Parallel()
	for _, name := range []string{"tokens.css", "base.css", "components.css", "pages.css", "charts.css", "kibitz.js", "charts.js", "waterfall.js", "clock.js", "switches.js", "switchpages.js", "favicon.svg"} {
		p := Path(name)
		body, gz, kind, ok := Open(strings.TrimPrefix(p, "/static/"))
		if !ok || len(body) == 0 || kind == "" || (gz != nil && len(gz) >= len(body)) {
			t.Errorf("%s at %s: %d bytes of %q, %v", name, p, len(body), kind, ok)
		}
		if p == "/static/"+name {
			t.Errorf("%s has no hash in its name", name)
		}
	}
	if _, _, _, ok := Open("../go.mod"); ok {
		t.Error("a file outside opens")
	}
}

// TestNothingFromElsewhere holds that no style or script asks another host for anything.
func TestNothingFromElsewhere(t *testing.T) {
	t.Parallel()
	for hashed, f := range load().files {
		text := strings.ReplaceAll(string(f.body), "http://www.w3.org/", "")
		for _, word := range []string{"http://", "https://", "@import", "url(//"} {
			if strings.Contains(text, word) {
				t.Errorf("%s contains %q", hashed, word)
			}
		}
	}
}

// TestClientIsSmall holds that the client of switches costs a page less than 1 KB, and that nothing but comments is left out of it.
func TestClientIsSmall(t *testing.T) {
	t.Parallel()
	c := Client()
	if len(c.Gzip) == 0 || len(c.Gzip) > 1024 {
		t.Errorf("%d bytes compressed", len(c.Gzip))
	}
	text := string(c.Body)
	if strings.Contains(text, "\n//") || !strings.Contains(text, "window.kibitz = {") || !strings.HasSuffix(text, "})()\n") {
		t.Errorf("the client is:\n%s", text)
	}
}
