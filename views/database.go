package views

import (
	"fmt"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/a-h/templ"

	"kibitz/app/model"
)

// DatabaseProps is the health of all databases.
type DatabaseProps struct {
	At       time.Time // of the check; the zero time before the first
	Took     time.Duration
	Node     string // of which only is shown; "" for all
	Verdict  string // the same
	Nodes    []string
	Counts   map[model.Verdict]int // of the node that was chosen
	Findings []model.Finding
	Servers  []DatabaseServer
}

// DatabaseServer is one server.
type DatabaseServer struct {
	Names    string // "forums, posts, users, ops"
	Facts    model.ServerFacts
	Down     string // why it cannot be asked; "" when it can
	Tiles    []VitalTile
	Settings []SettingRow
}

// SettingRow is a setting with its value in words.
type SettingRow struct{ Name, Value, Source string }

// verdicts are the states that findings can be narrowed to, worst first.
var verdicts = []struct {
	verdict model.Verdict
	name    string
}{{model.Bad, "Wrong"}, {model.Warn, "To look at"}, {model.Unknown, "Not enough data"}, {model.Healthy, "Well"}}

func (p DatabaseProps) with(node, verdict string) templ.SafeURL {
	q := url.Values{}
	if node != "" {
		q.Set("node", node)
	}
	if verdict != "" {
		q.Set("verdict", verdict)
	}
	if len(q) == 0 {
		return "/database"
	}
	return templ.SafeURL("/database?" + q.Encode())
}

// summary says the health in a sentence.
func (p DatabaseProps) summary() string {
	total := 0
	for _, n := range p.Counts {
		total += n
	}
	var parts []string
	for _, v := range verdicts {
		if n := p.Counts[v.verdict]; n > 0 {
			parts = append(parts, fmt.Sprintf("%d %s", n, strings.ToLower(v.name)))
		}
	}
	return fmt.Sprintf("Of %d answers %s.", total, strings.Join(parts, ", "))
}

// tone is the loudest of the answers.
func (p DatabaseProps) tone() string {
	switch {
	case p.Counts[model.Bad] > 0:
		return "bad"
	case p.Counts[model.Warn] > 0:
		return "warn"
	}
	return "ok"
}

func roleText(f model.ServerFacts) string {
	if f.Recovery {
		return "replica"
	}
	return "primary"
}

// versionText is 15.18 of 150018.
func versionText(n int) string {
	if n == 0 {
		return "unknown"
	}
	return fmt.Sprintf("%d.%d", n/10000, n%10000)
}

// SettingRows are a server's settings by name, with units put in words.
func SettingRows(settings map[string]model.Setting) (out []SettingRow) {
	for name, s := range settings {
		out = append(out, SettingRow{name, settingValue(s), s.Source})
	}
	slices.SortFunc(out, func(a, b SettingRow) int { return strings.Compare(a.Name, b.Name) })
	return out
}

func settingValue(s model.Setting) string {
	var n, unit int64
	if _, err := fmt.Sscan(s.Value, &n); err == nil && n >= 0 {
		unit = map[string]int64{"8kB": 8 << 10, "kB": 1 << 10, "MB": 1 << 20, "B": 1}[s.Unit]
	}
	if unit > 0 {
		return byteText(n * unit)
	}
	if s.Unit != "" {
		return s.Value + " " + s.Unit
	}
	return s.Value
}

// loud tells whether a finding stands open: what is wrong is read, not looked for.
func loud(f model.Finding) bool {
	return f.Verdict == model.Bad || f.Verdict == model.Warn
}
