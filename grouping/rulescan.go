package grouping

import (
	"fmt"
	"iter"
	"strings"
	"unicode"
	"unicode/utf8"
)

// Limits of a project's rules, as RuleError.Limit names them.
const (
	LimitRules        = "project_rules"     // both kinds together
	LimitText         = "rule_text"         // both texts together
	LimitLine         = "rule_line"         // one rule
	LimitAlternatives = "glob_alternatives" // {a,b,c} in one glob
)

const (
	maxRules    = 2000
	maxRuleText = 256 << 10 // bytes
	maxRuleLine = 4 << 10   // bytes; a glob's automaton has at most two steps a byte
)

// ruleReader reads the texts of rules and collects what it finds in them.
type ruleReader struct {
	found RuleErrors
	rules int
}

// fits tells whether texts are short enough to be read at all.
func (r *ruleReader) fits(kind RuleKind, size int) bool {
	if size > maxRuleText {
		r.found = append(r.found, RuleError{Kind: kind, Limit: LimitText,
			Problem: fmt.Sprintf("%s: the rules have %d bytes, and %d are allowed; say the same with fewer globs, or split the project", LimitText, size, maxRuleText)})
	}
	return size <= maxRuleText
}

// admit counts a rule. Those beyond the limit are not read.
func (r *ruleReader) admit(kind RuleKind, line int) bool {
	if r.rules++; r.rules == maxRules+1 {
		r.found = append(r.found, RuleError{Kind: kind, Line: line, Limit: LimitRules,
			Problem: fmt.Sprintf("%s: this is one rule more than the %d of a project; put several into one with {a,b}, or split the project", LimitRules, maxRules)})
	}
	return r.rules <= maxRules
}

// each calls read with each line that holds a rule.
func (r *ruleReader) each(kind RuleKind, text string, read func(*ruleLine)) {
	for number, line := range ruleLines(text) {
		if !r.admit(kind, number) {
			return
		}
		p := &ruleLine{reader: r, kind: kind, number: number, text: strings.TrimRightFunc(line, unicode.IsSpace)}
		if p.fits(len(strings.TrimSpace(line))) {
			read(p)
		}
	}
}

// CountRules is how many lines of a rule text hold a rule.
func CountRules(text string) (n int) {
	for range ruleLines(text) {
		n++
	}
	return n
}

// ruleLines are the lines that hold a rule, each with its number from 1.
func ruleLines(text string) iter.Seq2[int, string] {
	text = strings.TrimPrefix(text, "\ufeff") // a file saved by a Windows editor starts with a byte-order mark
	return func(yield func(int, string) bool) {
		for n, line := range strings.Split(text, "\n") {
			if rule := strings.TrimSpace(line); rule != "" && rule[0] != '#' && !yield(n+1, line) {
				return
			}
		}
	}
}

// ruleLine is one line that is read from left to right. After what makes no sense, broken is set and the rest of the
// line is left alone.
type ruleLine struct {
	reader *ruleReader
	kind   RuleKind
	number int
	text   string
	at     int
	broken bool
	wrong  bool // there are errors, and not only warnings
}

func (p *ruleLine) fits(size int) bool {
	if size > maxRuleLine {
		p.report(RuleError{Limit: LimitLine,
			Problem: fmt.Sprintf("%s: the rule has %d bytes, and %d are allowed; divide it into several", LimitLine, size, maxRuleLine)})
	}
	return size <= maxRuleLine
}

func (p *ruleLine) report(e RuleError) {
	e.Kind, e.Line = p.kind, p.number
	p.wrong = p.wrong || !e.Warning
	p.reader.found = append(p.reader.found, e)
}

// fail reports what is wrong at a byte of the line, and goes on.
func (p *ruleLine) fail(at int, allowed []string, format string, args ...any) {
	p.report(RuleError{Column: p.column(at), Problem: fmt.Sprintf(format, args...), Allowed: allowed})
}

// stop is fail for what makes the rest of the line unreadable.
func (p *ruleLine) stop(at int, allowed []string, format string, args ...any) {
	p.fail(at, allowed, format, args...)
	p.broken = true
}

func (p *ruleLine) warn(at int, allowed []string, format string, args ...any) {
	p.report(RuleError{Column: p.column(at), Problem: fmt.Sprintf(format, args...), Allowed: allowed, Warning: true})
}

func (p *ruleLine) column(at int) int { return utf8.RuneCountInString(p.text[:at]) + 1 }

func (p *ruleLine) rest() string { return p.text[p.at:] }

func (p *ruleLine) blanks() {
	p.at = len(p.text) - len(strings.TrimLeftFunc(p.rest(), unicode.IsSpace))
}

func (p *ruleLine) take(what string) bool {
	if !strings.HasPrefix(p.rest(), what) {
		return false
	}
	p.at += len(what)
	return true
}

// word is the next name: letters, digits, underscores, dots and hyphens. It may be empty.
func (p *ruleLine) word() string {
	end := p.at
	for end < len(p.text) && isNameByte(p.text[end]) {
		end++
	}
	w := p.text[p.at:end]
	p.at = end
	return w
}

func isNameByte(c byte) bool {
	return c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' || c == '_' || c == '.' || c == '-'
}

// toBlank is everything up to the next white space.
func (p *ruleLine) toBlank() string {
	end := strings.IndexAny(p.rest(), " \t\r\n\f")
	if end < 0 {
		end = len(p.rest())
	}
	w := p.rest()[:end]
	p.at += end
	return w
}

// excerpt is what stands at a byte, short enough for a message.
func (p *ruleLine) excerpt(at int) string {
	w, _, _ := strings.Cut(p.text[at:], " ")
	if utf8.RuneCountInString(w) > 40 {
		w = string([]rune(w)[:40]) + "..."
	}
	return w
}

// unknown says that a name is not known, with the nearest one that is.
func unknown(what, name string, known []string) string {
	problem := fmt.Sprintf("there is no %s %q", what, name)
	if near := nearest(name, known); near != "" {
		problem += fmt.Sprintf(", perhaps %q is meant", near)
	}
	return problem
}

// nearest is the known word that takes the fewest slips to make of a name, "" when all would take too many.
func nearest(name string, known []string) (best string) {
	limit := min(2, len(name)/2) + 1
	for _, k := range known {
		if name == "" || len(name) > 40 || len(k) > len(name)+2 || len(name) > len(k)+2 {
			continue
		}
		if n := slips(strings.ToLower(name), k); n < limit {
			best, limit = k, n
		}
	}
	return best
}

// slips is how many letters must be left out, put in, replaced or swapped with the next to make b of a.
func slips(a, b string) int {
	var rows [3][48]int
	for i := range len(a) {
		before, row := &rows[(i+2)%3], &rows[i%3] // the row before, and this one
		older := &rows[(i+1)%3]
		if i == 0 {
			for j := 0; j <= len(b); j++ {
				before[j] = j
			}
		}
		row[0] = i + 1
		for j := range len(b) {
			cost := 1
			if a[i] == b[j] {
				cost = 0
			}
			row[j+1] = min(before[j]+cost, before[j+1]+1, row[j]+1)
			if i > 0 && j > 0 && a[i] == b[j-1] && a[i-1] == b[j] {
				row[j+1] = min(row[j+1], older[j-1]+1)
			}
		}
	}
	return rows[(len(a)+2)%3][len(b)]
}
