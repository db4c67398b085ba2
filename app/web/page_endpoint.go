package web

import (
	"encoding/csv"
	"encoding/json"
	"math"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/gofiber/fiber/v2"

	"kibitz/app/detect"
	"kibitz/app/errs"
	"kibitz/app/issues"
	"kibitz/app/model"
	"kibitz/app/requests"
	"kibitz/app/store"
	"kibitz/app/trace"
	"kibitz/views"
	"kibitz/views/charts"
)

// samplesShown is how many kept requests an endpoint's page lists.
const samplesShown = 10

// getEndpoint is the page of one endpoint: GET /endpoint?project=&method=&name=. Routes hold slashes, so that what names
// it stands in the query.
func (s *Server) getEndpoint(c *fiber.Ctx) error {
	chrome, err := s.chrome(c, "Endpoint", "endpoints")
	if err != nil {
		return err
	}
	e, project, err := s.findEndpoint(c, &chrome)
	if err != nil {
		return err
	}
	chrome.Title = strings.TrimSpace(e.Method + " " + e.Name)
	props := views.EndpointProps{Project: project, Method: e.Method, Name: e.Name, ApdexT: e.Apdex, CSV: "/endpoint.csv?" + queryOf(c).Encode()}
	if props.Period, err = periodOf(c, chrome.Now); err != nil {
		return err
	}
	if err := s.fillEndpoint(c, e, &props, chrome.Now); err != nil {
		return err
	}
	return s.render(c, fiber.StatusOK, views.EndpointPage(chrome, props))
}

func (s *Server) findEndpoint(c *fiber.Ctx, chrome *views.Chrome) (e requests.Endpoint, p model.Project, err error) {
	if p, err = requestProject(chrome, c.Query("project")); err != nil {
		return e, p, err
	}
	e, err = s.requests.Endpoint(c.UserContext(), endpointKey(p, queryOf(c)))
	return e, p, err
}

// fillEndpoint reads everything that an endpoint's page shows: ten statements or so, whatever the period.
func (s *Server) fillEndpoint(c *fiber.Ctx, e requests.Endpoint, p *views.EndpointProps, now time.Time) error {
	ctx, projects := c.UserContext(), []int64{e.Project}
	b := requests.BucketsOf(p.Period)
	p.Clock = clock(b, now)
	series, err := s.requests.Series(ctx, projects, e.IDs, b)
	if err != nil {
		return err
	}
	p.Timing, p.Series, p.Queries = timing(series.Total, e.Apdex), endpointSeries(series.Buckets), bins(series.Total.Queries, 1)
	before, err := s.requests.Series(ctx, projects, e.IDs, b.Before(b.To().Sub(b.From)))
	if err != nil {
		return err
	}
	if before.Total.Seen > 0 {
		t := timing(before.Total, e.Apdex)
		p.Before = &t
	}
	if p.Overlay = strings.Clone(c.Query("overlay")); views.OverlayLength(p.Overlay) > 0 {
		ghost, err := s.requests.Series(ctx, projects, e.IDs, b.Before(views.OverlayLength(p.Overlay)))
		if err != nil {
			return err
		}
		p.Ghost = endpointSeries(ghost.Buckets)
	} else {
		p.Overlay = ""
	}
	if p.Markers, err = s.markers(c, e.Project, p.Period); err != nil {
		return err
	}
	flips, err := s.switchMarkers(ctx, p.Project.Slug, p.Period)
	if err != nil {
		return err
	}
	p.Markers = inOrder(p.Markers, flips)
	return s.fillEndpointPanels(c, e, series, p)
}

// fillEndpointPanels reads what stands below the charts.
func (s *Server) fillEndpointPanels(c *fiber.Ctx, e requests.Endpoint, series *requests.Series, p *views.EndpointProps) (err error) {
	if p.Samples, err = s.samples(c, e, p); err != nil {
		return err
	}
	switches, err := s.requests.SwitchSums(c.UserContext(), e, p.Period)
	if err != nil {
		return err
	}
	p.Switches = switchRows(switches)
	s.knownSwitches(p.Switches)
	if p.Compared, err = s.compareSides(c, e, series, switches, p.Period); err != nil {
		return err
	}
	if p.Findings, err = s.endpointFindings(c, p.Project, e); err != nil {
		return err
	}
	th := requests.Thresholds(e.Thresholds)
	p.Thresholds, p.Budget = th.Fields(), budgetOf(th)
	return nil
}

