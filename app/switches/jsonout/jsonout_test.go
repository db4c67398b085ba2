package jsonout

import (
	"encoding/json"
	"strings"
	"testing"
)

// FuzzText holds that what is written reads back as what was given, made valid.
func FuzzText(f *testing.F) {
	for _, s := range []string{"", "plain", `"quoted" \ slash`, "line\nand\ttab\r\x00\x1f", "ümlaut 漢字 🙂", "bad \xff\xc0\xaf end", "</script>", "\u2028"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		var got string
		out := Text([]byte("x"), s)
		if out[0] != 'x' {
			t.Fatal("what was there is gone")
		}
		if err := json.Unmarshal(out[1:], &got); err != nil {
			t.Fatalf("%q: %v", out, err)
		}
		// Each bad byte is a U+FFFD of its own, as encoding/json has it.
		want, err := json.Marshal(s)
		if err != nil {
			t.Fatal(err)
		}
		var same string
		if err := json.Unmarshal(want, &same); err != nil || got != same {
			t.Fatalf("%q became %q, encoding/json says %q", s, got, same)
		}
		if strings.Contains(string(out), "</script") {
			t.Error("it could end a script")
		}
	})
}
