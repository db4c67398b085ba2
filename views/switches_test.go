package views

import (
	"html"
	"net/url"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/a-h/templ"

	"kibitz/app/switches"
)

// TestSwitchForm: a switch that goes through its form is the same afterwards, all of it.
func TestSwitchForm(t *testing.T) {
	t.Parallel()
	for name, s := range map[string]switches.Switch{"full": fullSwitch(), "sample": sampleSwitch(), "empty": {Key: "a", State: switches.Off}} {
		sent := url.Values{}
		for _, f := range FormOf(s).fields() {
			sent.Add(f.name, f.value)
		}
		form := ReadSwitchForm(sent)
		got, ok := form.Switch(s)
		if !ok || !reflect.DeepEqual(got, s) {
			t.Errorf("%s: %v\n got %+v\nwant %+v\n%v", name, ok, got, s, SwitchDiff(&s, &got))
		}
	}
}

var (
	inputs    = regexp.MustCompile(`<(input|textarea|select)\b([^>]*)>([^<]*)`)
	attribute = regexp.MustCompile(`([a-z-]+)(?:="([^"]*)")?`)
	options   = regexp.MustCompile(`(?s)<select\b[^>]*\bname="([^"]*)"[^>]*>(.*?)</select>`)
	chosen    = regexp.MustCompile(`<option value="([^"]*)"[^>]*\bselected`)
)

// sentBy are the fields that a browser sends of a form, but for its buttons.
func sentBy(page string) url.Values {
	sent := url.Values{}
	for _, m := range inputs.FindAllStringSubmatch(page, -1) {
		attrs := map[string]string{}
		for _, a := range attribute.FindAllStringSubmatch(m[2], -1) {
			attrs[a[1]] = html.UnescapeString(a[2])
		}
		_, on := attrs["checked"]
		if kind := attrs["type"]; attrs["name"] == "" || m[1] == "select" || (kind == "checkbox" || kind == "radio") && !on {
			continue
		}
		value := attrs["value"]
		if m[1] == "textarea" {
			value = html.UnescapeString(m[3])
		}
		sent.Add(attrs["name"], value)
	}
	for _, m := range options.FindAllStringSubmatch(page, -1) {
		if o := chosen.FindStringSubmatch(m[2]); o != nil {
			sent.Add(m[1], html.UnescapeString(o[1]))
		}
	}
	return sent
}

// TestSwitchEditor: what a browser sends of the rendered editor is the switch that it was made of.
func TestSwitchEditor(t *testing.T) {
	t.Parallel()
	for _, s := range []switches.Switch{fullSwitch(), sampleSwitch()} {
		p := sampleSwitchPage()
		p.Switch, p.Form = s, FormOf(s)
		sent := sentBy(rendered(t, SwitchEditor(sampleChrome("/switches/x"), p)))
		form := ReadSwitchForm(sent)
		got, ok := form.Switch(s)
		if diff := SwitchDiff(&s, &got); !ok || len(diff) > 0 {
			t.Errorf("%v, %v: %+v", ok, form.Errors, diff)
		}
		base, ok := ReadBase(sent.Get("base"))
		if !ok || len(SwitchDiff(&s, &base)) > 0 || sent.Get("base.revision") != "4711" {
			t.Errorf("the form lost what it was made of: %v", SwitchDiff(&s, &base))
		}
	}
}

