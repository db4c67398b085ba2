package cli

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"path/filepath"
	"strings"
	"time"

	"kibitz/app/db"
	"kibitz/app/errs"
	"kibitz/app/rollout"
	"kibitz/app/store"
	"kibitz/app/switches"
	"kibitz/app/switches/peers"
)

// switchRequest is what a command asks of a process.
type switchRequest struct {
	Env, From string
	Key, To   string
	Keys      []string
	Why       string
	Base      int64
	Change    int64
	N         int
	Switch    switches.Switch
	Segment   switches.Segment
	Switches  []switches.Switch
	Context   map[string]any
	By        rollout.By
}

func (r *switchRequest) name() string {
	switch {
	case r.Key != "":
		return r.Key
	case r.Change != 0:
		return fmt.Sprint("change ", r.Change)
	}
	return "switches of " + r.From
}

func (r *switchRequest) where() string {
	if r.Env == "" {
		return rollout.Production
	}
	return r.Env
}

// past and fleet are answers.
type past struct {
	Changes []rollout.Change `json:"changes"`
	Note    string           `json:"note,omitempty"`
}
type fleet struct {
	Processes []rollout.Process `json:"processes"`
	Health    rollout.Health    `json:"health"`
}

// answerSwitch does what a command asks, in a process that has a board.
func answerSwitch(ctx context.Context, b *rollout.Board, op string, r switchRequest) (any, error) {
	switch op {
	case "add":
		if _, ok := b.Entry(r.Env, r.Key); ok {
			return nil, errs.New(errs.Conflict, "There is a switch %q in %s already.", r.Key, r.Env)
		}
		return b.Save(ctx, rollout.Edit{Env: r.Env, Switch: r.Switch, By: r.By, Why: r.Why})
	case "save":
		return saveSwitch(ctx, b, r)
	case "save-many":
		_, refused, err := b.SaveMany(ctx, r.Env, r.Switches, r.By, r.Why)
		return refused, err
	case "segment":
		return b.SaveSegment(ctx, r.Env, r.Segment, r.By, r.Why)
	case "remove-segment":
		return b.DeleteSegment(ctx, r.Env, r.Key, r.By, r.Why)
	case "environment":
		return b.AddEnvironment(ctx, r.Env, r.By)
	case "set":
		return setSwitch(ctx, b, r)
	case "remove":
		return b.Delete(ctx, r.Env, r.Key, peers.Version{}, r.By, r.Why)
	case "undo":
		return b.Undo(ctx, r.Change, r.By)
	case "copy":
		return b.Copy(ctx, r.From, r.Env, r.Keys, r.By, r.Why)
	}
	return readSwitch(ctx, b, op, r)
}

// saveSwitch makes a switch what the request says, whatever it was.
func saveSwitch(ctx context.Context, b *rollout.Board, r switchRequest) (any, error) {
	e, _ := b.Entry(r.Env, r.Switch.Key)
	return b.Save(ctx, rollout.Edit{Env: r.Env, Switch: r.Switch, Base: e.Version, By: r.By, Why: r.Why})
}

func setSwitch(ctx context.Context, b *rollout.Board, r switchRequest) (any, error) {
	to, err := parseTo(r.To)
	if err != nil {
		return nil, errs.New(errs.Unprocessable, "%s", err)
	}
	if e, ok := b.Entry(r.Env, r.Key); ok && r.Base != 0 && r.Base != e.Version.Revision {
		return nil, &rollout.Conflict{Current: e}
	}
	if to.kill != nil {
		return b.Kill(ctx, r.Env, r.Key, *to.kill, r.By, r.Why)
	}
	return b.Flip(ctx, r.Env, r.Key, to.flip, r.By, r.Why)
}

func readSwitch(ctx context.Context, b *rollout.Board, op string, r switchRequest) (any, error) {
	if op == "processes" {
		return fleet{b.Processes(), b.Health()}, nil
	}
	if op == "environments" {
		return b.Environments(), nil
	}
	h := b.Holder(r.Env)
	if h == nil {
		return nil, errs.New(errs.NotFound, "There is no environment %q. There are %s.", r.Env, strings.Join(b.Environments(), ", "))
	}
	switch op {
	case "list":
		return b.List(r.Env), nil
	case "config":
		return b.Config(r.Env), nil
	case "get":
		if e, ok := b.Entry(r.Env, r.Key); ok {
			return e, nil
		}
		return nil, errs.New(errs.NotFound, "There is no switch %q in %s.", r.Key, r.Env)
	case "try":
		return trySwitch(b, h.Snapshot(), r)
	case "history":
		changes, err := b.History(ctx, r.Env, r.Key, 0, max(r.N, 1))
		if err != nil && errs.Of(err) != errs.Unavailable {
			return nil, err
		}
		got := past{Changes: changes}
		if err != nil {
			got.Note = errs.Message(err)
		}
		return got, nil
	}
	return nil, errs.New(errs.NotFound, "This process knows no command %q; it may be of another version.", op)
}

