package views

import (
	"cmp"
	"encoding/json"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/a-h/templ"

	"kibitz/app/switches"
)

// choice is one of a list: what is sent and what is read.
type choice struct{ value, text string }

// attributes are what a rule may ask without typing its name.
var attributes = []choice{{"user", "user id"}, {"anonymous", "anonymous id"}, {"forum", "forum"}, {"role", "role"}, {"ip", "IP range"}, {"country", "country"}, {"host", "host"},
	{"release", "release"}, {"environment", "environment"}, {"time", "time now"}, {"segment", "segment"}, {OtherAttribute, "attribute:"}}

func knownAttribute(name string) bool {
	return name != OtherAttribute && slices.ContainsFunc(attributes, func(c choice) bool { return c.value == name })
}

// opGroup is a heading of the list of comparisons.
type opGroup struct {
	name string
	ops  []choice
}

// operators are all comparisons, each followed by its contrary where people ask for it.
var operators = []opGroup{
	{"Text", []choice{{"is", "is one of"}, {"!is", "is none of"}, {"prefix", "starts with"}, {"!prefix", "does not start with"}, {"suffix", "ends with"}, {"!suffix", "does not end with"},
		{"contains", "contains"}, {"!contains", "does not contain"}, {"matches", "matches"}, {"!matches", "does not match"}, {"present", "is there"}, {"!present", "is missing"}}},
	{"Number", []choice{{"<", "less than"}, {"<=", "at most"}, {">", "more than"}, {">=", "at least"}}},
	{"Address", []choice{{"in", "is in"}, {"!in", "is not in"}}},
	{"Moment", []choice{{"before", "before"}, {"after", "at or after"}}},
	{"Version", []choice{{"older", "older than"}, {"newer", "newer than"}, {"same", "same as"}, {"!same", "not same as"}}},
	{"Group", []choice{{"within", "is in segment"}, {"!within", "is not in segment"}, {"share", "in the first % of"}, {"!share", "not in the first % of"}}},
}

// knownOp tells whether the list has a comparison; one that it lacks (a negated number) is listed by itself.
func knownOp(op string) bool {
	return slices.ContainsFunc(operators, func(g opGroup) bool { return slices.ContainsFunc(g.ops, func(c choice) bool { return c.value == op }) })
}

func opText(r switches.Rule) string {
	op := string(r.Op)
	if r.Not {
		op = "!" + op
	}
	for _, g := range operators {
		for _, c := range g.ops {
			if c.value == op {
				return c.text
			}
		}
	}
	if r.Not {
		return "not " + opText(switches.Rule{Op: r.Op})
	}
	return op
}

func attributeText(name string) string {
	for _, c := range attributes {
		if c.value == name && name != OtherAttribute {
			return c.text
		}
	}
	return name
}

// ruleText is a rule in words: country is NZ, user id is one of 17, 42.
func ruleText(r switches.Rule) string {
	op := opText(r)
	if len(r.Values) == 1 {
		switch op {
		case "is one of":
			op = "is"
		case "is none of":
			op = "is not"
		}
	}
	attribute := attributeText(r.Attribute)
	switch r.Attribute {
	case "segment":
		attribute = ""
	case "ip":
		attribute = "IP"
	}
	return joinedBySpace(attribute, op, strings.Join(r.Values, ", "))
}

// WhenText is a condition in words.
func WhenText(w switches.When) string {
	if len(w) == 0 {
		return "nobody"
	}
	var groups []string
	for _, g := range w {
		var rules []string
		for _, r := range g {
			rules = append(rules, ruleText(r))
		}
		groups = append(groups, strings.Join(rules, " and "))
	}
	return strings.Join(groups, ", or ")
}

// setChip is a set in a few words, with its share where that is not all.
func setChip(s switches.Set) string {
	text := s.Name
	if text == "" && len(s.When) == 1 && len(s.When[0]) == 1 && s.When[0][0].Attribute == "forum" && len(s.When[0][0].Values) > 1 && !s.When[0][0].Not {
		text = strconv.Itoa(len(s.When[0][0].Values)) + " forums"
	}
	if text == "" {
		text = WhenText(s.When)
	}
	text = cutText(text, 40)
	if s.Rollout.Percent < 100 {
		text += " " + perCent(s.Rollout.Percent)
	}
	return text
}

// perCent is a share of a hundred as people read it: 25 %.
func perCent(percent float64) string { return percentText(percent) + " %" }

