package simulate

import (
	"context"
	"math"
	"slices"
	"sync"
	"sync/atomic"
)

// Row is a scenario and what is promised of rules in it.
type Row struct {
	Name     string
	Scenario Scenario
	Cells    []Cell
}

// Cell is what is promised of one rule: either how often it fires, or when.
type Cell struct {
	Rule    Rule
	Rate    float64 // share of runs in which it fires; NaN is not promised
	Seconds float64 // median over all runs until it fires; 0 is not promised
}

// String is the name of a rule.
func (r Rule) String() string {
	return [Rules]string{"z, p < .05", "z, p < .001", "GrowthBook CS .05", "e ≥ 20", "e ≥ 1000", "e ≥ 1000, φ live", "e ≥ 1000, φ past day", "all errors > 2×"}[r]
}

// Ours is whether the guard decides by it, or by a variant of it.
func (r Rule) Ours() bool { return r >= E20 && r <= E1000Past }

// The shares of exposures that the table has columns for.
func shares() [3]float64 { return [3]float64{0.01, 0.05, 0.5} }

// FalseKills are the rows in which the switch does no harm.
func FalseKills() []Row {
	kinds := []struct {
		name     string
		scenario Scenario
		percent  map[Rule][3]float64
	}{
		{"no harm", Scenario{}, map[Rule][3]float64{Z05: {44, 47, 46}, Z001: {6.4, 5.3, 2.0}, Sequence: {0, 0.3, 2.9}, E20: {2.3, 2.3, 2.6}, E1000: {}, E1000Live: {}, E1000Past: {0, 0.1, 0}, Blind: {}}},
		{"no harm, bursts of 5 failures", Scenario{Bursts: true}, map[Rule][3]float64{Z05: {63, 84, 91}, Z001: {45, 66, 72}, Sequence: {22, 49, 72}, E20: {41, 61, 68}, E1000: {24, 45, 51},
			E1000Live: {5, 10, 24}, E1000Past: {0.1, 0.1, 0.1}, Blind: {5, 6, 6}}},
		{"no harm, bursts; past day with rhythm and incident", Scenario{Bursts: true, PastRhythm: true}, map[Rule][3]float64{E1000Past: {0.1, 0.1, 0.1}}},
		{"no harm, everyone fails 10× for an hour", Scenario{Incident: true}, map[Rule][3]float64{Z05: {49, 49, 50}, Z001: {7.4, 5.8, 2.5}, Sequence: {0, 0.6, 2.5}, E20: {2.1, 2.8, 2.2},
			E1000: {0, 0, 0.1}, E1000Live: {0, 0, 0.1}, Blind: {100, 100, 100}}},
	}
	var rows []Row
	for _, k := range kinds {
		for i, share := range shares() {
			k.scenario.Share, k.scenario.Ratio = share, 1
			row := Row{Name: k.name, Scenario: k.scenario}
			for r := range Rule(Rules) {
				if p, ok := k.percent[r]; ok {
					row.Cells = append(row.Cells, Cell{Rule: r, Rate: p[i] / 100})
				}
			}
			rows = append(rows, row)
		}
	}
	return rows
}

// Detections are the rows in which it does harm.
func Detections() []Row {
	kinds := []struct {
		ratio   float64
		seconds [3][3]float64 // by share, of three rules
	}{
		{1.5, [3][3]float64{{13580, 7120, 15290}, {2200, 1350, 3120}, {260, 290, 620}}},
		{2, [3][3]float64{{4110, 1910, 4240}, {670, 410, 870}, {80, 90, 190}}},
		{5, [3][3]float64{{540, 200, 400}, {100, 50, 90}, {20, 20, 30}}},
		{20, [3][3]float64{{110, 50, 50}, {30, 10, 20}, {10, 10, 10}}},
		{100, [3][3]float64{{110, 10, 10}, {20, 10, 10}, {10, 10, 10}}},
	}
	var rows []Row
	for _, k := range kinds {
		for i, share := range shares() {
			row := Row{Name: "harm", Scenario: Scenario{Share: share, Ratio: k.ratio}}
			for n, r := range [3]Rule{Sequence, E20, E1000} {
				c := Cell{Rule: r, Seconds: k.seconds[i][n], Rate: 1}
				if k.ratio == 1.5 && i == 0 {
					c.Rate = [3]float64{0.82, 0.96, 0.75}[n]
				}
				row.Cells = append(row.Cells, c)
			}
			rows = append(rows, row)
		}
	}
	return append(rows, robust()...)
}

