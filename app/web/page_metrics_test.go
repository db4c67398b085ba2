package web

import (
	"net/http"
	"testing"

	"kibitz/app/prometheus"
)

// TestMetricsNeedTheirScope holds who may read /metrics.
func TestMetricsNeedTheirScope(t *testing.T) {
	t.Parallel()
	w := newSite(t, plainBase)
	token := func(scope string) with {
		t.Helper()
		text, err := w.accounts.AddSystemToken(t.Context(), scope, []string{scope}, 0)
		if err != nil {
			t.Fatal(err)
		}
		return header("Authorization", "Bearer "+text)
	}
	w.do(t, "GET", "/metrics", nil).wantStatus(t, http.StatusUnauthorized)
	w.do(t, "GET", "/metrics", nil, token("event:read")).wantStatus(t, http.StatusForbidden)
	r := w.do(t, "GET", "/metrics", nil, token("metrics:read")).wantStatus(t, http.StatusOK)
	if r.text != "a_total 1\n" || r.Header.Get("Content-Type") != prometheus.ContentType {
		t.Errorf("%v %q", r.Header, r.text)
	}
	w.do(t, "GET", "/metrics", nil, cookies(w.signIn(t).cookie)).wantStatus(t, http.StatusOK)
}

// TestMetricsMayBeOpen holds that the setting opens this page and no other.
func TestMetricsMayBeOpen(t *testing.T) {
	t.Parallel()
	w := newSite(t, plainBase)
	open, err := New(Options{Base: plainBase, Log: w.Server.log, Accounts: w.accounts, Projects: w.projects, Hub: w.hub, Queries: w.queries, Report: w.report, Metrics: w.metrics, MetricsOpen: true})
	if err != nil {
		t.Fatal(err)
	}
	w.Server = open
	if r := w.do(t, "GET", "/metrics", nil).wantStatus(t, http.StatusOK); r.text != "a_total 1\n" {
		t.Errorf("%q", r.text)
	}
	w.do(t, "GET", "/api/0/", nil).wantStatus(t, http.StatusUnauthorized)
}