// Share is how many of a hundred of everyone have a switch on, as it is set.
func Share(s switches.Switch) float64 {
	switch {
	case s.Killed || s.State == switches.Off:
		return 0
	case s.State == switches.On:
		return 100
	}
	return s.Everyone.Percent
}

// SwitchState is how its pie is drawn: off, partial, on, killed.
func SwitchState(s switches.Switch) string {
	switch {
	case s.Killed:
		return "killed"
	case s.State == switches.On:
		return "on"
	case s.State == switches.Off:
		return "off"
	}
	return "partial"
}

// stateText says in words what a switch is set to: off, on for 25 %.
func stateText(s switches.Switch) string {
	switch SwitchState(s) {
	case "killed":
		return "killed"
	case "on":
		return "on"
	case "off":
		return "off"
	}
	if s.State == switches.Inherit {
		return "as its parent"
	}
	text := perCent(s.Everyone.Percent)
	if n := len(s.Sets); n > 0 {
		text += " and " + plural(int64(n), "set")
	}
	return text
}

// StateText is what a switch is set to, in a few words: off, 25 %, 25 % and 2 sets.
func StateText(s *switches.Switch) string {
	if s == nil {
		return "not there"
	}
	return stateText(*s)
}

// SwitchChange is a line of what an edit changed. Before or After is "" where there was or is nothing.
type SwitchChange struct{ What, Before, After string }

// SwitchDiff is what differs between two definitions of a switch, in the order of the editor; nil is none there.
func SwitchDiff(before, after *switches.Switch) (out []SwitchChange) {
	a, b := switchFacts(before), switchFacts(after)
	used := map[string]bool{}
	for _, f := range a {
		used[f.What] = true
		if now := factOf(b, f.What); now != f.Before {
			out = append(out, SwitchChange{f.What, f.Before, now})
		}
	}
	for _, f := range b {
		if !used[f.What] {
			out = append(out, SwitchChange{f.What, "", f.Before})
		}
	}
	slices.SortStableFunc(out, func(x, y SwitchChange) int { return cmp.Compare(factRank(a, b, x.What), factRank(a, b, y.What)) })
	return out
}

func factRank(a, b []SwitchChange, what string) int {
	is := func(f SwitchChange) bool { return f.What == what }
	if i := slices.IndexFunc(b, is); i >= 0 {
		return 2 * i
	}
	return 2*slices.IndexFunc(a, is) + 1
}

func factOf(facts []SwitchChange, what string) string {
	for _, f := range facts {
		if f.What == what {
			return f.Before
		}
	}
	return ""
}

// switchFacts are a switch, one line a fact, with its value in Before.
func switchFacts(s *switches.Switch) (out []SwitchChange) {
	if s == nil {
		return nil
	}
	add := func(what, value string) {
		if value != "" {
			out = append(out, SwitchChange{What: what, Before: value})
		}
	}
	add("State", string(s.State))
	if s.Killed {
		add("Killed", "yes")
	}
	add("Everyone", perCent(s.Everyone.Percent)+splitText(s.Everyone.Split))
	for i, set := range s.Sets {
		n := strconv.Itoa(i + 1)
		add("Set "+n, joinedBySpace(quotedName(set.Name), "if", WhenText(set.When)))
		add("Set "+n+", share", perCent(set.Rollout.Percent)+splitText(set.Rollout.Split))
	}
	for _, v := range s.Variants {
		add("Variant "+v.Name, orWord(string(v.Value), "its name"))
	}
	add("Off is", s.OffVariant)
	add("On is", s.OnVariant)
	for _, r := range s.Requires {
		add("Needs "+r.Key, orWord(r.Variant, "on"))
	}
	for _, o := range s.Overrides {
		add(joinedBySpace("Override of", o.Attribute, o.Value), joined(o.Variant, untilText(o.Expires), o.Why))
	}
	for _, c := range s.Schedule {
		add("Schedule, "+inputTime(c.At), joinedBySpace(string(c.State), maybeShare(c.Percent)))
	}
	rampFacts(s.Ramp, add)
	guardFacts(s.Guard, add)
	labsFacts(s.Labs, add)
	add("Description", s.Description)
	add("Owner", s.Owner)
	add("Project", s.Project)
	add("Tags", strings.Join(s.Tags, ", "))
	add("Remove by", s.RemoveBy)
	add("Code's default", s.Default)
	add("Salt", s.Salt)
	add("Divided by", s.BucketBy)
	add("Hash", s.Hash)
	if s.Take != 0 {
		add("Shares are of", perCent(float64(s.Skip)*100/switches.Buckets)+" to "+perCent(float64(s.Skip+s.Take)*100/switches.Buckets))
	}
	return out
}

