package web

import (
	"cmp"
	"net/url"
	"strings"
	"time"

	"github.com/gofiber/fiber/v2"

	"kibitz/app/errs"
	"kibitz/app/issues"
	"kibitz/app/model"
	"kibitz/app/requests"
	"kibitz/app/trace"
	"kibitz/views"
)

// getRequest is one request with its waterfall: GET /requests/:trace and /requests/:trace/:span. The latter names one of
// the programs that a trace passed through; without it the first is shown.
func (s *Server) getRequest(c *fiber.Ctx) error {
	chrome, err := s.chrome(c, "Request", "requests")
	if err != nil {
		return err
	}
	id, ok := trace.ParseID(c.Params("trace"))
	if !ok {
		return errs.New(errs.NotFound, "A trace's id is 32 hexadecimal digits.")
	}
	all, err := s.requests.Trace(c.UserContext(), id)
	if errs.Of(err) == errs.NotFound {
		gone := views.RequestGoneProps{Trace: id.String(), Days: time.Duration(s.requests.Days()) * 24 * time.Hour}
		return s.render(c, fiber.StatusNotFound, views.RequestGonePage(chrome, gone))
	}
	if err != nil {
		return err
	}
	at, err := chooseRequest(all, c.Params("span"))
	if err != nil {
		return err
	}
	project := projectByID(chrome.Projects, all[at].Row.ProjectID)
	chrome.Project = &project
	chrome.Title = strings.TrimSpace(all[at].Request.Method + " " + all[at].Request.Name)
	props, err := s.requestProps(c, project, all, at)
	if err != nil {
		return err
	}
	return s.render(c, fiber.StatusOK, views.RequestPage(chrome, props))
}

// chooseRequest is the place of the request that an address names.
func chooseRequest(all []requests.Traced, span string) (int, error) {
	if span == "" {
		return 0, nil
	}
	id, ok := trace.ParseSpanID(span)
	for i := range all {
		if ok && all[i].Row.Span == id {
			return i, nil
		}
	}
	return 0, errs.New(errs.NotFound, "This trace has no such request.")
}

func (s *Server) requestProps(c *fiber.Ctx, project model.Project, all []requests.Traced, at int) (props views.RequestProps, err error) {
	ctx, this := c.UserContext(), &all[at]
	props = views.RequestProps{Project: project, Request: this.Request, View: views.ParseRequestView(queryOf(c)), Segments: s.segments(all, at),
		OneIn: float64(s.keepOneIn), EndpointURL: endpointPath(project, this.Endpoint), JSONURL: requestURL(&this.Request) + "/json"}
	if this.Kept {
		props.Kept = this.Row.Kept.String()
		if props.Findings, props.Reasons, err = s.findings(c, project, this); err != nil {
			return props, err
		}
		if props.Server, err = s.serverCalls(c, project, &this.Request); err != nil {
			return props, err
		}
	}
	around, err := s.requests.Around(ctx, this.Row)
	if err != nil {
		return props, err
	}
	props.Standing = views.RequestStanding{SlowerThan: around.SlowerThan, Median: around.Median, MedianQueries: around.MedianQueries, N: around.N}
	props.Faster, props.Slower = listedURL(around.Faster), listedURL(around.Slower)
	props.Before, props.After = neighbour(around.Before), neighbour(around.After)
	logs, total, err := s.requests.LogsOf(ctx, project.ID, this.Row.Trace)
	if err != nil {
		return props, err
	}
	props.Logs, props.MoreLogs = logs, int(total)-len(logs)
	props.Error, err = s.linkedError(c, project, this.Row.Trace)
	return props, err
}

// serverCalls are what the logs of database servers tell of a request.
func (s *Server) serverCalls(c *fiber.Ctx, project model.Project, q *trace.Request) (out []views.ServerCall, err error) {
	sides, err := s.requests.ServerSides(c.UserContext(), project.ID, q)
	for i := range sides {
		side := &sides[i]
		out = append(out, views.ServerCall{Span: side.Span.ID, Text: side.Span.Text, Client: side.Span.Duration - side.Span.Pool, Server: side.Call.Duration, PID: side.Call.PID,
			Certain: side.Certain, Params: side.Call.Params, Plan: side.Call.Plan, Note: side.Call.Note})
	}
	return out, err
}

