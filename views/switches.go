package views

import (
	"math"
	"net/url"

	"strconv"
	"strings"
	"time"

	"github.com/a-h/templ"

	"kibitz/app/model"
	"kibitz/app/switches"
	"kibitz/views/charts"
)

// SwitchScope is what all pages of switches share: the environment that is looked at, and what the reader may do.
type SwitchScope struct {
	Env          string
	Environments []string // production first
	// MayFlip lets turn on, widen and edit; MayKill lets turn off.
	MayFlip, MayKill bool
}

func (s SwitchScope) envField() string {
	if len(s.Environments) > 0 && s.Env == s.Environments[0] {
		return ""
	}
	return s.Env
}

// SwitchesProps is the table of switches.
type SwitchesProps struct {
	SwitchScope
	Tab, Query string
	Counts     map[string]int // by tab
	Rows       []SwitchLine
	From       int // of the first row, counted from 0, among Total
	Total      int
	Next, Prev int // pages; 0 none
	Alarms     []GuardAlarm
	Processes  string // "12 of 12 processes at revision 4711"
	// Unknown is set when figures could not be read: the rest of the page is still true.
	Unknown bool
}

// SwitchLine is a row of the table.
type SwitchLine struct {
	Switch  switches.Switch
	Stale   []string // why it may be removed
	Pending bool     // not in the database yet
	Broken  string   // why it answers off
	Impact  *Impact  // nil: no request named it
	Guard   GuardState
	Flipped time.Time
	By      string
	Kind    string // who flipped: person, guard, ramp ...
	Flips   []charts.Marker
}

// Impact is what requests tell of a switch: with it on, and with it off.
type Impact struct {
	Clock   charts.Clock // of the sparklines
	On, Off SwitchSide
	// Sides are all answers.
	Sides []SwitchSide
}

// SwitchSide is the requests with one answer.
type SwitchSide struct {
	Variant       string
	On            bool
	N             float64
	Seen          int64
	Subjects      int64
	Failed        float64 // share, 0 to 1
	P50, P95, P99 time.Duration
	Queries       float64
	Spark         []float64
}

// GuardState is what a guard does, in a word and its shape.
type GuardState struct{ State, Text string }

// GuardAlarm is a guard that sees harm.
type GuardAlarm struct {
	Key, Env, Text string
	Killed         bool // it has turned the switch off
	Undo           int64
}

// switchTabs are the choices of the list.
var switchTabs = []choice{{"", "All"}, {"partial", "Partly on"}, {"on", "On"}, {"off", "Off"}, {"stale", "Stale"}}

func tabPie(tab string) (state string, v float64) {
	switch tab {
	case "partial":
		return tab, 40
	case "on":
		return tab, 100
	}
	return tab, 0
}

// InTab tells whether a switch belongs into a tab of the list; "stale" is told apart by who knows.
func InTab(s switches.Switch, tab string) bool {
	state := SwitchState(s)
	if state == "killed" {
		state = "off"
	}
	return tab == "" || state == tab
}

// MatchesSwitch looks for all words of a query in a switch's key, description, owner, project, tags, sets and conditions.
func MatchesSwitch(s switches.Switch, query string) bool {
	text := []string{s.Key, s.Description, s.Owner, s.Project, strings.Join(s.Tags, " ")}
	for _, set := range s.Sets {
		text = append(text, set.Name, WhenText(set.When))
	}
	for _, o := range s.Overrides {
		text = append(text, o.Value, o.Why)
	}
	all := strings.ToLower(strings.Join(text, "\n"))
	for _, word := range strings.Fields(strings.ToLower(query)) {
		if !strings.Contains(all, word) {
			return false
		}
	}
	return true
}

func (p SwitchesProps) address(c Chrome) address {
	return newAddress("/switches", model.Period{Name: model.PeriodChoices()[0].Name}, "env", p.envField(), "tab", p.Tab, "q", p.Query, "project", slugOf(c.Project))
}

func (p SwitchesProps) summary() string {
	return plural(int64(p.Counts[""]), "switch") + " in " + p.Env + ": " + strconv.Itoa(p.Counts["on"]) + " on, " + strconv.Itoa(p.Counts["partial"]) + " partly on, " + strconv.Itoa(p.Counts["off"]) + " off"
}

