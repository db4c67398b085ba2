package grouping

import (
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
	if g.main != len(g.ev.Exceptions)-1 {
		g.title(r)
	}
}

const untitled = "<unlabeled event>"

func (g *grouper) messageTitle(r *Result) {
	r.Title = firstLine(firstText(g.ev.Formatted, g.ev.Message))
	if r.Title == "" && g.ev.Security != nil {
		s := g.ev.Security
		r.Title = strings.TrimSpace(s.Kind + ": " + firstText(s.EffectiveDirective, s.ViolatedDirective) + " " + firstText(s.BlockedURI, s.Hostname))
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

// culprit is the transaction, else the last frame of the program's own: "module in function", and
// "function(module)" for JavaScript.
func (g *grouper) culprit() string {
	if g.ev.Transaction != "" {
		return g.ev.Transaction
	}
	f := g.crashFrame()
	if f == nil {
		if t := g.ev.Template; t != nil {
			return t.Filename
		}
		return ""
	}
	place := firstText(f.src.Module, f.filename, f.src.AbsPath)
	switch {
	case f.family == familyJavaScript:
		return orText(f.function, "?") + "(" + place + ")"
	case place == "":
		return f.function
	}
	return place + " in " + orText(f.function, "?")
}

func orText(s, other string) string {
	if s == "" {
		return other
	}
	return s
}

// crashFrame is the program's own frame nearest the crash, else the frame nearest the crash; nil without frames.
func (g *grouper) crashFrame() *frame {
	var last *frame
	for i := len(g.stacks) - 1; i >= 0; i-- {
		f := g.stacks[i].crashFrame()
		if f != nil && f.inApp {
			return f
		}
		if last == nil {
			last = f
		}
	}
	if last != nil {
		return last
	}
	if s := g.otherStack(); s != nil {
		n := g.normalise(s, nil)
		return n.crashFrame()
	}
	return nil
}

// otherStack is that of the event or its main thread.
func (g *grouper) otherStack() *Stacktrace {
	if g.ev.Stacktrace != nil {
		return g.ev.Stacktrace
	}
	if t := g.mainThread(); t != nil {
		return t.Stack
	}
	return nil
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
