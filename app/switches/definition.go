package switches

import (
	"encoding/json"
	"time"
)

// Buckets is how finely subjects are divided: a bucket is 0.001 %.
const Buckets = 100_000

// State is what a switch does before its conditions are asked.
type State string

// The states of a switch.
const (
	Off     State = "off"     // nobody
	Partial State = "partial" // condition sets, then a share of everyone else
	On      State = "on"      // everyone
	Inherit State = "inherit" // what its parent answers
)

// Config is everything that is published of one environment.
type Config struct {
	Environment string    `json:"environment" yaml:"environment"`
	Revision    int64     `json:"revision" yaml:"-"`
	Switches    []Switch  `json:"switches" yaml:"switches"`
	Segments    []Segment `json:"segments,omitempty" yaml:"segments,omitempty"`
}

// Switch is one feature switch in one environment, as people edit it. A key with a colon names its parent: `a:b` is asked
// only where `a` is on.
type Switch struct {
	Key         string   `json:"key" yaml:"key"`
	Description string   `json:"description,omitempty" yaml:"description,omitempty"`
	Owner       string   `json:"owner,omitempty" yaml:"owner,omitempty"`     // a person or team
	Project     string   `json:"project,omitempty" yaml:"project,omitempty"` // slug of the project whose switch it is; "" all
	Tags        []string `json:"tags,omitempty" yaml:"tags,omitempty"`
	RemoveBy    string   `json:"remove_by,omitempty" yaml:"remove_by,omitempty"` // a date, 2006-01-02
	// Default is the variant that the code falls back to without us, when it says so; for the stale report.
	Default string `json:"default,omitempty" yaml:"default,omitempty"`

	State State `json:"state" yaml:"state"`
	// Killed stands above everything: parents, overrides, labs, schedules. Everyone gets OffVariant.
	Killed bool `json:"killed,omitempty" yaml:"killed,omitempty"`

	// Salt keeps the switch's division of subjects apart from others'; made when the switch is, and kept when it is renamed.
	// Switches that share a salt take the same subjects.
	Salt string `json:"salt,omitempty" yaml:"salt,omitempty"`
	// BucketBy is the attribute that is divided; "" is the subject's id.
	BucketBy string `json:"bucket_by,omitempty" yaml:"bucket_by,omitempty"`
	// Hash is how a subject becomes a bucket; "" is ours, HashUnleash that of Unleash's clients (percent without fraction).
	Hash string `json:"hash,omitempty" yaml:"hash,omitempty"`
	// Skip and Take narrow the buckets that percentages are shares of, for switches of one salt that must not take the same
	// subjects: shares of [Skip, Skip+Take). Take 0 is all of them.
	Skip int `json:"skip,omitempty" yaml:"skip,omitempty"`
	Take int `json:"take,omitempty" yaml:"take,omitempty"`

	// Variants are the answers. None is a boolean switch: on is true, off is false.
	Variants   []Variant `json:"variants,omitempty" yaml:"variants,omitempty"`
	OffVariant string    `json:"off_variant,omitempty" yaml:"off_variant,omitempty"` // "" is off
	OnVariant  string    `json:"on_variant,omitempty" yaml:"on_variant,omitempty"`   // where no split says otherwise; "" is on, or the first that is not off

	Requires  []Requirement `json:"requires,omitempty" yaml:"requires,omitempty"`
	Overrides []Override    `json:"overrides,omitempty" yaml:"overrides,omitempty"`
	Sets      []Set         `json:"sets,omitempty" yaml:"sets,omitempty"` // the first that matches decides
	Everyone  Rollout       `json:"everyone" yaml:"everyone"`             // those no set matches

	Schedule []Change `json:"schedule,omitempty" yaml:"schedule,omitempty"`
	Ramp     *Ramp    `json:"ramp,omitempty" yaml:"ramp,omitempty"`
	Guard    *Guard   `json:"guard,omitempty" yaml:"guard,omitempty"` // nil: GuardDefault
	Labs     *Labs    `json:"labs,omitempty" yaml:"labs,omitempty"`
}

