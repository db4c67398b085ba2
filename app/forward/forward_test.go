package forward_test

import (
	"compress/gzip"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"maps"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/klauspost/compress/zstd"

	"kibitz/app/forward"
	"kibitz/app/perf"
	"kibitz/app/trace"
	"kibitz/ingest"
	"kibitz/ingest/otlp"
)

// receiver is a small receiver of OTLP whose answers the test chooses.
type receiver struct {
	*httptest.Server
	mu      sync.Mutex
	answers []answer // the last for ever
	got     []trace.Request
	posts   int
	hold    chan struct{} // when set, answers wait for it
}

type answer struct {
	status int
	after  string // Retry-After
	body   string
}

func newReceiver(t *testing.T, answers ...answer) *receiver {
	t.Helper()
	r := &receiver{answers: answers}
	r.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, q *http.Request) {
		if r.hold != nil {
			<-r.hold
		}
		r.take(t, w, q)
	}))
	t.Cleanup(r.Close)
	return r
}

func (r *receiver) take(t *testing.T, w http.ResponseWriter, q *http.Request) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if q.URL.Path != "/v1/traces" || q.Header.Get("X-Scope") != "kibitz" || q.Header.Get("Content-Type") != "application/json" {
		t.Errorf("%s %v", q.URL, q.Header)
	}
	r.posts++
	a := r.answers[0]
	if len(r.answers) > 1 {
		r.answers = r.answers[1:]
	}
	if a.status == 200 {
		z, err := gzip.NewReader(q.Body)
		if err != nil {
			t.Error(err)
			return
		}
		body, err := io.ReadAll(z)
		if err != nil {
			t.Error(err)
		}
		list, rejected, err := otlp.DecodeTraces(body, otlp.JSON, otlp.Limits{Items: 1_000_000})
		if err != nil || rejected.N > 0 {
			t.Errorf("%v %+v", err, rejected)
		}
		r.got = append(r.got, list...)
	}
	w.Header().Set("Retry-After", a.after)
	w.WriteHeader(a.status)
	io.WriteString(w, a.body)
}

// lane is a forwarder to a receiver, and what it dropped.
type lane struct {
	*forward.Forwarder
	*perf.OTLP
	mu      sync.Mutex
	dropped map[string]int64
}

func newLane(t *testing.T, r *receiver, change func(*forward.Options)) *lane {
	t.Helper()
	sender, err := perf.NewOTLPTo(r.URL, http.Header{"X-Scope": {"kibitz"}}, nil)
	if err != nil {
		t.Fatal(err)
	}
	l := &lane{OTLP: sender, dropped: map[string]int64{}}
	o := forward.Options{Send: sender.Send, Node: "n1", Queue: 1 << 20, Patience: time.Minute, Pause: time.Millisecond, Log: slog.New(slog.DiscardHandler),
		Dropped: func(project int64, reason string, n int64) {
			l.mu.Lock()
			defer l.mu.Unlock()
			l.dropped[fmt.Sprintf("%d %s", project, reason)] += n
		}}
	if change != nil {
		change(&o)
	}
	if l.Forwarder, err = forward.New(o); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(l.end)
	return l
}

// end sends what waits.
func (l *lane) end() { l.Close(context.Background()) }

func (l *lane) want(t *testing.T, sent int64, dropped map[string]int64) {
	t.Helper()
	l.mu.Lock()
	defer l.mu.Unlock()
	if s := l.Stats(); s.Sent != sent || s.QueueBytes != 0 || !maps.Equal(l.dropped, dropped) {
		t.Errorf("sent %d, %d bytes wait, dropped %v; want %d and %v", s.Sent, s.QueueBytes, l.dropped, sent, dropped)
	}
	var counted, told int64
	for _, n := range l.Stats().Dropped {
		counted += n
	}
	for _, n := range l.dropped {
		told += n
	}
	if counted != told {
		t.Errorf("counted %d dropped, told of %d", counted, told)
	}
}

