package cli

import (
	"context"
	"fmt"
	"strings"
	"sync/atomic"
	"time"

	"kibitz/app/accounts"
	"kibitz/app/flags"
	"kibitz/app/model"
	"kibitz/app/rollout"
	"kibitz/app/switches/flaghook"
	"kibitz/app/web"
	"kibitz/ingest"
)

// wire is what connects switches with programs elsewhere.
type wire struct {
	flags  *flags.Flags
	gate   *accounts.Gate
	teller atomic.Pointer[flags.Sender] // nil when nobody is told of changes
}

// switchDoors are where programs elsewhere ask switches.
func (s *server) switchDoors(ctx context.Context) (*web.SwitchDoors, error) {
	s.wire.flags = flags.New(s.Store, s.IDs, s.log)
	key, err := s.wire.flags.StreamKey(ctx)
	if err != nil {
		return nil, err
	}
	s.wire.gate = accounts.NewGate(s.Store, s.log)
	s.wire.gate.Remember(gateFile(s.config.Data))
	return s.doors(s.wire.gate, key), nil
}

// doors answer from the board those whom a gate lets in.
func (p *Program) doors(gate *accounts.Gate, key []byte) *web.SwitchDoors {
	cfg, b := p.config.Doors, p.Board
	return &web.SwitchDoors{Environments: b.Environments, Holder: b.Holder, Config: b.Config, Watch: b.Watch, Gate: gate,
		StreamKey: key, Origins: cfg.Origins, PublicTag: cfg.PublicTag, Streams: cfg.Streams}
}

// ownChanges are changes of our switches as others' are told.
func (s *server) ownChanges(ctx context.Context, key string, before int64, n int) (list []model.FlagChange, err error) {
	history, err := s.Board.History(ctx, "", key, before, n)
	if err != nil && len(history) == 0 {
		return nil, err
	}
	for i := range history {
		if c, ok := flagChange(&history[i]); ok {
			list = append(list, c)
		}
	}
	return list, nil
}

// flagChange is a line of our history as others' changes are told; ok is false for what is no switch's.
func flagChange(c *rollout.Change) (out model.FlagChange, ok bool) {
	out = model.FlagChange{ID: c.ID, ChangeID: c.ID, Flag: c.Key, Action: string(flaghook.Updated), At: c.At,
		Tags: map[string]string{"environment": c.Env, "action": c.Action}}
	switch c.Action {
	case "kill", "unkill":
	case "segment", "environment", "opt":
		return out, false
	default:
		if c.Before == nil && c.After == nil {
			return out, false
		}
		if c.Before == nil {
			out.Action = string(flaghook.Created)
		} else if c.After == nil {
			out.Action = string(flaghook.Deleted)
		}
	}
	if c.By.Name != "" {
		out.By, out.ByType = c.By.Name, string(flaghook.ByName)
		if strings.Contains(c.By.Name, "@") {
			out.ByType = string(flaghook.ByEmail)
		}
	}
	return out, true
}

// startTelling tells others of our changes, where addresses are configured. Their endings are counted in project, which is ours.
func (s *server) startTelling(project int64) {
	cfg := s.config.Doors
	if len(cfg.Webhooks) == 0 {
		return
	}
	s.wire.teller.Store(flags.NewSender(flags.SenderOptions{Addresses: cfg.Webhooks, Secret: cfg.WebhookSecret, Version: Version, Log: s.log,
		Dropped: func(reason string, n int64) {
			s.outcomes.Count(project, "switch_webhook", ingest.RateLimited, reason, n)
		}}))
}

// stopTelling gives up what waits to be told, and counts it.
func (s *server) stopTelling() {
	if teller := s.wire.teller.Load(); teller != nil {
		teller.Close()
	}
}

// tellOf hands changes to those who are told.
func (p *Program) tellOf(list []rollout.Change) {
	teller := p.wire.teller.Load()
	if teller == nil {
		return
	}
	var items []flaghook.Item
	for i := range list {
		if c, ok := flagChange(&list[i]); ok {
			items = append(items, flaghook.Item{ID: c.ChangeID, Action: flaghook.Action(c.Action), Flag: c.Flag, By: c.By, ByType: flaghook.ByType(c.ByType), At: c.At})
		}
	}
	teller.Add(items)
}

// switchWebhook is `kibitz switch webhook add|list|remove`: the secrets by which providers of flags tell us of changes.
func switchWebhook(ctx context.Context, c *call) error {
	const usage = "say `kibitz switch webhook add generic|launchdarkly|unleash|statsig|flagsmith [--secret S]`, `list` or `remove PROVIDER`"
	if len(c.args) < 2 {
		return c.wrong(usage)
	}
	f := c.flags("switch webhook " + c.args[1])
	secret := f.String("secret", "", "the secret that the provider has made itself; one is made when it is absent")
	if c.args[1] == "list" {
		return withStore(ctx, c, func(p *Program) error { return listWebhooks(ctx, c, p) })
	}
	provider, err := oneWord(f, c.args[2:])
	if err != nil || (c.args[1] != "add" && c.args[1] != "remove") {
		return c.wrong(usage)
	}
	return withStore(ctx, c, func(p *Program) error {
		hooks := flags.New(p.Store, p.IDs, c.log)
		if c.args[1] == "remove" {
			return plain(hooks.RemoveSecret(ctx, provider))
		}
		return addWebhook(ctx, c, p, hooks, provider, *secret)
	})
}

func addWebhook(ctx context.Context, c *call, p *Program, hooks *flags.Flags, provider, secret string) (err error) {
	if secret == "" {
		secret, err = hooks.NewSecret(ctx, provider)
	} else {
		err = hooks.UseSecret(ctx, provider, secret)
	}
	if err != nil {
		return plain(err)
	}
	fmt.Fprintf(c.out, "address: %s/api/0/organizations/kibitz/flags/hooks/provider/%s/\n", p.base, provider)
	fmt.Fprintln(c.out, "secret:", secret)
	return nil
}

func listWebhooks(ctx context.Context, c *call, p *Program) error {
	list, err := flags.New(p.Store, p.IDs, c.log).Secrets(ctx)
	if err != nil {
		return plain(err)
	}
	for _, s := range list {
		fmt.Fprintf(c.out, "%-14s %s…  since %s\n", s.Provider, s.Secret, s.CreatedAt.UTC().Format(time.DateTime))
	}
	return nil
}
