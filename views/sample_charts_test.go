package views

import (
	"math"
	"time"

	"kibitz/app/detect"
	"kibitz/app/model"
	"kibitz/app/trace"
	"kibitz/views/charts"
)

// sampleClock is the hour before sampleNow, by the minute; its last bucket still fills.
func sampleClock() charts.Clock {
	return charts.Clock{From: sampleNow.Add(-time.Hour), Step: time.Minute, N: 60, Open: true}
}

func samplePeriod() model.Period {
	return model.Period{Name: "1h", From: sampleNow.Add(-time.Hour), To: sampleNow}
}

// wave is a series that swings around a level by a share, and is another one from minute `from` on.
func wave(n int, level, swing float64, from int, then float64) []float64 {
	out := make([]float64, n)
	for i := range out {
		at := level
		if i >= from {
			at = then
		}
		out[i] = math.Round(at*(1+swing*math.Sin(float64(i*i%17)))*100) / 100
	}
	return out
}

// gap takes minutes 24 and 25 out, in which nothing was collected.
func gap(values []float64) []float64 {
	values[24], values[25] = math.NaN(), math.NaN()
	return values
}

func sampleTiming(n float64, p95 time.Duration, failed float64) Timing {
	return Timing{N: n, Seen: int64(n), P50: p95 / 4, P75: p95 / 2, P95: p95, P99: p95 * 2, Failed: failed, Apdex: .81, Queries: 14, MaxQueries: 61,
		Time: [trace.Categories]time.Duration{trace.Other: p95 / 20, trace.DB: p95 / 15, trace.Cache: p95 / 200, trace.HTTP: p95 / 6, trace.Template: p95 / 50, trace.Pool: p95 / 90}}
}

func sampleMarkers() []charts.Marker {
	at := func(minute int) time.Time { return sampleNow.Add(time.Duration(minute-60) * time.Minute) }
	return []charts.Marker{{At: at(14), Kind: "release", Label: "shop@4.18.0", URL: "/issues"}, {At: at(21), Kind: "switch", Label: "new_totals 5 %", Share: 5},
		{At: at(45), Kind: "switch", Label: "new_totals 25 %", Share: 25}}
}

func sampleEndpoints() EndpointsProps {
	projects := sampleProjects()
	before := sampleTiming(24_000, 540*time.Millisecond, .002)
	row := func(project int, method, name string, n float64, p95 time.Duration, failed float64) EndpointRow {
		return EndpointRow{Project: projects[project], Method: method, Name: name, Timing: sampleTiming(n, p95, failed), Before: &before, Spark: wave(24, n/60, .2, 20, n/50)}
	}
	return EndpointsProps{Period: samplePeriod(), Known: true, Found: 6, Connect: Connect{DSN: "https://9f1c@kibitz.tealeaf.example/1", OTLP: "https://kibitz.tealeaf.example", PublicKey: "9f1c"},
		Rows: []EndpointRow{row(0, "POST", "/checkout/confirm", 24_700, 642*time.Millisecond, .053), row(2, "GET", "/embed/thread", 734_400, 118*time.Millisecond, .001),
			row(0, "GET", "/search/", 11_160, 1240*time.Millisecond, .004), row(2, "GET", "/forums/{forum}/export", 12, 3840*time.Millisecond, 0),
			row(2, "POST", "/api/posts", 42_480, 96*time.Millisecond, .012), row(1, "", "search.tasks.rebuild_search_index", 60, 41*time.Second, .05)}}
}

func sampleDurations(slow float64) []charts.Bin {
	var out []charts.Bin
	for low := 20.0; low < 4000; low *= 1.04 {
		fast, late := math.Log(low/150), math.Log(low/slow)
		out = append(out, charts.Bin{Low: low, High: low * 1.04, N: math.Round(120*math.Exp(-fast*fast*4) + 18*math.Exp(-late*late*9))})
	}
	return out
}

