package requests

import (
	"context"
	"strings"
	"testing"
	"time"

	"kibitz/app/db/dbtest"
	"kibitz/app/prometheus"
	"kibitz/app/trace"
	"kibitz/ingest"
)

// TestOnlyWhatIsStoredIsCounted holds the counters of /metrics: weights, a resend, and a batch that was prepared and never
// committed.
func TestOnlyWhatIsStoredIsCounted(t *testing.T) {
	t.Parallel()
	k := newDesk(t, dbtest.New(t), 1)
	k.perf.counts, k.perf.ends = prometheus.NewRequests(10), prometheus.NewItems()
	heavy, failed := k.page(1, "/cart/{id}"), k.page(2, "/cart/{id}")
	heavy.Weight, heavy.Service = 10, "web"
	failed.Status, failed.Failed, failed.Service, failed.Duration = 503, true, "web", 3*time.Second
	k.take(heavy, failed)
	k.take(heavy)

	elsewhere := ingest.Batch{Node: "n", From: ingest.Position{Segment: 9}, To: ingest.Position{Segment: 10}, Records: []ingest.Record{{ID: k.ids.Next(), Project: k.project.ID, KeyID: 1,
		Kind: ingest.KindRequests, Received: k.now, Payload: k.perf.out.EncodeAll(trace.Append(nil, []trace.Request{k.page(3, "/never")}), nil)}}}
	if err := k.digester.Write(context.Background(), elsewhere); err == nil {
		t.Fatal("a batch was stored whose cursor stands elsewhere")
	}
	k.write(ingest.KindLogs, trace.AppendLogs(nil, []trace.LogLine{{At: k.now, Body: "hello"}}))

	text := &prometheus.Text{}
	shop := func(int64) string { return "shop" }
	k.perf.counts.Write(text, shop)
	k.perf.ends.Write(text, shop)
	got := string(text.Bytes())
	const labels = `{project="shop",service="web",method="GET",endpoint="/cart/{id}"`
	for _, want := range []string{
		"kibitz_requests_total" + labels + `,class="2xx"} 10`,
		"kibitz_requests_total" + labels + `,class="5xx"} 1`,
		"kibitz_requests_failed_total" + labels + `} 1`,
		"kibitz_request_duration_seconds_bucket" + labels + `,le="0.025"} 10`,
		"kibitz_request_duration_seconds_count" + labels + `} 11`,
		"kibitz_request_duration_seconds_sum" + labels + `} 3.2`,
		`kibitz_items_total{project="shop",category="transaction",outcome="stored",reason=""} 2`,
		`kibitz_items_total{project="shop",category="transaction",outcome="filtered",reason="duplicate"} 1`,
		`kibitz_items_total{project="shop",category="log_item",outcome="stored",reason=""} 1`,
	} {
		if !strings.Contains(got, want+"\n") {
			t.Errorf("%s is not in\n%s", want, got)
		}
	}
	if strings.Contains(got, "/never") {
		t.Errorf("what was not stored is counted:\n%s", got)
	}
}
