package views

import (
	"bytes"
	"reflect"
	"strings"
	"testing"

	"github.com/a-h/templ"

	"kibitz/app/model"
	"kibitz/app/requests/filter"
	"kibitz/ingest/envelope"
)

func rendered(t *testing.T, c templ.Component) string {
	t.Helper()
	var out bytes.Buffer
	if err := c.Render(t.Context(), &out); err != nil {
		t.Fatal(err)
	}
	return out.String()
}

// poison replaces every text within v, at any depth, by hostile text.
func poison(v reflect.Value, text string) {
	switch v.Kind() {
	case reflect.String:
		if v.CanSet() {
			v.SetString(text)
		}
	case reflect.Pointer, reflect.Interface:
		if !v.IsNil() {
			poison(v.Elem(), text)
		}
	case reflect.Struct:
		for i := range v.NumField() {
			if v.Type().Field(i).IsExported() {
				poison(v.Field(i), text)
			}
		}
	case reflect.Slice, reflect.Array:
		for i := range v.Len() {
			poison(v.Index(i), text)
		}
	}
}

// TestHostile puts text that would be markup into every field of every page: none of it becomes markup.
func TestHostile(t *testing.T) {
	t.Parallel()
	for _, text := range []string{`"><script>alert(1)</script>`, `'><img src=x onerror=alert(1)>`, "javascript:alert(1)", "a\x00b\x1b[31m\u202e", strings.Repeat("long ", 2000)} {
		chrome, issues, issue, welcome := sampleChrome("/"), sampleIssues(), sampleIssuePage(), sampleWelcome()
		tokens, projects := sampleTokens(), sampleProjectList()
		chrome.Toast = &Toast{Text: text, UndoAction: text, UndoFields: []envelope.Pair{{Key: text, Value: text}}}
		sign, setup, failure, fresh := SignInProps{}, SetupProps{}, ErrorProps{Status: 500}, WelcomeNewProps{}
		rules, rehearsal, hashes, compare := sampleGroupingPage(), sampleRehearsalPage(), sampleHashes(), sampleCompare()
		rules.Conflict, issue.Refiles, rehearsal.Refile = &GroupingConflict{Theirs: rules.Current}, sampleRefiles(), &sampleRefiles()[0]
		oneRequest, thin, requests, gone := sampleRequestPage(), thinRequestPage(), sampleRequests(), sampleNoRequest()
		requests.Problems = []filter.Problem{{Pos: 3}}
		for _, p := range []any{&oneRequest, &thin, &requests, &gone, &chrome, &issues, &issue, &welcome, &tokens, &projects, &sign, &setup, &failure, &fresh, &rules, &rehearsal, &hashes, &compare} {
			poison(reflect.ValueOf(p).Elem(), text)
		}
		for name, page := range map[string]templ.Component{"request": RequestPage(chrome, oneRequest), "request by time": RequestPage(chrome, viewed(oneRequest, "view=time")),
			"request as table": RequestPage(chrome, viewed(oneRequest, "view=table")), "thin request": RequestPage(chrome, thin), "requests": RequestsPage(chrome, requests),
			"no request": RequestGonePage(chrome, gone), "issues": IssuesPage(chrome, issues), "issue": IssuePage(chrome, issue), "welcome": WelcomePage(chrome, welcome),
			"new": WelcomeNewPage(chrome, fresh), "projects": ProjectsPage(chrome, projects), "tokens": TokensPage(chrome, tokens),
			"rules": GroupingPage(chrome, rules), "rehearsal": RehearsalPage(chrome, rehearsal), "hashes": HashesPage(chrome, hashes), "compare": ComparePage(chrome, compare),
			"sign-in": SignInPage(sign), "setup": SetupPage(setup), "error": ErrorPage(failure)} {
			html := rendered(t, page)
			for _, bad := range []string{"<script>alert", "<img src=x", `href="javascript:`, `action="javascript:`, `src="javascript:`} {
				if strings.Contains(html, bad) {
					t.Errorf("%s: %q becomes %s", name, text[:min(len(text), 30)], bad)
				}
			}
			if strings.Contains(html, "<style") || strings.Contains(html, " onclick=") {
				t.Errorf("%s has what the content policy forbids", name)
			}
		}
	}
}

