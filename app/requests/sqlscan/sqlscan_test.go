package sqlscan

import (
	"fmt"
	"strings"
	"testing"
)

func TestTokens(t *testing.T) {
	t.Parallel()
	for sql, want := range map[string]string{
		`SELECT a.B, "C""d" FROM t`:    `w:select w:a s:. w:b s:, n:C"d w:from w:t`,
		`x = $1 -- '; DROP`:            `w:x s:= p:$1`,
		"a /* b /* c */ ' */ d":        `w:a w:d`,
		`'it''s' E'a\'b' B'01' N'x'`:   `t:it's t:ab t:01 t:x`,
		`$$;COMMIT$$ $a1$ $$ $a1$ $1a`: `t:;COMMIT t: $$  p:$1 w:a`,
		`U&"pg\005fsleep" u&'x'`:       `e:U& e:U&`,
		`'open`:                        `o:'`,
		`a /* open`:                    `w:a o:/*`,
		`$tag$ open $ta`:               `o:$tag$`,
		`'back\' ; x`:                  `t:back\ s:; w:x`,
		`1.5e3 .5 1_000 a$b`:           `d:1.5e3 d:.5 d:1_000 w:a$b`,
		`ÄRGER`:                        `w:Ärger`,
		"--\r\nSELECT":                 `w:select`,
		`$ $`:                          `s:$ s:$`,
		"":                             "",
	} {
		var got []string
		for _, tok := range Tokens(sql, 100) {
			got = append(got, fmt.Sprintf("%c:%s", "wntdpseo"[tok.Kind], tok.Text))
		}
		if s := strings.Join(got, " "); s != want {
			t.Errorf("%s\n got %s\nwant %s", sql, s, want)
		}
	}
	if got := Tokens(strings.Repeat("a ", 100), 7); len(got) != 7 {
		t.Errorf("%d tokens", len(got))
	}
}

// FuzzTokens: whatever the text, the scanner ends, and reads every byte once.
func FuzzTokens(f *testing.F) {
	for _, s := range []string{`SELECT 'a''b', $1, $$x$$ /* c /* d */ */ -- e`, `E'\`, `U&"`, `$`, `"`, `/*`, "a\x00b", "\xff'"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, sql string) {
		if n := len(Tokens(sql, len(sql)+2)); n > len(sql)+1 {
			t.Errorf("%d tokens of %d bytes", n, len(sql))
		}
	})
}
