package web

import (
	"encoding/base64"
	"fmt"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/gofiber/fiber/v2"

	"kibitz/app/errs"
	"kibitz/app/issues"
	"kibitz/app/model"
)

// apiRoot tells a client that its token works: GET /api/0/.
func (s *Server) apiRoot(c *fiber.Ctx) error {
	account := s.session(c).Account
	return c.JSON(fiber.Map{"version": "0", "user": fiber.Map{"id": id(account.ID), "name": account.Name, "email": account.Email, "username": account.Email},
		"auth": fiber.Map{"scopes": s.scopes(c)}})
}

// apiOrganizations is the list of the one organization: GET /api/0/organizations/.
func (s *Server) apiOrganizations(c *fiber.Ctx) error {
	apiLink(c, "", "")
	return c.JSON([]apiOrganization{apiOrg(s.started)})
}

// apiOneOrganization is GET /api/0/organizations/:org/.
func (s *Server) apiOneOrganization(c *fiber.Ctx) error {
	if err := checkOrg(c); err != nil {
		return err
	}
	return c.JSON(apiOrg(s.started))
}

func checkOrg(c *fiber.Ctx) error {
	if org := c.Params("org"); org != "" && org != organization {
		return errs.New(errs.NotFound, "The one organization here is %q.", organization)
	}
	return nil
}

// apiProjects lists projects: GET /api/0/projects/ and /api/0/organizations/:org/projects/.
func (s *Server) apiProjects(c *fiber.Ctx) error {
	if err := checkOrg(c); err != nil {
		return err
	}
	projects, err := s.projects.All(c.UserContext())
	if err != nil {
		return err
	}
	out := []apiProject{}
	for _, p := range projects {
		out = append(out, apiProjectOf(p))
	}
	apiLink(c, "", "")
	return c.JSON(out)
}

// apiFindProject is the project that the address names by slug or id.
func (s *Server) apiFindProject(c *fiber.Ctx) (model.Project, error) {
	if err := checkOrg(c); err != nil {
		return model.Project{}, err
	}
	projects, err := s.projects.All(c.UserContext())
	if err != nil {
		return model.Project{}, err
	}
	for _, p := range projects {
		if p.Slug == c.Params("project") || id(p.ID) == c.Params("project") {
			return p, nil
		}
	}
	return model.Project{}, errNoProject
}

// apiOneProject is GET /api/0/projects/:org/:project/.
func (s *Server) apiOneProject(c *fiber.Ctx) error {
	p, err := s.apiFindProject(c)
	if err != nil {
		return err
	}
	return c.JSON(apiProjectOf(p))
}

var apiSorts = map[string]string{"": "last_seen", "date": "last_seen", "new": "first_seen", "freq": "events"}

// apiIssues is a page of a project's issues: GET /api/0/projects/:org/:project/issues/?query=is:unresolved&sort=date|new|freq.
func (s *Server) apiIssues(c *fiber.Ctx) error {
	p, err := s.apiFindProject(c)
	if err != nil {
		return err
	}
	status, err := apiQuery(c)
	if err != nil {
		return err
	}
	sort, ok := apiSorts[c.Query("sort")]
	if !ok {
		return errs.New(errs.Invalid, "sort is one of date, new, freq.")
	}
	limit, err := apiLimit(c)
	if err != nil {
		return err
	}
	now := time.Now()
	page, err := s.issues.List(c.UserContext(), issues.Filter{Projects: []int64{p.ID}, Status: status, Sort: sort, Cursor: c.Query("cursor"),
		Limit: limit, Since: now.Add(-24 * time.Hour)})
	if err != nil {
		return err
	}
	out := []apiIssue{}
	for _, r := range page.Rows {
		i := apiIssueOf(s.base, r.Issue, p)
		i.Stats = apiStats(r.Stats, now)
		out = append(out, i)
	}
	apiLink(c, page.Prev, page.Next)
	return c.JSON(out)
}

// apiQuery understands the status terms of Sentry's query; no query at all means unresolved, an empty one all.
func apiQuery(c *fiber.Ctx) (status string, err error) {
	if !c.Context().QueryArgs().Has("query") {
		return "unresolved", nil
	}
	status = "all"
	for _, term := range strings.Fields(c.Query("query")) {
		switch term {
		case "is:unresolved":
			status = "unresolved"
		case "is:resolved":
			status = "resolved"
		case "is:archived", "is:ignored":
			status = "archived"
		default:
			return "", errs.New(errs.Invalid, "The query understands is:unresolved, is:resolved and is:archived; not %q.", term)
		}
	}
	return status, nil
}

func apiLimit(c *fiber.Ctx) (int, error) {
	text := c.Query("limit", c.Query("per_page"))
	if text == "" {
		return issues.PageSize, nil
	}
	n, err := strconv.Atoi(text)
	if err != nil || n < 1 || n > issues.MaxPageSize {
		return 0, errs.New(errs.Invalid, "limit is 1 to %d.", issues.MaxPageSize)
	}
	return n, nil
}

