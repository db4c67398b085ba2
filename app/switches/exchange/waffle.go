package exchange

import (
	"strings"

	"kibitz/app/switches"
)

// readWaffle reads a fixture of waffle's flags, switches and samples.
func readWaffle(f *file, c cursor) {
	for _, o := range c.objects() {
		fields := o.get("fields")
		read, ok := map[string]func(*draft, cursor){"waffle.flag": waffleFlag, "waffle.switch": waffleSwitch, "waffle.sample": waffleSample}[strings.ToLower(o.get("model").str())]
		if !ok {
			continue
		}
		if !fields.object() {
			continue
		}
		d := newDraft(o, fields.get("name").str())
		d.Description = fields.get("note").str()
		read(d, fields)
		f.in(f.name()).add(o, d)
	}
}

func waffleSwitch(d *draft, c cursor) {
	if d.State = switches.Off; c.get("active").flag(false) {
		d.State = switches.On
	}
}

func waffleSample(d *draft, c cursor) {
	d.Everyone.Percent = milli(c.get("percent").share())
	d.note("a sample throws dice at every call; here the same person always gets the same answer")
}

func waffleFlag(d *draft, c cursor) {
	if c.get("everyone").there() {
		if d.State = switches.Off; c.get("everyone").flag(false) {
			d.State = switches.On
		}
	}
	var groups switches.When
	ask := func(r switches.Rule) { groups = append(groups, []switches.Rule{r}) }
	if c.get("superusers").flag(false) {
		ask(rule("role", switches.Is, "superuser"))
	}
	if c.get("staff").flag(false) {
		ask(rule("role", switches.Is, "staff"))
	}
	if len(groups) > 0 {
		d.note("staff and superusers are asked as role, which your code has to hand over")
	}
	if c.get("authenticated").flag(false) {
		ask(rule("user", switches.Present))
	}
	if list := waffleList(c.get("languages")); len(list) > 0 {
		ask(rule("language", switches.Is, list...))
		d.note("languages are asked as attribute language, which your code has to hand over")
	}
	if list := waffleList(c.get("users")); len(list) > 0 {
		ask(rule("user", switches.Is, list...))
	}
	if list := waffleList(c.get("groups")); len(list) > 0 {
		ask(rule("group", switches.Is, list...))
		d.note("groups are asked as attribute group with waffle's ids, which your code has to hand over")
	}
	if len(groups) > 0 {
		d.set("named", groups, full())
	}
	if p := c.get("percent"); p.there() {
		d.Everyone.Percent = milli(p.share())
		d.note("waffle throws dice for the percentage and keeps the answer in a cookie of the browser; here the person's id decides, on all devices alike")
	}
	if c.get("testing").flag(false) {
		d.note("testing by query parameter is not carried: give testers an override")
	}
}

// waffleList is a list, or text with commas.
func waffleList(c cursor) (out []string) {
	if !c.is(textKind) {
		return c.strs()
	}
	for part := range strings.SplitSeq(c.v.text, ",") {
		if part = strings.TrimSpace(part); part != "" {
			out = append(out, part)
		}
	}
	return out
}
