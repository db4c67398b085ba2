package views

import (
	"bytes"
	"compress/gzip"
	"fmt"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/a-h/templ"

	"kibitz/app/requests/filter"
	"kibitz/app/trace"
)

// maxPage is the weight that a page may have, compressed.
const maxPage = 100_000

func weight(t testing.TB, page templ.Component) (html string, gz int) {
	t.Helper()
	var out, squeezed bytes.Buffer
	if err := page.Render(t.Context(), &out); err != nil {
		t.Fatal(err)
	}
	w := gzip.NewWriter(&squeezed)
	if _, err := w.Write(out.Bytes()); err != nil || w.Close() != nil {
		t.Fatal(err)
	}
	return out.String(), squeezed.Len()
}

func viewed(p RequestProps, query string) RequestProps {
	q, err := url.ParseQuery(query)
	if err != nil {
		panic(err)
	}
	p.View = ParseRequestView(q)
	return p
}

// TestRequestPage holds what a person must find on it.
func TestRequestPage(t *testing.T) {
	t.Parallel()
	c := sampleChrome("/requests")
	for query, wants := range map[string][]string{
		"": {"/checkout/confirm", ">500<", "164 ms", "<b>14</b>", "Slower than 51 % of 41k requests", "Ended in PricingError", "/issues/SHOP-1482/events/", "N+1: the same query 12 times", "See the 12",
			"12 × query", "23 spans, 12 of them in one row", `aria-label="12 times db.query 29 ms at +17 ms"`, `aria-label="cache.get 0.5 ms at +2 ms"`, "freight-rates", "2.1 ms for a connection",
			"12 identical queries", `<span class="k">FROM</span>`, `data-n="52" data-hit`, "40112", "6 more", "it failed", "3 spans, by the sender", "20 requests, it was sampled", "checkout.new_totals", "profile 52107",
			"not reported:", "the slowest took 5.5 ms", "no spans", `data-err`, `role="treegrid"`, "/requests/b71c9e40d2f84e1a9c2eb71c9e40a2f4/9c2eb71c9e40d2f8?view=time#wf", ".json"},
		"critical=1":            {`class="crit"`, "on the critical path", "data-critical"},
		"view=time":             {"23 spans", `aria-label="db.query 2.2 ms at +20 ms"`},
		"view=queries":          {"12 × query"},
		"view=table":            {"Spans as a table", "<td class=\"num\">17.11</td>", "/v2/quote"},
		"depth=1":               {`aria-expanded="false"`, ">+"},
		"span=0000000000000007": {"http.client", "self time 71 ms", `aria-selected="true"`},
	} {
		html := rendered(t, RequestPage(c, viewed(sampleRequestPage(), query)))
		for _, want := range wants {
			if !strings.Contains(html, want) {
				t.Errorf("%q lacks %q", query, want)
			}
		}
		if strings.Contains(html, "tok-cafe-1234") {
			t.Errorf("%q shows a secret: %s", query, near(html, "tok-cafe-1234"))
		}
	}
}

func near(html, text string) string {
	at := strings.Index(html, text)
	return html[max(at-120, 0):min(at+40, len(html))]
}

// TestRequestRows counts the rows of each view.
func TestRequestRows(t *testing.T) {
	t.Parallel()
	for query, want := range map[string]int{"": 16, "view=time": 25, "view=queries": 4, "view=table": 25, "depth=1": 6, "depth=2": 9, "view=nonsense&depth=x&row=-4": 16} {
		w := newWaterfall(viewed(sampleRequestPage(), query))
		if len(w.rows) != want || w.total != want {
			t.Errorf("%q: %d of %d rows, want %d", query, len(w.rows), w.total, want)
		}
	}
}

// TestRequestPages goes through a trace of 10,001 rows by the links: each row is on one page.
func TestRequestPages(t *testing.T) {
	t.Parallel()
	p, seen := bigRequestPage(10_000), map[trace.SpanID]bool{}
	for pages := 0; ; pages++ {
		w := newWaterfall(p)
		for i := range w.rows {
			seen[w.rows[i].Spans[0].ID] = true
		}
		_, after := w.pages()
		if after < 0 {
			if len(seen) != 10_001 || pages != 20 {
				t.Fatalf("%d rows on %d pages", len(seen), pages+1)
			}
			return
		}
		p.View.Row = after
	}
}

