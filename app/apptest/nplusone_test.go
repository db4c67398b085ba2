package apptest

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// djangoLoop is where the loop of the Django program stands, as main.py:60.
func djangoLoop(t *testing.T) (line int) {
	t.Helper()
	text, err := os.ReadFile(filepath.Join("sdk", "perf_django", "main.py"))
	if err != nil {
		t.Fatal(err)
	}
	for _, l := range strings.Split(string(text), "\n") {
		line++
		if strings.Contains(l, "Line.objects.get(pk=pk)") {
			return line
		}
	}
	t.Fatal("the Django program has no loop")
	return 0
}

// findingIssue is what the test reads of an issue.
type findingIssue struct {
	ID, Title, Status, Culprit, Count string
	Substatus                         *string
}

// findingEvent is what it reads of an event.
type findingEvent struct {
	Contexts map[string]map[string]any
	Entries  []struct {
		Type string
		Data struct {
			Values []struct {
				Stacktrace *struct {
					Frames []struct {
						Filename, Function string
						LineNo             int
					}
				}
			}
		}
	}
}

// TestNPlusOne follows a loop of queries in a Django page through its life: found and named with its line, an issue as any other,
// gone with the release that fixes it, and back with the one that brings it again.
func TestNPlusOne(t *testing.T) {
	t.Parallel()
	needPrograms(t, "python3")
	s := newServer(t)
	token := after(s.command("token", "add", "--scopes", "project:read,event:read"), "token:")
	dsn := s.newProject("django").dsn(s.base)
	run := func(release string, orders int) {
		cmd := python3("perf_django", "RELEASE="+release, "LATENCY=10", fmt.Sprint("ORDERS=", orders))(t, target{dsn: dsn})
		if out, err := cmd.CombinedOutput(); err != nil {
			t.Fatalf("%v\n%s", err, out)
		}
	}
	run("1", 2)
	issue := s.finding(token, "unresolved")
	if !strings.HasPrefix(issue.Title, "N+1 query: SELECT") || !strings.Contains(issue.Title, "shop_line") {
		t.Errorf("got %+v", issue)
	}
	s.checkFindingEvent(token, issue.ID)
	run("2", 20) // so many without it are what a release must show
	if fixed := s.finding(token, "resolved"); fixed.ID != issue.ID {
		t.Errorf("resolved is %+v, not %+v", fixed, issue)
	}
	run("3", 1)
	if back := s.finding(token, "unresolved"); back.ID != issue.ID || back.Substatus == nil || *back.Substatus != "regressed" {
		t.Errorf("back is %+v, not %+v", back, issue)
	}
	s.stop()
}

// finding waits until the only finding of the project has a status.
func (s *server) finding(token, status string) (issue findingIssue) {
	s.t.Helper()
	s.until("the finding is "+status, func() bool {
		var list []findingIssue
		s.api(token, "/api/0/projects/kibitz/django/issues/?query=", &list)
		list = slices.DeleteFunc(list, func(i findingIssue) bool { return !strings.HasPrefix(i.Title, "N+1") })
		if len(list) > 1 {
			s.t.Fatalf("one loop has become %+v", list)
		}
		if len(list) == 1 {
			issue = list[0]
		}
		return issue.Status == status
	})
	return issue
}

// checkFindingEvent holds that an issue says what to do where.
func (s *server) checkFindingEvent(token, issue string) {
	s.t.Helper()
	var event findingEvent
	s.api(token, "/api/0/issues/"+issue+"/events/latest/", &event)
	line := djangoLoop(s.t)
	finding := event.Contexts["finding"]
	if finding["line"] != fmt.Sprintf("main.py:%d", line) || finding["advice"] == "" || fmt.Sprint(finding["calls"]) != "8" || finding["wasted"] == "" {
		s.t.Errorf("the finding says %v", finding)
	}
	for _, e := range event.Entries {
		if e.Type != "exception" {
			continue
		}
		if f := e.Data.Values[0].Stacktrace.Frames; len(f) != 1 || f[0].Filename != "main.py" || f[0].LineNo != line {
			s.t.Errorf("the finding's frames are %+v", f)
		}
		return
	}
	s.t.Errorf("the finding has no place: %+v", event)
}
