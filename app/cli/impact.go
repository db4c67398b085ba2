package cli

import (
	"context"
	"crypto/md5"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"kibitz/app/db"
	"kibitz/app/errs"
	"kibitz/app/impact"
	"kibitz/app/issues"
	"kibitz/app/mail"
	"kibitz/app/model"
	"kibitz/app/rollout"
	"kibitz/app/switches"
	"kibitz/ingest"
	"kibitz/ingest/envelope"
)

// startImpact wires what switches do to people with the switches themselves; commands beside a server have none of these.
func (p *Program) startImpact() {
	o := impact.Options{Store: p.Store, IDs: p.IDs, Log: p.log}
	if b := p.Board; b != nil {
		o.Environments = b.Environments
		o.Switches = func(env string) []switches.Switch { return b.Config(env).Switches }
		o.Kill = func(ctx context.Context, env, key, why string) error {
			_, err := b.Kill(ctx, env, key, true, rollout.By{Name: "guard", Kind: "guard"}, why)
			return err
		}
		o.Flips, o.Changed, o.Callers = p.flips, p.changed, p.callers
	}
	p.Impact = impact.New(o)
	p.impact.Store(p.Impact)
}

// rampReady is what the board asks before a ramp's next step. It runs before there is a database.
func (p *Program) rampReady(env, key string, step int) (bool, string) {
	if i := p.impact.Load(); i != nil {
		return i.RampReady(env, key, step)
	}
	return false, "the guard has not begun to watch"
}

// countAsked is what the board hands over of answers given in process.
func (p *Program) countAsked(env string, counts []rollout.Count) {
	if i := p.impact.Load(); i != nil {
		for _, c := range counts {
			i.Ask(env, c.Key, c.Variant, c.N)
		}
	}
}

// changed is when each switch of an environment was changed last.
func (p *Program) changed(env string) map[string]time.Time {
	out := map[string]time.Time{}
	for _, e := range p.Board.List(env) {
		out[e.Key] = e.At
	}
	return out
}

// callers are the lines that asked for switches before these were made.
func (p *Program) callers(env string) map[string]string {
	if h := p.Board.Holder(env); h != nil {
		return h.Callers()
	}
	return nil
}

// maxFlips is how many changes of switches before the end of a period are looked at.
const maxFlips = 500

// flips are the changes of switches in a stretch of time that changed who gets what, oldest first; of all environments when env
// is "".
func (p *Program) flips(ctx context.Context, env string, from, to time.Time) ([]model.Flip, error) {
	changes, err := p.Board.History(ctx, env, "", model.FirstIDAt(to), maxFlips)
	if err != nil && errs.Of(err) != errs.Unavailable {
		return nil, err
	}
	var out []model.Flip
	for i := range changes {
		c := &changes[i]
		if what := flipOf(c); what != "" && !c.At.Before(from) && c.At.Before(to) {
			f := model.Flip{ID: c.ID, Env: c.Env, Key: c.Key, At: c.At, Action: what, By: c.By.Name, Kind: c.By.Kind, Why: c.Why}
			if c.After != nil {
				f.Project = c.After.Project
			}
			out = append(out, f)
		}
	}
	slices.Reverse(out)
	return out, nil
}

// allFlips are those of all environments.
func (p *Program) allFlips(ctx context.Context, from, to time.Time) ([]model.Flip, error) {
	return p.flips(ctx, "", from, to)
}

// flipOf says what a change did to those who get a switch; "" nothing.
func flipOf(c *rollout.Change) string {
	switch {
	case c.Action == "kill" || c.Action == "unkill":
		return c.Action
	case c.KilledBefore != c.KilledAfter && c.KilledAfter:
		return "kill"
	case c.KilledBefore != c.KilledAfter:
		return "unkill"
	case c.After == nil:
		return map[bool]string{true: "removed"}[c.Before != nil]
	}
	before := switches.Switch{State: switches.Off}
	if c.Before != nil {
		before = *c.Before
	}
	was, is := reach(&before), reach(c.After)
	if was == is {
		return ""
	}
	return is
}

