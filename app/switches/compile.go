package switches

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/cespare/xxhash/v2"
)

// Problem is what is wrong with a switch or segment, in words for whoever edits it.
type Problem struct {
	Key   string `json:"key"`   // of the switch; of a segment when Field begins with "segment"
	Field string `json:"field"` // requires, set 2, group 1, rule 3 ...
	Text  string `json:"text"`
	// Warning is something that answers all the same; any other Problem makes its switch answer off.
	Warning bool `json:"warning,omitempty"`
}

// String is one line.
func (p Problem) String() string { return p.Key + ": " + p.Field + ": " + p.Text }

// variant is an answer, ready to be given.
type variant struct {
	name  string
	value json.RawMessage
}

// compiled is a switch that can be asked at once.
type compiled struct {
	key      string
	gated    bool // something stands before the sets and shares
	plain    bool // there is nothing but everyone's share
	killed   bool
	broken   string // why it answers off; "" is sound
	state    State
	variants []variant
	off, on  uint8
	slot     int // of its first variant among the counters

	parent     *compiled
	parentCond string
	inherit    []uint8 // the parent's variants as ours
	requires   []requirement
	overrides  []overrides
	labs       *labs
	sets       []set
	everyone   rollout

	salt     string
	seed     uint64
	unleash  bool
	by       field
	byName   string
	skip     int
	take     int
	holdFrom int // buckets from here on are held out of everyone's share; Buckets is none

	whole Switch // as it was given, for explanations
}

type requirement struct {
	of      *compiled
	key     string
	variant int // -1 any that is on
	cond    string
}

// overrides are those of one attribute.
type overrides struct {
	by      field
	name    string
	variant map[string]uint8
}

type labs struct {
	forum   bool
	in, out map[string]struct{}
}

type set struct {
	when    when
	rollout rollout
}

type rollout struct {
	limit   int    // in buckets of all
	fixed   bool   // nobody is in, or everybody
	plain   Reason // where no bucket decides
	from    int    // the first bucket that is in
	width   uint   // how many are
	heldTo  int    // those behind them until here are held out
	special bool   // there is a split, or one is held out
	split   []weighed
	total   uint32 // of whole weights, for Unleash's clients
	cond    string
}

type weighed struct {
	variant uint8
	weight  float64
	seed    uint64
}

type segment struct {
	key    string
	when   when
	broken bool
	work   int // segments asked, itself counted
	depth  int
}

// compiler is one run of Compile or Check.
type compiler struct {
	now         time.Time
	environment string
	alone       bool // without the others: what refers to them is not looked at
	segments    map[string]*segment
	sources     map[string]Segment
	open        []string // segments being compiled, to find cycles
	problems    []Problem
	next        time.Time

	key    string // being compiled
	prefix string
	broken string // first reason why it answers off
	work   int    // of segments
	depth  int
}

// fail notes a problem for which the switch answers off.
func (k *compiler) fail(field, format string, args ...any) {
	text := fmt.Sprintf(format, args...)
	if k.broken == "" {
		k.broken = k.prefix + field + ": " + text
	}
	k.problems = append(k.problems, Problem{Key: k.key, Field: k.prefix + field, Text: text})
}

func (k *compiler) warn(field, format string, args ...any) {
	k.problems = append(k.problems, Problem{Key: k.key, Field: k.prefix + field, Text: fmt.Sprintf(format, args...), Warning: true})
}

// wake asks for a new Compile at t, when that is still to come.
func (k *compiler) wake(t time.Time) {
	if t.After(k.now) && (k.next.IsZero() || t.Before(k.next)) {
		k.next = t
	}
}

// Compile makes the switches of an environment ready to be asked. It never fails as a whole: a switch that is broken answers off,
// and is among the problems. Whatever depends on the time (schedules, expiries, conditions on dates) is decided for now, and
// Next of the snapshot says when to compile again, so that no answer needs a clock. c must not be changed afterwards.
func Compile(c Config, now time.Time) (*Snapshot, []Problem) {
	k := &compiler{now: now, environment: c.Environment, segments: map[string]*segment{}, sources: map[string]Segment{}}
	k.compileSegments(c.Segments)
	s := &Snapshot{environment: c.Environment, revision: c.Revision, index: make(map[string]*compiled, len(c.Switches))}
	for i, sw := range c.Switches {
		if i == MaxSwitches {
			k.key, k.prefix = sw.Key, ""
			k.fail("key", "%s", over("switches", len(c.Switches), MaxSwitches, "remove stale ones; this and those after it answer off"))
			break
		}
		if s.index[sw.Key] != nil {
			k.key, k.prefix = sw.Key, ""
			k.warn("key", "another switch of this environment has it; the first one counts")
			continue
		}
		one := k.compileSwitch(sw)
		s.index[sw.Key] = one
		s.list = append(s.list, one)
	}
	k.link(s)
	s.finish()
	s.next = k.next
	return s, k.problems
}

// compileSwitch compiles all but what refers to other switches.
func (k *compiler) compileSwitch(sw Switch) *compiled {
	k.begin(sw.Key, "")
	for _, ch := range sw.Schedule {
		k.wake(ch.At)
	}
	sw = Settle(sw, k.now)
	c := &compiled{key: sw.Key, killed: sw.Killed, state: sw.State, salt: saltOf(sw), whole: sw}
	c.seed = xxhash.Sum64String(c.salt)
	k.compileHead(c, sw)
	k.compileVariants(c, sw)
	k.compileShares(c, sw)
	k.compileOverrides(c, sw)
	k.compileLabs(c, sw)
	if len(sw.Sets) > MaxSets {
		k.fail("sets", "%s", over("sets", len(sw.Sets), MaxSets, "join those that give the same, or use segments"))
		sw.Sets = nil
	}
	for i, set := range sw.Sets {
		c.sets = append(c.sets, k.compileSet(c, set, fmt.Sprintf("set %d", i+1)))
	}
	c.everyone = k.compileRollout(c, sw.Everyone, "everyone")
	c.everyone.settle(c, c.holdFrom)
	c.everyone.plain = Default
	if len(c.sets) == 0 && c.everyone.limit == Buckets {
		c.everyone.plain = Static
	}
	c.broken = k.broken
	return c
}

