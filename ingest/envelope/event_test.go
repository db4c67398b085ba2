package envelope

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"
	"time"
	"unicode/utf8"
)

func parse(t *testing.T, body string) *Event {
	t.Helper()
	ev, err := ParseEvent([]byte(body), Full)
	if err != nil {
		t.Fatalf("%s: %v", body, err)
	}
	return ev
}

// TestShapes reads each field in every shape that SDKs send it in.
func TestShapes(t *testing.T) {
	t.Parallel()
	at := time.Date(2026, 11, 24, 12, 0, 0, 500_000_000, time.UTC)
	cases := []struct {
		name, body string
		get        func(*Event) any
		want       any
	}{
		{"exception values", `{"exception":{"values":[{"type":"A"},{"type":"B"}]}}`, types, "A B"},
		{"exception array", `{"exception":[{"type":"A"},null,{"type":"B"}]}`, types, "A B"},
		{"exception object", `{"exception":{"type":"A"}}`, types, "A"},
		{"exception null", `{"exception":null}`, types, ""},
		{"exception text", `{"exception":"boom"}`, types, ""},
		{"old exception", `{"sentry.interfaces.Exception":[{"type":"A"}]}`, types, "A"},
		{"value object", `{"exception":[{"type":"A","value":{"b":1}}]}`, func(e *Event) any { return e.Exceptions[0].Value }, `{"b":1}`},
		{"raw stack", `{"exception":[{"raw_stacktrace":{"frames":[{"function":"f"}]}}]}`, func(e *Event) any { return e.Exceptions[0].Stacktrace.Frames[0].Function }, "f"},
		{"mechanism", `{"exception":[{"mechanism":{"type":"chained","handled":false,"exception_id":1,"parent_id":0}}]}`,
			func(e *Event) any {
				m := e.Exceptions[0].Mechanism
				return fmt.Sprint(m.Type, *m.Handled, m.ID, m.ParentID)
			}, "chainedfalse 1 0"},
		{"mechanism without ids", `{"exception":[{"mechanism":{"type":"x"}}]}`, func(e *Event) any { return e.Exceptions[0].Mechanism.ID }, -1},
		{"tags map", `{"tags":{"a":"1","b":true,"c":2}}`, tags, "a=1 b=true c=2"},
		{"tags pairs", `{"tags":[["a","1"],null,["b"],["c",2],{"key":"d","value":"4"}]}`, tags, "a=1 c=2 d=4"},
		{"time number", `{"timestamp":1795521600.5}`, when, at},
		{"time text number", `{"timestamp":"1795521600.5"}`, when, at},
		{"time with zone", `{"timestamp":"2026-11-24T13:00:00.5+01:00"}`, when, at},
		{"time without zone", `{"timestamp":"2026-11-24T12:00:00.5"}`, when, at},
		{"time with space", `{"timestamp":"2026-11-24 12:00:00.5"}`, when, at},
		{"time of nonsense", `{"timestamp":"yesterday"}`, when, time.Time{}},
		{"time beyond", `{"timestamp":1e18}`, when, time.Time{}},
		{"time infinite", `{"timestamp":1e400}`, when, time.Time{}},
		{"message text", `{"message":"hi"}`, formatted, "hi"},
		{"message object", `{"message":{"message":"hi %s","params":["you"],"formatted":"hi you"}}`, formatted, "hi you"},
		{"logentry", `{"logentry":{"message":"hi %s","params":["you"]}}`, formatted, "hi %s"},
		{"logentry before message", `{"logentry":{"formatted":"a"},"message":"b"}`, formatted, "a"},
		{"params", `{"logentry":{"message":"m","params":["a",1,null]}}`, func(e *Event) any { return strings.Join(e.Message.Params, "|") }, "a|1|null"},
		{"level number", `{"level":40}`, func(e *Event) any { return e.Level }, "error"},
		{"level upper", `{"level":"WARNING"}`, func(e *Event) any { return e.Level }, "warning"},
		{"fingerprint", `{"fingerprint":["a",1,null,"{{ default }}"]}`, func(e *Event) any { return strings.Join(e.Fingerprint, "|") }, "a|1|{{ default }}"},
		{"in app before rules", `{"stacktrace":{"frames":[{"in_app":true,"data":{"orig_in_app":0}},{"in_app":true,"data":{"orig_in_app":-1}}]}}`, func(e *Event) any {
			f := e.Stacktrace.Frames
			return fmt.Sprint(*f[0].ClientInApp, f[1].ClientInApp == nil, f[1].InApp == nil)
		}, "false true true"},
		{"fingerprint text", `{"fingerprint":"a"}`, func(e *Event) any { return strings.Join(e.Fingerprint, "|") }, "a"},
		{"user number", `{"user":{"id":7}}`, func(e *Event) any { return e.User.Ident() }, "id:7"},
		{"user email", `{"user":{"email":"a@b.c","plan":"free"}}`, func(e *Event) any { return e.User.Ident() + e.User.Data[0].Key }, "email:a@b.cplan"},
		{"user text", `{"user":"me"}`, func(e *Event) any { return e.User == nil }, true},
		{"headers map", `{"request":{"headers":{"A":"1","B":["2","3"]}}}`, func(e *Event) any { return pairText(e.Request.Headers) }, "A=1 B=2, 3"},
		{"headers pairs", `{"request":{"headers":[["A","1"],["A","2"]]}}`, func(e *Event) any { return pairText(e.Request.Headers) }, "A=1 A=2"},
		{"cookies text", `{"request":{"cookies":"a=1; b=2"}}`, func(e *Event) any { return pairText(e.Request.Cookies) }, "a=1 b=2"},
		{"cookies map", `{"request":{"cookies":{"a":"1"}}}`, func(e *Event) any { return pairText(e.Request.Cookies) }, "a=1"},
		{"query text", `{"request":{"query_string":"a=1&b=2"}}`, func(e *Event) any { return e.Request.QueryString }, "a=1&b=2"},
		{"query pairs", `{"request":{"query_string":[["a","1"],["b","2"]]}}`, func(e *Event) any { return e.Request.QueryString }, "a=1&b=2"},
		{"data object", `{"request":{"data":{"a":1}}}`, func(e *Event) any { return e.Request.Data + e.Request.DataFields[0].Key }, `{"a":1}a`},
		{"data text", `{"request":{"data":"a=1"}}`, func(e *Event) any { return e.Request.Data }, "a=1"},
		{"breadcrumbs", `{"breadcrumbs":{"values":[{"message":"a"},7]}}`, func(e *Event) any { return len(e.Breadcrumbs) }, 1},
		{"breadcrumb array", `{"breadcrumbs":[{"message":"a"},{"message":"b"}]}`, func(e *Event) any { return e.Breadcrumbs[1].Message }, "b"},
		{"threads", `{"threads":[{"id":1,"crashed":true,"stacktrace":{"frames":[{}]}}]}`, func(e *Event) any { return e.Threads[0].ID + fmt.Sprint(e.Threads[0].Crashed) }, "1true"},
		{"flags", `{"contexts":{"flags":{"values":[{"flag":"a.b","result":true},{"no":1}]}}}`, func(e *Event) any { return e.Flags[0].Name + e.Flags[0].Result }, "a.btrue"},
		{"csp", `{"csp":{"effective-directive":"script-src","blocked_uri":"eval"}}`, func(e *Event) any { return e.Security.EffectiveDirective + e.Security.BlockedURI }, "script-srceval"},
		{"trace", `{"contexts":{"trace":{"trace_id":"t","span_id":"s"}}}`, func(e *Event) any { return e.TraceID + e.SpanID }, "ts"},
		{"id", `{"event_id":"0123456789AB-CDEF-0123-456789abcdef"}`, func(e *Event) any { return e.ID }, "0123456789abcdef0123456789abcdef"},
		{"duplicate keys", `{"logger":"a","logger":"b"}`, func(e *Event) any { return e.Logger != "" }, true},
		{"locals", `{"exception":[{"stacktrace":{"frames":[{"vars":{"a":{"b":1},"c":"d"}}]}}]}`,
			func(e *Event) any { v := e.Exceptions[0].Stacktrace.Frames[0].Vars; return v[0].Value + v[1].Value }, `{"b":1}d`},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			if got := c.get(parse(t, c.body)); got != c.want {
				t.Errorf("got %v, want %v", got, c.want)
			}
		})
	}
}

