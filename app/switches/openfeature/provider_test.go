package openfeature

import (
	"context"
	"encoding/json"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	of "github.com/open-feature/go-sdk/openfeature"
	"github.com/open-feature/go-sdk/openfeature/isolated"
	"github.com/open-feature/go-sdk/openfeature/memprovider"

	"kibitz/app/switches"
)

var _ interface {
	of.FeatureProvider
	of.StateHandler
	of.EventHandler
} = (*Provider)(nil)

// world is an SDK of its own over switches.
type world struct {
	*of.Client
	holder *switches.Holder
	news   chan int64
}

func newWorld(t testing.TB, list ...switches.Switch) *world {
	t.Helper()
	w := &world{holder: switches.NewHolder("production"), news: make(chan int64)}
	w.publish(1, list...)
	api := isolated.NewAPI()
	if err := api.SetProviderAndWait(context.Background(), New(w.holder, func() (<-chan int64, func()) { return w.news, func() {} })); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { api.Shutdown(context.Background()) })
	w.Client = api.NewClient()
	return w
}

func (w *world) publish(revision int64, list ...switches.Switch) {
	s, _ := switches.Compile(switches.Config{Environment: "production", Revision: revision, Switches: list}, time.Now())
	w.holder.Publish(s)
}

func sample() []switches.Switch {
	v := func(name, value string) switches.Variant {
		return switches.Variant{Name: name, Value: json.RawMessage(value)}
	}
	return []switches.Switch{
		{Key: "on", State: switches.On}, {Key: "off", State: switches.Off}, {Key: "killed", State: switches.On, Killed: true},
		{Key: "half", State: switches.Partial, Salt: "s", Everyone: switches.Rollout{Percent: 50}},
		{Key: "by-shop", State: switches.Partial, BucketBy: "shop", Everyone: switches.Rollout{Percent: 50}},
		{Key: "pro", State: switches.Partial, Sets: []switches.Set{{When: switches.When{{{Attribute: "plan", Op: switches.Is, Values: []string{"pro"}}}}, Rollout: switches.Rollout{Percent: 100}}}},
		{Key: "broken", State: "sideways"},
		{Key: "text", State: switches.On, Variants: []switches.Variant{v("a", `"blue"`), v("off", `"grey"`)}},
		{Key: "int", State: switches.On, Variants: []switches.Variant{v("a", `42`), v("off", `0`)}},
		{Key: "float", State: switches.On, Variants: []switches.Variant{v("a", `0.5`), v("off", `0`)}},
		{Key: "object", State: switches.On, Variants: []switches.Variant{v("a", `{"size":[1,2]}`), v("off", `{}`)}},
	}
}

// TestReasons holds value, variant, reason and error of each kind of answer.
func TestReasons(t *testing.T) {
	t.Parallel()
	w, ctx := newWorld(t, sample()...), context.Background()
	for _, c := range []struct {
		key     string
		who     of.EvaluationContext
		want    bool
		variant string
		reason  of.Reason
		code    of.ErrorCode
	}{
		{"on", of.NewTargetlessEvaluationContext(nil), true, "on", of.StaticReason, ""},
		{"off", of.NewTargetlessEvaluationContext(nil), false, "off", of.DisabledReason, ""},
		{"killed", of.NewTargetlessEvaluationContext(nil), false, "off", of.DisabledReason, ""},
		{"pro", of.NewEvaluationContext("1", map[string]any{"plan": "pro"}), true, "on", of.TargetingMatchReason, ""},
		{"pro", of.NewEvaluationContext("1", nil), false, "off", of.DefaultReason, ""},
		{"half", of.NewTargetlessEvaluationContext(nil), true, "", of.ErrorReason, of.TargetingKeyMissingCode},
		{"by-shop", of.NewEvaluationContext("1", nil), true, "", of.ErrorReason, of.InvalidContextCode},
		{"on", of.NewEvaluationContext("1", map[string]any{"a": strings.Repeat("x", 5000)}), true, "", of.ErrorReason, of.InvalidContextCode},
		{"broken", of.NewTargetlessEvaluationContext(nil), true, "", of.ErrorReason, of.ParseErrorCode},
		{"nowhere", of.NewTargetlessEvaluationContext(nil), true, "", of.ErrorReason, of.FlagNotFoundCode},
		{"text", of.NewTargetlessEvaluationContext(nil), true, "", of.ErrorReason, of.TypeMismatchCode},
	} {
		got, err := w.BooleanValueDetails(ctx, c.key, true, c.who)
		if got.Value != c.want || got.Variant != c.variant || got.Reason != c.reason || got.ErrorCode != c.code || (err != nil) != (c.code != "") {
			t.Errorf("%s: %+v, %v", c.key, got, err)
		}
	}
	got, err := w.BooleanValueDetails(ctx, "half", false, of.NewEvaluationContext("user-1", nil))
	if err != nil || got.Reason != of.SplitReason {
		t.Errorf("%+v, %v", got, err)
	}
}

