package prometheus

import (
	"bytes"
	"fmt"
	"math"
	"os"
	"runtime"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	dto "github.com/prometheus/client_model/go"
	"github.com/prometheus/common/expfmt"
	"github.com/prometheus/common/model"
)

// parse reads a text as Prometheus does. It refuses families and samples that come twice.
func parse(t testing.TB, text []byte) map[string]*dto.MetricFamily {
	t.Helper()
	parser := expfmt.NewTextParser(model.LegacyValidation)
	families, err := parser.TextToMetricFamilies(bytes.NewReader(text))
	if err != nil {
		t.Fatalf("%v in\n%s", err, text)
	}
	for name, f := range families {
		seen := map[string]bool{}
		for _, m := range f.Metric {
			if key := fmt.Sprint(m.Label); seen[key] {
				t.Errorf("%s%s comes twice", name, key)
			} else {
				seen[key] = true
			}
		}
		if n := strings.Count(string(text), "# TYPE "+name+" "); n != 1 {
			t.Errorf("%s is declared %d times", name, n)
		}
		if f.GetType() == dto.MetricType_COUNTER && !strings.HasSuffix(name, "_total") {
			t.Errorf("%s is a counter and does not end with _total", name)
		}
	}
	return families
}

// find is the sample of a family that has these labels, in the order in which they are written.
func find(f *dto.MetricFamily, values ...string) *dto.Metric {
	for _, m := range f.GetMetric() {
		var have []string
		for _, l := range m.Label {
			have = append(have, l.GetValue())
		}
		if fmt.Sprint(have) == fmt.Sprint(values) {
			return m
		}
	}
	return nil
}

// TestText holds the format, letter for letter.
func TestText(t *testing.T) {
	t.Parallel()
	text := &Text{}
	text.One("a_total", Counter, "What it is.", 3)
	text.Family("b", Gauge, "More.")
	text.Sample(math.Inf(-1), "x", "a\\b\"c\nd\xff", "y", "")
	text.Family("c", Histogram, "Times.")
	text.Buckets([]float64{0.5, 1}, []float64{1, 0, 2.5}, 7, "x", "1")
	want := "# HELP a_total What it is.\n# TYPE a_total counter\na_total 3\n# HELP b More.\n# TYPE b gauge\nb{x=\"a\\\\b\\\"c\\nd\uFFFD\",y=\"\"} -Inf\n" +
		"# HELP c Times.\n# TYPE c histogram\nc_bucket{x=\"1\",le=\"0.5\"} 1\nc_bucket{x=\"1\",le=\"1\"} 1\nc_bucket{x=\"1\",le=\"+Inf\"} 3.5\nc_sum{x=\"1\"} 7\nc_count{x=\"1\"} 3.5\n"
	if got := string(text.Bytes()); got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
	parse(t, []byte("# TYPE a_total counter\na_total 3\n"))
}

func slug(id int64) string { return []string{"none", "shop", "mail"}[id] }

// TestRequests holds what is counted, with weights, and the edges of classes and buckets.
func TestRequests(t *testing.T) {
	t.Parallel()
	r, text := NewRequests(10), &Text{}
	cart := Endpoint{1, "web", "GET", "/cart/{id}"}
	for _, q := range []Request{{200, false, 5 * time.Millisecond, 1}, {200, false, 5*time.Millisecond + 1, 4}, {503, true, time.Minute, 2}, {0, true, -time.Second, 1}, {999, false, 0, 1}} {
		r.Add(cart, q)
	}
	r.Add(Endpoint{2, "", "", `evil"} 1`}, Request{404, false, time.Second, 1})
	r.Write(text, slug)
	f := parse(t, text.Bytes())
	labels := []string{"shop", "web", "GET", "/cart/{id}"}
	for class, want := range map[string]float64{"2xx": 5, "5xx": 2, "none": 2} {
		if m := find(f["kibitz_requests_total"], append(labels, class)...); m.GetCounter().GetValue() != want {
			t.Errorf("%s: %v, want %v", class, m, want)
		}
	}
	if m := find(f["kibitz_requests_failed_total"], labels...); m.GetCounter().GetValue() != 3 {
		t.Errorf("failed: %v", m)
	}
	h := find(f["kibitz_request_duration_seconds"], labels...).GetHistogram()
	if len(h.GetBucket()) != len(bounds)+1 || h.Bucket[0].GetCumulativeCountFloat()+float64(h.Bucket[0].GetCumulativeCount()) != 3 || h.Bucket[1].GetCumulativeCount() != 7 ||
		h.Bucket[10].GetCumulativeCount() != 7 || h.GetSampleCount() != 9 || math.Abs(h.GetSampleSum()-(0.025-1+120)) > 1e-6 {
		t.Errorf("%+v", h)
	}
	if find(f["kibitz_requests_total"], "mail", "", "", `evil"} 1`, "4xx").GetCounter().GetValue() != 1 {
		t.Errorf("a hostile name is not escaped:\n%s", text.Bytes())
	}
}