func record(t *testing.T, project int64, list ...trace.Request) ingest.Record {
	t.Helper()
	z, err := zstd.NewWriter(nil)
	if err != nil {
		t.Fatal(err)
	}
	return ingest.Record{ID: 1, Project: project, Kind: ingest.KindRequests, Payload: z.EncodeAll(trace.Append(nil, list), nil)}
}

func request(n int) trace.Request {
	q := trace.Request{Trace: trace.ID{1, 15: byte(n)}, Span: trace.SpanID(n), Name: "/cart/{id}", Source: "route", Op: "http.server", Method: "GET", Status: 200,
		Start: time.Unix(1_700_000_000, 0).UTC(), Duration: time.Second, Service: "shop", Release: "shop@1", Platform: "python", Weight: 4}
	q.Spans = []trace.Span{{ID: trace.SpanID(1000 + n), Parent: q.Span, Op: "db.query", Text: "SELECT 1", System: "postgresql", Category: trace.DB, Duration: time.Millisecond, Rows: -1}}
	return q
}

func service(q trace.Request, name string) trace.Request { q.Service = name; return q }

// TestForward holds what arrives: requests of several programs in one message, spans without their request, and what a line of
// syslog said.
func TestForward(t *testing.T) {
	t.Parallel()
	r := newReceiver(t, answer{200, "", "{}"})
	l := newLane(t, r, nil)
	loose := trace.Request{Trace: trace.ID{9}, Partial: true, Service: "mail", Start: time.Unix(1_700_000_000, 0).UTC(), Weight: 1,
		Spans: []trace.Span{{ID: 77, Parent: 5, Op: "http.client", Text: "GET https://x.example/y", Category: trace.HTTP, Duration: time.Second, Rows: -1}}}
	summed := request(3)
	summed.Spans, summed.Summed = nil, true
	summed.Totals.N[trace.DB], summed.Totals.Time[trace.DB] = 7, 250*time.Millisecond
	l.Offer([]ingest.Record{record(t, 7, request(1), service(request(2), "other"), loose, summed), {Kind: ingest.KindEvent}, {Kind: ingest.KindLogs}})
	l.end()
	l.want(t, 4, map[string]int64{})
	byService := map[string][]trace.Request{}
	for _, q := range r.got {
		byService[q.Service] = append(byService[q.Service], q)
	}
	if shop := byService["shop"]; len(shop) != 2 || len(shop[0].Spans) != 1 || shop[0].Spans[0].Text != "SELECT 1" || shop[0].Weight != 4 || shop[0].Release != "shop@1" ||
		shop[0].Name != "/cart/{id}" || shop[0].Attrs[0] != (trace.Attr{Key: "kibitz.forwarded_by", Value: "n1"}) ||
		!slices.Contains(shop[1].Attrs, trace.Attr{Key: "kibitz.db.count", Value: "7"}) || !slices.Contains(shop[1].Attrs, trace.Attr{Key: "kibitz.db.duration", Value: "0.25"}) {
		t.Errorf("shop: %+v", shop)
	}
	if len(byService["other"]) != 1 || byService["other"][0].Span != 2 {
		t.Errorf("other: %+v", byService["other"])
	}
	if mail := byService["mail"]; len(mail) != 1 || !mail[0].Partial || mail[0].Spans[0].ID != 77 || mail[0].Spans[0].Attrs[0].Key != "kibitz.forwarded_by" {
		t.Errorf("mail: %+v", mail)
	}
}

