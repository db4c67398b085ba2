package sqltext

import "strings"

// keywords are those that PostgreSQL reserves, and those that people expect to see coloured. A word of this list keeps
// its quotes, and stands apart from a parenthesis that follows it.
var keywords = wordSet(`all alter analyze and any array as asc asymmetric authorization begin between both by cascade case cast check
	close cluster collate column commit concurrently conflict constraint copy create cross cube current current_date current_time
	current_timestamp cursor database deallocate declare default deferrable delete desc discard distinct do drop each else end escape
	except exclude execute exists explain false fetch filter first following for foreign from full function grant group grouping
	having if ilike in index inner insert instead intersect into is isnull join key language last lateral leading left
	like limit listen lock match materialized merge move natural next no not nothing notify notnull null nulls of off offset on only or
	order outer over overlaps partition preceding prepare primary procedure range recursive references refresh reindex
	release rename replace reset restrict returning returns revoke right rollback rollup row rows savepoint schema select sequence
	set show similar some start symmetric table tablesample temporary then to trailing transaction trigger truncate
	true unbounded union unique unlisten update user using vacuum values variadic view when where window with within without`)

func wordSet(words string) map[string]bool {
	set := map[string]bool{}
	for _, w := range strings.Fields(words) {
		set[w] = true
	}
	return set
}

// maxKeyword is longer than any keyword.
const maxKeyword = 20

// IsKeyword tells whether a word, in any case, is one of SQL's own.
func IsKeyword(text string) bool {
	var b [maxKeyword]byte
	if len(text) > len(b) {
		return false
	}
	for i := range len(text) {
		b[i] = lower(text[i])
	}
	return keywords[string(b[:len(text)])]
}

func lower(c byte) byte {
	if c >= 'A' && c <= 'Z' {
		return c + 'a' - 'A'
	}
	return c
}

// lowered folds ASCII letters only, as PostgreSQL does with identifiers in UTF-8.
func lowered(s string) string {
	for i := range len(s) {
		if s[i] != lower(s[i]) {
			b := []byte(s)
			for j := range b {
				b[j] = lower(b[j])
			}
			return string(b)
		}
	}
	return s
}
