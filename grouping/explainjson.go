package grouping

import (
	"encoding/json"
	"fmt"
)

// explained is the explanation in JSON. The names are a promise to scripts.
type explained struct {
	Config   Config             `json:"config"`
	Strategy string             `json:"strategy"`
	Title    string             `json:"title"`
	Culprit  string             `json:"culprit,omitempty"`
	Variants []explainedVariant `json:"variants"`
}

type explainedVariant struct {
	Name        string         `json:"name"`
	Contributes bool           `json:"contributes"`
	Hint        string         `json:"hint,omitempty"`
	Hash        string         `json:"hash,omitempty"`
	Strategy    string         `json:"strategy,omitempty"`
	Fingerprint []string       `json:"fingerprint,omitempty"`
	Component   *explainedPart `json:"component,omitempty"`
}

type explainedPart struct {
	ID          string           `json:"id"`
	Name        string           `json:"name,omitempty"`
	Contributes bool             `json:"contributes"`
	Hint        string           `json:"hint,omitempty"`
	Values      []string         `json:"values,omitempty"`
	Children    []*explainedPart `json:"children,omitempty"`
}

// ExplainJSON is the result as JSON: every variant with its hash and the tree of its components, whether each counts
// and why not.
func ExplainJSON(r Result) ([]byte, error) {
	out := explained{r.Config, r.Strategy, r.Title, r.Culprit, make([]explainedVariant, len(r.Variants))}
	for i := range r.Variants {
		v := &r.Variants[i]
		out.Variants[i] = explainedVariant{v.Name, v.Contributes, v.Hint, v.Hash, v.Strategy, v.Fingerprint, explainPart(v.Root, 0)}
	}
	text, err := json.MarshalIndent(out, "", "  ")
	if err != nil {
		return nil, fmt.Errorf("cannot write the explanation: %w", err)
	}
	return append(text, '\n'), nil
}

func explainPart(c *Component, depth int) *explainedPart {
	if c == nil || depth > maxExplainDepth {
		return nil
	}
	out := &explainedPart{ID: c.ID, Contributes: c.Contributes, Hint: c.Hint, Values: c.Values}
	if c.Name != c.ID {
		out.Name = c.Name
	}
	for _, child := range c.Children {
		if part := explainPart(child, depth+1); part != nil {
			out.Children = append(out.Children, part)
		}
	}
	return out
}
