package exchange

import (
	"strconv"
	"strings"

	"kibitz/app/switches"
)

// readGargoyle reads a fixture of gargoyle.Switch. A selective switch is on where any include matches and off where any
// exclude does; excludes come first here, since a set of another name could turn it off after all.
func readGargoyle(f *file, c cursor) {
	for _, o := range c.objects() {
		if !strings.EqualFold(o.get("model").str(), "gargoyle.switch") {
			continue
		}
		fields := o.get("fields")
		d := &draft{Switch: switches.Switch{Key: o.get("pk").str(), State: switches.Partial}}
		if fields.get("key").there() {
			d.Key = fields.get("key").str()
		}
		if d.Key == "" {
			o.fail("the switch has no key")
		}
		if d.Description = fields.get("description").str(); d.Description == "" {
			d.Description = fields.get("label").str()
		}
		d.gargoyle(fields)
		f.in(f.name()).add(o, d)
	}
}

func (d *draft) gargoyle(fields cursor) {
	conditions := fields.get("value")
	if conditions.is(textKind) {
		v, err := parse([]byte(conditions.v.text + " "))
		if strings.TrimSpace(conditions.v.text) == "" {
			v, err = &value{kind: mapKind}, nil
		}
		if err != nil {
			conditions.fail("it holds no JSON: %v", err)
			return
		}
		conditions.v = v
	}
	includes, excludes := d.gargoyleConditions(conditions)
	switch status := fields.get("status").num(); status {
	case 1:
		d.State = switches.Off
	case 2:
		d.selective(includes, excludes)
		return
	case 3:
		d.State = switches.On
	case 4:
		if d.State = switches.Inherit; !strings.Contains(d.Key, ":") {
			d.State = switches.Off
			d.note("inherits without a parent, which in gargoyle is the default of the code: carried as off")
		}
	default:
		fields.get("status").fail("%v is no status of gargoyle, 1 to 4", status)
	}
	d.selectiveSets(includes, excludes)
}

func (d *draft) selective(includes, excludes switches.When) {
	if len(includes)+len(excludes) == 0 {
		if d.State = switches.Off; strings.Contains(d.Key, ":") {
			d.State = switches.Inherit
		}
		d.note("is selective without conditions, which in gargoyle is the default (its page says active for everyone): carried as %s", d.State)
		return
	}
	d.selectiveSets(includes, excludes)
}

func (d *draft) selectiveSets(includes, excludes switches.When) {
	if len(excludes) > 0 {
		d.set("excluded", excludes, switches.Rollout{})
		d.Everyone = full()
		d.note("has an exclude, which in gargoyle turns it on for everyone else: carried so; lower the share of everyone if that was not meant")
	}
	if len(includes) > 0 {
		d.set("included", includes, full())
	}
	if len(includes) > 0 && len(excludes) > 0 {
		d.note("has includes and excludes; an exclude wins here always, in gargoyle only if it is met before an include of its set")
	}
}

func (d *draft) gargoyleConditions(c cursor) (includes, excludes switches.When) {
	for _, set := range c.fields() {
		for _, field := range set.fields() {
			for _, pair := range field.list() {
				parts := pair.list()
				if len(parts) != 2 {
					pair.fail("expected include or exclude, and a condition")
					continue
				}
				r, ok := d.gargoyleRule(set.key, field.key, parts[1])
				switch kind := parts[0].str(); {
				case !ok:
					d.shut = d.shut || kind == "e"
				case kind == "i":
					includes = append(includes, []switches.Rule{r})
				case kind == "e":
					excludes = append(excludes, []switches.Rule{r})
				default:
					parts[0].fail("expected i or e, found %q", clip(kind))
				}
			}
		}
	}
	return includes, excludes
}

// gargoyleRule is a condition of one field of a set.
func (d *draft) gargoyleRule(set, field string, c cursor) (switches.Rule, bool) {
	text := c.str()
	attribute := field
	switch {
	case strings.Contains(set, "IPAddress") && field != "internal_ip":
		attribute = "ip"
	case strings.Contains(set, "Host"):
		attribute = "host"
	case field != "internal_ip" && !strings.Contains(set, "User"):
		d.note("condition set %s is asked as attribute %s, which your code has to hand over", clip(set), clip(field))
	}
	switch field {
	case "percent":
		if !strings.Contains(set, "IPAddress") {
			attribute = "user"
		}
		return d.gargoylePercent(attribute, c, text)
	case "ip_address":
		return rule("ip", switches.In, text), true
	case "is_anonymous":
		r := rule("user", switches.Present)
		r.Not = gargoyleTrue(text)
		return r, true
	case "is_staff", "is_superuser":
		d.note("%s is asked as role %s", field, strings.TrimPrefix(field, "is_"))
		r := rule("role", switches.Is, strings.TrimPrefix(field, "is_"))
		r.Not = !gargoyleTrue(text)
		return r, true
	case "date_joined":
		return rule(attribute, switches.After, text), true
	case "internal_ip":
		d.note("condition internal_ip is not carried: name the networks in a rule on ip")
		return switches.Rule{}, false
	}
	return rule(attribute, switches.Is, text), true
}

func gargoyleTrue(text string) bool { return text == "1" || strings.EqualFold(text, "true") }

// gargoylePercent is a range of the remainder by 100, both ends included: 0-50 is 51 of 100.
func (d *draft) gargoylePercent(attribute string, c cursor, text string) (switches.Rule, bool) {
	low, high, ok := strings.Cut(text, "-")
	if !ok {
		low, high = "0", text
	}
	from, err := strconv.Atoi(strings.TrimSpace(low))
	to, err2 := strconv.Atoi(strings.TrimSpace(high))
	if err != nil || err2 != nil || from < 0 || to > 100 || from > to {
		c.fail("%q is no range of percent", clip(text))
		return switches.Rule{}, false
	}
	n := min(to, 99) - from + 1
	d.note("percent %s of gargoyle is %d of 100 remainders of the %s, the same for every switch: carried as %d %%, to other people", text, n, attribute, n)
	return rule(attribute, switches.Share, strconv.Itoa(n)), true
}