// TestEmpty renders every page without anything to show.
func TestEmpty(t *testing.T) {
	t.Parallel()
	c := sampleChrome("/issues")
	c.Project = nil
	for want, page := range map[string]templ.Component{
		"No errors yet":                 IssuesPage(c, IssuesProps{Status: "unresolved", Counts: map[string]int64{}}),
		"Nothing here":                  IssuesPage(c, IssuesProps{Status: "resolved", Counts: map[string]int64{"all": 3}}),
		"No event is kept":              IssuePage(c, IssueProps{Issue: model.Issue{Title: "x"}}),
		"No project yet":                ProjectsPage(c, ProjectsProps{}),
		"You have none":                 TokensPage(c, TokensProps{}),
		"switched off":                  WelcomePage(c, WelcomeProps{}),
		"neither":                       IssuePage(c, IssueProps{Event: &envelope.Event{}}),
		"without rules of this project": GroupingPage(c, GroupingProps{}),
		"Nobody has changed anything":   GroupingPage(c, GroupingProps{}),
		"Nothing is discarded":          GroupingPage(c, GroupingProps{}),
		"None yet. Select issues":       GroupingPage(c, GroupingProps{}),
		"No hash leads here":            HashesPage(c, HashesProps{}),
		"Choose two events":             ComparePage(c, CompareProps{}),
		"without a result":              RehearsalPage(c, RehearsalProps{Rehearsal: model.Rehearsal{State: model.JobDone}}),
		"Nobody has an acco":            SignInPage(SignInProps{SetupHint: true}),
	} {
		if html := rendered(t, page); !strings.Contains(html, want) {
			t.Errorf("a page lacks %q", want)
		}
	}
}

func TestCurl(t *testing.T) {
	t.Parallel()
	got := curl(&envelope.Request{URL: "https://x/y", QueryString: "a=1", Method: "POST", Data: `{"it's":1}`,
		Headers: []envelope.Pair{{Key: "Cookie", Value: "secret"}, {Key: "Accept", Value: "a'b"}, {Key: "Host", Value: "x"}}})
	for _, want := range []string{`curl 'https://x/y?a=1'`, `-X 'POST'`, `-H 'Cookie: [Filtered]'`, `'Accept: a'\''b'`, `--data-raw '{"it'\''s":1}'`} {
		if !strings.Contains(got, want) {
			t.Errorf("%s\nlacks %s", got, want)
		}
	}
	if strings.Contains(got, "secret") || strings.Contains(got, "Host:") {
		t.Errorf("%s\nsays too much", got)
	}
}

// TestBlocks folds what is not the program's own, newest call first.
func TestBlocks(t *testing.T) {
	t.Parallel()
	s := &envelope.Stacktrace{Frames: []envelope.Frame{{Function: "a"}, {Function: "b"}, {Function: "c"}, {Function: "d"}}}
	describe := func(inApp []bool) string {
		var out []string
		for _, b := range blocks(s, inApp) {
			text := ""
			for _, f := range b.frames {
				text += f.Function
			}
			if b.app {
				text = strings.ToUpper(text)
			}
			out = append(out, text)
		}
		return strings.Join(out, " ")
	}
	for want, inApp := range map[string][]bool{"D cb A": {true, false, false, true}, "D cba": {false, false, false, false}, "D C B A": {true, true, true, true}} {
		if got := describe(inApp); got != want {
			t.Errorf("%v: got %q, want %q", inApp, got, want)
		}
	}
	if blocks(nil, nil) != nil {
		t.Error("no stack has blocks")
	}
}

func TestShort(t *testing.T) {
	t.Parallel()
	for n, want := range map[int64]string{0: "0", 999: "999", 1000: "1k", 1234: "1.2k", 12_345: "12k", 5_600_000: "5.6M"} {
		if got := short(n); got != want {
			t.Errorf("%d: got %s, want %s", n, got, want)
		}
	}
}