// apiLink sets the Link header by which clients page.
func apiLink(c *fiber.Ctx, prev, next string) {
	q := url.Values{}
	for key, value := range c.Queries() {
		q.Set(key, value)
	}
	link := func(rel, cursor string) string {
		q.Set("cursor", cursor)
		return fmt.Sprintf(`<%s?%s>; rel="%s"; results="%t"; cursor="%s"`, c.BaseURL()+c.Path(), q.Encode(), rel, cursor != "", cursor)
	}
	c.Set(fiber.HeaderLink, link("previous", prev)+", "+link("next", next))
}

// apiFindIssue is the issue that the address names by id, or the one that took it in, with its project.
func (s *Server) apiFindIssue(c *fiber.Ctx) (model.Issue, model.Project, error) {
	if err := checkOrg(c); err != nil {
		return model.Issue{}, model.Project{}, err
	}
	n, err := strconv.ParseInt(c.Params("issue"), 10, 64)
	if err != nil {
		return model.Issue{}, model.Project{}, errNoIssue
	}
	issue, err := s.issues.ByID(c.UserContext(), n)
	if err == nil {
		issue, err = s.issues.Taker(c.UserContext(), issue)
	}
	if err != nil {
		return issue, model.Project{}, err
	}
	projects, err := s.projects.All(c.UserContext())
	if err != nil {
		return issue, model.Project{}, err
	}
	return issue, projectByID(projects, issue.ProjectID), nil
}

// apiOneIssue is GET /api/0/issues/:issue/.
func (s *Server) apiOneIssue(c *fiber.Ctx) error {
	issue, p, err := s.apiFindIssue(c)
	if err != nil {
		return err
	}
	now := time.Now()
	d, err := s.issues.Summary(c.UserContext(), issue, now.Add(-24*time.Hour))
	if err != nil {
		return err
	}
	out := apiIssueOf(s.base, issue, p)
	out.Stats = apiStats(d.Stats, now)
	for _, t := range d.Tags {
		if n := len(out.Tags); n > 0 && out.Tags[n-1].Key == t.Key {
			out.Tags[n-1].TotalValues += t.Events
			continue
		}
		out.Tags = append(out.Tags, apiTagCount{t.Key, t.Key, t.Events})
	}
	return c.JSON(out)
}

// apiIssueEvents is a page of an issue's events: GET /api/0/issues/:issue/events/.
func (s *Server) apiIssueEvents(c *fiber.Ctx) error {
	issue, _, err := s.apiFindIssue(c)
	if err != nil {
		return err
	}
	limit, err := apiLimit(c)
	if err != nil {
		return err
	}
	before, after, err := eventCursor(c.Query("cursor"))
	if err != nil {
		return err
	}
	events, err := s.issues.Events(c.UserContext(), issue, before, after, limit+1)
	if err != nil {
		return err
	}
	more := len(events) > limit
	if more && after != 0 {
		events = events[1:]
	} else if more {
		events = events[:limit]
	}
	var prev, next string
	if len(events) > 0 {
		if more || after != 0 {
			next = formatEventCursor("b", events[len(events)-1].ID)
		}
		if before != 0 || (more && after != 0) {
			prev = formatEventCursor("a", events[0].ID)
		}
	}
	out := []apiEventHead{}
	for _, e := range events {
		out = append(out, apiHead(e))
	}
	apiLink(c, prev, next)
	return c.JSON(out)
}

func formatEventCursor(dir string, n int64) string {
	return base64.RawURLEncoding.EncodeToString([]byte(dir + id(n)))
}

func eventCursor(text string) (before, after int64, err error) {
	if text == "" {
		return 0, 0, nil
	}
	raw, err := base64.RawURLEncoding.DecodeString(text)
	if err != nil || len(raw) < 2 || len(raw) > 32 {
		return 0, 0, errs.New(errs.Invalid, "That cursor is not one of ours. Begin at the first page.")
	}
	n, err := strconv.ParseInt(string(raw[1:]), 10, 64)
	if err != nil || n <= 0 || (raw[0] != 'b' && raw[0] != 'a') {
		return 0, 0, errs.New(errs.Invalid, "That cursor is not one of ours. Begin at the first page.")
	}
	if raw[0] == 'b' {
		return n, 0, nil
	}
	return 0, n, nil
}

// apiIssueEvent is one event of an issue, latest, oldest or by id: GET /api/0/issues/:issue/events/:event/.
func (s *Server) apiIssueEvent(c *fiber.Ctx) error {
	issue, _, err := s.apiFindIssue(c)
	if err != nil {
		return err
	}
	d, err := s.issues.Detail(c.UserContext(), issue, c.Params("event"), time.Now())
	if err != nil {
		return err
	}
	if d.Event == nil {
		return errs.New(errs.NotFound, "No event of this issue is kept any more.")
	}
	return c.JSON(apiEventOf(d))
}

// apiProjectEvent is one event of a project: GET /api/0/projects/:org/:project/events/:event/.
func (s *Server) apiProjectEvent(c *fiber.Ctx) error {
	p, err := s.apiFindProject(c)
	if err != nil {
		return err
	}
	d, err := s.issues.EventDetail(c.UserContext(), p.ID, c.Params("event"))
	if err != nil {
		return err
	}
	return c.JSON(apiEventOf(d))
}
