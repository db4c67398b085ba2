package receiver

import (
	"bytes"
	"compress/gzip"
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/klauspost/compress/zstd"

	"kibitz/app/trace"
	"kibitz/ingest"
	"kibitz/ingest/pglog"
)

const someLog = "2026-11-25 10:00:00.000 UTC [7] LOG:  duration: 4.000 ms  statement: SELECT * FROM a WHERE id = 77\n" +
	"2026-11-25 10:00:01.000 UTC [7] ERROR:  division by zero\n2026-11-25 10:00:01.000 UTC [7] STATEMENT:  SELECT 1 / 0\n"

func gzipped(t *testing.T, b []byte) []byte {
	t.Helper()
	var out bytes.Buffer
	z := gzip.NewWriter(&out)
	if _, err := z.Write(b); err != nil {
		t.Fatal(err)
	}
	if err := z.Close(); err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}

// portions are what is in the spool.
func (d *door) portions() (out []pglog.Portion) {
	d.t.Helper()
	z, err := zstd.NewReader(nil)
	if err != nil {
		d.t.Fatal(err)
	}
	records, _, err := d.spool.Read(ingest.Position{})
	if err != nil {
		d.t.Fatal(err)
	}
	for i := range records {
		if records[i].Kind != ingest.KindPortion {
			continue
		}
		u, err := records[i].Unpack(z)
		if err != nil {
			d.t.Fatal(err)
		}
		out = append(out, u.Portion)
	}
	return out
}

// TestPGLog: a log is taken in any format, compressed by its header or by its own look, and the answer says what was read.
func TestPGLog(t *testing.T) {
	t.Parallel()
	jsonLog := `{"timestamp":"2026-11-25 10:00:00.000 UTC","pid":7,"error_severity":"LOG","message":"duration: 4.000 ms  statement: SELECT * FROM a WHERE id = 77"}` + "\n" +
		`{"timestamp":"2026-11-25 10:00:01.000 UTC","pid":7,"error_severity":"ERROR","message":"division by zero","statement":"SELECT 1 / 0"}` + "\n"
	for name, req := range map[string]*http.Request{
		"stderr":    post("/api/7/pglog/", []byte(someLog), "X-Sentry-Auth", auth),
		"jsonlog":   post("/api/7/pglog?format=jsonlog", []byte(jsonLog), "Authorization", bearer),
		"gzip":      post("/api/7/pglog", gzipped(t, []byte(someLog)), "Authorization", bearer, "Content-Encoding", "gzip"),
		"gzip file": post("/api/7/pglog", gzipped(t, []byte(jsonLog)), "Authorization", bearer),
		"prefix":    post("/api/7/pglog?format=stderr&prefix=%25m%20%5B%25p%5D%20", []byte(someLog), "Authorization", bearer),
	} {
		d := newDoor(t)
		status, answer, _ := d.send(req)
		var got takenLog
		if err := json.Unmarshal([]byte(answer), &got); err != nil || status != 200 || got.Entries != 2 || got.Calls != 1 || got.Lines != 1 || got.Malformed+got.Unclaimed != 0 {
			t.Errorf("%s: %d %s %v", name, status, answer, err)
		}
		if p := d.portions(); len(p) != 1 || p[0].Executions() != 1 || len(p[0].Sums) != 2 || p[0].Lines[0].Severity != "ERROR" {
			t.Errorf("%s: %+v", name, p)
		}
	}
}

