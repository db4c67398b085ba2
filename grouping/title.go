package grouping

import (
	"cmp"
	"strings"
	"unicode/utf8"
)

// title fills in the title, type, value and culprit of the result from the main exception.
func (g *grouper) title(r *Result) {
	r.Culprit = g.culprit()
	if g.main < 0 {
		g.messageTitle(r)
		return
	}
	e := g.mainException()
	r.Type, r.Value = e.Type, e.Value
	kind := e.Type
	if f := g.crashFrame(); (e.Mechanism.Synthetic || kind == "") && f != nil && f.function != "" {
		kind = f.function
	}
	line := firstLine(e.Value)
	switch {
	case kind == "" && line == "":
		r.Title = untitled
	case kind == "":
		r.Title = line
	case line == "" || e.Mechanism.Synthetic:
		r.Title = kind
	default:
		r.Title = kind + ": " + line
	}
}

// mainTitle does it again when grouping has found another exception to be the main one.
func (g *grouper) mainTitle(r *Result) {
	if g.main != mainIndex(g.ev.Exceptions) {
		g.title(r)
	}
}

const untitled = "<unlabeled event>"

func (g *grouper) messageTitle(r *Result) {
	r.Title = firstLine(cmp.Or(g.ev.Formatted, g.ev.Message))
	if r.Title == "" && g.ev.Security != nil {
		s := g.ev.Security
		r.Title = strings.TrimSpace(s.Kind + ": " + cmp.Or(s.EffectiveDirective, s.ViolatedDirective) + " " + cmp.Or(s.BlockedURI, s.Hostname))
	}
	if r.Title == "" {
		r.Title = untitled
	}
	if r.Culprit == "" && g.ev.Security != nil {
		r.Culprit = g.ev.Security.EffectiveDirective
	}
}

// firstLine is the first line of text that is not blank, at most maxTitleValue characters of it.
func firstLine(text string) string {
	var line string
	for text != "" && line == "" {
		line, text = cutLine(text)
		line = strings.TrimSpace(line)
	}
	if utf8.RuneCountInString(line) <= maxTitleValue {
		return line
	}
	n := 0
	for i := range line {
		if n++; n == maxTitleValue-2 {
			return line[:i] + "..."
		}
	}
	return line
}

// culprit is the transaction, else where it happened: in the program's own frame nearest the crash, else in the frame
// nearest the crash, of the outermost exception that has a stack. A synthetic exception has none.
func (g *grouper) culprit() string {
	if g.ev.Transaction != "" {
		return g.ev.Transaction
	}
	if n := len(g.ev.Exceptions); n > 0 && g.ev.Exceptions[n-1].Mechanism.Synthetic {
		return ""
	}
	for i := len(g.stacks) - 1; i >= 0; i-- {
		if len(g.stacks[i].frames) > 0 {
			return g.stacks[i].culprit()
		}
	}
	if s := g.otherStack(); s != nil && len(g.ev.Exceptions) == 0 {
		return s.culprit()
	}
	if t := g.ev.Template; t != nil {
		return t.Filename
	}
	return ""
}

func (s *stack) culprit() string {
	last := ""
	for i := len(s.frames) - 1; i >= 0; i-- {
		f := &s.frames[i]
		if !f.inApp && last != "" {
			continue
		}
		if place := f.culprit(); f.inApp && place != "" {
			return place
		} else if last == "" {
			last = place
		}
	}
	return last
}

// culprit is "function" in native code, "function(module)" in scripts and "module in function" elsewhere.
func (f *frame) culprit() string {
	function := orText(f.function, "?")
	if f.family == familyNative {
		return function
	}
	place := cmp.Or(f.src.Module, f.filename)
	switch {
	case place == "":
		return ""
	case f.family == familyJavaScript:
		return function + "(" + place + ")"
	}
	return place + " in " + function
}

func orText(s, other string) string {
	if s == "" {
		return other
	}
	return s
}

// crashFrame is the program's own frame nearest the crash, else the frame nearest the crash: of the last exception,
// else of the event's own stack, else of its main thread; nil without frames.
func (g *grouper) crashFrame() *frame {
	if !g.near.known {
		g.near.known, g.near.frame = true, g.findCrashFrame()
	}
	return g.near.frame
}

func (g *grouper) findCrashFrame() *frame {
	if n := len(g.stacks); n > 0 && len(g.stacks[n-1].frames) > 0 {
		return g.stacks[n-1].crashFrame()
	}
	if s := g.otherStack(); s != nil {
		return s.crashFrame()
	}
	return nil
}

// otherStack is that of the event or its main thread, made ready once; nil when there is none.
func (g *grouper) otherStack() *stack {
	if g.other != nil {
		return g.other
	}
	src := g.ev.Stacktrace
	if t := g.mainThread(); src == nil && t != nil {
		src = t.Stack
	}
	if src != nil {
		s := g.normalise(src, nil)
		g.other = &s
	}
	return g.other
}

func (s *stack) crashFrame() *frame {
	for i := len(s.frames) - 1; i >= 0; i-- {
		if s.frames[i].inApp {
			return &s.frames[i]
		}
	}
	if n := len(s.frames); n > 0 {
		return &s.frames[n-1]
	}
	return nil
}
