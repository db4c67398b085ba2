package switches

import (
	"fmt"
	"strconv"
	"strings"
)

// Explanation is an answer and how it came about.
type Explanation struct {
	Answer
	Steps []Explained `json:"steps"` // in the order in which things were asked
}

// Explained is one thing that was asked.
type Explained struct {
	Depth   int    `json:"depth"`   // of a parent or a required switch 1, of its own parents 2 ...
	What    string `json:"what"`    // set 2: role is staff
	Matched bool   `json:"matched"` // for the last step at depth 0: it decided
	Why     string `json:"why"`     // role is "member"
}

// Explain gives the answer of Eval, by the same code, and tells every step.
func (s *Snapshot) Explain(key string, sub *Subject) Explanation {
	c := s.index[key]
	if c == nil {
		return Explanation{Answer: Answer{Key: key, Reason: NotFound, Bucket: -1},
			Steps: []Explained{{What: "switch " + cut(key), Why: "there is no such switch in environment " + s.environment}}}
	}
	t := &tracer{steps: &[]Explained{}}
	a := c.answer(c.decide(someone(sub), t))
	return Explanation{a, *t.steps}
}

// tracer is told what is asked; a nil one, which is what answers are made with, does nothing.
type tracer struct {
	steps *[]Explained
	depth int
}

// It is kept out of line, since where it is inlined answers without it get slower.
//
//go:noinline
func (t *tracer) add(what string, matched bool, why string) {
	if t == nil {
		return
	}
	*t.steps = append(*t.steps, Explained{t.depth, what, matched, why})
}

// within is for the steps of another switch.
func (t *tracer) within(what string) *tracer {
	if t == nil {
		return nil
	}
	return &tracer{t.steps, t.depth + 1}
}

// matches asks a set, rule by rule.
func (t *tracer) matches(s *set, sub *Subject) bool {
	matched := false
	for i, group := range s.when {
		ok, why := explainGroup(group, sub)
		what := s.rollout.cond
		if len(s.when) > 1 {
			what += fmt.Sprintf(", group %d", i+1)
		}
		t.add(what+": "+describeGroup(group), ok, why)
		if matched = ok; ok {
			break
		}
	}
	if len(s.when) == 0 {
		t.add(s.rollout.cond, false, "it has no condition, and matches nobody")
	}
	return matched
}

// explainGroup stops at the first rule that does not fit, as evaluation does.
func explainGroup(group []rule, sub *Subject) (bool, string) {
	var why []string
	for i := range group {
		r := &group[i]
		if !r.match(sub) {
			return false, r.found(sub)
		}
		why = append(why, r.found(sub))
	}
	return true, strings.Join(why, "; ")
}

// describeGroup is a group in words.
func describeGroup(group []rule) string {
	out := make([]string, len(group))
	for i := range group {
		out[i] = group[i].source.String()
	}
	return strings.Join(out, " and ")
}

// String is the rule in words, with the first values of a long list.
func (r Rule) String() string {
	var b strings.Builder
	b.WriteString(cut(r.Attribute))
	if r.Not {
		b.WriteString(" not")
	}
	b.WriteString(" " + string(r.Op))
	for i, v := range r.Values {
		if i == 5 {
			fmt.Fprintf(&b, " or %d more", len(r.Values)-i)
			break
		}
		if i > 0 {
			b.WriteString(" or")
		}
		b.WriteString(" " + cut(v))
	}
	if r.Op == Share {
		b.WriteString(" %")
	}
	return b.String()
}

// found is what the subject has of a rule's attribute.
func (r *rule) found(sub *Subject) string {
	switch {
	case r.segments != nil:
		return r.foundSegments(sub)
	case r.field == fieldConstant:
		return r.name + " as it was when this was published"
	}
	var values []string
	if r.field == fieldOther {
		for _, a := range sub.Attrs {
			if a.Name == r.name && len(values) < 5 {
				values = append(values, strconv.Quote(cut(a.Value)))
			}
		}
	} else if text := sub.text(r.field); text != "" {
		values = append(values, strconv.Quote(cut(text)))
	}
	switch {
	case len(values) == 0:
		return cut(r.name) + " is absent"
	case r.code == opShare:
		return fmt.Sprintf("%s %s lands on %s, needs under %s", cut(r.name), values[0], percentText(BucketOf(r.seed, sub.first(r.field, r.name))), percentText(r.limit))
	}
	return cut(r.name) + " is " + strings.Join(values, ", ")
}

func (r *rule) foundSegments(sub *Subject) string {
	for _, g := range r.segments {
		if g.when.match(sub) {
			return "in segment " + g.key
		}
	}
	return "in none of the segments"
}

// missing says that nobody can be divided who has no id.
//
//go:noinline
func (t *tracer) missing(c *compiled, r *rollout) {
	if t == nil {
		return
	}
	t.add(r.cond, true, fmt.Sprintf("a share of %s is asked, and the subject has no %s to be divided by: off", percentText(r.limit), c.bucketAttribute()))
}

// landed says where a subject landed.
func (t *tracer) landed(c *compiled, r *rollout, b int) {
	why := fmt.Sprintf("lands on %s, needs under %s", percentText(b), percentText(r.limit))
	if c.take != Buckets {
		why += fmt.Sprintf(" of the stretch from %s to %s", percentText(c.skip), percentText(c.skip+c.take))
	}
	switch {
	case r.held(b):
		why += fmt.Sprintf(": held out, as all from %s on, while the ramp goes on", percentText(r.from+int(r.width)))
	case r.in(b):
		why += ": in"
	default:
		why += ": not in"
	}
	t.add(r.cond, true, why)
}

// percentText writes buckets as a percentage.
func percentText(n int) string {
	return strconv.FormatFloat(float64(n)*100/Buckets, 'f', -1, 64) + " %"
}