// TestSwitchFormErrors: what cannot be read is shown again, beside the reason, and nothing else is lost.
func TestSwitchFormErrors(t *testing.T) {
	t.Parallel()
	f := FormOf(fullSwitch())
	f.Everyone.Percent, f.Sets[1].Share.Percent, f.Variants[1].Value, f.RemoveBy = "101", "lots", "{", "soon"
	f.Sets[0].Rules[0].Values, f.Sets[1].Rules[0].Values = "", `"open`
	f.Ramp.Plan[0].Wait, f.Ramp.Plan[1].Subjects, f.Ramp.Quiet[0].From, f.Overrides[0].Expires = "a while", "-1", "late", "never"
	f.Labs.Title, f.Schedule[0].At, f.Everyone.Weights[1], f.Take = "", "", "half", "most"
	if _, ok := f.Switch(switches.Switch{}); ok {
		t.Error("it was read")
	}
	want := []string{"c0.at", "e.percent", "e.w1", "labs.title", "o0.expires", "remove_by", "s0.r0.values", "s1.percent", "s1.r0.values", "t0.wait", "t1.subjects", "take", "u0.from", "v1.value"}
	if got := f.wrong(); !slices.Equal(got, want) {
		t.Errorf("got %v\nwant %v", got, want)
	}
	p := sampleSwitchPage()
	p.Form = f
	page := rendered(t, SwitchEditor(sampleChrome("/"), p))
	for _, text := range []string{`value="101"`, `value="lots"`, `value="a while"`, `aria-invalid`, "A share is a number from 0 to 100", "This is not JSON"} {
		if !strings.Contains(page, text) {
			t.Errorf("the editor lacks %q", text)
		}
	}
}

// TestSwitchFormDo goes through the buttons of the editor.
func TestSwitchFormDo(t *testing.T) {
	t.Parallel()
	f := FormOf(sampleSwitch())
	for _, do := range []string{"set.add", "rule.add.2", "rule.remove.2.0", "set.up.2", "variant.add", "variant.add", "override.add", "require.add", "change.add", "step.add", "step.up.4", "quiet.add", "quiet.remove.0"} {
		if !f.Do(do) {
			t.Errorf("%s is not known", do)
		}
	}
	if len(f.Sets) != 3 || f.Sets[1].Name != "" || len(f.Sets[1].Rules) != 1 || f.Sets[2].Name != "Journal readers in New Zealand" {
		t.Errorf("sets are %+v", f.Sets)
	}
	if len(f.Variants) != 3 || len(f.Everyone.Weights) != 3 || len(f.Ramp.Plan) != 5 || len(f.Ramp.Quiet) != 1 || f.Ramp.Quiet[0].From != "18:00" {
		t.Errorf("got %+v", f)
	}
	for _, do := range []string{"", "set", "set.up.0", "set.down.2", "set.remove.9", "set.remove.-1", "rule.add.9", "rule.remove.0.99", "nothing.add", "step.remove.x", "variant.remove.7"} {
		if f.Do(do) {
			t.Errorf("%q did something", do)
		}
	}
}

func TestMergeSwitch(t *testing.T) {
	t.Parallel()
	base, mine, theirs := sampleSwitch(), sampleSwitch(), sampleSwitch()
	mine.Everyone.Percent, mine.Owner = 50, "Mara"
	theirs.State, theirs.Owner, theirs.Labs = switches.Off, "Ines", &switches.Labs{Title: "x"}
	got, both := MergeSwitch(base, mine, theirs)
	if got.Everyone.Percent != 50 || got.Owner != "Mara" || got.State != switches.Off || got.Labs == nil || !slices.Equal(both, []string{"owner"}) {
		t.Errorf("got %+v, both %v", got, both)
	}
	mine.Ramp = nil
	if got, _ := MergeSwitch(base, mine, theirs); got.Ramp != nil {
		t.Error("what I took away came back")
	}
}

func TestSwitchDiff(t *testing.T) {
	t.Parallel()
	a, b := sampleSwitch(), sampleSwitch()
	if d := SwitchDiff(&a, &b); len(d) != 0 {
		t.Errorf("nothing changed, and %v", d)
	}
	b.Everyone.Percent, b.Sets, b.Killed = 50, b.Sets[:1], true
	var got []string
	for _, d := range SwitchDiff(&a, &b) {
		got = append(got, d.What+": "+d.Before+" > "+d.After)
	}
	want := "Killed:  > yes; Everyone: 25 % > 50 %; Set 2: “Journal readers in New Zealand” if forum is tealeaf-journal and country is NZ > ; Set 2, share: 50 % > "
	if text := strings.Join(got, "; "); text != want {
		t.Errorf("got  %s\nwant %s", text, want)
	}
	if d := SwitchDiff(nil, &a); len(d) < 8 {
		t.Errorf("a new one has %d facts", len(d))
	}
}