// TestTypes holds each type, and that another one is a mismatch.
func TestTypes(t *testing.T) {
	t.Parallel()
	w, ctx, nobody := newWorld(t, sample()...), context.Background(), of.NewTargetlessEvaluationContext(nil)
	if v, err := w.StringValue(ctx, "text", "", nobody); v != "blue" || err != nil {
		t.Errorf("%q, %v", v, err)
	}
	if v, err := w.IntValue(ctx, "int", 0, nobody); v != 42 || err != nil {
		t.Errorf("%d, %v", v, err)
	}
	if v, err := w.FloatValue(ctx, "float", 0, nobody); v != 0.5 || err != nil {
		t.Errorf("%g, %v", v, err)
	}
	if v, err := w.FloatValue(ctx, "int", 0, nobody); v != 42 || err != nil {
		t.Errorf("%g, %v", v, err)
	}
	if v, err := w.ObjectValue(ctx, "object", nil, nobody); err != nil || !reflect.DeepEqual(v, map[string]any{"size": []any{1.0, 2.0}}) {
		t.Errorf("%v, %v", v, err)
	}
	if d, err := w.IntValueDetails(ctx, "float", 7, nobody); d.Value != 7 || d.ErrorCode != of.TypeMismatchCode || err == nil {
		t.Errorf("%+v, %v", d, err)
	}
	if d, err := w.StringValueDetails(ctx, "on", "x", nobody); d.Value != "x" || d.ErrorCode != of.TypeMismatchCode || err == nil {
		t.Errorf("%+v, %v", d, err)
	}
}

// TestRequestSubject holds that without a context of its own the subject of the request is asked for.
func TestRequestSubject(t *testing.T) {
	t.Parallel()
	w := newWorld(t, sample()...)
	var sub switches.Subject
	sub.Set("plan", "pro")
	ctx := switches.With(context.Background(), w.holder, sub)
	if v, err := w.BooleanValue(ctx, "pro", false, of.NewTargetlessEvaluationContext(nil)); !v || err != nil {
		t.Errorf("%v, %v", v, err)
	}
}

// TestEvents holds that a flip is told, with the keys that changed.
func TestEvents(t *testing.T) {
	t.Parallel()
	w := newWorld(t, sample()...)
	told := make(chan of.EventDetails, 1)
	call := func(e of.EventDetails) { told <- e }
	w.AddHandler(of.ProviderConfigChange, &call)
	flipped := sample()
	flipped[0].State = switches.Off
	w.publish(2, append(slices.Clone(flipped[:10]), switches.Switch{Key: "new", State: switches.On})...)
	w.news <- 2
	e := <-told
	if !slices.Equal(e.FlagChanges, []string{"new", "object", "on"}) || e.EventMetadata["revision"] != int64(2) {
		t.Errorf("%+v", e)
	}
}

// TestCounted holds that answers are counted as exposures.
func TestCounted(t *testing.T) {
	t.Parallel()
	w := newWorld(t, sample()...)
	for range 3 {
		w.Boolean(context.Background(), "on", false, of.NewTargetlessEvaluationContext(nil))
	}
	n := map[string]int64{}
	w.holder.Drain(func(key, variant string, count int64) { n[key+"="+variant] = count })
	if n["on=on"] != 3 {
		t.Errorf("%v", n)
	}
}

// BenchmarkProvider is a share asked through the SDK, beside the SDK's own provider in memory, which has no shares, and beside
// our provider without the SDK.
func BenchmarkProvider(b *testing.B) {
	ctx := context.Background()
	whos := make([]of.EvaluationContext, 64)
	for i := range whos {
		whos[i] = of.NewEvaluationContext("user-"+strconv.Itoa(i), nil)
	}
	w := newWorld(b, sample()...)
	b.Run("kibitz", func(b *testing.B) {
		b.ReportAllocs()
		for i := 0; b.Loop(); i++ {
			w.Boolean(ctx, "half", false, whos[i&63])
		}
	})
	b.Run("alone", func(b *testing.B) {
		p, flat := New(w.holder, nil), of.FlattenedContext{"targetingKey": "user-1"}
		b.ReportAllocs()
		for b.Loop() {
			p.BooleanEvaluation(ctx, "half", false, flat)
		}
	})
	b.Run("memory", func(b *testing.B) {
		api := isolated.NewAPI()
		err := api.SetProviderAndWait(context.Background(), memprovider.NewInMemoryProvider(map[string]memprovider.InMemoryFlag{"half": {Key: "half", State: memprovider.Enabled,
			DefaultVariant: "on", Variants: map[string]any{"on": true}}}))
		if err != nil {
			b.Fatal(err)
		}
		c := api.NewClient()
		b.ReportAllocs()
		for i := 0; b.Loop(); i++ {
			c.Boolean(ctx, "half", false, whos[i&63])
		}
	})
}
