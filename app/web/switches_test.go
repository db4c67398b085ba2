package web

import (
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"net/http"
	"net/url"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"

	"kibitz/app/impact"
	"kibitz/app/model"
	"kibitz/app/rollout"
	"kibitz/app/store"
	"kibitz/app/switches"
	"kibitz/app/switches/peers"
	"kibitz/views"
)

// newBoard is the switches of a site and what they do to people.
func newBoard(t testing.TB, st *store.Store, ids *model.IDs, log *slog.Logger) (*rollout.Board, *impact.Impact) {
	t.Helper()
	b := rollout.New(rollout.Options{Node: "web-test", Version: "test", IDs: ids, Log: log})
	if err := b.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { b.Close(context.Background()) })
	b.Attach(context.Background(), st)
	of := func(env string) []switches.Switch { return b.Config(env).Switches }
	return b, impact.New(impact.Options{Store: st, IDs: ids, Log: log, Environments: b.Environments, Switches: of,
		Flips: func(ctx context.Context, env string, from, to time.Time) (out []model.Flip, err error) {
			changes, err := b.History(ctx, env, "", 0, 100)
			for _, c := range changes {
				if c.At.After(from) && (c.Action == "flip" || c.Action == "kill") {
					out = append(out, model.Flip{ID: c.ID, Env: c.Env, Key: c.Key, At: c.At, Action: map[bool]string{true: "kill", false: "25 %"}[c.Action == "kill"], By: c.By.Name, Kind: c.By.Kind})
				}
			}
			return out, err
		}})
}

var mara = rollout.By{Name: "Mara", Kind: "person"}

// addSwitch makes a switch, in the first environment.
func (k *shop) addSwitch(sw switches.Switch) rollout.Entry {
	k.t.Helper()
	p, err := k.board.Save(context.Background(), rollout.Edit{Env: "production", Switch: sw, By: mara, Why: "for the test"})
	if err != nil {
		k.t.Fatal(err)
	}
	return p.Entry
}

func partly(key string, percent float64) switches.Switch {
	return switches.Switch{Key: key, State: switches.Partial, Everyone: switches.Rollout{Percent: percent}}
}

// at is the switch as it stands.
func (k *shop) switchAt(key string) rollout.Entry {
	k.t.Helper()
	e, ok := k.board.Entry("production", key)
	if !ok {
		k.t.Fatalf("there is no switch %s", key)
	}
	return e
}

func flipForm(pairs ...string) url.Values {
	form := values(pairs...)
	form.Set("env", "production")
	return form
}

// TestSwitchList is the table: empty, with tabs, search, pages, and by whom it may be used.
func TestSwitchList(t *testing.T) {
	t.Parallel()
	k := newTraffic(t)
	k.wants(k.get("/switches").wantStatus(t, 200), "No switch in production yet", "Make the first one")
	k.addSwitch(partly("checkout.new_totals", 25))
	k.addSwitch(switches.Switch{Key: "thread.live_bar", State: switches.On, Owner: "Ines Ó", Description: "New comments announced in place"})
	k.addSwitch(switches.Switch{Key: "new", State: switches.Off})
	page := k.get("/switches").wantStatus(t, 200)
	k.wants(page, "3 switches in production: 1 on, 1 partly on, 1 off", "checkout.new_totals", `data-go="s"`, "1 of 1 process at revision", `href="/switch?key=new"`)
	k.wants(k.get("/switches?tab=on"), "thread.live_bar")
	k.lacks(k.get("/switches?tab=on"), `data-key="checkout.new_totals"`)
	k.wants(k.get("/switches?q=ines+announced"), "thread.live_bar")
	k.lacks(k.get("/switches?q=ines+announced"), `data-key="new"`)
	k.wants(k.get("/switches?q=nobody"), "No switch here")
	k.wants(k.get("/switches?env=staging"), "No switch in staging yet")
	k.wants(k.get("/switch?key=new").wantStatus(t, 200), "<h1", "Who sees it")
	for path, status := range map[string]int{"/switches?env=moon": 404, "/switches?page=x": 400, "/switches?page=9": 200, "/switches?project=none": 404, "/switches/none": 404, "/switches/a?period=x": 404,
		"/switches/audit?before=x": 400, "/switches/segments?key=none": 404} {
		k.get(path).wantStatus(t, status)
	}
	if r := k.do(t, "GET", "/switches", nil); r.StatusCode != 303 {
		t.Errorf("who has not signed in is answered %d", r.StatusCode)
	}
}

