package trace_test

import (
	"math"
	"strings"
	"testing"
	"unicode/utf8"

	"kibitz/app/trace"
)

// spanOf is the span that attributes tell of: pairs of keys and values.
func spanOf(kind trace.Kind, name string, pairs ...string) trace.Span {
	var texts trace.Texts
	var f trace.Facts
	f.Reset(&texts)
	f.Kind = kind
	f.Named(name)
	for i := 0; i+1 < len(pairs); i += 2 {
		f.Text(pairs[i], pairs[i+1])
	}
	return f.Span()
}

func requestOf(kind trace.Kind, name string, pairs ...string) trace.Request {
	var texts trace.Texts
	var f trace.Facts
	f.Reset(&texts)
	f.Kind = kind
	f.Named(name)
	for i := 0; i+1 < len(pairs); i += 2 {
		f.Text(pairs[i], pairs[i+1])
	}
	return f.Request()
}

// TestConventions holds that new and old names mean the same.
func TestConventions(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		span     trace.Span
		op, text string
		category trace.Category
	}{
		"sql":              {spanOf(3, "SELECT line", "db.system.name", "postgresql", "db.query.text", "SELECT 1"), "db.query", "SELECT 1", trace.DB},
		"sql, old":         {spanOf(3, "SELECT line", "db.system", "PostgreSQL", "db.statement", "SELECT 1"), "db.query", "SELECT 1", trace.DB},
		"sql, summarised":  {spanOf(3, "x", "db.system", "mysql", "db.query.summary", "SELECT line"), "db.query", "SELECT line", trace.DB},
		"sql, only named":  {spanOf(3, "SELECT shop.line", "db.system", "mysql"), "db.query", "SELECT shop.line", trace.DB},
		"redis":            {spanOf(3, "GET", "db.system.name", "redis", "db.query.text", "GET cart:7"), "db.redis", "GET cart:7", trace.Cache},
		"memcached":        {spanOf(3, "get cart:7", "db.system", "memcached"), "db.memcached", "get cart:7", trace.Cache},
		"call":             {spanOf(3, "GET", "http.request.method", "get", "url.full", "https://u:p@rates.example/v1?k=secret#x"), "http.client", "GET https://rates.example/v1", trace.HTTP},
		"call, old":        {spanOf(3, "HTTP GET", "http.method", "GET", "http.url", "https://rates.example/v1"), "http.client", "GET https://rates.example/v1", trace.HTTP},
		"call, template":   {spanOf(3, "GET", "http.request.method", "GET", "url.template", "/rates/{currency}"), "http.client", "GET /rates/{currency}", trace.HTTP},
		"grpc":             {spanOf(3, "shop.Rates/Get", "rpc.system", "grpc"), "rpc.client", "shop.Rates/Get", trace.HTTP},
		"jinja":            {spanOf(1, "jinja2.render", "jinja2.template_name", "cart.html"), "template.render", "cart.html", trace.Template},
		"rails":            {spanOf(1, "render_template.action_view"), "template.render", "render_template.action_view", trace.Template},
		"rails cache":      {spanOf(1, "cache_read.active_support"), "cache", "cache_read.active_support", trace.Cache},
		"pool":             {spanOf(3, "pool.acquire"), "pool.acquire", "pool.acquire", trace.Pool},
		"publish":          {spanOf(4, "send mail", "messaging.system", "kafka"), "queue.publish", "send mail", trace.Other},
		"function":         {spanOf(1, "price the cart"), "function", "price the cart", trace.Other},
		"an op of its own": {spanOf(1, "cart:7", "sentry.op", "cache.get"), "cache.get", "cart:7", trace.Cache},
	} {
		if c.span.Op != c.op || c.span.Text != c.text || c.span.Category != c.category {
			t.Errorf("%s: %s %q %v, want %s %q %v", name, c.span.Op, c.span.Text, c.span.Category, c.op, c.text, c.category)
		}
	}
}

