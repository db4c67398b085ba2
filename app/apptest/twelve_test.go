package apptest

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"testing"
	"time"

	"kibitz/app/db"
	"kibitz/app/db/pglocal"
	"kibitz/app/rollout"
)

// fleet is processes that share a PostgreSQL, which runs apart from them.
type fleet struct {
	t       *testing.T
	dir     string
	pg      *pglocal.Server
	servers []*server
	token   string // of switch:read
	browser *http.Client
}

const fleetSize = 12

func newFleet(t *testing.T) *fleet {
	t.Helper()
	dir, err := os.MkdirTemp("", "kibitz-fleet-")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	if err := os.Chmod(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	f := &fleet{t: t, dir: dir}
	f.startPostgres()
	// Twelve programs have more connections than one.
	if err := f.pg.Stop(t.Context()); err != nil {
		t.Fatal(err)
	}
	conf, err := os.OpenFile(filepath.Join(dir, "postgres", "data", "postgresql.conf"), os.O_APPEND|os.O_WRONLY, 0)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := conf.WriteString("\nmax_connections = 400\n"); err != nil {
		t.Fatal(err)
	}
	conf.Close()
	f.startPostgres()
	t.Cleanup(func() { f.pg.Stop(context.Background()) })
	if err := db.Provision(t.Context(), f.pg.DSN(pglocal.Superuser, "postgres"), "kibitz"); err != nil {
		t.Fatal(err)
	}
	f.start()
	return f
}

func (f *fleet) startPostgres() {
	f.t.Helper()
	pg, err := pglocal.Start(f.t.Context(), pglocal.Options{Dir: filepath.Join(f.dir, "postgres")})
	if err != nil {
		f.t.Fatal(err)
	}
	f.pg = pg
}

func (f *fleet) start() {
	f.t.Helper()
	f.servers = make([]*server, fleetSize)
	for i := range f.servers {
		settings := []string{fmt.Sprintf("KIBITZ_NODE=n%02d", i), "KIBITZ_PERF_ENABLED=false", "KIBITZ_PERF_HOSTS=false",
			"KIBITZ_ADMIN_EMAIL=" + fleetOwner, "KIBITZ_ADMIN_PASSWORD=" + fleetPassword}
		for _, p := range db.Partitions {
			settings = append(settings, "KIBITZ_DATABASE_"+strings.ToUpper(string(p))+"_PRIMARY="+f.pg.DSN(db.Role(p), "kibitz"),
				"KIBITZ_DATABASE_"+strings.ToUpper(string(p))+"_OWNER="+f.pg.DSN(pglocal.Superuser, "kibitz"))
		}
		f.servers[i] = &server{t: f.t, dir: filepath.Join(f.dir, fmt.Sprint(i)), base: "http://" + freeAddress(f.t), settings: settings}
		f.servers[i].start()
	}
	f.t.Cleanup(func() {
		for _, s := range f.servers {
			s.kill()
		}
	})
}

// ask runs a `kibitz switch` command beside one of the processes.
func (f *fleet) ask(i int, into any, args ...string) error {
	f.t.Helper()
	name, err := binary()
	if err != nil {
		f.t.Fatal(err)
	}
	cmd := exec.Command(name, append([]string{"switch"}, args...)...)
	cmd.Env = f.servers[i].env()
	var errOut strings.Builder
	cmd.Stderr = &errOut
	out, err := cmd.Output()
	if err != nil {
		return fmt.Errorf("%v: %w: %s", args, err, errOut.String())
	}
	return json.Unmarshal(out, into)
}

func (f *fleet) change(i int, args ...string) rollout.Published {
	f.t.Helper()
	var p rollout.Published
	if err := f.ask(i, &p, append(args, "--json")...); err != nil {
		f.t.Fatal(err)
	}
	return p
}

// answer is what a process says of a switch.
type answer struct {
	Variant, Condition, Source string
	Revision                   int64
}

// all waits until every process answers so.
func (f *fleet) all(what string, ok func(a answer) bool) {
	f.t.Helper()
	for i, s := range f.servers {
		s.until(fmt.Sprintf("process %d answers: %s", i, what), func() bool {
			var a answer
			return f.ask(i, &a, "try", "checkout", "--user", "u1", "--json") == nil && ok(a)
		})
	}
}

// TestTwelve is twelve processes on one PostgreSQL: a flip reaches all; a kill does while PostgreSQL does not answer, and when it is
// gone; a process that is killed then and started again answers from the others; and the rows are there once it is back.
func TestTwelve(t *testing.T) {
	t.Parallel()
	needPrograms(t)
	f := newFleet(t)
	f.servers[0].until("all twelve know each other", func() bool {
		for i := range f.servers {
			var got struct{ Processes []rollout.Process }
			if f.ask(i, &got, "processes", "--json") != nil || len(got.Processes) != fleetSize {
				return false
			}
			for _, p := range got.Processes {
				if !p.Reached {
					return false
				}
			}
		}
		return true
	})
	f.change(0, "add", "checkout")
	p := f.change(0, "set", "checkout", "on")
	if p.Told != fleetSize-1 || p.Peers != fleetSize-1 || !p.Stored {
		t.Errorf("of %d other processes %d were told, stored %v", p.Peers, p.Told, p.Stored)
	}
	t.Logf("a flip: the last of twelve after %s", p.Slowest)
	f.all("on, at that revision", func(a answer) bool { return a.Variant == "on" && a.Revision == p.Revision })
	f.token = after(f.servers[0].command("token", "add", "--scopes", "switch:read"), "token:")
	for i := range f.servers {
		f.servers[i].until("it lets programs in", func() bool { return f.asked(i) == "200 on" })
	}
	f.signIn(3)
	f.frozen()
	f.gone()
}

const fleetOwner, fleetPassword = "mara@shop.example", "correct horse battery staple"

// signIn opens a session at a process, and looks at the table of switches.
func (f *fleet) signIn(i int) {
	f.t.Helper()
	jar, err := cookiejar.New(nil)
	if err != nil {
		f.t.Fatal(err)
	}
	f.browser = &http.Client{Jar: jar, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	if res, _ := f.post(i, "/signin", url.Values{"email": {fleetOwner}, "password": {fleetPassword}}); res.StatusCode != http.StatusSeeOther {
		f.t.Fatalf("signing in answers %s", res.Status)
	}
	f.page(i)
}

// page is the table of switches as a process shows it.
func (f *fleet) page(i int) string {
	f.t.Helper()
	res, err := f.browser.Get(f.servers[i].base + "/switches")
	if err != nil {
		f.t.Fatal(err)
	}
	defer res.Body.Close()
	text, err := io.ReadAll(res.Body)
	if err != nil || res.StatusCode != http.StatusOK || !strings.Contains(string(text), "checkout") {
		f.t.Fatalf("the table answers %s, %v: %.400s", res.Status, err, text)
	}
	return string(text)
}

// post sends a form as a page of a process does.
func (f *fleet) post(i int, path string, form url.Values) (*http.Response, time.Duration) {
	f.t.Helper()
	req, err := http.NewRequest(http.MethodPost, f.servers[i].base+path, strings.NewReader(form.Encode()))
	if err != nil {
		f.t.Fatal(err)
	}
	req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	req.Header.Set("Origin", f.servers[i].base)
	began := time.Now()
	res, err := f.browser.Do(req)
	if err != nil {
		f.t.Fatal(err)
	}
	res.Body.Close()
	return res, time.Since(began)
}

var formToken = regexp.MustCompile(`name="csrf" value="([^"]+)"`)

// killOnPage turns the switch off with the button of the table.
func (f *fleet) killOnPage(i int) {
	f.t.Helper()
	csrf := formToken.FindStringSubmatch(f.page(i))
	if csrf == nil {
		f.t.Fatal("the table has no form")
	}
	res, took := f.post(i, "/switches", url.Values{"csrf": {csrf[1]}, "kill": {"checkout"}, "env": {"production"}})
	if res.StatusCode != http.StatusSeeOther {
		f.t.Fatalf("a kill on the page answers %s", res.Status)
	}
	f.all("killed on the page", func(a answer) bool { return a.Variant == "off" && a.Condition == "kill" })
	toast := regexp.MustCompile(`[^<>]*1[12] of 1[12][^<>]*`).FindString(f.page(i))
	f.t.Logf("the click is answered after %s; the page says: %s", took.Round(100*time.Microsecond), strings.TrimSpace(toast))
	if !strings.Contains(toast, "12 of 12") {
		f.t.Errorf("the page does not say that all have it: %q", toast)
	}
}

// asked is what a process answers a program over HTTP.
func (f *fleet) asked(i int) string {
	f.t.Helper()
	req, err := http.NewRequest(http.MethodPost, f.servers[i].base+"/ofrep/v1/evaluate/flags/checkout", strings.NewReader(`{"context":{"targetingKey":"u1"}}`))
	if err != nil {
		f.t.Fatal(err)
	}
	req.Header.Set("Authorization", "Bearer "+f.token)
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		return err.Error()
	}
	defer res.Body.Close()
	var got struct{ Variant string }
	if err := json.NewDecoder(res.Body).Decode(&got); err != nil {
		return err.Error()
	}
	return fmt.Sprintf("%d %s", res.StatusCode, got.Variant)
}

// frozen: PostgreSQL is there and does not answer.
func (f *fleet) frozen() {
	f.t.Helper()
	pids := (&server{t: f.t, dir: f.dir}).postgresAt(filepath.Join(f.dir, "postgres"))
	signal(f.t, pids, syscall.SIGSTOP)
	p := f.change(3, "set", "checkout", "kill", "--why", "frozen")
	signal(f.t, pids, syscall.SIGCONT)
	if p.Told != fleetSize-1 || p.Stored {
		f.t.Errorf("frozen: %d were told, stored %v", p.Told, p.Stored)
	}
	f.t.Logf("a kill while PostgreSQL is frozen: the last of twelve after %s", p.Slowest)
	f.all("killed", func(a answer) bool { return a.Variant == "off" && a.Condition == "kill" && a.Revision == p.Revision })
	f.stored("frozen")
}

// gone: PostgreSQL is stopped, and started again.
func (f *fleet) gone() {
	f.t.Helper()
	if err := f.pg.Stop(f.t.Context()); err != nil {
		f.t.Fatal(err)
	}
	p := f.change(5, "set", "checkout", "unkill", "--why", "gone")
	if p.Told != fleetSize-1 || p.Stored {
		f.t.Errorf("gone: %d were told, stored %v", p.Told, p.Stored)
	}
	f.t.Logf("a kill lifted while PostgreSQL is gone: the last of twelve after %s", p.Slowest)
	f.all("on again", func(a answer) bool { return a.Variant == "on" && a.Revision == p.Revision })
	f.killOnPage(3)
	again := f.change(5, "set", "checkout", "unkill", "--why", "gone")
	f.all("on once more", func(a answer) bool { return a.Variant == "on" && a.Revision == again.Revision })
	f.restarted(7)
	f.restarted(5) // it held the change that is not stored
	f.startPostgres()
	f.stored("gone")
	f.all("on still", func(a answer) bool { return a.Variant == "on" })
	f.servers[7].until("the whole server is there", func() bool {
		res, err := http.Get(f.servers[7].base + "/-/ready")
		return err == nil && res.Body.Close() == nil && res.StatusCode == http.StatusOK
	})
	if got := f.asked(7); got != "200 on" {
		f.t.Errorf("with the database again it answers %s", got)
	}
}

// restarted kills a process and starts it while the database is away.
func (f *fleet) restarted(i int) {
	f.t.Helper()
	s := f.servers[i]
	s.kill()
	s.cmd, s.log, s.ended = exec.Command(s.cmd.Path, "serve"), &lockedBuffer{}, make(chan error, 1)
	s.cmd.Env, s.cmd.Stderr = s.env(), s.log
	if err := s.cmd.Start(); err != nil {
		f.t.Fatal(err)
	}
	cmd, ended := s.cmd, s.ended
	go func() { ended <- cmd.Wait(); close(ended) }()
	began := time.Now()
	var source string
	s.until("it answers without the database", func() bool {
		var a answer
		err := f.ask(i, &a, "try", "checkout", "--user", "u1", "--json")
		source = a.Source
		return err == nil && a.Variant == "on"
	})
	s.until("it lets programs in without the database", func() bool { return f.asked(i) == "200 on" })
	if res, err := http.Get(s.base + "/-/ready"); err != nil || res.StatusCode != http.StatusServiceUnavailable || res.Header.Get("Retry-After") == "" {
		f.t.Errorf("without the database it is ready: %v, %v", res, err)
	} else {
		res.Body.Close()
	}
	f.t.Logf("process %d was killed and answers again after %s, from %s", i, time.Since(began).Round(time.Millisecond), source)
	if source == rollout.FromDatabase || source == rollout.FromNothing {
		f.t.Errorf("it says that it answers from the %s", source)
	}
}

// stored waits until the line of history of a change, by its reason, is in the database.
func (f *fleet) stored(why string) {
	f.t.Helper()
	f.servers[1].until("the change is stored: "+why, func() bool {
		var lines []rollout.Change
		if f.ask(1, &lines, "history", "checkout", "--json") != nil || len(lines) == 0 {
			return false
		}
		return lines[0].Why == why && !lines[0].Pending && lines[0].KilledBefore != lines[0].KilledAfter
	})
}
