package envelope

import "errors"

// Limits bound what is read of an envelope. Zero values mean the defaults.
type Limits struct {
	Items      int // items of one envelope
	HeaderLine int // bytes of a header line
	Depth      int // nesting of an event's JSON
	Nodes      int // values in an event's JSON
}

func (l Limits) orDefault() Limits {
	set := func(p *int, n int) {
		if *p == 0 {
			*p = n
		}
	}
	set(&l.Items, 100)
	set(&l.HeaderLine, 8<<10)
	set(&l.Depth, MaxDepth)
	set(&l.Nodes, 100_000)
	return l
}

// MaxDepth is how deep the JSON of an event is read unless a setting says otherwise. What is deeper is cut and noted.
const MaxDepth = 128

// Limits of an event's fields, in bytes or in number. What is beyond them is cut and noted in Event.Notes.
const (
	maxMessage     = 8192
	maxValue       = 8192
	maxName        = 512 // types, functions, modules, transactions
	maxTagKey      = 200
	maxTagValue    = 200
	maxTags        = 100
	maxPath        = 1024
	maxLine        = 4096 // a line of source
	maxFrames      = 250
	oldFrames      = 50 // of them those farthest from the crash; the rest are the nearest, as the protocol's own server cuts
	maxExceptions  = 50
	maxThreads     = 256
	maxBreadcrumbs = 200
	maxFields      = 200 // of any map
	maxFieldText   = 16 << 10
	maxModules     = 1000
	maxParts       = 50 // of a fingerprint
	maxEnvironment = 64
	maxNotes       = 50
)

// Error is why bytes were refused: Reason names it for outcomes, Text tells people.
type Error struct{ Reason, Text string }

// Error implements error.
func (e *Error) Error() string { return e.Text }

// Reason is the name of a refusal for outcomes.
func Reason(err error) string {
	var e *Error
	if errors.As(err, &e) {
		return e.Reason
	}
	return "invalid"
}