// TestRequestWeight holds that pages of large traces stay small: of spans of all kinds, of folds with many members, and
// of a deep chain.
func TestRequestWeight(t *testing.T) {
	t.Parallel()
	folds, chain := bigRequestPage(0), bigRequestPage(0)
	for i := range 20_000 {
		folds.Segments[0].Request.Spans = append(folds.Segments[0].Request.Spans, sampleSpan(uint64(i+1), 0, "db.query", fmt.Sprintf("SELECT c FROM t%d WHERE id = %d", i%600, i), fmt.Sprintf("file%d.py", i%600), 3, i*8, 4+i%3))
		chain.Segments[0].Request.Spans = append(chain.Segments[0].Request.Spans, sampleSpan(uint64(i+1), uint64(i), "function", "f", "a.py", 3, i, 40_000-2*i))
	}
	for name, p := range map[string]RequestProps{"kinds": bigRequestPage(10_000), "folds": folds, "chain": chain} {
		for _, query := range []string{"", "critical=1", "view=time&row=501", "view=table", "view=queries", "depth=2", "from=1000&to=9000", "from=1&to=30000&critical=1&row=501"} {
			html, gz := weight(t, RequestPage(sampleChrome("/"), viewed(p, query)))
			if gz > maxPage {
				t.Errorf("%s %q weighs %d bytes, %d are allowed", name, query, gz, maxPage)
			}
			if strings.Count(html, "<tr") > pageRows+1 {
				t.Errorf("%s %q has %d rows", name, query, strings.Count(html, "<tr"))
			}
		}
	}
}

// BenchmarkRequestPage renders a trace of 10,000 spans; a person may wait 300 ms for it. Beside it stands what copying
// the same bytes costs.
func BenchmarkRequestPage(b *testing.B) {
	c, p := sampleChrome("/"), bigRequestPage(10_000)
	b.Run("10,000 spans", func(b *testing.B) {
		for b.Loop() {
			var out bytes.Buffer
			if err := RequestPage(c, p).Render(b.Context(), &out); err != nil {
				b.Fatal(err)
			}
			b.SetBytes(int64(out.Len()))
		}
	})
	_, gz := weight(b, RequestPage(c, p))
	b.Run("gzip of it alone", func(b *testing.B) {
		html, _ := weight(b, RequestPage(c, p))
		b.SetBytes(int64(len(html)))
		b.ReportMetric(float64(gz), "gzipped-B")
		for b.Loop() {
			var out bytes.Buffer
			w := gzip.NewWriter(&out)
			if _, err := w.Write([]byte(html)); err != nil || w.Close() != nil {
				b.Fatal(err)
			}
		}
	})
}

// TestRequestStates are the pages of what is not there.
func TestRequestStates(t *testing.T) {
	t.Parallel()
	c := sampleChrome("/requests")
	summed, noHTTP := thinRequestPage(), thinRequestPage()
	summed.Request.Summed = true
	noHTTP.Request.Method, noHTTP.Request.URL, noHTTP.Request.Status, noHTTP.Request.State, noHTTP.OneIn = "", "", 0, "deadline_exceeded", 0
	for name, page := range map[string]struct {
		page     templ.Component
		want, no string
	}{
		"thin":    {RequestPage(c, thinRequestPage()), "1 in 1,000 of fast ones is", `role="treegrid"`},
		"summed":  {RequestPage(c, summed), "gave totals and no spans", "1 in 1,000"},
		"no HTTP": {RequestPage(c, noHTTP), "deadline exceeded", "cURL"},
		"gone":    {RequestGonePage(c, sampleNoRequest()), "Requests are kept for 7 d", "Waterfall"},
		"zero":    {RequestPage(c, RequestProps{Segments: []Segment{{}}}), "unnamed request", "Ended in"},
	} {
		html := rendered(t, page.page)
		if !strings.Contains(html, page.want) || strings.Contains(html, page.no) {
			t.Errorf("%s lacks %q, or has %q", name, page.want, page.no)
		}
	}
}