func types(e *Event) any {
	var out []string
	for _, x := range e.Exceptions {
		out = append(out, x.Type)
	}
	return strings.Join(out, " ")
}

func pairText(in []Pair) string {
	var out []string
	for _, p := range in {
		out = append(out, p.Key+"="+p.Value)
	}
	return strings.Join(out, " ")
}

func tags(e *Event) any      { return pairText(e.Tags) }
func when(e *Event) any      { return e.Timestamp }
func formatted(e *Event) any { return e.Message.Formatted }

// TestWrongTypes puts every kind of value where each field belongs: nothing fails, nothing panics.
func TestWrongTypes(t *testing.T) {
	t.Parallel()
	names := []string{"event_id", "type", "timestamp", "platform", "level", "logger", "transaction", "server_name", "release", "environment", "fingerprint", "checksum",
		"message", "logentry", "exception", "threads", "stacktrace", "template", "csp", "breadcrumbs", "request", "user", "tags", "contexts", "extra", "modules", "sdk"}
	values := []string{`null`, `true`, `7`, `1e999`, `"x"`, `[]`, `{}`, `[[]]`, `[{}]`, `[null]`, `{"values":7}`, `{"values":[null,7,"x",[],{}]}`, `{"frames":{"a":1}}`,
		`{"values":[{"stacktrace":{"frames":[null,1,{"vars":[1],"lineno":"x","pre_context":{}}]},"mechanism":[]}]}`, `{"headers":7,"cookies":[1],"data":null,"query_string":{"a":[1]}}`}
	for _, n := range names {
		for _, v := range values {
			for _, mode := range []Mode{Digest, Full} {
				ev, err := ParseEvent([]byte(`{"`+n+`":`+v+`}`), mode)
				if err != nil {
					t.Fatalf("%s: %s: %v", n, v, err)
				}
				ev.TagPairs()
			}
		}
	}
	for _, body := range []string{``, `null`, `[]`, `7`, `"x"`, `{`, `{"a":}`, strings.Repeat("[", 1000)} {
		if _, err := ParseEvent([]byte(body), Full); err == nil {
			t.Errorf("%.20s is read as an event", body)
		}
	}
}

