package web

import (
	"context"
	"strconv"
	"strings"

	"github.com/gofiber/fiber/v2"

	"kibitz/app/errs"
	"kibitz/app/model"
	"kibitz/grouping"
	"kibitz/views"
)

// shownVersions and shownRehearsals bound the lists of the page; a version may have 256 KiB of rules.
const (
	shownVersions   = 20
	shownRehearsals = 10
)

// getGrouping is how a project groups, with the editor of its rules: GET /projects/:slug/grouping. The editors hold
// what is in force, or what a rehearsal tried.
func (s *Server) getGrouping(c *fiber.Ctx) error {
	project, err := s.projects.Find(c.UserContext(), c.Params("slug"))
	if err != nil {
		return err
	}
	current, err := s.groupings.Current(c.UserContext(), project.ID)
	if err != nil {
		return err
	}
	draft := current
	if id, err := strconv.ParseInt(c.Query("rehearsal"), 10, 64); err == nil {
		r, err := s.rehearsals.Get(c.UserContext(), id)
		if err != nil {
			return err
		}
		if r.ProjectID == project.ID {
			draft.Config, draft.StackRules, draft.FingerprintRules = r.Config, r.StackRules, r.FingerprintRules
		}
	}
	return s.groupingPage(c, fiber.StatusOK, project, current, views.GroupingProps{Draft: draft, Window: c.Query("window")})
}

// groupingPage fills in what stands around the editors.
func (s *Server) groupingPage(c *fiber.Ctx, status int, project model.Project, current model.Grouping, props views.GroupingProps) error {
	chrome, err := s.chrome(c, "Grouping of "+project.Name, "projects")
	if err != nil {
		return err
	}
	chrome.Project, props.Project, props.Current = &project, project, current
	if c.Method() != fiber.MethodGet {
		chrome.Path = "/projects/" + project.Slug + "/grouping"
	}
	if err := s.groupingLists(c.UserContext(), project, &props); err != nil {
		return err
	}
	return s.render(c, status, views.GroupingPage(chrome, props))
}

// groupingLists are the history, rehearsals, discarded hashes and moves of a project, with the people's names.
func (s *Server) groupingLists(ctx context.Context, project model.Project, props *views.GroupingProps) error {
	history, err := s.groupings.History(ctx, project.ID, shownVersions+1)
	if err != nil {
		return err
	}
	rehearsals, err := s.rehearsals.List(ctx, project.ID, shownRehearsals)
	if err != nil {
		return err
	}
	stones, err := s.refiles.Tombstones(ctx, project.ID)
	if err != nil {
		return err
	}
	refiles, err := s.refiles.List(ctx, project.ID, shownRefiles)
	if err != nil {
		return err
	}
	if props.Refiles, err = s.refileRows(ctx, project, refiles); err != nil {
		return err
	}
	props.Tombstones = tombstoneRows(stones)
	s.nameVersions(ctx, history, rehearsals, props)
	return nil
}

// tombstoneRows puts the hashes of one discarded issue into one row.
func tombstoneRows(stones []model.Tombstone) (out []views.TombstoneRow) {
	type issue struct {
		refile int64
		title  string
	}
	at := map[issue]int{}
	for _, t := range stones {
		n, known := at[issue{t.RefileID, t.Title}]
		if !known {
			n = len(out)
			at[issue{t.RefileID, t.Title}] = n
			out = append(out, views.TombstoneRow{Title: t.Title, At: t.At})
		}
		out[n].Hashes = append(out[n].Hashes, t.Hash)
	}
	return out
}

// nameVersions puts versions beside the ones before them, and names to them and to rehearsals.
func (s *Server) nameVersions(ctx context.Context, history []model.Grouping, rehearsals []model.Rehearsal, props *views.GroupingProps) {
	var people []int64
	for _, v := range history {
		people = append(people, v.AccountID)
	}
	for _, r := range rehearsals {
		people = append(people, r.AccountID)
	}
	names := s.accounts.Names(ctx, people)
	for n, v := range history[:min(len(history), shownVersions)] {
		row := views.GroupingVersion{Grouping: v, Who: names[v.AccountID]}
		if n+1 < len(history) {
			row.Before = history[n+1]
		}
		props.History = append(props.History, row)
	}
	for _, r := range rehearsals {
		props.Rehearsals = append(props.Rehearsals, views.RehearsalRow{Rehearsal: r, Who: names[r.AccountID], Undone: undone(props.Refiles, r.RefileID)})
	}
	if props.Conflict != nil {
		props.Conflict.Who = names[props.Conflict.Theirs.AccountID]
	}
}

// undone tells whether a refiling among those that the page lists was taken back.
func undone(list []views.RefileRow, id int64) bool {
	for _, r := range list {
		if r.ID == id {
			return r.State == model.JobUndoing || r.State == model.JobUndone
		}
	}
	return false
}

// draftOf is what a form says of configuration and rules.
func (s *Server) draftOf(c *fiber.Ctx) (draft model.Grouping, do, window string, err error) {
	form, err := s.form(c)
	if err != nil {
		return draft, "", "", err
	}
	draft = model.Grouping{Config: form.Get("config"), StackRules: unixLines(form.Get("stack_rules")), FingerprintRules: unixLines(form.Get("fingerprint_rules"))}
	if draft.Version, err = strconv.ParseInt(form.Get("version"), 10, 64); err != nil || draft.Version < 0 {
		return draft, "", "", errs.New(errs.Invalid, "The form does not say which version it was made from.")
	}
	if _, ok := grouping.ParseConfig(draft.Config); !ok {
		return draft, "", "", errs.New(errs.Invalid, "There is no grouping configuration %q.", clip(draft.Config, 40))
	}
	return draft, form.Get("do"), form.Get("window"), nil
}

