// Package grouping decides which events are one issue. It is pure: an event goes in, and components,
// variants, hashes, a title and a culprit come out, with the reason for each. It knows nothing of the
// rest of Kibitz and uses the standard library only.
//
// The algorithm and its terms are those of Sentry's public configurations newstyle, see Configs.
package grouping

// Event is what grouping needs to know of an error event. The zero value of every field means absent.
type Event struct {
	Platform    string
	Level       string
	Logger      string
	Transaction string
	Release     string
	SDK         string
	Fingerprint []string // the client's; nil for the default
	Checksum    string
	Message     string      // the template when there is one, else the formatted text
	Formatted   string      // the formatted text, for titles
	Exceptions  []Exception // outermost last
	Threads     []Thread
	Stacktrace  *Stacktrace
	Template    *Template
	Security    *Security
	Tags        map[string]string
}

// Exception is one member of the chain.
type Exception struct {
	Type      string
	Value     string
	Module    string
	Mechanism Mechanism
	Stack     *Stacktrace
}

// Mechanism tells how an exception came to be reported. ID and ParentID count only when HasID, HasParent.
type Mechanism struct {
	Type             string
	Synthetic        bool
	Handled          *bool
	HasID, HasParent bool
	ID, ParentID     int
	IsGroup          bool
	Source           string
	NSDomain, NSCode string
}

// Thread is one thread with its stack.
type Thread struct {
	ID      string
	Crashed bool
	Current bool
	Stack   *Stacktrace
}

// Stacktrace is frames, oldest call first.
type Stacktrace struct{ Frames []Frame }

// Frame is one call. InApp is nil when the client did not say.
type Frame struct {
	AbsPath, Filename, Module, Package string
	Function, RawFunction              string
	ContextLine                        string
	Platform                           string
	Line, Column                       int
	InApp                              *bool
	SourceMapped                       bool
}

// Template is the place in a template that failed.
type Template struct{ Filename, ContextLine string }

// Security is a browser's security report.
type Security struct {
	Kind                                  string // csp, hpkp, expectct, expectstaple
	EffectiveDirective, ViolatedDirective string
	BlockedURI, DocumentURI, Hostname     string
}

// Config is one published version of the algorithm. A published one is never changed, only succeeded:
// an issue keeps the one it was made by.
type Config string

// The published configurations.
const (
	Newstyle2023 Config = "newstyle:2023-01-11"
	Newstyle2026 Config = "newstyle:2026-01-20"
)

// Component is a node of the explanation: what was looked at, whether it counts, and if not, why.
type Component struct {
	ID          string // "exception", "stacktrace", "frame", "type", "value", "module", "function", "context-line" ...
	Name        string // for people; defaults to ID
	Contributes bool
	Hint        string // why it does not count, or what was changed
	Values      []string
	Children    []*Component
}

// Variant is one way to look at the event: "app" (in-app frames only), "system" (all frames), "default",
// "custom_client_fingerprint", "custom_server_fingerprint", "built_in_fingerprint", "checksum", "hashed_checksum",
// "fallback".
type Variant struct {
	Name        string
	Contributes bool
	Hint        string
	Hash        string // 32 lower-case hex digits; "" when it does not contribute
	Strategy    string
	Root        *Component // nil for checksum and fallback
	// Fingerprint is what takes part in the hash beside Root, variables filled in; nil without {{ default }}.
	Fingerprint []string
}

// Result is all that grouping found out about an event.
type Result struct {
	Config   Config
	Variants []Variant // those that contribute first, in the order in which their hashes are tried
	Strategy string    // what decided: exception, threads, stacktrace, template, csp, message, fingerprint, checksum, fallback
	Title    string    // "Type: first line of value", or the message
	Type     string
	Value    string
	Culprit  string
	// InApp tells, for each frame of Event.Exceptions[i].Stack, whether it counts as the program's own
	// after the rules; nil for an exception without a stack.
	InApp [][]bool
}
