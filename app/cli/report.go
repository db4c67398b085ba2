package cli

import (
	"context"
	"fmt"
	"time"

	"kibitz/app/db"
	"kibitz/app/mail"
	"kibitz/app/requests"
	"kibitz/app/switches"
	"kibitz/views"
)

// reports wires the mailed report. A wrong smtp.url is found at the start, not on a Monday morning.
func (p *Program) reports() (*requests.Reports, error) {
	cfg := p.config.Report
	o := requests.ReportOptions{Base: p.base, From: cfg.From, To: cfg.To, Schedule: cfg.Schedule, On: p.features.gate(switches.OwnReports)}
	if address := p.config.SMTP.URL; address != "" {
		server, err := mail.New(address)
		if err != nil {
			return nil, fmt.Errorf("smtp.url: %w", err)
		}
		o.Server = server
	}
	return requests.NewReports(p.Store, p.Requests, p.Health, p.log, o), nil
}

// report is `kibitz report preview|send`. It works beside a running server.
func report(ctx context.Context, c *call) error {
	if len(c.args) == 0 || c.args[0] != "preview" && c.args[0] != "send" {
		return c.wrong("say `kibitz report preview [--html]` or `kibitz report send`")
	}
	f := c.flags("report " + c.args[0])
	html := f.Bool("html", false, "print it as HTML")
	if err := f.Parse(c.args[1:]); err != nil || f.NArg() > 0 {
		return c.wrong("say `kibitz report preview [--html]` or `kibitz report send`")
	}
	return withStore(ctx, c, func(p *Program) error {
		ctx := db.With(ctx, db.Jobs)
		if c.args[0] == "send" {
			if err := p.Reports.SendNow(ctx, time.Now()); err != nil {
				return plain(err)
			}
			fmt.Fprintln(c.out, "sent to", len(c.config.Report.To), "addresses")
			return nil
		}
		props, err := p.Reports.Preview(ctx, time.Now())
		if err != nil {
			return plain(err)
		}
		if *html {
			return views.ReportMail(props).Render(ctx, c.out)
		}
		fmt.Fprint(c.out, views.ReportText(props))
		return nil
	})
}
