package web

import (
	"context"
	"strconv"
	"strings"
	"time"

	"github.com/gofiber/fiber/v2"

	"kibitz/app/errs"
	"kibitz/app/model"
	"kibitz/app/rollout"
	"kibitz/app/switches"
	"kibitz/views"
)

// switchesShown is how many rows a page of the table has.
const switchesShown = 50

// getSwitches is the table of switches: GET /switches.
func (s *Server) getSwitches(c *fiber.Ctx) error {
	chrome, err := s.chrome(c, "Switches", "switches")
	if err != nil {
		return err
	}
	if _, err := chooseProject(&chrome, c.Query("project")); err != nil {
		return err
	}
	props := views.SwitchesProps{Tab: strings.Clone(c.Query("tab")), Query: clip(strings.TrimSpace(c.Query("q")), 200)}
	if props.SwitchScope, err = s.switchScope(c, strings.Clone(c.Query("env"))); err != nil {
		return err
	}
	stale, err := s.staleKeys(c.UserContext(), props.Env, chrome.Now, &props.Unknown)
	if err != nil {
		return err
	}
	all := s.board.List(props.Env)
	chosen := chooseSwitches(all, chrome.Project, stale, &props)
	from, err := switchPageOf(c, len(chosen), &props)
	if err != nil {
		return err
	}
	shown := chosen[from:min(from+switchesShown, len(chosen))]
	if props.Rows, err = s.switchLines(c.UserContext(), shown, props.Env, chrome.Now, &props.Unknown); err != nil {
		return err
	}
	for i := range props.Rows {
		props.Rows[i].Stale = stale[props.Rows[i].Switch.Key]
	}
	props.Alarms, props.Processes = s.alarms(all, chrome.Now), views.ProcessesWords(s.processes())
	if props.Unknown {
		chrome.Now = time.Now()
	}
	return s.render(c, fiber.StatusOK, views.SwitchesPage(chrome, props))
}

// staleKeys are the switches that may go, and why.
func (s *Server) staleKeys(ctx context.Context, env string, now time.Time, unknown *bool) (map[string][]string, error) {
	list, err := s.impact.Stale(ctx, env, now)
	if err := readable(err, unknown); err != nil {
		return nil, err
	}
	out := map[string][]string{}
	for _, x := range list {
		out[x.Key] = x.Text
	}
	return out, nil
}

// chooseSwitches counts the tabs and takes the switches of the chosen one that the search finds.
func chooseSwitches(all []rollout.Entry, project *model.Project, stale map[string][]string, p *views.SwitchesProps) (out []rollout.Entry) {
	p.Counts = map[string]int{}
	for _, e := range all {
		if project != nil && e.Project != "" && e.Project != project.Slug || !views.MatchesSwitch(e.Switch, p.Query) {
			continue
		}
		for _, tab := range []string{"", "partial", "on", "off", "stale"} {
			in := views.InTab(e.Switch, tab)
			if tab == "stale" {
				in = len(stale[e.Key]) > 0
			}
			if !in {
				continue
			}
			if p.Counts[tab]++; tab == p.Tab {
				out = append(out, e)
			}
		}
	}
	return out
}

// switchPageOf is where the page of the address begins.
func switchPageOf(c *fiber.Ctx, total int, p *views.SwitchesProps) (from int, err error) {
	page := 1
	if text := c.Query("page"); text != "" {
		if page, err = strconv.Atoi(text); err != nil || page < 1 {
			return 0, errs.New(errs.Invalid, "A page is a number from 1.")
		}
	}
	last := max((total+switchesShown-1)/switchesShown, 1)
	page = min(page, last)
	from = (page - 1) * switchesShown
	p.From, p.Total, p.Prev = from, total, page-1
	if page < last {
		p.Next = page + 1
	}
	return from, nil
}

// step is one flip that the table was asked for.
type step struct {
	was, is switches.Switch
	flip    rollout.Flip
	kill    *bool
}