// TestRequestsAreBounded holds that endpoints beyond the limit are counted all the same, as other, and nothing twice.
func TestRequestsAreBounded(t *testing.T) {
	t.Parallel()
	r, text := NewRequests(3), &Text{}
	for round := range 2 {
		for n := range 1000 {
			r.Add(Endpoint{int64(1 + n%2), "web", "GET", fmt.Sprint("/", n)}, Request{Status: 200, Weight: float64(1 + round)})
		}
	}
	r.Write(text, slug)
	f := parse(t, text.Bytes())
	sum := 0.0
	for _, m := range f["kibitz_requests_total"].GetMetric() {
		sum += m.GetCounter().GetValue()
	}
	if n := len(f["kibitz_requests_total"].GetMetric()); n != 5 || sum != 3000 {
		t.Errorf("%d series count %v requests", n, sum)
	}
	if m := find(f["kibitz_requests_total"], "mail", Other, Other, Other, "2xx"); m.GetCounter().GetValue() != 3*499 {
		t.Errorf("other: %v", m)
	}
	if got := f["kibitz_requests_beyond_limit_total"].Metric[0].GetCounter().GetValue(); got != 3*997 {
		t.Errorf("%v beyond the limit", got)
	}
}

// TestItems holds the same of ends.
func TestItems(t *testing.T) {
	t.Parallel()
	i, text := NewItems(), &Text{}
	i.Add(Item{1, "span", "stored", ""}, 5)
	i.Add(Item{1, "span", "stored", ""}, 2)
	for n := range 2 * maxItems {
		i.Add(Item{2, "span", "client_discard", fmt.Sprint("r", n)}, 1)
	}
	i.Write(text, slug)
	f := parse(t, text.Bytes())["kibitz_items_total"]
	if n := len(f.GetMetric()); n != maxItems+1 {
		t.Errorf("%d series", n)
	}
	if m := find(f, "shop", "span", "stored", ""); m.GetCounter().GetValue() != 7 {
		t.Errorf("stored: %v", m)
	}
	if m := find(f, "mail", Other, "client_discard", Other); m.GetCounter().GetValue() != maxItems+1 {
		t.Errorf("other: %v", m)
	}
}

// TestProcess holds that what Go and the system say is there and plausible.
func TestProcess(t *testing.T) {
	t.Parallel()
	text := &Text{}
	WriteProcess(text, "1.2", time.Unix(1_700_000_000, 0))
	f := parse(t, text.Bytes())
	for _, m := range runtimeMetrics {
		if f[m.name] == nil {
			t.Errorf("%s is not there: has this version of Go %s?", m.name, m.from)
		}
	}
	if v := f["go_goroutines"].Metric[0].GetGauge().GetValue(); v < 1 || v > 10_000 {
		t.Errorf("%v goroutines", v)
	}
	if _, err := os.Stat("/proc/self/statm"); err == nil {
		if v := f["process_resident_memory_bytes"].Metric[0].GetGauge().GetValue(); v < 1<<20 || v > 1<<40 {
			t.Errorf("%v bytes in RAM", v)
		}
	}
	if f["process_start_time_seconds"].Metric[0].GetGauge().GetValue() != 1_700_000_000 || find(f["kibitz_build_info"], "1.2", runtime.Version()) == nil {
		t.Errorf("%s", text.Bytes())
	}
}

// FuzzLabels holds that any text as a name can be read back, and adds no line.
func FuzzLabels(f *testing.F) {
	for _, s := range []string{"", "a", "\"}\n# TYPE x", "\\", "\\n", "\xff\xfe", "a\x00b", "\r", "é\u2028"} {
		f.Add(s, s)
	}
	f.Fuzz(func(t *testing.T, service, name string) {
		r, text := NewRequests(10), &Text{}
		r.Add(Endpoint{1, service, "GET", name}, Request{Status: 200, Weight: 1})
		r.Write(text, slug)
		m := parse(t, text.Bytes())["kibitz_requests_total"].GetMetric()
		if len(m) != 1 || m[0].GetCounter().GetValue() != 1 {
			t.Fatalf("%v", m)
		}
		if got, want := m[0].Label[3].GetValue(), strings.ToValidUTF8(name, "\uFFFD"); got != want || !utf8.ValidString(got) {
			t.Errorf("%q came back as %q", want, got)
		}
	})
}

// BenchmarkAdd is the cost for the drain, beside a map's own.
func BenchmarkAdd(b *testing.B) {
	r := NewRequests(500)
	var all []Endpoint
	for n := range 500 {
		all = append(all, Endpoint{1, "web", "GET", fmt.Sprint("/some/route/{id}/", n)})
	}
	b.Run("ours", func(b *testing.B) {
		for i := 0; b.Loop(); i++ {
			r.Add(all[i%500], Request{Status: 200, Duration: time.Duration(i), Weight: 1})
		}
	})
	b.Run("map", func(b *testing.B) {
		m := map[Endpoint]*float64{}
		for _, e := range all {
			m[e] = new(float64)
		}
		for i := 0; b.Loop(); i++ {
			*m[all[i%500]]++
		}
	})
}

// BenchmarkWrite is a scrape at the default limit, beside copying as many bytes.
func BenchmarkWrite(b *testing.B) {
	r := NewRequests(500)
	for n := range 500 {
		r.Add(Endpoint{1, "web", "GET", fmt.Sprint("/some/route/{id}/", n)}, Request{Status: 200, Weight: 1})
	}
	write := func() []byte {
		text := &Text{}
		r.Write(text, slug)
		return text.Bytes()
	}
	text := write()
	b.Run("ours", func(b *testing.B) {
		b.SetBytes(int64(len(text)))
		for b.Loop() {
			write()
		}
	})
	b.Run("copy", func(b *testing.B) {
		b.SetBytes(int64(len(text)))
		for b.Loop() {
			_ = bytes.Clone(text)
		}
	})
}
