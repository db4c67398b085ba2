package ingest

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/klauspost/compress/zstd"

	"kibitz/app/errs"
	"kibitz/app/model"
	"kibitz/app/trace"
	"kibitz/ingest/envelope"
)

// line is one pipeline with its spool.
type line struct {
	*Pipeline
	t     *testing.T
	spool *Spool
}

func newLine(t *testing.T) *line {
	t.Helper()
	s := openSpool(t, t.TempDir(), 64<<20, 1<<30)
	ids := model.NewIDs(1)
	o := NewOutcomes(s, ids, quiet())
	return &line{NewPipeline(PipelineOptions{Spool: s, Outcomes: o, IDs: ids, Limits: DefaultLimits(), Log: quiet()}), t, s}
}

// counted are the outcomes, sorted.
func (l *line) counted() string {
	var out []string
	for _, c := range l.outcomes.Pending() {
		out = append(out, fmt.Sprintf("%s %s %s %d", c.Category, c.Outcome, c.Reason, c.N))
	}
	slices.Sort(out)
	return strings.Join(out, ", ")
}

// stored reads the spool back.
func (l *line) stored() (events int, requests []trace.Request, lines []trace.LogLine) {
	l.t.Helper()
	d, err := zstd.NewReader(nil)
	if err != nil {
		l.t.Fatal(err)
	}
	defer d.Close()
	at := Position{}
	for {
		records, to, err := l.spool.Read(at)
		if err != nil {
			l.t.Fatal(err)
		}
		if len(records) == 0 && to == at {
			return events, requests, lines
		}
		at = to
		for i := range records {
			if records[i].Kind == KindEvent {
				events++
				continue
			}
			u, err := records[i].Unpack(d)
			q, ll := u.Requests, u.Lines
			if err != nil {
				l.t.Fatal(err)
			}
			requests, lines = append(requests, q...), append(lines, ll...)
		}
	}
}

const (
	someTrace       = `"trace_id":"0123456789abcdef0123456789abcdef"`
	someTransaction = `{"type":"transaction","transaction":"/cart/7","transaction_info":{"source":"url"},"start_timestamp":1700000000,"timestamp":1700000001,
		"contexts":{"trace":{` + someTrace + `,"span_id":"00000000000000a1","op":"http.server"}},
		"spans":[{"span_id":"00000000000000a2","parent_span_id":"00000000000000a1","op":"db","description":"SELECT 1","start_timestamp":1700000000.1,"timestamp":1700000000.2},
			{"span_id":"00000000000000a3","op":"db","start_timestamp":1700000000.1}]}`
	someSpans = `{"items":[{` + someTrace + `,"span_id":"00000000000000b1","name":"GET /b","is_segment":true,"start_timestamp":1700000000,"end_timestamp":1700000001},
		{` + someTrace + `,"span_id":"00000000000000b2","parent_span_id":"00000000000000b1","name":"x","is_segment":false,"start_timestamp":1700000000,"end_timestamp":1700000001},
		{"span_id":"none"}]}`
	someLines = `{"items":[{"timestamp":1700000000,` + someTrace + `,"level":"warn","body":"low"},{"body":"no time"}]}`
)

// TestIntake holds that an envelope's items are stored together, and that each part that is not is counted once.
func TestIntake(t *testing.T) {
	t.Parallel()
	l := newLine(t)
	_, err := l.Accept(t.Context(), Source{Project: 7}, envelope.Envelope{DSC: envelope.DSC{SampleRate: 0.25}}, []envelope.Item{
		{Type: "event", Payload: []byte(`{"message":"x"}`)}, {Type: "transaction", Payload: []byte(someTransaction)},
		{Type: "span", Count: 3, Payload: []byte(someSpans)}, {Type: "log", Count: 2, Payload: []byte(someLines)}, {Type: "session", Payload: []byte(`{}`)}})
	if err != nil {
		t.Fatal(err)
	}
	events, requests, lines := l.stored()
	if events != 1 || len(requests) != 2 || len(lines) != 1 {
		t.Fatalf("%d events, %d requests, %d lines", events, len(requests), len(lines))
	}
	if q := requests[0]; q.Name != "/cart/{}" || q.Weight != 4 || len(q.Spans) != 1 || q.Spans[0].Text != "SELECT 1" {
		t.Errorf("%+v", q)
	}
	if q := requests[1]; q.Name != "/b" || q.Weight != 4 || len(q.Spans) != 1 {
		t.Errorf("%+v", q)
	}
	if lines[0].Body != "low" || lines[0].Level != "warn" {
		t.Errorf("%+v", lines[0])
	}
	if got, want := l.counted(), "log_item invalid invalid_log_item 1, session filtered not_enabled 1, span invalid invalid_span 2"; got != want {
		t.Errorf("counted %s, want %s", got, want)
	}
}

