package grouping

import (
	"fmt"
	"strings"
)

// RuleKind is one of the two texts of rules that a project has.
type RuleKind string

// The kinds of rules.
const (
	StackRules       RuleKind = "stack trace rules"
	FingerprintRules RuleKind = "fingerprint rules"
)

// RuleError is one finding in a project's rules.
type RuleError struct {
	Kind    RuleKind
	Line    int      // from 1; 0 when it concerns the whole text
	Column  int      // from 1, in characters; 0 when it concerns the whole line
	Problem string   // what is wrong, as a sentence part: there is no matcher "functoin"
	Allowed []string // what may stand there; nil when that cannot be listed
	Limit   string   // the name of the limit that was exceeded; "" for none
	Warning bool     // the rules can be used, and this one never matches
}

// Error names line, column, the problem and what is allowed.
func (e RuleError) Error() string {
	var b strings.Builder
	b.WriteString(string(e.Kind))
	if e.Line > 0 {
		fmt.Fprintf(&b, ", line %d", e.Line)
	}
	if e.Column > 0 {
		fmt.Fprintf(&b, ", column %d", e.Column)
	}
	b.WriteString(": " + e.Problem)
	if len(e.Allowed) > 0 {
		b.WriteString("; allowed: " + strings.Join(e.Allowed, ", "))
	}
	return b.String()
}

// RuleErrors are all findings in a project's rules.
type RuleErrors []RuleError

// Error joins the findings, a line each.
func (list RuleErrors) Error() string {
	lines := make([]string, len(list))
	for i, e := range list {
		lines[i] = e.Error()
	}
	return strings.Join(lines, "\n")
}