// TestSwitchFlips goes through one click: kill, release with its question, undo, shares.
func TestSwitchFlips(t *testing.T) {
	t.Parallel()
	k := newTraffic(t)
	k.addSwitch(partly("a", 25))
	k.addSwitch(partly("b", 5))
	page := k.follow(k.post("/switches", flipForm("kill", "a", "return", "/switches?tab=off")))
	if !k.switchAt("a").Killed {
		t.Error("a kill asks")
	}
	k.wants(page, "a is killed, was on for 25 %", `name="release" value="a"`)
	if k.undo(page); k.switchAt("a").Killed {
		t.Error("an undo leaves it killed")
	}
	k.post("/switches", flipForm("kill", "a"))
	k.wants(k.post("/switches", flipForm("release", "a")).wantStatus(t, 200), "More people would see this", "Nobody has asked for it", `name="confirm" value="1"`, `name="release" value="a"`)
	if !k.switchAt("a").Killed {
		t.Error("a release does not ask")
	}
	k.follow(k.post("/switches", flipForm("release", "a", "confirm", "1")))
	if k.switchAt("a").Killed {
		t.Error("a release that was agreed to is none")
	}
	// Narrower is done at once, wider is asked for, and what nobody touched stays.
	k.follow(k.post("/switches", flipForm("do", "shares", "was-a", "25", "p-a", "10", "was-b", "5", "p-b", "5")))
	if a, b := k.switchAt("a"), k.switchAt("b"); a.Everyone.Percent != 10 || b.Version.Revision != 2 {
		t.Errorf("a has %v, b version %v", a.Everyone.Percent, b.Version)
	}
	k.wants(k.post("/switches", flipForm("do", "shares", "was-a", "10", "p-a", "12,5", "was-b", "5", "p-b", "100")).wantStatus(t, 200), "12.5 %", "5 %", "<ins>on</ins>")
	k.follow(k.post("/switches", flipForm("do", "shares", "was-a", "10", "p-a", "12,5", "was-b", "5", "p-b", "100", "confirm", "1")))
	if a, b := k.switchAt("a"), k.switchAt("b"); a.Everyone.Percent != 12.5 || b.State != switches.On {
		t.Errorf("a %v, b %v", a.Everyone, b.State)
	}
	k.wants(k.follow(k.post("/switches", flipForm("do", "shares", "was-a", "12.5", "p-a", "lots"))), "a share is a number from 0 to 100")
	k.wants(k.follow(k.post("/switches", flipForm("kill", "gone"))), "no switch &#34;gone&#34;")
	k.post("/switches", values("kill", "a", "env", "moon")).wantStatus(t, 404)
}

// TestSwitchParts is the same for a script: fresh rows and a toast, a question, a reason.
func TestSwitchParts(t *testing.T) {
	t.Parallel()
	k := newTraffic(t)
	k.addSwitch(partly("a", 25))
	part := func(pairs ...string) reply {
		form := flipForm(pairs...)
		form.Set("csrf", k.who.csrf)
		return k.do(t, "POST", "/switches", form, ours(), cookies(k.who.cookie), header("X-Part", "1"))
	}
	r := part("kill", "a").wantStatus(t, 200)
	k.wants(r, `<tr role="row" id="sw-a"`, `name="release"`, "In force, 1 of 1", `action="/switches/changes/`)
	k.lacks(r, "<html")
	k.wants(part("release", "a").wantStatus(t, http.StatusAccepted), `id="confirm"`, "25 %")
	k.wants(part("release", "a", "confirm", "1").wantStatus(t, 200), `name="kill"`)
	k.wants(part("do", "shares", "was-a", "25", "p-a", "x").wantStatus(t, 200), `data-tone="bad"`)
}

var inputForm = regexp.MustCompile(`<input\b([^>]*)>`)

