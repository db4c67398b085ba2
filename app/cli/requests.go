package cli

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"
	"time"

	"kibitz/app/requests"
	"kibitz/app/requests/filter"
	"kibitz/app/trace"
)

// requestsCommand is `kibitz requests list` and `kibitz requests show`. Both work beside a running server.
func requestsCommand(ctx context.Context, c *call) error {
	if len(c.args) > 0 {
		switch c.args[0] {
		case "list":
			return requestsList(ctx, c)
		case "show":
			return requestsShow(ctx, c)
		}
	}
	return c.wrong("say `kibitz requests list --project P --since 1h [--json] [FILTER]` or `kibitz requests show TRACE_ID [--json]`")
}

// pageOfRequests is how many requests a statement reads.
const pageOfRequests = 1000

func requestsList(ctx context.Context, c *call) error {
	f := c.flags("requests list")
	slug := f.String("project", "default", "the project's slug")
	since := f.Duration("since", time.Hour, "how far back, 90m or 24h say")
	limit := f.Int("limit", 0, "at most so many; 0: all")
	asJSON := f.Bool("json", false, "print a JSON line for each")
	if err := f.Parse(c.args[1:]); err != nil {
		return errUsage
	}
	want, problems := filter.Parse(strings.Join(f.Args(), " "))
	if len(problems) > 0 {
		return c.wrong("the filter cannot be read at byte %d: %s", problems[0].Pos, problems[0].Message)
	}
	return withStore(ctx, c, func(p *Program) error {
		project, err := p.Projects.Find(ctx, *slug)
		if err != nil {
			return plain(err)
		}
		now := time.Now()
		q := requests.ListQuery{Project: project.ID, Filter: want, From: now.Add(-*since), To: now.Add(time.Hour), Limit: pageOfRequests}
		return plain(eachRequest(ctx, p, q, *limit, func(l *requests.Listed) error { return printRequest(c, l, *asJSON) }))
	})
}

// eachRequest hands the requests of a query to fn, newest first, page by page; limit 0 is all.
func eachRequest(ctx context.Context, p *Program, q requests.ListQuery, limit int, fn func(*requests.Listed) error) error {
	for n := 0; ; {
		list, more, err := p.Requests.Search(ctx, q)
		if err != nil {
			return err
		}
		for i := range list {
			if n++; limit > 0 && n > limit {
				return nil
			}
			if err := fn(&list[i]); err != nil {
				return err
			}
		}
		if !more {
			return nil
		}
		q.After = list[len(list)-1].Row
	}
}

func printRequest(c *call, l *requests.Listed, asJSON bool) error {
	if asJSON {
		return json.NewEncoder(c.out).Encode(requests.LineOf(l))
	}
	t, n := &l.Row.Totals.Time, &l.Row.Totals.N
	_, err := fmt.Fprintf(c.out, "%s %3d %8.1f ms  db %d in %.1f ms  %s %s  %s\n", l.Row.Start.UTC().Format("2006-01-02 15:04:05.000"), l.Row.Status,
		float64(l.Row.Duration.Microseconds())/1000, n[trace.DB], float64(t[trace.DB].Microseconds())/1000, printable(l.Request.Method), printable(l.Request.Name), l.Request.Trace)
	return err
}

// printable keeps text from outside from steering a terminal.
func printable(text string) string {
	return strings.Map(func(r rune) rune {
		if r < ' ' || r == 0x7f || r >= 0x80 && r < 0xa0 {
			return '?'
		}
		return r
	}, text)
}

func requestsShow(ctx context.Context, c *call) error {
	f := c.flags("requests show")
	asJSON := f.Bool("json", false, "print a JSON line for each span")
	word, err := oneWord(f, c.args[1:])
	if err != nil {
		return c.wrong("%v: kibitz requests show TRACE_ID [--json]", err)
	}
	id, ok := trace.ParseID(word)
	if !ok {
		return c.wrong("a trace id is 32 hexadecimal digits")
	}
	return withStore(ctx, c, func(p *Program) error {
		list, err := p.Requests.Trace(ctx, id)
		if err != nil {
			return plain(err)
		}
		for i := range list {
			if err := printTraced(c, &list[i], *asJSON); err != nil {
				return err
			}
		}
		return nil
	})
}

func printTraced(c *call, t *requests.Traced, asJSON bool) error {
	if !t.Kept {
		fmt.Fprintf(c.err, "the spans of %s %s were counted and not kept\n", printable(t.Request.Method), printable(t.Request.Name))
	}
	for _, line := range requests.SpanLines(&t.Request) {
		if asJSON {
			if err := json.NewEncoder(c.out).Encode(line); err != nil {
				return err
			}
			continue
		}
		fmt.Fprintf(c.out, "%9.3f %9.3f ms  %-8s %-14s %s  %s\n", line.StartMS, line.DurationMS, line.Category, printable(line.Op), printable(line.Text), printable(line.Caller))
	}
	return nil
}
