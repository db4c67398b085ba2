package web

import (
	"context"
	"errors"
	"math"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/gofiber/fiber/v2"

	"kibitz/app/errs"
	"kibitz/app/impact"
	"kibitz/app/model"
	"kibitz/app/rollout"
	"kibitz/app/switches"
	"kibitz/views"
	"kibitz/views/charts"
)

// switchScope is the environment of the address and what the reader may do there. Whoever may use the scope switch:write, owners and
// admins, turns on, widens and edits; turning off is for everybody but viewers: a safety must be in reach.
func (s *Server) switchScope(c *fiber.Ctx, env string) (views.SwitchScope, error) {
	scope := views.SwitchScope{Env: env, Environments: s.board.Environments(), MayFlip: slices.Contains(s.scopes(c), "switch:write"),
		MayKill: s.session(c).Account.Role != model.Viewer}
	if len(scope.Environments) == 0 {
		return scope, errs.New(errs.Unavailable, "The switches are not read yet. Try again in a moment.")
	}
	if env == "" {
		scope.Env = scope.Environments[0]
	}
	if !slices.Contains(scope.Environments, scope.Env) {
		return scope, errs.New(errs.NotFound, "There is no environment %q.", clip(env, 60))
	}
	return scope, nil
}

// switchForm is a form of these pages and its scope; kill tells that it only turns off.
func (s *Server) switchForm(c *fiber.Ctx, kill bool) (url.Values, views.SwitchScope, error) {
	form, err := s.form(c)
	if err != nil {
		return nil, views.SwitchScope{}, err
	}
	scope, err := s.switchScope(c, form.Get("env"))
	if err == nil && !scope.MayFlip && !(kill && scope.MayKill) {
		err = errs.New(errs.Forbidden, "Owners and admins change switches, and everybody but viewers may turn them off.")
	}
	return form, scope, err
}

func (s *Server) by(c *fiber.Ctx) rollout.By {
	a := s.session(c).Account
	name := a.Name
	if name == "" {
		name = a.Email
	}
	return rollout.By{Name: name, AccountID: a.ID, Kind: "person"}
}

// keyOf is the key in an address: of the path, or of a field where the path has another meaning.
func keyOf(c *fiber.Ctx) string {
	if key := c.Params("key"); key != "" {
		if plain, err := url.PathUnescape(key); err == nil {
			return plain
		}
		return key
	}
	return strings.Clone(c.Query("key"))
}

func (s *Server) entryOf(env, key string) (rollout.Entry, error) {
	e, ok := s.board.Entry(env, key)
	if !ok {
		return e, errs.New(errs.NotFound, "There is no switch %q in %s.", clip(key, 100), env)
	}
	return e, nil
}

// readable tells the error of a page from that of its figures: with the database away the switches still answer and can be turned
// off, so the page is shown without what it cannot read.
func readable(err error, unknown *bool) error {
	if k := errs.Of(err); k == errs.Unavailable || errors.Is(err, context.DeadlineExceeded) {
		*unknown = true
		return nil
	}
	return err
}

// lastDay is what the table and its figures look back at.
const lastDay = 24 * time.Hour

// switchLines are the rows of some switches, with what three queries tell of all of them.
func (s *Server) switchLines(ctx context.Context, entries []rollout.Entry, env string, now time.Time, unknown *bool) ([]views.SwitchLine, error) {
	rows, err := s.impact.RowsLately(ctx, env, lastDay)
	if err := readable(err, unknown); err != nil {
		return nil, err
	}
	var flips []model.Flip
	if !*unknown {
		flips, err = s.impact.FlipsBetween(ctx, env, now.Add(-lastDay), now)
		if err := readable(err, unknown); err != nil {
			return nil, err
		}
	}
	marks := map[string][]charts.Marker{}
	for _, f := range flips {
		marks[f.Key] = append(marks[f.Key], charts.Marker{At: f.At, Kind: "switch"})
	}
	var out []views.SwitchLine
	for _, e := range entries {
		out = append(out, s.switchLine(e, rows, marks))
	}
	return out, nil
}

func (s *Server) switchLine(e rollout.Entry, rows map[string]impact.SwitchImpact, marks map[string][]charts.Marker) views.SwitchLine {
	line := views.SwitchLine{Switch: e.Switch, Pending: e.Pending, Broken: broken(e.Problems), Guard: s.guardState(e), Flips: marks[e.Key]}
	line.Flipped, line.By, line.Kind = lastFlip(e)
	if row, ok := rows[e.Key]; ok {
		line.Impact = impactOf(row)
	}
	return line
}

func broken(problems []switches.Problem) string {
	for _, p := range problems {
		if !p.Warning {
			return p.Text
		}
	}
	return ""
}

// lastFlip is when a switch last changed, and who did that.
func lastFlip(e rollout.Entry) (at time.Time, by, kind string) {
	if e.Killed && e.KilledAt.After(e.At) {
		kind = "person"
		if e.KilledBy == guardName {
			kind = "guard"
		}
		return e.KilledAt, e.KilledBy, kind
	}
	return e.At, e.By, e.ByKind
}

// guardName is the name in which the guard acts.
const guardName = "guard"