func sampleSeries(from int) EndpointSeries {
	s := EndpointSeries{Served: wave(60, 410, .03, from, 395), Failed: wave(60, 1, .9, from, 22), P50: gap(wave(60, 148, .03, from, 158)), P75: gap(wave(60, 235, .03, from, 260)),
		P95: gap(wave(60, 540, .04, from, 642)), P99: gap(wave(60, 970, .06, from, 1260))}
	for c, ms := range [trace.Categories]float64{31, 42, 3, 74, 12, 5} {
		s.Time[c] = gap(wave(60, ms, .05, from, ms*1.2))
	}
	for i := range 60 {
		slow := 500.0
		if i >= from {
			slow = 900
		}
		s.Durations = append(s.Durations, sampleDurations(slow))
	}
	s.Durations[24], s.Durations[25] = nil, nil
	return s
}

func sampleKept() []Sample {
	var out []Sample
	for i, note := range []string{"freight quote 2.76 s, one retry", "ReadTimeout, SHOP-1290", "58 lines in the cart, 58 × catalog_product", "lock wait 310 ms on checkout_cart", "PricingError, SHOP-1482"} {
		d := time.Duration(3410-600*i) * time.Millisecond
		out = append(out, Sample{Trace: trace.ID{1, byte(i)}, Span: trace.SpanID(i + 1), At: sampleNow.Add(-time.Duration(i) * time.Minute), Duration: d, Status: []int{200, 502, 200, 0, 500}[i],
			Failed: i == 4, Note: note, User: "customer 40312", Totals: trace.Totals{Time: [trace.Categories]time.Duration{d / 12, d / 9, d / 200, d * 3 / 4, d / 66, d / 80}, N: [trace.Categories]int{1: 9 + i*12}}})
	}
	return out
}

func sampleComparison() Comparison {
	left, right := sampleTiming(11_000, 540*time.Millisecond, .002), sampleTiming(13_700, 642*time.Millisecond, .053)
	return Comparison{By: "release", A: "shop@4.17.2", B: "shop@4.18.0", Choices: []Choice{{"shop@4.17.2", "shop@4.17.2"}, {"shop@4.18.0", "shop@4.18.0"}},
		Left: Side{"shop@4.17.2", left, sampleDurations(500)}, Right: Side{"shop@4.18.0", right, sampleDurations(900)},
		Rows: []Difference{{trace.DB, "SELECT id, price FROM catalog_product WHERE id = ?", 9 * time.Millisecond, 26 * time.Millisecond, 1, 12}, {trace.HTTP, "", 74 * time.Millisecond, 112 * time.Millisecond, 1, 1},
			{trace.Cache, "", 3 * time.Millisecond, 3 * time.Millisecond, 4, 4}, {trace.Template, "checkout/confirm.html", 14 * time.Millisecond, 12 * time.Millisecond, 1, 1}}}
}

func sampleEndpointPage() EndpointProps {
	before, off, few := sampleTiming(24_000, 540*time.Millisecond, .002), sampleTiming(18_000, 668*time.Millisecond, .002), sampleTiming(12, 640*time.Millisecond, .053)
	var queries []charts.Bin
	for i := range 61 {
		d := float64(i - 14)
		queries = append(queries, charts.Bin{Low: float64(i), High: float64(i), N: math.Round(3800*math.Exp(-d*d/60) + 20)})
	}
	return EndpointProps{Project: sampleProjects()[0], Method: "POST", Name: "/checkout/confirm", Period: samplePeriod(), Clock: sampleClock(), Timing: sampleTiming(24_700, 642*time.Millisecond, .053), Before: &before,
		ApdexT: 300 * time.Millisecond, Series: sampleSeries(35), Overlay: "hour", Ghost: sampleSeries(99), Markers: sampleMarkers(), Queries: queries, Samples: sampleKept(),
		Switches: []SwitchRow{{Key: "checkout.new_totals", Share: 25, On: sampleTiming(6_100, 412*time.Millisecond, .204), Off: off, URL: "/switches/checkout.new_totals"}, {Key: "freight.quote_v2", Share: 100, On: off},
			{Key: "cart.sticky_total", Share: 50, On: few, Off: few}},
		Compared: sampleComparison(), CSV: "/endpoint.csv?project=shop",
		Thresholds: []detect.Field{{Name: "n_plus_one_query_count", Unit: "repeats", Meaning: "equal queries from one line of code", Value: 5, Default: 5, Least: 2, Most: 100_000, Off: true},
			{Name: "slow_query_ms", Unit: "ms", Meaning: "time of one statement without its wait for a connection", Value: 800, Default: 500, Least: 1, Most: 3_600_000, Off: true}},
		Findings: []Finding{{Kind: "n+1", Title: "One query per cart line", Evidence: "12 times SELECT id, price FROM catalog_product WHERE id = ? in a typical request.", ShortID: "SHOP-1501", File: "shop/checkout/totals.py", Line: 52, Wasted: 61 * time.Millisecond, Seen: 3812, Status: model.Unresolved}}}
}

