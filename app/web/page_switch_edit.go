package web

import (
	"errors"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/gofiber/fiber/v2"

	"kibitz/app/errs"
	"kibitz/app/rollout"
	"kibitz/app/switches"
	"kibitz/app/switches/peers"
	"kibitz/views"
)

// baseOf is the version that a form was made of.
func baseOf(form url.Values) (peers.Version, error) {
	revision, err := strconv.ParseInt(form.Get("base.revision"), 10, 64)
	if err != nil {
		return peers.Version{}, errs.New(errs.Invalid, "The form does not say which version of the switch it was made of. Reload the page and try again.")
	}
	return peers.Version{Revision: revision, Node: form.Get("base.node")}, nil
}

// postSwitch saves the form of a switch, or shows it again with what a button did: POST /switches/:key.
func (s *Server) postSwitch(c *fiber.Ctx) error {
	sent, scope, err := s.switchForm(c, false)
	if err != nil {
		return err
	}
	form, key := views.ReadSwitchForm(sent), keyOf(c)
	form.Key = key
	e, there := s.board.Entry(scope.Env, key)
	base, err := baseOf(sent)
	if err != nil {
		return err
	}
	began, ok := views.ReadBase(sent.Get("base"))
	if !there {
		return s.conflict(c, scope, sent, form, rollout.Entry{}, began)
	}
	if !ok {
		began = e.Switch
	}
	// The form goes on from what it was made of; Save tells when that is not what is in force.
	shown := e
	shown.Switch, shown.Version = began, base
	shown.Killed = e.Killed
	if do := sent.Get("do"); do != "" && do != "save" {
		form.Do(do)
		return s.switchPage(c, fiber.StatusOK, scope, shown, form, nil, true)
	}
	sw, ok := form.Switch(began)
	if problems := s.checkSwitch(scope.Env, sw); !ok || len(problems) > 0 {
		return s.switchPage(c, fiber.StatusUnprocessableEntity, scope, shown, form, problems, true)
	}
	return s.saveSwitch(c, scope, sent, form, e, began, rollout.Edit{Env: scope.Env, Switch: sw, Base: base, By: s.by(c), Why: clip(form.Why, maxWhy)})
}

// saveSwitch asks when an edit widens, saves it, or shows both edits when somebody was faster.
func (s *Server) saveSwitch(c *fiber.Ctx, scope views.SwitchScope, sent url.Values, form views.SwitchForm, e rollout.Entry, began switches.Switch, edit rollout.Edit) error {
	if edit.Base != e.Version {
		return s.conflict(c, scope, sent, form, e, began)
	}
	page := views.SwitchPath(e.Key, "", envOf(scope))
	if sent.Get("confirm") == "" {
		is := edit.Switch
		is.Killed = e.Killed
		if asked, err := s.askWider(c, scope, []step{{was: e.Switch, is: is}}, views.SwitchPath(e.Key, "", ""), page); asked || err != nil {
			return err
		}
	}
	p, err := s.board.Save(c.UserContext(), edit)
	var overtaken *rollout.Conflict
	switch kind := errs.Of(err); {
	case errors.As(err, &overtaken):
		return s.conflict(c, scope, sent, form, overtaken.Current, began)
	case err != nil && kind == errs.NotFound:
		return s.conflict(c, scope, sent, form, rollout.Entry{}, began)
	case err != nil && kind == errs.Unprocessable:
		return s.switchPage(c, fiber.StatusUnprocessableEntity, scope, e, form, []string{errs.Message(err)}, true)
	case err != nil:
		return err
	}
	t := flipToast(e.Switch, p.Entry.Switch, scope.Env, p)
	if views.StateText(&e.Switch) == views.StateText(&p.Entry.Switch) && p.ChangeID != 0 {
		t.Text = clip(e.Key, 80) + " is saved. " + spread(p)
	}
	s.setToast(c, t)
	return c.Redirect(page, fiber.StatusSeeOther)
}

// conflict shows what somebody changed while this form was filled in, and what the form would change on top of that.
func (s *Server) conflict(c *fiber.Ctx, scope views.SwitchScope, sent url.Values, form views.SwitchForm, theirs rollout.Entry, began switches.Switch) error {
	chrome, err := s.chrome(c, "Two edits", "switches")
	if err != nil {
		return err
	}
	p := views.SwitchConflictProps{SwitchScope: scope, Key: form.Key, By: theirs.By, Kind: theirs.ByKind, Why: theirs.Why, At: theirs.At, Gone: theirs.Key == "", Revision: theirs.Version.Revision,
		Node: theirs.Version.Node, Base: theirs.Switch}
	mine, ok := form.Switch(began)
	if p.Gone || !ok {
		p.Gone = true
		p.By, p.Kind = s.remover(c, scope.Env, form.Key)
		return s.render(c, fiber.StatusConflict, views.SwitchConflictPage(chrome, p))
	}
	was, now := began, theirs.Switch
	was.Killed, now.Killed, mine.Killed = false, false, false
	merged, both := views.MergeSwitch(was, mine, now)
	p.Theirs, p.Yours, p.Both = views.SwitchDiff(&was, &now), views.SwitchDiff(&now, &merged), both
	top := views.FormOf(merged)
	top.Why = form.Why
	p.Fields = top.Fields()
	return s.render(c, fiber.StatusConflict, views.SwitchConflictPage(chrome, p))
}

