package apptest

import (
	"bufio"
	"encoding/json"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// listed is what the test reads of a line of `kibitz requests list --json`.
type listed struct {
	Endpoint   string            `json:"endpoint"`
	Method     string            `json:"method"`
	Status     int               `json:"status"`
	Duration   float64           `json:"duration_ms"`
	DB         float64           `json:"db_ms"`
	DBCount    int               `json:"db_n"`
	CacheCount int               `json:"cache_n"`
	HTTPCount  int               `json:"http_n"`
	Templates  int               `json:"template_n"`
	Other      float64           `json:"other_ms"`
	Release    string            `json:"release"`
	Switches   map[string]string `json:"switches"`
}

// doorCase is an SDK whose program answers the same few requests.
type doorCase struct {
	name, program string
	cmd           func(t *testing.T) *exec.Cmd
	order         string // the endpoint of the request with the loop
	slash         string // that ends its other endpoints
	release       string
	cached        bool // its /rates asks a cache
}

func doorCases() []doorCase {
	node := func(dir string, env ...string) func(*testing.T) *exec.Cmd {
		return func(*testing.T) *exec.Cmd {
			cmd := in("sdk/"+dir, exec.Command("node", "main.js"))
			cmd.Env = append(os.Environ(), env...)
			return cmd
		}
	}
	python := func(dir string, env ...string) func(*testing.T) *exec.Cmd {
		return func(t *testing.T) *exec.Cmd {
			cmd := exec.Command(filepath.Join(cache(t), dir, "bin", "python"), filepath.Join("sdk", dir, "main.py"))
			cmd.Env = append(os.Environ(), env...)
			return cmd
		}
	}
	golang := func(dir string) func(*testing.T) *exec.Cmd {
		return func(t *testing.T) *exec.Cmd { return exec.Command(filepath.Join(cache(t), dir, dir)) }
	}
	return []doorCase{
		{"django", "python3", python("perf_django"), "/orders/{number}/", "/", "shop@1", true},
		{"express", "node", node("perf_express"), "/orders/:number", "", "shop@1", true},
		{"express-static", "node", node("perf_express", "LIFECYCLE=static"), "/orders/:number", "", "shop@1", true},
		{"fiber", "go", golang("perf_gofiber"), "/orders/{}", "", "shop@1", true}, // its SDK tells the path, not the route
		{"otel-go", "go", golang("perf_otelgo"), "/orders/{number}", "", "1", true},
		{"otel-flask", "python3", python("perf_otelpython"), "/orders/<int:number>", "", "1", false},
		{"otel-flask-protobuf", "python3", python("perf_otelpython", "PROTOCOL=protobuf"), "/orders/<int:number>", "", "1", false},
		{"otel-express", "node", node("perf_otelnode"), "/orders/:number", "", "1", true},
	}
}

// TestDoors holds that the same requests look alike through every door: their endpoints, statuses, and what they asked of
// databases, caches and other programs.
func TestDoors(t *testing.T) {
	t.Parallel()
	needPrograms(t)
	s := newServer(t)
	for _, c := range doorCases() {
		t.Run(c.name, func(t *testing.T) {
			needPrograms(t, c.program)
			if slices.Contains(strings.Split(os.Getenv("KIBITZ_TEST_SKIP_SDK"), ","), c.name) {
				t.Skip("named by KIBITZ_TEST_SKIP_SDK")
			}
			sub := *s
			sub.t = t
			c.check(t, &sub)
		})
	}
	s.stop()
}

func (c doorCase) check(t *testing.T, s *server) {
	project := "door-" + c.name
	dsn := after(s.command("project", "add", project), "dsn:")
	address, err := url.Parse(dsn)
	if err != nil {
		t.Fatal(err)
	}
	cmd := c.cmd(t)
	if cmd.Env == nil {
		cmd.Env = os.Environ()
	}
	cmd.Env = append(cmd.Env, "DSN="+dsn, "ENDPOINT="+s.base, "KEY="+address.User.Username())
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	var byName map[string][]listed
	s.until("the requests of "+c.name+" are listed", func() bool {
		byName = s.listed(project)
		return len(byName[c.order]) == 1 && len(byName["/rates"+c.slash]) == 2 && len(byName["/quote"+c.slash]) == 1 && len(byName["/fail"+c.slash]) == 1
	})
	c.checkOrder(t, byName[c.order][0])
	if q := byName["/quote"+c.slash][0]; q.HTTPCount != 1 || q.Status != 200 {
		t.Errorf("the call is %+v", q)
	}
	if q := byName["/fail"+c.slash][0]; q.Status != 500 {
		t.Errorf("the failure is %+v", q)
	}
	for _, q := range byName["/rates"+c.slash] {
		if (q.CacheCount > 0) != c.cached {
			t.Errorf("the cached request is %+v", q)
		}
	}
}

func (c doorCase) checkOrder(t *testing.T, q listed) {
	t.Helper()
	if q.Method != "GET" || q.Status != 200 || q.DBCount < 7 || q.Release != c.release || q.DB <= 0 || q.DB > q.Duration || q.HTTPCount+q.CacheCount+q.Templates != 0 {
		t.Errorf("the order is %+v", q)
	}
	if c.name == "django" && q.Switches["new-cart"] != "true" {
		t.Errorf("its switches are %v", q.Switches)
	}
}

// listed are the requests of a project by their endpoints.
func (s *server) listed(project string) map[string][]listed {
	s.t.Helper()
	out := map[string][]listed{}
	lines := bufio.NewScanner(strings.NewReader(s.command("requests", "list", "--project", project, "--since", "1h", "--json")))
	for lines.Scan() {
		var l listed
		if err := json.Unmarshal(lines.Bytes(), &l); err != nil {
			s.t.Fatalf("%v: %s", err, lines.Text())
		}
		out[l.Endpoint] = append(out[l.Endpoint], l)
	}
	return out
}
