package cli

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"

	"kibitz/app/issues"
)

// project is `kibitz project add SLUG` and `kibitz project list`. Both work beside a running server.
func project(ctx context.Context, c *call) error {
	if len(c.args) == 0 {
		return c.wrong("say `kibitz project add SLUG` or `kibitz project list`")
	}
	switch c.args[0] {
	case "add":
		return projectAdd(ctx, c)
	case "list":
		return projectList(ctx, c)
	}
	return c.wrong("there is no `kibitz project %s`; there are add and list", c.args[0])
}

func projectAdd(ctx context.Context, c *call) error {
	f := c.flags("project add")
	platform := f.String("platform", "", "the language: "+strings.Join(issues.Platforms, ", "))
	name := f.String("name", "", "a name for people; the slug when absent")
	slug, err := oneWord(f, c.args[1:])
	if err != nil {
		return c.wrong("%v: kibitz project add SLUG [--platform P] [--name N]", err)
	}
	return withStore(ctx, c, func(p *Program) error {
		if *name == "" {
			*name = slug
		}
		_, key, err := p.Projects.Add(ctx, *name, slug, *platform)
		if err != nil {
			return plain(err)
		}
		dsn, err := issues.DSN(p.base, key)
		if err != nil {
			return err
		}
		fmt.Fprintln(c.out, "dsn:", dsn)
		return nil
	})
}

type projectLine struct {
	ID       int64  `json:"id"`
	Slug     string `json:"slug"`
	Name     string `json:"name"`
	Platform string `json:"platform"`
	DSN      string `json:"dsn"`
	Created  string `json:"created"`
}

func projectList(ctx context.Context, c *call) error {
	f := c.flags("project list")
	asJSON := f.Bool("json", false, "print a JSON array")
	if err := f.Parse(c.args[1:]); err != nil {
		return errUsage
	}
	return withStore(ctx, c, func(p *Program) error {
		lines, err := projectLines(ctx, p)
		if err != nil {
			return err
		}
		if *asJSON {
			enc := json.NewEncoder(c.out)
			enc.SetIndent("", "  ")
			return enc.Encode(lines)
		}
		if len(lines) == 0 {
			fmt.Fprintln(c.out, "no projects yet: kibitz project add SLUG")
		}
		for _, l := range lines {
			fmt.Fprintf(c.out, "%-4d %-24s %s\n", l.ID, l.Slug, l.DSN)
		}
		return nil
	})
}

func projectLines(ctx context.Context, p *Program) ([]projectLine, error) {
	all, err := p.Projects.All(ctx)
	if err != nil {
		return nil, err
	}
	if err := p.Projects.Refresh(ctx); err != nil {
		return nil, err
	}
	keys := p.Projects.ActiveKeys()
	lines := []projectLine{}
	for _, pr := range all {
		l := projectLine{ID: pr.ID, Slug: pr.Slug, Name: pr.Name, Platform: pr.Platform, Created: pr.CreatedAt.UTC().Format("2006-01-02T15:04:05Z")}
		if k, ok := keys[pr.ID]; ok {
			if l.DSN, err = issues.DSN(p.base, k); err != nil {
				return nil, err
			}
		}
		lines = append(lines, l)
	}
	return lines, nil
}
