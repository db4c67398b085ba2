package web

import (
	"context"
	"strconv"
	"time"

	"github.com/gofiber/fiber/v2"

	"kibitz/app/errs"
	"kibitz/app/model"
	"kibitz/app/switches"
	"kibitz/views"
)

var errNoRehearsal = errs.New(errs.NotFound, "There is no such rehearsal.")

// startRehearsal tries a draft on the past: POST /projects/:slug/grouping with do=rehearse.
func (s *Server) startRehearsal(c *fiber.Ctx, props views.GroupingProps) error {
	project, err := s.projects.Find(c.UserContext(), c.Params("slug"))
	if err != nil {
		return err
	}
	current, err := s.groupings.Current(c.UserContext(), project.ID)
	if err != nil {
		return err
	}
	if current.Version != props.Draft.Version { // else applying it would undo what they wrote
		return s.conflictPage(c, project, props)
	}
	if err := s.needFeature(c, switches.OwnRehearsals); err != nil {
		return err
	}
	since := time.Now().Add(-views.WindowOf(props.Window).Length)
	r, err := s.rehearsals.Start(c.UserContext(), project.ID, s.session(c).Account.ID, props.Draft, since)
	switch errs.Of(err) {
	case errs.Unprocessable, errs.Conflict, errs.Limited:
		props.Error = errs.Message(err)
		return s.reviseGrouping(c, errs.Status(err), props)
	}
	if err != nil {
		return err
	}
	return c.Redirect(rehearsalPath(project, r), fiber.StatusSeeOther)
}

func rehearsalPath(project model.Project, r model.Rehearsal) string {
	return "/projects/" + project.Slug + "/rehearsals/" + strconv.FormatInt(r.ID, 10)
}

// findRehearsal is the rehearsal that an address names, of the project that it names.
func (s *Server) findRehearsal(c *fiber.Ctx) (model.Rehearsal, model.Project, error) {
	project, err := s.projects.Find(c.UserContext(), c.Params("slug"))
	if err != nil {
		return model.Rehearsal{}, project, err
	}
	id, err := strconv.ParseInt(c.Params("id"), 10, 64)
	if err != nil {
		return model.Rehearsal{}, project, errNoRehearsal
	}
	r, err := s.rehearsals.Get(c.UserContext(), id)
	if err == nil && r.ProjectID != project.ID {
		err = errNoRehearsal
	}
	return r, project, err
}

// getRehearsal is one rehearsal, with what became of it: GET /projects/:slug/rehearsals/:id.
func (s *Server) getRehearsal(c *fiber.Ctx) error {
	r, project, err := s.findRehearsal(c)
	if err != nil {
		return err
	}
	return s.rehearsalPage(c, fiber.StatusOK, r, project, "")
}

func (s *Server) rehearsalPage(c *fiber.Ctx, status int, r model.Rehearsal, project model.Project, message string) error {
	chrome, err := s.chrome(c, "Rehearsal", "projects")
	if err != nil {
		return err
	}
	ctx := c.UserContext()
	chrome.Project, chrome.Path = &project, rehearsalPath(project, r)
	props := views.RehearsalProps{Project: project, Rehearsal: r, Error: message, Who: s.accounts.Names(ctx, []int64{r.AccountID})[r.AccountID]}
	if props.Current, err = s.groupings.Current(ctx, project.ID); err != nil {
		return err
	}
	props.Stale = props.Current.Version != r.Version
	if props.Refile, err = s.application(ctx, project, r); err != nil {
		return err
	}
	return s.render(c, status, views.RehearsalPage(chrome, props))
}

// application is the refiling that applied a rehearsal; nil when none did.
func (s *Server) application(ctx context.Context, project model.Project, r model.Rehearsal) (*views.RefileRow, error) {
	if r.RefileID == 0 {
		return nil, nil
	}
	refile, err := s.refiles.Get(ctx, r.RefileID)
	if err != nil {
		return nil, err
	}
	rows, err := s.refileRows(ctx, project, []model.Refile{refile})
	if err != nil {
		return nil, err
	}
	return &rows[0], nil
}

// postCancel ends a rehearsal early: POST /projects/:slug/rehearsals/:id/cancel.
func (s *Server) postCancel(c *fiber.Ctx) error {
	r, project, err := s.findRehearsal(c)
	if err != nil {
		return err
	}
	// One that has ended meanwhile needs no cancelling: its page says how it ended.
	if err := s.rehearsals.Cancel(c.UserContext(), r.ID); err != nil && errs.Of(err) != errs.Conflict {
		return err
	}
	return c.Redirect(rehearsalPath(project, r), fiber.StatusSeeOther)
}

// postApply puts a rehearsal into force, for the past and from now on: POST /projects/:slug/rehearsals/:id/apply.
func (s *Server) postApply(c *fiber.Ctx) error {
	r, project, err := s.findRehearsal(c)
	if err != nil {
		return err
	}
	refile, err := s.rehearsals.Apply(c.UserContext(), r.ID, s.session(c).Account.ID)
	switch errs.Of(err) {
	case errs.Conflict, errs.Unprocessable, errs.Limited:
		a := answerOf(err)
		return s.rehearsalPage(c, a.status, r, project, a.message)
	}
	if err != nil {
		return err
	}
	s.setToast(c, refileToast(refile, "Applied. Events of the past move in the background.", rehearsalPath(project, r)))
	return c.Redirect(rehearsalPath(project, r), fiber.StatusSeeOther)
}