// fieldsOf are the hidden and typed fields of a form of a page that a test sends back, by the form's id.
func (k *shop) fieldsOf(page, id string) url.Values {
	k.t.Helper()
	_, form, ok := strings.Cut(page, id)
	if !ok {
		k.t.Fatalf("no form %s", id)
	}
	form, _, _ = strings.Cut(form, "</form>")
	out := url.Values{}
	for _, m := range inputForm.FindAllStringSubmatch(form, -1) {
		attrs := map[string]string{}
		for _, a := range regexp.MustCompile(`([a-z-]+)(?:="([^"]*)")?`).FindAllStringSubmatch(m[1], -1) {
			attrs[a[1]] = unescape(a[2])
		}
		_, on := attrs["checked"]
		if kind := attrs["type"]; attrs["name"] != "" && (kind != "checkbox" && kind != "radio" || on) {
			out.Add(attrs["name"], attrs["value"])
		}
	}
	for _, m := range regexp.MustCompile(`(?s)<select\b[^>]*\bname="([^"]*)"[^>]*>(.*?)</select>`).FindAllStringSubmatch(form, -1) {
		if o := regexp.MustCompile(`<option value="([^"]*)"[^>]*\bselected`).FindStringSubmatch(m[2]); o != nil {
			out.Add(m[1], unescape(o[1]))
		}
	}
	return out
}

func unescape(s string) string {
	return strings.NewReplacer("&#34;", `"`, "&amp;", "&", "&lt;", "<", "&gt;", ">", "&#39;", "'").Replace(s)
}

// TestSwitchEditor makes, edits and removes a switch by its forms, as a browser without a script does.
func TestSwitchEditor(t *testing.T) {
	t.Parallel()
	k := newTraffic(t)
	form := k.fieldsOf(k.get("/switches/new?key=checkout.new_totals").wantStatus(t, 200).text, `id="editor"`)
	if form.Get("remove_by") == "" || form.Get("owner") == "" || form.Get("state") != "off" {
		t.Errorf("a new switch has no owner, date or state: %v", form)
	}
	form.Set("do", "set.add")
	page := k.post("/switches/new", form).wantStatus(t, 200)
	form = k.fieldsOf(page.text, `id="editor"`)
	form.Set("s0.name", "Staff")
	form.Set("s0.r0.values", "17, 42")
	form.Set("do", "rule.add.0")
	form = k.fieldsOf(k.post("/switches/new", form).wantStatus(t, 200).text, `id="editor"`)
	form.Set("s0.r1.join", "or")
	form.Set("s0.r1.attribute", "ip")
	form.Set("s0.r1.op", "in")
	form.Set("s0.r1.values", "nonsense")
	form.Set("state", "partial")
	form.Set("e.percent", "5")
	form.Set("do", "save")
	k.wants(k.post("/switches/new", form).wantStatus(t, 422), "Not saved", `value="nonsense"`, `value="17, 42"`)
	form.Set("s0.r1.values", "10.20.0.0/16")
	k.wants(k.post("/switches/new", form).wantStatus(t, 200), "More people would see this")
	form.Set("confirm", "1")
	page = k.follow(k.post("/switches/new", form))
	k.wants(page, "checkout.new_totals is made, on for 5 % and 1 set", "Staff", "10.20.0.0/16", "created,")
	e := k.switchAt("checkout.new_totals")
	if len(e.Sets) != 1 || len(e.Sets[0].When) != 2 || e.Everyone.Percent != 5 || e.Salt == "" {
		t.Errorf("it is %+v", e.Switch)
	}
	k.wants(k.post("/switches/new", form).wantStatus(t, 422), "There is a switch checkout.new_totals in production already")

	form = k.fieldsOf(page.text, `id="editor"`)
	form.Set("e.percent", "2")
	form.Set("why", "too many mails")
	page = k.follow(k.post("/switches/checkout.new_totals", form))
	k.wants(page, "5 % and 1 set", "2 % and 1 set", "too many mails", "was on for 5 % and 1 set")
	if e := k.switchAt("checkout.new_totals"); e.Everyone.Percent != 2 || e.Why != "too many mails" || e.By == "" {
		t.Errorf("it is %+v", e)
	}
	if k.undo(page); k.switchAt("checkout.new_totals").Everyone.Percent != 5 {
		t.Error("the undo left the share")
	}
	form = k.fieldsOf(k.get("/switches/checkout.new_totals").text, `id="editor"`)
	form.Set("e.percent", "half")
	form.Set("do", "set.remove.0")
	page = k.post("/switches/checkout.new_totals", form).wantStatus(t, 200)
	k.wants(page, `value="half"`, "Not saved yet")
	k.lacks(page, "Set 1 rule")
	k.follow(k.post("/switches/checkout.new_totals/delete", flipForm("why", "done")))
	if _, there := k.board.Entry("production", "checkout.new_totals"); there {
		t.Error("it is still there")
	}
	form.Del("base.revision")
	k.post("/switches/checkout.new_totals", form).wantStatus(t, 400)
}

