package filter

import (
	"slices"
	"strings"

	"kibitz/app/trace"
)

// Match tells whether a request fits, kept being whether its spans are stored. It says what the words mean; searches in
// SQL must find the same.
func (f Filter) Match(r *trace.Request, kept bool) bool {
	for _, t := range f.Terms {
		fits := func(v Value) bool { return v.match(t.Field, r, kept) }
		if slices.ContainsFunc(t.Values, fits) == t.Not {
			return false
		}
	}
	return true
}

func (v Value) match(f Field, r *trace.Request, kept bool) bool {
	switch f {
	case Status:
		return v.within(int64(r.Status))
	case Duration:
		return v.within(int64(r.Duration))
	case Queries:
		return v.within(int64(r.Totals.N[trace.DB]))
	case Switch:
		return slices.ContainsFunc(r.Switches, func(s trace.Switch) bool {
			return s.Key == v.Text && (v.Variant == "" || s.Variant == v.Variant)
		})
	case Trace:
		return r.Trace.String() == v.Text
	case Is:
		return v.Text == "failed" && r.Failed || v.Text == "kept" && kept
	case Word:
		return strings.Contains(strings.ToLower(r.Name), strings.ToLower(v.Text))
	}
	return v.matchText(textOf(f, r))
}

func (v Value) within(n int64) bool {
	low, high := v.Range()
	return n >= low && n <= high
}

func textOf(f Field, r *trace.Request) string {
	switch f {
	case Endpoint:
		return r.Name
	case Method:
		return strings.ToUpper(r.Method)
	case User:
		return r.User
	case Release:
		return r.Release
	case Env:
		return r.Environment
	case Host:
		return r.Host
	case Service:
		return r.Service
	}
	return ""
}

// matchText compares whole texts, letter by letter; a star fits any text, none included.
func (v Value) matchText(text string) bool {
	if v.Op != Match {
		return text == v.Text
	}
	parts := strings.Split(v.Text, "*")
	first, last := parts[0], parts[len(parts)-1]
	if len(text) < len(first)+len(last) || !strings.HasPrefix(text, first) || !strings.HasSuffix(text, last) {
		return false
	}
	text = text[len(first) : len(text)-len(last)]
	for _, part := range parts[1 : len(parts)-1] {
		at := strings.Index(text, part)
		if at < 0 {
			return false
		}
		text = text[at+len(part):]
	}
	return true
}