// trySwitch answers without counting, and tells how.
func trySwitch(b *rollout.Board, s *switches.Snapshot, r switchRequest) (any, error) {
	sub, err := switches.SubjectOf(r.Context)
	if err != nil {
		return nil, errs.New(errs.Unprocessable, "%s", err)
	}
	x := s.Explain(r.Key, &sub)
	if x.Reason == switches.NotFound {
		return nil, errs.New(errs.NotFound, "There is no switch %q in %s.", r.Key, s.Environment())
	}
	return tried{x.Key, x.Variant, x.On, x.Value, x.Reason.String(), x.Condition, x.Bucket, x.Missing, x.Steps, s.Revision(), b.Health().Source}, nil
}

// switchDoor answers commands that come to a process.
func switchDoor(b func() *rollout.Board) func(context.Context, string, json.RawMessage) (json.RawMessage, int, string) {
	return func(ctx context.Context, op string, body json.RawMessage) (json.RawMessage, int, string) {
		var r switchRequest
		err := json.Unmarshal(body, &r)
		var answer any
		if err == nil {
			answer, err = answerSwitch(ctx, b(), op, r)
		}
		var raw json.RawMessage
		if err == nil {
			raw, err = json.Marshal(answer)
		}
		if err != nil {
			return nil, errs.Status(err), errs.Message(err)
		}
		return raw, 0, ""
	}
}

// askSwitches has a command done: by a running process that is found without the database, by one that is found through it, or, where
// none runs, here.
func (c *call) askSwitches(ctx context.Context, op string, r switchRequest, into any) error {
	r.By = whoami()
	if client := c.dialDoor(ctx); client != nil {
		return askClient(ctx, client, op, r, into)
	}
	return withStore(ctx, c, func(p *Program) error {
		ctx := db.With(ctx, db.Jobs)
		if client := dialListed(ctx, p.Store); client != nil {
			return askClient(ctx, client, op, r, into)
		}
		return c.askHere(ctx, p, op, r, into)
	})
}

// startingWait is how long a process is waited for that was killed, and may be starting again: one that ends takes its door with it.
const startingWait = 5 * time.Second

// dialDoor reaches a process without the database; nil when there is none.
func (c *call) dialDoor(ctx context.Context) *peers.Client {
	for began := time.Now(); ; {
		doors := c.doors()
		for _, d := range doors {
			if client, err := peers.Dial(ctx, d.Address, d.Secret); err == nil {
				return client
			}
		}
		if len(doors) == 0 || time.Since(began) > startingWait {
			return nil
		}
		select {
		case <-ctx.Done():
			return nil
		case <-time.After(50 * time.Millisecond):
		}
	}
}

// doors are where a process may be: the one of this data directory, then those that the settings name.
func (c *call) doors() (out []rollout.Door) {
	if d, err := rollout.ReadDoor(switchDir(c.config.Data)); err == nil {
		out = append(out, d)
	}
	if secret := c.config.Switches.Secret; secret != "" {
		for _, address := range c.config.Switches.Peers {
			out = append(out, rollout.Door{Address: address, Secret: []byte(secret)})
		}
	}
	return out
}

func switchDir(data string) string { return filepath.Join(data, "switches") }

func askClient(ctx context.Context, client *peers.Client, op string, r switchRequest, into any) error {
	defer client.Close()
	raw, status, text, err := client.Ask(ctx, op, r)
	if err != nil {
		return err
	}
	if status != 0 {
		return plain(errs.New(errs.OfStatus(status), "%s", text))
	}
	return json.Unmarshal(raw, into)
}

// lately is how long ago a process that is asked may have said that it lives.
const lately = 15 * time.Second

func dialListed(ctx context.Context, s *store.Store) *peers.Client {
	secret, err := s.SwitchSecret(ctx, nil)
	if err != nil {
		return nil
	}
	all, now, err := s.BeatSwitches(ctx, store.SwitchProcess{})
	if err != nil {
		return nil
	}
	for _, p := range all {
		if now.Sub(p.Heartbeat) > lately {
			continue
		}
		if client, err := peers.Dial(ctx, p.Address, secret); err == nil {
			return client
		}
	}
	return nil
}

// askHere does a command in this process, where no other runs.
func (c *call) askHere(ctx context.Context, p *Program, op string, r switchRequest, into any) error {
	b := rollout.New(rollout.Options{Node: c.config.Node, Version: Version, IDs: p.IDs, Log: slog.New(slog.DiscardHandler)})
	defer b.Close(context.WithoutCancel(ctx))
	b.Attach(ctx, p.Store)
	if h := b.Health(); h.Source != rollout.FromDatabase {
		return errors.New("cannot read the switches: the database does not answer, and no process of Kibitz was found")
	}
	answer, err := answerSwitch(ctx, b, op, r)
	if err != nil {
		return plain(err)
	}
	raw, err := json.Marshal(answer)
	if err != nil {
		return err
	}
	return json.Unmarshal(raw, into)
}
