package switches

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/cespare/xxhash/v2"
)

// Snapshot is all switches of an environment, ready to be asked. It never changes; any number of goroutines may ask it.
type Snapshot struct {
	environment string
	revision    int64
	next        time.Time
	index       map[string]*compiled
	list        []*compiled // by key
	slots       int         // counters: one for each variant of each switch
}

// finish puts the switches in order and gives their variants counters.
func (s *Snapshot) finish() {
	slices.SortFunc(s.list, func(a, b *compiled) int { return strings.Compare(a.key, b.key) })
	s.slots = 0
	for _, c := range s.list {
		c.slot = s.slots
		s.slots += len(c.variants)
	}
}

// Revision is that of the Config.
func (s *Snapshot) Revision() int64 { return s.revision }

// Environment is that of the Config.
func (s *Snapshot) Environment() string { return s.environment }

// Next is when a schedule, an expiry or a condition on dates changes answers, and the Config has to be compiled again; zero is
// never.
func (s *Snapshot) Next() time.Time { return s.next }

// Keys are the switches there are, in order.
func (s *Snapshot) Keys() []string {
	keys := make([]string, len(s.list))
	for i, c := range s.list {
		keys[i] = c.key
	}
	return keys
}

// Has says whether there is a switch of that key.
func (s *Snapshot) Has(key string) bool { return s.index[key] != nil }

// Reason is the kind of an answer's cause, as OpenFeature has it.
type Reason uint8

// The reasons.
const (
	NotFound       Reason = iota // there is no such switch
	Static                       // the same for everyone
	Split                        // by the subject's share
	TargetingMatch               // by a condition, an override, labs
	Disabled                     // off for everyone, or killed
	Default                      // nothing spoke for the subject
	Errored                      // the switch is broken
)

// String is OpenFeature's name of the reason; there NotFound is an error, too.
func (r Reason) String() string {
	switch r {
	case Static:
		return "STATIC"
	case Split:
		return "SPLIT"
	case TargetingMatch:
		return "TARGETING_MATCH"
	case Disabled:
		return "DISABLED"
	case Default:
		return "DEFAULT"
	}
	return "ERROR"
}

// MarshalText is String.
func (r Reason) MarshalText() ([]byte, error) { return []byte(r.String()), nil }

// Answer is what a subject gets of a switch.
type Answer struct {
	Key     string          `json:"key"`
	Variant string          `json:"variant"` // "" of a switch that does not exist
	On      bool            `json:"on"`
	Value   json.RawMessage `json:"value,omitempty"` // not to be changed
	Reason  Reason          `json:"reason"`
	// Condition is what decided: kill, broken, parent KEY, requires KEY, override, labs, off, on, set N, everyone, holdout.
	Condition string `json:"condition"`
	// Bucket is where the subject landed, from 0 to 99,999; -1 where no share was asked.
	Bucket int `json:"bucket"`
	// Missing is the attribute that the subject would have to have for a share, and has not, so that it is off (or gets the
	// variant of on where everyone is in); "" is none.
	Missing string `json:"missing,omitempty"`
}

// verdict is an Answer in little. With more than four fields the compiler would keep it in memory, which takes twice as long.
type verdict struct {
	cond    *string
	bucket  int32 // or noBucket, noID
	variant uint8
	reason  Reason
}

const (
	noBucket = -1 // no share was asked
	noID     = -2 // the subject has nothing to be divided by
)

// Eval answers one switch for a subject; nil is nobody. It does not count as an exposure (see Holder).
func (s *Snapshot) Eval(key string, sub *Subject) Answer {
	c := s.index[key]
	if c == nil {
		return Answer{Key: key, Reason: NotFound, Bucket: -1}
	}
	return c.answer(c.decide(someone(sub), nil))
}

func someone(sub *Subject) *Subject {
	if sub == nil {
		return new(Subject) // stays on the stack
	}
	return sub
}

func (c *compiled) answer(v verdict) Answer {
	chosen := &c.variants[v.variant]
	a := Answer{Key: c.key, Variant: chosen.name, On: v.variant != c.off, Value: chosen.value, Reason: v.reason, Condition: *v.cond, Bucket: max(int(v.bucket), noBucket)}
	if v.bucket == noID {
		for c.state == Inherit && c.parent != nil {
			c = c.parent
		}
		a.Missing = c.bucketAttribute()
	}
	return a
}

// What decided, where it is the same for all switches. They are variables since verdicts point to them.
var (
	condKill, condBroken, condOverride = "kill", "broken", "override"
	condLabs, condOff, condOn          = "labs", "off", "on"
	condHoldout                        = "holdout"
)

