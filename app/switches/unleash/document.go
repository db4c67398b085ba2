// Package unleash shows switches as Unleash's clients read them (pure). It is a view for reading: what can be said in
// strategies and constraints is, what cannot is flattened or turned off with the reason, and Notes tells of both.
package unleash

import (
	"strconv"
	"strings"

	"kibitz/app/switches"
)

// Document is what GET /api/client/features answers.
type Document struct {
	Version  int       `json:"version"`
	Features []Feature `json:"features"`
	Segments []Segment `json:"segments"`
	Query    Query     `json:"query"`
	Meta     Meta      `json:"meta"`
}

// Query is what was asked for.
type Query struct {
	NamePrefix     string   `json:"namePrefix,omitempty"`
	Project        []string `json:"project,omitempty"`
	Tag            []string `json:"tag,omitempty"` // as sent; the part behind a colon is ours
	Environment    string   `json:"environment"`
	InlineSegments bool     `json:"inlineSegmentConstraints"`
}

// Meta is what the answer was made of.
type Meta struct {
	RevisionID int64  `json:"revisionId"`
	ETag       string `json:"etag"`
	QueryHash  string `json:"queryHash"`
}

// Feature is a switch.
type Feature struct {
	Name         string       `json:"name"`
	Type         string       `json:"type"`
	Description  string       `json:"description"`
	Enabled      bool         `json:"enabled"`
	Stale        bool         `json:"stale"`
	Impressions  bool         `json:"impressionData"`
	Project      string       `json:"project"`
	Strategies   []Strategy   `json:"strategies"`
	Variants     []Variant    `json:"variants"`
	Dependencies []Dependency `json:"dependencies,omitempty"`
}

// Strategy is one way to be on; its constraints must all hold.
type Strategy struct {
	Name        string            `json:"name"`
	Parameters  map[string]string `json:"parameters"`
	Constraints []Constraint      `json:"constraints"`
	Variants    []Variant         `json:"variants,omitempty"`
}

// Constraint asks one field of the context.
type Constraint struct {
	Field    string   `json:"contextName"`
	Operator string   `json:"operator"`
	Values   []string `json:"values,omitempty"`
	Value    string   `json:"value,omitempty"`
	Inverted bool     `json:"inverted"`
	FoldCase bool     `json:"caseInsensitive"`
}

// Variant is an answer besides on.
type Variant struct {
	Name       string   `json:"name"`
	Weight     int      `json:"weight"` // of 1,000
	WeightType string   `json:"weightType,omitempty"`
	Stickiness string   `json:"stickiness,omitempty"`
	Payload    *Payload `json:"payload,omitempty"`
}

// Payload is what a variant carries.
type Payload struct {
	Type  string `json:"type"` // string, number, json
	Value string `json:"value"`
}

// Dependency is a feature that must be on first.
type Dependency struct {
	Feature  string   `json:"feature"`
	Enabled  bool     `json:"enabled"`
	Variants []string `json:"variants,omitempty"`
}

// Segment would be a condition shared by features; ours are written out where they are used.
type Segment struct {
	ID          int          `json:"id"`
	Constraints []Constraint `json:"constraints"`
}

// Note is what a switch loses in this view.
type Note struct {
	Key string `json:"key"`
	// Served tells that clients of Unleash get the switch, though not exactly; else they find it off.
	Served bool     `json:"served"`
	Texts  []string `json:"notes"`
}

// projectOf is the project that a switch belongs to in this view.
func projectOf(s *switches.Switch) string {
	if s.Project == "" {
		return "default"
	}
	return s.Project
}

// Wants tells whether a query asks for a switch.
func (q Query) Wants(s *switches.Switch) bool {
	if !strings.HasPrefix(s.Key, q.NamePrefix) {
		return false
	}
	if len(q.Project) > 0 && !contains(q.Project, projectOf(s)) && !contains(q.Project, "*") {
		return false
	}
	for _, tag := range q.Tag {
		if _, value, ok := strings.Cut(tag, ":"); ok {
			tag = value
		}
		if contains(s.Tags, tag) {
			return true
		}
	}
	return len(q.Tag) == 0
}

func contains(list []string, text string) bool {
	for _, t := range list {
		if t == text {
			return true
		}
	}
	return false
}

// whole is a percentage as this view has it: without its fraction, so that nobody is let in who was not.
func whole(percent float64) (text string, exact bool) {
	n := int(percent)
	return strconv.Itoa(n), float64(n) == percent
}