// TestSwitchConflict: of two people who edit one switch the second sees what the first did, and puts theirs on top.
func TestSwitchConflict(t *testing.T) {
	t.Parallel()
	k := newTraffic(t)
	k.addSwitch(partly("a", 25))
	mine, theirs := k.fieldsOf(k.get("/switches/a").text, `id="editor"`), k.fieldsOf(k.get("/switches/a").text, `id="editor"`)
	theirs.Set("owner", "Priya")
	theirs.Set("why", "mine now")
	k.follow(k.post("/switches/a", theirs))
	mine.Set("e.percent", "10")
	mine.Set("description", "<i>text</i>")
	page := k.post("/switches/a", mine).wantStatus(t, http.StatusConflict)
	k.wants(page, "Somebody was faster", "mine now", "What they changed", "Owner", "Priya", "Everyone", "10 %", "Apply mine on top")
	k.lacks(page, "<i>text")
	if k.switchAt("a").Everyone.Percent != 25 {
		t.Error("the second edit is in force")
	}
	top := k.fieldsOf(page.text, `class="row wrap" method="post" action="/switches/a"`)
	top.Set("do", "look")
	k.wants(k.post("/switches/a", top).wantStatus(t, 200), `value="Priya"`, "Not saved yet")
	top.Set("do", "save")
	k.follow(k.post("/switches/a", top))
	if e := k.switchAt("a"); e.Everyone.Percent != 10 || e.Owner != "Priya" || e.Description != "<i>text</i>" {
		t.Errorf("on top it is %+v", e.Switch)
	}
	if _, err := k.board.Delete(t.Context(), "production", "a", peers.Version{}, mara, ""); err != nil {
		t.Fatal(err)
	}
	k.wants(k.post("/switches/a", mine).wantStatus(t, http.StatusConflict), "removed", "Nothing of yours is in force")
}

// TestSwitchTry asks as others.
func TestSwitchTry(t *testing.T) {
	t.Parallel()
	k := newTraffic(t)
	k.addSwitch(switches.Switch{Key: "a", State: switches.Partial, Everyone: switches.Rollout{Percent: 25}, Sets: []switches.Set{
		{Name: "Staff", When: switches.When{{{Attribute: "user", Op: switches.Is, Values: []string{"17"}}}}, Rollout: switches.Rollout{Percent: 100}},
		{Name: "Gold", When: switches.When{{{Attribute: "plan.level", Op: switches.AtLeast, Values: []string{"3"}}, {Attribute: "host", Op: switches.Suffix, Values: []string{".example"}}, {Attribute: "ip", Op: switches.In, Values: []string{"10.0.0.0/8"}}}},
			Rollout: switches.Rollout{Percent: 100}}}})
	k.wants(k.get("/switches/a?try=1&user=17").wantStatus(t, 200), "Yes: on.", "TARGETING_MATCH")
	snapshot := k.board.Holder("production").Snapshot()
	for i := range 40 {
		id := strconv.Itoa(100 + i)
		if want := map[bool]string{true: "Yes: on.", false: "No: off."}[snapshot.Eval("a", &switches.Subject{ID: id}).On]; !strings.Contains(k.get("/switches/a?try=1&user="+id).text, want) {
			t.Errorf("user %s: not %s", id, want)
		}
	}
	k.wants(k.get("/switches/a?try=1&user=x1&ip=10.3.4.5&address="+url.QueryEscape("https://web.example/page?x=1")+"&attrs="+url.QueryEscape("plan.level=4\nbeta=true")), "Yes: on.")
	k.wants(k.get("/switches/a?try=1&ip=nonsense").wantStatus(t, 200), "is no IP address")
	k.wants(k.get("/switches/a?try=1&attrs=what").wantStatus(t, 200), "name=value")
}