// guardState is a guard in a word.
func (s *Server) guardState(e rollout.Entry) views.GuardState {
	if e.Killed {
		if e.KilledBy == guardName {
			return views.GuardState{State: "bad", Text: "Killed it"}
		}
		return views.GuardState{State: "idle", Text: "Killed"}
	}
	if e.State == switches.Off {
		return views.GuardState{State: "idle", Text: "Off"}
	}
	if e.Guard != nil && e.Guard.Mode == switches.GuardOff {
		return views.GuardState{State: "idle", Text: "No guard"}
	}
	if e.Guard != nil && e.Guard.PausedUntil.After(time.Now()) {
		return views.GuardState{State: "idle", Text: "Held until " + e.Guard.PausedUntil.UTC().Format("15:04")}
	}
	view := s.impact.GuardOf(e.Env, &e.Switch)
	switch {
	case view.Holding:
		return views.GuardState{State: "bad", Text: "Sees harm, holds"}
	case view.Watching:
		return views.GuardState{State: "ok", Text: "Watching"}
	}
	return views.GuardState{State: "idle", Text: "Too few to judge"}
}

// impactOf puts the answers that are on together, and those that are off.
func impactOf(row impact.SwitchImpact) *views.Impact {
	out := &views.Impact{}
	for _, v := range row.Variants {
		side := views.SwitchSide{Variant: v.Variant, On: v.On, N: v.Requests, Seen: v.Seen, Subjects: v.Subjects, Failed: partOf(v.Failed, v.Requests), P50: v.P50, P95: v.P95,
			P99: v.P99, Queries: v.Queries, Spark: v.Spark}
		out.Sides = append(out.Sides, side)
		out.Clock = charts.Clock{From: row.Start, Step: row.Step, N: len(v.Spark)}
		if v.On {
			out.On = together(out.On, side)
		} else {
			out.Off = together(out.Off, side)
		}
	}
	return out
}

func partOf(part, of float64) float64 {
	if of <= 0 {
		return 0
	}
	return part / of
}

// together is two answers as one: their durations are those of the commoner one, since percentiles cannot be added.
func together(a, b views.SwitchSide) views.SwitchSide {
	if a.Seen == 0 {
		return b
	}
	out := a
	if b.N > a.N {
		out = b
	}
	out.N, out.Seen, out.Subjects = a.N+b.N, a.Seen+b.Seen, a.Subjects+b.Subjects
	out.Failed = partOf(a.Failed*a.N+b.Failed*b.N, out.N)
	out.Spark = slices.Clone(a.Spark)
	for i := range out.Spark {
		if i < len(b.Spark) {
			out.Spark[i] += b.Spark[i]
		}
	}
	return out
}

// shownAlarms is how many guards speak above a page.
const shownAlarms = 3

// alarms are the guards that see harm, and those that killed within the day.
func (s *Server) alarms(entries []rollout.Entry, now time.Time) (out []views.GuardAlarm) {
	for _, e := range entries {
		if a := s.alarm(e, now); a != nil && len(out) < shownAlarms {
			out = append(out, *a)
		}
	}
	return out
}

func (s *Server) alarm(e rollout.Entry, now time.Time) *views.GuardAlarm {
	if e.Killed {
		if e.KilledBy == guardName && now.Sub(e.KilledAt) < lastDay {
			return &views.GuardAlarm{Key: e.Key, Env: e.Env, Killed: true, Text: "it turned the switch off for everyone, " + e.KilledAt.UTC().Format("2 Jan, 15:04") + " UTC. " + e.KilledWhy}
		}
		return nil
	}
	if e.State == switches.Off || (e.Guard != nil && e.Guard.Mode == switches.GuardOff) {
		return nil
	}
	if view := s.impact.GuardOf(e.Env, &e.Switch); view.Holding {
		return &views.GuardAlarm{Key: e.Key, Env: e.Env, Text: view.Why}
	}
	return nil
}

// spread says how far a change has come: everywhere in 9 ms, 12 of 12.
func spread(p rollout.Published) string {
	text := strconv.Itoa(p.Told+1) + " of " + strconv.Itoa(p.Peers+1)
	switch {
	case p.Peers == 0:
		text = "In force, 1 of 1"
	case p.Told == p.Peers:
		text = "Everywhere in " + strconv.FormatFloat(math.Max(math.Round(p.Slowest.Seconds()*10_000)/10, .1), 'f', -1, 64) + " ms, " + text
	default:
		text += " processes have it so far; the others take it when they can be reached"
	}
	if !p.Stored {
		text += ". It is in memory and is written when the database is back"
	}
	return text + "."
}

// flipToast tells what a flip did.
func flipToast(was, is switches.Switch, env string, p rollout.Published) toast {
	text := clip(is.Key, 80) + " is " + stateWords(is) + ", was " + stateWords(was) + ". " + spread(p)
	t := toast{Text: clip(text, maxToast)}
	if p.ChangeID != 0 {
		t.Kind, t.Undo = "switch", values("id", strconv.FormatInt(p.ChangeID, 10), "env", env)
	} else {
		t.Text = clip(is.Key, 80) + " was so already."
	}
	return t
}

// stateWords are a switch's state as a toast says it: on for 25 %.
func stateWords(s switches.Switch) string {
	text := views.StateText(&s)
	if text != "" && text[0] >= '0' && text[0] <= '9' {
		return "on for " + text
	}
	return text
}