func TestEndpoint(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		q                 trace.Request
		name, source, url string
	}{
		"route":                  {requestOf(2, "GET", "http.request.method", "GET", "http.route", "/users/:id", "url.path", "/users/7", "url.query", "a=b"), "/users/:id", "route", "/users/7?a=b"},
		"django's route":         {requestOf(2, "GET users/<int:id>/", "http.method", "GET", "http.route", "users/<int:id>/", "http.target", "/users/7/?a=b"), "/users/<int:id>/", "route", "/users/7/?a=b"},
		"only a path":            {requestOf(2, "GET", "http.request.method", "GET", "url.path", "/users/7"), "/users/{}", "url", "/users/7"},
		"only a URL":             {requestOf(2, "HTTP GET", "http.method", "GET", "http.url", "https://shop.example/users/7?a=b"), "/users/{}", "url", "/users/7?a=b"},
		"only a name":            {requestOf(2, "GET /users/7", "http.method", "GET"), "/users/{}", "url", ""},
		"a name that is a route": {requestOf(2, "GET /users/{id}", "http.method", "GET", "url.path", "/users/7"), "/users/{id}", "route", "/users/7"},
		"an unusual method":      {requestOf(2, "HTTP", "http.request.method", "_OTHER", "url.path", "/a"), "/a", "url", "/a"},
		"a task":                 {requestOf(5, "process orders", "messaging.system", "kafka"), "process orders", "custom", ""},
		"said to be a url":       {requestOf(2, "/cart/7", "sentry.span.source", "url"), "/cart/{}", "url", ""},
		"said to be a task":      {requestOf(2, "shop.tasks.mail", "sentry.span.source", "task"), "shop.tasks.mail", "task", ""},
		"a segment's name":       {requestOf(2, "GET", "sentry.segment.name", "GET /a/:b", "sentry.span.source", "route"), "/a/:b", "route", ""},
	} {
		if c.q.Name != c.name || c.q.Source != c.source || c.q.URL != c.url {
			t.Errorf("%s: %q %q %q, want %q %q %q", name, c.q.Name, c.q.Source, c.q.URL, c.name, c.source, c.url)
		}
	}
}

// TestOutcome holds state and failure: a status decides, and then the error.
func TestOutcome(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		said   string
		status int64
		state  string
		failed bool
	}{
		"nothing": {"", 0, "", false}, "ok": {"ok", 0, "ok", false}, "200": {"", 200, "ok", false}, "404": {"", 404, "not_found", false},
		"404, an error": {"error", 404, "not_found", false}, "500": {"", 500, "internal_error", true}, "503": {"ok", 503, "unavailable", true},
		"302, an error": {"error", 302, "internal_error", true}, "error": {"error", 0, "internal_error", true}, "not found": {"not_found", 0, "not_found", false},
		"cancelled": {"cancelled", 0, "cancelled", false}, "late": {"deadline_exceeded", 0, "deadline_exceeded", true}, "418": {"", 418, "invalid_argument", false},
		"unknown": {"unknown", 0, "unknown", false}, "negative": {"", -5, "", false}, "enormous": {"", math.MaxInt64, "internal_error", true},
	} {
		var texts trace.Texts
		var f trace.Facts
		f.Reset(&texts)
		f.State = c.said
		f.Int("http.response.status_code", c.status)
		if q := f.Request(); q.State != c.state || q.Failed != c.failed {
			t.Errorf("%s: %q %v, want %q %v", name, q.State, q.Failed, c.state, c.failed)
		}
	}
	if s := spanOf(3, "x", "db.system", "postgresql", "db.response.status_code", "23505"); s.State != "23505" {
		t.Errorf("a SQLSTATE is %q", s.State)
	}
}

func TestFactsOfOrigin(t *testing.T) {
	t.Parallel()
	q := requestOf(2, "x", "service.name", "shop", "service.version", "1", "deployment.environment", "test", "host.name", "web-1",
		"telemetry.sdk.language", "nodejs", "user.email", "mara@tealeaf.example", "flag.evaluation.cart", "true", "feature_flag.key", "tea",
		"feature_flag.result.value", "1", "feature_flag.result.variant", "green", "http.request.header.cookie", "secret", "http.request.header.x-kibitz-keep", "1")
	if q.Service != "shop" || q.Release != "1" || q.Environment != "test" || q.Host != "web-1" || q.Platform != "node" || q.User != "email:mara@tealeaf.example" ||
		!q.Keep || len(q.Attrs) != 0 || len(q.Switches) != 2 || q.Switches[0] != (trace.Switch{Key: "cart", Variant: "true"}) ||
		q.Switches[1] != (trace.Switch{Key: "tea", Variant: "green"}) {
		t.Errorf("%+v", q)
	}
	for sdk, want := range map[string]string{"sentry.python.django": "python", "sentry.javascript.node": "node", "sentry.javascript.react": "javascript",
		"sentry.go": "go", "dotnet": "csharp", "webjs": "javascript", "rust": "rust"} {
		if got := trace.PlatformOf(sdk); got != want {
			t.Errorf("%s is of %q, want %q", sdk, got, want)
		}
	}
}