// TestSwitchOthers walks through the other pages.
func TestSwitchOthers(t *testing.T) {
	t.Parallel()
	k := newTraffic(t)
	k.addSwitch(switches.Switch{Key: "a", State: switches.Partial, Labs: &switches.Labs{Title: "Markdown <b>", Cap: 1, Feedback: "mara@example.org"}})
	k.addSwitch(switches.Switch{Key: "forum.one", State: switches.Partial, Labs: &switches.Labs{Title: "For forums", Per: "forum"}})
	k.wants(k.get("/switches/audit").wantStatus(t, 200), "created,", "for the test", "forum.one")
	k.lacks(k.get("/switches/audit?key=a"), "forum.one")
	k.wants(k.get("/switches/processes").wantStatus(t, 200), "1 of 1 process at revision", "web-test", "this one")
	k.get("/switches/stale").wantStatus(t, 200)

	k.wants(k.get("/switches/segments?new=1").wantStatus(t, 200), "No segment in production yet", "New segment")
	seg := flipForm("key", "staff", "new", "1", "r", "0", "r0.attribute", "user", "r0.op", "is", "r0.values", "17, 42")
	k.wants(k.follow(k.post("/switches/segments", seg)), "Segment staff is saved", "17, 42")
	k.wants(k.post("/switches/segments", seg).wantStatus(t, 422), "There is such a segment already")
	seg.Set("r0.values", "")
	seg.Del("new")
	k.wants(k.post("/switches/segments", seg).wantStatus(t, 422), "Compared with what?")
	seg.Set("do", "rule.add.0")
	k.wants(k.post("/switches/segments", seg).wantStatus(t, 200), "Segment rule 2")
	k.addSwitch(switches.Switch{Key: "b", State: switches.Partial, Sets: []switches.Set{{When: switches.When{{{Attribute: "segment", Op: switches.Within, Values: []string{"staff"}}}}, Rollout: switches.Rollout{Percent: 100}}}})
	k.wants(k.get("/switches/segments"), `href="/switches/b"`)
	k.wants(k.follow(k.post("/switches/segments", flipForm("key", "staff", "do", "delete"))), "is asked for by b")

	k.wants(k.get("/labs").wantStatus(t, 200), "Markdown &lt;b&gt;", "0 of 1 places taken", "mailto:mara", "For forums")
	k.wants(k.follow(k.post("/labs", flipForm("key", "a", "do", "in"))), "You take part", "1 of 1 places taken")
	me := strconv.FormatInt(k.who.account.ID, 10)
	if a := k.board.Holder("production").Snapshot().Eval("a", &switches.Subject{ID: me}); !a.On {
		t.Errorf("whoever takes part gets %+v", a)
	}
	k.wants(k.follow(k.post("/labs", flipForm("key", "a", "do", "out"))), "You left")
	k.wants(k.follow(k.post("/labs", flipForm("key", "a", "do", "forget"))), "0 of 1 places")
	k.wants(k.follow(k.post("/labs", flipForm("key", "forum.one", "do", "in", "forum", "tealeaf"))), "You take part", `value="tealeaf"`)
	k.wants(k.follow(k.post("/labs", flipForm("key", "b", "do", "in"))), "not offered")

	k.wants(k.follow(k.post("/switches/a/copy", flipForm("to", "staging", "confirm", "1"))), "copied to staging", "in staging")
	k.wants(k.follow(k.post("/switches/a/guard", flipForm("mode", "shadow", "hold", "20", "kill", "5000", "latency", "1"))), "its guard is saved")
	if g := k.switchAt("a").Guard; g == nil || g.Mode != switches.GuardShadow || g.Kill != 5000 || g.Hold != 0 || !g.Latency {
		t.Errorf("the guard is %+v", g)
	}
	k.wants(k.follow(k.post("/switches/a/guard", flipForm("mode", "kill", "hold", "0.5"))), "number above 1")
	k.follow(k.post("/switches/a/flip", flipForm("do", "hold")))
	if g := k.switchAt("a").Guard; g.PausedUntil.Before(time.Now().Add(14 * time.Minute)) {
		t.Errorf("the guard waits until %v", g.PausedUntil)
	}
	k.post("/switches/a/flip", flipForm("do", "dance")).wantStatus(t, 400)
	k.post("/switches/changes/x/undo", flipForm()).wantStatus(t, 404)
}

