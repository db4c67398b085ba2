package web

import (
	"net/url"
	"slices"
	"strconv"
	"time"

	"github.com/gofiber/fiber/v2"

	"kibitz/app/errs"
	"kibitz/app/issues"
	"kibitz/app/model"
	"kibitz/views"
)

// day is the stretch of time that lists and graphs show: 48 half hours, the last of them running.
func day(now time.Time) (from, to time.Time) {
	to = now.Truncate(30 * time.Minute).Add(30 * time.Minute)
	return to.Add(-24 * time.Hour), to
}

// getIssues is the issue list: GET /issues. Five queries: session, projects, counts, list, sparklines and the graph.
func (s *Server) getIssues(c *fiber.Ctx) error {
	ctx := c.UserContext()
	chrome, err := s.chrome(c, "Issues", "issues")
	if err != nil {
		return err
	}
	chosen, err := chooseProject(&chrome, c.Query("project"))
	if err != nil {
		return err
	}
	from, to := day(chrome.Now)
	f := issues.Filter{Projects: chosen, Status: c.Query("status", "unresolved"), Sort: c.Query("sort", "last_seen"),
		Cursor: c.Query("cursor"), Limit: issues.PageSize, Since: from}
	page, err := s.issues.List(ctx, f)
	if err != nil {
		return err
	}
	counts, err := s.issues.Counts(ctx, chosen)
	if err != nil {
		return err
	}
	volume, err := s.issues.Volume(ctx, chosen, from)
	if err != nil {
		return err
	}
	props := views.IssuesProps{Status: f.Status, Sort: f.Sort, Counts: counts, Volume: volume, From: from, To: to,
		Next: pageURL(c, page.Next), Prev: pageURL(c, page.Prev)}
	for _, row := range page.Rows {
		p := projectByID(chrome.Projects, row.Issue.ProjectID)
		props.Issues = append(props.Issues, views.IssueRow{Issue: row.Issue, Project: p,
			ShortID: issues.ShortID(p.Slug, row.Issue.Number), Spark: spark(row.Stats, from)})
	}
	return s.render(c, fiber.StatusOK, views.IssuesPage(chrome, props))
}

// chooseProject narrows the page to the project with a slug, or to all of them.
func chooseProject(chrome *views.Chrome, slug string) ([]int64, error) {
	var ids []int64
	for n := range chrome.Projects {
		p := &chrome.Projects[n]
		if slug == "" || p.Slug == slug {
			ids = append(ids, p.ID)
		}
		if slug != "" && p.Slug == slug {
			chrome.Project = p
		}
	}
	if slug != "" && chrome.Project == nil {
		return nil, errs.New(errs.NotFound, "There is no project %q.", slug)
	}
	return ids, nil
}

func projectByID(all []model.Project, id int64) model.Project {
	for _, p := range all {
		if p.ID == id {
			return p
		}
	}
	return model.Project{ID: id, Slug: "project", Name: "?"}
}

// pageURL is the address of this list at another cursor.
func pageURL(c *fiber.Ctx, cursor string) string {
	if cursor == "" {
		return ""
	}
	q := url.Values{}
	for _, key := range []string{"project", "status", "sort"} {
		if v := c.Query(key); v != "" {
			q.Set(key, v)
		}
	}
	q.Set("cursor", cursor)
	return "/issues?" + q.Encode()
}

// spark is 48 half hours from a moment on.
func spark(buckets []model.Bucket, from time.Time) []int64 {
	out := make([]int64, 48)
	for _, b := range buckets {
		if n := int(b.Start.Sub(from) / (30 * time.Minute)); n >= 0 && n < len(out) && !b.Start.Before(from) {
			out[n] += b.N
		}
	}
	return out
}

// actions are what a form may do to issues, and the words of the toast that follows.
var actions = map[string]struct {
	status model.Status
	done   string
}{
	"resolve":   {model.Resolved, "resolved"},
	"archive":   {model.Archived, "archived"},
	"unresolve": {model.Unresolved, "reopened"},
}

var undoAction = map[model.Status]string{model.Resolved: "resolve", model.Archived: "archive", model.Unresolved: "unresolve"}

// postIssues acts on the selected issues of the list: POST /issues.
func (s *Server) postIssues(c *fiber.Ctx) error {
	form, err := s.form(c)
	if err != nil {
		return err
	}
	var ids []int64
	for _, text := range form["id"] {
		n, err := strconv.ParseInt(text, 10, 64)
		if err != nil {
			return errs.New(errs.Invalid, "An issue's id is a number.")
		}
		ids = append(ids, n)
	}
	return s.act(c, ids, form.Get("do"), localPath(form.Get("return"), "/issues"))
}

// mergeIssues puts issues together: the one with the most events takes the others in.
func (s *Server) mergeIssues(c *fiber.Ctx, ids []int64, back string) error {
	into, from, err := s.issues.Largest(c.UserContext(), ids)
	if err != nil {
		return s.refused(c, err, back)
	}
	r, err := s.refiles.Merge(c.UserContext(), into.ID, from, s.session(c).Account.ID)
	if err != nil {
		return s.refused(c, err, back)
	}
	s.setToast(c, refileToast(r, count(len(from), "issue")+" merged into the one with the most events", back))
	return c.Redirect(back, fiber.StatusSeeOther)
}

// deleteIssues hides issues at once; with discard what comes later is thrown away and counted.
func (s *Server) deleteIssues(c *fiber.Ctx, ids []int64, discard bool, back string) error {
	r, err := s.refiles.Delete(c.UserContext(), ids, discard, s.session(c).Account.ID)
	if err != nil {
		return s.refused(c, err, back)
	}
	text := count(len(ids), "issue") + " deleted"
	if discard {
		text += ", and discarded from now on"
	}
	s.setToast(c, refileToast(r, text, back))
	return c.Redirect(back, fiber.StatusSeeOther)
}

// act changes, merges or deletes issues and returns to a page with a toast that holds the way back.
func (s *Server) act(c *fiber.Ctx, ids []int64, do, back string) error {
	slices.Sort(ids)
	ids = slices.Compact(ids)
	switch do {
	case "merge":
		return s.mergeIssues(c, ids, back)
	case "delete", "discard":
		return s.deleteIssues(c, ids, do == "discard", back)
	}
	action, ok := actions[do]
	if !ok {
		return errs.New(errs.Invalid, "An issue can be resolved, archived, reopened, merged or deleted.")
	}
	changes, err := s.issues.SetStatus(c.UserContext(), ids, action.status, s.session(c).Account.ID)
	if err != nil {
		return err
	}
	if len(changes) > 0 {
		undo := url.Values{"do": {undoAction[changes[0].Before]}, "return": {back}}
		for _, ch := range changes {
			if ch.Before == changes[0].Before {
				undo.Add("id", strconv.FormatInt(ch.IssueID, 10))
			}
		}
		s.setToast(c, toast{Text: count(len(changes), "issue") + " " + action.done, Kind: "issues", Undo: undo})
	}
	return c.Redirect(back, fiber.StatusSeeOther)
}

func count(n int, noun string) string {
	if n == 1 {
		return "1 " + noun
	}
	return strconv.Itoa(n) + " " + noun + "s"
}