// TestForwardEndsLoops holds that what arrived by being forwarded goes no further, be it whole or in parts.
func TestForwardEndsLoops(t *testing.T) {
	t.Parallel()
	first := newReceiver(t, answer{200, "", "{}"})
	l := newLane(t, first, nil)
	loose := trace.Request{Trace: trace.ID{9}, Partial: true, Service: "mail", Start: time.Unix(1_700_000_000, 0).UTC(), Weight: 1,
		Spans: []trace.Span{{ID: 77, Parent: 5, Op: "function", Duration: time.Second, Rows: -1}}}
	l.Offer([]ingest.Record{record(t, 7, request(1), loose)})
	l.end()
	second := newReceiver(t, answer{200, "", "{}"})
	back := newLane(t, second, nil)
	back.Offer([]ingest.Record{record(t, 8, first.got...)})
	back.end()
	back.want(t, 0, map[string]int64{"8 forward_loop": 2})
	if second.posts != 0 {
		t.Errorf("%d messages went round", second.posts)
	}
}

// TestForwardAnswers holds what is sent again, what is not, and that each request ends as sent or dropped.
func TestForwardAnswers(t *testing.T) {
	t.Parallel()
	ok := answer{200, "", "{}"}
	for _, c := range []struct {
		name     string
		answers  []answer
		patience time.Duration
		sent     int64
		dropped  map[string]int64
		posts    int // 0: any
		rejected int64
	}{
		{"asks for patience", []answer{{429, "0", ""}, {503, "1", ""}, ok}, time.Minute, 3, nil, 3, 0},
		{"away for longer than the sender tries", []answer{{503, "", ""}, {503, "", ""}, {502, "", ""}, {504, "", ""}, {503, "", ""}, ok}, time.Minute, 3, nil, 6, 0},
		{"away for too long", []answer{{503, "", ""}}, 0, 0, map[string]int64{"7 forward_timeout": 3}, 4, 0},
		{"refuses", []answer{{400, "", ""}}, time.Minute, 0, map[string]int64{"7 forward_refused": 3}, 1, 0},
		{"wants another key", []answer{{401, "", ""}}, time.Minute, 0, map[string]int64{"7 forward_refused": 3}, 1, 0},
		{"keeps a part", []answer{{200, "", `{"partialSuccess":{"rejectedSpans":"2","errorMessage":"x"}}`}}, time.Minute, 3, nil, 1, 2},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			r := newReceiver(t, c.answers...)
			l := newLane(t, r, func(o *forward.Options) { o.Patience = c.patience })
			l.Offer([]ingest.Record{record(t, 7, request(1), request(2), request(3))})
			l.end()
			l.want(t, c.sent, c.dropped)
			if r.posts != c.posts || l.Rejected() != c.rejected || int64(len(r.got)) != c.sent {
				t.Errorf("%d messages with %d requests, %d spans rejected", r.posts, len(r.got), l.Rejected())
			}
		})
	}
}

// TestForwardGoesOnAfterRefusal holds that of a batch of several messages only the refused one is lost, and none comes twice.
func TestForwardGoesOnAfterRefusal(t *testing.T) {
	t.Parallel()
	ok := answer{200, "", "{}"}
	r := newReceiver(t, ok, answer{400, "", ""}, ok)
	l := newLane(t, r, nil)
	var list []trace.Request
	for n := range 12 {
		q := request(n + 1)
		for len(q.Spans) < 999 {
			s := q.Spans[0]
			s.ID = trace.SpanID(10_000*(n+1) + len(q.Spans))
			q.Spans = append(q.Spans, s)
		}
		list = append(list, q)
	}
	l.Offer([]ingest.Record{record(t, 7, list...)})
	l.end()
	l.want(t, 7, map[string]int64{"7 forward_refused": 5})
	seen := map[trace.SpanID]int{}
	for _, q := range r.got {
		seen[q.Span]++
	}
	if len(seen) != 7 || len(r.got) != 7 || seen[6] != 0 || seen[12] != 1 {
		t.Errorf("arrived: %v", seen)
	}
}

