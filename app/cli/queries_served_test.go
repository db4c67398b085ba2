package cli

import (
	"bytes"
	"encoding/json"
	"strings"
	"testing"
	"time"

	"kibitz/app/model"
	"kibitz/app/requests"
	"kibitz/app/sketch"
	"kibitz/app/store"
)

// digested is a statement of 4 calls of 10 ms, 2 of which told their rows, and as the server's log saw it.
func digested() requests.QueryDigest {
	s, l := sketch.New(), sketch.New()
	s.Add(10_000, 4)
	l.Add(8_000, 4)
	q := requests.Query{Statement: store.Statement{Fingerprint: 0xab, SQL: "select \x1b[2J < ?"}, Source: model.FromSpans, Impact: 0.5, Trend: []time.Duration{40 * time.Millisecond},
		QueryTotals: requests.QueryTotals{N: 4, Failed: 1, Total: 40 * time.Millisecond, Max: 11 * time.Millisecond, Rows: 6, RowsKnown: 2, Durations: s},
		Before:      &requests.QueryTotals{N: 1, Total: time.Millisecond, Durations: sketch.New()},
		Others: map[model.StatementSource]*requests.QueryTotals{model.FromLog: {N: 4, Total: 32 * time.Millisecond, Durations: l},
			model.FromPgStat: {N: 4, Durations: sketch.New(), IO: &model.StatementIO{Hit: 7, Read: 100, TempDone: 20, ReadTime: 3 * time.Millisecond, WALBytes: 9}}},
		Endpoints: []requests.QueryUser{{Endpoint: model.Endpoint{Method: "GET", Name: "/a"}, N: 4, Total: 40 * time.Millisecond, Share: 1}},
		Callers:   []requests.QueryUser{{Code: "shop/views.py:9 a", N: 4, Total: 40 * time.Millisecond, Share: 1}}}
	return requests.QueryDigest{Queries: []requests.Query{q}, Found: 1, Calls: 4, Total: 40 * time.Millisecond,
		Trend: requests.Buckets{From: time.Unix(0, 0).UTC(), Step: time.Hour, N: 1}}
}

// TestServedJSON holds the contract with scripts: the keys of a log's digest first, in the same words.
func TestServedJSON(t *testing.T) {
	t.Parallel()
	var out bytes.Buffer
	q, d := queriesCommand{writes: &out}, digested()
	if err := q.servedJSON(&d); err != nil {
		t.Fatal(err)
	}
	want := `{"sql":"select \u001b[2J < ?","calls":4,"total_ms":40,"mean_ms":10,"p95_ms":`
	if !strings.HasPrefix(out.String(), want) || !strings.Contains(out.String(), `"rows":6,"endpoints":["GET /a"],`) || !strings.Contains(out.String(), `"fingerprint":"00000000000000ab","source":"spans","failed":1,"impact":0.5,"rows_per_call":3,`) {
		t.Errorf("%s", out.String())
	}
	var line struct {
		Senders, Callers []user
		Before           *totals
		Others           []map[string]any
		Trend            []point
	}
	if err := json.Unmarshal(out.Bytes(), &line); err != nil {
		t.Fatal(err)
	}
	if line.Senders[0] != (user{"GET /a", 4, 40, 1}) || line.Callers[0].Name != "shop/views.py:9 a" || line.Before.MeanMS != 1 || line.Trend[0].TotalMS != 40 {
		t.Errorf("%+v", line)
	}
	if !strings.Contains(out.String(), `"io":{"blocks_hit":7,"blocks_read":100,"blocks_dirtied":0,"blocks_written":0,"blocks_temp_read":0,"blocks_temp_written":20,"read_ms":3,"write_ms":0,"wal_bytes":9}`) {
		t.Errorf("%s", out.String())
	}
	if len(line.Others) != 2 || line.Others[0]["source"] != "log" || line.Others[0]["mean_ms"] != 8.0 {
		t.Errorf("%+v", line.Others)
	}
}

// TestServedConfig: without a log the settings are read, and what is wrong with them is said.
func TestServedConfig(t *testing.T) {
	t.Setenv("KIBITZ_CONFIG", t.TempDir()+"/none.toml")
	var out, errOut bytes.Buffer
	if status := Run([]string{"queries", "--since", "1h"}, &out, &errOut); status != 1 || !strings.Contains(errOut.String(), "cannot read the configuration") {
		t.Errorf("%d %s", status, errOut.String())
	}
	if status := Run([]string{"queries", "--since", "2999-01-01"}, &out, &errOut); status != 2 || !strings.Contains(errOut.String(), "lies ahead") {
		t.Errorf("%d %s", status, errOut.String())
	}
}

// TestServedTable: what is not known is a dash, and nothing moves the cursor.
func TestServedTable(t *testing.T) {
	t.Parallel()
	var out bytes.Buffer
	q, d := queriesCommand{writes: &out, from: time.Unix(0, 0)}, digested()
	d.Queries[0].Durations, d.Queries[0].RowsKnown = sketch.New(), 0
	if err := q.servedTable(&d); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"4 calls of 1 statements in 0.040 s since 1970-01-01 00:00 UTC", "40.0  100.0 %      4  10.000    -          -         120  50.0 %   spans  "} {
		if !strings.Contains(out.String(), want) {
			t.Errorf("%q is not in\n%s", want, out.String())
		}
	}
	if strings.Contains(out.String(), "\x1b") {
		t.Errorf("%q", out.String())
	}
}
