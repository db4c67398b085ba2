package views

import (
	"bytes"
	"compress/gzip"
	"math"
	"reflect"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/a-h/templ"

	"kibitz/app/model"
	"kibitz/app/trace"
	"kibitz/views/charts"
)

// chartPages are the pages of charts with sample data, by their names.
func chartPages(c Chrome) map[string]templ.Component {
	return map[string]templ.Component{"endpoints": EndpointsPage(c, sampleEndpoints()), "endpoint": EndpointPage(c, sampleEndpointPage()),
		"pulse": PulsePage(c, samplePulse()), "hosts": HostsPage(c, sampleHosts())}
}

// TestChartPagesWhole holds what every page of charts has: balanced ids, links that keep the page's fields, no more than
// 100 KB on the wire, and nothing that is no number in a drawing.
func TestChartPagesWhole(t *testing.T) {
	t.Parallel()
	attribute := regexp.MustCompile(` (?:d|y1|style)="([^"]*)"`)
	for name, page := range chartPages(sampleChrome("/")) {
		html := rendered(t, page)
		if n := zipped(t, html); n > 100<<10 {
			t.Errorf("%s is %d bytes compressed", name, n)
		}
		for _, m := range attribute.FindAllStringSubmatch(html, -1) {
			if strings.Contains(m[1], "NaN") || strings.Contains(m[1], "Inf") {
				t.Errorf("%s draws %s", name, m[0])
			}
		}
		ids := map[string]bool{}
		for _, m := range regexp.MustCompile(` id="([^"]+)"`).FindAllStringSubmatch(html, -1) {
			if ids[m[1]] && !strings.HasPrefix(m[1], "i-") {
				t.Errorf("%s has two of id %s", name, m[1])
			}
			ids[m[1]] = true
		}
		if plots, tables := strings.Count(html, `class="plot"`), strings.Count(html, "Show as table"); name != "endpoints" && name != "pulse" && plots-1 > tables {
			t.Errorf("%s has %d plots and %d tables", name, plots, tables)
		}
	}
}

func zipped(t *testing.T, html string) int {
	t.Helper()
	var out bytes.Buffer
	w := gzip.NewWriter(&out)
	if _, err := w.Write([]byte(html)); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return out.Len()
}

// TestChartPagesSize holds the limit where a page is as full as it can be: a month of 121 buckets, every marker, 100 rows.
func TestChartPagesSize(t *testing.T) {
	t.Parallel()
	p := sampleEndpointPage()
	p.Clock = charts.Clock{From: sampleNow.Add(-31 * 24 * time.Hour), Step: 6 * time.Hour, N: 121}
	p.Series, p.Ghost = longSeries(121), longSeries(121)
	h := sampleHosts()
	h.Clock = p.Clock
	for i := range h.Metrics {
		h.Metrics[i].Values, h.Metrics[i].Peaks = noise(121, int64(i)), noise(121, int64(i)+99)
	}
	list := sampleEndpoints()
	for len(list.Rows) < 100 {
		list.Rows = append(list.Rows, list.Rows[0])
	}
	c := sampleChrome("/")
	for name, page := range map[string]templ.Component{"endpoint": EndpointPage(c, p), "hosts": HostsPage(c, h), "endpoints": EndpointsPage(c, list)} {
		if n := zipped(t, rendered(t, page)); n > 100<<10 {
			t.Errorf("%s is %d bytes compressed", name, n)
		}
	}
}