// TestPGLogBad: what cannot be taken is refused in words and counted.
func TestPGLogBad(t *testing.T) {
	t.Parallel()
	cut := gzipped(t, []byte(strings.Repeat(someLog, 1000)))
	damaged := append([]byte{}, cut...)
	damaged[len(damaged)-6] ^= 0xff // of the checksum
	for name, c := range map[string]struct {
		req          *http.Request
		status       int
		says, counts string
	}{
		"no key":     {post("/api/7/pglog", []byte(someLog)), 403, "no active key", "auth_missing"},
		"encoding":   {post("/api/7/pglog", []byte(someLog), "Authorization", bearer, "Content-Encoding", "compress"), 415, "not supported", "content_encoding"},
		"format":     {post("/api/7/pglog?format=xml", []byte(someLog), "Authorization", bearer), 400, "no log format", ""},
		"prefix":     {post("/api/7/pglog?prefix=%25y", []byte(someLog), "Authorization", bearer), 400, "log_line_prefix", ""},
		"damage":     {post("/api/7/pglog", damaged, "Authorization", bearer), 400, "damaged", "invalid/pglog"},
		"not a POST": {func() *http.Request { r := post("/api/7/pglog", nil); r.Method = http.MethodGet; return r }(), 405, "POST", ""},
	} {
		d := newDoor(t)
		if status, answer, _ := d.send(c.req); status != c.status || !strings.Contains(answer, c.says) || !strings.Contains(d.counted(), c.counts) {
			t.Errorf("%s: %d %s, counted %s", name, status, answer, d.counted())
		}
	}
	for name, body := range map[string]string{"prose": "these are\nno lines of a log\n", "JSON": "{\"a\":1}\n{\"b\":", "zeros": strings.Repeat("\x00", 100), "one line": "x"} {
		d := newDoor(t)
		status, answer, _ := d.send(post("/api/7/pglog", []byte(body), "Authorization", bearer))
		lost := int64(0)
		for _, p := range d.portions() {
			for _, l := range p.Lost {
				lost += l.N
			}
		}
		if status != 400 || !strings.Contains(answer, "log_line_prefix") || lost == 0 {
			t.Errorf("%s: %d %s, %d lines counted", name, status, answer, lost)
		}
	}
	d := newDoor(t)
	if status, answer, _ := d.send(post("/api/7/pglog", []byte("garbage\n"+someLog), "Authorization", bearer)); status != 200 || !strings.Contains(answer, `"entries":2`) {
		t.Errorf("a log that can be read in part: %d %s", status, answer)
	}
	d = newDoor(t)
	status, answer, _ := d.send(post("/api/7/pglog", cut[:len(cut)-8], "Authorization", bearer))
	if status != 200 || !strings.Contains(answer, `"cut":true`) || !strings.Contains(answer, `"calls":1000`) {
		t.Errorf("a log that was cut: %d %s", status, answer)
	}
}

// TestPGLogLimit: a bomb ends at the limit, and what precedes is kept, as is said.
func TestPGLogLimit(t *testing.T) {
	t.Parallel()
	d := newDoor(t)
	d.receiver.limits.PGLogSize = 100_000
	status, answer, _ := d.send(post("/api/7/pglog", gzipped(t, []byte(strings.Repeat(someLog, 10_000))), "Authorization", bearer))
	if status != 413 || !strings.Contains(answer, "ingest.pglog_size") || !strings.Contains(d.counted(), "too_large/pglog_size") || len(d.portions()) == 0 {
		t.Errorf("%d %s %s", status, answer, d.counted())
	}
	for range maxLogs {
		d.receiver.reading <- struct{}{}
	}
	if status, answer, header := d.send(post("/api/7/pglog", []byte(someLog), "Authorization", bearer)); status != 503 || !strings.Contains(answer, "pglog_at_once") || header.Get("Retry-After") == "" {
		t.Errorf("%d %s", status, answer)
	}
}

// TestOTLPPostgres: PostgreSQL's lines among log records are its log; others stay what they are.
func TestOTLPPostgres(t *testing.T) {
	t.Parallel()
	inner := `{"log_time":"2026-11-25 10:00:00.000 UTC","process_id":"7","error_severity":"LOG","message":"duration: 4.000 ms  statement: SELECT 5"}`
	lines := []trace.LogLine{
		{At: time.Unix(5, 0), Body: `{"timestamp":"2026-11-25 10:00:00.000 UTC","pid":7,"error_severity":"LOG","message":"duration: 4.000 ms  statement: SELECT 5"}`},
		{Body: `{"level":"info","logger":"postgres","msg":"record","record":` + inner + `}`},
		{Body: "a program's own line"}, {Body: `{"error":"x"}`}, {Body: `{"error_severity":`},
	}
	d := newDoor(t)
	rest, p := d.receiver.postgresLines(ingest.Source{Project: 7, Received: time.Now()}, lines)
	if len(rest) != 2 || p.Executions() != 2 || len(p.Sums) != 1 || fmt.Sprint(p.Lost) != "[{pglog_unclaimed 1}]" && fmt.Sprint(p.Lost) != "[{pglog_malformed 1}]" {
		t.Errorf("%d are no lines of PostgreSQL's; %+v", len(rest), p)
	}
	file := []trace.LogLine{{Body: strings.TrimSpace(someLog), Attrs: []trace.Attr{{Key: "log.file.name", Value: "postgresql-15-main.log"}}}}
	if rest, p := d.receiver.postgresLines(ingest.Source{}, file); len(rest) != 0 || p.Executions() != 1 || len(p.Lines) != 1 {
		t.Errorf("%+v", p)
	}
}
