package views

import (
	"math"
	"strings"
	"testing"

	"kibitz/app/model"
	"kibitz/grouping"
)

// TestEditorKeepsText: what was written comes back letter by letter, first empty lines and markup included.
func TestEditorKeepsText(t *testing.T) {
	t.Parallel()
	p := sampleGroupingPage()
	p.Draft.StackRules = "\n\n  stack.module:a -app\n</textarea><b>\t&amp;\n"
	html := rendered(t, GroupingPage(sampleChrome("/"), p))
	want := ">\n\n\n  stack.module:a -app\n&lt;/textarea&gt;&lt;b&gt;\t&amp;amp;\n</textarea>" // browsers drop the first line end
	if !strings.Contains(html, want) {
		at := strings.Index(html, `name="stack_rules"`)
		t.Errorf("the editor holds %q", html[at:min(len(html), at+400)])
	}
}

func TestFindings(t *testing.T) {
	t.Parallel()
	p := sampleGroupingPage()
	html := rendered(t, Findings(p))
	for _, want := range []string{"1 mistake", "Stack trace rules, line 3, column 1", `data-goto="stack_rules" data-line="3" data-column="1"`, "<mark>functoin:retry_* -group</mark>",
		"Allowed: <span class=\"mono\">function, module", "1 warning", "error.type:<mark>ReadTimeout"} {
		if !strings.Contains(html, want) {
			t.Errorf("%s\nlacks %s", html, want)
		}
	}
	p.Findings = nil
	if html := rendered(t, Findings(p)); !strings.Contains(html, "The rules can be used: 3 stack trace rules, 1 fingerprint rule.") {
		t.Errorf("no finding: %s", html)
	}
	p.Findings = make([]grouping.RuleError, 2000)
	if html := rendered(t, Findings(p)); strings.Count(html, "<li>") != shownFindings || !strings.Contains(html, "1,950 findings more") {
		t.Error("the list of findings has no bound")
	}
}

func TestRehearsalSentence(t *testing.T) {
	t.Parallel()
	for want, r := range map[string]model.RehearsalResult{
		"Of 12,340 events in 214 issues, 320 would move: 3 issues split, 2 take others in.":     {Events: 12340, IssuesBefore: 214, Moved: 320, SplitCount: 3, MergeCount: 2},
		"Of 1,204,113 events in 1 issue, 1,000,000 would move: 1 issue splits.":                 {Events: 1204113, IssuesBefore: 1, Moved: 1000000, SplitCount: 1},
		"Of 9 events in 2 issues, 4 would move: 1 issue takes others in.":                       {Events: 9, IssuesBefore: 2, Moved: 4, MergeCount: 1},
		"Of 9 events in 2 issues, 4 would move: 1 issue splits, 1 takes others in.":             {Events: 9, IssuesBefore: 2, Moved: 4, SplitCount: 1, MergeCount: 1},
		"Of 9 events in 2 issues, none would move. The rules would change nothing of the past.": {Events: 9, IssuesBefore: 2},
		"No event arrived in this window, so there is nothing to see. Take a longer one.":       {},
	} {
		if got := resultSentence(r); got != want {
			t.Errorf("got %s\nwant %s", got, want)
		}
	}
	r := sampleRehearsal()
	r.State, r.Result, r.Done, r.Total = model.JobRunning, nil, 4000, 12000
	if got := rehearsalSentence(r); got != "Rehearsing: 4,000 of about 12,000 events of the 7 d before 19 Nov, 14:35 UTC looked at. Nothing changes meanwhile." {
		t.Error(got)
	}
}

// TestApplicationSentence: until the version of the rehearsal is in force, nobody is told that it is.
func TestApplicationSentence(t *testing.T) {
	t.Parallel()
	p := RehearsalProps{Refile: &RefileRow{Refile: model.Refile{Kind: model.RefileRegroup, State: model.JobRunning, Done: 500, Total: 2000}, Who: "Mara"}}
	if got := applicationSentence(p); !strings.HasSuffix(got, "new events are grouped as before.") {
		t.Error(got)
	}
	p.Stale = true
	if got := applicationSentence(p); got != "Mara applied it: new events are grouped by these rules, and 500 of 2,000 events filed anew." {
		t.Error(got)
	}
}

