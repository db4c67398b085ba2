package grouping

import (
	"strings"
	"sync"
)

// baseRules are the rules that hold for every project. The facts, which function or library is what, are those of
// the published configurations; see basetables.go.
func baseRules(c Config) *ruleSet {
	if c.newer(Newstyle2023) {
		return base2026()
	}
	return base2023()
}

var (
	base2023 = sync.OnceValue(func() *ruleSet { return compileBase(Newstyle2023) })
	base2026 = sync.OnceValue(func() *ruleSet { return compileBase(Newstyle2026) })
)

func compileBase(c Config) *ruleSet {
	list, err := parseStackRules(baseText(c))
	if err != nil {
		panic(err) // a mistake in the tables, found by any test
	}
	return newRuleSet(list)
}

// facts are patterns of one field that all get the same actions.
type facts struct {
	match    string // what stands before each pattern
	patterns string // a line each
	do       string // what stands behind it
}

// baseText writes the tables out as rules. The order matters: a frame's later category replaces the earlier.
func baseText(c Config) string {
	var b strings.Builder
	for _, table := range [...][]facts{baseOwnCode, baseErrors, baseReporters, baseCategories, baseMeanings(c), baseLibraries} {
		for _, f := range table {
			for line := range strings.Lines(f.patterns) {
				if line = strings.TrimSpace(line); line != "" {
					b.WriteString(f.match + line + " " + f.do + "\n")
				}
			}
		}
	}
	return b.String()
}
