// Package bench measures switches beside the Go libraries that people would use in their place. It is a module of its own, so that
// Kibitz does not depend on them:
//
//	cd app/switches/bench && go test -bench .
//
// Each is asked for 4,096 people in turn, on all cores: for a share of 25 %, and for a share of 25 % of those whose country is one of
// three and whose plan is pro, which all of them are. Nobody's subject is made while the clock runs, except where a library has
// no other way.
package bench

import (
	"context"
	"fmt"
	"strconv"
	"testing"

	growthbook "github.com/growthbook/growthbook-golang"
	"github.com/launchdarkly/go-sdk-common/v3/ldcontext"
	"github.com/launchdarkly/go-sdk-common/v3/ldvalue"
	evaluation "github.com/launchdarkly/go-server-sdk-evaluation/v3"
	"github.com/launchdarkly/go-server-sdk-evaluation/v3/ldbuilders"
	"github.com/launchdarkly/go-server-sdk-evaluation/v3/ldmodel"
	"github.com/open-feature/go-sdk/openfeature"
	"github.com/open-feature/go-sdk/openfeature/memprovider"

	"kibitz/app/switches/benchmark"
)

const people = benchmark.People

// each asks for one after the other, on all cores, and wants a quarter of them to be in.
func each(b *testing.B, ask func(i int) bool) {
	b.Helper()
	in := 0
	for i := range people {
		if ask(i) {
			in++
		}
	}
	if in < people/5 || in > people*3/10 {
		b.Fatalf("%d of %d are in", in, people)
	}
	benchmark.Spread(b, func(i int) { ask(i) })
}

func id(i int) string { return "user-" + strconv.Itoa(i) }

// BenchmarkShare is the first task.
func BenchmarkShare(b *testing.B) {
	b.Run("kibitz", func(b *testing.B) { kibitz(b, benchmark.Share) })
	b.Run("launchdarkly", func(b *testing.B) { launchDarkly(b, false) })
	b.Run("growthbook", func(b *testing.B) {
		growthBook(b, `{"share":{"defaultValue":false,"rules":[{"force":true,"coverage":0.25,"hashAttribute":"id","hashVersion":2}]}}`)
	})
	b.Run("openfeature in memory, static", openFeature)
}

// BenchmarkRules is the second.
func BenchmarkRules(b *testing.B) {
	b.Run("kibitz", func(b *testing.B) { kibitz(b, benchmark.Rules) })
	b.Run("launchdarkly", func(b *testing.B) { launchDarkly(b, true) })
	b.Run("growthbook", func(b *testing.B) {
		growthBook(b, `{"share":{"defaultValue":false,"rules":[{"condition":{"country":{"$in":["DE","AT","CH"]},"plan":"pro"},"force":true,"coverage":0.25,"hashAttribute":"id","hashVersion":2}]}}`)
	})
}

// kibitz counts its answers, as it does in service; the others have no metrics on.
func kibitz(b *testing.B, key string) {
	h, subjects, err := benchmark.Prepare()
	if err != nil {
		b.Fatal(err)
	}
	each(b, func(i int) bool { return h.On(key, &subjects[i]) })
}

// nothing has no other flags and segments.
type nothing struct{}

func (nothing) GetFeatureFlag(string) *ldmodel.FeatureFlag { return nil }
func (nothing) GetSegment(string) *ldmodel.Segment         { return nil }

func launchDarkly(b *testing.B, rules bool) {
	quarter := ldmodel.VariationOrRollout{Rollout: ldmodel.Rollout{Kind: ldmodel.RolloutKindRollout, Variations: []ldmodel.WeightedVariation{ldbuilders.Bucket(0, 25_000), ldbuilders.Bucket(1, 75_000)}}}
	build := ldbuilders.NewFlagBuilder("share").On(true).Salt("5c0ffee5").OffVariation(1).Variations(ldvalue.Bool(true), ldvalue.Bool(false))
	if rules {
		build.FallthroughVariation(1).AddRule(ldbuilders.NewRuleBuilder().ID("r").VariationOrRollout(quarter).Clauses(
			ldbuilders.Clause("country", ldmodel.OperatorIn, ldvalue.String("DE"), ldvalue.String("AT"), ldvalue.String("CH")),
			ldbuilders.Clause("plan", ldmodel.OperatorIn, ldvalue.String("pro"))))
	} else {
		build.Fallthrough(quarter)
	}
	flag := build.Build()
	contexts := make([]ldcontext.Context, people)
	for i := range contexts {
		contexts[i] = ldcontext.NewBuilder(id(i)).SetString("country", "DE").SetString("plan", "pro").Build()
	}
	e := evaluation.NewEvaluator(nothing{})
	each(b, func(i int) bool { return e.Evaluate(&flag, contexts[i], nil).Detail.Value.BoolValue() })
}

// growthBook has a child client for each person, which is how attributes are given; they are made before.
func growthBook(b *testing.B, features string) {
	ctx := context.Background()
	client, err := growthbook.NewClient(ctx, growthbook.WithJsonFeatures(features))
	if err != nil {
		b.Fatal(err)
	}
	children := make([]*growthbook.Client, people)
	for i := range children {
		if children[i], err = client.WithAttributes(growthbook.Attributes{"id": id(i), "country": "DE", "plan": "pro"}); err != nil {
			b.Fatal(err)
		}
	}
	each(b, func(i int) bool { return children[i].EvalFeature(ctx, "share").On })
}

// openFeature is what the SDK costs before anything is decided: its provider in memory answers the same to everybody.
func openFeature(b *testing.B) {
	ctx := context.Background()
	err := openfeature.SetProviderAndWait(memprovider.NewInMemoryProvider(map[string]memprovider.InMemoryFlag{
		"share": {Key: "share", State: memprovider.Enabled, DefaultVariant: "on", Variants: map[string]any{"on": true}}}))
	if err != nil {
		b.Fatal(err)
	}
	client := openfeature.NewClient("bench")
	contexts := make([]openfeature.EvaluationContext, people)
	for i := range contexts {
		contexts[i] = openfeature.NewEvaluationContext(id(i), map[string]any{"country": "DE", "plan": "pro"})
	}
	benchmark.Spread(b, func(i int) {
		if on, err := client.BooleanValue(ctx, "share", false, contexts[i]); err != nil || !on {
			panic(fmt.Sprint(on, err))
		}
	})
}
