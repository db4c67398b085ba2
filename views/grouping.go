package views

import (
	"cmp"
	"regexp"
	"strconv"
	"strings"
	"time"

	"kibitz/app/model"
	"kibitz/grouping"
)

// GroupingProps is how a project groups, with the editor of its rules.
type GroupingProps struct {
	Project    model.Project
	Current    model.Grouping
	Draft      model.Grouping // what the editors hold; Draft.Version is the one that it was made from
	Window     string         // of Windows
	Checked    bool           // somebody asked for findings
	Findings   grouping.RuleErrors
	Error      string
	Conflict   *GroupingConflict
	History    []GroupingVersion // the newest first
	Rehearsals []RehearsalRow    // the newest first
	Tombstones []TombstoneRow
	Refiles    []RefileRow
}

// GroupingConflict is what somebody else saved while the draft was written.
type GroupingConflict struct {
	Theirs model.Grouping
	Who    string
}

// GroupingVersion is one version of the history beside the one before it.
type GroupingVersion struct {
	model.Grouping
	Who    string
	Before model.Grouping
}

// RehearsalRow is a line of the list of rehearsals.
type RehearsalRow struct {
	model.Rehearsal
	Who    string
	Undone bool // it was applied, and that was undone
}

// TombstoneRow is an issue whose events are discarded, with its hashes.
type TombstoneRow struct {
	Title  string
	Hashes []string
	At     time.Time
}

// Window is a stretch of the past to rehearse on.
type Window struct {
	Name, Words string
	Length      time.Duration
}

// Windows are the choices, the shortest first.
var Windows = []Window{{"1h", "last hour", time.Hour}, {"24h", "last 24 hours", 24 * time.Hour}, {"7d", "last 7 days", 7 * 24 * time.Hour},
	{"14d", "last 14 days", 14 * 24 * time.Hour}, {"30d", "last 30 days", 30 * 24 * time.Hour}}

// WindowOf is the window with a name; the last 7 days when there is none of that name.
func WindowOf(name string) Window {
	for _, w := range Windows {
		if w.Name == name {
			return w
		}
	}
	return Windows[2]
}

// configHelp says what a configuration does otherwise than its neighbours.
func configHelp(name string) string {
	switch grouping.Config(name) {
	case grouping.Newstyle2026:
		return "Groups by the program's own frames and falls back on all frames; messages lose numbers, ids, dates and addresses. The newest."
	case grouping.Newstyle2023:
		return "The one before: an exception's stack trace stands before its type, so that every hash is another, and a call that raises an error counts itself. For projects that come from it."
	}
	return "A configuration that this version of Kibitz does not know."
}

// configChange says what choosing another configuration will do.
const configChange = "Issues stay whole when you change it: for 90 days a new event also finds its group by the hash of the configuration before, and no alert is sent again."

// configOf is the configuration of a grouping by its full name.
func configOf(g model.Grouping) string {
	if g.Config == "" {
		return string(grouping.Current)
	}
	return g.Config
}

// shownFindings bounds the list of a page.
const shownFindings = 50

// findingPlace is where a finding stands: "line 3, column 5".
func findingPlace(e grouping.RuleError) string {
	switch {
	case e.Line == 0:
		return "the whole text"
	case e.Column == 0:
		return "line " + strconv.Itoa(e.Line)
	}
	return "line " + strconv.Itoa(e.Line) + ", column " + strconv.Itoa(e.Column)
}

// editorID is the field that a finding is about.
func editorID(e grouping.RuleError) string {
	if e.Kind == grouping.FingerprintRules {
		return "fingerprint_rules"
	}
	return "stack_rules"
}

// findingLine is the line that a finding is about, cut in two where it begins.
func findingLine(p GroupingProps, e grouping.RuleError) (before, at string) {
	text := p.Draft.StackRules
	if e.Kind == grouping.FingerprintRules {
		text = p.Draft.FingerprintRules
	}
	lines := textLines(text)
	if e.Line < 1 || e.Line > len(lines) {
		return "", ""
	}
	line := []rune(lines[e.Line-1])
	cut := min(max(e.Column-1, 0), len(line))
	from := max(0, cut-60)
	return string(line[from:cut]), string(line[cut:min(len(line), cut+120)])
}

// maxGutter bounds the numbers beside an editor: 2,000 rules, and four lines of comment to each.
const maxGutter = 10_000

// gutter is the numbers beside an editor, with some to grow into.
func gutter(text string) string {
	var b strings.Builder
	last := min(strings.Count(text, "\n")+40, maxGutter)
	for n := 1; n <= last; n++ {
		b.WriteString(strconv.Itoa(n) + "\n")
	}
	return b.String()
}

// groupingSentence says how a project groups now.
func groupingSentence(p GroupingProps) string {
	stack, prints := grouping.CountRules(p.Current.StackRules), grouping.CountRules(p.Current.FingerprintRules)
	if stack+prints == 0 {
		return "Events are grouped by " + configOf(p.Current) + " without rules of this project."
	}
	return "Events are grouped by " + configOf(p.Current) + ", " + many(int64(stack), "stack trace rule") + " and " + many(int64(prints), "fingerprint rule") + " of this project."
}

// noteOfRehearsal is a note that ends with the number of a rehearsal, which a link stands for.
var noteOfRehearsal = regexp.MustCompile(`^(.*) rehearsal (\d{1,19})$`)

// versionWords says how a version came to be.
func versionWords(v model.Grouping) string {
	if m := noteOfRehearsal.FindStringSubmatch(v.Note); m != nil {
		return m[1]
	}
	return cmp.Or(v.Note, "edited")
}

// rehearsalOf is the rehearsal that a version came from; 0 for none.
func rehearsalOf(v model.Grouping) int64 {
	if m := noteOfRehearsal.FindStringSubmatch(v.Note); m != nil {
		id, _ := strconv.ParseInt(m[2], 10, 64)
		return id
	}
	return 0
}

// secondaryWords says which older configuration still finds groups; "" when none does.
func secondaryWords(g model.Grouping, now time.Time) string {
	if g.SecondaryConfig == "" || !g.SecondaryUntil.After(now) {
		return ""
	}
	return "Groups of " + g.SecondaryConfig + " are found too, until " + g.SecondaryUntil.UTC().Format("2 Jan 2006") + "."
}