// reach is who gets a switch, in a word.
func reach(s *switches.Switch) string {
	if s.State != switches.Partial {
		return string(s.State)
	}
	text := strconv.FormatFloat(s.Everyone.Percent, 'f', -1, 64) + " %"
	if len(s.Sets) > 0 {
		text += " and conditions"
	}
	return text
}

// startGuard lets the server watch switches and tell people.
func (s *server) startGuard(ctx context.Context) {
	s.Impact.Alert = s.alert
	go s.guarded("answers of switches", func() { s.Impact.RunAsks(db.With(ctx, db.Jobs)) })
	go s.guarded("the guard of switches", func() { s.Impact.RunGuard(db.With(ctx, db.Jobs)) })
}

// alert makes an issue of a decision of the guard, in the project whose switch it is or in Kibitz's own, and mails it.
func (s *server) alert(ctx context.Context, a impact.Alert) error {
	return errors.Join(s.fileAlert(ctx, a), s.mailAlert(ctx, a))
}

func (s *server) fileAlert(ctx context.Context, a impact.Alert) error {
	project, key := s.self.project, s.self.key
	if a.Project != "" && a.Project != issues.SelfProject {
		found, err := s.Projects.Find(ctx, a.Project)
		if err == nil {
			project = found.ID
		} else if errs.Of(err) != errs.NotFound {
			return err
		}
	}
	payload, err := json.Marshal(alertEvent(a))
	if err != nil {
		return fmt.Errorf("cannot write an alert as an event: %w", err)
	}
	_, err = s.pipeline.Accept(ctx, ingest.Source{Project: project, KeyID: key, Received: time.Now()}, envelope.Envelope{}, []envelope.Item{{Type: "event", Payload: payload}})
	return err
}

// alertTitle is what an alert says first.
func alertTitle(a impact.Alert) string {
	return fmt.Sprintf("Guard: %s %s in %s", a.Action, a.Key, a.Env)
}

// alertEvent is an alert as an event. Alerts of one switch and action are one issue, and one that is told again is known by its id.
func alertEvent(a impact.Alert) map[string]any {
	id := md5.Sum(fmt.Appendf(nil, "guard %d", a.ID))
	level := "warning"
	if a.Action == impact.ActKill {
		level = "error"
	}
	e := a.Evidence
	return map[string]any{
		"event_id": fmt.Sprintf("%x", id), "timestamp": float64(a.At.UnixMilli()) / 1000, "platform": "other", "level": level, "logger": "kibitz.guard",
		"environment": a.Env, "fingerprint": []string{"kibitz", "guard", a.Env, a.Key, string(a.Action)},
		"exception": map[string]any{"values": []any{map[string]any{"type": alertTitle(a), "value": a.Text,
			"mechanism": map[string]any{"type": "guard", "handled": true}}}},
		"tags": map[string]string{"switch": a.Key, "guard": string(a.Action)},
		"contexts": map[string]any{"guard": map[string]any{"evidence": e.E, "with it": fmt.Sprintf("%d of %d failed", e.Failed, e.Exposed),
			"without it": fmt.Sprintf("%d of %d failed", e.ControlFailed, e.Control), "ratio": e.Ratio.Value, "dispersion": e.Dispersion}},
	}
}

// mailAlert mails what matters to the switch's owner, when that is an address, and to those who get reports.
func (s *server) mailAlert(ctx context.Context, a impact.Alert) error {
	to := slices.Clone(s.config.Report.To)
	if strings.Contains(a.Owner, "@") && !slices.Contains(to, a.Owner) {
		to = append(to, a.Owner)
	}
	if s.config.SMTP.URL == "" || len(to) == 0 {
		return nil
	}
	server, err := mail.New(s.config.SMTP.URL)
	if err != nil {
		return fmt.Errorf("smtp.url: %w", err)
	}
	text := fmt.Sprintf("%s\n\n%s\n\nAt %s UTC. Look at it, or take it back: %s/switches/%s\n", alertTitle(a), a.Text, a.At.UTC().Format("15:04:05 on 2 January 2006"), s.base, a.Key)
	return server.Send(ctx, mail.Message{ID: fmt.Sprintf("guard-%d@kibitz", a.ID), From: s.config.Report.From, To: to, Subject: alertTitle(a), Text: text, Automatically: true})
}
