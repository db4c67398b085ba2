package perf_test

import (
	"context"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"kibitz/app/perf"
	"kibitz/app/trace"
)

const (
	id1   = "0af7651916cd43dd8448eb211c80319c"
	span1 = "b7ad6b7169203331"
)

func headers(pairs ...string) func(string) string {
	return func(name string) string {
		for i := 0; i < len(pairs); i += 2 {
			if pairs[i] == name {
				return pairs[i+1]
			}
		}
		return ""
	}
}

func TestReadHeaders(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name    string
		get     func(string) string
		trace   string
		parent  string
		sampled bool
	}{
		{"w3c", headers("traceparent", "00-"+id1+"-"+span1+"-01"), id1, span1, true},
		{"w3c, not sampled", headers("traceparent", "00-"+id1+"-"+span1+"-00"), id1, span1, false},
		{"w3c, other flags", headers("traceparent", "00-"+id1+"-"+span1+"-0b"), id1, span1, true},
		{"w3c, other flags, not sampled", headers("traceparent", "00-"+id1+"-"+span1+"-fa"), id1, span1, false},
		{"w3c, a later version with more", headers("traceparent", "cc-"+id1+"-"+span1+"-01-what-comes"), id1, span1, true},
		{"w3c, more in this version", headers("traceparent", "00-"+id1+"-"+span1+"-01-what-comes"), "", "", true},
		{"w3c, glued", headers("traceparent", "cc-"+id1+"-"+span1+"-01what"), "", "", true},
		{"w3c, version ff", headers("traceparent", "ff-"+id1+"-"+span1+"-01"), "", "", true},
		{"w3c, capitals", headers("traceparent", "00-"+strings.ToUpper(id1)+"-"+span1+"-01"), "", "", true},
		{"w3c, zero trace", headers("traceparent", "00-"+strings.Repeat("0", 32)+"-"+span1+"-01"), "", "", true},
		{"w3c, zero span", headers("traceparent", "00-"+id1+"-"+strings.Repeat("0", 16)+"-01"), "", "", true},
		{"w3c, cut", headers("traceparent", "00-"+id1+"-"+span1), "", "", true},
		{"w3c, bad flags", headers("traceparent", "00-"+id1+"-"+span1+"-xx"), "", "", true},
		{"sentry", headers("sentry-trace", id1+"-"+span1+"-1"), id1, span1, true},
		{"sentry, no decision", headers("sentry-trace", id1+"-"+span1), id1, span1, true},
		{"sentry, not sampled", headers("sentry-trace", " "+id1+"-"+span1+"-0 "), id1, span1, false},
		{"sentry, odd decision", headers("sentry-trace", id1+"-"+span1+"-2"), "", "", true},
		{"both", headers("traceparent", "00-"+id1+"-"+span1+"-01", "sentry-trace", strings.Repeat("1", 32)+"-"+span1+"-0"), id1, span1, true},
		{"bad and good", headers("traceparent", "rubbish", "sentry-trace", id1+"-"+span1+"-1"), id1, span1, true},
		{"none", headers(), "", "", true},
	} {
		r := perf.ReadHeaders(c.get)
		want := perf.Remote{Unsampled: !c.sampled}
		want.Trace, _ = trace.ParseID(c.trace)
		want.Parent, _ = trace.ParseSpanID(c.parent)
		if r != want {
			t.Errorf("%s: %+v, want %+v", c.name, r, want)
		}
	}
}

func TestBaggage(t *testing.T) {
	t.Parallel()
	parent := "00-" + id1 + "-" + span1 + "-01"
	for _, c := range []struct{ in, state, baggage, wantState string }{
		{"other=1, sentry-trace_id=2 ,sentry-sample_rate=0.1;x=y", "a=b,c=d", "sentry-trace_id=2,sentry-sample_rate=0.1;x=y", "a=b,c=d"},
		{"sentry-a=1", strings.Repeat("a", 513), "sentry-a=1", ""},
		{"sentry-a=1\r\nX-Evil: 1", "a\nb", "", ""},
		{strings.Repeat("sentry-a=1,", 1000), "", "", ""},
	} {
		r := perf.ReadHeaders(headers("traceparent", parent, "baggage", c.in, "tracestate", c.state))
		if r.Baggage != c.baggage || r.State != c.wantState {
			t.Errorf("%q gave %q and %q", c.in, r.Baggage, r.State)
		}
	}
	if r := perf.ReadHeaders(headers("baggage", "sentry-a=1")); r != (perf.Remote{}) {
		t.Errorf("baggage without a trace: %+v", r)
	}
}