// HashUnleash buckets as Unleash's clients do: murmur3 of "group:id", group being the salt.
const HashUnleash = "unleash"

// Variant is one answer of a switch and its payload, any JSON.
type Variant struct {
	Name  string          `json:"name" yaml:"name"`
	Value json.RawMessage `json:"value,omitempty" yaml:"-"` // absent: the name as a string; for on and off true and false
}

// Requirement is another switch that must answer a variant ("" any that is on) before this one is asked.
type Requirement struct {
	Key     string `json:"key" yaml:"key"`
	Variant string `json:"variant,omitempty" yaml:"variant,omitempty"`
}

// Override gives one subject an answer, until it expires. It stands above schedules, sets and shares, and below Killed.
type Override struct {
	Attribute string    `json:"attribute,omitempty" yaml:"attribute,omitempty"` // "" the subject's id
	Value     string    `json:"value" yaml:"value"`
	Variant   string    `json:"variant" yaml:"variant"`
	Expires   time.Time `json:"expires,omitzero" yaml:"expires,omitempty"`
	Why       string    `json:"why,omitempty" yaml:"why,omitempty"`
}

// Set is a condition and what those get whom it matches.
type Set struct {
	Name    string  `json:"name,omitempty" yaml:"name,omitempty"`
	When    When    `json:"when" yaml:"when"`
	Rollout Rollout `json:"rollout" yaml:"rollout"`
}

// When is a condition: any of its groups, each all of its rules. It is what a list of rules joined by `or` and `and` means,
// since `and` binds closer. Without a group it matches nobody.
type When [][]Rule

// Rule asks one attribute.
type Rule struct {
	// Attribute: user, anonymous, ip, forum, role, country, host, release, environment, time, segment, or any attribute of the context,
	// nested ones with dots.
	Attribute string   `json:"attribute" yaml:"attribute"`
	Op        Op       `json:"op" yaml:"op"`
	Values    []string `json:"values,omitempty" yaml:"values,omitempty"`
	Not       bool     `json:"not,omitempty" yaml:"not,omitempty"` // also matches where the attribute is absent
	FoldCase  bool     `json:"fold_case,omitempty" yaml:"fold_case,omitempty"`
}

// Op is how a rule compares an attribute with its values; with several values one that fits is enough.
type Op string

// The comparisons.
const (
	Is       Op = "is" // equal as text; numbers and booleans by their JSON text
	Prefix   Op = "prefix"
	Suffix   Op = "suffix"
	Contains Op = "contains"
	Matches  Op = "matches" // RE2
	Less     Op = "<"       // numbers
	AtMost   Op = "<="
	More     Op = ">"
	AtLeast  Op = ">="
	In       Op = "in"     // an address in a network (CIDR), or an address itself
	Before   Op = "before" // moments, RFC 3339 or dates; attribute time is now
	After    Op = "after"  // at or after
	Older    Op = "older"  // semantic versions
	Newer    Op = "newer"
	Same     Op = "same"    // semantic versions, whose build is left out
	Present  Op = "present" // no values
	Within   Op = "within"  // attribute segment: matches a segment of these keys
	Share    Op = "share"   // the attribute's own hash lies in the first Values[0] percent, apart from the switch's shares
)

// Rollout is a share of those it is about, and how that share is divided.
type Rollout struct {
	Percent float64  `json:"percent" yaml:"percent"` // 0 to 100 in steps of 0.001
	Split   []Weight `json:"split,omitempty" yaml:"split,omitempty"`
}

// Weight is a variant's part of a split; parts are relative to their sum.
type Weight struct {
	Variant string  `json:"variant" yaml:"variant"`
	Weight  float64 `json:"weight" yaml:"weight"`
}

