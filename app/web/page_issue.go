package web

import (
	"github.com/gofiber/fiber/v2"

	"kibitz/app/issues"
	"kibitz/app/model"
	"kibitz/views"
)

// findIssue is the issue that a short id in the address names.
func (s *Server) findIssue(c *fiber.Ctx, projects []model.Project) (model.Issue, model.Project, error) {
	slug, number, err := issues.ParseShortID(c.Params("short"))
	if err != nil {
		return model.Issue{}, model.Project{}, err
	}
	for _, p := range projects {
		if p.Slug == slug {
			issue, err := s.issues.Find(c.UserContext(), p.ID, number)
			return issue, p, err
		}
	}
	return model.Issue{}, model.Project{}, errNoIssue
}

// getIssue is the issue page at one of its events: GET /issues/:short and /issues/:short/events/:event.
func (s *Server) getIssue(c *fiber.Ctx) error {
	chrome, err := s.chrome(c, "Issue", "issues")
	if err != nil {
		return err
	}
	issue, project, err := s.findIssue(c, chrome.Projects)
	if err != nil {
		return err
	}
	from, to := day(chrome.Now)
	d, err := s.issues.Detail(c.UserContext(), issue, c.Params("event", "latest"), from)
	if err != nil {
		return err
	}
	chrome.Title, chrome.Project = issue.Title, &project
	short := issues.ShortID(project.Slug, issue.Number)
	props := views.IssueProps{Issue: issue, Project: project, ShortID: short, Row: d.Row, Event: d.Event, InApp: d.Grouping.InApp,
		Grouping: d.Grouping, Prev: d.Place.Prev, Next: d.Place.Next, First: d.Place.First, Latest: d.Place.Latest,
		Nth: d.Place.Nth, Total: issue.Events, Buckets: d.Stats, From: from, To: to, Tags: d.Tags, Activity: s.activity(c, d)}
	if d.Event != nil {
		props.RawURL = "/issues/" + short + "/events/" + d.Row.EventID + "/json"
	}
	return s.render(c, fiber.StatusOK, views.IssuePage(chrome, props))
}

// activity names the people of an issue's history: the accounts stand in another partition, so they are put
// together here.
func (s *Server) activity(c *fiber.Ctx, d issues.Detail) []views.Activity {
	var ids []int64
	for _, a := range d.Activity {
		ids = append(ids, a.AccountID)
	}
	names := s.accounts.Names(c.UserContext(), ids)
	var out []views.Activity
	for _, a := range d.Activity {
		out = append(out, views.Activity{At: a.At, Who: names[a.AccountID], Action: a.Action, Before: a.Before, After: a.After})
	}
	return out
}

// getEventJSON is the event as it was sent: GET /issues/:short/events/:event/json.
func (s *Server) getEventJSON(c *fiber.Ctx) error {
	projects, err := s.projects.All(c.UserContext())
	if err != nil {
		return err
	}
	issue, _, err := s.findIssue(c, projects)
	if err != nil {
		return err
	}
	row, _, err := s.issues.Event(c.UserContext(), issue, c.Params("event"))
	if err != nil {
		return err
	}
	c.Set(fiber.HeaderContentType, "application/json; charset=utf-8")
	c.Set(fiber.HeaderContentDisposition, `inline; filename="event-`+row.EventID+`.json"`)
	return c.Send(row.Body)
}

// postIssue acts on one issue: POST /issues/:short.
func (s *Server) postIssue(c *fiber.Ctx) error {
	form, err := s.form(c)
	if err != nil {
		return err
	}
	projects, err := s.projects.All(c.UserContext())
	if err != nil {
		return err
	}
	issue, project, err := s.findIssue(c, projects)
	if err != nil {
		return err
	}
	back := localPath(form.Get("return"), "/issues/"+issues.ShortID(project.Slug, issue.Number))
	return s.act(c, []int64{issue.ID}, form.Get("do"), back)
}
