package views

import (
	"strings"

	"kibitz/grouping"
)

// diffLine is a line of a text that changed: '+' was added, '-' taken away, ' ' stands beside a change. '~' stands
// for lines that are left out.
type diffLine struct {
	op   byte
	text string
}

const (
	// diffContext is how many unchanged lines stand around a change.
	diffContext = 2
	// maxDiffCells bounds the work of one comparison: 1,000 changed lines against 1,000. Beyond, all old lines go and
	// all new ones come.
	maxDiffCells = 1 << 20
	// maxDiffLines bounds what a page shows of one comparison.
	maxDiffLines = 200
)

// lineDiff tells what changed from one text to another; nil when nothing did.
func lineDiff(before, after string) []diffLine {
	a, b := textLines(before), textLines(after)
	head := 0
	for head < min(len(a), len(b)) && a[head] == b[head] {
		head++
	}
	tail := 0
	for tail < min(len(a), len(b))-head && a[len(a)-1-tail] == b[len(b)-1-tail] {
		tail++
	}
	if head == len(a) && head == len(b) {
		return nil
	}
	var out []diffLine
	for _, line := range a[:head] {
		out = append(out, diffLine{' ', line})
	}
	out = append(out, changed(a[head:len(a)-tail], b[head:len(b)-tail])...)
	for _, line := range a[len(a)-tail:] {
		out = append(out, diffLine{' ', line})
	}
	return around(out)
}

// textLines are the lines of a text; an empty text has none.
func textLines(text string) []string {
	text = strings.TrimRight(strings.ReplaceAll(text, "\r\n", "\n"), "\n")
	if text == "" {
		return nil
	}
	return strings.Split(text, "\n")
}

// changed keeps as many lines as can be.
func changed(a, b []string) (out []diffLine) {
	i, j := 0, 0
	if len(a)*len(b) <= maxDiffCells {
		common := grouping.CommonLengths(a, b)
		for i < len(a) && j < len(b) {
			switch {
			case a[i] == b[j]:
				out = append(out, diffLine{' ', a[i]})
				i, j = i+1, j+1
			case common[i+1][j] >= common[i][j+1]:
				out = append(out, diffLine{'-', a[i]})
				i++
			default:
				out = append(out, diffLine{'+', b[j]})
				j++
			}
		}
	}
	for ; i < len(a); i++ {
		out = append(out, diffLine{'-', a[i]})
	}
	for ; j < len(b); j++ {
		out = append(out, diffLine{'+', b[j]})
	}
	return out
}

// around leaves out what is far from any change, and what is beyond the limit of a page.
func around(all []diffLine) (out []diffLine) {
	near := make([]bool, len(all))
	for i, line := range all {
		if line.op != ' ' {
			for n := max(0, i-diffContext); n <= min(len(all)-1, i+diffContext); n++ {
				near[n] = true
			}
		}
	}
	for i, line := range all {
		switch {
		case near[i] && len(out) < maxDiffLines:
			out = append(out, line)
		case len(out) == 0 || out[len(out)-1].op != '~':
			out = append(out, diffLine{'~', "…"})
		}
	}
	return out
}

// diffSource are the lines of a comparison as they stand in pre.src.
func diffSource(list []diffLine) []sourceLine {
	out := make([]sourceLine, len(list))
	for i, line := range list {
		out[i] = sourceLine{text: line.text, op: line.op}
	}
	return out
}

// diffCounts says how much changed: "3 lines added, 1 removed".
func diffCounts(list []diffLine) string {
	var added, removed int64
	for _, line := range list {
		switch line.op {
		case '+':
			added++
		case '-':
			removed++
		}
	}
	var parts []string
	if added > 0 {
		parts = append(parts, many(added, "line")+" added")
	}
	if removed > 0 {
		parts = append(parts, many(removed, "line")+" removed")
	}
	return joined(parts...)
}