// Segment is a condition with a name, shared by switches.
type Segment struct {
	Key         string `json:"key" yaml:"key"`
	Description string `json:"description,omitempty" yaml:"description,omitempty"`
	When        When   `json:"when" yaml:"when"`
}

// Change is what a schedule does at a moment; nil leaves as it is.
type Change struct {
	At      time.Time `json:"at" yaml:"at"`
	State   State     `json:"state,omitempty" yaml:"state,omitempty"`
	Percent *float64  `json:"percent,omitempty" yaml:"percent,omitempty"` // of everyone
}

// Ramp widens the share of everyone step by step while the guard is content.
type Ramp struct {
	Steps   []Step     `json:"steps" yaml:"steps"`
	At      int        `json:"at" yaml:"at"` // step that is in force; -1 before the first
	Since   time.Time  `json:"since,omitzero" yaml:"since,omitempty"`
	Paused  bool       `json:"paused,omitempty" yaml:"paused,omitempty"`
	Holdout float64    `json:"holdout,omitempty" yaml:"holdout,omitempty"` // percent of everyone that never gets it while it ramps, 0 to 50
	Quiet   []QuietBit `json:"quiet,omitempty" yaml:"quiet,omitempty"`     // no step is taken then
}

// Step is a share and what must be true before the next one.
type Step struct {
	Percent  float64  `json:"percent" yaml:"percent"`
	Wait     Duration `json:"wait" yaml:"wait"`         // at least so long
	Subjects int64    `json:"subjects" yaml:"subjects"` // at least so many exposed
}

// QuietBit is a stretch of a week in UTC: days are 0 Sunday to 6, none is every day; times are 15:04, and may go over midnight.
type QuietBit struct {
	Days []int  `json:"days,omitempty" yaml:"days,omitempty"`
	From string `json:"from" yaml:"from"`
	To   string `json:"to" yaml:"to"`
}

// Guard is what watches a switch. The zero value watches, with the defaults.
type Guard struct {
	Mode GuardMode `json:"mode,omitempty" yaml:"mode,omitempty"` // "" is GuardKill
	// Hold and Kill are the evidence (e-values) at which it acts; 0 is 20 and 1,000.
	Hold float64 `json:"hold,omitempty" yaml:"hold,omitempty"`
	Kill float64 `json:"kill,omitempty" yaml:"kill,omitempty"`
	// Latency and Queries let slower answers and more queries count as harm, too; errors always do.
	Latency bool `json:"latency,omitempty" yaml:"latency,omitempty"`
	Queries bool `json:"queries,omitempty" yaml:"queries,omitempty"`
	// PausedUntil is when a person who held it lets it act again.
	PausedUntil time.Time `json:"paused_until,omitzero" yaml:"paused_until,omitempty"`
}

// GuardMode is what a guard may do.
type GuardMode string

// The modes of a guard.
const (
	GuardKill   GuardMode = "kill"   // hold the ramp, then kill
	GuardHold   GuardMode = "hold"   // hold the ramp and tell, never kill
	GuardShadow GuardMode = "shadow" // only say what it would have done
	GuardOff    GuardMode = "off"
)

// Labs offers a switch to people, who opt in and out themselves.
type Labs struct {
	Title string `json:"title" yaml:"title"`
	Text  string `json:"text,omitempty" yaml:"text,omitempty"`
	Per   string `json:"per,omitempty" yaml:"per,omitempty"` // "" a person, "forum" a forum's owner for the forum
	Cap   int    `json:"cap,omitempty" yaml:"cap,omitempty"` // how many may opt in; 0 any
	// In and Out are who did: ids of people or forums. They are kept apart from the switch, one by one, and put in before it is
	// compiled.
	In       []string `json:"-" yaml:"-"`
	Out      []string `json:"-" yaml:"-"`
	Feedback string   `json:"feedback,omitempty" yaml:"feedback,omitempty"` // address that opinions go to
}