// postSwitches flips what the table's form says: one switch by a button, or all shares that were moved: POST /switches.
func (s *Server) postSwitches(c *fiber.Ctx) error {
	form, err := s.form(c)
	if err != nil {
		return err
	}
	form, scope, err := s.switchForm(c, form.Get("kill") != "")
	if err != nil {
		return err
	}
	steps, err := s.stepsOf(form, scope.Env)
	if err != nil {
		return s.refusedPart(c, err, s.backToList(c))
	}
	return s.flipAll(c, scope, steps, "/switches", s.backToList(c))
}

func (s *Server) backToList(c *fiber.Ctx) string {
	form, err := s.form(c)
	if err != nil {
		return "/switches"
	}
	return localPath(form.Get("return"), "/switches")
}

// stepsOf reads what the table's form asks for. Rows whose share was not touched are left alone, whatever happened to them since.
func (s *Server) stepsOf(form map[string][]string, env string) ([]step, error) {
	get := func(key string) string {
		if v := form[key]; len(v) > 0 {
			return v[0]
		}
		return ""
	}
	for _, do := range []string{"kill", "release", "on"} {
		if key := get(do); key != "" {
			st, err := s.stepOf(env, key, do)
			return []step{st}, err
		}
	}
	var out []step
	for field := range form {
		key, ok := strings.CutPrefix(field, "was-")
		if now := get("p-" + key); !ok || now == "" || now == get(field) {
			continue
		}
		percent, ok := views.Percent(get("p-" + key))
		if !ok {
			return nil, errs.New(errs.Unprocessable, "%s: a share is a number from 0 to 100.", clip(key, 80))
		}
		st, err := s.shareStep(env, key, percent)
		if err != nil {
			return nil, err
		}
		out = append(out, st)
	}
	return out, nil
}

func (s *Server) stepOf(env, key, do string) (step, error) {
	e, err := s.entryOf(env, key)
	st := step{was: e.Switch, is: e.Switch}
	switch do {
	case "kill", "release":
		killed := do == "kill"
		st.kill, st.is.Killed = &killed, killed
	case "on":
		on := switches.On
		st.flip.State, st.is.State = &on, on
	case "off":
		off := switches.Off
		st.flip.State, st.is.State = &off, off
	}
	return st, err
}

// shareStep moves the share of everyone. All of it without a set before is on, and none of it without one is off; what stands
// between is partly on.
func (s *Server) shareStep(env, key string, percent float64) (step, error) {
	e, err := s.entryOf(env, key)
	state := switches.Partial
	switch {
	case percent == 100 && len(e.Sets) == 0 && len(e.Everyone.Split) == 0:
		state = switches.On
	case percent == 0 && len(e.Sets) == 0:
		state = switches.Off
	}
	st := step{was: e.Switch, is: e.Switch, flip: rollout.Flip{State: &state, Percent: &percent}}
	st.is.State, st.is.Everyone.Percent = state, percent
	return st, err
}

// flipAll takes steps, after it has asked when one of them widens.
func (s *Server) flipAll(c *fiber.Ctx, scope views.SwitchScope, steps []step, action, back string) error {
	form, err := s.form(c)
	if err != nil {
		return err
	}
	if form.Get("confirm") == "" {
		if asked, err := s.askWider(c, scope, steps, action, back); asked || err != nil {
			return err
		}
	}
	t := toast{Text: "Nothing was moved."}
	for _, st := range steps {
		p, err := s.take(c, scope.Env, st, form.Get("why"))
		if err != nil {
			return s.refusedPart(c, err, back)
		}
		is := st.is
		if p.Entry.Key != "" {
			is = p.Entry.Switch
		}
		t = flipToast(st.was, is, scope.Env, p)
	}
	if len(steps) > 1 {
		t.Text = plural(len(steps), "switch", "switches") + " moved. The history has each, with its undo. " + t.Text
	}
	return s.flipped(c, scope, steps, t, back)
}