// segments are the requests of a trace as the waterfall shows them.
func (s *Server) segments(all []requests.Traced, at int) (list []views.Segment) {
	if !all[at].Kept {
		return nil
	}
	for i := range all {
		if !all[i].Kept {
			continue
		}
		seg := views.Segment{Request: all[i].Request}
		if i != at {
			seg.URL = requestURL(&all[i].Request)
		}
		list = append(list, seg)
	}
	return list
}

func requestURL(q *trace.Request) string {
	return "/requests/" + q.Trace.String() + "/" + q.Span.String()
}

func listedURL(l *requests.Listed) string {
	if l == nil {
		return ""
	}
	return requestURL(&l.Request)
}

func neighbour(l *requests.Listed) views.Neighbour {
	if l == nil {
		return views.Neighbour{}
	}
	return views.Neighbour{URL: requestURL(&l.Request), Name: strings.TrimSpace(l.Request.Method + " " + l.Request.Name), Duration: l.Row.Duration}
}

// linkedError is the issue of the newest error event that names a trace; nil when none does.
func (s *Server) linkedError(c *fiber.Ctx, project model.Project, id trace.ID) (*views.LinkedError, error) {
	events, err := s.requests.EventsOf(c.UserContext(), project.ID, id)
	if err != nil || len(events) == 0 {
		return nil, err
	}
	issue, err := s.issues.ByID(c.UserContext(), events[0].IssueID)
	if err != nil {
		return nil, err
	}
	linked := &views.LinkedError{Issue: issue, ShortID: issues.ShortID(project.Slug, issue.Number), EventID: events[0].EventID}
	for _, e := range events {
		if e.IssueID != events[0].IssueID {
			linked.More++
		}
	}
	return linked, nil
}

// getRequestJSON is a request and its spans as JSON: GET /requests/:trace/:span/json.
func (s *Server) getRequestJSON(c *fiber.Ctx) error {
	id, ok := trace.ParseID(c.Params("trace"))
	if !ok {
		return errs.New(errs.NotFound, "A trace's id is 32 hexadecimal digits.")
	}
	all, err := s.requests.Trace(c.UserContext(), id)
	if err != nil {
		return err
	}
	at, err := chooseRequest(all, c.Params("span"))
	if err != nil {
		return err
	}
	return c.JSON(fiber.Map{"request": requests.LineOf(&all[at].Listed), "url": cmp.Or(all[at].Request.URL, ""), "spans": requests.SpanLines(&all[at].Request)})
}

// queryOf is the query of an address, copied.
func queryOf(c *fiber.Ctx) url.Values {
	q, err := url.ParseQuery(string(c.Context().URI().QueryString()))
	if err != nil {
		return url.Values{}
	}
	return q
}

// endpointPath is the page of an endpoint.
func endpointPath(project model.Project, e model.Endpoint) string {
	q := url.Values{"project": {project.Slug}, "method": {e.Method}, "name": {e.Name}}
	if e.Service != "" {
		q.Set("service", e.Service)
	}
	return "/endpoint?" + q.Encode()
}

// findings are what detectors find in a request that is kept, and why the others do not.
func (s *Server) findings(c *fiber.Ctx, project model.Project, t *requests.Traced) (list []views.RequestFinding, reasons []views.DetectorReason, err error) {
	found, why := s.requests.Detect(&t.Request, t.Endpoint)
	numbers, err := s.requests.FindingIssues(c.UserContext(), project.ID, found)
	if err != nil {
		return nil, nil, err
	}
	for i, f := range found {
		one := views.RequestFinding{Kind: f.Kind.String(), Title: f.Title, Text: f.Evidence.Suggestion, Wasted: f.Wasted, Spans: f.Evidence.Spans}
		if numbers[i] != 0 {
			one.ShortID = issues.ShortID(project.Slug, numbers[i])
		}
		list = append(list, one)
	}
	for _, r := range why {
		reasons = append(reasons, views.DetectorReason{Detector: r.Kind.String(), Why: r.String()})
	}
	return list, reasons, nil
}
