package switches

import "fmt"

// Limits of an environment's switches. What is over one is refused by Check with advice, and answers off in Compile: nothing
// that people or importers hand in may make an answer slow, or a process large.
const (
	MaxSwitches  = 20_000    // of one environment
	MaxSegments  = 2_000     // of one environment
	MaxKey       = 200       // bytes of the key of a switch or segment
	MaxText      = 1_000     // bytes of a value, a salt, a description's line
	MaxVariants  = 50        // of one switch
	MaxPayload   = 64 << 10  // bytes of a variant's value
	MaxRequires  = 20        // switches that one switch requires
	MaxOverrides = 1_000     // of one switch; more are a segment
	MaxSets      = 50        // of one switch
	MaxRules     = 200       // of one set or segment
	MaxValues    = 10_000    // of one rule
	MaxRegexp    = 300       // bytes of a regular expression
	MaxSchedule  = 100       // changes of one switch that are still to come, or have just been
	MaxSteps     = 50        // of a ramp
	MaxLabs      = 1_000_000 // who opted in to one switch, and who opted out
	MaxDepth     = 10        // colons of a key; segments within segments
	MaxWork      = 1_000     // other switches and segments that one answer may have to ask, each counted as often as it is asked
)

// over is the text of a broken limit.
func over(what string, n, limit int, advice string) string {
	return fmt.Sprintf("%d %s; at most %d are allowed: %s", n, what, limit, advice)
}
