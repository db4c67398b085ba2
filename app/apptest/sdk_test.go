package apptest

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// apiIssue and apiEvent are what the test reads of the API.
type apiIssue struct {
	ID       string `json:"id"`
	ShortID  string `json:"shortId"`
	Title    string `json:"title"`
	Culprit  string `json:"culprit"`
	Count    string `json:"count"`
	Users    int    `json:"userCount"`
	Platform string `json:"platform"`
}

type apiEvent struct {
	EventID string            `json:"eventID"`
	User    map[string]string `json:"user"`
	Tags    []struct{ Key, Value string }
	Entries []struct {
		Type string `json:"type"`
		Data struct {
			Values []struct {
				Type       string `json:"type"`
				Value      string `json:"value"`
				Message    string `json:"message"`
				Category   string `json:"category"`
				Stacktrace *struct {
					Frames []apiFrame `json:"frames"`
				} `json:"stacktrace"`
			} `json:"values"`
		} `json:"data"`
	} `json:"entries"`
}

type apiFrame struct {
	Function string         `json:"function"`
	Filename string         `json:"filename"`
	InApp    bool           `json:"inApp"`
	Vars     map[string]any `json:"vars"`
}

// sdkCase is one official SDK and what its program must become.
type sdkCase struct {
	name     string
	programs []string
	run      func(t *testing.T) *exec.Cmd
	titles   []string // of the issue with two events, and of the other
	culprit  string   // part of the first one's
	chain    []string // exception types, cause first
	function string   // of the newest in-app frame of the outermost exception
	local    string   // a local variable that some in-app frame has; "" where the SDK sends none
}

func sdkCases() []sdkCase {
	return []sdkCase{
		{"python", []string{"python3"}, python("plain.py"), []string{"ValueError: cart 88214 has no tax region", "ZeroDivisionError: division by zero"},
			"tax_for", []string{"KeyError", "ValueError"}, "tax_for", "cart"},
		{"flask", []string{"python3"}, python("web.py"), []string{"RuntimeError: the cart has no total", "ZeroDivisionError: division by zero"},
			"cart", []string{"KeyError", "RuntimeError"}, "cart", ""},
		{"node", []string{"node"}, func(*testing.T) *exec.Cmd { return in("sdk/node", exec.Command("node", "main.js")) },
			[]string{"RangeError: cart 88214 has no tax region", "SyntaxError: "}, "taxFor", []string{"TypeError", "RangeError"}, "taxFor", ""},
		{"browser", []string{"node"}, func(t *testing.T) *exec.Cmd {
			cmd := in("sdk/browser", exec.Command("node", "main.mjs"))
			cmd.Env = append(os.Environ(), "CHROMIUM="+chromium(t))
			return cmd
		}, []string{"RangeError: cart 88214 has no tax region", "SyntaxError: "}, "taxFor", []string{"TypeError", "RangeError"}, "taxFor", ""},
		{"go", []string{"go"}, func(*testing.T) *exec.Cmd { return exec.Command("go", "run", "./sdk/go") },
			[]string{"*main.regionError: cart 88214 has no tax region", "*main.marginError: no revenue to share"}, "", []string{"*errors.errorString", "*main.regionError"}, "report", ""},
		{"java", []string{"java"}, func(t *testing.T) *exec.Cmd {
			dir := filepath.Join(cache(t), "java")
			return exec.Command("java", "-cp", filepath.Join(dir, "target", "classes")+":"+filepath.Join(dir, "*"), "demo.Shop")
		}, []string{"IllegalStateException: cart 88214 has no tax region", "ArithmeticException: / by zero"}, "taxFor", []string{"NullPointerException", "IllegalStateException"}, "taxFor", ""},
	}
}

func in(dir string, cmd *exec.Cmd) *exec.Cmd {
	cmd.Dir = dir
	return cmd
}

func python(file string) func(t *testing.T) *exec.Cmd {
	return func(t *testing.T) *exec.Cmd {
		return exec.Command(filepath.Join(cache(t), "venv", "bin", "python"), filepath.Join("sdk", "python", file))
	}
}

