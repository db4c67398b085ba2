package views

import (
	"encoding/csv"
	"encoding/json"
	"math"
	"slices"
	"strconv"
	"strings"
	"time"

	"kibitz/app/switches"
)

// parser turns text into a switch and notes what it cannot read.
type parser struct{ errors map[string]string }

func (p *parser) wrong(field, text string) { p.errors[field] = text }

// Switch is what the form says. What it does not hold (whether it is killed, its guard, who opted in) is that of base. Errors of
// the form are set, and the switch is not to be used, when something cannot be read.
func (f *SwitchForm) Switch(base switches.Switch) (switches.Switch, bool) {
	p := &parser{map[string]string{}}
	s := base
	s.Key, s.Description, s.Owner, s.Project = f.Key, strings.TrimSpace(f.Description), strings.TrimSpace(f.Owner), f.Project
	s.Tags, s.RemoveBy, s.Default = tagList(f.Tags), p.date("remove_by", f.RemoveBy), strings.TrimSpace(f.Default)
	s.State, s.BucketBy, s.Hash = switches.State(f.State), strings.TrimSpace(f.BucketBy), f.Hash
	if f.Salt != "" {
		s.Salt = strings.TrimSpace(f.Salt)
	}
	s.Skip, s.Take = p.buckets("skip", f.Skip), p.buckets("take", f.Take)
	s.Variants = p.variants(f.Variants)
	s.OffVariant, s.OnVariant = f.OffVariant, f.OnVariant
	s.Requires, s.Overrides, s.Sets = nil, nil, nil
	for _, r := range f.Requires {
		if r.Key = strings.TrimSpace(r.Key); r.Key != "" {
			s.Requires = append(s.Requires, switches.Requirement{Key: r.Key, Variant: strings.TrimSpace(r.Variant)})
		}
	}
	for i, o := range f.Overrides {
		if o.Value = strings.TrimSpace(o.Value); o.Value != "" {
			s.Overrides = append(s.Overrides, switches.Override{Attribute: strings.TrimSpace(o.Attribute), Value: o.Value, Variant: orWord(o.Variant, "on"),
				Expires: p.time(name("o", i, "expires"), o.Expires), Why: strings.TrimSpace(o.Why)})
		}
	}
	for i, set := range f.Sets {
		s.Sets = append(s.Sets, switches.Set{Name: strings.TrimSpace(set.Name), When: p.when(name("s", i, "r"), set.Rules),
			Rollout: p.share(name("s", i, ""), set.Share, f.Variants)})
	}
	s.Everyone = p.share("e.", f.Everyone, f.Variants)
	s.Schedule, s.Ramp, s.Labs = p.schedule(f.Schedule), p.ramp(f.Ramp), p.labs(f.Labs)
	f.Errors = p.errors
	return s, len(p.errors) == 0
}

// tagList are the texts between commas and spaces.
func tagList(s string) []string {
	list := strings.FieldsFunc(s, func(r rune) bool { return r == ',' || r == ' ' || r == '\n' || r == '\t' || r == '\r' })
	if len(list) == 0 {
		return nil
	}
	return list
}

func (p *parser) date(field, text string) string {
	text = strings.TrimSpace(text)
	if _, err := time.Parse(time.DateOnly, text); text != "" && err != nil {
		p.wrong(field, "A date looks like 2026-12-31.")
	}
	return text
}

// formTime is a moment as its field shows it, in UTC; nothing for none.
func formTime(t time.Time) string {
	switch {
	case t.IsZero():
		return ""
	case t.UTC().Second() != 0:
		return t.UTC().Format("2006-01-02T15:04:05")
	}
	return inputTime(t)
}

func (p *parser) time(field, text string) time.Time {
	if text = strings.TrimSpace(text); text == "" {
		return time.Time{}
	}
	for _, form := range []string{"2006-01-02T15:04", "2006-01-02T15:04:05", time.RFC3339, time.DateOnly} {
		if t, err := time.Parse(form, text); err == nil {
			return t.UTC()
		}
	}
	p.wrong(field, "A moment looks like 2026-12-31T18:00, in UTC.")
	return time.Time{}
}

// Percent reads a share: 25, 12.5 or 0,001, with or without its sign. Its steps are 0.001.
func Percent(text string) (float64, bool) {
	text = strings.ReplaceAll(strings.TrimSpace(strings.TrimSuffix(strings.TrimSpace(text), "%")), ",", ".")
	v, err := strconv.ParseFloat(text, 64)
	if err != nil || !(v >= 0 && v <= 100) {
		return 0, false
	}
	return math.Round(v*1000) / 1000, true
}

