package ofrep

import (
	"encoding/json"
	"errors"
	"strings"
	"testing"
	"time"

	"kibitz/app/switches"
)

var noon = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)

func snapshot(t testing.TB, revision int64, list ...switches.Switch) *switches.Snapshot {
	t.Helper()
	s, _ := switches.Compile(switches.Config{Environment: "production", Revision: revision, Switches: list}, noon)
	return s
}

// counting is a snapshot as a process holds it.
func counting(s *switches.Snapshot) switches.Counting {
	h := switches.NewHolder("production")
	h.Publish(s)
	return h.Counting()
}

// sample has one switch for each kind of answer.
func sample() []switches.Switch {
	blue := switches.When{{{Attribute: "plan", Op: switches.Is, Values: []string{"pro"}}}}
	return []switches.Switch{
		{Key: "on", State: switches.On},
		{Key: "off", State: switches.Off},
		{Key: "killed", State: switches.On, Killed: true},
		{Key: "half", State: switches.Partial, Salt: "s", Everyone: switches.Rollout{Percent: 50}},
		{Key: "pro", State: switches.Partial, Sets: []switches.Set{{When: blue, Rollout: switches.Rollout{Percent: 100}}}},
		{Key: "button", State: switches.On, OnVariant: "blue", OffVariant: "grey",
			Variants: []switches.Variant{{Name: "grey"}, {Name: "blue", Value: json.RawMessage(`{"hex":"#00f"}`)}}},
		{Key: "broken", State: "sideways"},
		{Key: "by-shop", State: switches.Partial, BucketBy: "shop", Everyone: switches.Rollout{Percent: 50}},
	}
}

// TestAnswers holds body after body.
func TestAnswers(t *testing.T) {
	t.Parallel()
	s := snapshot(t, 7, sample()...)
	for _, c := range []struct{ key, body, want string }{
		{"on", ``, `{"key":"on","reason":"STATIC","variant":"on","value":true}`},
		{"off", `{}`, `{"key":"off","reason":"DISABLED","variant":"off","value":false}`},
		{"killed", `{"context":null}`, `{"key":"killed","reason":"DISABLED","variant":"off","value":false}`},
		{"half", `{"context":{}}`, `{"key":"half","errorCode":"TARGETING_KEY_MISSING","errorDetails":"A share of people is asked, and the context has no targetingKey."}`},
		{"pro", `{"context":{"plan":"pro"}}`, `{"key":"pro","reason":"TARGETING_MATCH","variant":"on","value":true}`},
		{"pro", `{"context":{"plan":"free"}}`, `{"key":"pro","reason":"DEFAULT","variant":"off","value":false}`},
		{"button", `{}`, `{"key":"button","reason":"STATIC","variant":"blue","value":{"hex":"#00f"},"metadata":{"on":true}}`},
		{"broken", `{}`, `{"key":"broken","errorCode":"PARSE_ERROR","errorDetails":"The switch is broken, and off; its page says why."}`},
		{"by-shop", `{"context":{"targetingKey":"7"}}`, `{"key":"by-shop","errorCode":"INVALID_CONTEXT","errorDetails":"A share is asked of the attribute shop, which the context has not."}`},
		{"no \"such", `{}`, `{"key":"no \"such","errorCode":"FLAG_NOT_FOUND","errorDetails":"There is no switch of this key."}`},
	} {
		sub, err := Subject([]byte(c.body))
		if err != nil {
			t.Fatal(err)
		}
		a := s.Eval(c.key, &sub)
		if got := string(AppendAnswer(nil, &a, false)); got != c.want || !json.Valid([]byte(got)) {
			t.Errorf("%s of %s:\n got %s\nwant %s", c.key, c.body, got, c.want)
		}
	}
	a := s.Eval("on", nil)
	if got := string(AppendAnswer(nil, &a, true)); !strings.HasSuffix(got, `"metadata":{"on":true,"condition":"on"}}`) {
		t.Errorf("with rules: %s", got)
	}
}

// TestBulk holds that one flag that fails fails alone.
func TestBulk(t *testing.T) {
	t.Parallel()
	var got struct {
		Flags []struct {
			Key       string
			ErrorCode Code
			Value     json.RawMessage
		}
		Metadata struct {
			Environment string
			Revision    int64
		}
		EventStreams []struct {
			Type     string
			Endpoint struct{ RequestURI string }
			Delay    int `json:"inactivityDelaySec"`
		}
	}
	body := AppendBulk(nil, counting(snapshot(t, 7, sample()...)), nil, nil, "/ofrep/v1/stream/x")
	if err := json.Unmarshal(body, &got); err != nil {
		t.Fatalf("%v in %s", err, body)
	}
	codes := map[string]Code{}
	for _, f := range got.Flags {
		codes[f.Key] = f.ErrorCode
		if (f.Value == nil) == (f.ErrorCode == "") {
			t.Errorf("%+v", f)
		}
	}
	if len(codes) != 8 || codes["half"] != TargetingKeyMissing || codes["on"] != "" || codes["broken"] != ParseError || got.Metadata.Revision != 7 ||
		got.EventStreams[0].Type != "sse" || got.EventStreams[0].Endpoint.RequestURI != "/ofrep/v1/stream/x" || got.EventStreams[0].Delay != 120 {
		t.Errorf("%s", body)
	}
	only := AppendBulk(nil, counting(snapshot(t, 7, sample()...)), nil, func(key string) bool { return key == "on" }, "")
	if string(only) != `{"flags":[{"key":"on","reason":"STATIC","variant":"on","value":true}],"metadata":{"environment":"production","revision":7}}` {
		t.Errorf("%s", only)
	}
}