func (s *Server) take(c *fiber.Ctx, env string, st step, why string) (rollout.Published, error) {
	if st.kill != nil {
		return s.board.Kill(c.UserContext(), env, st.was.Key, *st.kill, s.by(c), clip(why, maxWhy))
	}
	return s.board.Flip(c.UserContext(), env, st.was.Key, st.flip, s.by(c), clip(why, maxWhy))
}

// maxWhy bounds the reason of a change in bytes.
const maxWhy = 500

// isPart tells that a script asked, which puts the answer into the page it has.
func isPart(c *fiber.Ctx) bool { return c.Get("X-Part") != "" }

// flipped answers a flip: a script with the fresh rows, everybody else with the page they came from.
func (s *Server) flipped(c *fiber.Ctx, scope views.SwitchScope, steps []step, t toast, back string) error {
	if !isPart(c) {
		s.setToast(c, t)
		return c.Redirect(back, fiber.StatusSeeOther)
	}
	var entries []rollout.Entry
	for _, st := range steps {
		if e, ok := s.board.Entry(scope.Env, st.was.Key); ok {
			entries = append(entries, e)
		}
	}
	now, unknown := time.Now(), false
	lines, err := s.switchLines(c.UserContext(), entries, scope.Env, now, &unknown)
	if err != nil {
		return err
	}
	session := s.session(c)
	chrome := views.Chrome{Account: session.Account, CSRF: session.CSRF, Path: back, Now: now, Toast: shownToast(t)}
	if len(chrome.Toast.UndoFields) > 0 {
		chrome.Toast.UndoFields = append(chrome.Toast.UndoFields, pairOf("return", back))
	}
	return s.render(c, fiber.StatusOK, views.SwitchFlipped(chrome, scope, lines))
}

// refusedPart is refused for scripts, too: they get the reason as a toast.
func (s *Server) refusedPart(c *fiber.Ctx, err error, back string) error {
	if !isPart(c) {
		return s.refused(c, err, back)
	}
	switch errs.Of(err) {
	case errs.Unprocessable, errs.Conflict, errs.NotFound, errs.TooLarge, errs.Limited:
		scope, _ := s.switchScope(c, "")
		session := s.session(c)
		return s.render(c, fiber.StatusOK, views.SwitchFlipped(views.Chrome{CSRF: session.CSRF, Toast: shownToast(toast{Text: clip(errs.Message(err), maxToast), Bad: true})}, scope, nil))
	}
	return err
}

// askWider answers with the question before a change that widens, and tells whether it did.
func (s *Server) askWider(c *fiber.Ctx, scope views.SwitchScope, steps []step, action, back string) (asked bool, err error) {
	form, err := s.form(c)
	if err != nil {
		return false, err
	}
	props := views.SwitchConfirmProps{SwitchScope: scope, Action: action, Back: back, Verb: "Widen", Fields: views.FieldsOf(form, "csrf", "confirm")}
	for _, st := range steps {
		if !widens(st.was, st.is) {
			continue
		}
		people, err := s.impact.People(c.UserContext(), scope.Env, st.is.Key, lastDay)
		props.Wider = append(props.Wider, wider(st.was, st.is, people, err))
		if props.Verb = "Widen"; st.kill != nil {
			props.Verb = "Release"
		} else if st.is.State == switches.On {
			props.Verb = "Turn on for all"
		}
	}
	if len(props.Wider) == 0 {
		return false, nil
	}
	if isPart(c) {
		session := s.session(c)
		return true, s.render(c, fiber.StatusAccepted, views.SwitchConfirm(views.Chrome{CSRF: session.CSRF}, props))
	}
	chrome, err := s.chrome(c, props.Verb, "switches")
	if err != nil {
		return true, err
	}
	return true, s.render(c, fiber.StatusOK, views.SwitchConfirmPage(chrome, props))
}
