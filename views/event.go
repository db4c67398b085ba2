package views

import (
	"fmt"
	"slices"

	"kibitz/ingest/envelope"
)

// nth is where an event stands among those of its issue: ", 3 of 412".
func nth(p IssueProps) string {
	if p.Nth <= 0 {
		return ""
	}
	return ", " + count(p.Nth) + " of " + count(max(p.Total, p.Nth))
}

func hasStack(ev *envelope.Event) bool {
	return ev.Stacktrace != nil || slices.ContainsFunc(ev.Exceptions, func(e envelope.Exception) bool { return e.Stacktrace != nil })
}

func hasThreads(ev *envelope.Event) bool {
	return slices.ContainsFunc(ev.Threads, func(t envelope.Thread) bool { return t.Stacktrace != nil })
}

func traceTitle(ev *envelope.Event) string {
	if len(ev.Exceptions) == 0 && ev.Stacktrace == nil {
		return "Message"
	}
	return "Traceback"
}

// exceptionName is the type of an exception, or what stands in for one.
func exceptionName(e *envelope.Exception) string {
	if e.Type != "" {
		return e.Type
	}
	return "An exception without a type"
}

// headline is an event in a line.
func headline(ev *envelope.Event) string {
	if e := outermost(ev); e != nil {
		return firstLine(exceptionTitle(e))
	}
	if ev.Message.Formatted != "" {
		return firstLine(ev.Message.Formatted)
	}
	return "this event"
}

func levelWord(ev *envelope.Event) string {
	if ev.Level == "" {
		return "error"
	}
	return ev.Level
}

// newest are breadcrumbs, newest first, from the nth newest up to another.
func newest(all []envelope.Breadcrumb, from, to int) []envelope.Breadcrumb {
	out := slices.Clone(all)
	slices.Reverse(out)
	return out[min(from, len(out)):min(to, len(out))]
}

func spanText(id string) string {
	if id == "" {
		return ""
	}
	return "span " + id
}

// sideBySide tells whether something stands beside the contexts.
func sideBySide(ev *envelope.Event) bool { return len(ev.Flags)+len(ev.Tags) > 0 }

func nothingKnown(ev *envelope.Event) bool {
	return (ev.User == nil || userText(ev.User) == "") && ev.TraceID == "" && ev.SDK.Name == "" && ev.Logger == "" && len(ev.Modules)+len(ev.Contexts) == 0
}

// packages names two and counts the rest.
func packages(all []envelope.Pair) string {
	var out []string
	for _, p := range all[:min(2, len(all))] {
		out = append(out, p.Key+" "+p.Value)
	}
	if more := len(all) - 2; more > 0 {
		out = append(out, fmt.Sprintf("%d more", more))
	}
	return joined(out...)
}

// set is a folded table.
type set struct {
	name, hint string
	fields     []envelope.Field
}

func foldedSets(ev *envelope.Event) []set {
	var out []set
	add := func(name, noun string, fields []envelope.Field) {
		if len(fields) > 0 {
			out = append(out, set{name, plural(int64(len(fields)), noun), fields})
		}
	}
	if len(ev.Flags) > 0 { // else the tags stand beside the contexts
		add("Tags of this event", "tag", fields(ev.Tags))
	}
	if ev.User != nil {
		add("User", "field", ev.User.Data)
	}
	for _, c := range ev.Contexts {
		if c.Name != "flags" {
			add("Context "+c.Name, "field", c.Fields)
		}
	}
	add("Additional data", "field", ev.Extra)
	add("Packages", "package", fields(ev.Modules))
	return out
}