// TestSwitchRoles: viewers look, members and moderators turn off and take that back, owners and admins do the rest.
func TestSwitchRoles(t *testing.T) {
	t.Parallel()
	k := newTraffic(t)
	k.addSwitch(partly("a", 25))
	role := func(r model.Role) {
		k.exec(t, `UPDATE account SET role = $1`, string(r))
	}
	role(model.Viewer)
	k.lacks(k.get("/switches").wantStatus(t, 200), `name="kill"`, "Save shares", "New switch")
	k.post("/switches", flipForm("kill", "a")).wantStatus(t, 403)
	k.post("/switches", flipForm("do", "shares", "was-a", "25", "p-a", "5")).wantStatus(t, 403)
	role(model.Member)
	page := k.follow(k.post("/switches", flipForm("kill", "a", "return", "/switches")))
	if !k.switchAt("a").Killed {
		t.Error("a member cannot turn off")
	}
	k.post("/switches", flipForm("release", "a", "confirm", "1")).wantStatus(t, 403)
	k.post("/switches/a", flipForm("do", "save")).wantStatus(t, 403)
	k.get("/switches/new").wantStatus(t, 403)
	if k.undo(page); k.switchAt("a").Killed {
		t.Error("a member cannot take their own back")
	}
	if p, err := k.board.Kill(t.Context(), "production", "a", true, mara, ""); err != nil {
		t.Fatal(err)
	} else {
		k.wants(k.post(fmt.Sprintf("/switches/changes/%d/undo", p.ChangeID), flipForm()).wantStatus(t, 403), "Owners and admins undo what others did")
	}
}

// TestSwitchBudgets: pages cost no more queries for many switches than for one.
func TestSwitchBudgets(t *testing.T) {
	t.Parallel()
	k := newTraffic(t)
	k.addSwitch(partly("s0", 25))
	most := map[string]int{"/switches": 10, "/switches/s0": 10, "/switches/audit": 3, "/switches/processes": 2, "/switches/stale": 8, "/switches/segments": 2, "/labs": 2}
	before := map[string]int{}
	for round := range 2 {
		for path, limit := range most {
			k.get(path).wantStatus(t, 200)
			n := k.queriesOf()
			if n > limit || round > 0 && n > before[path] { // fewer where sums are shown again
				t.Errorf("%s costs %d queries of %d, %d with one switch", path, n, limit, before[path])
			}
			before[path] = n
		}
		for i := range 60 * (1 - round) {
			k.addSwitch(partly("s"+strconv.Itoa(i+1), 5))
		}
	}
	t.Log(before)
}

