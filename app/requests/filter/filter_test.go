package filter

import (
	"reflect"
	"strings"
	"testing"
	"time"

	"kibitz/app/trace"
)

const ms = int64(time.Millisecond)

func TestParse(t *testing.T) {
	t.Parallel()
	id := "b71c9e40d2f84e1ab71c9e40d2f84e1a"
	for text, want := range map[string][]Term{
		"":                      nil,
		" \t ":                  nil,
		"endpoint:/cart":        {{Field: Endpoint, Values: []Value{{Text: "/cart"}}}},
		"endpoint:/cart/*":      {{Field: Endpoint, Values: []Value{{Op: Match, Text: "/cart/*"}}}},
		`endpoint:"/a *, b"`:    {{Field: Endpoint, Values: []Value{{Text: "/a *, b"}}}},
		"METHOD:get,post":       {{Field: Method, Values: []Value{{Text: "GET"}, {Text: "POST"}}}},
		"status:404":            {{Field: Status, Values: []Value{{N: 404}}}},
		"status:4xx,5XX":        {{Field: Status, Values: []Value{{Op: Between, N: 400, M: 499}, {Op: Between, N: 500, M: 599}}}},
		"status:>=400":          {{Field: Status, Values: []Value{{Op: GreaterEqual, N: 400}}}},
		"duration:>500ms":       {{Field: Duration, Values: []Value{{Op: Greater, N: 500 * ms}}}},
		"duration:<1.5s":        {{Field: Duration, Values: []Value{{Op: Less, N: 1500 * ms}}}},
		"duration:20":           {{Field: Duration, Values: []Value{{N: 20 * ms}}}},
		"duration:10µs..2min":   {{Field: Duration, Values: []Value{{Op: Between, N: ms / 100, M: 120_000 * ms}}}},
		"queries:<=20":          {{Field: Queries, Values: []Value{{Op: LessEqual, N: 20}}}},
		"user:id:42":            {{Field: User, Values: []Value{{Text: "id:42"}}}},
		"-release:shop@4.16.*":  {{Field: Release, Not: true, Values: []Value{{Op: Match, Text: "shop@4.16.*"}}}},
		"!env:staging":          {{Field: Env, Not: true, Values: []Value{{Text: "staging"}}}},
		"host:web-3":            {{Field: Host, Values: []Value{{Text: "web-3"}}}},
		"service:shop":          {{Field: Service, Values: []Value{{Text: "shop"}}}},
		"switch:a.b=on":         {{Field: Switch, Values: []Value{{Text: "a.b", Variant: "on"}}}},
		"switch:a.b":            {{Field: Switch, Values: []Value{{Text: "a.b"}}}},
		`switch:"a=b"=c`:        {{Field: Switch, Values: []Value{{Text: "a=b", Variant: "c"}}}},
		"trace:" + id:           {{Field: Trace, Values: []Value{{Text: id}}}},
		"is:Failed":             {{Field: Is, Values: []Value{{Text: "failed"}}}},
		"-is:kept":              {{Field: Is, Not: true, Values: []Value{{Text: "kept"}}}},
		"cart,x":                {{Values: []Value{{Op: Contains, Text: "cart,x"}}}},
		`-"a:b c"`:              {{Not: true, Values: []Value{{Op: Contains, Text: "a:b c"}}}},
		"https://x/y":           {{Values: []Value{{Op: Contains, Text: "https://x/y"}}}},
		`release:""`:            {{Field: Release, Values: []Value{{}}}},
		`user:"say \"hi\" \\o"`: {{Field: User, Values: []Value{{Text: `say "hi" \o`}}}},
	} {
		got, problems := Parse(text)
		for i := range got.Terms {
			got.Terms[i].Pos = 0
		}
		if len(problems) > 0 || !reflect.DeepEqual(got.Terms, want) {
			t.Errorf("%q: got %+v %v, want %+v", text, got.Terms, problems, want)
		}
	}
}

// TestProblems holds where a problem is said to be, what it advises, and that the rest still holds.
func TestProblems(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]struct {
		pos     int
		message string
		rest    string
	}{
		"cart color:red":         {5, "endpoint: method: status:", "cart"},
		"status:abc env:x":       {7, "status:5xx", "env:x"},
		"status:5xxx":            {7, "status:5xx", ""},
		"status:-1":              {7, "status:5xx", ""},
		"status:404..400":        {7, "status:400..404", ""},
		"duration:>5days":        {9, "ns, us, ms, s, min or h", ""},
		"duration:9e300h":        {9, "duration:>500ms", ""},
		"duration:9999999h":      {9, "duration:>500ms", ""},
		"queries:many":           {8, "queries:>20", ""},
		"trace:xyz":              {6, "32 hexadecimal digits", ""},
		"is:slow":                {3, "is:failed or is:kept", ""},
		"user: cart":             {5, "user:id:42", "cart"},
		"switch:=on":             {7, "key=variant", ""},
		"switch:a=":              {7, "key=variant", ""},
		`x endpoint:"/a b`:       {11, "never closed", `x endpoint:"/a b"`},
		"method:GET,,POST":       {11, "method:POST", "method:GET,POST"},
		"-":                      {1, "value is missing", ""},
		strings.Repeat("a ", 50): {80, "filter.MaxValues", strings.TrimSpace(strings.Repeat("a ", 40))},
	} {
		got, problems := Parse(text)
		if len(problems) != 1 || problems[0].Pos != want.pos || !strings.Contains(problems[0].Message, want.message) {
			t.Errorf("%q: problems %+v, want one at %d with %q", text, problems, want.pos, want.message)
		}
		if got.String() != want.rest {
			t.Errorf("%q: what is left is %q, want %q", text, got, want.rest)
		}
	}
	if _, problems := Parse(strings.Repeat("é", MaxBytes)); len(problems) != 1 || !strings.Contains(problems[0].Message, "filter.MaxBytes") {
		t.Errorf("a long text: %v", problems)
	}
}

