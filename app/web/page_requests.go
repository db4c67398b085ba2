package web

import (
	"bufio"
	"encoding/base64"
	"encoding/csv"
	"encoding/json"
	"net/url"
	"strings"
	"time"

	"github.com/gofiber/fiber/v2"

	"kibitz/app/errs"
	"kibitz/app/issues"
	"kibitz/app/model"
	"kibitz/app/requests"
	"kibitz/app/requests/filter"
	"kibitz/app/store"
	"kibitz/app/trace"
	"kibitz/views"
)

// requestsPerPage is how many requests a page of the list shows.
const requestsPerPage = 50

// stepFor is the width of the bars of a stretch of time: at most 120 of them.
func stepFor(d time.Duration) time.Duration {
	for _, step := range []time.Duration{time.Minute, 2 * time.Minute, 5 * time.Minute, 10 * time.Minute, 15 * time.Minute, 30 * time.Minute, time.Hour,
		3 * time.Hour, 6 * time.Hour, 12 * time.Hour, 24 * time.Hour} {
		if d/step <= 120 {
			return step
		}
	}
	return 7 * 24 * time.Hour
}

var requestSorts = map[string]store.RequestSort{"newest": store.Newest, "slowest": store.Slowest, "queries": store.MostQueries}

// requestProject is the project whose requests a page shows: the one that is asked for, or else the first that is not our own.
func requestProject(chrome *views.Chrome, slug string) (model.Project, error) {
	if _, err := chooseProject(chrome, slug); err != nil {
		return model.Project{}, err
	}
	if chrome.Project != nil {
		return *chrome.Project, nil
	}
	for i := range chrome.Projects {
		chrome.Project = &chrome.Projects[i]
		if chrome.Project.Slug == "default" {
			break
		}
	}
	if chrome.Project == nil {
		return model.Project{}, errs.New(errs.NotFound, "There is no project yet.")
	}
	return *chrome.Project, nil
}

// requestList is what an address of the list asks for.
type requestList struct {
	requests.ListQuery
	text, sort, period string
	problems           []filter.Problem
}

// terms are the filter: the parameter q, which the form of the list sends twice, with what is there and what is added.
func terms(c *fiber.Ctx) string { return strings.TrimSpace(strings.Join(queryOf(c)["q"], " ")) }

func (s *Server) requestList(c *fiber.Ctx, project model.Project, now time.Time) (l requestList, err error) {
	l.text, l.sort = terms(c), c.Query("sort", "newest")
	p, err := periodOf(c, now)
	if err != nil {
		return l, err
	}
	l.period, l.From, l.To = p.Name, p.From, p.To
	if _, ok := requestSorts[l.sort]; !ok {
		l.sort = "newest"
	}
	l.Filter, l.problems = filter.Parse(l.text)
	l.Project, l.Sort, l.Limit = project.ID, requestSorts[l.sort], requestsPerPage
	l.After, err = parseRequestCursor(c.Query("cursor"))
	return l, err
}

// getRequests is the list of requests: GET /requests.
func (s *Server) getRequests(c *fiber.Ctx) error {
	chrome, err := s.chrome(c, "Requests", "requests")
	if err != nil {
		return err
	}
	project, err := requestProject(&chrome, c.Query("project"))
	if err != nil {
		return err
	}
	l, err := s.requestList(c, project, chrome.Now)
	if err != nil {
		return err
	}
	props := views.RequestsProps{Query: l.text, Filter: l.Filter, Problems: l.problems, Edit: c.Query("edit"), Sort: l.sort, Period: l.period,
		From: l.From, To: l.To, Step: stepFor(l.To.Sub(l.From)), CSVURL: sameList(c, "/requests.csv", "")}
	if len(l.problems) > 0 {
		return s.render(c, fiber.StatusUnprocessableEntity, views.RequestsPage(chrome, props))
	}
	if err := s.fillRequests(c, project, l, &props); err != nil {
		return err
	}
	return s.render(c, fiber.StatusOK, views.RequestsPage(chrome, props))
}

// fillRequests reads the rows and the volume of a list.
func (s *Server) fillRequests(c *fiber.Ctx, project model.Project, l requestList, props *views.RequestsProps) error {
	ctx := c.UserContext()
	list, more, err := s.requests.Search(ctx, l.ListQuery)
	if err != nil {
		return err
	}
	counts, looked, err := s.requests.Volume(ctx, l.ListQuery, props.Step)
	if err != nil {
		return err
	}
	for _, n := range counts {
		props.Volume = append(props.Volume, views.RequestBucket{Start: n.Start, N: int64(n.N + 0.5), Failed: int64(n.Failed + 0.5)})
	}
	if looked >= store.MaxScan {
		props.Stopped = looked
	}
	if props.Rows, err = s.requestRows(c, project, list); err != nil {
		return err
	}
	if props.Any = len(list) > 0; !props.Any {
		if props.Any, err = s.requests.Any(ctx, project.ID); err != nil {
			return err
		}
	}
	if more {
		props.Next = sameList(c, "/requests", requestCursor(list[len(list)-1].Row))
	}
	if c.Query("cursor") != "" {
		props.Prev = sameList(c, "/requests", "")
	}
	return nil
}

