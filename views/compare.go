package views

import (
	"net/url"

	"github.com/a-h/templ"

	"kibitz/app/model"
	"kibitz/grouping"
)

// CompareProps is two events side by side, or the form that asks for them.
type CompareProps struct {
	A, B      string // as they were asked for
	Project   string // slug of the project that a bare event id is looked for in
	Error     string
	Rehearsal int64          // whose rules group the events; 0 for those of today
	Left      *ComparedEvent // nil while nothing is chosen
	Right     *ComparedEvent
	Result    grouping.Comparison
	SameHere  bool // both are in one issue now
}

// ComparedEvent is one of them.
type ComparedEvent struct {
	Name     string // A or B
	ShortID  string
	Issue    model.Issue
	Row      model.StoredEvent
	Grouping grouping.Result
}

func compareURL(a string) templ.SafeURL {
	return templ.SafeURL("/compare?" + url.Values{"a": {a}}.Encode())
}

// compareSequel says what the sentence leaves open: that people, or rules of another day, decided otherwise.
func compareSequel(p CompareProps) string {
	switch {
	case p.Result.Together && !p.SameHere:
		return "They are in different issues all the same: they arrived while other rules were in force, or somebody split them."
	case !p.Result.Together && p.SameHere:
		return "They are in one issue all the same: issues were merged, or other rules were in force when they arrived."
	case p.SameHere:
		return "They are in one issue."
	}
	return "They are in different issues."
}

// side is what one event has where it differs.
func side(c *grouping.Component) string {
	if c == nil {
		return ""
	}
	return joined(c.Values...)
}

func differenceName(d grouping.Difference) string {
	if d.A != nil {
		return componentName(d.A)
	}
	return componentName(d.B)
}

// shownDifferences bounds the table; the trees mark them all.
const shownDifferences = 12

func treeFor(v *grouping.Variant, marked map[*grouping.Component]bool) []branch {
	if v == nil {
		return nil
	}
	return treeOf(v.Root, marked)
}