// TestSDKs holds that the official SDKs, unmodified, report here: twice the same code is one issue, two exceptions are
// two, with title, culprit, chain, in-app frames, breadcrumbs, tags and user.
func TestSDKs(t *testing.T) {
	t.Parallel()
	needPrograms(t)
	s := newServer(t)
	token := after(s.command("token", "add", "--scopes", "project:read,event:read"), "token:")
	for _, c := range sdkCases() {
		t.Run(c.name, func(t *testing.T) {
			needPrograms(t, c.programs...)
			if slices.Contains(strings.Split(os.Getenv("KIBITZ_TEST_SKIP_SDK"), ","), c.name) {
				t.Skip("named by KIBITZ_TEST_SKIP_SDK")
			}
			sub := *s
			sub.t = t
			c.check(t, &sub, token)
		})
	}
	s.stop()
}

func (c sdkCase) check(t *testing.T, s *server, token string) {
	dsn := after(s.command("project", "add", "sdk-"+c.name), "dsn:")
	cmd := c.run(t)
	if cmd.Env == nil {
		cmd.Env = os.Environ()
	}
	cmd.Env = append(cmd.Env, "DSN="+dsn)
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	issues := c.issues(s, token)
	for i, want := range c.titles {
		if !strings.HasPrefix(issues[i].Title, want) {
			t.Errorf("issue %d has title %q, want %q", i, issues[i].Title, want)
		}
	}
	if issues[0].Count != "2" || issues[1].Count != "1" || !strings.Contains(issues[0].Culprit, c.culprit) {
		t.Errorf("got %+v", issues)
	}
	var latest apiEvent
	s.api(token, "/api/0/issues/"+issues[0].ID+"/events/latest/", &latest)
	c.checkEvent(t, latest)
	var again apiEvent
	s.api(token, fmt.Sprintf("/api/0/projects/kibitz/sdk-%s/events/%s/", c.name, latest.EventID), &again)
	if again.EventID != latest.EventID {
		t.Errorf("the event by its id is %q, want %q", again.EventID, latest.EventID)
	}
}

// issues waits for the two issues of the project and puts the one with two events first. The title is that of the
// event that was told last or first, so both carts' numbers stand for the newer one.
func (c sdkCase) issues(s *server, token string) []apiIssue {
	var issues []apiIssue
	s.until("two issues of three events are there", func() bool {
		issues = nil
		s.api(token, "/api/0/projects/kibitz/sdk-"+c.name+"/issues/", &issues)
		n := 0
		for _, i := range issues {
			var count int
			fmt.Sscan(i.Count, &count)
			n += count
		}
		return n >= 3
	})
	slices.SortFunc(issues, func(a, b apiIssue) int { return strings.Compare(b.Count, a.Count) })
	if len(issues) != 2 {
		s.t.Fatalf("want two issues, got %+v", issues)
	}
	issues[0].Title = strings.Replace(issues[0].Title, "88213", "88214", 1)
	return issues
}

func (c sdkCase) checkEvent(t *testing.T, ev apiEvent) {
	t.Helper()
	if ev.User["id"] != "52107" {
		t.Errorf("user is %v", ev.User)
	}
	if !slices.ContainsFunc(ev.Tags, func(p struct{ Key, Value string }) bool { return p.Key == "region" && p.Value == "nz" }) {
		t.Errorf("tags are %v", ev.Tags)
	}
	var types []string
	var frames []apiFrame
	crumbs := 0
	for _, e := range ev.Entries {
		switch e.Type {
		case "exception":
			for _, v := range e.Data.Values {
				types = append(types, v.Type)
				if v.Stacktrace != nil {
					frames = v.Stacktrace.Frames
				}
			}
		case "breadcrumbs":
			crumbs = len(e.Data.Values)
		}
	}
	if !slices.Equal(types, c.chain) {
		t.Errorf("chain is %v, want %v", types, c.chain)
	}
	if crumbs == 0 {
		t.Error("no breadcrumbs")
	}
	c.checkFrames(t, frames)
}

func (c sdkCase) checkFrames(t *testing.T, frames []apiFrame) {
	t.Helper()
	newest, local := "", c.local == ""
	for _, f := range frames {
		if f.InApp {
			newest = f.Function
		}
		if _, ok := f.Vars[c.local]; ok && f.InApp {
			local = true
		}
	}
	if newest != c.function {
		t.Errorf("the newest in-app frame is %q, want %q of %+v", newest, c.function, frames)
	}
	if !local {
		t.Errorf("no in-app frame has the local %q", c.local)
	}
}
