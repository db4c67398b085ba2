package detect

import (
	"encoding/json"
	"slices"
	"strings"
	"time"

	"kibitz/app/errs"
)

// Thresholds are from where on something is found. Times are milliseconds. A Count of 0, a SlowQuery of 0 and
// RegressionRequests of 0 turn a detector off. As JSON they are an object of the names in Fields, with those that
// differ from the defaults.
type Thresholds struct {
	QueryLoopCount, QueryLoopTotal  int
	WriteLoopCount, WriteLoopTotal  int
	HTTPLoopCount, HTTPLoopTotal    int
	CacheLoopCount, CacheLoopTotal  int
	SlowQuery                       int
	DuplicateCount, DuplicateWasted int
	QueriesCount, QueriesEach       int
	QueriesSaved, QueriesPercent    int
	CallsCount, CallsEach           int
	CallsGap, CallsSaved            int
	RegressionRequests              int
	RegressionMs, RegressionPercent int
	// BudgetP95 and BudgetQueries are no detector's: they are what an endpoint promises, and pages mark it when it is over.
	// 0 is no promise.
	BudgetP95, BudgetQueries int
}

// Field is one threshold for a form: its name in JSON, what it means, and what it may be.
type Field struct {
	Name, Unit, Meaning         string
	Value, Default, Least, Most int
	Off                         bool // 0 is allowed, and turns the detector off
}

// Budget tells whether it is a budget: nothing unless somebody sets it.
func (f Field) Budget() bool { return f.Off && f.Default == 0 }

// known is the table of thresholds. The numbers of 5 and 50 ms, 300 ms, 500 ms, 30, 100 ms and 10 %, and 3, 500 and 2,000 ms
// are Sentry's; those that it does not have are ours: a loop of inserts costs a round trip each, which add up below 50 ms.
var known = []struct {
	Field
	at func(t *Thresholds) *int
}{
	{Field{"n_plus_one_query_count", "repeats", "equal queries from one line of code", 0, 5, 2, 100_000, true}, func(t *Thresholds) *int { return &t.QueryLoopCount }},
	{Field{"n_plus_one_query_total_ms", "ms", "time of all of them", 0, 50, 0, hour, false}, func(t *Thresholds) *int { return &t.QueryLoopTotal }},
	{Field{"write_loop_count", "repeats", "equal writes from one line of code", 0, 5, 2, 100_000, true}, func(t *Thresholds) *int { return &t.WriteLoopCount }},
	{Field{"write_loop_total_ms", "ms", "time of all of them", 0, 10, 0, hour, false}, func(t *Thresholds) *int { return &t.WriteLoopTotal }},
	{Field{"n_plus_one_http_count", "repeats", "calls to one parameterised URL from one line of code", 0, 5, 2, 100_000, true}, func(t *Thresholds) *int { return &t.HTTPLoopCount }},
	{Field{"n_plus_one_http_total_ms", "ms", "time of all of them", 0, 300, 0, hour, false}, func(t *Thresholds) *int { return &t.HTTPLoopTotal }},
	{Field{"cache_loop_count", "repeats", "reads of single keys from one line of code", 0, 10, 2, 100_000, true}, func(t *Thresholds) *int { return &t.CacheLoopCount }},
	{Field{"cache_loop_total_ms", "ms", "time of all of them", 0, 5, 0, hour, false}, func(t *Thresholds) *int { return &t.CacheLoopTotal }},
	{Field{"slow_query_ms", "ms", "time of one statement without its wait for a connection", 0, 500, 1, hour, true}, func(t *Thresholds) *int { return &t.SlowQuery }},
	{Field{"duplicate_query_count", "repeats", "equal queries with equal values", 0, 2, 2, 100_000, true}, func(t *Thresholds) *int { return &t.DuplicateCount }},
	{Field{"duplicate_query_wasted_ms", "ms", "time of all but the longest", 0, 20, 0, hour, false}, func(t *Thresholds) *int { return &t.DuplicateWasted }},
	{Field{"consecutive_queries_count", "queries", "queries one after the other", 0, 2, 2, 100_000, true}, func(t *Thresholds) *int { return &t.QueriesCount }},
	{Field{"consecutive_queries_each_ms", "ms", "time that each independent one takes more than", 0, 30, 0, hour, false}, func(t *Thresholds) *int { return &t.QueriesEach }},
	{Field{"consecutive_queries_saved_ms", "ms", "time saved by running them side by side", 0, 100, 0, hour, false}, func(t *Thresholds) *int { return &t.QueriesSaved }},
	{Field{"consecutive_queries_saved_percent", "%", "share of their time saved", 0, 10, 0, 100, false}, func(t *Thresholds) *int { return &t.QueriesPercent }},
	{Field{"consecutive_http_count", "calls", "slow calls one after the other", 0, 3, 2, 100_000, true}, func(t *Thresholds) *int { return &t.CallsCount }},
	{Field{"consecutive_http_each_ms", "ms", "time that makes a call slow", 0, 500, 0, hour, false}, func(t *Thresholds) *int { return &t.CallsEach }},
	{Field{"consecutive_http_gap_ms", "ms", "pause between two that breaks the line", 0, 500, 0, hour, false}, func(t *Thresholds) *int { return &t.CallsGap }},
	{Field{"consecutive_http_saved_ms", "ms", "time saved by sending them side by side", 0, 2000, 0, hour, false}, func(t *Thresholds) *int { return &t.CallsSaved }},
	{Field{"regression_requests", "requests", "requests on each side of a change", 0, 200, 20, 1_000_000_000, true}, func(t *Thresholds) *int { return &t.RegressionRequests }},
	{Field{"regression_ms", "ms", "rise of p95", 0, 20, 0, hour, false}, func(t *Thresholds) *int { return &t.RegressionMs }},
	{Field{"regression_percent", "%", "rise of p95 as a share of what it was", 0, 20, 0, 10_000, false}, func(t *Thresholds) *int { return &t.RegressionPercent }},
	{Field{"budget_p95_ms", "ms", "what the p95 here may be", 0, 0, 1, hour, true}, func(t *Thresholds) *int { return &t.BudgetP95 }},
	{Field{"budget_queries", "queries", "how many database queries a median request may make", 0, 0, 1, 100_000, true}, func(t *Thresholds) *int { return &t.BudgetQueries }},
}