func TestMatch(t *testing.T) {
	t.Parallel()
	id, _ := trace.ParseID("b71c9e40d2f84e1ab71c9e40d2f84e1a")
	r := &trace.Request{Trace: id, Name: "/Checkout/{id}", Method: "post", Status: 502, Failed: true, Duration: 500 * time.Millisecond, Service: "shop", Release: "shop@4.18.0",
		Environment: "production", Host: "web-3", User: "id:42", Switches: []trace.Switch{{Key: "totals", Variant: "on"}, {Key: "quote", Variant: "off"}}}
	r.Totals.N[trace.DB] = 20
	for text, want := range map[string]bool{
		"": true, "checkout": true, "CHECK {id}": true, "cart": false, "-cart": true, "endpoint:/Checkout/*": true, "endpoint:/Checkout": false, "endpoint:/*ck*o*{id}": true,
		"endpoint:/Checkout/{id}*/{id}": false, "method:POST": true, "method:GET": false, "method:GET,POST": true, "status:5xx": true, "status:4xx": false, "status:500..502": true, "-status:5xx": false,
		"duration:>500ms": false, "duration:>=500ms": true, "duration:<500ms": false, "duration:<=0.5s": true, "duration:500": true, "queries:20": true, "queries:>20": false, "queries:<21": true,
		"user:id:42": true, "user:*:43": false, "release:shop@4.*": true, "env:production": true, "host:web-*": true, "service:shop": true, "service:cart": false,
		"switch:totals": true, "switch:totals=on": true, "switch:totals=off": false, "switch:gone": false, "-switch:totals=off": true, "is:failed": true, "is:kept": false, "-is:kept": true,
		"trace:B71C9E40-d2f8-4e1a-b71c-9e40d2f84e1a": true, "trace:a71c9e40d2f84e1ab71c9e40d2f84e1a": false, "is:failed status:4xx": false,
	} {
		f, problems := Parse(text)
		if len(problems) > 0 || f.Match(r, false) != want {
			t.Errorf("%q: %v %v, want %v", text, !want, problems, want)
		}
	}
	if f, _ := Parse("is:kept"); !f.Match(r, true) {
		t.Error("a kept request is not kept")
	}
}

func TestWithout(t *testing.T) {
	t.Parallel()
	f, _ := Parse("a is:failed b")
	if got := f.Without(1).String(); got != "a b" || f.String() != "a is:failed b" {
		t.Errorf("without the second: %q of %q", got, f)
	}
}

// TestExamples holds that what help shows is understood, and that there is one for each key.
func TestExamples(t *testing.T) {
	t.Parallel()
	for i, text := range Examples() {
		f, problems := Parse(text)
		if len(problems) > 0 || f.String() != text || f.Terms[0].Field != fields[i].field {
			t.Errorf("%q is read as %q: %v", text, f, problems)
		}
	}
}

func FuzzParse(f *testing.F) {
	for _, text := range append(Examples(), `-"a:b"`, `endpoint:"a"*"b"`, "duration:1.5us..3", "status:1xx,>2", "\x00\xff:é", `switch:"a"="b`, "a\u2028b", `"`, `x:"\`) {
		f.Add(text)
	}
	r := &trace.Request{Name: "/checkout", Method: "GET", Status: 200}
	f.Fuzz(func(t *testing.T, text string) {
		got, problems := Parse(text)
		for _, p := range problems {
			if p.Pos < 0 || p.Pos > len(text) || p.Message == "" {
				t.Fatalf("%q: problem %+v", text, p)
			}
		}
		got.Match(r, true)
		again, problems := Parse(got.String())
		if len(got.String()) > MaxBytes { // quotes make it longer
			return
		}
		for i := range again.Terms {
			again.Terms[i].Pos = got.Terms[i].Pos
		}
		if len(problems) > 0 || !reflect.DeepEqual(got, again) {
			t.Fatalf("%q: %+v became %q: %+v %v", text, got, got, again, problems)
		}
	})
}