func rampFacts(r *switches.Ramp, add func(what, value string)) {
	if r == nil {
		return
	}
	var steps []string
	for _, s := range r.Steps {
		steps = append(steps, joined(perCent(s.Percent), waitText(time.Duration(s.Wait)), subjectsText(s.Subjects)))
	}
	add("Ramp", strings.Join(steps, "; "))
	add("Ramp, step", strconv.Itoa(r.At+1))
	if r.Paused {
		add("Ramp, paused", "yes")
	}
	if r.Holdout > 0 {
		add("Holdout", perCent(r.Holdout))
	}
	for i, q := range r.Quiet {
		add("Quiet hours "+strconv.Itoa(i+1), joinedBySpace(daysText(q.Days), q.From, "to", q.To))
	}
}

func guardFacts(g *switches.Guard, add func(what, value string)) {
	if g == nil {
		return
	}
	add("Guard", orWord(string(g.Mode), string(switches.GuardKill)))
	add("Guard holds at", zeroless(g.Hold))
	add("Guard kills at", zeroless(g.Kill))
	if g.Latency {
		add("Guard, slower answers", "are harm")
	}
	if g.Queries {
		add("Guard, more queries", "are harm")
	}
	add("Guard waits", untilText(g.PausedUntil))
}

func labsFacts(l *switches.Labs, add func(what, value string)) {
	if l == nil {
		return
	}
	add("Labs", joined(l.Title, map[string]string{"forum": "for forums"}[l.Per], zeroless(float64(l.Cap)), l.Feedback))
	add("Labs, text", l.Text)
}

func quotedName(s string) string {
	if s == "" {
		return ""
	}
	return "“" + s + "”"
}

func untilText(t time.Time) string {
	if t.IsZero() {
		return ""
	}
	return "until " + t.UTC().Format("2 Jan 2006, 15:04") + " UTC"
}

func maybeShare(p *float64) string {
	if p == nil {
		return ""
	}
	return perCent(*p)
}

func subjectsText(n int64) string {
	if n == 0 {
		return ""
	}
	return count(n) + " subjects"
}

func splitText(split []switches.Weight) string {
	if len(split) == 0 {
		return ""
	}
	var parts []string
	for _, w := range split {
		parts = append(parts, w.Variant+" "+percentText(w.Weight))
	}
	return ": " + strings.Join(parts, ", ")
}

var dayNames = []string{"Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"}

func daysText(days []int) string {
	if len(days) == 0 || len(days) == 7 {
		return "every day"
	}
	var out []string
	for _, d := range days {
		if d >= 0 && d < len(dayNames) {
			out = append(out, dayNames[d])
		}
	}
	return strings.Join(out, " ")
}

// switchURL is the page of a switch. The keys of other pages below /switches go by a field.
func switchURL(key, env string) templ.SafeURL { return templ.SafeURL(SwitchPath(key, "", env)) }

// SwitchPath is the address of a switch's page, or of what is below it, in an environment; "" leaves that to the page.
func SwitchPath(key, what, env string) string {
	path, q := "/switches/"+url.PathEscape(key), ""
	if slices.Contains(ReservedKeys(), key) || key == "." || key == ".." {
		path, q = "/switch", "key="+url.QueryEscape(key)
	}
	if what != "" {
		path += "/" + what
	}
	if env != "" {
		q = strings.TrimPrefix(q+"&env="+url.QueryEscape(env), "&")
	}
	if q != "" {
		path += "?" + q
	}
	return path
}

// ReservedKeys are the pages below /switches, which no switch's page can be.
func ReservedKeys() []string {
	return []string{"new", "audit", "processes", "stale", "segments", "changes"}
}

// prettyJSON is a payload over several lines when it is long; what is no JSON stays as it is.
func prettyJSON(text string) string {
	if len(text) < 60 {
		return text
	}
	var v any
	if json.Unmarshal([]byte(text), &v) != nil {
		return text
	}
	out, err := json.MarshalIndent(v, "", "  ")
	if err != nil {
		return text
	}
	return string(out)
}
