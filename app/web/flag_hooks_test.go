package web

import (
	"context"
	"encoding/json"
	"net/url"
	"regexp"
	"strings"
	"testing"
	"time"

	"kibitz/app/switches/flaghook"
)

// TestFlagHook holds that providers' messages are taken by their signature, without session or origin, and read back in Sentry's
// shape, page by page.
func TestFlagHook(t *testing.T) {
	t.Parallel()
	d := newDoorSite(t)
	secret, err := d.flags.NewSecret(context.Background(), "generic")
	if err != nil {
		t.Fatal(err)
	}
	const path = "/api/0/organizations/kibitz/flags/hooks/provider/generic/"
	now := time.Now().UTC().Truncate(time.Second)
	var items []flaghook.Item
	for i := range 5 {
		items = append(items, flaghook.Item{ID: int64(i), Action: flaghook.Updated, Flag: "new-cart", By: "mara@example.org", ByType: flaghook.ByEmail, At: now.Add(-time.Duration(i) * time.Minute)})
	}
	body, err := flaghook.Write(items)
	if err != nil {
		t.Fatal(err)
	}
	signed := header("X-Sentry-Signature", flaghook.Sign(secret, body))
	for _, want := range []string{`{"changes":5,"new":5}`, `{"changes":5,"new":0}`} {
		if r := d.send(t, "POST", path, "", string(body), signed); r.StatusCode != 200 || r.text != want {
			t.Errorf("%d %s, want %s", r.StatusCode, r.text, want)
		}
	}
	for name, c := range map[string]struct {
		path, body string
		change     with
		status     int
	}{
		"unsigned": {path, string(body), header("X-Other", "1"), 401}, "changed": {path, string(body) + " ", signed, 401},
		"no provider": {strings.Replace(path, "generic", "nobody", 1), string(body), signed, 404}, "no organization": {strings.Replace(path, "kibitz", "acme", 1), string(body), signed, 404},
		"compressed": {path, string(body), func() with {
			return header("Content-Encoding", "gzip")
		}(), 415},
	} {
		if r := d.send(t, "POST", c.path, "", c.body, c.change); r.StatusCode != c.status || !json.Valid([]byte(r.text)) {
			t.Errorf("%s: %d %s", name, r.StatusCode, r.text)
		}
	}
	if status, text := d.sendLarge(t, path, flaghook.MaxBody+1); status != 413 {
		t.Errorf("too large: %d %s", status, text)
	}
	read := d.token(t, "switch:read")
	const logs = "/api/0/organizations/kibitz/flags/logs/"
	type page struct {
		Data []struct {
			ID, Action, CreatedAt, CreatedBy, CreatedByType, Flag, Provider string
			Tags                                                            map[string]string
		}
	}
	get := func(query string) (p page, next string) {
		r := d.send(t, "GET", logs+query, read, "")
		if err := json.Unmarshal([]byte(r.text), &p); err != nil || r.StatusCode != 200 {
			t.Fatalf("%s: %d %s", query, r.StatusCode, r.text)
		}
		if m := regexp.MustCompile(`rel="next"; results="true"; cursor="([^"]+)"`).FindStringSubmatch(r.Header.Get("Link")); m != nil {
			next = m[1]
		}
		return p, next
	}
	first, next := get("?per_page=3")
	second, end := get("?per_page=3&cursor=" + url.QueryEscape(next))
	if len(first.Data) != 3 || len(second.Data) != 2 || end != "" || first.Data[0].CreatedBy != "mara@example.org" || first.Data[0].CreatedByType != "email" ||
		first.Data[0].Action != "updated" || first.Data[0].CreatedAt != now.Format(time.RFC3339Nano) || first.Data[0].Provider != "generic" || first.Data[0].Tags == nil {
		t.Errorf("%+v then %+v", first, second)
	}
	if p, _ := get("?flag=other"); len(p.Data) != 0 {
		t.Errorf("another flag: %+v", p)
	}
	if p, _ := get("?statsPeriod=150s"); len(p.Data) != 3 {
		t.Errorf("of 150 seconds: %+v", p)
	}
	if p, _ := get("?start=" + now.Add(-90*time.Second).Format("2006-01-02T15:04:05") + "&end=" + now.Add(-30*time.Second).Format(time.RFC3339)); len(p.Data) != 1 {
		t.Errorf("of a minute: %+v", p)
	}
	for _, query := range []string{"?statsPeriod=soon", "?statsPeriod=-1d", "?start=yesterday", "?cursor=x", "?per_page=0"} {
		if r := d.send(t, "GET", logs+query, read, ""); r.StatusCode != 400 {
			t.Errorf("%s: %d %s", query, r.StatusCode, r.text)
		}
	}
	if r := d.send(t, "GET", logs, "", ""); r.StatusCode != 401 {
		t.Errorf("without a token: %d", r.StatusCode)
	}
}