// BenchmarkEndpointPage draws the fullest endpoint page: a month of 121 buckets, two periods, 200 bins a bucket. The
// limit beside it is that of the whole page, its queries included.
func BenchmarkEndpointPage(b *testing.B) {
	p, c := sampleEndpointPage(), sampleChrome("/")
	p.Clock = charts.Clock{From: sampleNow.Add(-31 * 24 * time.Hour), Step: 6 * time.Hour, N: 121}
	p.Series, p.Ghost = longSeries(121), longSeries(121)
	var out bytes.Buffer
	for b.Loop() {
		out.Reset()
		if err := EndpointPage(c, p).Render(b.Context(), &out); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(float64(b.Elapsed().Milliseconds())/float64(b.N), "ms/page")
	b.ReportMetric(50, "ms-limit")
	b.ReportMetric(float64(out.Len()), "bytes")
}

// noise is a series that no compression foresees.
func noise(n int, seed int64) []float64 {
	out := make([]float64, n)
	x := uint64(seed)*2654435761 + 12345
	for i := range out {
		x = x*6364136223846793005 + 1442695040888963407
		out[i] = float64(x>>40) / 1e4
	}
	return out
}

func longSeries(n int) EndpointSeries {
	s := EndpointSeries{Served: noise(n, 1), Failed: noise(n, 2), P50: noise(n, 3), P75: noise(n, 4), P95: noise(n, 5), P99: noise(n, 6)}
	for c := range s.Time {
		s.Time[c] = noise(n, int64(10+c))
	}
	for i := range n {
		var bins []charts.Bin
		for j, v := range noise(200, int64(100+i)) {
			bins = append(bins, charts.Bin{Low: math.Pow(1.04, float64(j)), High: math.Pow(1.04, float64(j+1)), N: v})
		}
		s.Durations = append(s.Durations, bins)
	}
	return s
}

// TestChartsHostile puts markup, control characters and numbers that are none into every field of every page.
func TestChartsHostile(t *testing.T) {
	t.Parallel()
	for i, text := range []string{`"><script>alert(1)</script>`, `'><img src=x onerror=alert(1)>`, "javascript:alert(1)", "a\x00b\x1b[31m\u202e", strings.Repeat("long ", 2000), ""} {
		number := []float64{math.NaN(), math.Inf(1), math.Inf(-1), -5, math.MaxFloat64, math.SmallestNonzeroFloat64}[i]
		c := sampleChrome("/")
		list, one, pulse, hosts := sampleEndpoints(), sampleEndpointPage(), samplePulse(), sampleHosts()
		for _, p := range []any{&c, &list, &one, &pulse, &hosts} {
			poison(reflect.ValueOf(p).Elem(), text)
			poisonNumbers(reflect.ValueOf(p).Elem(), number)
		}
		for name, page := range map[string]templ.Component{"endpoints": EndpointsPage(c, list), "endpoint": EndpointPage(c, one), "pulse": PulsePage(c, pulse), "hosts": HostsPage(c, hosts)} {
			html := rendered(t, page)
			for _, bad := range []string{"<script>alert", "<img src=x", `href="javascript:`, `action="javascript:`, "<style", " onclick=", ":NaN", ":Inf", ":+Inf", ":-Inf", "null.", ">NaN"} {
				if strings.Contains(html, bad) {
					t.Errorf("%s: %.30q and %v become %s", name, text, number, bad)
				}
			}
		}
	}
}

// poisonNumbers replaces every number within v that has a fraction.
func poisonNumbers(v reflect.Value, number float64) {
	switch v.Kind() {
	case reflect.Float64:
		if v.CanSet() {
			v.SetFloat(number)
		}
	case reflect.Pointer, reflect.Interface:
		if !v.IsNil() {
			poisonNumbers(v.Elem(), number)
		}
	case reflect.Struct:
		for i := range v.NumField() {
			if v.Type().Field(i).IsExported() {
				poisonNumbers(v.Field(i), number)
			}
		}
	case reflect.Slice, reflect.Array:
		for i := range v.Len() {
			poisonNumbers(v.Index(i), number)
		}
	}
}

// TestChartsEmpty looks at every page without data, and with too little.
func TestChartsEmpty(t *testing.T) {
	t.Parallel()
	c := sampleChrome("/endpoints")
	few := sampleEndpointPage()
	few.Timing.Seen = 12
	noSwitch := samplePulse()
	noSwitch.Flips = nil
	with := c
	with.Project = &sampleProjects()[0]
	one := sampleHosts()
	one.Metrics = one.Metrics[:1]
	for _, k := range []struct {
		page       templ.Component
		want, lack string
	}{
		{EndpointsPage(c, EndpointsProps{}), "No requests yet", "<table"},
		{EndpointsPage(with, EndpointsProps{Connect: sampleEndpoints().Connect}), "SENTRY_TRACES_SAMPLE_RATE", "Choose a project"},
		{EndpointsPage(c, EndpointsProps{Connect: Connect{Syslog: "udp://127.0.0.1:5514"}}), "listens at", "That door is shut"},
		{EndpointsPage(c, EndpointsProps{Known: true, Query: "/x"}), "with that in its name", "SENTRY_DSN"},
		{EndpointsPage(c, EndpointsProps{Known: true}), "Look at 30 days", "See all"},
		{EndpointPage(c, EndpointProps{}), "No request in this period", `class="tiles"`},
		{EndpointPage(c, few), "Only 12 requests here", "Changes are against"},
		{EndpointPage(c, EndpointProps{Timing: Timing{Seen: 100}}), "Choose what to compare", "Switches that matter"},
		{EndpointPage(c, EndpointProps{Timing: Timing{Seen: 100}, Compared: Comparison{By: "release"}}), "not two sides", "NaN"},
		{EndpointPage(c, sampleEndpointPage()), "2 thresholds of the detectors, 1 changed", "NaN"},
		{EndpointPage(c, sampleEndpointPage()), "usually 500; 0 turns the detector off.", "usually 5;"},
		{PulsePage(c, PulseProps{}), "Nothing came in this period", "Recent flips"},
		{PulsePage(c, noSwitch), "What arrived", "Recent flips"},
		{PulsePage(c, PulseProps{Projects: 3}), "Choose a project to connect", "Make a project"},
		{HostsPage(c, HostsProps{}), "No host was measured", "<figure"},
		{HostsPage(c, one), "Not measured here: Memory, Load, Stalled on, Swap", "NaN"},
	} {
		html := rendered(t, k.page)
		if !strings.Contains(html, k.want) || strings.Contains(html, k.lack) {
			t.Errorf("a page lacks %q or has %q", k.want, k.lack)
		}
	}
}

// TestZoomLinks holds that there is one link a bucket, that no key stops at it, and that the table has the way for keys.
func TestZoomLinks(t *testing.T) {
	t.Parallel()
	p := sampleEndpointPage()
	html := rendered(t, chart(p.durations()))
	if n := strings.Count(html, `<a tabindex="-1" href="/endpoint?`); n != 60 {
		t.Errorf("%d links for 60 buckets", n)
	}
	for _, want := range []string{"method=POST", "name=%2Fcheckout%2Fconfirm", "overlay=hour", "from=1795098840&amp;to=1795098900", "13:35, p50 148 ms", `<th scope="row"><a href="/endpoint?`,
		`data-u="s"`, `&#34;p50&#34;:[0.148,`, "null,null", `class="gap"`, "No data, 13:59 to 14:01", "p95: last 653 ms", "highest value of each row", `download>All of it as CSV`} {
		if !strings.Contains(html, want) {
			t.Errorf("the chart lacks %q", want)
		}
	}
	if strings.Contains(html, "period=") {
		t.Error("a link has two periods")
	}
	c := Chart{Title: "x", Clock: charts.Clock{N: 2, Step: time.Minute}, Lines: []ChartLine{{Series: charts.Series{Name: `a"b`, Values: []float64{1, 2}}}}}
	if html := rendered(t, chart(c)); strings.Contains(html, "buckets") || strings.Contains(html, "CSV") || !strings.Contains(html, `{&#34;a\&#34;b&#34;:[1,2]}`) {
		t.Errorf("a chart without addresses: %s", html)
	}
}

func TestPaths(t *testing.T) {
	t.Parallel()
	clock := charts.Clock{N: 3, Step: time.Minute, Open: true}
	line := ChartLine{charts.Series{Values: []float64{1, 2, 3}}, "p95", []float64{3, 2, 1}}
	classes := func(c Chart) (out []string) {
		for _, d := range c.paths(c.scale()) {
			out = append(out, d.class+" "+d.mark)
		}
		return out
	}
	for want, c := range map[string]Chart{
		"ln prev, ln p95, ln open p95":           {Kind: Lines, Clock: clock, Lines: []ChartLine{line}},
		"area p95, ln prev, ln p95, ln open p95": {Kind: Areas, Clock: clock, Lines: []ChartLine{line}},
		"b p95, b open p95, ln prev":             {Kind: Bars, Clock: clock, Lines: []ChartLine{line}, Over: []float64{9, 9, 9}},
		"ar p95, ar p95":                         {Kind: Stack, Clock: clock, Lines: []ChartLine{line, line}},
	} {
		if got := strings.Join(classes(c), ", "); got != want {
			t.Errorf("got %s, want %s", got, want)
		}
	}
	ends := Chart{Height: 132, Lines: []ChartLine{line, line, line}}
	got := ends.ends(ends.scale())
	if apart := 13. / 132 * 100; len(got) != 3 || got[1].at-got[0].at < apart-1e-9 || got[2].at-got[1].at < apart-1e-9 {
		t.Errorf("names run into each other: %+v", got)
	}
	low := Chart{Height: 56, Lines: []ChartLine{{Series: charts.Series{Values: []float64{4}}}}}
	if n := len(low.axis().Ticks); n != 3 {
		t.Errorf("a low plot has %d ticks", n)
	}
}

func TestVerdict(t *testing.T) {
	t.Parallel()
	c := sampleComparison()
	same, few, bare := c, c, c
	same.Right.Durations = c.Left.Durations
	few.Left.Timing.Seen = 29
	bare.Left.Durations = nil
	faster := c
	faster.Left, faster.Right = c.Right, c.Left
	for want, k := range map[string]Comparison{"shop@4.18.0 is slower at p95 by 19 %": c, "could not be chance": same, "Too few requests to judge: 29 and 13,700": few,
		"nobody can say": bare, "shop@4.17.2 is faster at p95 by 16 %": faster} {
		if _, got := k.verdict(); !strings.Contains(got, want) {
			t.Errorf("%q lacks %q", got, want)
		}
	}
	if rows := c.ranked(); rows[0].Category != trace.HTTP || rows[3].Category != trace.Cache || c.Rows[0].Category != trace.DB {
		t.Errorf("ranked %+v", rows)
	}
}

func TestDeltas(t *testing.T) {
	t.Parallel()
	for _, k := range []struct {
		got  delta
		want delta
	}{{worse(100, 119), delta{"▲", "19 %", "warn"}}, {worse(100, 131), delta{"▲", "31 %", "bad"}}, {worse(100, 69), delta{"▼", "31 %", "ok"}}, {worse(100, 95), delta{"▼", "5 %", ""}},
		{worse(0, 5), delta{}}, {worse(5, 5), delta{text: "0 %"}}, {worseShare(.002, .053), delta{"▲", "from 0.2 %", "bad"}}, {worseShare(.053, .002), delta{"▼", "from 5.3 %", "ok"}},
		{worseShare(.002, .003), delta{"▲", "from 0.2 %", "warn"}}, {worseShare(.002, .002), delta{}}, {worseScore(.88, .81), delta{"▼", "0.07", "warn"}}, {worseScore(.9, .7), delta{"▼", "0.2", "bad"}},
		{worseScore(.8, .9), delta{"▲", "0.1", "ok"}}, {worseScore(.8, .8), delta{}}, {worseScoreSeen(math.NaN(), .8), delta{}}, {changeOnly(100, 200), delta{"▲", "100 %", ""}}} {
		if k.got != k.want {
			t.Errorf("got %+v, want %+v", k.got, k.want)
		}
	}
}

// TestRemarks says what a colleague would: the worst first, no more than four, and nothing of what is as ever.
func TestRemarks(t *testing.T) {
	t.Parallel()
	c, p := sampleChrome("/"), samplePulse()
	p.Slowest = p.Slowest[:3]
	p.Issues = p.Issues[:2]
	var got []string
	for _, r := range p.remarks(c) {
		got = append(got, r.state+" "+r.subject+r.text)
	}
	want := []string{"bad PricingError in tealeaf-shop comes in a burst", "warn GET /search/ got slower at p95 by 130 %: 1.24 s, was 540 ms in the hour before.", "ok GET /embed/thread got faster at p95 by 78 %"}
	if len(got) != len(want) {
		t.Fatalf("got %q", got)
	}
	for i := range want {
		if !strings.HasPrefix(got[i], want[i]) {
			t.Errorf("got %q, want %q", got[i], want[i])
		}
	}
}

func TestArrivals(t *testing.T) {
	t.Parallel()
	list := arrivals(append(samplePulse().Arrived, model.OutcomeCount{Category: "odd", Outcome: "too_large", N: 3}))
	if len(list) != 5 || list[0].kind != "Spans" || list[0].limited != 12_880 || list[3].kind != "Errors" || list[3].filtered != 41 || list[4] != (arrival{kind: "odd", invalid: 3}) {
		t.Errorf("got %+v", list)
	}
	if n := arrived(list); n != 782+41+2+1_118_304+1_904_117+12_880+8_412+7+3 {
		t.Errorf("%d items", n)
	}
	for n, want := range map[int64]string{0: "0", 999: "999", 1_118_304: "1,118,304", -1000: "-1,000"} {
		if got := grouped(n); got != want {
			t.Errorf("%d is %s", n, got)
		}
	}
}

// TestVitals leaves out what has no data, and takes the number beside a lane from buckets that are full.
func TestVitals(t *testing.T) {
	t.Parallel()
	p := PulseProps{Clock: charts.Clock{N: 5, Step: time.Minute, Open: true}, Series: PulseSeries{Errors: []float64{1, 10, 20, 30, 2}}, Before: PulseSeries{Errors: []float64{5, 5, 5, 5, 5}}}
	got := p.vitals(sampleChrome("/"))
	if len(got) != 1 || got[0].value != "20" || got[0].change != (delta{"▲", "4×", "bad"}) {
		t.Errorf("got %+v", got)
	}
	if s := apdexScale([]float64{.95, .93, math.NaN()}); s.Min != .85 || s.Max != 1 {
		t.Errorf("apdex from %v to %v", s.Min, s.Max)
	}
	if s := apdexScale([]float64{0}); s.Min != 0 {
		t.Errorf("apdex of nothing from %v", s.Min)
	}
}

// TestSorts holds the links of the columns, and that the usual order is not in the address.
func TestSorts(t *testing.T) {
	t.Parallel()
	p := sampleEndpoints()
	p.Sort, p.Query = "p95", "a b"
	html := rendered(t, EndpointsPage(sampleChrome("/endpoints"), p))
	for _, want := range []string{`aria-sort="descending"><a href="/endpoints?q=a&#43;b&amp;sort=p95">p95`, `href="/endpoints?q=a&#43;b&amp;sort=apdex"`, `name="sort" value="p95"`, `value="a b"`} {
		if !strings.Contains(html, strings.ReplaceAll(want, "&#43;", "+")) {
			t.Errorf("the list lacks %s", want)
		}
	}
	if got := sampleEndpoints().address(sampleChrome("/")).with(); got != "/endpoints" {
		t.Errorf("the plain list is at %s", got)
	}
	own := model.Period{From: time.Unix(1_700_000_000, 0), To: time.Unix(1_700_003_600, 0)}
	if got := endpointURL(sampleProjects()[0], "GET", "/a?b&c", own); got != "/endpoint?from=1700000000&method=GET&name=%2Fa%3Fb%26c&project=shop&to=1700003600" {
		t.Errorf("an endpoint is at %s", got)
	}
}

// TestEndsStayInside holds that names of lines with one value lie below each other, and none above the plot.
func TestEndsStayInside(t *testing.T) {
	t.Parallel()
	for _, at := range [][]float64{{100, 100, 100, 100}, {0, 0, 0}, {0, 99, 100}, {40, 41, 90, 100}, {50}} {
		var ends []end
		for _, a := range at {
			ends = append(ends, end{at: a})
		}
		pushApart(ends, 10)
		for i, e := range ends {
			if e.at > 100 || e.at < 0 || (i > 0 && e.at-ends[i-1].at < 10-1e-9) {
				t.Errorf("%v lie at %v", at, ends)
				break
			}
		}
	}
}
