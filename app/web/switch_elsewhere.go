package web

import (
	"context"
	"slices"
	"strings"
	"time"

	"github.com/gofiber/fiber/v2"

	"kibitz/app/impact"
	"kibitz/app/model"
	"kibitz/app/rollout"
	"kibitz/app/switches"
	"kibitz/views"
	"kibitz/views/charts"
)

// How switches show on other pages.
const (
	pulseFlips   = 6
	flipsLooked  = 60 // changes of which the latest flips are taken
	shownSuspect = 4
)

// productionOf is the first environment, where people are; "" without switches.
func (s *Server) productionOf() string {
	if s.board == nil {
		return ""
	}
	if all := s.board.Environments(); len(all) > 0 {
		return all[0]
	}
	return ""
}

// ofProject tells whether a switch's flips matter to a project: its own, and those of all.
func ofProject(slug string) func(model.Flip) bool {
	return func(f model.Flip) bool { return slug == "" || f.Project == "" || f.Project == slug }
}

// switchMarkers are the flips of a period on a page's graphs. A page is shown without them when they cannot be read.
func (s *Server) switchMarkers(ctx context.Context, slug string, p model.Period) ([]charts.Marker, error) {
	env := s.productionOf()
	if env == "" {
		return nil, nil
	}
	var unknown bool
	list, err := s.flipMarkers(ctx, env, p, ofProject(slug))
	return list, readable(err, &unknown)
}

// pulseSwitches fills the panel of the latest flips.
func (s *Server) pulseSwitches(c *fiber.Ctx, p *views.PulseProps, project *model.Project) error {
	env := s.productionOf()
	if env == "" {
		return nil
	}
	var unknown bool
	changes, err := s.board.History(c.UserContext(), env, "", 0, flipsLooked)
	if err := readable(err, &unknown); err != nil {
		return err
	}
	for _, ch := range changes {
		if f, ok := flipOf(ch, env); ok && len(p.Flips) < pulseFlips && (project == nil || f.Project == "" || f.Project == project.Slug) {
			p.Flips = append(p.Flips, s.withProject(f.Flip, env))
		}
	}
	return nil
}

// projectFlip is a flip and whose switch it is.
type projectFlip struct {
	views.Flip
	Project string
}

// flipOf is a change of who sees a switch; ok is false for any other.
func flipOf(ch rollout.Change, env string) (f projectFlip, ok bool) {
	f.Flip = views.Flip{At: ch.At, Key: ch.Key, Before: views.StateText(ch.Before), After: views.StateText(ch.After), Who: ch.By.Name, Comment: ch.Why, URL: views.SwitchPath(ch.Key, "", "")}
	switch {
	case ch.Action == "kill" || ch.Action == "unkill":
		f.Killed = ch.Action == "kill"
		f.Before, f.After = "killed", "released"
		if f.Killed {
			f.Before, f.After = "in use", "killed"
		}
		return f, true
	case ch.After == nil || f.Before == f.After:
		return f, false
	}
	f.Share, f.Project = views.Share(*ch.After), ch.After.Project
	return f, true
}

// withProject gives a flip the share that its switch has now, when the flip itself does not tell.
func (s *Server) withProject(f views.Flip, env string) views.Flip {
	if e, ok := s.board.Entry(env, f.Key); ok && f.After == "released" {
		f.Share = views.Share(e.Switch)
	} else if !ok {
		f.URL = ""
	}
	return f
}

// knownSwitches gives an endpoint's switches the addresses of their pages, and what they are set to.
func (s *Server) knownSwitches(rows []views.SwitchRow) {
	env := s.productionOf()
	if env == "" {
		return
	}
	for i := range rows {
		if e, ok := s.board.Entry(env, rows[i].Key); ok {
			rows[i].URL, rows[i].Killed = views.SwitchPath(e.Key, "", ""), e.Killed
		}
	}
}

// issueSwitches fills the suspects of an issue, and the flips of its graph.
func (s *Server) issueSwitches(c *fiber.Ctx, p *views.IssueProps) error {
	env := s.productionOf()
	if env == "" {
		return nil
	}
	var unknown bool
	suspects, err := s.impact.Suspects(c.UserContext(), p.Issue.ID)
	if err := readable(err, &unknown); err != nil {
		return err
	}
	scope, err := s.switchScope(c, env)
	if err != nil {
		return err
	}
	for _, x := range suspects[:min(len(suspects), shownSuspect)] {
		p.Suspects = append(p.Suspects, s.suspect(x, scope))
	}
	p.Markers, err = s.switchMarkers(c.UserContext(), p.Project.Slug, model.Period{From: p.From, To: p.To})
	return err
}

func (s *Server) suspect(x impact.Suspect, scope views.SwitchScope) views.SuspectRow {
	row := views.SuspectRow{SwitchScope: scope, Key: x.Key, Variant: x.Variant, Text: x.Text, Ratio: x.Ratio.Value, Low: x.Ratio.Low, High: x.Ratio.High, ByErrors: x.ByErrors,
		InEvents: partOf(float64(x.Events), float64(x.Events+x.Others)), InExposed: partOf(x.Exposed, x.Exposed+x.ExposedOthers)}
	if e, ok := s.board.Entry(scope.Env, x.Key); ok {
		row.URL, row.State, row.Share = views.SwitchPath(e.Key, "", ""), views.SwitchState(e.Switch), views.Share(e.Switch)
		row.Live = !e.Killed && e.State != switches.Off && !isOff(x.Variant)
		if a := s.alarm(e, time.Now()); a != nil {
			row.Guard = a.Text
		}
	}
	row.Text = strings.TrimSuffix(row.Text, ".")
	return row
}

// inOrder puts markers of several kinds together.
func inOrder(lists ...[]charts.Marker) []charts.Marker {
	out := slices.Concat(lists...)
	slices.SortStableFunc(out, func(a, b charts.Marker) int { return a.At.Compare(b.At) })
	return out
}