// TestJoinSegments puts a program's request below the span that called it, and shows all of those that call each other
// in a circle, or that share an id.
func TestJoinSegments(t *testing.T) {
	t.Parallel()
	at := time.Unix(0, 0)
	seg := func(span, parent uint64, spans ...trace.Span) Segment {
		return Segment{Request: trace.Request{Span: trace.SpanID(span), Parent: trace.SpanID(parent), Start: at, Duration: time.Second, Spans: spans}}
	}
	call := func(id uint64) trace.Span { return sampleSpan(id, 0, "http.client", "", "", 0, 10, 500) }
	for want, segments := range map[string][]Segment{
		"1.0 2.1 3.2 4.3":     {seg(1, 0, call(2)), seg(3, 2, call(4))},
		"1.0 2.1 3.2 4.3 ":    {seg(3, 2, call(4)), seg(1, 0, call(2))},
		"1.0 2.1 3.0 4.1":     {seg(1, 9, call(2)), seg(3, 8, call(4))},
		"1.0 2.1 3.2 4.3  ":   {seg(1, 4, call(2)), seg(3, 2, call(4))},
		"1.0 2.1 1.0 2.1":     {seg(1, 0, call(2)), seg(1, 0, call(2))},
		"1.0 3.1 5.1 3.0 5.0": {seg(1, 0), seg(3, 1), seg(5, 1), seg(3, 0), seg(5, 0)},
	} {
		var got []string
		for _, r := range joinSegments(segments) {
			if r.Gap {
				continue
			}
			got = append(got, fmt.Sprintf("%d.%d", r.Spans[0].ID, r.depth))
		}
		if strings.Join(got, " ") != strings.TrimSpace(want) {
			t.Errorf("got %v, want %s", got, want)
		}
	}
}

// TestUncovered leaves what no child covers.
func TestUncovered(t *testing.T) {
	t.Parallel()
	for want, by := range map[string][]Stretch{
		"[{0 10}]":              {},
		"[{0 2} {4 10}]":        {{2, 4}},
		"[{0 1} {9 10}]":        {{5, 9}, {1, 6}},
		"[]":                    {{-5, 50}},
		"[{0 1} {2 10}]":        {{1, 2}, {1, 2}, {20, 30}},
		"[{0 3} {3 10}]":        {{3, 3}},
		"[{4 10}]":              {{-1, 4}},
		"[{0 1} {2 3} {4 10}] ": {{3, 4}, {1, 2}},
	} {
		got := []string{}
		for _, s := range uncovered(0, 10, by) {
			got = append(got, fmt.Sprintf("{%d %d}", s.From, s.To))
		}
		if fmt.Sprint(got) != strings.TrimSpace(want) {
			t.Errorf("%v leaves %s, want %s", by, got, want)
		}
	}
}

// TestMerge joins what a screen cannot tell apart, and keeps what failed by itself.
func TestMerge(t *testing.T) {
	t.Parallel()
	many := make([]strip, 5000)
	for i := range many {
		many[i] = strip{x: float64(i) / 50, w: 0.001, failed: i == 2500}
	}
	got := merge(many, 40)
	if len(got) == 0 || len(got) > 40 || !slices.ContainsFunc(got, func(s strip) bool { return s.failed }) {
		t.Errorf("%d bars of 40, or no failed one", len(got))
	}
	if got := merge([]strip{{x: 10, w: 5}, {x: 0, w: 2}, {x: 2.1, w: 1}}, 10); len(got) != 2 || got[0].w != 3.1 {
		t.Errorf("merged to %+v", got)
	}
}

