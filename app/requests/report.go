package requests

import (
	"cmp"
	"context"
	"fmt"
	"log/slog"
	"net/url"
	"slices"
	"strings"
	"time"

	"kibitz/app/errs"
	"kibitz/app/mail"
	"kibitz/app/model"
	"kibitz/app/store"
	"kibitz/views"
)

const (
	// reportHour is when reports are due, UTC: before people come to work in Europe. Weekly ones are due on Mondays.
	reportHour = 6
	// reportEvery is how often it is looked whether one is due; a mail that failed is tried again then.
	reportEvery = 5 * time.Minute
	// How many lines a report has of each kind.
	reportStatements, reportEndpoints, reportFindings = 20, 10, 20
)

// Reports makes the mailed report, and sends it once for each day or week.
type Reports struct {
	store    *store.Store
	requests *Requests
	health   *Health
	log      *slog.Logger
	options  ReportOptions
}

// ReportOptions say where reports go. With nobody in To, or without a Server, none is sent.
type ReportOptions struct {
	Base     string // address of the dashboard
	From     string
	To       []string
	Schedule string // daily, weekly or off
	Server   *mail.Server
	On       func() bool // whether one that is due is sent now; nil always
}

// NewReports makes the use cases.
func NewReports(s *store.Store, r *Requests, h *Health, log *slog.Logger, o ReportOptions) *Reports {
	return &Reports{s, r, h, log, o}
}

// Run sends reports when they are due until ctx ends.
func (r *Reports) Run(ctx context.Context) {
	if r.options.Schedule == "off" || len(r.options.To) == 0 || r.options.Server == nil {
		return
	}
	tick := time.NewTicker(reportEvery)
	defer tick.Stop()
	for {
		if r.options.On != nil && !r.options.On() {
			// One that is due waits.
		} else if err := r.SendDue(ctx, time.Now()); err != nil && ctx.Err() == nil {
			r.log.Error("cannot send the report; trying again", "err", err)
		}
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
	}
}

// reportPeriod is the last period of a schedule that has ended by now, and its name.
func reportPeriod(schedule string, now time.Time) (p model.Period, name, title string) {
	due := now.UTC().Add(-reportHour * time.Hour)
	day := time.Date(due.Year(), due.Month(), due.Day(), 0, 0, 0, 0, time.UTC)
	if schedule == "daily" {
		p.From, p.To = day.AddDate(0, 0, -1), day
		return p, p.From.Format(time.DateOnly), p.From.Format("Monday, 2 January 2006")
	}
	monday := day.AddDate(0, 0, -(int(day.Weekday())+6)%7)
	p.From, p.To = monday.AddDate(0, 0, -7), monday
	year, week := p.From.ISOWeek()
	return p, fmt.Sprintf("%d-W%02d", year, week), fmt.Sprintf("Week %d of %d", week, year)
}

// SendDue sends the report of the last period unless that was done. One process sends while it holds a lock, and notes the
// period after the server has taken the mail: a process that dies in between sends it again, under the same Message-ID. Before
// the first one a whole period must have passed.
func (r *Reports) SendDue(ctx context.Context, now time.Time) error {
	period, name, title := reportPeriod(r.options.Schedule, now)
	_, err := r.store.HoldReports(ctx, func(ctx context.Context) error {
		last, err := r.store.ReportSent(ctx, r.options.Schedule)
		if err != nil || last >= name { // names sort as their days do
			return err
		}
		if last != "" {
			if err := r.send(ctx, period, name, title, now); err != nil {
				return err
			}
			r.log.Info("report sent", "period", name, "to", len(r.options.To))
		}
		return r.store.SetReportSent(ctx, r.options.Schedule, name)
	})
	return err
}

// SendNow sends the report of the last period at once, whether or not that was done. Errors that a visitor can mend are
// errs.Unprocessable.
func (r *Reports) SendNow(ctx context.Context, now time.Time) error {
	switch {
	case r.options.Server == nil:
		return errs.New(errs.Unprocessable, "No mail server is known: set smtp.url.")
	case len(r.options.To) == 0:
		return errs.New(errs.Unprocessable, "Nobody is to get the report: set report.to.")
	}
	period, name, title := reportPeriod(r.options.Schedule, now)
	return r.send(ctx, period, name+"-"+fmt.Sprint(now.Unix()), title, now)
}

