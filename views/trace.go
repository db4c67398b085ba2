package views

import (
	"strconv"
	"strings"

	"kibitz/grouping"
	"kibitz/ingest/envelope"
)

// block is a stretch of a stack as it is shown: one frame that is ours, or several that are not, folded.
type block struct {
	app    bool
	frames []*envelope.Frame // newest first
}

// blocks turns a stack over, newest call first, and folds what is not the program's own.
func blocks(s *envelope.Stacktrace, inApp []bool) []block {
	if s == nil {
		return nil
	}
	var out []block
	for i := len(s.Frames) - 1; i >= 0; i-- {
		f := &s.Frames[i]
		app := f.InApp != nil && *f.InApp
		if i < len(inApp) {
			app = inApp[i]
		}
		if !app && len(out) > 0 && !out[len(out)-1].app {
			out[len(out)-1].frames = append(out[len(out)-1].frames, f)
			continue
		}
		out = append(out, block{app, []*envelope.Frame{f}})
	}
	// A stack without a frame of ours shows where it broke all the same.
	if len(out) == 1 && !out[0].app {
		all := out[0].frames
		out = []block{{true, all[:1]}}
		if len(all) > 1 {
			out = append(out, block{false, all[1:]})
		}
	}
	return out
}

func function(f *envelope.Frame) string {
	switch {
	case f.Function != "":
		return f.Function
	case f.RawFunction != "":
		return f.RawFunction
	case f.InstructionAddr != "":
		return f.InstructionAddr
	}
	return "?"
}

// place is where a frame stands: file and line.
func place(f *envelope.Frame) string {
	name := f.Filename
	for _, other := range []string{f.AbsPath, f.Module, f.Package} {
		if name == "" {
			name = other
		}
	}
	if f.Line > 0 {
		name += ":" + strconv.Itoa(f.Line)
	}
	return name
}

// modules are the first few places of a folded block.
func modules(frames []*envelope.Frame) string {
	var out []string
	seen := map[string]bool{}
	for _, f := range frames {
		name := f.Module
		if name == "" {
			name = f.Filename
		}
		if name == "" || seen[name] {
			continue
		}
		seen[name] = true
		if out = append(out, name); len(out) == 3 {
			return strings.Join(append(out, "…"), ", ")
		}
	}
	return strings.Join(out, ", ")
}

// sourceLine is one line of source beside its number.
type sourceLine struct {
	number int
	text   string
	hit    bool
	op     byte // of a comparison: '+' added, '-' taken away; 0 elsewhere
}

func source(f *envelope.Frame) []sourceLine {
	if f.ContextLine == "" && len(f.PreContext) == 0 && len(f.PostContext) == 0 {
		return nil
	}
	var out []sourceLine
	for i, text := range f.PreContext {
		out = append(out, sourceLine{number: f.Line - len(f.PreContext) + i, text: text})
	}
	out = append(out, sourceLine{number: f.Line, text: f.ContextLine, hit: true})
	for i, text := range f.PostContext {
		out = append(out, sourceLine{number: f.Line + 1 + i, text: text})
	}
	return out
}

// traceText is the stack as text, for copying.
func traceText(ev *envelope.Event) string {
	var b strings.Builder
	for i := len(ev.Exceptions) - 1; i >= 0; i-- {
		e := &ev.Exceptions[i]
		b.WriteString(exceptionTitle(e) + "\n")
		if e.Stacktrace != nil {
			for n := len(e.Stacktrace.Frames) - 1; n >= 0; n-- {
				f := &e.Stacktrace.Frames[n]
				b.WriteString("  at " + function(f) + " (" + place(f) + ")\n")
			}
		}
		if i > 0 {
			b.WriteString("caused by: ")
		}
	}
	return b.String()
}

func exceptionTitle(e *envelope.Exception) string {
	if e.Value == "" {
		return e.Type
	}
	if e.Type == "" {
		return e.Value
	}
	return e.Type + ": " + e.Value
}

func inAppOf(p IssueProps, n int) []bool {
	if n < len(p.InApp) {
		return p.InApp[n]
	}
	return nil
}