// TestRehearsalStates: what may be done depends on how far it has come.
func TestRehearsalStates(t *testing.T) {
	t.Parallel()
	const apply, cancel, undo, refresh = "/apply\"", "/cancel\"", "/undo\"", "http-equiv=\"refresh\""
	for name, tc := range map[string]struct {
		change func(*RehearsalProps)
		has    []string
	}{
		"done":    {func(*RehearsalProps) {}, []string{apply}},
		"running": {func(p *RehearsalProps) { p.Rehearsal.State, p.Rehearsal.Result = model.JobRunning, nil }, []string{cancel, refresh}},
		"stale":   {func(p *RehearsalProps) { p.Stale = true }, nil},
		"applying": {func(p *RehearsalProps) {
			p.Rehearsal.RefileID, p.Refile = 5, &RefileRow{Refile: model.Refile{ID: 5, Kind: model.RefileRegroup, State: model.JobRunning}}
		}, []string{undo, refresh}},
		"applied": {func(p *RehearsalProps) {
			p.Rehearsal.RefileID, p.Refile = 5, &RefileRow{Refile: model.Refile{ID: 5, Kind: model.RefileRegroup, State: model.JobDone}}
		}, []string{undo}},
		"undone": {func(p *RehearsalProps) {
			p.Rehearsal.RefileID, p.Refile = 5, &RefileRow{Refile: model.Refile{ID: 5, Kind: model.RefileRegroup, State: model.JobUndone}}
		}, nil},
		"failed": {func(p *RehearsalProps) { p.Rehearsal.State, p.Rehearsal.Result = model.JobFailed, nil }, nil},
	} {
		p := sampleRehearsalPage()
		tc.change(&p)
		html := rendered(t, RehearsalPage(sampleChrome("/projects/shop/rehearsals/17"), p))
		for _, part := range []string{apply, cancel, undo, refresh} {
			want := strings.Contains(strings.Join(tc.has, " "), part)
			if strings.Contains(html, part) != want {
				t.Errorf("%s: %s is there: %v", name, part, !want)
			}
		}
	}
}

// TestTree: frames that do not count for one reason share a line, those that count stand in one each, and what
// differs is marked and open.
func TestTree(t *testing.T) {
	t.Parallel()
	p := sampleCompare()
	list := treeOf(p.Result.A.Root, p.Result.Marked())
	stack := list[0].kids[2]
	if len(stack.kids) != 3 || stack.kids[0].name != "2 frames of django" || stack.kids[0].counts || stack.kids[1].open || !stack.kids[2].open || !stack.kids[2].hit {
		t.Errorf("%+v", stack.kids)
	}
	if words := strings.Join(stack.kids[2].values, " "); words != "shop.checkout.totals tax_for" {
		t.Errorf("the frame says %q", words)
	}
	var frames []*grouping.Component
	for range 10_000 {
		frames = append(frames, &grouping.Component{ID: "frame", Contributes: true, Children: []*grouping.Component{leaf("function", true, "", "f")}})
	}
	long := rendered(t, tree(treeOf(&grouping.Component{ID: "stacktrace", Contributes: true, Children: frames}, nil)))
	if strings.Count(long, "<li") > maxBranches+5 || !strings.Contains(long, "the text has the rest") {
		t.Errorf("%d lines of 10,000 frames", strings.Count(long, "<li"))
	}
}

func TestWhySentence(t *testing.T) {
	t.Parallel()
	if got := whySentence(sampleCompare().Left.Grouping); got != "Grouped by its exception type and 2 frames. 2 frames do not count." {
		t.Error(got)
	}
	if got := whySentence(grouping.Group(&grouping.Event{Fingerprint: []string{"x"}})); !strings.HasPrefix(got, "Grouped by a fingerprint") {
		t.Error(got)
	}
	if got := whySentence(grouping.Result{}); got != "" {
		t.Error(got)
	}
}

func TestFull(t *testing.T) {
	t.Parallel()
	for n, want := range map[int64]string{0: "0", 999: "999", 1000: "1,000", 12040: "12,040", 1000007: "1,000,007", -150: "-150", -1500: "-1,500",
		math.MinInt64: "-9,223,372,036,854,775,808"} {
		if got := full(n); got != want {
			t.Errorf("got %s, want %s", got, want)
		}
	}
}