func (s *Server) requestRows(c *fiber.Ctx, project model.Project, list []requests.Listed) ([]views.RequestRow, error) {
	ids := make([]trace.ID, len(list))
	for i := range list {
		ids[i] = list[i].Request.Trace
	}
	errors, err := s.requests.IssuesOf(c.UserContext(), project.ID, ids)
	if err != nil {
		return nil, err
	}
	rows := make([]views.RequestRow, len(list))
	for i := range list {
		rows[i] = views.RequestRow{Request: list[i].Request, Project: project, Kept: list[i].Row.Kept != 0, Findings: requests.FoundNames(list[i].Row.Found)}
		if number := errors[list[i].Request.Trace]; number != 0 {
			rows[i].ShortID = issues.ShortID(project.Slug, number)
		}
	}
	return rows, nil
}

// sameList is the address of this list at another path or cursor.
func sameList(c *fiber.Ctx, path, cursor string) string {
	q := url.Values{}
	for _, key := range []string{"project", "q", "sort", "period", "from", "to"} {
		if v := c.Query(key); v != "" {
			q.Set(key, v)
		}
	}
	if text := terms(c); text != "" {
		q.Set("q", text)
	}
	if cursor != "" {
		q.Set("cursor", cursor)
	}
	if len(q) == 0 {
		return path
	}
	return path + "?" + q.Encode()
}

// cursor is the last row of a page, as the address of the next one holds it.
type cursor struct {
	ID       int64 `json:"i"`
	Duration int64 `json:"d"`
	Queries  int   `json:"q"`
}

func requestCursor(r model.RequestRow) string {
	text, err := json.Marshal(cursor{r.ID, int64(r.Duration), r.Totals.N[trace.DB]})
	if err != nil {
		return ""
	}
	return base64.RawURLEncoding.EncodeToString(text)
}

func parseRequestCursor(text string) (r model.RequestRow, err error) {
	if text == "" {
		return r, nil
	}
	var at cursor
	raw, err := base64.RawURLEncoding.DecodeString(text)
	if err == nil {
		err = json.Unmarshal(raw, &at)
	}
	if err != nil {
		return r, errs.New(errs.Invalid, "The address of this page is damaged. Begin again with the first one.")
	}
	r.ID, r.Duration = at.ID, time.Duration(at.Duration)
	r.Totals.N[trace.DB] = min(max(at.Queries, 0), 1<<30)
	return r, nil
}

// maxExport bounds the rows of an export (limit export_rows). A search for less time gives the rest.
const maxExport = 100_000

// getRequestsCSV is the list as CSV: GET /requests.csv, page by page, so that it needs no memory.
func (s *Server) getRequestsCSV(c *fiber.Ctx) error {
	chrome, err := s.chrome(c, "", "requests")
	if err != nil {
		return err
	}
	project, err := requestProject(&chrome, c.Query("project"))
	if err != nil {
		return err
	}
	l, err := s.requestList(c, project, chrome.Now)
	if err != nil {
		return err
	}
	if len(l.problems) > 0 {
		return errs.New(errs.Invalid, "The filter cannot be read: %s", l.problems[0].Message)
	}
	l.Limit = 1000
	first, more, err := s.requests.Search(c.UserContext(), l.ListQuery) // what is wrong is told before anything is sent
	if err != nil {
		return err
	}
	c.Set(fiber.HeaderContentType, "text/csv; charset=utf-8")
	c.Set(fiber.HeaderContentDisposition, `attachment; filename="requests-`+project.Slug+`.csv"`)
	ctx := s.stopping
	c.Context().SetBodyStreamWriter(func(w *bufio.Writer) {
		out := csv.NewWriter(w)
		_ = out.Write(requests.CSVHeader())
		for n, list := 0, first; ; {
			for i := range list {
				line := requests.LineOf(&list[i])
				_ = out.Write(line.CSV())
			}
			out.Flush()
			if n += len(list); !more || n >= maxExport || out.Error() != nil {
				return
			}
			l.After = list[len(list)-1].Row
			if list, more, err = s.requests.Search(ctx, l.ListQuery); err != nil {
				s.log.Warn("an export ended early", "err", err)
				return
			}
		}
	})
	return nil
}
