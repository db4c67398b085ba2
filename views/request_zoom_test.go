package views

import (
	"net/url"
	"strings"
	"testing"
	"time"
)

// TestZoomParse holds what an address may say, and that it is said the same way again.
func TestZoomParse(t *testing.T) {
	t.Parallel()
	for query, want := range map[string]string{"from=10&to=20.5": "?from=10&to=20.5", "from=0&to=0.001": "?from=0&to=0.001", "from=0.0004&to=2": "?from=0&to=2",
		"": "", "from=20&to=10": "", "from=5": "", "from=-1&to=4": "", "from=NaN&to=4": "", "from=1&to=Inf": "", "from=1&to=1": "", "from=1e300&to=1e301": ""} {
		q, err := url.ParseQuery(query)
		if err != nil {
			t.Fatal(err)
		}
		if got := ParseRequestView(q).query(); got != want {
			t.Errorf("%q becomes %q, want %q", query, got, want)
		}
	}
}

// TestZoom: rows that have no part of the stretch are left out, and bars are cut at its ends.
func TestZoom(t *testing.T) {
	t.Parallel()
	for query, want := range map[string]struct {
		rows  int
		ticks string
		mini  bool
	}{
		"":                               {16, "0 41 82 123 164 ms", false},
		"from=82&to=123":                 {7, "82 92 102 113 123 ms", true},
		"from=17&to=20":                  {4, "17.00 17.75 18.50 19.25 20.00 ms", true},
		"from=0&to=2000":                 {16, "0 41 82 123 164 ms", false}, // more than there is
		"from=500&to=600":                {16, "0 41 82 123 164 ms", false}, // outside
		"from=82&to=123&view=time":       {6, "82 92 102 113 123 ms", true},
		"from=17&to=20&view=queries":     {1, "17.00 17.75 18.50 19.25 20.00 ms", true},
		"from=82&to=123&depth=1&row=900": {2, "82 92 102 113 123 ms", true},
	} {
		p := viewed(sampleRequestPage(), query)
		w := newWaterfall(p)
		if got := strings.Join(w.ticks(), " "); len(w.rows) != want.rows || got != want.ticks {
			t.Errorf("%q: %d rows and %s, want %d and %s", query, len(w.rows), got, want.rows, want.ticks)
		}
		for i := range w.rows {
			for _, b := range w.bars(&w.rows[i]) {
				if b.x < 0 || b.x+b.w > 100.001 {
					t.Errorf("%q: bar %+v", query, b)
				}
			}
		}
		html := rendered(t, RequestPage(sampleChrome("/requests"), p))
		if strings.Contains(html, "data-zoom-out") != want.mini || strings.Contains(html, `class="minimap"`) != want.mini {
			t.Errorf("%q: the way out is %v", query, !want.mini)
		}
		if p.View.Depth == 0 && !strings.Contains(html, `id="span"`) {
			t.Errorf("%q loses the details of a span", query)
		}
	}
	html := rendered(t, RequestPage(sampleChrome("/requests"), viewed(sampleRequestPage(), "")))
	for _, want := range []string{`title="Zoom to 41 to 82 ms"`, "?from=41&amp;to=82#wf", `data-key="z"`} {
		if !strings.Contains(html, want) {
			t.Errorf("%s is not there", want)
		}
	}
}

// TestZoomQuarters goes down by the links until there is nothing shorter, and always shows what called it.
func TestZoomQuarters(t *testing.T) {
	t.Parallel()
	p, steps := sampleRequestPage(), 0
	for ; ; steps++ {
		w := newWaterfall(p)
		q := w.quarters()
		if q == nil {
			break
		}
		if len(w.rows) == 0 || steps > 40 {
			t.Fatalf("%d rows after %d steps, %s", len(w.rows), steps, zoomSub(w.stretch()))
		}
		p.View = withZoom(p.View, q[1])
	}
	if steps < 7 {
		t.Errorf("it ends after %d steps", steps)
	}
}

func TestZoomSub(t *testing.T) {
	t.Parallel()
	for want, s := range map[string]Stretch{"41 to 82 ms": {41 * time.Millisecond, 82 * time.Millisecond}, "50 µs to 2 ms": {50 * time.Microsecond, 2 * time.Millisecond}, "0 to 3 ms": {0, 3 * time.Millisecond}} {
		if got := zoomSub(s); got != want {
			t.Errorf("%v is %q, want %q", s, got, want)
		}
	}
}

// BenchmarkZoom is a page of a trace of 10,000 spans, zoomed to its middle.
func BenchmarkZoom(b *testing.B) {
	p := viewed(bigRequestPage(10_000), "")
	whole := newWaterfall(p)
	length := whole.whole.length
	for name, s := range map[string]Stretch{"whole": {}, "half": {length / 4, 3 * length / 4}, "hundredth": {length / 2, length/2 + length/100}} {
		b.Run(name, func(b *testing.B) {
			p.View.Zoom = s
			size := 0
			for b.Loop() {
				_, size = weight(b, RequestPage(sampleChrome("/"), p))
			}
			b.ReportMetric(float64(size), "bytes-gz")
		})
	}
}
