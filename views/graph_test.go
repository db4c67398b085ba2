package views

import (
	"math"
	"slices"
	"strings"
	"testing"
	"time"

	"kibitz/app/model"
	"kibitz/ingest/envelope"
)

func TestVolume(t *testing.T) {
	t.Parallel()
	from := sampleNow.Truncate(step).Add(step - 24*time.Hour)
	v := newVolume([]model.Bucket{{Start: from, Level: model.Errors, N: 3}, {Start: from, Level: model.Warning, N: 2}, {Start: from.Add(47 * step), Level: "odd", N: 7},
		{Start: from.Add(-step), Level: model.Errors, N: 99}, {Start: from.Add(48 * step), Level: model.Errors, N: 99}}, from)
	if v.sum() != 12 || v.total[0] != 5 || v.total[47] != 7 || len(v.hours()) != 24 {
		t.Errorf("sum %d, first %d, last %d, %d rows", v.sum(), v.total[0], v.total[47], len(v.hours()))
	}
	if got := v.present(); !slices.Equal(got, []string{"error", "warning"}) {
		t.Errorf("levels %v", got)
	}
	if want := "12 in all, most at 14:30 UTC with 7"; !strings.Contains(v.label(), want) {
		t.Errorf("%q lacks %q", v.label(), want)
	}
	if got := newVolume(nil, from).label(); !strings.Contains(got, "No events") {
		t.Errorf("an empty day says %q", got)
	}
}

// TestSplit colours the end of a sparkline only when it stands far above the hours before.
func TestSplit(t *testing.T) {
	t.Parallel()
	flat := slices.Repeat([]int64{10}, 48)
	burst := slices.Clone(flat)
	burst[47] = 100
	quiet := make([]int64, 48)
	quiet[47] = 2
	for name, c := range map[string]struct {
		in  []int64
		hot bool
	}{"flat": {flat, false}, "burst": {burst, true}, "two after nothing": {quiet, false}, "short": {[]int64{1, 900}, false}, "none": {nil, false}} {
		before := slices.Clone(c.in)
		calm, hot := split(c.in)
		if (hot != nil) != c.hot || len(calm) != len(c.in) || !slices.Equal(c.in, before) {
			t.Errorf("%s: calm %v, hot %v", name, calm, hot)
		}
		for i := range hot {
			if hot[i]+calm[i] != c.in[i] {
				t.Errorf("%s: bar %d is %d and %d of %d", name, i, calm[i], hot[i], c.in[i])
			}
		}
	}
}

func TestNumbers(t *testing.T) {
	t.Parallel()
	for n, want := range map[int64]string{0: "0", 999: "999", 1000: "1,000", 38_119: "38,119", 99_999: "99,999", 123_456: "123k", math.MaxInt64: "9223372036G"} {
		if got := count(n); got != want {
			t.Errorf("count(%d) = %s, want %s", n, got, want)
		}
	}
	for _, c := range []struct{ n, of, want int64 }{{1, 3, 33}, {2, 3, 67}, {5, 3, 100}, {1, 0, 0}, {-1, 3, 0}, {math.MaxInt64 / 2, math.MaxInt64, 50}} {
		if got := percent(c.n, c.of); got != c.want {
			t.Errorf("percent(%d, %d) = %d, want %d", c.n, c.of, got, c.want)
		}
	}
	for d, want := range map[time.Duration]string{0: "now", 8 * time.Second: "8 s ago", 90 * time.Minute: "1 h ago", 40 * time.Hour: "17 Nov, 22:35 UTC", 400 * 24 * time.Hour: "15 Oct 2025", -time.Hour: "now"} {
		if got := when(sampleNow.Add(-d), sampleNow); got != want {
			t.Errorf("when(%s ago) = %s, want %s", d, got, want)
		}
	}
}

// TestHuge renders the largest numbers and a deep, wide event, and keeps to the size of a page: 100 KB compressed
// are some 800 KB of such HTML.
func TestHuge(t *testing.T) {
	t.Parallel()
	list := sampleIssues()
	for i := range list.Issues {
		list.Issues[i].Issue.Events, list.Issues[i].Issue.Users = math.MaxInt64, math.MaxInt64
		list.Issues[i].Spark = slices.Repeat([]int64{math.MaxInt64}, 48)
	}
	for i := range list.Volume {
		list.Volume[i].N = math.MaxInt64 / 256
	}
	page := rendered(t, IssuesPage(sampleChrome("/"), list))
	if strings.Contains(page, "NaN") || strings.Contains(page, "Inf") || strings.Contains(page, `d="M-`) {
		t.Error("a drawing has a number that is none")
	}
	p := sampleIssuePage()
	p.Tags[0].Events, p.Issue.Events, p.Nth, p.Total = math.MaxInt64, 1, math.MaxInt64, 1
	stack := p.Event.Exceptions[1].Stacktrace
	stack.Frames = slices.Repeat(stack.Frames, 40)
	p.InApp = nil
	p.Event.Breadcrumbs = slices.Repeat(p.Event.Breadcrumbs, 17)
	page = rendered(t, IssuePage(sampleChrome("/"), p))
	if n := strings.Count(page, `<details class="frame" open`); n > 2*openFrames+2 {
		t.Errorf("%d frames stand open", n)
	}
	if !strings.Contains(page, "87 older") || len(page) > 800_000 {
		t.Errorf("%d bytes, or no breadcrumb is folded", len(page))
	}
}

func TestTrailText(t *testing.T) {
	t.Parallel()
	data := func(pairs ...string) (out []envelope.Field) {
		for i := 0; i < len(pairs); i += 2 {
			out = append(out, envelope.Field{Key: pairs[i], Value: pairs[i+1]})
		}
		return out
	}
	for _, c := range []struct {
		in                 envelope.Breadcrumb
		kind, text, beside string
	}{
		{envelope.Breadcrumb{Category: "httplib", Data: data("method", "POST", "url", "https://x/?token=abc", "status_code", "200")}, "http", "POST https://x/?token=[Filtered]", "200"},
		{envelope.Breadcrumb{Type: "navigation", Data: data("from", "/", "to", "/cart")}, "visit", "/cart", "from=/"},
		{envelope.Breadcrumb{Category: "query", Message: "SELECT 1"}, "query", "SELECT 1", ""},
		{envelope.Breadcrumb{Category: "shop.checkout", Message: "no tax region"}, "log", "no tax region", "shop.checkout"},
		{envelope.Breadcrumb{Category: "ui.click", Message: "button#pay"}, "user", "button#pay", ""},
		{envelope.Breadcrumb{Category: "x", Message: "m", Data: data("long", strings.Repeat("y", 40))}, "log", "m long=" + strings.Repeat("y", 40), "x"},
		{envelope.Breadcrumb{Category: "started"}, "log", "started", ""},
		{envelope.Breadcrumb{}, "log", "", ""},
	} {
		text, beside := trailText(c.in)
		if kind := kindOf(c.in).name; kind != c.kind || text != c.text || beside != c.beside {
			t.Errorf("%+v\n got %q %q %q\nwant %q %q %q", c.in, kind, text, beside, c.kind, c.text, c.beside)
		}
	}
}
