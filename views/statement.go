package views

import (
	"fmt"
	"strconv"
	"strings"

	"github.com/a-h/templ"

	"kibitz/app/model"
)

// byteText is a size with three figures at most, in powers of 1,024 as PostgreSQL writes them.
func byteText(n int64) string {
	size, units := float64(max(n, 0)), []string{"B", "kB", "MB", "GB", "TB"}
	unit := 0
	for size >= 1000 && unit < len(units)-1 {
		size, unit = size/1024, unit+1
	}
	return threeFigures(size) + " " + units[unit]
}

// isSelect tells whether a statement could be run for its plan; the server looks again.
func isSelect(sql string) bool {
	word, _, _ := strings.Cut(strings.TrimLeft(sql, " \t\r\n("), " ")
	switch strings.ToLower(strings.TrimSpace(word)) {
	case "select", "with", "values", "table":
		return true
	}
	return false
}

func valueAt(values []string, i int) string {
	if i < len(values) {
		return values[i]
	}
	return ""
}

// planLine is a step of a plan with its place in the tree.
type planLine struct {
	node  model.PlanNode
	depth int
	share float64 // of the whole plan's cost, its own only
}

// planLines are a plan's steps in the order in which EXPLAIN writes them.
func planLines(p *model.Plan) (out []planLine) {
	whole := sumOfSelf(p.Root)
	var walk func(n model.PlanNode, depth int)
	walk = func(n model.PlanNode, depth int) {
		l := planLine{node: n, depth: depth}
		if whole > 0 {
			l.share = n.Self / whole
		}
		out = append(out, l)
		for _, child := range n.Children {
			walk(child, depth+1)
		}
	}
	walk(p.Root, 0)
	return out
}

func sumOfSelf(n model.PlanNode) float64 {
	sum := n.Self
	for _, child := range n.Children {
		sum += sumOfSelf(child)
	}
	return sum
}

// maxPlanIndent bounds how far a step is moved to the right.
const maxPlanIndent = 20

func planIndent(depth int) templ.SafeCSS {
	return templ.SafeCSS("--d:" + strconv.Itoa(min(depth, maxPlanIndent)))
}

func planWhere(n model.PlanNode) string {
	switch {
	case n.Index != "" && n.Relation != "":
		return "on " + n.Relation + " using " + n.Index
	case n.Relation != "":
		return "on " + n.Relation
	case n.Index != "":
		return "using " + n.Index
	}
	return ""
}

// planSummary says a plan in a sentence.
func planSummary(p *model.Plan) string {
	text := fmt.Sprintf("Cost %s for %s rows.", digits(p.Root.Total), digits(p.Root.Rows))
	if p.Generic {
		text += " A generic plan: made without the values, as prepared statements are after their fifth use."
	}
	if p.Ran {
		text += fmt.Sprintf(" It ran for %s ms, after %s ms of planning.", msText(p.Execution), msText(p.Planning))
	}
	for _, s := range p.Settings {
		text += " " + s.Key + " = " + s.Value + "."
	}
	return text
}

// ioTimes says how long a statement waited for blocks; the server measures that only when it is told to.
func ioTimes(io model.StatementIO) string {
	if io.ReadTime+io.WriteTime == 0 {
		return digits(float64(io.Hit)) + " blocks in memory"
	}
	return fmt.Sprintf("%s ms reading, %s ms writing", msText(io.ReadTime), msText(io.WriteTime))
}