// TestFactsLimits holds that everything from outside is bounded, valid, and that what was cut is told.
func TestFactsLimits(t *testing.T) {
	t.Parallel()
	var pairs []string
	for i := range 70 {
		pairs = append(pairs, "k"+strings.Repeat("é", 150+i), "v\x00\xff"+strings.Repeat("é", 2000))
	}
	s := spanOf(3, "x", append(pairs, "db.system", "postgresql", "db.query.text", "SELECT '"+strings.Repeat("é", 1<<19)+"'")...)
	if len(s.Attrs) != trace.MaxAttrs+1 || len(s.Text) > trace.MaxText || !utf8.ValidString(s.Text) {
		t.Errorf("%d attributes, a text of %d bytes", len(s.Attrs), len(s.Text))
	}
	last := s.Attrs[len(s.Attrs)-1]
	if last.Key != trace.LeftOut || last.Value != "the end of the text (limit span_text), 6 attributes (limit span_attributes)" {
		t.Errorf("it says %v", last)
	}
	for _, a := range s.Attrs[:trace.MaxAttrs] {
		if len(a.Key) > trace.MaxAttrKey || len(a.Value) > trace.MaxAttr || !utf8.ValidString(a.Key+a.Value) || strings.Contains(a.Value, "\x00") {
			t.Fatalf("%q", a)
		}
	}
	var texts trace.Texts
	var f trace.Facts
	f.Reset(&texts)
	for range 100 {
		f.Switch("a", "b")
	}
	for _, n := range []float64{math.NaN(), math.Inf(1), 1e300, 0.5, -7} {
		f.Float("n", n)
	}
	f.Left(math.MaxInt)
	if q := f.Request(); len(q.Switches) != trace.MaxSwitches || q.Attrs[0].Value != "NaN" || q.Attrs[1].Value != "+Inf" || q.Attrs[2].Value != "1e+300" || q.Attrs[3].Value != "0.5" || q.Attrs[4].Value != "-7" {
		t.Errorf("%+v", q)
	}
}

func TestLevelOf(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name   string
		number int
		want   string
	}{{"WARNING", 0, "warn"}, {"Error", 1, "error"}, {"", 1, "trace"}, {"", 4, "trace"}, {"", 5, "debug"}, {"", 9, "info"}, {"", 13, "warn"}, {"", 17, "error"},
		{"", 24, "fatal"}, {"", 25, "info"}, {"", -1, "info"}, {"critical", 0, "fatal"}, {"notice", 17, "info"}, {"verbose", 5, "debug"}} {
		if got := trace.LevelOf(c.name, c.number); got != c.want {
			t.Errorf("%q %d is %s, want %s", c.name, c.number, got, c.want)
		}
	}
}

// TestClip holds that a copy shares no memory with what it is of.
func TestClip(t *testing.T) {
	t.Parallel()
	var texts trace.Texts
	for _, c := range []struct {
		in   string
		most int
		want string
	}{{"", 5, ""}, {"hello", 5, "hello"}, {"hello!", 5, "hello"}, {"héllo", 2, "h"}, {"日本", 4, "日"}, {"\xff\xfe", 5, "\uFFFD"}, {"a\x00b", 5, "a\uFFFDb"}, {"日本", 0, ""}} {
		for range 2 { // and when it is known
			if got := texts.Clip(c.in, c.most); got != c.want {
				t.Errorf("%q of %d is %q, want %q", c.in, c.most, got, c.want)
			}
		}
	}
}
