package web

import (
	"cmp"
	"context"
	"regexp"
	"strconv"
	"strings"

	"github.com/gofiber/fiber/v2"

	"kibitz/app/errs"
	"kibitz/app/issues"
	"kibitz/app/model"
	"kibitz/grouping"
	"kibitz/ingest/envelope"
	"kibitz/views"
)

// getCompare lays two events side by side: GET /compare?a=SHOP-12&b=SHOP-12/first. Each is grouped by its project's
// rules of today, or by those of a rehearsal of its project.
func (s *Server) getCompare(c *fiber.Ctx) error {
	chrome, err := s.chrome(c, "Compare", "issues")
	if err != nil {
		return err
	}
	props := views.CompareProps{A: clip(c.Query("a"), maxReference), B: clip(c.Query("b"), maxReference), Project: c.Query("project")}
	status := fiber.StatusOK
	if props.A != "" && props.B != "" {
		if err := s.compare(c, chrome.Projects, &props); err != nil {
			a := answerOf(err)
			if a.status >= fiber.StatusInternalServerError {
				return err
			}
			status, props.Error = a.status, a.message
		}
	}
	return s.render(c, status, views.ComparePage(chrome, props))
}

// maxReference bounds how an event is named: a slug of 63, a number and an event id.
const maxReference = 200

func clip(text string, n int) string { return strings.ToValidUTF8(text[:min(n, len(text))], "") }

// compare finds both events and compares them.
func (s *Server) compare(c *fiber.Ctx, projects []model.Project, props *views.CompareProps) error {
	tried, err := s.triedRules(c, props)
	if err != nil {
		return err
	}
	left, err := s.comparedEvent(c, projects, "A", props.A, cmp.Or(props.Project, projectOf(props.B)), tried)
	if err != nil {
		return err
	}
	right, err := s.comparedEvent(c, projects, "B", props.B, cmp.Or(props.Project, projectOf(props.A)), tried)
	if err != nil {
		return err
	}
	props.Left, props.Right = &left, &right
	props.SameHere = left.Row.IssueID == right.Row.IssueID
	props.Result = grouping.Compare(left.Grouping, right.Grouping)
	return nil
}

var bareEvent = regexp.MustCompile(`^[0-9a-fA-F]{32}$|^[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}$`)

// projectOf is the project that a reference names itself; "" when it does not.
func projectOf(reference string) string {
	short, _, _ := strings.Cut(reference, "/")
	slug, _, err := issues.ParseShortID(short)
	if err != nil || bareEvent.MatchString(reference) {
		return ""
	}
	return slug
}

// comparedEvent is the event that a reference means: SHOP-12, SHOP-12/first, SHOP-12/EVENT, or the id of an event of
// the project with the slug.
func (s *Server) comparedEvent(c *fiber.Ctx, projects []model.Project, name, reference, slug string, tried triedRules) (e views.ComparedEvent, err error) {
	e.Name = name
	var project model.Project
	var ev *envelope.Event
	reference = strings.TrimSpace(reference)
	if bareEvent.MatchString(reference) {
		project, ev, err = s.eventOfProject(c.UserContext(), projects, slug, reference, &e)
	} else {
		project, ev, err = s.eventOfIssue(c.UserContext(), projects, reference, &e)
	}
	if err != nil && answerOf(err).status >= fiber.StatusInternalServerError {
		return e, err
	}
	if err != nil {
		return e, errs.New(errs.Of(err), "Event %s: %s", name, answerOf(err).message)
	}
	setup := s.groupings.Setup(project.ID).Primary
	if tried.project == project.ID {
		setup = tried.setup
	}
	e.ShortID = issues.ShortID(project.Slug, e.Issue.Number)
	e.Grouping = setup.Explain(issues.GroupingEvent(ev))
	return e, nil
}

func (s *Server) eventOfProject(ctx context.Context, projects []model.Project, slug, event string, e *views.ComparedEvent) (model.Project, *envelope.Event, error) {
	project, err := projectBySlug(projects, slug)
	if slug == "" {
		return project, nil, errs.New(errs.Invalid, "choose the project that it is of.")
	}
	if err != nil {
		return project, nil, err
	}
	row, ev, err := s.issues.ProjectEvent(ctx, project.ID, event)
	if err != nil {
		return project, nil, err
	}
	e.Row = row
	e.Issue, err = s.issues.ByID(ctx, row.IssueID)
	return project, ev, err
}

func (s *Server) eventOfIssue(ctx context.Context, projects []model.Project, reference string, e *views.ComparedEvent) (model.Project, *envelope.Event, error) {
	short, which, _ := strings.Cut(reference, "/")
	slug, number, err := issues.ParseShortID(short)
	if err != nil {
		return model.Project{}, nil, errs.New(errs.Invalid, "write the number of an issue, as SHOP-12, or an event id.")
	}
	project, err := projectBySlug(projects, slug)
	if err != nil {
		return project, nil, err
	}
	if e.Issue, err = s.issues.Find(ctx, project.ID, number); err != nil {
		return project, nil, err
	}
	if e.Issue, err = s.issues.Taker(ctx, e.Issue); err != nil {
		return project, nil, err
	}
	row, ev, err := s.issues.Event(ctx, e.Issue, cmp.Or(which, "latest"))
	e.Row = row
	return project, ev, err
}

func projectBySlug(projects []model.Project, slug string) (model.Project, error) {
	for _, p := range projects {
		if p.Slug == slug {
			return p, nil
		}
	}
	return model.Project{}, errNoProject
}

// triedRules is how a rehearsal would have the events of its project grouped; of project 0 when there is none.
type triedRules struct {
	project int64
	setup   grouping.Setup
}

// triedRules are those of the rehearsal that the address names. One that is gone leaves the rules of today.
func (s *Server) triedRules(c *fiber.Ctx, props *views.CompareProps) (t triedRules, err error) {
	id, err := strconv.ParseInt(c.Query("rehearsal"), 10, 64)
	if err != nil {
		return t, nil
	}
	r, err := s.rehearsals.Get(c.UserContext(), id)
	if errs.Of(err) == errs.NotFound {
		return t, nil
	}
	if err != nil {
		return t, err
	}
	rules, list := grouping.CheckRules(r.StackRules, r.FingerprintRules)
	if rules == nil {
		return t, errs.New(errs.Unprocessable, "The rules of that rehearsal cannot be used any more: %s", clip(list.Error(), maxReference))
	}
	props.Rehearsal = r.ID
	return triedRules{r.ProjectID, grouping.Setup{Config: grouping.Config(r.Config), Rules: rules}}, nil
}

// getProjectEvent leads to an event by its id alone, whatever issue it is in by now: GET /projects/:slug/events/:event.
func (s *Server) getProjectEvent(c *fiber.Ctx) error {
	project, err := s.projects.Find(c.UserContext(), c.Params("slug"))
	if err != nil {
		return err
	}
	row, err := s.issues.Locate(c.UserContext(), project.ID, c.Params("event"))
	if err != nil {
		return err
	}
	issue, err := s.issues.ByID(c.UserContext(), row.IssueID)
	if err != nil {
		return err
	}
	return c.Redirect("/issues/"+issues.ShortID(project.Slug, issue.Number)+"/events/"+row.EventID, fiber.StatusSeeOther)
}
