package apptest

import (
	"os/exec"
	"strings"
	"testing"
)

// TestKill sends a load, kills the server in the middle of it and starts it again: every acknowledged event must be there
// exactly once. The tool that measures does the killing too, so what is promised is what is tested.
func TestKill(t *testing.T) {
	t.Parallel()
	needPrograms(t)
	name, err := binary()
	if err != nil {
		t.Fatal(err)
	}
	out, err := exec.Command(name, "bench", "ingest", "--kill", "--for", "4s", "--senders", "8").CombinedOutput()
	if err != nil || !strings.Contains(string(out), "SIGKILL") || !strings.Contains(string(out), "missing 0, twice 0") {
		t.Fatalf("%v\n%s", err, out)
	}
	t.Logf("%s", out)
}

// TestSecondServer holds that two servers never share a directory, and that a server that was killed is followed by one
// that takes its PostgreSQL over.
func TestSecondServer(t *testing.T) {
	t.Parallel()
	needPrograms(t)
	s := newServer(t)
	name, err := binary()
	if err != nil {
		t.Fatal(err)
	}
	second := exec.Command(name, "serve")
	second.Env = append(s.env(), "KIBITZ_LISTEN="+freeAddress(t))
	out, err := second.CombinedOutput()
	if err == nil || !strings.Contains(string(out), "another Kibitz") {
		t.Errorf("a second server: %v\n%s", err, out)
	}
	dsn := s.dsn
	s.kill()
	s.start()
	if s.dsn != dsn {
		t.Errorf("after the kill the project's address is %q, before it was %q", s.dsn, dsn)
	}
	s.stop()
	s.start()
	s.stop()
}

// TestScripts holds the contract with scripts.
func TestScripts(t *testing.T) {
	t.Parallel()
	needPrograms(t)
	s := newServer(t)
	if s.setup == "" || !strings.HasPrefix(s.setup, s.base+"/setup/") {
		t.Errorf("setup is %q", s.setup)
	}
	if dsn := after(s.command("project", "add", "tea-shop"), "dsn:"); !strings.Contains(dsn, "@") {
		t.Errorf("project add printed %q", dsn)
	}
	if list := s.command("project", "list", "--json"); !strings.Contains(list, `"tea-shop"`) || !strings.Contains(list, `"default"`) {
		t.Errorf("project list printed %s", list)
	}
	token := after(s.command("token", "add", "--scopes", "project:read,event:read"), "token:")
	var orgs []struct{ Slug string }
	s.api(token, "/api/0/organizations/", &orgs)
	if len(orgs) != 1 || orgs[0].Slug != "kibitz" {
		t.Errorf("organizations are %+v", orgs)
	}
	var projects []struct{ Slug string }
	s.api(token, "/api/0/projects/", &projects)
	if len(projects) != 3 { // default, kibitz and tea-shop
		t.Errorf("projects are %+v", projects)
	}
	if code := s.status("/issues"); code != 200 { // the sign-in page, after a redirect
		t.Errorf("/issues answers %d", code)
	}
	s.stop()
}