// TestCuts holds the limits of fields, and that cutting is noted and leaves valid text.
func TestCuts(t *testing.T) {
	t.Parallel()
	long := strings.Repeat("é", 10_000)
	ev := parse(t, `{"message":"x","logger":"`+long+`","exception":[{"type":"A","value":"`+long+`"}],"tags":{"k":"`+long+`"}}`)
	if len(ev.Logger) > 128 || !utf8.ValidString(ev.Logger) || len(ev.Exceptions[0].Value) > maxValue || len(ev.Tags[0].Value) > maxTagValue || len(ev.Notes) == 0 {
		t.Errorf("%d %d %v", len(ev.Logger), len(ev.Exceptions[0].Value), ev.Notes)
	}
	var frames strings.Builder
	for i := range 10_000 {
		fmt.Fprintf(&frames, `{"function":"f%d"},`, i)
	}
	ev = parse(t, `{"exception":[{"stacktrace":{"frames":[`+strings.TrimSuffix(frames.String(), ",")+`]}}]}`)
	if s := ev.Exceptions[0].Stacktrace; len(s.Frames) != maxFrames || s.Omitted != 10_000-maxFrames || s.Frames[49].Function != "f49" || s.Frames[50].Function != "f9800" {
		t.Errorf("%d frames, %d left out, %s after %s", len(s.Frames), s.Omitted, s.Frames[50].Function, s.Frames[49].Function)
	}
	crumbs := strings.TrimSuffix(strings.Repeat(`{"message":"m"},`, 10_000), ",")
	if ev = parse(t, `{"breadcrumbs":[`+crumbs+`]}`); len(ev.Breadcrumbs) != maxBreadcrumbs {
		t.Errorf("%d breadcrumbs", len(ev.Breadcrumbs))
	}
	ev = parse(t, `{"message":"a\u0000b\ud800"}`)
	if strings.ContainsRune(ev.Message.Formatted, 0) || !utf8.ValidString(ev.Message.Formatted) {
		t.Errorf("%q", ev.Message.Formatted)
	}
}