// next is the address of a page of the list.
func (p SwitchesProps) page(c Chrome, n int) templ.SafeURL {
	return p.address(c).with("page", strconv.Itoa(n))
}

// failing is how loud a share of failures is beside the other side's.
func failing(side, other SwitchSide) string {
	switch {
	case side.Seen < LeastSeen || side.Failed < 0.001:
		return ""
	case other.Seen >= LeastSeen && side.Failed > 4*other.Failed && side.Failed-other.Failed > 0.005:
		return "bad"
	case side.Failed >= 0.05, other.Seen >= LeastSeen && side.Failed > 1.25*other.Failed:
		return "warn"
	}
	return ""
}

// failedBar is a share of failures as a bar in which a fifth is all of it: shares are small.
func failedBar(f float64) float64 {
	return math.Min(math.Round(math.Sqrt(math.Max(f, 0)/0.2)*1000)/10, 100)
}

// sparkLines are the requests that failed or came, by answer, on one scale.
func (i Impact) sparkLines() (on, off string) {
	top := 1e-9
	for _, s := range []SwitchSide{i.On, i.Off} {
		for _, v := range s.Spark {
			if v > top {
				top = v
			}
		}
	}
	draw := func(values []float64) string {
		path, _ := charts.Line(values, charts.Scale{Max: top}, false)
		return path
	}
	return draw(i.On.Spark), draw(i.Off.Spark)
}

func (i Impact) sparkLabel() string {
	return "Requests of the last day: " + count(int64(i.On.N)) + " with it on, " + count(int64(i.Off.N)) + " with it off"
}

// flipMarks are where flips stand on a sparkline, in the units of its drawing.
func (r SwitchLine) flipMarks() (out []string) {
	if r.Impact == nil {
		return nil
	}
	for _, m := range r.Flips {
		if x, ok := r.Impact.Clock.X(m.At); ok && len(out) < charts.MaxFlags {
			out = append(out, strconv.FormatFloat(x*10, 'f', 1, 64))
		}
	}
	return out
}

// flipper says who flipped: a name, or what did it by itself.
func flipper(by, kind string) string {
	switch kind {
	case "guard":
		return "by guard"
	case "ramp":
		return "by its plan"
	case "schedule":
		return "by schedule"
	case "cli":
		return joinedBySpace(by, "(command line)")
	case "import":
		return "imported"
	case "token":
		return joinedBySpace(orWord(by, "a program"), "(token)")
	}
	return person(by)
}

// owners are the people and teams of a switch, at most three of them drawn.
func owners(s switches.Switch) []string {
	list := strings.FieldsFunc(s.Owner, func(r rune) bool { return r == ',' || r == ';' })
	var out []string
	for _, o := range list {
		if o = strings.TrimSpace(o); o != "" {
			out = append(out, o)
		}
	}
	return out[:min(len(out), 3)]
}

// fieldID is a key as part of an id of the page.
func fieldID(prefix, key string) string {
	return prefix + strings.Map(func(r rune) rune {
		if r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' || r == '_' || r == '-' {
			return r
		}
		return '-'
	}, url.QueryEscape(key))
}

// fixedShare tells that the share of everyone cannot be moved from the list, and why.
func fixedShare(s switches.Switch) string {
	switch {
	case s.Killed:
		return "killed: release it first"
	case s.State == switches.Inherit:
		return "as its parent"
	case s.Ramp != nil && !s.Ramp.Paused && s.State == switches.Partial:
		return "its plan moves it"
	}
	return ""
}

// switchAction is what the button of a row does.
func switchAction(s switches.Switch) string {
	switch {
	case s.Killed:
		return "release"
	case s.State == switches.Off:
		return "on"
	}
	return "kill"
}

func (p SwitchesProps) empty() bool { return p.Counts[""] == 0 && p.Query == "" }

// noPeriod is for the addresses of pages that have none.
func noPeriod() model.Period { return model.Period{Name: model.PeriodChoices()[0].Name} }

func itoa64(n int64) string { return strconv.FormatInt(n, 10) }