// TestWidens tells what asks and what does not.
func TestWidens(t *testing.T) {
	t.Parallel()
	staff := switches.Set{When: switches.When{{{Attribute: "role", Op: switches.Is, Values: []string{"staff"}}}}, Rollout: switches.Rollout{Percent: 50}}
	base := func(change func(*switches.Switch)) switches.Switch {
		s := switches.Switch{Key: "a", State: switches.Partial, Everyone: switches.Rollout{Percent: 25}, Sets: []switches.Set{staff}, Requires: []switches.Requirement{{Key: "b"}}}
		if change != nil {
			change(&s)
		}
		return s
	}
	percent := 100.
	for name, c := range map[string]struct {
		was, is func(*switches.Switch)
		want    bool
	}{
		"nothing":            {nil, nil, false},
		"off":                {nil, func(s *switches.Switch) { s.State = switches.Off }, false},
		"killed":             {nil, func(s *switches.Switch) { s.Killed = true }, false},
		"released":           {func(s *switches.Switch) { s.Killed = true }, nil, true},
		"on":                 {nil, func(s *switches.Switch) { s.State = switches.On }, true},
		"on and was":         {func(s *switches.Switch) { s.State = switches.On }, func(s *switches.Switch) { s.State = switches.On; s.Owner = "x" }, false},
		"from on":            {func(s *switches.Switch) { s.State = switches.On }, nil, false},
		"wider":              {nil, func(s *switches.Switch) { s.Everyone.Percent = 26 }, true},
		"narrower":           {nil, func(s *switches.Switch) { s.Everyone.Percent = 24 }, false},
		"wider set":          {nil, func(s *switches.Switch) { s.Sets[0].Rollout.Percent = 60 }, true},
		"narrower set":       {nil, func(s *switches.Switch) { s.Sets[0].Rollout.Percent = 10 }, false},
		"set gone":           {nil, func(s *switches.Switch) { s.Sets = nil }, false},
		"holding set gone":   {func(s *switches.Switch) { s.Sets[0].Rollout.Percent = 0 }, func(s *switches.Switch) { s.Sets = nil }, true},
		"other salt":         {nil, func(s *switches.Switch) { s.Salt = "x" }, true},
		"fewer requirements": {nil, func(s *switches.Switch) { s.Requires = nil }, true},
		"as parent":          {nil, func(s *switches.Switch) { s.State = switches.Inherit }, true},
		"plan":               {nil, func(s *switches.Switch) { s.Ramp = &switches.Ramp{At: -1, Steps: []switches.Step{{Percent: 50}}} }, true},
		"schedule":           {nil, func(s *switches.Switch) { s.Schedule = []switches.Change{{Percent: &percent}} }, true},
		"off later":          {nil, func(s *switches.Switch) { s.Schedule = []switches.Change{{State: switches.Off}} }, false},
		"turned on for some": {func(s *switches.Switch) { s.State = switches.Off }, nil, true},
		"turned on for none": {func(s *switches.Switch) { s.State = switches.Off }, func(s *switches.Switch) { s.Everyone.Percent = 0; s.Sets = nil }, false},
	} {
		was, is := base(c.was), base(c.is)
		is.Sets = append([]switches.Set(nil), is.Sets...)
		if got := widens(was, is); got != c.want {
			t.Errorf("%s: %v", name, got)
		}
	}
}

func TestNewly(t *testing.T) {
	t.Parallel()
	share := func(p float64) switches.Switch {
		return switches.Switch{State: switches.Partial, Everyone: switches.Rollout{Percent: p}}
	}
	for name, c := range map[string]struct {
		was, is switches.Switch
		n, on   float64
		want    int64
	}{"5 to 50": {share(5), share(50), 1000, 50, 450}, "with staff": {share(5), share(50), 1000, 145, 405}, "to on": {share(25), switches.Switch{State: switches.On}, 1000, 250, 750},
		"from off": {switches.Switch{State: switches.Off}, share(10), 1000, 0, 100}, "off to on": {switches.Switch{State: switches.Off}, switches.Switch{State: switches.On}, 1000, 700, 1000}} {
		if got, _ := newly(c.was, c.is, c.n, c.on); got != c.want {
			t.Errorf("%s: %d, want %d", name, got, c.want)
		}
	}
	if got, want := views.PeopleNewly(18_437, false), "About 18,400 people in the last 24 h would newly see it."; got != want {
		t.Error(got)
	}
}

// TestManySwitches: ten thousand of them, by pages.
func TestManySwitches(t *testing.T) {
	t.Parallel()
	k := newTraffic(t)
	for i := range 300 {
		k.addSwitch(partly(fmt.Sprintf("many.%04d", i), 5))
	}
	k.wants(k.get("/switches?page=3").wantStatus(t, 200), "101 to 150 of 300", "many.0149", "Next", "Previous")
	k.wants(k.get("/switches?q=many.0299").wantStatus(t, 200), "1 to 1 of 1")
	text, err := json.Marshal(k.board.Config("production"))
	if err != nil || len(text) < 1000 {
		t.Fatal(err)
	}
}
