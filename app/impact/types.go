package impact

import "time"

// Band is an estimate and the interval in which the truth lies with 95 %.
type Band struct{ Value, Low, High float64 }

// SwitchImpact is what requests tell of a switch, by its answers.
type SwitchImpact struct {
	Key      string
	Variants []VariantImpact // those that are on first, then by name
	Start    time.Time       // of the first bucket of Spark
	Step     time.Duration   // width of a bucket of Spark
}

// VariantImpact is the requests in which a switch gave one answer. Requests and Failed count each by its weight.
type VariantImpact struct {
	Variant          string
	On               bool // it is none of the answers that stand for off
	Requests, Failed float64
	Seen             int64 // requests that were seen, not what they stand for
	Subjects         int64 // distinct people, 2 % off at the most as a rule; where nobody is known, traces
	P50, P95, P99    time.Duration
	Queries          float64   // mean a request
	Spark            []float64 // requests by bucket
}

// FailedShare is the share of requests that failed, with its interval.
func (v VariantImpact) FailedShare() Band { return wilson(v.Failed, v.Requests, float64(v.Seen)) }

// VariantSeries is the requests with one answer over time.
type VariantSeries struct {
	Variant string
	On      bool
	Step    time.Duration
	Points  []Point // one a bucket; those without requests have N 0
}

// Point is a bucket of a series. Durations are microseconds.
type Point struct {
	Start         time.Time
	N, Failed     float64
	Seen          int64
	Subjects      int64
	FailedShare   Band // 0 to 1
	P50, P95, P99 Band
	Queries       float64
}

// Estimate is how many people a switch reaches.
type Estimate struct {
	Known    bool // somebody was asked for
	Subjects int64
	Low      int64
	High     int64
	Over     time.Duration
	On       int64 // of them, those who got an answer that is on
}

// Suspect is an answer of a switch with which an issue's events are commoner.
type Suspect struct {
	Key, Variant string
	// Ratio is how many times likelier an event is with the answer than with any other.
	Ratio Band
	// Events with the answer and with others; Exposed are the requests that had them, or, when ByErrors is set, the events of the
	// whole project: it sends no requests that name the switch.
	Events, Others         int64
	Exposed, ExposedOthers float64
	ByErrors               bool
	Text                   string // "11× more likely with new_ranking on"
}

// StaleWhy is why a switch may be removed.
type StaleWhy string

// The reasons.
const (
	NeverAsked     StaleWhy = "never asked"
	OneSided       StaleWhy = "one answer"
	DefaultDiffers StaleWhy = "default differs"
	PastRemoveBy   StaleWhy = "past its date"
)

// StaleSwitch is a switch that may be removed, or looked after.
type StaleSwitch struct {
	Key, Owner, RemoveBy string
	Why                  []StaleWhy
	Text                 []string // of each reason, in words
	Answer               string   // the one answer it gives; "" several or none
	LastAsked            time.Time
	Caller               string // file:line that asks; "" unknown
}

// Alert is what people are told of a decision.
type Alert struct {
	Decision
	Project string // slug of the project whose switch it is; "" Kibitz's own
	Owner   string
}

// Decision is something that the guard did, or would have done.
type Decision struct {
	ID       int64
	Env, Key string
	At       time.Time
	Action   Action
	Text     string // why, in a sentence
	Evidence Evidence
}

// Action is what a guard does.
type Action string

// The actions.
const (
	ActHold      Action = "hold"
	ActKill      Action = "kill"
	ActWouldHold Action = "would hold"
	ActWouldKill Action = "would kill"
	ActRelease   Action = "release"
	ActReset     Action = "reset"
	ActWarn      Action = "warn"
)

// Evidence is the figures a decision stands on.
type Evidence struct {
	E             float64   `json:"e"`
	Variant       string    `json:"variant,omitempty"`
	Exposed       int64     `json:"exposed"` // subjects, each once a window
	Failed        int64     `json:"failed"`
	Control       int64     `json:"control"` // the same without it
	ControlFailed int64     `json:"control_failed"`
	Dispersion    float64   `json:"dispersion"`
	Ratio         Band      `json:"ratio"`
	Since         time.Time `json:"since,omitzero"`
}

// GuardView is what the guard of a switch knows at the moment.
type GuardView struct {
	Watching bool   // it has counted something, or would
	Why      string // what it does, or why it does not judge, in a sentence
	Holding  bool   // the ramp takes no step
	Warning  string
	People   int64 // who got an answer that is on since the share changed last
	Evidence
}
