package views

import (
	"net/url"
	"strings"
	"time"

	"github.com/a-h/templ"

	"kibitz/app/model"
	"kibitz/app/switches"
)

// SwitchConfirmProps asks before more people see something. Fields are the form that was sent; Action where it goes again.
type SwitchConfirmProps struct {
	SwitchScope
	Action, Back string
	Fields       []field
	Wider        []Wider
	Verb         string // of the button: Widen, Turn on, Release
}

// Wider is a switch that more people would see.
type Wider struct {
	Key, From, To string
	// People is how many more, in words; Known is false when nobody has asked for it lately.
	People string
	Known  bool
	Broad  bool // most of all: drawn so
}

// SwitchConflictProps is what somebody sees whose form was overtaken.
type SwitchConflictProps struct {
	SwitchScope
	Key      string
	By, Kind string
	Why      string
	At       time.Time
	Gone     bool           // it was removed meanwhile
	Theirs   []SwitchChange // what they changed
	Yours    []SwitchChange // what would change when yours is put on top
	Both     []string       // parts that both changed
	Fields   []field        // the form with yours on top
	Revision int64
	Node     string
	Base     switches.Switch // theirs
}

// SwitchAuditProps is the list of all changes.
type SwitchAuditProps struct {
	SwitchScope
	Key    string
	Events []SwitchEvent
	Older  int64 // the id before which older ones begin; 0 none
	First  bool
}

// ProcessesProps is which process answers by which revision.
type ProcessesProps struct {
	Revision  int64
	Processes []ProcessRow
	Pending   int // records that the database has not taken yet
}

// ProcessRow is a process that answers switches.
type ProcessRow struct {
	Node, Address, Version string
	Revision               int64
	Took                   time.Duration // from the click to its answer, the last time
	Seen                   time.Time
	Self, Current, Silent  bool
}

// StaleProps is the report of switches that may go.
type StaleProps struct {
	SwitchScope
	Rows    []StaleRow
	Unknown bool
}

// StaleRow is a switch that may go, and why.
type StaleRow struct {
	Key, Owner, RemoveBy, Answer, Caller string
	Why                                  []string
	Asked                                time.Time
}

// SegmentsProps is the list of segments, and one of them in its form.
type SegmentsProps struct {
	SwitchScope
	Segments []SegmentRow
	Editor   *SegmentForm
}

// SegmentRow is a segment and the switches that use it.
type SegmentRow struct {
	Segment switches.Segment
	Used    []string // keys of switches
	By      string
	At      time.Time
}

// SegmentForm is a segment as its form holds it.
type SegmentForm struct {
	Key, Description string
	Rules            []RuleForm
	New              bool
	Revision         int64
	Node             string
	Errors           map[string]string
	Problems         []string
	Used             []string
}

// LabsProps is what is offered to a person.
type LabsProps struct {
	Offers []LabsOffer
}

// LabsOffer is a switch that people opt into.
type LabsOffer struct {
	Env, Key, Title, Text, Feedback string
	PerForum                        bool
	Forum                           string // whose answer is shown, of PerForum
	Opted                           *bool  // nil: neither in nor out
	In, Cap                         int
	Killed                          bool
}

func (o LabsOffer) full() bool {
	return o.Cap > 0 && o.In >= o.Cap && (o.Opted == nil || !*o.Opted)
}

// FieldsOf are the fields of a form that is asked for again. They are those that a browser sent, but for those that the page sets
// itself.
func FieldsOf(form map[string][]string, but ...string) (out []field) {
	for _, key := range sortedNames(form) {
		if contains(but, key) {
			continue
		}
		for _, v := range form[key] {
			out = append(out, field{key, v})
		}
	}
	return out
}

// Fields are the whole form, for a page that carries it along.
func (f SwitchForm) Fields() []field { return f.fields() }

func sortedNames(form map[string][]string) []string { return sortedKeys(form) }

func (p SwitchAuditProps) address() address {
	return newAddress("/switches/audit", noPeriod(), "env", p.Env, "key", p.Key)
}

// ProcessesWords is the sentence of the page: 12 of 12 processes at revision 4711, slowest 9 ms.
func ProcessesWords(p ProcessesProps) string {
	current := 0
	var slowest time.Duration
	for _, r := range p.Processes {
		if r.Current {
			current++
			slowest = max(slowest, r.Took)
		}
	}
	text := itoa(current) + " of " + plural(int64(len(p.Processes)), "process") + " at revision " + grouped(p.Revision)
	if slowest > 0 {
		text += ", slowest " + took(slowest)
	}
	return text
}

func (r ProcessRow) state() GuardState {
	switch {
	case r.Silent:
		return GuardState{"warn", "silent"}
	case !r.Current:
		return GuardState{"bad", "behind"}
	}
	return GuardState{"ok", "current"}
}

// removalList is what to take out of the code, to be copied.
func (p StaleProps) removalList() []string {
	var out []string
	for _, r := range p.Rows {
		out = append(out, joinedBySpace(r.Key, prefixed("always ", r.Answer), prefixed("asked at ", r.Caller), prefixed("owner ", r.Owner)))
	}
	return out
}

func segmentURL(key string, s SwitchScope) address {
	return newAddress("/switches/segments", model.Period{Name: model.PeriodChoices()[0].Name}, "env", s.envField(), "key", key)
}

// feedbackURL is where opinions go: an address of the web, or of e-mail; "" for anything else.
func feedbackURL(address string) templ.SafeURL {
	switch {
	case strings.HasPrefix(address, "https://"), strings.HasPrefix(address, "http://"), strings.HasPrefix(address, "mailto:"), strings.HasPrefix(address, "/") && !strings.HasPrefix(address, "//"):
		return templ.URL(address)
	case strings.Count(address, "@") == 1 && !strings.ContainsAny(address, " :/?&<>\"'"):
		return templ.SafeURL("mailto:" + url.PathEscape(address))
	}
	return ""
}

// PeopleNewly says how many people more would see something.
func PeopleNewly(n int64, atMost bool) string {
	who := "people"
	if n == 1 {
		who = "person"
	}
	if atMost {
		return "Up to " + rounded(n) + " " + who + " in the last 24 h would newly see it."
	}
	return "About " + rounded(n) + " " + who + " in the last 24 h would newly see it."
}

// PeopleAsked says how many people asked for a switch lately.
func PeopleAsked(n int64) string {
	return "About " + rounded(n) + " people asked for it in the last 24 h"
}

// rounded is a number in three figures, in full: 18,400.
func rounded(n int64) string {
	unit := int64(1)
	for n/unit >= 1000 {
		unit *= 10
	}
	return grouped((n + unit/2) / unit * unit)
}
