package exchange

import (
	"bytes"
	"encoding/json"
	"slices"
	"strconv"
	"strings"

	"kibitz/app/switches"
)

// Action is what a step does.
type Action string

// The actions.
const (
	Create Action = "create"
	Change Action = "change"
	Remove Action = "remove"
	Kill   Action = "kill"
	Keep   Action = "keep" // nothing is done, for the reason in Lines
)

// Step is one thing to do so that an environment becomes what a file says.
type Step struct {
	Action  Action
	Key     string
	Switch  *switches.Switch  // as it is to be; nil for a segment
	Segment *switches.Segment // nil for a switch
	Lines   []string          // what changes, for people
}

// What is what the step is about, for people.
func (s Step) What() string {
	if s.Segment != nil {
		return "segment " + s.Key
	}
	return s.Key
}

// Plan is how an environment becomes what a file says: segments first, since switches ask for them, and their removal
// last. Prune removes what the file does not have. What stands so already has no step, so that a second import does
// nothing. A kill outranks a file: it can kill, and never lets go.
func Plan(current, wanted switches.Config, prune bool) (steps []Step) {
	segments, known := byKey(current.Segments, segmentKey), byKey(current.Switches, switchKey)
	for _, s := range wanted.Segments {
		old, ok := segments[s.Key]
		steps = appendStep(steps, Step{Key: s.Key, Segment: &s}, ok, old, s)
	}
	for _, s := range wanted.Switches {
		old, ok := known[s.Key]
		steps = appendSwitch(steps, s, old, ok)
	}
	if !prune {
		return steps
	}
	keepSwitches, keepSegments := byKey(wanted.Switches, switchKey), byKey(wanted.Segments, segmentKey)
	for _, s := range current.Switches {
		if _, ok := keepSwitches[s.Key]; !ok {
			steps = append(steps, Step{Action: Remove, Key: s.Key, Switch: &s})
		}
	}
	for _, s := range current.Segments {
		if _, ok := keepSegments[s.Key]; !ok {
			steps = append(steps, Step{Action: Remove, Key: s.Key, Segment: &s})
		}
	}
	return steps
}

func switchKey(s switches.Switch) string   { return s.Key }
func segmentKey(s switches.Segment) string { return s.Key }

func byKey[T any](list []T, key func(T) string) map[string]T {
	out := make(map[string]T, len(list))
	for _, x := range list {
		out[key(x)] = x
	}
	return out
}

// appendSwitch compares without the kill bit, which is a thing of its own, and keeps the salt where the file names none.
func appendSwitch(steps []Step, s, old switches.Switch, ok bool) []Step {
	killed := s.Killed
	if ok {
		s.Killed = old.Killed
		if s.Salt == "" {
			s.Salt = old.Salt
		}
	}
	steps = appendStep(steps, Step{Key: s.Key, Switch: &s}, ok, old, s)
	switch {
	case ok && killed && !old.Killed:
		steps = append(steps, Step{Action: Kill, Key: s.Key, Switch: &s})
	case ok && !killed && old.Killed:
		steps = append(steps, Step{Action: Keep, Key: s.Key, Switch: &s, Lines: []string{"stays killed, since a file never lets go what was killed: kibitz switch set " + s.Key + " unkill"}})
	}
	return steps
}

func appendStep(steps []Step, s Step, ok bool, old, now any) []Step {
	if !ok {
		s.Action = Create
		return append(steps, s)
	}
	if s.Lines = Differences(old, now); len(s.Lines) == 0 {
		return steps
	}
	s.Action = Change
	return append(steps, s)
}

// Differences are what differs between two values, a line each: where, what it was and what it is.
func Differences(old, now any) []string {
	a, err := json.Marshal(old)
	b, err2 := json.Marshal(now)
	if err != nil || err2 != nil || bytes.Equal(a, b) {
		return nil
	}
	from, err := parseJSON(a, &budget{left: MaxValues})
	to, err2 := parseJSON(b, &budget{left: MaxValues})
	if err != nil || err2 != nil {
		return []string{"it differs"}
	}
	return differences(nil, "", from, to)
}

func differences(lines []string, path string, a, b *value) []string {
	at := strings.TrimPrefix(path, ".")
	switch {
	case a == nil && b == nil, a != nil && b != nil && bytes.Equal(a.appendJSON(nil), b.appendJSON(nil)):
		return lines
	case a == nil:
		return append(lines, at+": new: "+brief(b))
	case b == nil:
		return append(lines, at+": gone, was "+brief(a))
	case a.kind == mapKind && b.kind == mapKind:
		for _, name := range names(a, b) {
			lines = differences(lines, path+"."+name, cursor{v: a}.get(name).v, cursor{v: b}.get(name).v)
		}
		return lines
	case a.kind == listKind && b.kind == listKind && len(a.list) == len(b.list):
		for i := range a.list {
			lines = differences(lines, path+"["+strconv.Itoa(i)+"]", a.list[i], b.list[i])
		}
		return lines
	}
	return append(lines, at+": "+brief(a)+" -> "+brief(b))
}

func brief(v *value) string { return clip(string(v.appendJSON(nil))) }

// names are the fields of both, in order.
func names(a, b *value) (out []string) {
	for _, f := range slices.Concat(a.fields, b.fields) {
		if !slices.Contains(out, f.key) {
			out = append(out, f.key)
		}
	}
	return out
}
