package web

import (
	"context"
	"slices"
	"strconv"

	"github.com/gofiber/fiber/v2"

	"kibitz/app/errs"
	"kibitz/app/issues"
	"kibitz/app/model"
	"kibitz/views"
)

// shownRefiles are the moves that a page lists.
const shownRefiles = 20

// getHashes is what leads to an issue: GET /issues/:short/hashes.
func (s *Server) getHashes(c *fiber.Ctx) error {
	return s.hashesPage(c, fiber.StatusOK, nil, "")
}

func (s *Server) hashesPage(c *fiber.Ctx, status int, checked []string, message string) error {
	chrome, err := s.chrome(c, "Hashes", "issues")
	if err != nil {
		return err
	}
	issue, project, err := s.findIssue(c, chrome.Projects)
	if err != nil {
		return err
	}
	if issue.MergedInto != 0 {
		return s.toTaker(c, issue, project, "/hashes")
	}
	ctx := c.UserContext()
	props := views.HashesProps{Issue: issue, Project: project, ShortID: issues.ShortID(project.Slug, issue.Number), Error: message}
	list, err := s.refiles.Hashes(ctx, issue.ID)
	if err != nil {
		return err
	}
	for _, h := range list {
		row := views.HashRow{IssueHash: h, Checked: slices.Contains(checked, h.Hash)}
		if h.FromIssue != 0 {
			row.From = issues.ShortID(project.Slug, h.FromShort)
		}
		props.Hashes = append(props.Hashes, row)
	}
	refiles, err := s.refiles.ForIssue(ctx, issue.ID, shownRefiles)
	if err != nil {
		return err
	}
	if props.Refiles, err = s.refileRows(ctx, project, refiles); err != nil {
		return err
	}
	chrome.Title, chrome.Project = props.ShortID+", hashes", &project
	return s.render(c, status, views.HashesPage(chrome, props))
}

// postHashes splits hashes off: POST /issues/:short/hashes.
func (s *Server) postHashes(c *fiber.Ctx) error {
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
	hashes := form["hash"]
	if len(hashes) == 0 {
		return s.hashesPage(c, fiber.StatusUnprocessableEntity, nil, "Choose the hashes that shall go.")
	}
	r, err := s.refiles.Split(c.UserContext(), issue.ID, hashes, s.session(c).Account.ID)
	if kind := errs.Of(err); kind == errs.Unprocessable || kind == errs.Conflict || kind == errs.Invalid {
		a := answerOf(err)
		return s.hashesPage(c, a.status, hashes, a.message)
	}
	if err != nil {
		return err
	}
	back := "/issues/" + issues.ShortID(project.Slug, issue.Number) + "/hashes"
	s.setToast(c, refileToast(r, plural(len(hashes), "hash", "hashes")+" split off. Their events follow in the background.", back))
	return c.Redirect(back, fiber.StatusSeeOther)
}

// refileToast tells what a refiling did and holds its way back.
func refileToast(r model.Refile, text, back string) toast {
	return toast{Text: text, Kind: "refile", Undo: values("id", strconv.FormatInt(r.ID, 10), "return", back)}
}

// refileRows names the people and issues of refilings.
func (s *Server) refileRows(ctx context.Context, project model.Project, list []model.Refile) ([]views.RefileRow, error) {
	if len(list) == 0 {
		return nil, nil
	}
	var people, ids []int64
	for _, r := range list {
		people = append(people, r.AccountID)
		ids = append(append(ids, r.Into), r.From[:min(len(r.From), shownIssues)]...)
	}
	numbers, err := s.issues.Numbers(ctx, ids)
	if err != nil {
		return nil, err
	}
	names := s.accounts.Names(ctx, people)
	out := make([]views.RefileRow, len(list))
	for n, r := range list {
		out[n] = views.RefileRow{Refile: r, Who: names[r.AccountID], Names: refileNames(project, r, numbers)}
	}
	return out, nil
}

// shownIssues are the issues of one refiling that are named.
const shownIssues = 5

func refileNames(project model.Project, r model.Refile, numbers map[int64]int64) (out []string) {
	for _, id := range append([]int64{r.Into}, r.From[:min(len(r.From), shownIssues)]...) {
		if n := numbers[id]; n != 0 {
			out = append(out, issues.ShortID(project.Slug, n))
		}
	}
	return out
}

// postUndo takes a refiling back: POST /refiles/:id/undo.
func (s *Server) postUndo(c *fiber.Ctx) error {
	form, err := s.form(c)
	if err != nil {
		return err
	}
	id, err := strconv.ParseInt(c.Params("id"), 10, 64)
	if err != nil {
		return errs.New(errs.NotFound, "There is nothing to undo here.")
	}
	back := localPath(form.Get("return"), "/issues")
	if _, err := s.refiles.Undo(c.UserContext(), id, s.session(c).Account.ID); err != nil {
		return s.refused(c, err, back)
	}
	s.setToast(c, toast{Text: "Undone. Events go back in the background."})
	return c.Redirect(back, fiber.StatusSeeOther)
}

// toTaker sends a browser on to the issue that took another in; what is the rest of the address.
func (s *Server) toTaker(c *fiber.Ctx, issue model.Issue, project model.Project, what string) error {
	to, err := s.issues.Taker(c.UserContext(), issue)
	if err != nil {
		return err
	}
	from := issues.ShortID(project.Slug, issue.Number)
	return c.Redirect("/issues/"+issues.ShortID(project.Slug, to.Number)+what+"?merged="+from, fiber.StatusSeeOther)
}
