package web

import (
	"slices"
	"time"

	"github.com/gofiber/fiber/v2"

	"kibitz/app/issues"
	"kibitz/app/requests"
	"kibitz/views"
)

// How many issues and endpoints the home page names.
const (
	pulseIssues    = 6
	pulseEndpoints = 6
)

// usualApdex is T where endpoints with different ones are added up.
const usualApdex = 500 * time.Millisecond

// getHome is the pulse: what is going on now: GET /.
func (s *Server) getHome(c *fiber.Ctx) error {
	chrome, err := s.chrome(c, "Pulse", "pulse")
	if err != nil {
		return err
	}
	if len(chrome.Projects) == 0 {
		return c.Redirect("/projects/new", fiber.StatusSeeOther)
	}
	chosen, err := chooseProject(&chrome, c.Query("project"))
	if err != nil {
		return err
	}
	props := views.PulseProps{ApdexT: usualApdex, Live: c.Query("live") == "1", Projects: len(chrome.Projects)}
	if props.Period, err = periodOf(c, chrome.Now); err != nil {
		return err
	}
	b := requests.BucketsOf(props.Period)
	props.Clock = clock(b, chrome.Now)
	if props.Series, err = s.pulse(c, chosen, b); err != nil {
		return err
	}
	if props.Before, err = s.pulse(c, chosen, b.Before(b.To().Sub(b.From))); err != nil {
		return err
	}
	if err := s.fillPulse(c, chrome, chosen, &props); err != nil {
		return err
	}
	return s.render(c, fiber.StatusOK, views.PulsePage(chrome, props))
}

// pulse is the vital signs of projects.
func (s *Server) pulse(c *fiber.Ctx, projects []int64, b requests.Buckets) (out views.PulseSeries, err error) {
	series, err := s.requests.Series(c.UserContext(), projects, nil, b)
	if err != nil {
		return out, err
	}
	out = views.PulseSeries{Errors: blanks(b.N), Requests: blanks(b.N), P95: blanks(b.N), Apdex: blanks(b.N)}
	for i, sum := range series.Buckets {
		if sum != nil && sum.N > 0 {
			out.Requests[i], out.P95[i], out.Apdex[i] = sum.N/b.Step.Seconds(), sum.Durations.Quantile(0.95)/1000, sum.Apdex(usualApdex)
		}
	}
	errors, err := s.issues.Errors(c.UserContext(), projects, b.From, b.To(), b.Step)
	if err != nil {
		return out, err
	}
	for i := range out.Errors {
		if b.From.Add(time.Duration(i) * b.Step).Before(time.Now()) {
			out.Errors[i] = 0 // no event is no error, unlike no request
		}
	}
	for _, e := range errors {
		if i := int(e.Start.Sub(b.From) / b.Step); i >= 0 && i < b.N {
			out.Errors[i] = float64(e.N) / b.Step.Minutes()
		}
	}
	return out, nil
}

// fillPulse reads the panels below the vital signs.
func (s *Server) fillPulse(c *fiber.Ctx, chrome views.Chrome, projects []int64, p *views.PulseProps) error {
	ctx := c.UserContext()
	from, _ := day(chrome.Now)
	fresh, total, err := s.issues.Fresh(ctx, projects, p.Period.From, from, pulseIssues)
	if err != nil {
		return err
	}
	p.Review = total
	for _, row := range fresh {
		project := projectByID(chrome.Projects, row.Issue.ProjectID)
		p.Issues = append(p.Issues, views.IssueRow{Issue: row.Issue, Project: project, ShortID: issues.ShortID(project.Slug, row.Issue.Number), Spark: spark(row.Stats, from)})
	}
	rows, err := s.endpointRows(c, chrome, projects, p.Period)
	if err != nil {
		return err
	}
	p.Endpoints, p.Silent = int64(len(rows)), len(rows) == 0
	rows = slices.DeleteFunc(rows, func(r views.EndpointRow) bool { return r.Timing.Seen < views.LeastSeen && len(rows) > pulseEndpoints })
	sortEndpoints(rows, "p95")
	p.Slowest = rows[:min(len(rows), pulseEndpoints)]
	if p.Arrived, err = s.issues.Arrived(ctx, projects, p.Period.From.Truncate(time.Hour)); err != nil {
		return err
	}
	slug := ""
	if chrome.Project != nil {
		slug = chrome.Project.Slug
		if p.Markers, err = s.markers(c, chrome.Project.ID, p.Period); err != nil {
			return err
		}
	}
	flips, err := s.switchMarkers(ctx, slug, p.Period)
	if err != nil {
		return err
	}
	p.Markers = inOrder(p.Markers, flips)
	return s.pulseSwitches(c, p, chrome.Project)
}