func samplePulse() PulseProps {
	fresh := sampleIssues()
	return PulseProps{Period: samplePeriod(), Clock: sampleClock(), Projects: 4, ApdexT: 300 * time.Millisecond, Markers: sampleMarkers(), Issues: fresh.Issues[:6], Review: 12, Slowest: sampleEndpoints().Rows, Endpoints: 64,
		Series: PulseSeries{gap(wave(60, 8, .2, 46, 28)), gap(wave(60, 320, .04, 40, 308)), gap(wave(60, 208, .05, 44, 218)), gap(wave(60, .95, .005, 46, .93))},
		Before: PulseSeries{wave(60, 7, .2, 99, 0), wave(60, 322, .04, 99, 0), wave(60, 208, .05, 99, 0), wave(60, .95, .005, 99, 0)},
		Flips: []Flip{{At: sampleNow.Add(-15 * time.Minute), Key: "checkout.new_totals", Before: "5 %", After: "25 %", Share: 25, Who: "Priya Nair", Comment: "second step, numbers look fine", On: sampleTiming(6_100, 412*time.Millisecond, .204), Off: sampleTiming(18_000, 668*time.Millisecond, .002)},
			{At: sampleNow.Add(-5 * time.Hour), Key: "search.semantic", Before: "10 %", After: "off", Killed: true}},
		Arrived: []model.OutcomeCount{{Category: "error", Outcome: "stored", N: 782}, {Category: "error", Outcome: "filtered", Reason: "duplicate", N: 41}, {Category: "error", Outcome: "invalid", N: 2}, {Category: "transaction", Outcome: "stored", N: 1_118_304},
			{Category: "span", Outcome: "stored", N: 1_904_117}, {Category: "span", Outcome: "rate_limited", N: 12_880}, {Category: "log_item", Outcome: "stored", N: 8_412}, {Category: "log_item", Outcome: "client_discard", N: 7}}}
}

func sampleHosts() HostsProps {
	p := HostsProps{Period: samplePeriod(), Clock: sampleClock(), Tier: 15 * time.Second, Host: "web-1", CSV: "/hosts.csv?host=web-1", Markers: sampleMarkers()[:1],
		Hosts: []HostRow{{"web-1", sampleNow.Add(-9 * time.Second), 41, 63, 72, 1.4, wave(60, 35, .3, 40, 41)}, {"web-2", sampleNow.Add(-4 * time.Minute), 97, 88, 91, 7.9, wave(60, 80, .2, 40, 97)},
			{"db-1", sampleNow.Add(-3 * time.Second), 22, math.NaN(), 54, .7, nil}}}
	level := map[string]float64{"memory.used": 2.6e9, "memory.cached": 1.1e9, "memory.free": 4e8, "load.1": 1.4, "load.5": 1.2, "load.15": 1, "disk.read": 2.4e6, "disk.write": 9e6, "net.rx": 1.2e7, "net.tx": 3e7,
		"go.heap": 6.2e7, "go.heap_goal": 9.9e7, "go.goroutines": 412, "go.sched_p99": .21, "pool.used": 7, "pool.idle": 3, "pool.wait": 1.9, "disk.await": 3.4, "go.gc_cpu": 1.8}
	for i, name := range HostMetricNames() {
		if name == "swap.used" {
			continue
		}
		v := level[name]
		if v == 0 {
			v = 4 + float64(i%5)*6
		}
		p.Metrics = append(p.Metrics, HostMetric{Name: name, Values: gap(wave(60, v, .2, 40, v*1.3)), Peaks: wave(60, v*1.2, .2, 40, v*1.7)})
	}
	return p
}