// FuzzWaterfall lays out hostile traces: whatever comes, bars lie within the lane and the page renders.
func FuzzWaterfall(f *testing.F) {
	f.Add([]byte("12345678901234567890"), uint8(0), "depth=1")
	f.Add([]byte{0, 0, 0, 255, 255, 1, 1, 128, 7}, uint8(3), "view=time&critical=1&row=600")
	f.Add([]byte("12345678901234567890"), uint8(1), "from=3&to=30.5")
	f.Fuzz(func(t *testing.T, data []byte, kind uint8, query string) {
		p := sampleRequestPage()
		for i := 0; i+4 <= len(data) && i < 4000; i += 4 {
			s := sampleSpan(uint64(data[i]), uint64(data[i+1]), "db.query", string(data[i:i+4]), "f", int(data[i+2]), int(int8(data[i+2]))*2000, int(int8(data[i+3]))*1500)
			s.Category, s.Failed = trace.Category(data[i+3]%8), data[i]&1 == 1
			if kind&1 == 1 {
				s.Start <<= 40
			}
			r := &p.Segments[i/4%2].Request
			r.Spans = append(r.Spans, s)
		}
		q, _ := url.ParseQuery(query)
		p.View = ParseRequestView(q)
		w := newWaterfall(p)
		for i := range w.rows {
			for _, b := range append(w.bars(&w.rows[i]), w.criticalBars(&w.rows[i])...) {
				if !(b.x >= 0 && b.w >= 0 && b.x+b.w <= 100.001) {
					t.Fatalf("bar %+v", b)
				}
			}
		}
		rendered(t, RequestPage(Chrome{}, p))
	})
}

// TestFormatSQL breaks before clauses outside brackets, strings and comments.
func TestFormatSQL(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		"SELECT a FROM t LEFT OUTER JOIN u ON u.a = t.a WHERE x = 'FROM (' AND y IN (SELECT z FROM v) ORDER BY a LIMIT 2": "SELECT a\nFROM t\nLEFT OUTER JOIN u\nON u.a = t.a\nWHERE x = 'FROM (' AND y IN (SELECT z FROM v)\nORDER BY a\nLIMIT 2",
		"SELECT 1\nFROM t": "SELECT 1\nFROM t", "": "", "from": "from", `select "a FROM" from t`: "select \"a FROM\"\nfrom t", "update t set a = 1 where b": "update t\nset a = 1\nwhere b",
	} {
		if got := formatSQL(text); got != want {
			t.Errorf("%q becomes\n%s\nwant\n%s", text, got, want)
		}
	}
	if got := formatSQL(strings.Repeat("é(", 20_000)); len(got) > maxSQL+3 {
		t.Errorf("%d bytes are shown", len(got))
	}
}

// FuzzFormatSQL changes nothing but white space.
func FuzzFormatSQL(f *testing.F) {
	f.Add("SELECT a FROM b WHERE $$ FROM $$ -- FROM\n")
	f.Add("select ' FROM")
	f.Fuzz(func(t *testing.T, text string) {
		if len(text) > maxSQL {
			return
		}
		plain := func(s string) string { return strings.ReplaceAll(strings.TrimSpace(s), "\n", " ") }
		if got := formatSQL(text); plain(got) != plain(text) {
			t.Fatalf("%q became %q", text, got)
		}
		rendered(t, sqlCode(formatSQL(text)))
	})
}

func TestTook(t *testing.T) {
	t.Parallel()
	for d, want := range map[time.Duration]string{0: "0 ms", 38 * us: "38 µs", 500 * us: "0.5 ms", 3 * time.Millisecond: "3 ms", 9960 * us: "10 ms", 164 * time.Millisecond: "164 ms", 999600 * us: "1 s",
		1264 * time.Millisecond: "1.26 s", 12 * time.Second: "12 s", 126 * time.Second: "2.1 min"} {
		if got := took(d); got != want {
			t.Errorf("%d: got %s, want %s", d, got, want)
		}
	}
}

// TestRequestCurl asks again where the request went, without its secrets.
func TestRequestCurl(t *testing.T) {
	t.Parallel()
	r := sampleRequest()
	for want, attrs := range map[string][]trace.Attr{
		"'https://shop.tealeaf.example/checkout/confirm?step=3&session_token=[Filtered]' \\\n  -X 'POST' \\\n  -H 'accept: text/html' \\\n  -H 'cookie: [Filtered]'": r.Attrs,
		"'http://localhost/checkout/confirm?": nil,
		"'http://x:8080/checkout/confirm?":    {{Key: "url.full", Value: "http://x:8080/y?z=1"}},
		"'http://x:81/checkout/confirm?":      {{Key: "server.address", Value: "x"}, {Key: "server.port", Value: "81"}, {Key: "url.scheme", Value: "http"}},
	} {
		r.Attrs = attrs
		if got := requestCurl(&r); !strings.Contains(got, want) {
			t.Errorf("got %s\nwant %s", got, want)
		}
	}
	r.URL = "javascript:'; rm -rf / #"
	if got := requestCurl(&r); !strings.Contains(got, `'\''; rm`) {
		t.Errorf("%s is not quoted", got)
	}
}