func (p *parser) percent(field, text string) float64 {
	v, ok := Percent(text)
	if !ok {
		p.wrong(field, "A share is a number from 0 to 100.")
	}
	return v
}

// maybe is a share that may be left empty.
func (p *parser) maybe(field, text string) float64 {
	if strings.TrimSpace(text) == "" {
		return 0
	}
	return p.percent(field, text)
}

func (p *parser) buckets(field, text string) int {
	return int(math.Round(p.maybe(field, text) * switches.Buckets / 100))
}

func (p *parser) count(field, text string) int64 {
	text = strings.NewReplacer(",", "", " ", "").Replace(text)
	if text == "" {
		return 0
	}
	n, err := strconv.ParseInt(text, 10, 64)
	if err != nil || n < 0 {
		p.wrong(field, "This is a whole number, 0 or more.")
	}
	return max(n, 0)
}

// wait reads 2 d, 24 h, 15 min, 30 s, and what Go writes.
func (p *parser) wait(field, text string) time.Duration {
	text = strings.ToLower(strings.Join(strings.Fields(text), ""))
	if text == "" {
		return 0
	}
	for _, unit := range []struct {
		name string
		is   time.Duration
	}{{"days", 24 * time.Hour}, {"day", 24 * time.Hour}, {"d", 24 * time.Hour}, {"min", time.Minute}} {
		if n, err := strconv.ParseFloat(strings.TrimSuffix(text, unit.name), 64); err == nil && strings.HasSuffix(text, unit.name) && n >= 0 && n < 10_000 {
			return time.Duration(n * float64(unit.is))
		}
	}
	d, err := time.ParseDuration(text)
	if err != nil || d < 0 {
		p.wrong(field, "A time to wait looks like 15 min, 2 h or 3 d.")
		return 0
	}
	return d
}

func (p *parser) variants(forms []VariantForm) (out []switches.Variant) {
	for i, v := range forms {
		v.Name, v.Value = strings.TrimSpace(v.Name), strings.TrimSpace(v.Value)
		if v.Name == "" {
			p.wrong(name("v", i, "name"), "A variant needs a name.")
			continue
		}
		variant := switches.Variant{Name: v.Name}
		if v.Value != "" {
			if !json.Valid([]byte(v.Value)) {
				p.wrong(name("v", i, "value"), "This is not JSON. Text stands in quotes: \"blue\".")
				continue
			}
			variant.Value = json.RawMessage(v.Value)
		}
		out = append(out, variant)
	}
	return out
}

func (p *parser) share(prefix string, s ShareForm, variants []VariantForm) switches.Rollout {
	r := switches.Rollout{Percent: p.percent(prefix+"percent", s.Percent)}
	for i, text := range s.Weights[:min(len(s.Weights), len(variants))] {
		if text = strings.TrimSpace(text); text == "" {
			continue
		}
		w, err := strconv.ParseFloat(strings.ReplaceAll(text, ",", "."), 64)
		if err != nil || !(w >= 0 && w <= 1e9) {
			p.wrong(prefix+"w"+strconv.Itoa(i), "A weight is a number, 0 or more.")
		} else if w > 0 {
			r.Split = append(r.Split, switches.Weight{Variant: strings.TrimSpace(variants[i].Name), Weight: w})
		}
	}
	return r
}

// WhenOf is the condition that rows of rules mean; errors are put into the map by the fields' names, which begin with list.
func WhenOf(list string, rules []RuleForm, errors map[string]string) switches.When {
	return (&parser{errors}).when(list, rules)
}

func (p *parser) when(list string, rules []RuleForm) (out switches.When) {
	for i, r := range rules {
		rule := switches.Rule{Attribute: r.Attribute, FoldCase: r.Fold}
		if r.Attribute == OtherAttribute {
			rule.Attribute = strings.TrimSpace(r.Name)
		}
		if rule.Attribute == "" {
			p.wrong(name(list, i, "name"), "Which attribute? Write its name, as the program sends it.")
		}
		op, not := strings.CutPrefix(r.Op, "!")
		rule.Op, rule.Not = fitting(rule.Attribute, switches.Op(op)), not
		values, ok := splitValues(rule.Op, r.Values)
		if rule.Values = values; !ok {
			p.wrong(name(list, i, "values"), "A quotation mark is not closed.")
		} else if len(values) == 0 && rule.Op != switches.Present {
			p.wrong(name(list, i, "values"), "Compared with what? Write a value, or several with commas between.")
		}
		if i == 0 || r.Join == "or" {
			out = append(out, nil)
		}
		out[len(out)-1] = append(out[len(out)-1], rule)
	}
	return out
}