// outermost is the exception that was reported, or nil.
func outermost(ev *envelope.Event) *envelope.Exception {
	if ev == nil || len(ev.Exceptions) == 0 {
		return nil
	}
	return &ev.Exceptions[len(ev.Exceptions)-1]
}

// raisedAt is the newest frame of ours of the outermost exception.
func raisedAt(p IssueProps) string {
	e := outermost(p.Event)
	if e == nil || e.Stacktrace == nil {
		return ""
	}
	for _, b := range blocks(e.Stacktrace, inAppOf(p, len(p.Event.Exceptions)-1)) {
		if b.app {
			return place(b.frames[0]) + " in " + function(b.frames[0])
		}
	}
	return ""
}

// cause is the exception behind the outermost one.
func cause(ev *envelope.Event) *envelope.Exception {
	if ev == nil || len(ev.Exceptions) < 2 {
		return nil
	}
	return &ev.Exceptions[len(ev.Exceptions)-2]
}

func contextText(ev *envelope.Event, name string) string {
	for _, c := range ev.Contexts {
		if c.Name != name {
			continue
		}
		var parts []string
		for _, want := range []string{"name", "version", "family", "model", "build"} {
			for _, f := range c.Fields {
				if f.Key == want && !f.JSON && f.Value != "" && len(parts) < 2 {
					parts = append(parts, f.Value)
				}
			}
		}
		return strings.Join(parts, " ")
	}
	return ""
}

func userText(u *envelope.User) string {
	return joined(u.ID, u.Username, u.Name, u.Email, u.IP, u.Geo)
}

// tagGroup is the values of one tag of an issue, with what part of its events carries each.
type tagGroup struct {
	key    string
	values []tagValue
}

type tagValue struct {
	text  string
	share int64
}

// shownTags are the first values of a tag that the rail shows.
const shownTags = 4

func tagGroups(p IssueProps) []tagGroup {
	var out []tagGroup
	for _, t := range p.Tags {
		if len(out) == 0 || out[len(out)-1].key != t.Key {
			out = append(out, tagGroup{key: t.Key})
		}
		g := &out[len(out)-1]
		text := t.Value
		if text == "" {
			text = "others"
		}
		if len(g.values) < shownTags {
			g.values = append(g.values, tagValue{text, percent(t.Events, p.Issue.Events)})
		}
	}
	return out
}

func componentName(c *grouping.Component) string {
	if c.Name != "" {
		return c.Name
	}
	return c.ID
}

// unhandled tells whether the program did not catch the outermost exception itself.
func unhandled(ev *envelope.Event) bool {
	e := outermost(ev)
	return e != nil && e.Mechanism != nil && e.Mechanism.Handled != nil && !*e.Mechanism.Handled
}

// openFrames are the frames of our own that stand open in one stack; those below are closed, so that a deep
// recursion is not a page of a hundred sources.
const openFrames = 8

// numberOwn tells for each block how many frames of our own stand above it.
func numberOwn(all []block) []int {
	out := make([]int, len(all))
	n := 0
	for i, b := range all {
		if out[i] = n; b.app {
			n++
		}
	}
	return out
}

// platformOf is the language of a frame.
func platformOf(f *envelope.Frame, event string) string {
	if f.Platform != "" {
		return f.Platform
	}
	return event
}

// activityText says what was done in words.
func activityText(a Activity) string {
	switch a.Action {
	case "merged":
		return "merged others into it:"
	case "merged_into":
		return "merged it into"
	case "split_off":
		return "split hashes off, to"
	case "split_from":
		return "split it off"
	case "deleted":
		if a.After == "discard" {
			return "deleted it and discards what comes later"
		}
		return "deleted it"
	case "undid":
		return "undid a " + strings.NewReplacer("regroup", "regrouping", "delete", "deletion").Replace(a.After)
	}
	switch a.After {
	case "resolved":
		return "resolved it"
	case "archived":
		return "archived it"
	case "unresolved":
		return "reopened it"
	}
	return a.Action
}
