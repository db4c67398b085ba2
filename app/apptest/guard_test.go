package apptest

import (
	"bytes"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"kibitz/app/mail/mailtest"
	"kibitz/app/switches"
)

// visitors are a program that asks switches and sends its requests with the answers, as one with an OpenTelemetry SDK does.
type visitors struct {
	*server
	key      string
	snapshot *switches.Snapshot
	people   int
	answered map[string][2]int // by switch: visits with it on, and those of them that failed
}

// read takes over the switches of the server, as a program that answers from memory does.
func (p *visitors) read() {
	p.t.Helper()
	var c switches.Config
	c.Environment = "production"
	if err := json.Unmarshal([]byte(p.command("switch", "list", "--json")), &c.Switches); err != nil {
		p.t.Fatal(err)
	}
	snapshot, problems := switches.Compile(c, time.Now())
	if len(problems) > 0 {
		p.t.Fatalf("%+v", problems)
	}
	p.snapshot = snapshot
}

// visits sends so many visits of new people. Every fifth that gets risky fails, and of all others one in two hundred.
func (p *visitors) visits(n int) {
	p.t.Helper()
	var spans []map[string]any
	for range n {
		p.people++
		spans = append(spans, p.visit(fmt.Sprint("user", p.people)))
	}
	body, err := json.Marshal(map[string]any{"resourceSpans": []any{map[string]any{
		"resource":   map[string]any{"attributes": attributes(map[string]string{"service.name": "shop", "deployment.environment.name": "production"})},
		"scopeSpans": []any{map[string]any{"spans": spans}}}}})
	if err != nil {
		p.t.Fatal(err)
	}
	req, err := http.NewRequest(http.MethodPost, p.base+"/v1/traces", bytes.NewReader(body))
	if err != nil {
		p.t.Fatal(err)
	}
	req.Header.Set("Authorization", "Bearer "+p.key)
	req.Header.Set("Content-Type", "application/json")
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		p.t.Fatal(err)
	}
	res.Body.Close()
	if res.StatusCode != http.StatusOK {
		p.t.Fatalf("the visits were refused: %s", res.Status)
	}
}

func (p *visitors) visit(user string) map[string]any {
	facts := map[string]string{"http.request.method": "GET", "http.route": "/cart", "user.id": user, "http.response.status_code": "200"}
	on := map[string]bool{}
	for _, key := range []string{"risky", "tea"} {
		a := p.snapshot.Eval(key, &switches.Subject{ID: user})
		facts["flag.evaluation."+key], on[key] = a.Variant, a.On
	}
	failed := p.people%200 == 0
	if on["risky"] {
		failed = p.answered["risky"][0]%5 == 0
	}
	if failed {
		facts["http.response.status_code"] = "500"
	}
	for key := range on {
		if on[key] {
			n := p.answered[key]
			n[0]++
			if failed {
				n[1]++
			}
			p.answered[key] = n
		}
	}
	now := time.Now()
	return map[string]any{"traceId": fmt.Sprintf("%016x%016x", rand.Uint64(), rand.Uint64()|1), "spanId": fmt.Sprintf("%016x", rand.Uint64()|1), "name": "GET /cart", "kind": 2,
		"startTimeUnixNano": fmt.Sprint(now.Add(-20 * time.Millisecond).UnixNano()), "endTimeUnixNano": fmt.Sprint(now.UnixNano()), "attributes": attributes(facts)}
}

func attributes(facts map[string]string) (list []map[string]any) {
	for key, value := range facts {
		list = append(list, map[string]any{"key": key, "value": map[string]any{"stringValue": value}})
	}
	return list
}

// standing is what the test reads of a switch.
type standing struct {
	Killed    bool   `json:"killed"`
	KilledBy  string `json:"killed_by"`
	KilledWhy string `json:"killed_why"`
	Everyone  struct {
		Percent float64 `json:"percent"`
	} `json:"everyone"`
}

func (s *server) standing(key string) (got standing) {
	s.t.Helper()
	if err := json.Unmarshal([]byte(s.command("switch", "get", key, "--json")), &got); err != nil {
		s.t.Fatal(err)
	}
	return got
}

// TestGuard holds that a switch which breaks every fifth visit at 5 % is killed by the guard: explained, told, logged and marked, and
// turned on again with one click in the browser; and that one of the same share which breaks nothing is not.
func TestGuard(t *testing.T) {
	t.Parallel()
	needPrograms(t, "node")
	mails := mailtest.New(t)
	s := newServer(t, "KIBITZ_SMTP_URL="+mails.URL, "KIBITZ_REPORT_TO=ops@shop.example", "KIBITZ_REPORT_SCHEDULE=off")
	for _, key := range []string{"risky", "tea"} {
		s.command("switch", "add", key)
		s.command("switch", "set", key, "5%")
	}
	p := &visitors{server: s, key: strings.TrimPrefix(strings.Split(s.dsn, "@")[0], "http://"), answered: map[string][2]int{}}
	p.read()
	began := time.Now()
	s.until("the guard kills", func() bool {
		p.visits(100)
		return strings.Contains(s.log.String(), "guard of switches") && strings.Contains(s.log.String(), "action=kill")
	})
	t.Logf("killed after %s: %d visits, with risky on %v, with tea on %v", time.Since(began).Round(time.Second), p.people, p.answered["risky"], p.answered["tea"])
	if got := s.standing("risky"); !got.Killed || got.KilledBy != "guard" || !strings.HasPrefix(got.KilledWhy, "killed: errors") {
		t.Errorf("risky stands at %+v", got)
	}
	if got := s.standing("tea"); got.Killed {
		t.Errorf("tea was killed: %+v", got)
	}
	s.checkAlert(after(s.command("token", "add", "--scopes", "project:read,event:read"), "token:"))
	s.until("the kill is mailed", func() bool {
		return slices.ContainsFunc(mails.Mails(), func(m mailtest.Mail) bool {
			return strings.Contains(m.Data, "Subject: Guard: kill risky in production")
		})
	})
	if history := s.command("switch", "history", "risky"); !strings.Contains(history, "guard") || !strings.Contains(history, "kill") {
		t.Errorf("the history is\n%s", history)
	}
	s.browse("guard.mjs") // reads what the pages say of it, and takes the kill back with one click
	if got := s.standing("risky"); got.Killed || got.Everyone.Percent != 5 {
		t.Errorf("turned on again it stands at %+v", got)
	}
	s.stop()
}

// checkAlert waits for the issue of the kill.
func (s *server) checkAlert(token string) {
	s.t.Helper()
	s.until("the kill is an issue", func() bool {
		var list []findingIssue
		s.api(token, "/api/0/projects/kibitz/kibitz/issues/?query=", &list)
		return slices.ContainsFunc(list, func(i findingIssue) bool {
			return strings.HasPrefix(i.Title, "Guard: kill risky in production: killed: errors") && i.Status == "unresolved"
		})
	})
}