func budgetOf(th detect.Thresholds) views.Budget {
	return views.Budget{P95: time.Duration(th.BudgetP95) * time.Millisecond, Queries: th.BudgetQueries}
}

// markers are the releases that came in a period.
func (s *Server) markers(c *fiber.Ctx, project int64, p model.Period) (list []charts.Marker, err error) {
	releases, err := s.requests.Releases(c.UserContext(), project, p)
	if err != nil {
		return nil, err
	}
	for _, r := range releases {
		list = append(list, charts.Marker{At: r.FirstSeen, Kind: "release", Label: r.Value, URL: "/requests?" + url.Values{"q": {"release:" + strconv.Quote(r.Value)}}.Encode()})
	}
	return list, nil
}

func (s *Server) samples(c *fiber.Ctx, e requests.Endpoint, p *views.EndpointProps) (list []views.Sample, err error) {
	sort := store.Slowest
	switch p.SortedBy = strings.Clone(c.Query("samples")); p.SortedBy {
	case "queries":
		sort = store.MostQueries
	case "failed":
	default:
		p.SortedBy = "slowest"
	}
	kept, err := s.requests.Samples(c.UserContext(), e, p.Period, sort, p.SortedBy == "failed", samplesShown)
	if err != nil {
		return nil, err
	}
	rows, err := s.requestRows(c, p.Project, kept)
	if err != nil {
		return nil, err
	}
	for i, k := range kept {
		note := rows[i].ShortID
		if len(rows[i].Findings) > 0 {
			note = strings.TrimSpace(note + " " + strings.Join(rows[i].Findings, ", "))
		}
		list = append(list, views.Sample{Trace: k.Row.Trace, Span: k.Row.Span, At: k.Row.Start.UTC(), Duration: k.Row.Duration, Totals: k.Row.Totals,
			Status: k.Row.Status, Failed: k.Row.Failed, Note: note, User: k.Request.User})
	}
	return list, nil
}

// switchRows lays the answers of each switch side by side: on is the answer that is not off.
func switchRows(sums []requests.SwitchSum) (rows []views.SwitchRow) {
	byKey := map[string]*views.SwitchRow{}
	var keys []string
	for i := range sums {
		key, variant, _ := strings.Cut(sums[i].Label, "=")
		if byKey[key] == nil {
			byKey[key], keys = &views.SwitchRow{Key: key}, append(keys, key)
		}
		if side := &byKey[key].On; !isOff(variant) && sums[i].N > side.N {
			*side = switchTiming(&sums[i])
		} else if side := &byKey[key].Off; isOff(variant) && sums[i].N > side.N {
			*side = switchTiming(&sums[i])
		}
	}
	slices.Sort(keys)
	for _, key := range keys {
		row := byKey[key]
		if all := row.On.N + row.Off.N; all > 0 {
			row.Share = math.Round(100 * row.On.N / all)
		}
		rows = append(rows, *row)
	}
	return rows
}

func isOff(variant string) bool {
	switch strings.ToLower(variant) {
	case "off", "false", "0", "control", "disabled", "":
		return true
	}
	return false
}

func (s *Server) endpointFindings(c *fiber.Ctx, project model.Project, e requests.Endpoint) (list []views.Finding, err error) {
	rows, err := s.requests.EndpointFindings(c.UserContext(), e.IDs)
	if err != nil {
		return nil, err
	}
	for _, f := range rows {
		list = append(list, views.Finding{Kind: detect.Kind(f.Kind).String(), Title: f.Title, Evidence: f.Evidence, ShortID: issues.ShortID(project.Slug, f.Number),
			File: f.File, Line: f.Line, Wasted: f.Wasted, Seen: f.N, Status: f.Status})
	}
	return list, nil
}

