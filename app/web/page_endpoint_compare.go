package web

import (
	"cmp"
	"slices"
	"strings"

	"github.com/gofiber/fiber/v2"

	"kibitz/app/model"
	"kibitz/app/requests"
	"kibitz/app/trace"
	"kibitz/views"
)

// compareSides lays two releases, or two answers of a switch, side by side.
func (s *Server) compareSides(c *fiber.Ctx, e requests.Endpoint, series *requests.Series, switches []requests.SwitchSum, p model.Period) (views.Comparison, error) {
	if c.Query("by") == "switch" {
		return compareSwitch(switches, c.Query("a"), c.Query("b")), nil
	}
	var ids []int32
	for id := range series.ByRelease {
		ids = append(ids, id)
	}
	names, err := s.requests.Names(c.UserContext(), ids)
	if err != nil {
		return views.Comparison{}, err
	}
	slices.SortFunc(ids, func(a, b int32) int { return cmp.Compare(b, a) }) // newest first
	out := views.Comparison{By: strings.Clone(c.Query("by")), A: strings.Clone(c.Query("a")), B: strings.Clone(c.Query("b"))}
	byName := map[string]int32{}
	for _, id := range ids {
		name := cmp.Or(names[id].Value, "no release")
		byName[name] = id
		out.Choices = append(out.Choices, views.Choice{Value: name, Name: name})
	}
	if out.By == "" || len(out.Choices) < 2 {
		return out, nil
	}
	if _, ok := byName[out.A]; !ok {
		out.A = out.Choices[1].Value
	}
	if _, ok := byName[out.B]; !ok {
		out.B = out.Choices[0].Value
	}
	return s.compareReleases(c, e, series, p, out, byName[out.A], byName[out.B])
}

func (s *Server) compareReleases(c *fiber.Ctx, e requests.Endpoint, series *requests.Series, p model.Period, out views.Comparison, a, b int32) (views.Comparison, error) {
	left, right := series.ByRelease[a], series.ByRelease[b]
	out.Left = views.Side{Name: out.A, Timing: timing(left, e.Apdex), Durations: bins(left.Durations, 1000)}
	out.Right = views.Side{Name: out.B, Timing: timing(right, e.Apdex), Durations: bins(right.Durations, 1000)}
	out.Rows = categoryDifferences(out.Left.Timing, out.Right.Timing)
	sums, texts, err := s.requests.StatementsByRelease(c.UserContext(), e, p)
	if err != nil {
		return out, err
	}
	byText := map[string]*views.Difference{}
	for i := range sums {
		r := &sums[i]
		side := left
		if r.Release == b {
			side = right
		} else if r.Release != a {
			continue
		}
		if side.N == 0 {
			continue
		}
		text := cmp.Or(texts[r.Statement].SQL, "other statements")
		d := byText[text]
		if d == nil {
			d = &views.Difference{Category: trace.DB, Name: text}
			byText[text] = d
		}
		if r.Release == a {
			d.Left, d.LeftN = micros(r.Total/side.N), r.N/side.N
		} else {
			d.Right, d.RightN = micros(r.Total/side.N), r.N/side.N
		}
	}
	for _, d := range byText {
		out.Rows = append(out.Rows, *d)
	}
	return out, nil
}

func categoryDifferences(left, right views.Timing) (rows []views.Difference) {
	for c := range trace.Categories {
		d := views.Difference{Category: trace.Category(c), Left: left.Time[c], Right: right.Time[c]}
		if trace.Category(c) == trace.DB {
			d.LeftN, d.RightN = left.Queries, right.Queries
		}
		rows = append(rows, d)
	}
	return rows
}

func compareSwitch(sums []requests.SwitchSum, a, b string) views.Comparison {
	out := views.Comparison{By: "switch", A: strings.Clone(a), B: strings.Clone(b)}
	at := map[string]*requests.SwitchSum{}
	for i := range sums {
		name := sums[i].Label
		at[name] = &sums[i]
		out.Choices = append(out.Choices, views.Choice{Value: name, Name: strings.Replace(name, "=", " ", 1)})
	}
	if len(sums) < 2 {
		return out
	}
	if at[out.A] == nil {
		out.A = sums[0].Label
	}
	if at[out.B] == nil {
		out.B = sums[1].Label
	}
	left, right := switchTiming(at[out.A]), switchTiming(at[out.B])
	out.Left = views.Side{Name: out.A, Timing: left, Durations: bins(at[out.A].Durations, 1000)}
	out.Right = views.Side{Name: out.B, Timing: right, Durations: bins(at[out.B].Durations, 1000)}
	out.Rows = categoryDifferences(left, right)
	return out
}
