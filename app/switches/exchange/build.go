package exchange

import (
	"encoding/json"
	"fmt"
	"math"
	"strings"

	"kibitz/app/switches"
)

// draft is a switch in the making, and what is lost of it.
type draft struct {
	switches.Switch
	notes []string
	shut  bool // something was left out without which more people might have it
}

func (d *draft) note(format string, args ...any) {
	d.notes = append(d.notes, fmt.Sprintf(format, args...))
}

// leaveOut notes a rule that is left out. Where it kept someone off, the switch is imported off.
func (d *draft) leaveOut(answer switches.Rollout, format string, args ...any) {
	d.note(format, args...)
	d.shut = d.shut || answer.Percent < 100
}

// newDraft begins a switch that conditions decide. A colon would name a parent here, so it becomes a dot.
func newDraft(at cursor, key string) *draft {
	d := &draft{Switch: switches.Switch{Key: key, State: switches.Partial}}
	if key == "" {
		at.fail("the switch has no key")
	}
	if strings.Contains(key, ":") {
		d.Key = strings.ReplaceAll(key, ":", ".")
		d.note("was called %q; a colon names a parent here", key)
	}
	return d
}

// otherPeople notes that shares go to others than before.
func (d *draft) otherPeople(whose string) {
	d.note("shares are as large as before, but go to other people: %s divides them in another way", whose)
}

// weights are parts of those who get a switch, in order.
type weights []switches.Weight

// rollout makes a share of weights: the part of the off variant, and of missing, is what is left out.
func (d *draft) rollout(parts weights, whole float64) switches.Rollout {
	var on, sum float64
	var split []switches.Weight
	for _, w := range parts {
		sum += w.Weight
		if w.Weight > 0 && w.Variant != d.off() {
			on += w.Weight
			split = append(split, w)
		}
	}
	if whole <= 0 {
		whole = sum
	}
	if on == 0 || whole == 0 {
		return switches.Rollout{}
	}
	if len(split) == 1 && split[0].Variant == d.on() {
		split = nil
	}
	return switches.Rollout{Percent: milli(100 * on / whole), Split: split}
}

// milli rounds to 0.001, which is how finely subjects are divided.
func milli(percent float64) float64 {
	return math.Round(min(max(percent, 0), 100)*1000) / 1000
}

// off and on are the variants of those without and with the switch.
func (d *draft) off() string {
	if d.OffVariant != "" {
		return d.OffVariant
	}
	return string(switches.Off)
}

func (d *draft) on() string {
	if d.OnVariant != "" {
		return d.OnVariant
	}
	for _, v := range d.Variants {
		if v.Name != d.off() {
			return v.Name
		}
	}
	return string(switches.On)
}

// variations takes named values. Exactly true and false are a boolean switch, and the answer is how each is called here.
func (d *draft) variations(list []switches.Variant, off string) map[string]string {
	names := map[string]string{}
	if len(list) == 2 {
		values := map[string]string{string(list[0].Value): list[0].Name, string(list[1].Value): list[1].Name}
		yes, no := values["true"], values["false"]
		if yes != "" && no != "" && (off == no || off == "") {
			names[yes], names[no] = string(switches.On), string(switches.Off)
			return names
		}
	}
	for _, v := range list {
		names[v.Name] = v.Name
	}
	d.Variants, d.OffVariant = list, off
	return names
}

// set adds a condition; one without any rule is about everyone, and so ends the sets.
func (d *draft) set(name string, when switches.When, r switches.Rollout) {
	d.Sets = append(d.Sets, switches.Set{Name: name, When: when, Rollout: r})
}

func all(rules ...switches.Rule) switches.When { return switches.When{rules} }

func full() switches.Rollout { return switches.Rollout{Percent: 100} }

// rule is one comparison.
func rule(attribute string, op switches.Op, values ...string) switches.Rule {
	return switches.Rule{Attribute: attribute, Op: op, Values: values}
}

// payload reads text that should be JSON; what is not is a string.
func (d *draft) payload(variant, text string) json.RawMessage {
	if v, err := parseJSON([]byte(text), &budget{left: MaxValues}); err == nil {
		return v.appendJSON(nil)
	}
	d.note("the payload of variant %s is no JSON and is carried as text", variant)
	return appendText(nil, text)
}

// anyone is a condition that everyone fits.
func anyone() switches.When {
	return switches.When{{rule("time", switches.After, "2000-01-01")}}
}