func (c *compiled) offFor(reason Reason, cond *string) verdict {
	return verdict{cond, noBucket, c.off, reason}
}

// decide is the order in which things are asked. t, when not nil, is told of each.
func (c *compiled) decide(sub *Subject, t *tracer) verdict {
	switch { // the usual cases first
	case c.plain:
		return c.share(&c.everyone, sub, t)
	case !c.gated:
		return c.partial(sub, t)
	}
	return c.decideGated(sub, t)
}

// decideGated begins with what may stand before sets and shares.
func (c *compiled) decideGated(sub *Subject, t *tracer) verdict {
	if c.killed {
		t.add("kill", true, "the switch is killed, which stands above everything")
		return c.offFor(Disabled, &condKill)
	}
	if c.broken != "" {
		t.add("broken", true, c.broken)
		return c.offFor(Errored, &condBroken)
	}
	var inherited verdict
	if c.parent != nil {
		inherited = c.parent.decide(sub, t.within(c.parentCond))
		if inherited.variant == c.parent.off {
			t.add(c.parentCond, true, "the parent is off for this subject, and so are its children")
			return c.offFor(Default, &c.parentCond)
		}
		t.add(c.parentCond, false, "the parent is on; its child is asked")
	}
	if v, met := c.required(sub, t); !met {
		return v
	}
	if v, ok := c.personal(sub, t); ok {
		return v
	}
	switch c.state {
	case Off:
		t.add("off", true, "the switch is off for everyone")
		return c.offFor(Disabled, &condOff)
	case On:
		return c.everybody(sub, t)
	case Inherit:
		t.add("inherit", true, "what the parent answers")
		inherited.variant, inherited.cond = c.inherit[inherited.variant], &c.parentCond
		return inherited
	}
	return c.partial(sub, t)
}

// gate notes, once all is known, whether anything stands before the sets and shares.
func (c *compiled) gate() {
	c.gated = c.killed || c.broken != "" || c.parent != nil || c.state != Partial || c.labs != nil || len(c.requires)+len(c.overrides) > 0
	c.plain = !c.gated && len(c.sets) == 0
}

// required asks the switches that have to be on.
func (c *compiled) required(sub *Subject, t *tracer) (verdict, bool) {
	for i := range c.requires {
		r := &c.requires[i]
		got := r.of.decide(sub, t.within(r.cond)).variant
		met := got != r.of.off
		if r.variant >= 0 {
			met = int(got) == r.variant
		}
		if t != nil {
			t.add(r.cond, !met, fmt.Sprintf("it answers %s%s", r.of.variants[got].name, r.wanted()))
		}
		if !met {
			return c.offFor(Default, &r.cond), false
		}
	}
	return verdict{}, true
}

// wanted says which answer is required.
func (r *requirement) wanted() string {
	if r.variant < 0 {
		return ", and has to be on"
	}
	return ", and has to answer " + r.of.variants[r.variant].name
}

// personal is what holds for this subject alone: overrides, then labs. Where the switch is off, nobody can opt in.
func (c *compiled) personal(sub *Subject, t *tracer) (verdict, bool) {
	for i := range c.overrides {
		o := &c.overrides[i]
		if v, ok := o.variant[sub.first(o.by, o.name)]; ok {
			t.add("override", true, "the subject has one")
			return verdict{&condOverride, noBucket, v, TargetingMatch}, true
		}
	}
	if c.labs == nil || c.state == Off {
		return verdict{}, false
	}
	id := sub.ID
	if c.labs.forum {
		id = sub.Forum
	}
	if _, out := c.labs.out[id]; out {
		t.add("labs", true, "opted out")
		return c.offFor(TargetingMatch, &condLabs), true
	}
	if _, in := c.labs.in[id]; in {
		t.add("labs", true, "opted in")
		return verdict{&condLabs, noBucket, c.on, TargetingMatch}, true
	}
	t.add("labs", false, "neither opted in nor out")
	return verdict{}, false
}

// everybody is state on: all are in; a split of everyone still divides them.
func (c *compiled) everybody(sub *Subject, t *tracer) verdict {
	if len(c.everyone.split) == 0 {
		t.add("on", true, "the switch is on for everyone")
		return verdict{&condOn, noBucket, c.on, Static}
	}
	t.add("on", true, "the switch is on for everyone, who are divided among its variants")
	v := c.drawn(&c.everyone, c.subjectID(sub))
	v.cond = &condOn
	return v
}