func TestSwitchWords(t *testing.T) {
	t.Parallel()
	s := fullSwitch()
	if got, want := WhenText(s.Sets[2].When), `plan.name does not start with a, b, say "so" and is in segment staff, or release matches ^a{1,3}, "b"$, or n not less than 3 and beta is there`; got != want {
		t.Errorf("got %s\nwant %s", got, want)
	}
	for _, c := range []struct {
		query string
		want  bool
	}{{"totals", true}, {"priya zealand", true}, {"10.20", true}, {"staff", true}, {"nobody", false}} {
		if MatchesSwitch(s, c.query) != c.want {
			t.Errorf("%q", c.query)
		}
	}
	for key, want := range map[string]string{"a.b": "/switches/a.b?env=staging", "new": "/switch?key=new&env=staging", "a/b?c": "/switches/a%2Fb%3Fc?env=staging"} {
		if got := SwitchPath(key, "", "staging"); got != want {
			t.Errorf("%s is at %s, want %s", key, got, want)
		}
	}
	for text, want := range map[string]float64{"25": 25, "12,5 %": 12.5, "0.0014": .001, "100": 100} {
		if v, ok := Percent(text); !ok || v != want {
			t.Errorf("%q is %v", text, v)
		}
	}
	for _, text := range []string{"", "-1", "101", "NaN", "x", "1e9", "Inf"} {
		if _, ok := Percent(text); ok {
			t.Errorf("%q is a share", text)
		}
	}
}

// TestSwitchPages renders every page of switches, whole, hostile and without anything.
func TestSwitchPages(t *testing.T) {
	t.Parallel()
	in := true
	for _, text := range []string{"", `"><script>alert(1)</script>`, `'><img src=x onerror=alert(1)>`, "javascript:alert(1)", "a\x00b\x1b[31m\u202e", strings.Repeat("long ", 1000)} {
		c, list, page := sampleChrome("/switches"), sampleSwitches(), sampleSwitchPage()
		confirm := SwitchConfirmProps{SwitchScope: sampleScope(), Action: "/switches", Back: "/switches", Fields: []field{{"p-x", "50"}}, Wider: []Wider{{Key: "x", From: "5 %", To: "50 %", People: "about 18,400"}}, Verb: "Widen"}
		conflict := SwitchConflictProps{SwitchScope: sampleScope(), Key: "x", By: "Priya", Theirs: []SwitchChange{{"Owner", "a", "b"}}, Yours: []SwitchChange{{"Everyone", "5 %", ""}}, Both: []string{"owner"}, Fields: FormOf(fullSwitch()).fields()}
		audit := SwitchAuditProps{SwitchScope: sampleScope(), Events: page.History, Older: 7}
		processes := ProcessesProps{Revision: 4711, Pending: 2, Processes: []ProcessRow{{Node: "web-1", Address: "10.0.0.1:7946", Revision: 4711, Current: true, Self: true, Took: 9e6}, {Node: "web-2", Revision: 4700}, {Node: "web-3", Silent: true}}}
		stale := StaleProps{SwitchScope: sampleScope(), Rows: []StaleRow{{Key: "a", Owner: "b", RemoveBy: "2026-01-01", Answer: "on", Caller: "shop/cart.go:52", Why: []string{"one answer"}, Asked: sampleNow}}}
		segments := SegmentsProps{SwitchScope: sampleScope(), Segments: []SegmentRow{{Segment: switches.Segment{Key: "staff", When: fullSwitch().Sets[2].When}, Used: []string{"a", "b"}}},
			Editor: &SegmentForm{Key: "staff", Rules: RulesOf(fullSwitch().Sets[2].When), Used: []string{"a"}, Problems: []string{"x"}}}
		labs := LabsProps{Offers: []LabsOffer{{Env: "production", Key: "a", Title: "A", Feedback: "mara@tealeaf.example", Opted: &in, Cap: 3, In: 3}, {Key: "b", PerForum: true}, {Key: "c", Cap: 1, In: 1, Feedback: "javascript:alert(1)"}}}
		if text != "" {
			for _, p := range []any{&list, &page, &confirm, &conflict, &audit, &processes, &stale, &segments, &labs} {
				poison(reflect.ValueOf(p).Elem(), text)
			}
			page.Form.Errors = map[string]string{"s0.percent": text}
		}
		empty := list
		empty.Counts, empty.Rows, empty.Query = map[string]int{}, nil, ""
		for name, component := range map[string]templ.Component{"list": SwitchesPage(c, list), "empty": SwitchesPage(c, empty), "page": SwitchPage(c, page), "new": SwitchNewPage(c, SwitchPageProps{SwitchScope: sampleScope(), New: true, Form: page.Form}),
			"confirm": SwitchConfirmPage(c, confirm), "conflict": SwitchConflictPage(c, conflict), "audit": SwitchAuditPage(c, audit), "processes": ProcessesPage(c, processes), "stale": SwitchStalePage(c, stale),
			"no stale": SwitchStalePage(c, StaleProps{}), "segments": SegmentsPage(c, segments), "no segments": SegmentsPage(c, SegmentsProps{}), "labs": LabsPage(c, labs), "no labs": LabsPage(c, LabsProps{}),
			"flipped": SwitchFlipped(c, sampleScope(), list.Rows)} {
			out := rendered(t, component)
			for _, bad := range []string{"<script>alert", "<img src=x", `href="javascript:`, `action="javascript:`, "<style", " onclick=", "NaN"} {
				if strings.Contains(out, bad) {
					t.Errorf("%s of %.20q has %s", name, text, bad)
				}
			}
		}
	}
}

