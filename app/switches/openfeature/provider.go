// Package openfeature answers OpenFeature's Go SDK from the switches in this process: no call leaves it. The SDK itself takes
// one to two microseconds a question; programs that ask often ask package switches.
//
//	of.SetProviderAndWait(openfeature.New(holder, watch))
//	of.NewDefaultClient().Boolean(ctx, "new-cart", false, of.NewEvaluationContext("user-42", map[string]any{"plan": "pro"}))
package openfeature

import (
	"context"
	"encoding/json"
	"strconv"
	"sync"

	of "github.com/open-feature/go-sdk/openfeature"

	"kibitz/app/errs"
	"kibitz/app/switches"
)

// Name is the provider's name in the SDK.
const Name = "kibitz"

// Provider answers from a Holder. It implements openfeature.FeatureProvider, StateHandler and EventHandler.
type Provider struct {
	holder *switches.Holder
	watch  func() (<-chan int64, func())
	events chan of.Event
	stop   chan struct{}
	once   sync.Once
	done   sync.WaitGroup
}

// waitingEvents is how many events wait for the SDK; further ones are left out, since the first of them says as much.
const waitingEvents = 8

// New makes a provider. watch wakes when the holder has got something new, until its function is called; nil for never.
func New(h *switches.Holder, watch func() (<-chan int64, func())) *Provider {
	return &Provider{holder: h, watch: watch, events: make(chan of.Event, waitingEvents), stop: make(chan struct{})}
}

// Metadata names the provider.
func (p *Provider) Metadata() of.Metadata { return of.Metadata{Name: Name} }

// Hooks are none.
func (p *Provider) Hooks() []of.Hook { return nil }

// Init begins to tell of changes. The provider is ready at once.
func (p *Provider) Init(of.EvaluationContext) error {
	if p.watch == nil {
		return nil
	}
	news, end := p.watch()
	before := p.holder.Snapshot()
	p.done.Go(func() {
		defer end()
		for {
			select {
			case <-p.stop:
				return
			case <-news:
				now := p.holder.Snapshot()
				p.tell(before, now)
				before = now
			}
		}
	})
	return nil
}

// tell sends which switches have changed, when any has.
func (p *Provider) tell(before, now *switches.Snapshot) {
	keys := switches.Changed(before, now)
	if len(keys) == 0 {
		return
	}
	select {
	case p.events <- of.Event{ProviderName: Name, EventType: of.ProviderConfigChange, ProviderEventDetails: of.ProviderEventDetails{
		Message: "revision " + strconv.FormatInt(now.Revision(), 10), FlagChanges: keys, EventMetadata: map[string]any{"revision": now.Revision()}}}:
	default:
	}
}

// Shutdown ends it.
func (p *Provider) Shutdown() {
	p.once.Do(func() { close(p.stop) })
	p.done.Wait()
}

// EventChannel is where changes are told.
func (p *Provider) EventChannel() <-chan of.Event { return p.events }

// ask is one answer; when it fails the detail says so, and the caller uses its default.
func (p *Provider) ask(ctx context.Context, key string, flat of.FlattenedContext) (switches.Answer, of.ProviderResolutionDetail) {
	sub, err := subject(ctx, flat)
	if err != nil {
		return switches.Answer{}, failed(of.NewInvalidContextResolutionError(errs.Message(err)))
	}
	a := p.holder.Variant(key, sub)
	switch {
	case a.Reason == switches.NotFound:
		return a, failed(of.NewFlagNotFoundResolutionError("there is no switch " + strconv.Quote(key)))
	case a.Reason == switches.Errored:
		return a, failed(of.NewParseErrorResolutionError("the switch is broken, and off"))
	case a.Missing == "user":
		return a, failed(of.NewTargetingKeyMissingResolutionError("a share of people is asked"))
	case a.Missing != "":
		return a, failed(of.NewInvalidContextResolutionError("a share is asked of the attribute " + a.Missing + ", which is missing"))
	}
	// No metadata: the SDK copies it with every answer, which costs more than the answer.
	return a, of.ProviderResolutionDetail{Reason: of.Reason(a.Reason.String()), Variant: a.Variant}
}

// subject is who is asked for: that of the evaluation context, or without one that of the request (switches.With).
func subject(ctx context.Context, flat of.FlattenedContext) (*switches.Subject, error) {
	if len(flat) == 0 {
		return switches.SubjectIn(ctx), nil
	}
	if id, ok := flat[of.TargetingKey].(string); ok && len(flat) == 1 && len(id) <= switches.MaxAttrValue {
		return &switches.Subject{ID: id}, nil
	}
	sub, err := switches.SubjectOf(flat)
	return &sub, err
}

func failed(err of.ResolutionError) of.ProviderResolutionDetail {
	return of.ProviderResolutionDetail{ResolutionError: err, Reason: of.ErrorReason}
}

// resolve asks, and reads the value as a T.
func resolve[T any](p *Provider, ctx context.Context, key string, otherwise T, flat of.FlattenedContext, read func(json.RawMessage) (T, bool)) of.GenericResolutionDetail[T] {
	a, detail := p.ask(ctx, key, flat)
	if detail.Reason == of.ErrorReason {
		return of.GenericResolutionDetail[T]{Value: otherwise, ProviderResolutionDetail: detail}
	}
	v, ok := read(a.Value)
	if !ok {
		return of.GenericResolutionDetail[T]{Value: otherwise, ProviderResolutionDetail: failed(of.NewTypeMismatchResolutionError(
			"the variant " + strconv.Quote(a.Variant) + " is of another type"))}
	}
	return of.GenericResolutionDetail[T]{Value: v, ProviderResolutionDetail: detail}
}

// BooleanEvaluation answers true or false.
func (p *Provider) BooleanEvaluation(ctx context.Context, key string, otherwise bool, flat of.FlattenedContext) of.BoolResolutionDetail {
	return resolve(p, ctx, key, otherwise, flat, func(v json.RawMessage) (bool, bool) {
		return string(v) == "true", string(v) == "true" || string(v) == "false"
	})
}

// StringEvaluation answers a text.
func (p *Provider) StringEvaluation(ctx context.Context, key, otherwise string, flat of.FlattenedContext) of.StringResolutionDetail {
	return resolve(p, ctx, key, otherwise, flat, read[string]('"'))
}

// FloatEvaluation answers a number.
func (p *Provider) FloatEvaluation(ctx context.Context, key string, otherwise float64, flat of.FlattenedContext) of.FloatResolutionDetail {
	return resolve(p, ctx, key, otherwise, flat, read[float64]('0'))
}

// IntEvaluation answers a whole number.
func (p *Provider) IntEvaluation(ctx context.Context, key string, otherwise int64, flat of.FlattenedContext) of.IntResolutionDetail {
	return resolve(p, ctx, key, otherwise, flat, read[int64]('0'))
}

// ObjectEvaluation answers anything.
func (p *Provider) ObjectEvaluation(ctx context.Context, key string, otherwise any, flat of.FlattenedContext) of.InterfaceResolutionDetail {
	return resolve(p, ctx, key, otherwise, flat, func(v json.RawMessage) (out any, ok bool) {
		return out, json.Unmarshal(v, &out) == nil
	})
}

// read reads a value that begins so; '0' stands for a number.
func read[T any](begin byte) func(json.RawMessage) (T, bool) {
	return func(v json.RawMessage) (out T, ok bool) {
		if len(v) == 0 || (begin == '0') != (v[0] == '-' || v[0] >= '0' && v[0] <= '9') || begin == '"' && v[0] != '"' {
			return out, false
		}
		return out, json.Unmarshal(v, &out) == nil
	}
}