// TestRequestsPage holds what the list says and where its links go.
func TestRequestsPage(t *testing.T) {
	t.Parallel()
	c := sampleChrome("/requests")
	p := sampleRequests()
	bad := p
	bad.Query = "status:5x checkout"
	bad.Filter, bad.Problems = filter.Parse(bad.Query)
	edited := p
	edited.Edit = "status:4xx"
	one := c
	one.Project = &one.Projects[0]
	custom := p
	custom.Period, custom.Rows, custom.Stopped = "", nil, 200_000
	for name, page := range map[string]struct {
		page  templ.Component
		wants []string
		no    string
	}{
		"list": {RequestsPage(c, p), []string{"/checkout/confirm", "N+1 query", "SHOP-1482", ">500<", "counted", "tealeaf-worker", "1.73 s", "+2", "checkout.new_totals", "32k requests in steps of 6 min", `role="img" title="DB 38 ms, cache 3 ms`,
			"/requests?period=6h&amp;q=-release%3Ashop%40", "edit=status%3A5xx", "period=24h", "sort=slowest", "cursor=next", "Show as table", `data-cards`, `name="q" value="status:5xx -release:shop@4.16.* checkout"`}, "Nothing found"},
		"bad":     {RequestsPage(c, bad), []string{"Not all of this was understood", "At character 8: &#34;5x&#34; is no status", `value="status:5x checkout"`, `aria-invalid="true"`}, "Requests found"},
		"edited":  {RequestsPage(c, edited), []string{`value="status:4xx"`}, "Not all"},
		"never":   {RequestsPage(one, emptyRequests(false)), []string{"No requests yet", "traces_sample_rate", "/v1/traces", "/projects/shop/welcome"}, "Nothing found"},
		"nothing": {RequestsPage(one, emptyRequests(true)), []string{"Nothing found", "No request came in the last 1h in tealeaf-shop", "period=30d"}, "Reset"},
		"custom":  {RequestsPage(c, custom), []string{"19 Nov, 09:00 UTC to 19 Nov, 15:00 UTC", "Reset the search", "limit store.MaxScan", "from=2026-11-19T09"}, "No requests yet"},
	} {
		html, gz := weight(t, page.page)
		for _, want := range page.wants {
			if !strings.Contains(html, want) {
				t.Errorf("%s lacks %q", name, want)
			}
		}
		if strings.Contains(html, page.no) || gz > maxPage {
			t.Errorf("%s has %q or weighs %d", name, page.no, gz)
		}
	}
}

// TestTraffic counts what came into its buckets, and only there.
func TestTraffic(t *testing.T) {
	t.Parallel()
	p := emptyRequests(true)
	p.Volume = []RequestBucket{{p.From, 5, 9}, {p.From.Add(time.Minute), 3, 1}, {p.From.Add(-time.Second), 7, 0}, {p.To, 7, 0}, {p.From.Add(61 * time.Second), 2, 0}}
	v := newTraffic(p)
	if len(v.ok) != 60 || v.sum != 10 || v.fail != 6 || v.ok[0] != 0 || v.bad[0] != 5 || v.ok[1] != 4 {
		t.Errorf("%d buckets, %d and %d failed, %v %v", len(v.ok), v.sum, v.fail, v.ok[:2], v.bad[:2])
	}
	if rows := v.rowed(); len(rows) != 20 || rows[0].N != 10 {
		t.Errorf("%d rows, the first %+v", len(rows), rows[0])
	}
	p.Step, p.To = 0, p.From.Add(1000*time.Hour)
	if v := newTraffic(p); len(v.ok) != maxBuckets {
		t.Errorf("%d buckets", len(v.ok))
	}
}