// fitting is the comparison that is meant: addresses are in networks, subjects within segments.
func fitting(attribute string, op switches.Op) switches.Op {
	switch {
	case attribute == "segment" && (op == switches.Is || op == switches.In):
		return switches.Within
	case attribute == "ip" && op == switches.Is:
		return switches.In
	case attribute != "segment" && op == switches.Within:
		return switches.Is
	}
	return op
}

// splitValues are the values between commas; one with a comma stands in quotes. An expression is one value whatever it holds.
func splitValues(op switches.Op, text string) (out []string, ok bool) {
	text = strings.TrimSpace(strings.NewReplacer("\r\n", ",", "\n", ",").Replace(text))
	switch {
	case text == "" || op == switches.Present:
		return nil, true
	case op == switches.Matches:
		return []string{text}, true
	}
	r := csv.NewReader(strings.NewReader(text))
	r.TrimLeadingSpace = true
	values, err := r.Read()
	if err != nil {
		return nil, false
	}
	for _, v := range values {
		if v = strings.TrimSpace(v); v != "" && !slices.Contains(out, v) {
			out = append(out, v)
		}
	}
	return out, true
}

// joinValues is the way back.
func joinValues(r switches.Rule) string {
	if r.Op == switches.Matches && len(r.Values) == 1 {
		return r.Values[0]
	}
	quoted := make([]string, len(r.Values))
	for i, v := range r.Values {
		if quoted[i] = v; strings.ContainsAny(v, ",\"\n\r") {
			quoted[i] = `"` + strings.ReplaceAll(v, `"`, `""`) + `"`
		}
	}
	return strings.Join(quoted, ", ")
}

func (p *parser) schedule(forms []ChangeForm) (out []switches.Change) {
	for i, c := range forms {
		if c == (ChangeForm{}) {
			continue
		}
		change := switches.Change{At: p.time(name("c", i, "at"), c.At), State: switches.State(c.State)}
		if strings.TrimSpace(c.At) == "" {
			p.wrong(name("c", i, "at"), "When?")
		}
		if strings.TrimSpace(c.Percent) != "" {
			v := p.percent(name("c", i, "percent"), c.Percent)
			change.Percent = &v
		}
		out = append(out, change)
	}
	return out
}

func (p *parser) ramp(f RampForm) *switches.Ramp {
	if !f.On {
		return nil
	}
	at, err := strconv.Atoi(f.At)
	if err != nil || at < -1 || at >= len(f.Plan) {
		at = -1
	}
	r := &switches.Ramp{At: at, Paused: !f.Steps, Holdout: p.maybe("ramp.holdout", f.Holdout)}
	if since, err := time.Parse(time.RFC3339Nano, f.Since); err == nil && at >= 0 {
		r.Since = since.UTC()
	}
	for i, s := range f.Plan {
		r.Steps = append(r.Steps, switches.Step{Percent: p.percent(name("t", i, "percent"), s.Percent), Wait: switches.Duration(p.wait(name("t", i, "wait"), s.Wait)),
			Subjects: p.count(name("t", i, "subjects"), s.Subjects)})
	}
	for i, q := range f.Quiet {
		bit := switches.QuietBit{From: p.clock(name("u", i, "from"), q.From), To: p.clock(name("u", i, "to"), q.To)}
		for _, d := range q.Days {
			if day, err := strconv.Atoi(d); err == nil && day >= 0 && day <= 6 {
				bit.Days = append(bit.Days, day)
			}
		}
		r.Quiet = append(r.Quiet, bit)
	}
	return r
}

func (p *parser) clock(field, text string) string {
	text = strings.TrimSpace(text)
	if _, err := time.Parse("15:04", text); err != nil {
		p.wrong(field, "A time of day looks like 18:00.")
	}
	return text
}

func (p *parser) labs(f LabsForm) *switches.Labs {
	if !f.On {
		return nil
	}
	if strings.TrimSpace(f.Title) == "" {
		p.wrong("labs.title", "What is it called, for those it is offered to?")
	}
	return &switches.Labs{Title: strings.TrimSpace(f.Title), Text: strings.TrimSpace(f.Text), Per: f.Per, Cap: int(min(p.count("labs.cap", f.Cap), math.MaxInt32)),
		Feedback: strings.TrimSpace(f.Feedback)}
}