func (k *compiler) begin(key, prefix string) {
	k.key, k.prefix, k.broken, k.work, k.depth = key, prefix, "", 0, 0
}

// saltOf is the switch's salt; without one its key, so that a renaming would divide its subjects anew.
func saltOf(sw Switch) string {
	if sw.Salt == "" {
		return sw.Key
	}
	return sw.Salt
}

func (k *compiler) compileHead(c *compiled, sw Switch) {
	if why := wrongKey(sw.Key); why != "" {
		k.fail("key", "%s", why)
	}
	switch sw.State {
	case Off, Partial, On, Inherit:
	default:
		k.fail("state", "%q is no state: it is off, partial, on or inherit", cut(string(sw.State)))
	}
	if len(sw.Salt) > MaxText {
		k.fail("salt", "%s", over("bytes in the salt", len(sw.Salt), MaxText, "16 are plenty"))
	}
	if sw.Hash != "" && sw.Hash != HashUnleash {
		k.fail("hash", "%q is no way to divide: leave it out for ours, or say %q", cut(sw.Hash), HashUnleash)
	}
	if sw.State == Inherit && !strings.Contains(sw.Key, ":") {
		k.fail("state", "inherit needs a parent, and the key has none: parents stand before a colon, as in parent:child")
	}
}

// wrongKey says why a key is none; "" when it is.
func wrongKey(key string) string {
	switch {
	case key == "":
		return "a key is needed"
	case len(key) > MaxKey:
		return over("bytes in the key", len(key), MaxKey, "it has to fit into reports and addresses")
	case strings.Count(key, ":") > MaxDepth:
		return over("parents in the key", strings.Count(key, ":"), MaxDepth, "use fewer levels, or requires")
	}
	for part := range strings.SplitSeq(key, ":") {
		if part == "" {
			return "there is nothing on one side of a colon, where a parent and a child stand"
		}
	}
	for _, r := range key {
		if r <= ' ' || r == 0x7f || strings.ContainsRune("\"'`<>\\,;?#%&", r) || r == 0xfffd {
			return fmt.Sprintf("%q cannot stand in a key: use letters, digits and . _ - / :", r)
		}
	}
	return ""
}

func (k *compiler) compileVariants(c *compiled, sw Switch) {
	if len(sw.Variants) > MaxVariants {
		k.fail("variants", "%s", over("variants", len(sw.Variants), MaxVariants, "put what they have in common into one payload"))
		sw.Variants = nil
	}
	for _, v := range sw.Variants {
		k.addVariant(c, v)
	}
	offName := sw.OffVariant
	if offName == "" {
		offName = string(Off)
	}
	if c.index(offName) < 0 && (sw.OffVariant == "" || len(sw.Variants) == 0) {
		c.variants = append(c.variants, variant{string(Off), json.RawMessage("false")})
	}
	if len(sw.Variants) == 0 {
		c.variants = append(c.variants, variant{string(On), json.RawMessage("true")})
	}
	c.off = k.variant(c, offName, "off_variant")
	c.on = c.defaultOn()
	if sw.OnVariant != "" {
		c.on = k.variant(c, sw.OnVariant, "on_variant")
	}
	if c.on == c.off {
		k.fail("on_variant", "on and off are the same variant %q: add a variant", c.variants[c.off].name)
	}
}

func (k *compiler) addVariant(c *compiled, v Variant) {
	at := fmt.Sprintf("variant %q", cut(v.Name))
	switch {
	case v.Name == "" || len(v.Name) > MaxKey:
		k.fail("variants", "a variant's name has 1 to %d bytes", MaxKey)
	case c.index(v.Name) >= 0:
		k.fail(at, "the name is there twice")
	case len(v.Value) > MaxPayload:
		k.fail(at, "%s", over("bytes of value", len(v.Value), MaxPayload, "let the value name what is kept elsewhere"))
	case len(v.Value) > 0 && !json.Valid(v.Value):
		k.fail(at, "its value is no JSON: texts stand in quotes")
	}
	c.variants = append(c.variants, variant{v.Name, valueOf(v)})
}

// valueOf is a variant's value as JSON.
func valueOf(v Variant) json.RawMessage {
	switch {
	case len(v.Value) > 0:
		return slices.Clone(v.Value)
	case v.Name == string(On):
		return json.RawMessage("true")
	case v.Name == string(Off):
		return json.RawMessage("false")
	}
	text, err := json.Marshal(v.Name)
	if err != nil { // a string always is JSON
		return json.RawMessage("null")
	}
	return text
}

// defaultOn is `on`, or the first that is not off.
func (c *compiled) defaultOn() uint8 {
	if i := c.index(string(On)); i >= 0 && uint8(i) != c.off {
		return uint8(i)
	}
	for i := range c.variants {
		if uint8(i) != c.off {
			return uint8(i)
		}
	}
	return c.off
}

// index finds a variant by its name; -1 is none.
func (c *compiled) index(name string) int {
	return slices.IndexFunc(c.variants, func(v variant) bool { return v.name == name })
}

// variant finds one that is spoken of somewhere in the switch.
func (k *compiler) variant(c *compiled, name, at string) uint8 {
	i := c.index(name)
	if i < 0 {
		k.fail(at, "there is no variant %q", cut(name))
		return c.off
	}
	return uint8(i)
}
