package exchange

import (
	"math"
	"slices"
	"strings"
	"time"

	"kibitz/app/switches"
)

// readGoFF reads flags of GO Feature Flag: an object of flags by their keys.
func readGoFF(f *file, c cursor) {
	for _, flag := range c.fields() {
		if !flag.object() {
			continue
		}
		d := newDraft(flag.cursor, flag.key)
		d.goff(flag.cursor)
		f.in(f.name()).add(flag.cursor, d)
	}
}

func (d *draft) goff(c cursor) {
	var list []switches.Variant
	off := ""
	for _, v := range c.get("variations").fields() {
		list = append(list, switches.Variant{Name: v.key, Value: v.raw()})
		if v.is(boolKind) && v.v.text == "false" {
			off = v.key
		}
	}
	names := d.variations(list, off)
	if off == "" {
		d.note("has no variation that is false: the part without it, and a kill, answer false")
	}
	d.BucketBy = goffAttribute(c.get("bucketingKey").str())
	if d.BucketBy == "user" {
		d.BucketBy = ""
	}
	if c.get("disable").flag(false) {
		d.State = switches.Off
		d.note("is disabled: the code answered by its own default, here it gets %s", d.off())
	}
	meta := c.get("metadata")
	d.Description, d.Owner = meta.get("description").text(), meta.get("owner").text()
	for _, f := range []string{"version", "trackEvents", "metadata"} {
		if at := c.get(f); at.there() && !(f == "metadata" && d.Description+d.Owner != "" && len(at.fields()) == 1) {
			d.note("%s is not carried", f)
		}
	}
	for _, t := range c.get("targeting").objects() {
		d.goffTarget(t, names)
	}
	d.Everyone = d.goffRule(c.get("defaultRule"), names, true)
	d.goffSteps(c.get("scheduledRollout"), names)
	d.goffExperiment(c.get("experimentation"))
}

func (d *draft) goffTarget(t cursor, names map[string]string) {
	name := t.get("name").str()
	if t.get("disable").flag(false) {
		d.note("rule %s is disabled and left out", clip(name))
		return
	}
	when, err := query(t.get("query"))
	if err != nil {
		d.leaveOut(d.goffRule(t, names, false), "rule %s is left out: its query %q cannot be carried: %v", clip(name), clip(t.get("query").text()), err)
		return
	}
	d.set(name, when, d.goffRule(t, names, false))
}

// goffRule is a variation, or variations by percentage.
func (d *draft) goffRule(c cursor, names map[string]string, everyone bool) switches.Rollout {
	if p := c.get("progressiveRollout"); p.there() {
		return d.goffProgress(p, names, everyone)
	}
	if p := c.get("percentage"); p.there() {
		var parts weights
		for _, w := range p.fields() {
			parts = append(parts, switches.Weight{Variant: d.known(w.cursor, w.key, names), Weight: w.num()})
		}
		d.otherPeople("GO Feature Flag")
		return d.rollout(parts, 0)
	}
	if v := c.get("variation"); v.there() {
		return d.rollout(weights{{Variant: d.known(v, v.str(), names), Weight: 1}}, 0)
	}
	return switches.Rollout{}
}

// known is how a variation is called here.
func (d *draft) known(c cursor, name string, names map[string]string) string {
	own, ok := names[name]
	if !ok {
		c.fail("there is no variation %q", clip(name))
	}
	return own
}

// goffProgressSteps is how many steps a straight line becomes.
const goffProgressSteps = 20

// goffProgress goes from one variation to another in a straight line, which becomes steps of a schedule.
func (d *draft) goffProgress(c cursor, names map[string]string, everyone bool) switches.Rollout {
	from, to := c.get("initial"), c.get("end")
	parts := func(percent float64) switches.Rollout {
		return d.rollout(weights{{Variant: d.known(to, to.get("variation").str(), names), Weight: percent}, {Variant: d.known(from, from.get("variation").str(), names), Weight: 100 - percent}}, 0)
	}
	low, high := from.get("percentage").share(), to.get("percentage").share()
	if !to.get("percentage").there() {
		high = 100
	}
	start, end := moment(from.get("date")), moment(to.get("date"))
	d.otherPeople("GO Feature Flag")
	if !everyone || !end.After(start) || parts(50).Split != nil || parts(100).Percent < 100 {
		d.note("a progressive rollout of a rule, or between two variations that are on, stays at its end: %v %%", high)
		return parts(high)
	}
	d.note("a progressive rollout in a straight line is carried as %d steps of a schedule", goffProgressSteps)
	for i := 1; i <= goffProgressSteps; i++ {
		part := float64(i) / goffProgressSteps
		p := milli(low + (high-low)*part)
		d.Schedule = append(d.Schedule, switches.Change{At: start.Add(time.Duration(math.Round(float64(end.Sub(start)) * part))), Percent: &p})
	}
	return parts(low)
}

func moment(c cursor) time.Time {
	if !c.there() {
		return time.Time{}
	}
	for _, layout := range []string{time.RFC3339Nano, "2006-01-02T15:04:05", "2006-01-02 15:04:05", time.DateOnly} {
		if t, err := time.Parse(layout, c.v.text); err == nil {
			return t.UTC()
		}
	}
	c.fail("%q is no date", clip(c.v.text))
	return time.Time{}
}

// goffSteps are changes at dates; those of the share of everyone, and of being disabled, can be carried.
func (d *draft) goffSteps(c cursor, names map[string]string) {
	for _, s := range c.objects() {
		ch := switches.Change{At: moment(s.get("date"))}
		if x := s.get("disable"); x.there() {
			if ch.State = switches.Partial; x.flag(false) {
				ch.State = switches.Off
			}
		}
		if r := s.get("defaultRule"); r.there() {
			to := d.goffRule(r, names, false)
			if !slices.Equal(to.Split, d.Everyone.Split) && to.Percent > 0 {
				d.note("the step at %s changes the parts of variations, of which only the share is carried", ch.At.Format(time.RFC3339))
			}
			ch.Percent = &to.Percent
		}
		for _, f := range s.fields() {
			if !slices.Contains([]string{"date", "disable", "defaultRule"}, f.key) {
				d.note("the step at %s changes %s, which is not carried", ch.At.Format(time.RFC3339), clip(f.key))
			}
		}
		if ch.State != "" || ch.Percent != nil {
			d.Schedule = append(d.Schedule, ch)
		}
	}
}

func (d *draft) goffExperiment(c cursor) {
	if !c.there() {
		return
	}
	if s := c.get("start"); s.there() {
		d.Schedule = append(d.Schedule, switches.Change{At: moment(s), State: d.State})
		d.State = switches.Off
	}
	if e := c.get("end"); e.there() {
		d.Schedule = append(d.Schedule, switches.Change{At: moment(e), State: switches.Off})
	}
	d.note("outside of the time of the experiment the code answered by its own default, here it gets %s", d.off())
	slices.SortStableFunc(d.Schedule, func(a, b switches.Change) int { return a.At.Compare(b.At) })
}

// goffAttribute is how a field of the context is called here.
func goffAttribute(name string) string {
	if name == "key" || name == "targetingKey" {
		return "user"
	}
	return strings.TrimPrefix(name, "$.")
}