// postEndpointSettings sets an endpoint's apdex T and thresholds: POST /endpoint/settings.
func (s *Server) postEndpointSettings(c *fiber.Ctx) error {
	form, err := s.form(c)
	if err != nil {
		return err
	}
	chrome, err := s.chrome(c, "", "endpoints")
	if err != nil {
		return err
	}
	project, err := requestProject(&chrome, form.Get("project"))
	if err != nil {
		return err
	}
	e, err := s.requests.Endpoint(c.UserContext(), endpointKey(project, form))
	if err != nil {
		return err
	}
	back := localPath(form.Get("return"), endpointPath(project, model.Endpoint{Method: e.Method, Name: e.Name}))
	if err := s.tune(c, e, form); err != nil {
		return s.refused(c, err, back)
	}
	s.setToast(c, toast{Text: "Saved. New requests are judged by it; the score holds for the past, too."})
	return c.Redirect(back, fiber.StatusSeeOther)
}

func (s *Server) tune(c *fiber.Ctx, e requests.Endpoint, form url.Values) error {
	th := requests.Thresholds(e.Thresholds)
	for _, f := range th.Fields() {
		text := form.Get(f.Name)
		if text == "" {
			continue
		}
		n, err := strconv.ParseFloat(text, 64)
		if err != nil || n != math.Trunc(n) || math.Abs(n) > 1e12 {
			return errs.New(errs.Unprocessable, "%s is a whole number.", f.Name)
		}
		if err := th.Set(f.Name, int(n)); err != nil {
			return err
		}
	}
	apdex := e.Apdex
	if text := form.Get("apdex_t"); text != "" {
		n, err := strconv.ParseFloat(text, 64)
		if err != nil || !(n > 0 && n < 1e9) {
			return errs.New(errs.Unprocessable, "Apdex T is a number of milliseconds.")
		}
		apdex = time.Duration(n * float64(time.Millisecond))
	}
	raw, err := json.Marshal(th)
	if err != nil {
		return err
	}
	return s.requests.Tune(c.UserContext(), e, apdex, raw)
}

// getEndpointCSV is the series of an endpoint as CSV: GET /endpoint.csv.
func (s *Server) getEndpointCSV(c *fiber.Ctx) error {
	chrome, err := s.chrome(c, "", "endpoints")
	if err != nil {
		return err
	}
	e, _, err := s.findEndpoint(c, &chrome)
	if err != nil {
		return err
	}
	p, err := periodOf(c, chrome.Now)
	if err != nil {
		return err
	}
	b := requests.BucketsOf(p)
	series, err := s.requests.Series(c.UserContext(), []int64{e.Project}, e.IDs, b)
	if err != nil {
		return err
	}
	c.Set(fiber.HeaderContentType, "text/csv; charset=utf-8")
	out := csv.NewWriter(c.Response().BodyWriter())
	_ = out.Write(strings.Fields("from requests failed p50_ms p75_ms p95_ms p99_ms db_ms cache_ms http_ms template_ms pool_ms other_ms queries"))
	for i, sum := range series.Buckets {
		_ = out.Write(seriesLine(b.From.Add(time.Duration(i)*b.Step), sum))
	}
	out.Flush()
	return out.Error()
}

func seriesLine(at time.Time, s *requests.Sum) []string {
	line := []string{at.Format(time.RFC3339)}
	if s == nil || s.N == 0 {
		return append(line, "0", "0", "", "", "", "", "", "", "", "", "", "", "")
	}
	number := func(f float64) { line = append(line, strconv.FormatFloat(math.Round(f*1000)/1000, 'f', -1, 64)) }
	number(s.N)
	number(s.Failed)
	for _, q := range []float64{0.5, 0.75, 0.95, 0.99} {
		number(s.Durations.Quantile(q) / 1000)
	}
	for _, cat := range []trace.Category{trace.DB, trace.Cache, trace.HTTP, trace.Template, trace.Pool, trace.Other} {
		number(s.Time[cat] / s.N / 1000)
	}
	number(s.QueryCount / s.N)
	return line
}
