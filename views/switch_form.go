package views

import (
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"kibitz/app/switches"
)

// SwitchForm is a switch as its form holds it: text as it was typed, so that what cannot be read is shown again beside the
// reason. FormOf makes it of a switch, ReadSwitchForm of what a browser sent; Switch is the way back.
type SwitchForm struct {
	Key, Description, Owner, Project, Tags, RemoveBy, Default string
	State, Salt, BucketBy, Hash, Skip, Take                   string
	OffVariant, OnVariant                                     string
	Variants                                                  []VariantForm
	Requires                                                  []RequireForm
	Overrides                                                 []OverrideForm
	Sets                                                      []SetForm
	Everyone                                                  ShareForm
	Schedule                                                  []ChangeForm
	Ramp                                                      RampForm
	Labs                                                      LabsForm
	Why                                                       string
	// Errors say what is wrong with a field, by its name.
	Errors map[string]string
}

// VariantForm is a variant; Value is JSON.
type VariantForm struct{ Name, Value string }

// RequireForm is a switch that must be on first.
type RequireForm struct{ Key, Variant string }

// OverrideForm is one subject's own answer.
type OverrideForm struct{ Attribute, Value, Variant, Expires, Why string }

// ShareForm is a share, and a weight for each variant.
type ShareForm struct {
	Percent string
	Weights []string
}

// SetForm is a condition set.
type SetForm struct {
	Name  string
	Rules []RuleForm
	Share ShareForm
}

// RuleForm is a rule. Join is and or or; Attribute is one of those that are known, or OtherAttribute with Name; Op has a ! in front
// where it is negated.
type RuleForm struct {
	Join, Attribute, Name, Op, Values string
	Fold                              bool
}

// OtherAttribute is the choice whose name is typed.
const OtherAttribute = "@"

// ChangeForm is a step of a schedule.
type ChangeForm struct{ At, State, Percent string }

// RampForm is a ramp plan. At and Since are where it stands, which nobody types.
type RampForm struct {
	On, Steps bool // Steps: it goes on by itself
	At, Since string
	Holdout   string
	Plan      []StepForm
	Quiet     []QuietForm
}

// StepForm is a step of a ramp.
type StepForm struct{ Percent, Wait, Subjects string }

// QuietForm is a stretch of a week without steps; Days hold 0 for Sunday to 6.
type QuietForm struct {
	From, To string
	Days     []string
}

// LabsForm is the offer to people.
type LabsForm struct {
	On                              bool
	Title, Text, Per, Cap, Feedback string
}

// maxRows bounds each list of a form; more are left out of what a browser sent. No form of ours has so many.
const maxRows = 200

// name is how a field of a row is called: s0.percent.
func name(list string, i int, field string) string { return list + strconv.Itoa(i) + "." + field }

// rowsOf is how many rows of a list were sent, and a reader of the fields of each, in the order in which they were sent.
func rowsOf(v url.Values, list string) []func(field string) string {
	var out []func(string) string
	for _, id := range v[list][:min(len(v[list]), maxRows)] {
		out = append(out, func(field string) string { return v.Get(list + id + "." + field) })
	}
	return out
}

// ReadSwitchForm is the form that a browser sent.
func ReadSwitchForm(v url.Values) SwitchForm {
	f := SwitchForm{Key: strings.TrimSpace(v.Get("key")), Description: v.Get("description"), Owner: v.Get("owner"), Project: v.Get("project"), Tags: v.Get("tags"),
		RemoveBy: v.Get("remove_by"), Default: v.Get("default"), State: v.Get("state"), Salt: v.Get("salt"), BucketBy: v.Get("bucket_by"), Hash: v.Get("hash"),
		Skip: v.Get("skip"), Take: v.Get("take"), OffVariant: v.Get("off_variant"), OnVariant: v.Get("on_variant"), Why: v.Get("why")}
	for _, get := range rowsOf(v, "v") {
		f.Variants = append(f.Variants, VariantForm{get("name"), get("value")})
	}
	for _, get := range rowsOf(v, "q") {
		f.Requires = append(f.Requires, RequireForm{get("key"), get("variant")})
	}
	for _, get := range rowsOf(v, "o") {
		f.Overrides = append(f.Overrides, OverrideForm{get("attribute"), get("value"), get("variant"), get("expires"), get("why")})
	}
	for _, get := range rowsOf(v, "c") {
		f.Schedule = append(f.Schedule, ChangeForm{get("at"), get("state"), get("percent")})
	}
	f.Sets, f.Everyone = readSets(v), readShare(v, "e.")
	f.Ramp, f.Labs = readRamp(v), LabsForm{v.Get("labs.on") != "", v.Get("labs.title"), v.Get("labs.text"), v.Get("labs.per"), v.Get("labs.cap"), v.Get("labs.feedback")}
	return f
}