// TestIntakeRefuses holds the answers to items of which nothing can be taken.
func TestIntakeRefuses(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		item  envelope.Item
		kind  errs.Kind
		count string
	}{
		"no object":           {envelope.Item{Type: "transaction", Payload: []byte(`[]`)}, errs.Invalid, "transaction invalid json_not_object 1"},
		"no JSON":             {envelope.Item{Type: "span", Count: 4, Payload: []byte(`{`)}, errs.Invalid, "span invalid json 4"},
		"many values":         {envelope.Item{Type: "transaction", Payload: []byte(`{"x":[` + strings.Repeat("1,", 200_000) + `1]}`)}, errs.TooLarge, "transaction too_large json_nodes 1"},
		"large transaction":   {envelope.Item{Type: "transaction", Payload: make([]byte, 2<<20)}, errs.TooLarge, "transaction too_large event_size 1"},
		"large container":     {envelope.Item{Type: "log", Count: 9, Payload: make([]byte, 9<<20)}, errs.TooLarge, "log_item too_large container_size 9"},
		"a lie about numbers": {envelope.Item{Type: "log", Count: 1 << 60, Payload: []byte(`{`)}, errs.Invalid, "log_item invalid json 10000"},
		"a month":             {envelope.Item{Type: "transaction", Payload: []byte(strings.Replace(someTransaction, `"timestamp":1700000001`, `"timestamp":1800000001`, 1))}, errs.TooLarge, "transaction too_large span_duration 1"},
	} {
		l := newLine(t)
		_, err := l.Accept(t.Context(), Source{Project: 7}, envelope.Envelope{}, []envelope.Item{c.item})
		if errs.Of(err) != c.kind || l.counted() != c.count {
			t.Errorf("%s: %v, counted %q, want %q", name, err, l.counted(), c.count)
		}
	}
}

// TestIntakeFull holds that what the spool does not take is counted by its categories, and that the sender is told to
// come again.
func TestIntakeFull(t *testing.T) {
	t.Parallel()
	l := newLine(t)
	if err := l.spool.Close(); err != nil {
		t.Fatal(err)
	}
	_, err := l.Accept(t.Context(), Source{Project: 7}, envelope.Envelope{}, []envelope.Item{{Type: "event", Payload: []byte(`{}`)},
		{Type: "transaction", Payload: []byte(someTransaction)}, {Type: "log", Payload: []byte(`{"timestamp":1700000000,"body":"x"}`)}})
	var e *errs.Error
	if !errors.As(err, &e) || e.Kind != errs.Unavailable {
		t.Errorf("%v", err)
	}
	want := "error rate_limited spool_unavailable 1, log_item rate_limited spool_unavailable 1, span invalid invalid_span 1, " +
		"span rate_limited spool_unavailable 1, transaction rate_limited spool_unavailable 1"
	if got := l.counted(); got != want {
		t.Errorf("counted %s, want %s", got, want)
	}
}

// TestLargeBatches holds that many requests become several records, none with too much in it.
func TestLargeBatches(t *testing.T) {
	t.Parallel()
	l := newLine(t)
	var list []trace.Request
	for i := range 1200 {
		q := trace.Request{Trace: trace.ID{1}, Span: trace.SpanID(i + 1), Weight: 1}
		if i < 3 {
			q.Spans = make([]trace.Span, maxRecordSpans/2)
		}
		list = append(list, q)
	}
	records := l.requestRecords(Source{Project: 7}, list)
	if len(records) != 4 { // two with the most spans, then 500 and the rest
		t.Errorf("%d records", len(records))
	}
	items := 0
	for i := range records {
		read, err := parseRecord(appendRecord(nil, &records[i])) // as the drain gets it
		if err != nil {
			t.Fatal(err)
		}
		items += read.Items
	}
	if items != len(list) {
		t.Errorf("the records say that they hold %d of %d", items, len(list))
	}
	if err := l.AcceptRequests(t.Context(), Source{Project: 7}, list); err != nil {
		t.Fatal(err)
	}
	if _, got, _ := l.stored(); len(got) != len(list) {
		t.Errorf("%d of %d are stored", len(got), len(list))
	}
}
