package switches_test

import (
	"encoding/json"
	"reflect"
	"testing"
	"time"

	"kibitz/app/switches"
)

// FuzzCompile: whatever the definitions and the context are, nothing panics, an answer and its explanation agree, a broken switch
// is off, and settling changes no answer.
func FuzzCompile(f *testing.F) {
	config, err := json.Marshal(vectorConfig())
	if err != nil {
		f.Fatal(err)
	}
	f.Add(config, []byte(`{"targetingKey":"u1","country":"DE"}`), int64(1e9))
	f.Add([]byte(`{"switches":[{"key":"a","state":"partial","sets":[{"when":[[{"attribute":"x","op":"share","values":["1e9"]}]],"rollout":{"percent":1e-5}}],"everyone":{"percent":50}},
		{"key":"a:b","state":"inherit","requires":[{"key":"a:c"}]},{"key":"a:c","state":"on","requires":[{"key":"a:b"}]}]}`), []byte(`{"x":[1,true,"x"]}`), int64(0))
	f.Add([]byte(`{"segments":[{"key":"s","when":[[{"attribute":"segment","op":"within","values":["s"],"not":true}]]}],"switches":[{"key":"","state":"on","skip":-1,"take":9e9,
		"variants":[{"name":"on","value":{}}],"schedule":[{"at":"2001-01-01T00:00:00Z","percent":-3}],"hash":"unleash","everyone":{"percent":100,"split":[{"variant":"on","weight":-1}]}}]}`), []byte(`{"ip":"::1"}`), int64(-1))
	f.Fuzz(func(t *testing.T, config, context []byte, at int64) {
		var c switches.Config
		if json.Unmarshal(config, &c) != nil {
			return
		}
		now := time.Unix(at%1e11, 0)
		s, problems := switches.Compile(c, now)
		broken := map[string]bool{}
		for _, p := range problems {
			broken[p.Key] = broken[p.Key] || !p.Warning
		}
		var m map[string]any
		_ = json.Unmarshal(context, &m)
		sub, _ := switches.SubjectOf(m)
		for _, who := range []*switches.Subject{nil, &sub} {
			fuzzAnswers(t, s, who, broken)
		}
		for i := range c.Switches {
			switches.Check(c.Switches[i])
			c.Switches[i] = switches.Settle(c.Switches[i], now)
		}
		settled, _ := switches.Compile(c, now)
		for _, key := range s.Keys() {
			if a, b := s.Eval(key, &sub), settled.Eval(key, &sub); !reflect.DeepEqual(a, b) {
				t.Errorf("%+v, and settled %+v", a, b)
			}
		}
	})
}

func fuzzAnswers(t *testing.T, s *switches.Snapshot, sub *switches.Subject, broken map[string]bool) {
	t.Helper()
	for _, key := range s.Keys() {
		a := same(t, s, key, sub)
		if !json.Valid(a.Value) || a.Condition == "" || a.Variant == "" && a.Reason != switches.Errored || a.Reason == switches.NotFound {
			t.Errorf("%+v", a)
		}
		if a.Reason == switches.Errored && (a.On || !broken[key]) {
			t.Errorf("%+v without a problem", a)
		}
	}
}

// FuzzSubject: whatever a context is, it becomes a subject within the limits, or an error.
func FuzzSubject(f *testing.F) {
	f.Add([]byte(`{"targetingKey":"u1","anonymous":true,"ip":"fe80::1%eth0","a":{"b":[1,"x",null,{"c":2}]},"d":1e400}`))
	f.Add([]byte(`{"user":7,"targetingKey":"","release":null,"list":[[]]}`))
	f.Fuzz(func(t *testing.T, context []byte) {
		var m map[string]any
		if json.Unmarshal(context, &m) != nil {
			return
		}
		s, err := switches.SubjectOf(m)
		if err != nil {
			if err.Error() == "" || len(err.Error()) > 500 {
				t.Errorf("%q", err)
			}
			return
		}
		if len(s.Attrs) > switches.MaxAttrs || len(s.ID) > switches.MaxAttrValue {
			t.Errorf("over a limit: %+v", s)
		}
		for _, a := range s.Attrs {
			if len(a.Name) > switches.MaxAttrName || len(a.Value) > switches.MaxAttrValue {
				t.Errorf("over a limit: %+v", a)
			}
		}
	})
}