// remover is who removed a switch, as far as its history can be read.
func (s *Server) remover(c *fiber.Ctx, env, key string) (by, kind string) {
	changes, err := s.board.History(c.UserContext(), env, key, 0, 1)
	if err != nil || len(changes) == 0 {
		return "", ""
	}
	return changes[0].By.Name, changes[0].By.Kind
}

// holdFor is how long a guard waits that somebody held.
const holdFor = 15 * time.Minute

// postSwitchFlip turns a switch on, off, kills or releases it, or holds its guard: POST /switches/:key/flip.
func (s *Server) postSwitchFlip(c *fiber.Ctx) error {
	form, err := s.form(c)
	if err != nil {
		return err
	}
	do := form.Get("do")
	form, scope, err := s.switchForm(c, do == "kill" || do == "off")
	if err != nil {
		return err
	}
	key := keyOf(c)
	back := localPath(form.Get("return"), views.SwitchPath(key, "", envOf(scope)))
	switch do {
	case "hold":
		return s.holdGuard(c, scope, key, back)
	case "kill", "release", "on", "off":
		st, err := s.stepOf(scope.Env, key, do)
		if err != nil {
			return s.refusedPart(c, err, back)
		}
		return s.flipAll(c, scope, []step{st}, views.SwitchPath(key, "flip", ""), back)
	case "share":
		percent, ok := views.Percent(form.Get("percent"))
		if !ok {
			return s.refusedPart(c, errs.New(errs.Unprocessable, "A share is a number from 0 to 100."), back)
		}
		st, err := s.shareStep(scope.Env, key, percent)
		if err != nil {
			return s.refusedPart(c, err, back)
		}
		return s.flipAll(c, scope, []step{st}, views.SwitchPath(key, "flip", ""), back)
	}
	return errs.New(errs.Invalid, "There is no such action.")
}

// holdGuard lets the guard wait for a quarter of an hour.
func (s *Server) holdGuard(c *fiber.Ctx, scope views.SwitchScope, key, back string) error {
	e, err := s.entryOf(scope.Env, key)
	if err != nil {
		return s.refused(c, err, back)
	}
	g := switches.Guard{}
	if e.Guard != nil {
		g = *e.Guard
	}
	g.PausedUntil = time.Now().UTC().Add(holdFor).Truncate(time.Second)
	return s.saveGuard(c, scope, e, g, "hold the guard for 15 min", back, clip(key, 80)+": the guard waits until "+g.PausedUntil.Format("15:04")+" UTC.")
}

func (s *Server) saveGuard(c *fiber.Ctx, scope views.SwitchScope, e rollout.Entry, g switches.Guard, why, back, text string) error {
	sw := e.Switch
	sw.Guard = &g
	p, err := s.board.Save(c.UserContext(), rollout.Edit{Env: scope.Env, Switch: sw, Base: e.Version, By: s.by(c), Why: why})
	if err != nil {
		return s.refused(c, err, back)
	}
	t := toast{Text: text + " " + spread(p)}
	if p.ChangeID != 0 {
		t.Kind, t.Undo = "switch", values("id", strconv.FormatInt(p.ChangeID, 10), "env", scope.Env)
	}
	s.setToast(c, t)
	return c.Redirect(back, fiber.StatusSeeOther)
}

// postSwitchGuard saves how a switch is guarded: POST /switches/:key/guard.
func (s *Server) postSwitchGuard(c *fiber.Ctx) error {
	form, scope, err := s.switchForm(c, false)
	if err != nil {
		return err
	}
	key := keyOf(c)
	back := localPath(form.Get("return"), views.SwitchPath(key, "", envOf(scope)))
	e, err := s.entryOf(scope.Env, key)
	if err != nil {
		return s.refused(c, err, back)
	}
	g := switches.Guard{Mode: switches.GuardMode(form.Get("mode")), Latency: form.Get("latency") != "", Queries: form.Get("queries") != ""}
	if e.Guard != nil {
		g.PausedUntil = e.Guard.PausedUntil
	}
	if g.Hold, err = guardLevel(form.Get("hold"), 20); err == nil {
		g.Kill, err = guardLevel(form.Get("kill"), 1000)
	}
	if err != nil {
		return s.refused(c, err, back)
	}
	return s.saveGuard(c, scope, e, g, "", back, clip(key, 80)+": its guard is saved.")
}