func TestTagPairs(t *testing.T) {
	t.Parallel()
	ev := parse(t, `{"level":"warning","environment":"prod","release":"r1","tags":{"environment":"mine"},"user":{"id":"7"},"request":{"url":"https://x/y?z=1"},
		"exception":[{"mechanism":{"type":"django","handled":false}}],"contexts":{"browser":{"name":"Firefox","version":"149"}}}`)
	got := map[string]string{}
	for _, p := range ev.TagPairs() {
		if _, ok := got[p.Key]; ok {
			t.Errorf("%s is there twice", p.Key)
		}
		got[p.Key] = p.Value
	}
	for key, want := range map[string]string{"level": "warning", "environment": "mine", "release": "r1", "user": "id:7", "url": "https://x/y", "mechanism": "django",
		"handled": "no", "browser": "Firefox 149", "browser.name": "Firefox"} {
		if got[key] != want {
			t.Errorf("%s is %q, want %q", key, got[key], want)
		}
	}
}

// TestDeep counts like a parser would, also with quotes and backslashes in the way.
func TestDeep(t *testing.T) {
	t.Parallel()
	for body, ok := range map[string]bool{`{"a":[[[1]]]}`: true, `{"a":[[[[1]]]]}`: false, `{"a":"[[[[[[["}`: true, `{"a":"\\","b":"[[[[["}`: true,
		`{"a":"\"[[[[[["}`: true, `{"a":"\\\"[[[[["}`: true, `{"unended":"[[[[`: true} {
		if err := deep([]byte(body), 4, 100); (err == nil) != ok {
			t.Errorf("%s: %v", body, err)
		}
	}
}

func FuzzParseEvent(f *testing.F) {
	f.Add(SampleEvent(rand.New(rand.NewPCG(1, 1)), 0, "", time.Now()))
	f.Add([]byte(`{"exception":[{"type":"A"}],"tags":[["a","b"]],"message":{"message":"x"}}`))
	f.Fuzz(func(t *testing.T, b []byte) {
		if _, err := Check(Clean(b), Limits{}); err != nil {
			return
		}
		ev, err := ParseEvent(Clean(b), Full)
		if err != nil {
			t.Fatalf("checked, but not parsed: %v", err)
		}
		for _, p := range ev.TagPairs() {
			if !utf8.ValidString(p.Key+p.Value) || strings.ContainsRune(p.Key+p.Value, 0) {
				t.Errorf("a tag is %q", p)
			}
		}
		if out, err := json.Marshal(ev); err != nil || len(out) == 0 {
			t.Error(err)
		}
	})
}

func FuzzParse(f *testing.F) {
	f.Add([]byte("{\"event_id\":\"0123456789abcdef0123456789abcdef\"}\n{\"type\":\"event\",\"length\":2}\n{}\n{\"type\":\"x\"}\ny"))
	f.Fuzz(func(t *testing.T, b []byte) {
		_, items, err := Parse(b, Limits{})
		n := 0
		for _, i := range items {
			n += len(i.Payload)
		}
		if err == nil && n > len(b) {
			t.Error("the items are larger than the envelope")
		}
	})
}

func FuzzClean(f *testing.F) {
	f.Add([]byte("\xef\xbb\xbf{\"a\":\"\xff\x00\"}"))
	f.Fuzz(func(t *testing.T, b []byte) {
		if out := Clean(b); !utf8.Valid(out) || strings.ContainsRune(string(out), 0) {
			t.Errorf("%q", out)
		}
	})
}

func BenchmarkParseEvent(b *testing.B) {
	body := SampleEvent(rand.New(rand.NewPCG(1, 1)), 0, "", time.Now())
	for name, mode := range map[string]Mode{"digest": Digest, "full": Full} {
		b.Run(name, func(b *testing.B) {
			b.SetBytes(int64(len(body)))
			b.ReportAllocs()
			for b.Loop() {
				if _, err := ParseEvent(body, mode); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
	b.Run("encoding/json into maps", func(b *testing.B) { // the peer
		b.SetBytes(int64(len(body)))
		b.ReportAllocs()
		for b.Loop() {
			var m map[string]any
			if err := json.Unmarshal(body, &m); err != nil {
				b.Fatal(err)
			}
		}
	})
}

func BenchmarkCheck(b *testing.B) {
	body := SampleEvent(rand.New(rand.NewPCG(1, 1)), 0, "", time.Now())
	b.SetBytes(int64(len(body)))
	b.ReportAllocs()
	for b.Loop() {
		if _, err := Check(Clean(body), Limits{}); err != nil {
			b.Fatal(err)
		}
	}
}