// TestSwitchesSay looks for what the table and the page must tell.
func TestSwitchesSay(t *testing.T) {
	t.Parallel()
	list := rendered(t, SwitchesPage(sampleChrome("/switches"), sampleSwitches()))
	for _, want := range []string{"34 switches in production: 9 on, 14 partly on, 11 off", "Stale 5", "20.4 %", "Hold for 15 min", "Turn off now", `name="kill" value="checkout.new_totals"`, `name="release" value="search.semantic"`, "Journal readers in New Zealand 50 %",
		`href="/switch?key=new"`, "by schedule", "Not stored yet", `name="was-thread:live bar/ü"`, "its plan moves it", "12 of 12 processes", `data-go="s"`} {
		if !strings.Contains(list, want) {
			t.Errorf("the table lacks %q", want)
		}
	}
	scope := sampleSwitches()
	scope.MayFlip, scope.MayKill = false, false
	if list := rendered(t, SwitchesPage(sampleChrome("/switches"), scope)); strings.Contains(list, `name="kill"`) || strings.Contains(list, "Save shares") || strings.Contains(list, "New switch") {
		t.Error("a viewer is offered what they may not do")
	}
	page := rendered(t, SwitchPage(sampleChrome("/switches/x"), sampleSwitchPage()))
	for _, want := range []string{"Error rate", "p95 duration", `class="band" data-p="on"`, "lands on 61.2 %, needs under 25 %", "Failing early looks fast", "<del>5 % and 2 sets</del>", "second step, numbers look fine", "killed", "Copy to staging", "waits for 500 people", `action="/switches/changes/12/undo"`} {
		if !strings.Contains(page, want) {
			t.Errorf("the page lacks %q", want)
		}
	}
}

// FuzzSwitchForm sends anything: nothing panics, and what is read once is read again.
func FuzzSwitchForm(f *testing.F) {
	var seed url.Values = url.Values{}
	for _, x := range FormOf(fullSwitch()).fields() {
		seed.Add(x.name, x.value)
	}
	f.Add(seed.Encode(), "rule.add.0")
	f.Add("s=0&s=0&s0.r=7&s0.r7.op=!matches&s0.r7.values=%22", "set.up.1")
	f.Fuzz(func(t *testing.T, query, do string) {
		sent, err := url.ParseQuery(query)
		if err != nil {
			t.Skip()
		}
		form := ReadSwitchForm(sent)
		form.Do(do)
		s, ok := form.Switch(switches.Switch{})
		if !ok {
			return
		}
		again := FormOf(s)
		if back, ok := again.Switch(switches.Switch{}); !ok || len(SwitchDiff(&s, &back)) > 0 {
			t.Errorf("%v %v", again.Errors, SwitchDiff(&s, &back))
		}
	})
}
