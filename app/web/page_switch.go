package web

import (
	"context"
	"encoding/json"
	"math"
	"net/netip"
	"net/url"
	"slices"
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

// historyShown is how much of its history a switch's page has.
const historyShown = 20

// getSwitch is the page of a switch: GET /switches/:key, and /switch?key= for keys that are other pages' names.
func (s *Server) getSwitch(c *fiber.Ctx) error {
	scope, err := s.switchScope(c, strings.Clone(c.Query("env")))
	if err != nil {
		return err
	}
	e, err := s.entryOf(scope.Env, keyOf(c))
	if err != nil {
		return err
	}
	return s.switchPage(c, fiber.StatusOK, scope, e, views.FormOf(e.Switch), nil, false)
}

// switchPage shows a switch with a form, which may hold what is not saved.
func (s *Server) switchPage(c *fiber.Ctx, status int, scope views.SwitchScope, e rollout.Entry, form views.SwitchForm, problems []string, dirty bool) error {
	chrome, err := s.chrome(c, e.Key, "switches")
	if err != nil {
		return err
	}
	p := views.SwitchPageProps{SwitchScope: scope, Switch: e.Switch, Revision: e.Version.Revision, Node: e.Version.Node, By: e.By, Kind: e.ByKind, At: e.At, Pending: e.Pending,
		Form: form, Problems: problems, Dirty: dirty, Metric: strings.Clone(c.Query("metric"))}
	if !dirty && len(problems) == 0 {
		p.Problems = problemTexts(e.Problems)
	}
	if p.Period, err = periodOf(c, chrome.Now); err != nil {
		return err
	}
	s.fillChoices(&p)
	s.fillTry(c, &p)
	if err := s.fillImpact(c.UserContext(), &p, chrome.Now); err != nil {
		return err
	}
	if err := s.fillGuard(c.UserContext(), &p, e, chrome.Now); err != nil {
		return err
	}
	if err := s.fillHistory(c, &p); err != nil {
		return err
	}
	return s.render(c, status, views.SwitchPage(chrome, p))
}

func problemTexts(list []switches.Problem) (out []string) {
	for _, p := range list {
		text := p.Text
		if p.Field != "" {
			text = p.Field + ": " + text
		}
		out = append(out, text)
	}
	return out
}

// fillChoices gives the other switches and the segments that a form may name, and who opted in.
func (s *Server) fillChoices(p *views.SwitchPageProps) {
	for _, e := range s.board.List(p.Env) {
		if e.Key != p.Switch.Key {
			p.Keys = append(p.Keys, e.Key)
		}
	}
	for _, g := range s.board.Segments(p.Env) {
		p.Segments = append(p.Segments, g.Key)
	}
	if l := p.Switch.Labs; l != nil {
		p.Labs = &views.LabsCount{In: len(l.In), Out: len(l.Out)}
	}
}

// fillImpact reads what requests tell: one query for the graphs, one for the people, one for the flips.
func (s *Server) fillImpact(ctx context.Context, p *views.SwitchPageProps, now time.Time) error {
	series, err := s.impact.Series(ctx, p.Env, p.Switch.Key, p.Period.From, p.Period.To)
	if err := readable(err, &p.Unknown); err != nil || p.Unknown {
		return err
	}
	for _, v := range series {
		if len(v.Points) > 0 {
			p.Clock = charts.Clock{From: v.Points[0].Start, Step: v.Step, N: len(v.Points), Open: v.Points[0].Start.Add(v.Step * time.Duration(len(v.Points))).After(now)}
		}
		p.Series = append(p.Series, seriesOf(v))
	}
	people, err := s.impact.People(ctx, p.Env, p.Switch.Key, lastDay)
	if err := readable(err, &p.Unknown); err != nil || p.Unknown {
		return err
	}
	if people.Known {
		p.People = views.PeopleAsked(people.Subjects)
	}
	p.Markers, err = s.flipMarkers(ctx, p.Env, p.Period, func(f model.Flip) bool { return f.Key == p.Switch.Key })
	for i := range p.Markers {
		p.Markers[i].Label, p.Markers[i].URL = strings.TrimPrefix(p.Markers[i].Label, p.Switch.Key+" "), "#log"
	}
	return readable(err, &p.Unknown)
}

// seriesOf is an answer's requests as the charts take them.
func seriesOf(v impact.VariantSeries) views.SwitchSeries {
	n := len(v.Points)
	out := views.SwitchSeries{Variant: v.Variant, On: v.On, N: blanks(n), Failed: blanks(n), FailedLow: blanks(n), FailedHigh: blanks(n), P50: blanks(n), P95: blanks(n), P99: blanks(n),
		P50Low: blanks(n), P50High: blanks(n), P95Low: blanks(n), P95High: blanks(n), P99Low: blanks(n), P99Top: blanks(n), Queries: blanks(n)}
	for i, pt := range v.Points {
		if pt.N <= 0 {
			continue
		}
		out.N[i], out.Queries[i] = pt.N, pt.Queries
		out.Failed[i], out.FailedLow[i], out.FailedHigh[i] = pt.FailedShare.Value*100, pt.FailedShare.Low*100, pt.FailedShare.High*100
		out.P50[i], out.P50Low[i], out.P50High[i] = pt.P50.Value/1000, pt.P50.Low/1000, pt.P50.High/1000
		out.P95[i], out.P95Low[i], out.P95High[i] = pt.P95.Value/1000, pt.P95.Low/1000, pt.P95.High/1000
		out.P99[i], out.P99Low[i], out.P99Top[i] = pt.P99.Value/1000, pt.P99.Low/1000, pt.P99.High/1000
	}
	return out
}

// flipMarkers are the flips of a period, for graphs.
func (s *Server) flipMarkers(ctx context.Context, env string, p model.Period, of func(model.Flip) bool) (out []charts.Marker, err error) {
	if s.board == nil {
		return nil, nil
	}
	flips, err := s.impact.FlipsBetween(ctx, env, p.From, p.To)
	for _, f := range flips {
		if !of(f) || f.Action == "edit" {
			continue
		}
		share, killed := flipShare(f.Action)
		out = append(out, charts.Marker{At: f.At, Kind: "switch", Label: f.Key + " " + f.Action, URL: views.SwitchPath(f.Key, "", env), Share: share, Killed: killed})
	}
	return out, err
}

// flipShare is what the action of a flip says of its share: on, off, 25 %.
func flipShare(action string) (share float64, killed bool) {
	switch action {
	case "kill":
		return 0, true
	case "on":
		return 100, false
	}
	first, _, _ := strings.Cut(action, " ") // 25 % and conditions
	if v, ok := views.Percent(first); ok {
		return v, false
	}
	if action == "unkill" || action == "edit" {
		return 50, false
	}
	return 0, false
}

// fillGuard reads what the guard knows, and what it did.
func (s *Server) fillGuard(ctx context.Context, p *views.SwitchPageProps, e rollout.Entry, now time.Time) error {
	view := s.impact.GuardOf(e.Env, &e.Switch)
	g := views.GuardPanel{State: s.guardState(e), Text: view.Why, E: view.E, Alarm: s.alarm(e, now)}
	if view.Warning != "" {
		g.Warnings = []string{view.Warning}
	}
	if e.Guard != nil {
		g.Config = *e.Guard
	}
	if view.Exposed+view.Control > 0 {
		g.Figures = views.GuardFigures(view.Failed, view.Exposed, view.ControlFailed, view.Control, view.Dispersion)
	}
	decisions, err := s.impact.Decisions(ctx, e.Env, e.Key)
	for _, d := range decisions[:min(len(decisions), historyShown)] {
		g.Decisions = append(g.Decisions, views.GuardDecision{At: d.At, Action: string(d.Action), Text: d.Text, E: d.Evidence.E})
	}
	p.Guard = g
	if r := e.Ramp; r != nil && !r.Paused && r.At >= 0 && r.At < len(r.Steps)-1 {
		if _, why := s.impact.RampReady(e.Env, e.Key, r.At); why != "" {
			p.Ramp = "Waits: " + why + "."
		}
	}
	return readable(err, &p.Unknown)
}

func (s *Server) fillHistory(c *fiber.Ctx, p *views.SwitchPageProps) error {
	changes, err := s.board.History(c.UserContext(), p.Env, p.Switch.Key, 0, historyShown+1)
	if err := readable(err, &p.Unknown); err != nil {
		return err
	}
	p.More = len(changes) > historyShown
	p.History = s.events(c, p.SwitchScope, changes[:min(len(changes), historyShown)])
	if p.Guard.Alarm != nil && p.Guard.Alarm.Killed {
		for _, e := range p.History {
			if e.Killed && e.Kind == guardName && e.MayUndo {
				p.Guard.Alarm.Undo = e.ID
				break
			}
		}
	}
	return nil
}

// events are lines of a history as pages show them. Who turned something off may take that back, without the right to turn on.
func (s *Server) events(c *fiber.Ctx, scope views.SwitchScope, changes []rollout.Change) (out []views.SwitchEvent) {
	me := s.session(c).Account.ID
	for _, ch := range changes {
		e := views.SwitchEvent{ID: ch.ID, Env: ch.Env, Key: ch.Key, At: ch.At, By: ch.By.Name, Kind: ch.By.Kind, Why: ch.Why, Action: ch.Action, Before: ch.Before, After: ch.After,
			Revision: ch.Revision, IsUndo: ch.Undoes != 0, Killed: ch.Action == "kill", Freed: ch.Action == "unkill"}
		if ch.UndoneBy != 0 {
			e.UndoneBy = "somebody"
		}
		own := ch.By.AccountID == me && me != 0
		e.MayUndo = ch.UndoneBy == 0 && undoable(ch) && (scope.MayFlip || own && e.Killed && scope.MayKill)
		out = append(out, e)
	}
	return out
}

// undoable tells whether there is a way back from a change.
func undoable(ch rollout.Change) bool {
	switch ch.Action {
	case "kill", "unkill":
		return true
	case "opt", "environment", "segment":
		return false
	}
	return ch.Before != nil || ch.After != nil
}

// fillTry answers the question of the box: would they see it?
func (s *Server) fillTry(c *fiber.Ctx, p *views.SwitchPageProps) {
	get := func(name string) string { return clip(strings.TrimSpace(c.Query(name)), 2000) }
	t := views.SwitchTry{Asked: c.Query("try") != "", User: get("user"), Anonymous: get("anonymous"), IP: get("ip"), Forum: get("forum"), Role: get("role"), Country: get("country"),
		Address: get("address"), More: get("attrs")}
	snapshot := s.board.Holder(p.Env).Snapshot()
	if t.Asked {
		sub, err := triedSubject(t)
		if err != nil {
			t.Error = errs.Message(err)
		} else {
			x := snapshot.Explain(p.Switch.Key, &sub)
			t.Variant, t.On, t.Reason, t.Condition = x.Variant, x.On, x.Reason.String(), x.Condition
			for _, step := range x.Steps {
				t.Steps = append(t.Steps, views.TryStep{Depth: step.Depth, Text: step.What, Why: step.Why, Matched: step.Matched})
			}
		}
	}
	t.Example = s.example(snapshot, p.Switch, t)
	p.Try = t
}

// example names somebody who would see a switch, when a set or an override names people.
func (s *Server) example(snapshot *switches.Snapshot, sw switches.Switch, t views.SwitchTry) string {
	if !t.Asked || t.On || snapshot == nil {
		return ""
	}
	for _, set := range sw.Sets {
		for _, group := range set.When {
			if len(group) != 1 || group[0].Attribute != "user" || group[0].Op != switches.Is || group[0].Not {
				continue
			}
			id := group[0].Values[0]
			if a := snapshot.Eval(sw.Key, &switches.Subject{ID: id}); a.On {
				return "User " + clip(id, 60) + " would: " + a.Condition + " names them."
			}
		}
	}
	return ""
}

// triedSubject is whom the box asks for.
func triedSubject(t views.SwitchTry) (switches.Subject, error) {
	sub := switches.Subject{ID: t.User, Anonymous: t.Anonymous, Forum: t.Forum, Role: t.Role, Country: t.Country, Host: hostOf(t.Address)}
	if t.IP != "" {
		ip, err := netip.ParseAddr(t.IP)
		if err != nil {
			return sub, errs.New(errs.Unprocessable, "%q is no IP address.", clip(t.IP, 60))
		}
		sub.IP = ip
	}
	for _, line := range strings.Split(t.More, "\n") {
		line = strings.TrimSpace(line)
		name, value, ok := strings.Cut(line, "=")
		if name = strings.TrimSpace(name); line == "" {
			continue
		}
		if !ok || name == "" {
			return sub, errs.New(errs.Unprocessable, "Write an attribute as name=value: %q.", clip(line, 60))
		}
		sub.Set(name, valueOf(strings.TrimSpace(value)))
	}
	return sub, nil
}

// valueOf is a number or a boolean where the text is one, as a program would send it.
func valueOf(text string) any {
	var v any
	if json.Unmarshal([]byte(text), &v) == nil {
		switch v.(type) {
		case bool, float64:
			return v
		}
	}
	return text
}

// hostOf is the host of an address, which may be one alone.
func hostOf(address string) string {
	if !strings.Contains(address, "://") {
		host, _, _ := strings.Cut(address, "/")
		return host
	}
	u, err := url.Parse(address)
	if err != nil {
		return address
	}
	return u.Hostname()
}

// getNewSwitch is the form of a switch that is not there yet: GET /switches/new.
func (s *Server) getNewSwitch(c *fiber.Ctx) error {
	scope, err := s.switchScope(c, strings.Clone(c.Query("env")))
	if err != nil {
		return err
	}
	if !scope.MayFlip {
		return errs.New(errs.Forbidden, "Owners and admins make switches.")
	}
	fresh := switches.Switch{Key: clip(c.Query("key"), 200), State: switches.Off, Owner: s.by(c).Name, RemoveBy: time.Now().AddDate(0, 3, 0).Format(time.DateOnly)}
	if project := c.Query("project"); project != "" {
		fresh.Project = clip(project, 100)
	}
	return s.newSwitchPage(c, fiber.StatusOK, scope, views.FormOf(fresh), nil, false)
}

func (s *Server) newSwitchPage(c *fiber.Ctx, status int, scope views.SwitchScope, form views.SwitchForm, problems []string, dirty bool) error {
	chrome, err := s.chrome(c, "New switch", "switches")
	if err != nil {
		return err
	}
	p := views.SwitchPageProps{SwitchScope: scope, New: true, Form: form, Problems: problems, Dirty: dirty}
	s.fillChoices(&p)
	return s.render(c, status, views.SwitchNewPage(chrome, p))
}

// postNewSwitch makes a switch, or shows its form again with what a button did: POST /switches/new.
func (s *Server) postNewSwitch(c *fiber.Ctx) error {
	sent, scope, err := s.switchForm(c, false)
	if err != nil {
		return err
	}
	form := views.ReadSwitchForm(sent)
	if do := sent.Get("do"); do != "" && do != "save" {
		form.Do(do)
		return s.newSwitchPage(c, fiber.StatusOK, scope, form, nil, true)
	}
	sw, ok := form.Switch(switches.Switch{})
	problems := s.checkSwitch(scope.Env, sw)
	if _, taken := s.board.Entry(scope.Env, sw.Key); taken {
		problems = append(problems, "There is a switch "+clip(sw.Key, 100)+" in "+scope.Env+" already.")
	}
	if slices.Contains(views.ReservedKeys(), sw.Key) {
		problems = append(problems, sw.Key+" is the name of a page. Choose another key.")
	}
	if !ok || len(problems) > 0 {
		return s.newSwitchPage(c, fiber.StatusUnprocessableEntity, scope, form, problems, true)
	}
	if sent.Get("confirm") == "" {
		if asked, err := s.askWider(c, scope, []step{{was: switches.Switch{Key: sw.Key, State: switches.Off}, is: sw}}, "/switches/new", "/switches"); asked || err != nil {
			return err
		}
	}
	p, err := s.board.Save(c.UserContext(), rollout.Edit{Env: scope.Env, Switch: sw, By: s.by(c), Why: clip(form.Why, maxWhy)})
	if kind := errs.Of(err); err != nil && (kind == errs.Unprocessable || kind == errs.Conflict) {
		return s.newSwitchPage(c, fiber.StatusUnprocessableEntity, scope, form, []string{errs.Message(err)}, true)
	}
	if err != nil {
		return err
	}
	s.setToast(c, toast{Text: clip(sw.Key, 80) + " is made, " + stateWords(sw) + ". " + spread(p)})
	return c.Redirect(views.SwitchPath(sw.Key, "", envOf(scope)), fiber.StatusSeeOther)
}

// envOf is the environment as an address names it: not, when it is the first.
func envOf(scope views.SwitchScope) string {
	if scope.Env == scope.Environments[0] {
		return ""
	}
	return scope.Env
}

// checkSwitch is what is wrong with a switch among the others of its environment.
func (s *Server) checkSwitch(env string, sw switches.Switch) (out []string) {
	for _, p := range switches.CheckIn(s.board.Config(env), sw) {
		if !p.Warning {
			out = append(out, problemTexts([]switches.Problem{p})...)
		}
	}
	return out
}

// guardLevel reads a level of evidence; 0 for the usual one.
func guardLevel(text string, usual float64) (float64, error) {
	text = strings.ReplaceAll(strings.TrimSpace(text), ",", "")
	if text == "" {
		return 0, nil
	}
	var v float64
	if err := json.Unmarshal([]byte(text), &v); err != nil || !(v > 1 && v <= 1e9) {
		return 0, errs.New(errs.Unprocessable, "A level of the guard is a number above 1: how many times likelier the failures are if the switch does harm.")
	}
	if math.Abs(v-usual) < 1e-9 {
		return 0, nil
	}
	return v, nil
}
