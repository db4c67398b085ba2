package apptest

import (
	"os"
	"os/exec"
	"testing"
)

// TestBrowser is a person in Chromium: sets the server up, connects a project, reads, resolves and undoes, with and
// without JavaScript, in light and dark, at 1440 and 390; axe-core looks at every page. browser/browser.mjs says how.
func TestBrowser(t *testing.T) {
	t.Parallel()
	inBrowser(t, "browser.mjs")
}

// TestBrowserGrouping is the same person at the grouping: rules, their rehearsal, application and undo, merges, splits
// and deletions. browser/grouping.mjs says how.
func TestBrowserGrouping(t *testing.T) {
	t.Parallel()
	inBrowser(t, "grouping.mjs")
}

// TestBrowserRequests is the same person at requests: the list and its search, a waterfall, the charts of an endpoint, pulse and
// queries. browser/requests.mjs says how.
func TestBrowserRequests(t *testing.T) {
	t.Parallel()
	inBrowser(t, "requests.mjs")
}

// TestBrowserSwitches is the same person at the switches: one click and its undo, widening with its question, the editor with and
// without a script, two editors at once, keys. browser/switches.mjs says how.
func TestBrowserSwitches(t *testing.T) {
	t.Parallel()
	inBrowser(t, "switches.mjs")
}

// inBrowser runs a script of browser/ against a server of its own.
func inBrowser(t *testing.T, script string) {
	t.Helper()
	needPrograms(t, "node")
	s := newServer(t)
	s.browse(script)
	s.stop()
}

// browse runs a script of browser/ against the server.
func (s *server) browse(script string) {
	s.t.Helper()
	cmd := in("browser", exec.Command("node", script))
	cmd.Env = append(os.Environ(), "BASE="+s.base, "SETUP="+s.setup, "DSN="+s.dsn, "CHROMIUM="+chromium(s.t), "SHOTS="+os.Getenv("KIBITZ_TEST_SHOTS"))
	out, err := cmd.CombinedOutput()
	if err != nil {
		s.t.Fatalf("%v\n%s\nthe server said:\n%s", err, out, s.log)
	}
	s.t.Logf("%s", out)
}