func readSets(v url.Values) (out []SetForm) {
	for _, id := range v["s"][:min(len(v["s"]), maxRows)] {
		out = append(out, SetForm{Name: v.Get("s" + id + ".name"), Rules: ReadRules(v, "s"+id+".r"), Share: readShare(v, "s"+id+".")})
	}
	return out
}

// ReadRules are the rules below a name: those of a set, or of a segment.
func ReadRules(v url.Values, list string) (out []RuleForm) {
	for _, get := range rowsOf(v, list) {
		out = append(out, RuleForm{get("join"), get("attribute"), get("name"), get("op"), get("values"), get("fold") != ""})
	}
	return out
}

func readShare(v url.Values, prefix string) ShareForm {
	s := ShareForm{Percent: v.Get(prefix + "percent")}
	for _, id := range v["v"][:min(len(v["v"]), maxRows)] {
		s.Weights = append(s.Weights, v.Get(prefix+"w"+id))
	}
	return s
}

func readRamp(v url.Values) RampForm {
	r := RampForm{On: v.Get("ramp.on") != "", Steps: v.Get("ramp.steps") != "", At: v.Get("ramp.at"), Since: v.Get("ramp.since"), Holdout: v.Get("ramp.holdout")}
	for _, get := range rowsOf(v, "t") {
		r.Plan = append(r.Plan, StepForm{get("percent"), get("wait"), get("subjects")})
	}
	for _, id := range v["u"][:min(len(v["u"]), maxRows)] {
		r.Quiet = append(r.Quiet, QuietForm{v.Get("u" + id + ".from"), v.Get("u" + id + ".to"), v["u"+id+".day"]})
	}
	return r
}

// FormOf is a switch as its form shows it.
func FormOf(s switches.Switch) SwitchForm {
	f := SwitchForm{Key: s.Key, Description: s.Description, Owner: s.Owner, Project: s.Project, Tags: strings.Join(s.Tags, ", "), RemoveBy: s.RemoveBy, Default: s.Default,
		State: string(s.State), Salt: s.Salt, BucketBy: s.BucketBy, Hash: s.Hash, OffVariant: s.OffVariant, OnVariant: s.OnVariant}
	if s.Take != 0 {
		f.Skip, f.Take = percentText(float64(s.Skip)*100/switches.Buckets), percentText(float64(s.Take)*100/switches.Buckets)
	}
	for _, v := range s.Variants {
		f.Variants = append(f.Variants, VariantForm{v.Name, string(v.Value)})
	}
	for _, r := range s.Requires {
		f.Requires = append(f.Requires, RequireForm(r))
	}
	for _, o := range s.Overrides {
		f.Overrides = append(f.Overrides, OverrideForm{o.Attribute, o.Value, o.Variant, formTime(o.Expires), o.Why})
	}
	for _, set := range s.Sets {
		f.Sets = append(f.Sets, SetForm{set.Name, RulesOf(set.When), shareForm(set.Rollout, s.Variants)})
	}
	f.Everyone = shareForm(s.Everyone, s.Variants)
	for _, c := range s.Schedule {
		change := ChangeForm{At: formTime(c.At), State: string(c.State)}
		if c.Percent != nil {
			change.Percent = percentText(*c.Percent)
		}
		f.Schedule = append(f.Schedule, change)
	}
	f.Ramp, f.Labs = rampForm(s.Ramp), labsForm(s.Labs)
	return f
}

func shareForm(r switches.Rollout, variants []switches.Variant) ShareForm {
	s := ShareForm{Percent: percentText(r.Percent)}
	for _, v := range variants {
		weight := ""
		for _, w := range r.Split {
			if w.Variant == v.Name {
				weight = percentText(w.Weight)
			}
		}
		s.Weights = append(s.Weights, weight)
	}
	return s
}

// RulesOf is a condition as rows.
func RulesOf(w switches.When) (out []RuleForm) {
	for _, group := range w {
		for i, r := range group {
			f := RuleForm{Join: "and", Attribute: r.Attribute, Op: string(r.Op), Values: joinValues(r), Fold: r.FoldCase}
			if i == 0 {
				f.Join = "or"
			}
			if r.Not {
				f.Op = "!" + f.Op
			}
			if !knownAttribute(r.Attribute) {
				f.Attribute, f.Name = OtherAttribute, r.Attribute
			}
			out = append(out, f)
		}
	}
	return out
}

func rampForm(r *switches.Ramp) RampForm {
	if r == nil {
		return RampForm{At: "-1", Steps: true}
	}
	f := RampForm{On: true, Steps: !r.Paused, At: strconv.Itoa(r.At), Holdout: zeroless(r.Holdout)}
	if !r.Since.IsZero() {
		f.Since = r.Since.UTC().Format(time.RFC3339Nano)
	}
	for _, s := range r.Steps {
		f.Plan = append(f.Plan, StepForm{percentText(s.Percent), waitText(time.Duration(s.Wait)), zeroless(float64(s.Subjects))})
	}
	for _, q := range r.Quiet {
		form := QuietForm{From: q.From, To: q.To}
		for _, d := range q.Days {
			form.Days = append(form.Days, strconv.Itoa(d))
		}
		f.Quiet = append(f.Quiet, form)
	}
	return f
}

