package web

import (
	"context"
	"time"

	"github.com/gofiber/fiber/v2"

	"kibitz/app/errs"
	"kibitz/app/issues"
	"kibitz/app/model"
	"kibitz/views"
)

var (
	errNoIssue   = errs.New(errs.NotFound, "There is no such issue.")
	errNoProject = errs.New(errs.NotFound, "There is no such project.")
)

// getProjects lists the projects: GET /projects.
func (s *Server) getProjects(c *fiber.Ctx) error {
	chrome, err := s.chrome(c, "Projects", "projects")
	if err != nil {
		return err
	}
	from, _ := day(chrome.Now)
	activity, err := s.projects.Activity(c.UserContext(), from)
	if err != nil {
		return err
	}
	keys := s.projects.ActiveKeys()
	var props views.ProjectsProps
	for _, p := range chrome.Projects {
		row := views.ProjectRow{Project: p, Events: activity[p.ID].Events, Last: activity[p.ID].Last}
		if k, ok := keys[p.ID]; ok {
			row.DSN = s.dsn(k)
		}
		props.Projects = append(props.Projects, row)
	}
	return s.render(c, fiber.StatusOK, views.ProjectsPage(chrome, props))
}

func (s *Server) dsn(k model.ProjectKey) string {
	dsn, err := issues.DSN(s.base, k)
	if err != nil {
		s.log.Error("cannot make a DSN", "err", err)
	}
	return dsn
}

// getNewProject is the first step of the welcome page: GET /projects/new.
func (s *Server) getNewProject(c *fiber.Ctx) error {
	chrome, err := s.chrome(c, "New project", "projects")
	if err != nil {
		return err
	}
	return s.render(c, fiber.StatusOK, views.WelcomeNewPage(chrome, views.WelcomeNewProps{}))
}

// postProjects makes a project: POST /projects.
func (s *Server) postProjects(c *fiber.Ctx) error {
	form, err := s.form(c)
	if err != nil {
		return err
	}
	name, slug, platform := form.Get("name"), form.Get("slug"), form.Get("platform")
	project, _, err := s.projects.Add(c.UserContext(), name, slug, platform)
	if kind := errs.Of(err); kind == errs.Unprocessable || kind == errs.Conflict {
		chrome, cerr := s.chrome(c, "New project", "projects")
		if cerr != nil {
			return cerr
		}
		return s.render(c, fiber.StatusUnprocessableEntity, views.WelcomeNewPage(chrome,
			views.WelcomeNewProps{Name: name, Slug: slug, Platform: platform, Error: errs.Message(err)}))
	}
	if err != nil {
		return err
	}
	return c.Redirect("/projects/"+project.Slug+"/welcome", fiber.StatusSeeOther)
}

// getWelcome shows how to connect a project, and turns into its first issue when there is one: GET /projects/:slug/welcome.
func (s *Server) getWelcome(c *fiber.Ctx) error {
	chrome, err := s.chrome(c, "Connect", "projects")
	if err != nil {
		return err
	}
	if _, err := chooseProject(&chrome, c.Params("slug")); err != nil {
		return err
	}
	p := *chrome.Project
	chrome.Title = "Connect " + p.Name
	props := views.WelcomeProps{Project: p, BaseURL: s.base, Platform: p.Platform, Waiting: p.FirstEventAt.IsZero(), Since: p.CreatedAt}
	if lang := c.Query("lang"); lang != "" {
		props.Platform = lang
	}
	key, err := s.projects.ActiveKey(c.UserContext(), p.ID)
	if err != nil && errs.Of(err) != errs.NotFound {
		return err
	}
	props.DSN, props.PublicKey = s.dsn(key), key.Public
	if !props.Waiting {
		if props.IssueURL, err = s.newestIssue(c.UserContext(), p); err != nil {
			return err
		}
		// Without a script the reload of the page is what moves on.
		if c.Query("waiting") != "" && props.IssueURL != "" {
			return c.Redirect(props.IssueURL, fiber.StatusSeeOther)
		}
	}
	if props.Checks, err = s.checks(c.UserContext(), p, key.Active); err != nil {
		return err
	}
	return s.render(c, fiber.StatusOK, views.WelcomePage(chrome, props))
}

// checks answer "Nothing arrives?" with what this side can see.
func (s *Server) checks(ctx context.Context, p model.Project, keyActive bool) ([]views.Check, error) {
	outcomes, err := s.projects.Outcomes(ctx, p.ID, time.Now().Add(-24*time.Hour))
	if err != nil {
		return nil, err
	}
	checks := []views.Check{{State: "ok", Text: "The address answers"}, {State: "bad", Text: "Every key is switched off"}}
	if keyActive {
		checks[1] = views.Check{State: "ok", Text: "The key is active"}
	}
	if len(outcomes) == 0 {
		return append(checks, views.Check{State: "idle", Text: "No request with this key yet"}), nil
	}
	for _, o := range outcomes {
		state, text := "ok", count(int(o.N), o.Category)+" "+o.Outcome
		if o.Outcome != "stored" {
			state = "warn"
			text += ": " + o.Reason
		}
		checks = append(checks, views.Check{State: state, Text: text})
	}
	return checks, nil
}

// newestIssue is the address of the issue that got an event last; "" when there is none.
func (s *Server) newestIssue(ctx context.Context, p model.Project) (string, error) {
	page, err := s.issues.List(ctx, issues.Filter{Projects: []int64{p.ID}, Status: "all", Sort: "last_seen", Limit: 1, Since: time.Now()})
	if err != nil || len(page.Rows) == 0 {
		return "", err
	}
	return "/issues/" + issues.ShortID(p.Slug, page.Rows[0].Issue.Number), nil
}

// postTestEvent sends a test event through the project's own way in: POST /projects/:slug/test-event.
func (s *Server) postTestEvent(c *fiber.Ctx) error {
	p, err := s.projects.Find(c.UserContext(), c.Params("slug"))
	if err != nil {
		return err
	}
	key, err := s.projects.ActiveKey(c.UserContext(), p.ID)
	if err != nil {
		return err
	}
	if err := s.testEvent(c.UserContext(), key, s.session(c).Account); err != nil {
		return err
	}
	return c.Redirect("/projects/"+p.Slug+"/welcome?waiting=1", fiber.StatusSeeOther)
}

// postRotateKey gives a project a new key: POST /projects/:slug/rotate-key.
func (s *Server) postRotateKey(c *fiber.Ctx) error {
	p, err := s.projects.Find(c.UserContext(), c.Params("slug"))
	if err != nil {
		return err
	}
	if err := s.projects.Rotate(c.UserContext(), p.ID); err != nil {
		return err
	}
	s.setToast(c, toast{Text: "New key. The old one no longer sends."})
	return c.Redirect("/projects/"+p.Slug+"/welcome", fiber.StatusSeeOther)
}