// unixLines undoes what browsers do to line ends.
func unixLines(text string) string { return strings.ReplaceAll(text, "\r\n", "\n") }

// postCheck finds what is wrong with a draft: POST /projects/:slug/grouping/check. With ?part it answers the list
// alone, which a script puts into the page while one writes.
func (s *Server) postCheck(c *fiber.Ctx) error {
	draft, _, window, err := s.draftOf(c)
	if err != nil {
		return err
	}
	props := views.GroupingProps{Draft: draft, Window: window, Checked: true, Findings: findingsOf(draft)}
	if c.Query("part") != "" {
		return s.render(c, fiber.StatusOK, views.Findings(props))
	}
	return s.reviseGrouping(c, fiber.StatusOK, props)
}

func findingsOf(draft model.Grouping) grouping.RuleErrors {
	_, list := grouping.CheckRules(draft.StackRules, draft.FingerprintRules)
	return list
}

// reviseGrouping shows the page again with the draft in the editors.
func (s *Server) reviseGrouping(c *fiber.Ctx, status int, props views.GroupingProps) error {
	project, err := s.projects.Find(c.UserContext(), c.Params("slug"))
	if err != nil {
		return err
	}
	current, err := s.groupings.Current(c.UserContext(), project.ID)
	if err != nil {
		return err
	}
	return s.groupingPage(c, status, project, current, props)
}

// postGrouping checks, saves or rehearses a draft: POST /projects/:slug/grouping.
func (s *Server) postGrouping(c *fiber.Ctx) error {
	draft, do, window, err := s.draftOf(c)
	if err != nil {
		return err
	}
	props := views.GroupingProps{Draft: draft, Window: window, Checked: true, Findings: findingsOf(draft)}
	switch {
	case do == "check":
		return s.reviseGrouping(c, fiber.StatusOK, props)
	case do != "save" && do != "rehearse":
		return errs.New(errs.Invalid, "Rules can be checked, saved or rehearsed.")
	case len(props.Findings.Errors()) > 0:
		props.Error = "The rules have mistakes and were not used. Your text is as you left it."
		return s.reviseGrouping(c, fiber.StatusUnprocessableEntity, props)
	case do == "rehearse":
		return s.startRehearsal(c, props)
	}
	return s.saveGrouping(c, props)
}

// saveGrouping puts a draft into force for new events. When somebody else saved meanwhile, both texts are shown.
func (s *Server) saveGrouping(c *fiber.Ctx, props views.GroupingProps) error {
	ctx := c.UserContext()
	project, err := s.projects.Find(ctx, c.Params("slug"))
	if err != nil {
		return err
	}
	saved, err := s.groupings.Save(ctx, project.ID, s.session(c).Account.ID, props.Draft.Version, props.Draft)
	switch errs.Of(err) {
	case errs.Conflict:
		return s.conflictPage(c, project, props)
	case errs.Unprocessable:
		props.Error = errs.Message(err)
		return s.reviseGrouping(c, fiber.StatusUnprocessableEntity, props)
	}
	if err != nil {
		return err
	}
	s.setToast(c, groupingToast(project, props.Draft.Version, "Version "+strconv.FormatInt(saved.Version, 10)+" is in force for new events"))
	return c.Redirect("/projects/"+project.Slug+"/grouping", fiber.StatusSeeOther)
}

// groupingToast holds the way back to the version before.
func groupingToast(project model.Project, before int64, text string) toast {
	return toast{Text: text, Kind: "grouping", Undo: values("slug", project.Slug, "version", strconv.FormatInt(before, 10))}
}

// conflictPage keeps the draft, and takes theirs as what the next save is made from.
func (s *Server) conflictPage(c *fiber.Ctx, project model.Project, props views.GroupingProps) error {
	theirs, err := s.groupings.Current(c.UserContext(), project.ID)
	if err != nil {
		return err
	}
	props.Conflict = &views.GroupingConflict{Theirs: theirs}
	props.Draft.Version = theirs.Version
	return s.groupingPage(c, fiber.StatusConflict, project, theirs, props)
}

// postRestore puts an old version into force again: POST /projects/:slug/grouping/restore.
func (s *Server) postRestore(c *fiber.Ctx) error {
	form, err := s.form(c)
	if err != nil {
		return err
	}
	version, err := strconv.ParseInt(form.Get("version"), 10, 64)
	if err != nil || version < 0 {
		return errs.New(errs.Invalid, "A version is a number.")
	}
	project, err := s.projects.Find(c.UserContext(), c.Params("slug"))
	if err != nil {
		return err
	}
	saved, err := s.groupings.Restore(c.UserContext(), project.ID, s.session(c).Account.ID, version)
	if err != nil {
		return err
	}
	s.setToast(c, groupingToast(project, saved.Version-1, "Version "+strconv.FormatInt(version, 10)+" is in force again, as version "+strconv.FormatInt(saved.Version, 10)))
	return c.Redirect("/projects/"+project.Slug+"/grouping", fiber.StatusSeeOther)
}

// postAccept takes events of discarded hashes again: POST /projects/:slug/grouping/accept.
func (s *Server) postAccept(c *fiber.Ctx) error {
	form, err := s.form(c)
	if err != nil {
		return err
	}
	project, err := s.projects.Find(c.UserContext(), c.Params("slug"))
	if err != nil {
		return err
	}
	if err := s.refiles.Accept(c.UserContext(), project.ID, form["hash"]...); err != nil {
		return s.refused(c, err, "/projects/"+project.Slug+"/grouping")
	}
	s.setToast(c, toast{Text: "Accepted again. The next such event makes an issue."})
	return c.Redirect("/projects/"+project.Slug+"/grouping#discarded-h", fiber.StatusSeeOther)
}
