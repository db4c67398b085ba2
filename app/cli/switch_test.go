package cli

import (
	"bytes"
	"context"
	"encoding/json"
	"flag"
	"io"
	"slices"
	"strings"
	"testing"

	"github.com/getsentry/sentry-go"

	"kibitz/app/errs"
	"kibitz/app/model"
	"kibitz/app/rollout"
	"kibitz/app/switches"
)

func TestSetTo(t *testing.T) {
	t.Parallel()
	for word, want := range map[string]string{"on": "on", "off": "off", "inherit": "inherit", "0%": "partial 0", "12.5%": "partial 12.5", "100%": "partial 100", "kill": "kill true", "unkill": "kill false"} {
		to, err := parseTo(word)
		got := ""
		switch {
		case to.kill != nil && *to.kill:
			got = "kill true"
		case to.kill != nil:
			got = "kill false"
		case to.flip.Percent != nil:
			got = string(*to.flip.State) + " " + strings.TrimSuffix(word, "%")
		case to.flip.State != nil:
			got = string(*to.flip.State)
		}
		if err != nil || got != want {
			t.Errorf("%s: %s, %v", word, got, err)
		}
	}
	for _, word := range []string{"", "%", "50", "-1%", "101%", "NaN%", "ON", "1e9%"} {
		if _, err := parseTo(word); err == nil {
			t.Errorf("%q was taken", word)
		}
	}
}

func TestWords(t *testing.T) {
	t.Parallel()
	f := flag.NewFlagSet("x", flag.ContinueOnError)
	f.SetOutput(io.Discard)
	why := f.String("why", "", "")
	got, err := words(f, []string{"a", "--why", "w", "b"}, 2, 2)
	if err != nil || !slices.Equal(got, []string{"a", "b"}) || *why != "w" {
		t.Error(got, *why, err)
	}
	for _, args := range [][]string{{"a"}, {"a", "b", "c"}, {"a", "b", "--no"}} {
		if _, err := words(f, args, 2, 2); err == nil {
			t.Errorf("%v was taken", args)
		}
	}
}

// TestDoor: what commands ask is answered by a process, errors with their status.
func TestDoor(t *testing.T) {
	t.Parallel()
	b := rollout.New(rollout.Options{Node: "a", IDs: model.NewIDs(1)})
	door := switchDoor(func() *rollout.Board { return b })
	ask := func(op string, r switchRequest) (json.RawMessage, int, string) {
		body, err := json.Marshal(r)
		if err != nil {
			t.Fatal(err)
		}
		return door(t.Context(), op, body)
	}
	r := switchRequest{Env: rollout.Production, Key: "k", Switch: switches.Switch{Key: "k", Variants: []switches.Variant{{Name: "off"}, {Name: "red", Value: []byte(`{"a":1}`)}}}}
	for i, c := range []struct {
		op     string
		change func(*switchRequest)
		status int
		has    string
	}{
		{"add", nil, 0, `"state":"off"`}, {"add", nil, 409, ""}, {"set", func(r *switchRequest) { r.To = "on" }, 0, `"state":"on"`},
		{"set", func(r *switchRequest) { r.To, r.Base = "off", 1 }, 409, ""}, {"set", func(r *switchRequest) { r.To = "often" }, 422, ""},
		{"try", func(r *switchRequest) { r.Context = map[string]any{"targetingKey": "u", "plan": "pro"} }, 0, `"variant":"red"`},
		{"try", func(r *switchRequest) { r.Key = "no" }, 404, ""}, {"get", nil, 0, `"value":{"a":1}`}, {"list", nil, 0, `"key":"k"`},
		{"list", func(r *switchRequest) { r.Env = "moon" }, 404, ""}, {"history", func(r *switchRequest) { r.N = 10 }, 0, `"action":"create"`}, {"processes", nil, 0, `"node":"a"`},
		{"config", nil, 0, `"environment":"production"`}, {"save", func(r *switchRequest) { r.Switch.Description = "d" }, 0, `"description":"d"`},
		{"copy", func(r *switchRequest) { r.From, r.Env = rollout.Production, "staging" }, 0, `"revision"`}, {"remove", nil, 0, ""}, {"get", nil, 404, ""}, {"dance", nil, 404, ""},
	} {
		one := r
		if c.change != nil {
			c.change(&one)
		}
		body, status, text := ask(c.op, one)
		if status != c.status || !bytes.Contains(body, []byte(c.has)) || (status != 0 && (text == "" || errs.OfStatus(status) == errs.Internal)) {
			t.Errorf("%d %s: %d %s %s", i, c.op, status, text, body)
		}
	}
	if _, status, _ := door(t.Context(), "list", json.RawMessage(`[`)); status == 0 {
		t.Error("what is no JSON was taken")
	}
}

func TestFlagsContext(t *testing.T) {
	t.Parallel()
	h := switches.NewHolder("production")
	s, _ := switches.Compile(switches.Config{Switches: []switches.Switch{{Key: "a", State: switches.On},
		{Key: "b", State: switches.On, Variants: []switches.Variant{{Name: "off"}, {Name: "red"}}}}}, model.TimeOf(0))
	h.Publish(s)
	ctx := switches.With(context.Background(), h, switches.Subject{})
	switches.IsOn(ctx, "a")
	switches.IsOn(ctx, "b")
	switches.IsOn(ctx, "unknown")
	scope := sentry.NewScope()
	flagsContext(ctx, scope)
	text, err := json.Marshal(scope.ApplyToEvent(sentry.NewEvent(), nil, nil).Contexts["flags"])
	if want := `{"values":[{"flag":"a","result":true},{"flag":"b","result":"red"}]}`; err != nil || string(text) != want {
		t.Errorf("%s %v", text, err)
	}
}
