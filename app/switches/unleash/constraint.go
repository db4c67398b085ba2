package unleash

import (
	"fmt"
	"regexp"
	"strings"
	"time"

	"kibitz/app/switches"
)

// fields are what Unleash calls attributes of ours; others keep their names, as properties.
var fields = map[string]string{"user": "userId", "anonymous": "sessionId", "ip": "remoteAddress", "time": "currentTime"}

func fieldOf(attribute string) string {
	if name, ok := fields[attribute]; ok {
		return name
	}
	return attribute
}

// operators of rules that mean the same there as here.
var operators = map[switches.Op]string{
	switches.Is: "IN", switches.Prefix: "STR_STARTS_WITH", switches.Suffix: "STR_ENDS_WITH", switches.Contains: "STR_CONTAINS",
	switches.Matches: "REGEX", switches.Less: "NUM_LT", switches.AtMost: "NUM_LTE", switches.More: "NUM_GT", switches.AtLeast: "NUM_GTE",
	switches.In: "IN_CIDR", switches.Before: "DATE_BEFORE", switches.After: "DATE_AFTER",
	switches.Older: "SEMVER_LT", switches.Newer: "SEMVER_GT", switches.Same: "SEMVER_EQ", switches.Present: "REGEX",
}

// young are operators that clients know since specification 6 only; older ones answer off.
var young = map[string]bool{"REGEX": true, "IN_CIDR": true}

// constrain is a literal as a constraint; why tells what stands against it.
func constrain(l literal) (c Constraint, why string) {
	r := l.rule
	op, ok := operators[r.Op]
	if !ok {
		return c, fmt.Sprintf("the comparison %q has no counterpart", r.Op)
	}
	c = Constraint{Field: fieldOf(r.Attribute), Operator: op, Inverted: l.not, FoldCase: r.FoldCase}
	switch r.Op {
	case switches.Before, switches.After:
		return c, dated(&c, r)
	case switches.Present:
		c.Value = "^" // is found in every text
	case switches.Is:
		if r.FoldCase {
			c.Operator, c.Value = "REGEX", "^(?:"+regexp.QuoteMeta(one(r))+")$"
			break
		}
		c.Values = r.Values
	case switches.Prefix, switches.Suffix, switches.Contains, switches.In:
		c.Values = r.Values
	default:
		c.Value = one(r)
	}
	for _, v := range c.Values {
		if v == "" || strings.TrimSpace(v) != v {
			return c, "clients of Unleash leave out values that are empty, and spaces around them"
		}
	}
	return c, ""
}

func one(r switches.Rule) string {
	if len(r.Values) == 0 {
		return ""
	}
	return r.Values[0]
}

// dated is a moment: clients compare nothing but the time of asking with it. Ours includes the moment itself in what is after.
func dated(c *Constraint, r switches.Rule) (why string) {
	if r.Attribute != "time" {
		return "clients of Unleash compare no dates but the time of asking"
	}
	at, err := moment(one(r))
	if err != nil {
		return fmt.Sprintf("%q is no moment", one(r))
	}
	if r.Op == switches.After {
		at = at.Add(-time.Millisecond)
	}
	c.Value = at.UTC().Format("2006-01-02T15:04:05.000Z")
	return ""
}

func moment(text string) (time.Time, error) {
	if at, err := time.Parse(time.DateOnly, text); err == nil {
		return at, nil
	}
	at, err := time.Parse(time.RFC3339, text)
	if err != nil {
		return at, fmt.Errorf("cannot read a moment: %w", err)
	}
	return at, nil
}