// TestBadContexts holds what is refused, and how.
func TestBadContexts(t *testing.T) {
	t.Parallel()
	deep := strings.Repeat(`{"a":`, 20) + "1" + strings.Repeat("}", 20)
	for body, want := range map[string]Code{
		`{"context":`:                     ParseError,
		`[]`:                              ParseError,
		`"x"`:                             ParseError,
		`{"context":[]}`:                  InvalidContext,
		`{"context":"x"}`:                 InvalidContext,
		`{"context":{"targetingKey":7}}`:  InvalidContext,
		`{"context":{"targetingKey":{}}}`: InvalidContext,
		`{"context":{"a":` + deep + `}}`:  InvalidContext,
		`{"context":{"a":"` + strings.Repeat("x", 2000) + `"}}`:  InvalidContext,
		`{"context":{"a":[` + strings.Repeat("1,", 300) + `1]}}`: InvalidContext,
		`{"context":{"a":"` + strings.Repeat("x", 1<<20) + `"}}`: InvalidContext,
		strings.Repeat("[", MaxContext-1):                        ParseError,
	} {
		_, err := Subject([]byte(body))
		var f *Failure
		if !errors.As(err, &f) || f.Code != want || f.Details == "" {
			t.Errorf("%.60s: %v", body, err)
		}
	}
	for _, body := range []string{``, ` `, `{}`, `{"context":null}`, `{"context":{"targetingKey":null,"a":{"b":{"c":[1,"x",true]}}}}`, `{"other":1}`} {
		if _, err := Subject([]byte(body)); err != nil {
			t.Errorf("%s: %v", body, err)
		}
	}
}

// TestETag holds what changes it, and what does not.
func TestETag(t *testing.T) {
	t.Parallel()
	body := []byte(`{"context":{"targetingKey":"7"}}`)
	base := ETag(snapshot(t, 7), "", "/s", body)
	if ETag(snapshot(t, 7), "", "/s", body) != base {
		t.Error("it differs for the same")
	}
	dated := switches.Switch{Key: "a", State: switches.Off, Schedule: []switches.Change{{At: noon.Add(time.Hour), State: switches.On}}}
	for what, other := range map[string]string{
		"revision": ETag(snapshot(t, 8), "", "/s", body), "set": ETag(snapshot(t, 7), "x", "/s", body), "stream": ETag(snapshot(t, 7), "", "/t", body),
		"context": ETag(snapshot(t, 7), "", "/s", nil), "time": ETag(snapshot(t, 7, dated), "", "/s", body),
	} {
		if other == base {
			t.Errorf("another %s has the same", what)
		}
	}
	for header, want := range map[string]bool{base: true, "W/" + base: true, `"x", ` + base: true, "*": true, `"x"`: false, "": false, base[1:]: false} {
		if Matches(header, base) != want {
			t.Errorf("%q: %v", header, !want)
		}
	}
}

// TestStreamToken holds that a token reads back, is stable for a while, and cannot be made by others.
func TestStreamToken(t *testing.T) {
	t.Parallel()
	key := []byte("secret")
	made := NewStreamToken(42, "production", noon)
	text := made.Text(key)
	if got, ok := ReadStreamToken(text, key, noon); !ok || got.Token != 42 || got.Environment != "production" {
		t.Errorf("%+v, %v", got, ok)
	}
	if NewStreamToken(42, "production", noon.Add(StreamPeriod-time.Second)).Text(key) != text || NewStreamToken(42, "production", noon.Add(StreamPeriod)).Text(key) == text {
		t.Error("the address changes at the wrong time")
	}
	if _, ok := ReadStreamToken(text, key, noon.Add(2*StreamPeriod-time.Second)); !ok {
		t.Error("it expires too early")
	}
	if _, ok := ReadStreamToken(text, key, noon.Add(2*StreamPeriod)); ok {
		t.Error("it does not expire")
	}
	if _, ok := ReadStreamToken(text, []byte("other"), noon); ok {
		t.Error("another key opens it")
	}
	for i := range text {
		changed := text[:i] + string('A'+(text[i]-'A'+1)%26) + text[i+1:]
		if got, ok := ReadStreamToken(changed, key, noon); ok && got != made {
			t.Errorf("changed at %d it opens as %+v", i, got)
		}
	}
}

// FuzzSubject holds that no body breaks the reader, and that what is read can be answered.
func FuzzSubject(f *testing.F) {
	for _, s := range []string{`{"context":{"targetingKey":"7","plan":"pro","nested":{"a":[1,true,"x"]}}}`, `{"context":{"ip":"::1"}}`, `{`, ``} {
		f.Add(s)
	}
	s := counting(snapshot(f, 7, sample()...))
	f.Fuzz(func(t *testing.T, body string) {
		sub, err := Subject([]byte(body))
		var failure *Failure
		if err != nil {
			if !errors.As(err, &failure) {
				t.Fatal(err)
			}
			return
		}
		if out := AppendBulk(nil, s, &sub, nil, ""); !json.Valid(out) {
			t.Fatalf("%s", out)
		}
	})
}

// BenchmarkBulk is the work of one bulk of fifty without a network.
func BenchmarkBulk(b *testing.B) {
	var list []switches.Switch
	for i := range 50 {
		list = append(list, switches.Switch{Key: "switch-" + string(rune('a'+i%26)) + string(rune('a'+i/26)), State: switches.Partial, Everyone: switches.Rollout{Percent: 50}})
	}
	s, body, out := snapshot(b, 7, list...), []byte(`{"context":{"targetingKey":"user-4711","plan":"pro","country":"DE"}}`), []byte(nil)
	c := counting(s)
	b.ReportAllocs()
	for b.Loop() {
		sub, err := Subject(body)
		if err != nil {
			b.Fatal(err)
		}
		ETag(s, "", "/stream", body)
		out = AppendBulk(out[:0], c, &sub, nil, "/stream")
	}
}