// TestUnleashDoors holds what Unleash's clients get: ETag and 304, queries, one feature, the frontend by GET and POST, counts.
func TestUnleashDoors(t *testing.T) {
	t.Parallel()
	d := newDoorSite(t)
	d.publish(7, half, withPlan())
	read := d.token(t, "switch:read")
	bare := header("Authorization", read) // as their SDKs send it
	r := d.send(t, "GET", "/api/client/features", "", "", bare)
	etag := r.Header.Get("ETag")
	if r.StatusCode != 200 || !regexp.MustCompile(`^"[0-9a-f]{8}:7:v1"$`).MatchString(etag) || !strings.Contains(r.text, `"version":2`) || !strings.Contains(r.text, `"name":"pro"`) {
		t.Errorf("%d %s %s", r.StatusCode, etag, r.text)
	}
	if r := d.send(t, "GET", "/api/client/features", read, "", header("If-None-Match", etag)); r.StatusCode != 304 || r.text != "" {
		t.Errorf("%d %s", r.StatusCode, r.text)
	}
	if r := d.send(t, "GET", "/api/client/features?namePrefix=ha", read, "", header("If-None-Match", etag)); r.StatusCode != 200 || strings.Contains(r.text, `"pro"`) {
		t.Errorf("%d %s", r.StatusCode, r.text)
	}
	if r := d.send(t, "GET", "/api/client/features?explain=1", read, ""); !strings.Contains(r.text, `"key":"half","served":true`) {
		t.Errorf("%s", r.text)
	}
	if r := d.send(t, "GET", "/api/client/features/pro", read, ""); r.StatusCode != 200 || !strings.Contains(r.text, `"contextName":"plan"`) {
		t.Errorf("%d %s", r.StatusCode, r.text)
	}
	if r := d.send(t, "GET", "/api/client/features/nope", read, ""); r.StatusCode != 404 {
		t.Errorf("%d %s", r.StatusCode, r.text)
	}
	const toggles = `{"toggles":[{"name":"pro","enabled":true,"impressionData":false,"variant":{"name":"disabled","enabled":false,"feature_enabled":true}}]}`
	if r := d.send(t, "GET", "/api/frontend?appName=x&properties[plan]=pro", read, ""); r.StatusCode != 200 || r.text != toggles {
		t.Errorf("%d %s", r.StatusCode, r.text)
	}
	post := d.send(t, "POST", "/api/frontend", read, `{"context":{"properties":{"plan":"pro"}}}`)
	if post.StatusCode != 200 || post.text != toggles {
		t.Errorf("%d %s", post.StatusCode, post.text)
	}
	if r := d.send(t, "POST", "/api/frontend", read, `{"context":{"properties":{"plan":"pro"}}}`, header("If-None-Match", post.Header.Get("ETag"))); r.StatusCode != 304 {
		t.Errorf("%d", r.StatusCode)
	}
	for _, body := range []string{`{`, `{"context":{"properties":{"plan":["a"]}}}`, `{"context":{"userId":"` + strings.Repeat("x", 1<<20) + `"}}`} {
		if r := d.send(t, "POST", "/api/frontend", read, body); r.StatusCode != 400 {
			t.Errorf("%.50s: %d %s", body, r.StatusCode, r.text)
		}
	}
	for path, status := range map[string]int{"/api/client/register": 202, "/api/client/metrics": 202, "/api/frontend/client/metrics": 200, "/api/frontend/client/register": 200} {
		body := `{"appName":"x","bucket":{"start":"2026-03-01T12:00:00Z","toggles":{"pro":{"yes":3,"no":2,"variants":{}},"nope":{"yes":9,"no":9},"half":{"yes":-5,"no":0}}}}`
		if r := d.send(t, "POST", path, read, body); r.StatusCode != status || r.text != "" {
			t.Errorf("%s: %d %s", path, r.StatusCode, r.text)
		}
		if r := d.send(t, "POST", path, read, `[`); r.StatusCode != 400 {
			t.Errorf("%s with nonsense: %d", path, r.StatusCode)
		}
	}
	counts := map[string]int64{}
	d.holder.Drain(func(key, variant string, n int64) { counts[key+"="+variant] = n })
	if len(counts) != 2 || counts["pro=on"] != 6 || counts["pro=off"] != 4 {
		t.Errorf("counted %v", counts)
	}
}