// TestForwardNeverWaits holds that a receiver that does not answer costs the queue and nothing else, and that what is left at
// the end is counted.
func TestForwardNeverWaits(t *testing.T) {
	t.Parallel()
	r := newReceiver(t, answer{200, "", "{}"})
	r.hold = make(chan struct{})
	rec := record(t, 7, request(1))
	l := newLane(t, r, func(o *forward.Options) { o.Queue = 10 * int64(len(rec.Payload)) })
	const offered = 100
	for range offered {
		l.Offer([]ingest.Record{rec}) // the test hangs here when it waits
	}
	stop, cancel := context.WithCancel(context.Background())
	cancel()
	l.Close(stop)
	close(r.hold)
	l.Offer([]ingest.Record{rec})
	s := l.Stats()
	full, closed := s.Dropped[forward.QueueFull], s.Dropped[forward.Closed]
	// How many were taken out of the queue before it was full is up to the scheduler; those that were are closed, too.
	if s.Sent != 0 || full == 0 || full > offered-10 || closed < 11 || full+closed != offered+1 {
		t.Errorf("%+v", s)
	}
}

// TestForwardDamaged holds that what cannot be read is counted and in nobody's way.
func TestForwardDamaged(t *testing.T) {
	t.Parallel()
	r := newReceiver(t, answer{200, "", "{}"})
	l := newLane(t, r, nil)
	l.Offer([]ingest.Record{{Project: 7, Kind: ingest.KindRequests, Payload: []byte("no zstd")}, record(t, 7, request(1))})
	l.end()
	l.want(t, 1, map[string]int64{"7 forward_damaged": 1})
}

// TestForwardCountsByNumber holds that a record that does not fit is counted by the number beside it, without being read.
func TestForwardCountsByNumber(t *testing.T) {
	t.Parallel()
	r := newReceiver(t, answer{200, "", "{}"})
	l := newLane(t, r, func(o *forward.Options) { o.Queue = 3 })
	l.Offer([]ingest.Record{{Project: 7, Kind: ingest.KindRequests, Items: 500, Payload: []byte("no zstd")}, record(t, 7, request(1), request(2))})
	l.end()
	l.want(t, 0, map[string]int64{"7 forward_queue_full": 502})
}

type sink struct {
	ingest.Sink
	err error
}

func (s sink) Write(context.Context, ingest.Batch) error { return s.err }

// TestSink holds that only what was stored is sent on.
func TestSink(t *testing.T) {
	t.Parallel()
	r := newReceiver(t, answer{200, "", "{}"})
	l := newLane(t, r, nil)
	away := errors.New("away")
	b := ingest.Batch{Records: []ingest.Record{record(t, 7, request(1))}}
	if err := (forward.Sink{Sink: sink{err: away}, To: l.Forwarder}).Write(t.Context(), b); !errors.Is(err, away) {
		t.Errorf("got %v", err)
	}
	if err := (forward.Sink{Sink: sink{}, To: l.Forwarder}).Write(t.Context(), b); err != nil {
		t.Error(err)
	}
	if err := (forward.Sink{Sink: sink{}, To: l.Forwarder, On: func() bool { return false }}).Write(t.Context(), b); err != nil {
		t.Error(err)
	}
	l.end()
	l.want(t, 1, map[string]int64{})
}

// TestAddresses holds what is an address to forward to, and that a failure tells nothing of it.
func TestAddresses(t *testing.T) {
	t.Parallel()
	for _, bad := range []string{"", "x", "ftp://host", "http://", "http://user:secret@host/", "http://host:bad"} {
		if _, err := perf.NewOTLPTo(bad, nil, nil); err == nil {
			t.Errorf("%q is an address", bad)
		}
	}
	o, err := perf.NewOTLPTo("http://127.0.0.1:1/v1/traces?key=secret", nil, nil)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	var failed *perf.SendError
	if err := o.Send(ctx, []trace.Request{request(1)}); !errors.As(err, &failed) || !failed.Again || failed.Tried != 1 || strings.Contains(err.Error(), "secret") {
		t.Errorf("got %v", err)
	}
}
