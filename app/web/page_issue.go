package web

import (
	"net/url"
	"strconv"
	"strings"

	"github.com/gofiber/fiber/v2"

	"kibitz/app/issues"
	"kibitz/app/model"
	"kibitz/grouping"
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
	if issue.MergedInto != 0 {
		return s.toTaker(c, issue, project, eventPath(c))
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
		Nth: d.Place.Nth, Total: issue.Events, Buckets: d.Stats, From: from, To: to, Tags: d.Tags, Activity: s.activity(c, project, d)}
	refiles, err := s.refiles.Open(c.UserContext(), issue.ID, shownRefiles)
	if err != nil {
		return err
	}
	if props.Refiles, err = s.refileRows(c.UserContext(), project, refiles); err != nil {
		return err
	}
	if err := s.issueSwitches(c, &props); err != nil {
		return err
	}
	if _, _, err := issues.ParseShortID(c.Query("merged")); err == nil {
		props.MergedFrom = c.Query("merged")
	}
	if d.Event != nil {
		props.RawURL = "/issues/" + short + "/events/" + d.Row.EventID + "/json"
	}
	return s.render(c, fiber.StatusOK, views.IssuePage(chrome, props))
}

// eventPath is what follows an issue in the address of one of its events.
func eventPath(c *fiber.Ctx) string {
	if event := c.Params("event"); event != "" {
		return "/events/" + url.PathEscape(event)
	}
	return ""
}

// activity names the people of an issue's history: the accounts stand in another partition, so they are put
// together here.
func (s *Server) activity(c *fiber.Ctx, project model.Project, d issues.Detail) []views.Activity {
	var ids []int64
	for _, a := range d.Activity {
		ids = append(ids, a.AccountID)
	}
	names := s.accounts.Names(c.UserContext(), ids)
	var out []views.Activity
	for _, a := range d.Activity {
		out = append(out, views.Activity{At: a.At, Who: names[a.AccountID], Action: a.Action, Before: a.Before, After: a.After,
			Issues: shortIDs(project, a.Action, a.After)})
	}
	return out
}

// shortIDs are the issues at the other end of a merge or a split, which the history has by their numbers.
func shortIDs(project model.Project, action, numbers string) (out []string) {
	switch action {
	case "merged", "merged_into", "split_off", "split_from":
		for _, text := range strings.Split(numbers, ",") {
			if n, err := strconv.ParseInt(strings.TrimSpace(text), 10, 64); err == nil {
				out = append(out, issues.ShortID(project.Slug, n))
			}
		}
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

// explained is the grouping of the event that an address names.
func (s *Server) explained(c *fiber.Ctx) (grouping.Result, error) {
	projects, err := s.projects.All(c.UserContext())
	if err != nil {
		return grouping.Result{}, err
	}
	issue, project, err := s.findIssue(c, projects)
	if err != nil {
		return grouping.Result{}, err
	}
	_, ev, err := s.issues.Event(c.UserContext(), issue, c.Params("event"))
	if err != nil {
		return grouping.Result{}, err
	}
	return s.groupings.Setup(project.ID).Primary.Explain(issues.GroupingEvent(ev)), nil
}

// getGroupingText is why an event is grouped where it is, as text: GET /issues/:short/events/:event/grouping.txt.
func (s *Server) getGroupingText(c *fiber.Ctx) error {
	r, err := s.explained(c)
	if err != nil {
		return err
	}
	c.Set(fiber.HeaderContentType, "text/plain; charset=utf-8")
	return c.SendString(grouping.Explain(r))
}

// getGroupingJSON is the same for scripts: GET /issues/:short/events/:event/grouping.json.
func (s *Server) getGroupingJSON(c *fiber.Ctx) error {
	r, err := s.explained(c)
	if err != nil {
		return err
	}
	text, err := grouping.ExplainJSON(r)
	if err != nil {
		return err
	}
	c.Set(fiber.HeaderContentType, "application/json; charset=utf-8")
	return c.Send(text)
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
	if do := form.Get("do"); do == "delete" || do == "discard" {
		back = "/issues?project=" + project.Slug // its own page is gone
	}
	return s.act(c, []int64{issue.ID}, form.Get("do"), back)
}