// partial asks the sets in their order, then everyone's share.
func (c *compiled) partial(sub *Subject, t *tracer) verdict {
	for i := range c.sets {
		s := &c.sets[i]
		if t != nil && t.matches(s, sub) || t == nil && s.when.match(sub) {
			return c.share(&s.rollout, sub, t)
		}
	}
	return c.share(&c.everyone, sub, t)
}

// share decides whether the subject is in a rollout, and what it gets. It is the way of nearly all answers: whether a subject is in is
// chance, which no processor foresees, so the usual case has no branch on it.
func (c *compiled) share(r *rollout, sub *Subject, t *tracer) verdict {
	if r.fixed {
		return c.unshared(r, sub, t)
	}
	id := sub.ID
	if id == "" || c.by != fieldUser {
		if id = c.subjectID(sub); id == "" {
			t.missing(c, r)
			return verdict{&r.cond, noID, c.off, Default}
		}
	}
	b := 0
	if c.unleash {
		b = unleashBucket(c.salt, id)
	} else {
		b = BucketOf(c.seed, id)
	}
	if t != nil {
		t.landed(c, r, b)
	}
	if r.special {
		return c.special(r, id, b)
	}
	variant := c.off
	if uint(b-r.from) < r.width {
		variant = c.on
	}
	return verdict{&r.cond, int32(b), variant, Split}
}

// special is for the few rollouts that have a split, or a part that is held out.
func (c *compiled) special(r *rollout, id string, b int) verdict {
	v := verdict{&r.cond, int32(b), c.off, Split}
	switch {
	case r.held(b):
		v.cond = &condHoldout
	case r.in(b) && len(r.split) > 0:
		v.variant = c.draw(r, id)
	case r.in(b):
		v.variant = c.on
	}
	return v
}

// unshared is a rollout that nobody is in, or everybody.
func (c *compiled) unshared(r *rollout, sub *Subject, t *tracer) verdict {
	switch {
	case r.limit == 0:
		t.add(r.cond, true, "0 %: nobody of them")
		return c.offFor(r.plain, &r.cond)
	case len(r.split) == 0:
		t.add(r.cond, true, "100 %: all of them")
		return verdict{&r.cond, noBucket, c.on, r.plain}
	}
	t.add(r.cond, true, "100 %: all of them, divided among the variants")
	return c.drawn(r, c.subjectID(sub))
}

// in says whether a bucket gets it; held, whether it only does not because it is held out.
func (r *rollout) in(b int) bool { return uint(b-r.from) < r.width }

func (r *rollout) held(b int) bool { return b >= r.from+int(r.width) && b < r.heldTo }

// drawn is the variant of one of all those of a split.
func (c *compiled) drawn(r *rollout, id string) verdict {
	if id == "" {
		return verdict{&r.cond, noID, c.on, Default}
	}
	return verdict{&r.cond, noBucket, c.draw(r, id), Split}
}

// draw is the variant that an id gets of a split.
func (c *compiled) draw(r *rollout, id string) uint8 {
	if c.unleash {
		return r.unleash(c.salt, id)
	}
	return r.draw(xxhash.Sum64String(id))
}

func (r *rollout) draw(id uint64) uint8 {
	best, most := uint8(0), 0.0
	for i := range r.split {
		if l := lot(r.split[i].seed, id, r.split[i].weight); i == 0 || l > most {
			best, most = r.split[i].variant, l
		}
	}
	return best
}

// unleash is the variant that Unleash's clients choose.
func (r *rollout) unleash(group, id string) uint8 {
	n := unleash(group, id, r.total, unleashSeed)
	var sum uint32
	for _, w := range r.split {
		if sum += uint32(w.weight); n <= sum {
			return w.variant
		}
	}
	return r.split[len(r.split)-1].variant
}

// subjectID is what the switch divides. By default that is the person, or the browser of one who has not signed in. A switch that
// divides by anonymous goes on giving a browser the same answer after its person has signed in; whoever has no such id, is
// divided by person.
func (c *compiled) subjectID(sub *Subject) string {
	switch {
	case c.by == fieldUser && sub.ID == "":
		return sub.Anonymous
	case c.by == fieldUser:
		return sub.ID
	case c.by == fieldAnonymous && sub.Anonymous == "":
		return sub.ID
	}
	return sub.first(c.by, c.byName)
}

// bucketAttribute names what subjectID looks for.
func (c *compiled) bucketAttribute() string {
	if c.byName == "" || c.byName == "targetingKey" {
		return "user"
	}
	return c.byName
}