// hour in milliseconds: no request that someone waits for takes longer.
const hour = 3_600_000

// Defaults are the thresholds of an endpoint that has none of its own.
func Defaults() (t Thresholds) {
	for _, k := range known {
		*k.at(&t) = k.Default
	}
	return t
}

// Fields are all thresholds as a form shows them.
func (t Thresholds) Fields() (list []Field) {
	for _, k := range known {
		k.Value = *k.at(&t)
		list = append(list, k.Field)
	}
	return list
}

// MarshalJSON writes those that differ from the defaults.
func (t Thresholds) MarshalJSON() ([]byte, error) {
	differ := map[string]int{}
	for _, f := range t.Fields() {
		if f.Value != f.Default {
			differ[f.Name] = f.Value
		}
	}
	return json.Marshal(differ)
}

// UnmarshalJSON reads an endpoint's own thresholds; those it does not name are the defaults. The error names what is
// unknown or out of range, and is fit for a visitor.
func (t *Thresholds) UnmarshalJSON(b []byte) error {
	given := map[string]int{}
	if err := json.Unmarshal(b, &given); err != nil {
		return errs.New(errs.Unprocessable, "Thresholds are a JSON object of names and whole numbers, such as {%q: 10}.", known[0].Name)
	}
	to := Defaults()
	for _, name := range sorted(given) {
		if err := to.Set(name, given[name]); err != nil {
			return err
		}
	}
	*t = to
	return nil
}

func sorted(given map[string]int) (list []string) {
	for name := range given {
		list = append(list, name)
	}
	slices.Sort(list)
	return list
}

// Set changes one threshold by its name. The error is fit for a visitor.
func (t *Thresholds) Set(name string, value int) error {
	for _, k := range known {
		if k.Name == name {
			return k.set(k.at(t), value)
		}
	}
	return errs.New(errs.Unprocessable, "There is no threshold %q. There are %s.", clip(name, 40), strings.Join(all(), ", "))
}

func (f Field) set(at *int, value int) error {
	if (value < f.Least || value > f.Most) && !(f.Off && value == 0) {
		off := ""
		if f.Off {
			off = ", or 0 to turn the detector off"
			if f.Budget() {
				off = ", or 0 for no budget"
			}
		}
		return errs.New(errs.Unprocessable, "%s must be between %d and %d %s%s, not %d.", f.Name, f.Least, f.Most, f.Unit, off, value)
	}
	*at = value
	return nil
}

func all() (list []string) {
	for _, k := range known {
		list = append(list, k.Name)
	}
	return list
}

func ms(n int) time.Duration { return time.Duration(n) * time.Millisecond }