func labsForm(l *switches.Labs) LabsForm {
	if l == nil {
		return LabsForm{}
	}
	return LabsForm{true, l.Title, l.Text, l.Per, zeroless(float64(l.Cap)), l.Feedback}
}

func percentText(f float64) string { return strconv.FormatFloat(f, 'f', -1, 64) }

// zeroless is a number, and nothing for 0.
func zeroless(f float64) string {
	if f == 0 {
		return ""
	}
	return percentText(f)
}

// waitText is a stretch of time as it is typed: 2 d, 24 h, 15 min.
func waitText(d time.Duration) string {
	switch {
	case d == 0:
		return ""
	case d >= 48*time.Hour && d%(24*time.Hour) == 0:
		return strconv.FormatInt(int64(d/(24*time.Hour)), 10) + " d"
	case d%time.Hour == 0:
		return strconv.FormatInt(int64(d/time.Hour), 10) + " h"
	case d%time.Minute == 0:
		return strconv.FormatInt(int64(d/time.Minute), 10) + " min"
	}
	return d.String()
}

// Do changes the form as one of its buttons says: set.add, set.up.2, rule.remove.0.1. It answers false for what it does not know.
func (f *SwitchForm) Do(action string) bool {
	what, rest, _ := strings.Cut(action, ".")
	verb, rest, _ := strings.Cut(rest, ".")
	at, below, _ := strings.Cut(rest, ".")
	i, err := strconv.Atoi(at)
	if verb != "add" && err != nil {
		return false
	}
	switch what {
	case "set":
		return rowDo(&f.Sets, verb, i, SetForm{Rules: []RuleForm{newRule()}, Share: ShareForm{Percent: "100", Weights: make([]string, len(f.Variants))}})
	case "rule":
		if i < 0 || i >= len(f.Sets) {
			return false
		}
		j, _ := strconv.Atoi(below)
		return rowDo(&f.Sets[i].Rules, verb, j, newRule())
	case "variant":
		return f.variantDo(verb, i)
	case "require":
		return rowDo(&f.Requires, verb, i, RequireForm{})
	case "override":
		return rowDo(&f.Overrides, verb, i, OverrideForm{Variant: "on"})
	case "change":
		return rowDo(&f.Schedule, verb, i, ChangeForm{})
	case "step":
		f.Ramp.On = true
		return rowDo(&f.Ramp.Plan, verb, i, StepForm{})
	case "quiet":
		return rowDo(&f.Ramp.Quiet, verb, i, QuietForm{From: "18:00", To: "08:00"})
	case "plan":
		f.Ramp = RampForm{On: true, Steps: true, At: "-1", Plan: []StepForm{{"5", "1 h", "500"}, {"25", "2 h", "500"}, {"50", "24 h", ""}, {"100", "", ""}}}
		return verb == "add"
	}
	return false
}

func newRule() RuleForm { return RuleForm{Join: "and", Attribute: "user", Op: string(switches.Is)} }

// variantDo keeps the weights of all shares beside the variants. The first two are on and off.
func (f *SwitchForm) variantDo(verb string, i int) bool {
	if verb == "add" && len(f.Variants) == 0 {
		f.Variants, f.OffVariant = []VariantForm{{Name: "off", Value: ""}}, "off"
	}
	before := len(f.Variants)
	if !rowDo(&f.Variants, verb, i, VariantForm{}) {
		return false
	}
	shares := []*ShareForm{&f.Everyone}
	for n := range f.Sets {
		shares = append(shares, &f.Sets[n].Share)
	}
	for _, s := range shares {
		for len(s.Weights) < before {
			s.Weights = append(s.Weights, "")
		}
		rowDo(&s.Weights, verb, i, "")
	}
	return true
}

// rowDo adds a row, or takes one away, or moves it.
func rowDo[T any](rows *[]T, verb string, i int, fresh T) bool {
	if verb == "add" {
		if len(*rows) < maxRows {
			*rows = append(*rows, fresh)
		}
		return true
	}
	to := map[string]int{"remove": i, "up": i - 1, "down": i + 1}
	other, ok := to[verb]
	if !ok || i < 0 || i >= len(*rows) || other < 0 || other >= len(*rows) {
		return false
	}
	if verb == "remove" {
		*rows = slices.Delete(*rows, i, i+1)
		return true
	}
	(*rows)[i], (*rows)[other] = (*rows)[other], (*rows)[i]
	return true
}
