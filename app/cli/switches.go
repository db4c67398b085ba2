package cli

import (
	"context"

	"github.com/getsentry/sentry-go"

	"kibitz/app/perf"
	"kibitz/app/rollout"
	"kibitz/app/switches"
)

// startBoard makes the program answer from switches before there is a database.
func (p *Program) startBoard() error {
	cfg := p.config.Switches
	p.Board = rollout.New(rollout.Options{Node: p.config.Node, Version: Version, IDs: p.IDs, Log: p.log, Dir: switchDir(p.config.Data), Listen: cfg.Listen,
		Advertise: cfg.Advertise, Secret: cfg.Secret, Peers: cfg.Peers, AutoCreate: cfg.AutoCreate, Answered: perf.Asked,
		Hooks: rollout.Hooks{RampReady: p.rampReady, Flush: p.countAsked}, Changed: p.tellOf,
		Ask: switchDoor(func() *rollout.Board { return p.Board }), Own: switches.Own()})
	p.features.use(p.Board.Holder(rollout.Production))
	return p.Board.Start()
}

// flagsContext gives an event of ours what its request was answered by switches, as Sentry's SDKs do
// (https://develop.sentry.dev/sdk/expected-features/#feature-flags): the last hundred.
func flagsContext(ctx context.Context, scope *sentry.Scope) {
	const most = 100
	answers := switches.AnswersIn(ctx)
	if len(answers) == 0 {
		return
	}
	values := []map[string]any{}
	for _, a := range answers[max(0, len(answers)-most):] {
		var result any = a.On
		if a.Variant != "on" && a.Variant != "off" {
			result = a.Variant
		}
		values = append(values, map[string]any{"flag": a.Key, "result": result})
	}
	scope.SetContext("flags", sentry.Context{"values": values})
}