func (r *Reports) send(ctx context.Context, period model.Period, name, title string, now time.Time) error {
	props, err := r.make(ctx, period, title)
	if err != nil {
		return err
	}
	var html strings.Builder
	if err := views.ReportMail(props).Render(ctx, &html); err != nil {
		return fmt.Errorf("cannot write the report: %w", err)
	}
	host := "kibitz.localhost"
	if u, err := url.Parse(r.options.Base); err == nil && u.Hostname() != "" {
		host = u.Hostname()
	}
	return r.options.Server.Send(ctx, mail.Message{ID: "report-" + r.options.Schedule + "-" + name + "@" + host, From: r.options.From, To: r.options.To,
		Subject: props.Subject(), Text: views.ReportText(props), HTML: html.String(), Automatically: true})
}

// Preview is the report that would be sent now, as props for both of its forms.
func (r *Reports) Preview(ctx context.Context, now time.Time) (views.ReportProps, error) {
	period, _, title := reportPeriod(r.options.Schedule, now)
	return r.make(ctx, period, title)
}

// make reads what a report says: statements and endpoints of the period, and the health of now.
func (r *Reports) make(ctx context.Context, p model.Period, title string) (views.ReportProps, error) {
	props := views.ReportProps{Title: title, From: p.From, To: p.To, Base: strings.TrimSuffix(r.options.Base, "/")}
	projects, err := r.store.Projects(ctx)
	if err != nil {
		return props, err
	}
	slugs := map[int64]string{}
	for _, project := range projects {
		slugs[project.ID] = project.Slug
	}
	if err := r.addStatements(ctx, &props, p, slugs); err != nil {
		return props, err
	}
	if err := r.addEndpoints(ctx, &props, p, slugs); err != nil {
		return props, err
	}
	return props, r.addHealth(ctx, &props)
}

func (r *Reports) addStatements(ctx context.Context, props *views.ReportProps, p model.Period, slugs map[int64]string) error {
	top, err := r.store.TopStatements(ctx, p.From, p.To, reportStatements)
	if err != nil {
		return err
	}
	for _, t := range top {
		q := url.Values{"project": {slugs[t.ProjectID]}, "from": {p.From.Format(time.RFC3339)}, "to": {p.To.Format(time.RFC3339)}}
		props.Statements = append(props.Statements, views.ReportStatement{Project: slugs[t.ProjectID], SQL: t.SQL, Total: t.Total, Max: t.Max, Calls: t.N, Share: t.Share,
			Mean: time.Duration(float64(t.Total) / max(t.N, 1)), URL: fmt.Sprintf("%s/queries/%016x?%s", props.Base, t.Fingerprint, q.Encode())})
	}
	return nil
}

func (r *Reports) addEndpoints(ctx context.Context, props *views.ReportProps, p model.Period, slugs map[int64]string) error {
	ids := make([]int64, 0, len(slugs))
	for id := range slugs {
		ids = append(ids, id)
	}
	slices.Sort(ids)
	sums, err := r.requests.EndpointSums(ctx, ids, p)
	if err != nil {
		return err
	}
	spent := func(s EndpointSum) (us float64) {
		for _, part := range s.Time {
			us += part
		}
		return us
	}
	slices.SortStableFunc(sums, func(a, b EndpointSum) int { return cmp.Compare(spent(b), spent(a)) })
	for _, s := range sums[:min(len(sums), reportEndpoints)] {
		q := url.Values{"project": {slugs[s.Project]}, "method": {s.Method}, "name": {s.Name}, "from": {p.From.Format(time.RFC3339)}, "to": {p.To.Format(time.RFC3339)}}
		props.Endpoints = append(props.Endpoints, views.ReportEndpoint{Project: slugs[s.Project], Name: strings.TrimSpace(s.Method + " " + s.Name), N: s.N, Failed: s.Failed / max(s.N, 1),
			Total: fromMicros(spent(s)), P95: fromMicros(s.Durations.Quantile(0.95)), URL: props.Base + "/endpoint?" + q.Encode()})
	}
	return nil
}

// addHealth takes the last check, or makes one.
func (r *Reports) addHealth(ctx context.Context, props *views.ReportProps) error {
	report := r.health.Report()
	if report.At.IsZero() {
		if err := r.health.Check(ctx); err != nil {
			return err
		}
		report = r.health.Report()
	}
	props.Checked = report.At
	for _, f := range report.Findings {
		switch {
		case f.Verdict == model.Unknown:
			props.Unknown++
		case f.Verdict != model.Healthy && len(props.Findings) < reportFindings:
			props.Findings = append(props.Findings, f)
		}
	}
	return nil
}