// robust are the rows in which the dispersion of the past day costs time.
func robust() []Row {
	none := math.NaN()
	rows := []Row{{"harm", Scenario{Share: 0.01, Ratio: 2}, []Cell{{E1000Past, 1, 4440}}}}
	for i, share := range shares() {
		rows = append(rows, Row{"harm, bursts of 5 failures", Scenario{Share: share, Ratio: 5, Bursts: true}, []Cell{{E1000Past, none, [3]float64{3960, 850, 210}[i]}}})
	}
	return append(rows, Row{"harm, bursts of 5 failures", Scenario{Share: 0.01, Ratio: 2, Bursts: true}, []Cell{{E1000Past, 0.17, 0}}})
}

// Result is what became of a cell.
type Result struct {
	Cell
	Found      float64 // our rate
	Error      float64 // by how much rates may differ
	Median     float64 // our median, seconds; +Inf if most runs never fired
	Low, High  float64 // between which the promised median must lie
	RateWithin bool
	TimeWithin bool
}

// Within is whether all that is promised holds.
func (r Result) Within() bool { return r.RateWithin && r.TimeWithin }

// Run plays a row as often as is said, with so many workers at once. Done is told each run that ended.
func (row Row) Run(ctx context.Context, runs, workers int, seed uint64, done func()) []Result {
	rules := make([]Rule, 0, len(row.Cells))
	for _, c := range row.Cells {
		rules = append(rules, c.Rule)
	}
	all := make([]Outcome, runs)
	var next atomic.Int64
	var wg sync.WaitGroup
	for range workers {
		wg.Go(func() {
			for i := next.Add(1) - 1; i < int64(runs) && ctx.Err() == nil; i = next.Add(1) - 1 {
				all[i] = Play(row.Scenario, rules, seed, int(i))
				done()
			}
		})
	}
	wg.Wait()
	results := make([]Result, 0, len(row.Cells))
	for _, c := range row.Cells {
		results = append(results, c.compare(all))
	}
	return results
}

// The promised figures were measured with this many runs; z is that of 99.9 %, on both sides.
const (
	promisedRuns = 1000
	z999         = 3.2905
)

// compare sets what was found against what is promised. Both are samples, and so both have an error.
func (c Cell) compare(all []Outcome) Result {
	times := make([]float64, 0, len(all))
	fired := 0
	for _, o := range all {
		if o[c.Rule] == 0 {
			times = append(times, math.Inf(1))
			continue
		}
		fired++
		times = append(times, float64(o[c.Rule])*Look)
	}
	slices.Sort(times)
	n := float64(len(all))
	r := Result{Cell: c, Found: float64(fired) / n, RateWithin: true, TimeWithin: true}
	if !math.IsNaN(c.Rate) {
		r.Error = rateError(c.Rate, r.Found, n)
		r.RateWithin = math.Abs(c.Rate-r.Found) <= r.Error
	}
	if c.Seconds > 0 {
		// The rank of the true median is binomial; that of another sample's median is twice as uncertain in variance.
		d := z999 / 2 * math.Sqrt(n*(1+n/promisedRuns))
		at := func(rank float64) float64 { return times[int(min(max(rank, 0), n-1))] }
		r.Median, r.Low, r.High = at(n/2), at(math.Floor(n/2-d)), at(math.Ceil(n/2+d))
		r.TimeWithin = c.Seconds >= r.Low && c.Seconds <= r.High
	}
	return r
}

// rateError is by how much two measured rates may differ at 99.9 %, if they are of the same binomial; the promise is
// rounded besides.
func rateError(promised, found, n float64) float64 {
	each := 1.0/promisedRuns + 1/n
	p := (promised*promisedRuns + found*n) / (promisedRuns + n)
	rounding := 0.0005
	if promised >= 0.1 {
		rounding = 0.005
	}
	return z999*math.Sqrt(p*(1-p)*each) + each/2 + rounding
}