// postSwitchCopy copies a switch to another environment: POST /switches/:key/copy. What is there is overwritten, so it asks when
// that widens there.
func (s *Server) postSwitchCopy(c *fiber.Ctx) error {
	form, scope, err := s.switchForm(c, false)
	if err != nil {
		return err
	}
	key := keyOf(c)
	back := localPath(form.Get("return"), views.SwitchPath(key, "", envOf(scope)))
	there, err := s.switchScope(c, form.Get("to"))
	if err != nil {
		return s.refused(c, err, back)
	}
	e, err := s.entryOf(scope.Env, key)
	if err != nil {
		return s.refused(c, err, back)
	}
	if form.Get("confirm") == "" {
		was, is := switches.Switch{Key: key, State: switches.Off}, e.Switch
		if old, ok := s.board.Entry(there.Env, key); ok {
			was = old.Switch
			is.Killed = old.Killed
		}
		if asked, err := s.askWider(c, there, []step{{was: was, is: is}}, views.SwitchPath(key, "copy", ""), back); asked || err != nil {
			return err
		}
	}
	p, err := s.board.Copy(c.UserContext(), scope.Env, there.Env, []string{key}, s.by(c), clip(form.Get("why"), maxWhy))
	if err != nil {
		return s.refused(c, err, back)
	}
	t := toast{Text: clip(key, 80) + " is copied to " + there.Env + ". " + spread(p)}
	if p.ChangeID != 0 {
		t.Kind, t.Undo = "switch", values("id", strconv.FormatInt(p.ChangeID, 10), "env", there.Env)
	}
	s.setToast(c, t)
	return c.Redirect(views.SwitchPath(key, "", envOf(there)), fiber.StatusSeeOther)
}

// postSwitchDelete removes a switch: POST /switches/:key/delete.
func (s *Server) postSwitchDelete(c *fiber.Ctx) error {
	form, scope, err := s.switchForm(c, false)
	if err != nil {
		return err
	}
	key, list := keyOf(c), "/switches"
	if env := envOf(scope); env != "" {
		list += "?env=" + url.QueryEscape(env)
	}
	p, err := s.board.Delete(c.UserContext(), scope.Env, key, peers.Version{}, s.by(c), clip(form.Get("why"), maxWhy))
	if err != nil {
		return s.refused(c, err, list)
	}
	t := toast{Text: clip(key, 80) + " is removed from " + scope.Env + ". " + spread(p)}
	if p.ChangeID != 0 {
		t.Kind, t.Undo = "switch", values("id", strconv.FormatInt(p.ChangeID, 10), "env", scope.Env)
	}
	s.setToast(c, t)
	return c.Redirect(list, fiber.StatusSeeOther)
}

// postSwitchUndo takes a change back: POST /switches/changes/:id/undo. Whoever turned something off may, others need the right to
// turn on.
func (s *Server) postSwitchUndo(c *fiber.Ctx) error {
	form, scope, err := s.switchForm(c, true)
	if err != nil {
		return err
	}
	back := localPath(form.Get("return"), "/switches")
	id, err := strconv.ParseInt(c.Params("id"), 10, 64)
	if err != nil {
		return errs.New(errs.NotFound, "There is no such change.")
	}
	if !scope.MayFlip {
		if err := s.ownKill(c, scope.Env, id); err != nil {
			return s.refused(c, err, back)
		}
	}
	p, err := s.board.Undo(c.UserContext(), id, s.by(c))
	if err != nil {
		return s.refused(c, err, back)
	}
	text := "Undone. "
	if p.Entry.Key != "" {
		text += clip(p.Entry.Key, 80) + " is " + stateWords(p.Entry.Switch) + " again. "
	}
	s.setToast(c, toast{Text: clip(text+spread(p), maxToast)})
	if strings.HasPrefix(back, "/switches/") && p.Entry.Key == "" {
		back = "/switches"
	}
	return c.Redirect(back, fiber.StatusSeeOther)
}

// ownKill lets pass who undoes a kill of their own.
func (s *Server) ownKill(c *fiber.Ctx, env string, id int64) error {
	changes, err := s.board.History(c.UserContext(), env, "", id+1, 1)
	if err != nil {
		return err
	}
	if len(changes) == 1 && changes[0].ID == id && changes[0].Action == "kill" && changes[0].By.AccountID == s.session(c).Account.ID {
		return nil
	}
	return errs.New(errs.Forbidden, "Owners and admins undo what others did.")
}
