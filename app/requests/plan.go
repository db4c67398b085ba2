package requests

import (
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"kibitz/app/model"
)

const (
	// maxPlan bounds the JSON of a plan; maxPlanNodes and maxPlanDepth what is drawn of it.
	maxPlan      = 4 << 20
	maxPlanNodes = 2000
	maxPlanDepth = 100
)

// planJSON is one step as EXPLAIN (FORMAT JSON) writes it; auto_explain writes the same.
type planJSON struct {
	Type       string  `json:"Node Type"`
	Join       string  `json:"Join Type"`
	Strategy   string  `json:"Strategy"`
	Operation  string  `json:"Operation"`
	Relation   string  `json:"Relation Name"`
	Index      string  `json:"Index Name"`
	Startup    float64 `json:"Startup Cost"`
	Total      float64 `json:"Total Cost"`
	Rows       float64 `json:"Plan Rows"`
	Width      int     `json:"Plan Width"`
	ActualRows float64 `json:"Actual Rows"`
	ActualTime float64 `json:"Actual Total Time"` // ms, of each loop
	Loops      float64 `json:"Actual Loops"`
	Hit        int64   `json:"Shared Hit Blocks"`
	Read       int64   `json:"Shared Read Blocks"`
	Removed    float64 `json:"Rows Removed by Filter"`
}

// detailKeys are what else is told of a step, in this order.
var detailKeys = []string{"Index Cond", "Recheck Cond", "Hash Cond", "Merge Cond", "Join Filter", "Filter", "Sort Key", "Group Key", "Presorted Key",
	"Sort Method", "Sort Space Used", "Hash Batches", "Heap Fetches", "Subplans Removed", "Subplan Name", "CTE Name", "Function Name"}

// ParsePlan reads what EXPLAIN (FORMAT JSON), or auto_explain with log_format json, writes.
func ParsePlan(text []byte) (*model.Plan, error) {
	if len(text) > maxPlan {
		return nil, fmt.Errorf("cannot read a plan of %d bytes (limit maxPlan, %d)", len(text), maxPlan)
	}
	var whole struct {
		Plan      json.RawMessage   `json:"Plan"`
		Planning  float64           `json:"Planning Time"`
		Execution float64           `json:"Execution Time"`
		Settings  map[string]string `json:"Settings"`
	}
	list := []json.RawMessage{}
	if err := json.Unmarshal(text, &list); err == nil && len(list) == 1 {
		text = list[0]
	}
	if err := json.Unmarshal(text, &whole); err != nil {
		return nil, fmt.Errorf("cannot read a plan: %w", err)
	}
	if len(whole.Plan) == 0 {
		return nil, errors.New("cannot read a plan: there is none in it")
	}
	left := maxPlanNodes
	root, err := planNode(whole.Plan, 0, &left)
	if err != nil {
		return nil, err
	}
	p := &model.Plan{Root: root, Ran: root.Loops > 0, Planning: milliseconds(whole.Planning), Execution: milliseconds(whole.Execution)}
	for key, value := range whole.Settings {
		if key != "plan_cache_mode" { // ours
			p.Settings = append(p.Settings, model.Attr{Key: key, Value: value})
		}
	}
	slices.SortFunc(p.Settings, func(a, b model.Attr) int { return strings.Compare(a.Key, b.Key) })
	return p, nil
}

func milliseconds(ms float64) time.Duration { return time.Duration(ms * float64(time.Millisecond)) }

func planNode(text json.RawMessage, depth int, left *int) (n model.PlanNode, err error) {
	if *left--; *left < 0 || depth > maxPlanDepth {
		return n, fmt.Errorf("cannot draw a plan with more than %d steps, or %d deep (limits maxPlanNodes, maxPlanDepth)", maxPlanNodes, maxPlanDepth)
	}
	var j planJSON
	var all map[string]json.RawMessage
	if err := errors.Join(json.Unmarshal(text, &j), json.Unmarshal(text, &all)); err != nil {
		return n, fmt.Errorf("cannot read a step of a plan: %w", err)
	}
	loops := max(j.Loops, 0)
	n = model.PlanNode{Type: stepName(j), Relation: j.Relation, Index: j.Index, Startup: j.Startup, Total: j.Total, Self: j.Total, Rows: j.Rows, Width: j.Width,
		ActualRows: j.ActualRows, Loops: loops, ActualTime: milliseconds(j.ActualTime * loops), Hit: j.Hit, Read: j.Read, Removed: j.Removed, Details: details(all)}
	var children []json.RawMessage
	if raw, ok := all["Plans"]; ok {
		if err := json.Unmarshal(raw, &children); err != nil {
			return n, fmt.Errorf("cannot read the steps of a plan: %w", err)
		}
	}
	for _, raw := range children {
		child, err := planNode(raw, depth+1, left)
		if err != nil {
			return n, err
		}
		n.Self -= child.Total
		n.Children = append(n.Children, child)
	}
	n.Self = max(n.Self, 0) // below LIMIT a step costs less than its children would when run to their end
	return n, nil
}

// stepName is the step as EXPLAIN names it in text: Hash Left Join, HashAggregate, Index Only Scan.
func stepName(j planJSON) string {
	switch {
	case j.Join != "" && j.Join != "Inner" && strings.HasSuffix(j.Type, "Loop"):
		return j.Type + " " + j.Join + " Join"
	case j.Join != "" && j.Join != "Inner":
		return j.Type + " " + j.Join
	case j.Type == "Aggregate" && j.Strategy == "Hashed":
		return "Hash Aggregate"
	case j.Type == "Aggregate" && j.Strategy == "Sorted":
		return "Group Aggregate"
	case j.Type == "ModifyTable" && j.Operation != "":
		return j.Operation
	}
	return j.Type
}

func details(all map[string]json.RawMessage) (out []model.Attr) {
	for _, key := range detailKeys {
		raw, ok := all[key]
		if !ok {
			continue
		}
		var text string
		var list []string
		if json.Unmarshal(raw, &text) != nil {
			text = string(raw)
			if json.Unmarshal(raw, &list) == nil {
				text = strings.Join(list, ", ")
			}
		}
		out = append(out, model.Attr{Key: key, Value: text})
	}
	return out
}