// FuzzReadHeaders holds that what is read is well-formed, goes out as it came in, and can break no header.
func FuzzReadHeaders(f *testing.F) {
	f.Add("00-"+id1+"-"+span1+"-01", id1+"-"+span1+"-1", "sentry-a=1,b=2", "x=y")
	f.Add("", id1+"-"+span1, "sentry-a=1\n", "")
	f.Fuzz(func(t *testing.T, w3c, sentry, baggage, state string) {
		r := perf.ReadHeaders(headers("traceparent", w3c, "sentry-trace", sentry, "baggage", baggage, "tracestate", state))
		if (r.Trace == trace.ID{}) != (r.Parent == 0) {
			t.Fatalf("half a parent: %+v", r)
		}
		if strings.ContainsAny(r.Baggage+r.State, "\r\n\x00") || len(r.Baggage) > 8<<10 || len(r.State) > 512 {
			t.Fatalf("%q, %q", r.Baggage, r.State)
		}
		if r.Parent == 0 {
			return
		}
		again := perf.ReadHeaders(headers("traceparent", perf.Traceparent(r.Trace, r.Parent, !r.Unsampled), "baggage", r.Baggage, "tracestate", r.State))
		if again != r {
			t.Fatalf("%+v became %+v", r, again)
		}
		if again := perf.ReadHeaders(headers("sentry-trace", perf.SentryTrace(r.Trace, r.Parent, !r.Unsampled), "baggage", r.Baggage)); again.Trace != r.Trace ||
			again.Parent != r.Parent || again.Unsampled != r.Unsampled {
			t.Fatalf("%+v became %+v", r, again)
		}
	})
}

// TestTransport sends requests to a server that looks at their headers.
func TestTransport(t *testing.T) {
	t.Parallel()
	heard := make(chan http.Header, 10)
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		heard <- r.Header
		if r.URL.Path == "/bad" {
			w.WriteHeader(http.StatusBadGateway)
		}
		io.WriteString(w, "hello")
	}))
	t.Cleanup(server.Close)
	client := &http.Client{Transport: perf.Transport(nil)}
	get := func(ctx context.Context, url string, set ...string) {
		req, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
		if err != nil {
			t.Fatal(err)
		}
		for i := 0; i < len(set); i += 2 {
			req.Header.Set(set[i], set[i+1])
		}
		res, err := client.Do(req)
		if err == nil {
			io.Copy(io.Discard, res.Body)
			res.Body.Close()
		}
		if req.Header.Get("Traceparent") != "" && len(set) == 0 {
			t.Error("the caller's headers were changed")
		}
	}
	rec, k := newRecorder(t, perf.Options{})
	remote := perf.ReadHeaders(headers("traceparent", "00-"+id1+"-"+span1+"-00", "tracestate", "a=b", "baggage", "sentry-x=1"))
	ctx, q := rec.Start(context.Background(), perf.Info{Remote: remote})
	get(ctx, server.URL+"/good?secret=1")
	get(ctx, server.URL+"/bad")
	get(ctx, "http://127.0.0.1:1/refused")
	get(ctx, server.URL+"/own", "traceparent", "mine")
	get(context.Background(), server.URL+"/outside")
	q.Finish()
	rec.Flush(context.Background())
	got := k.all()[0]
	if got.Trace.String() != id1 || got.Parent.String() != span1 || len(got.Spans) != 4 {
		t.Fatalf("%+v", got)
	}
	good := got.Spans[0]
	h := <-heard
	if h.Get("Traceparent") != "00-"+id1+"-"+good.ID.String()+"-00" || h.Get("Sentry-Trace") != id1+"-"+good.ID.String()+"-0" ||
		h.Get("Tracestate") != "a=b" || h.Get("Baggage") != "sentry-x=1" {
		t.Errorf("headers %v", h)
	}
	<-heard
	if own := <-heard; own.Get("Traceparent") != "mine" {
		t.Errorf("headers %v", own)
	}
	if outside := <-heard; outside.Get("Traceparent") != "" {
		t.Errorf("headers %v", outside)
	}
	if good.Text != "GET "+server.URL+"/good" || good.Failed || good.State != "ok" || good.Category != trace.HTTP || good.File != "kibitz/app/perf_test/propagation_test.go" {
		t.Errorf("%+v", good)
	}
	if bad := got.Spans[1]; !bad.Failed || bad.State != "internal_error" {
		t.Errorf("%+v", bad)
	}
	if refused := got.Spans[2]; !refused.Failed || len(refused.Attrs) != 0 {
		t.Errorf("%+v", refused)
	}
}
