package web

import (
	"cmp"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"github.com/gofiber/fiber/v2"

	"kibitz/app/issues"
	"kibitz/app/model"
	"kibitz/app/requests"
	"kibitz/views"
)

// endpointsPerPage is how many endpoints a page of the list shows.
const endpointsPerPage = 50

// getEndpoints is the list of endpoints: GET /endpoints.
func (s *Server) getEndpoints(c *fiber.Ctx) error {
	chrome, err := s.chrome(c, "Endpoints", "endpoints")
	if err != nil {
		return err
	}
	chosen, err := chooseProject(&chrome, c.Query("project"))
	if err != nil {
		return err
	}
	props := views.EndpointsProps{Query: strings.Clone(c.Query("q")), Sort: strings.Clone(c.Query("sort"))}
	if props.Period, err = periodOf(c, chrome.Now); err != nil {
		return err
	}
	rows, err := s.endpointRows(c, chrome, chosen, props.Period)
	if err != nil {
		return err
	}
	props.Known = len(rows) > 0
	rows = slices.DeleteFunc(rows, func(r views.EndpointRow) bool {
		return !strings.Contains(strings.ToLower(r.Method+" "+r.Name), strings.ToLower(props.Query))
	})
	sortEndpoints(rows, props.Sort)
	props.Found = int64(len(rows))
	page := max(1, c.QueryInt("page", 1))
	props.Rows = rows[min(len(rows), (page-1)*endpointsPerPage):min(len(rows), page*endpointsPerPage)]
	props.Prev, props.Next = pageAt(c, page-1, page > 1), pageAt(c, page+1, len(rows) > page*endpointsPerPage)
	if !props.Known {
		if props.Connect, err = s.connect(c, &chrome); err != nil {
			return err
		}
	}
	return s.render(c, fiber.StatusOK, views.EndpointsPage(chrome, props))
}

// pageAt is the address of this list at another page; "" when there is none.
func pageAt(c *fiber.Ctx, page int, is bool) string {
	if !is {
		return ""
	}
	q := queryOf(c)
	q.Set("page", strconv.Itoa(page))
	return strings.Clone(c.Path()) + "?" + q.Encode()
}

// endpointRows are the endpoints of a period, and how they were in the one before.
func (s *Server) endpointRows(c *fiber.Ctx, chrome views.Chrome, projects []int64, p model.Period) ([]views.EndpointRow, error) {
	now, err := s.requests.EndpointSums(c.UserContext(), projects, p)
	if err != nil {
		return nil, err
	}
	before, err := s.requests.EndpointSums(c.UserContext(), projects, p.Before(p.To.Sub(p.From)))
	if err != nil {
		return nil, err
	}
	was := map[requests.EndpointKey]*requests.EndpointSum{}
	for i := range before {
		was[before[i].EndpointKey] = &before[i]
	}
	rows := make([]views.EndpointRow, len(now))
	for i := range now {
		e := &now[i]
		rows[i] = views.EndpointRow{Project: projectByID(chrome.Projects, e.Project), Method: e.Method, Name: e.Name, Timing: timing(e.Sum, e.Apdex), Budget: budgetOf(requests.Thresholds(e.Thresholds))}
		if b := was[e.EndpointKey]; b != nil {
			t := timing(b.Sum, e.Apdex)
			rows[i].Before = &t
		}
	}
	return rows, nil
}

func sortEndpoints(rows []views.EndpointRow, by string) {
	less := map[string]func(a, b *views.EndpointRow) int{
		"name":   func(a, b *views.EndpointRow) int { return cmp.Compare(a.Name, b.Name) },
		"rate":   func(a, b *views.EndpointRow) int { return cmp.Compare(b.Timing.N, a.Timing.N) },
		"p50":    func(a, b *views.EndpointRow) int { return cmp.Compare(b.Timing.P50, a.Timing.P50) },
		"p95":    func(a, b *views.EndpointRow) int { return cmp.Compare(b.Timing.P95, a.Timing.P95) },
		"p99":    func(a, b *views.EndpointRow) int { return cmp.Compare(b.Timing.P99, a.Timing.P99) },
		"failed": func(a, b *views.EndpointRow) int { return cmp.Compare(b.Timing.Failed, a.Timing.Failed) },
		"apdex":  func(a, b *views.EndpointRow) int { return cmp.Compare(a.Timing.Apdex, b.Timing.Apdex) },
	}[by]
	if less == nil {
		less = func(a, b *views.EndpointRow) int { return cmp.Compare(spent(b.Timing), spent(a.Timing)) }
	}
	slices.SortStableFunc(rows, func(a, b views.EndpointRow) int {
		return cmp.Or(less(&a, &b), cmp.Compare(a.Name, b.Name), cmp.Compare(a.Method, b.Method))
	})
}

// spent is the sum of all durations, in nanoseconds.
func spent(t views.Timing) (sum float64) {
	for _, d := range t.Time {
		sum += float64(d) * t.N
	}
	return sum
}

// connect is what a program needs to send its requests to the page's project, or to the first one.
func (s *Server) connect(c *fiber.Ctx, chrome *views.Chrome) (out views.Connect, err error) {
	project := chrome.Project
	if project == nil && len(chrome.Projects) > 0 {
		project = &chrome.Projects[len(chrome.Projects)-1]
	}
	if project == nil {
		return out, nil
	}
	key, err := s.projects.ActiveKey(c.UserContext(), project.ID)
	if err != nil {
		return out, err
	}
	dsn, err := issues.DSN(s.base, key)
	return views.Connect{DSN: dsn, OTLP: s.base + "/v1/traces", PublicKey: key.Public, Syslog: s.syslog}, err
}

// endpointKey is the endpoint that an address or form names.
func endpointKey(project model.Project, q url.Values) requests.EndpointKey {
	return requests.EndpointKey{Project: project.ID, Method: q.Get("method"), Name: q.Get("name")}
}
