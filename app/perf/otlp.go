package perf

import (
	"bytes"
	"cmp"
	"compress/gzip"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"path"
	"strconv"
	"strings"
	"sync/atomic"
	"time"

	"kibitz/app/trace"
)

// Limits of sending. A span is some 600 bytes of JSON, so a message stays around 3 MB before it is compressed.
const (
	otlpSpans    = 5000 // of one message
	otlpAttempts = 4    // 0.25 s, 0.5 s and 1 s apart, or as far as the server asks for
	otlpPause    = 250 * time.Millisecond
	maxAnswer    = 64 << 10
)

// OTLP sends requests as OpenTelemetry traces (https://opentelemetry.io/docs/specs/otlp/, JSON over HTTP) to Kibitz, or
// to anything else that speaks it. Its method Send is a Sink.
type OTLP struct {
	url      string
	header   http.Header
	client   *http.Client
	rejected atomic.Int64
}

// SendError is why Send stopped. Of its requests the first Sent were taken; the Tried after them were not, and may be sent
// again when Again is set: the server was away, or asked for patience. Otherwise it will never take them.
type SendError struct {
	Sent, Tried int
	Again       bool
	err         error
}

// Error tells how many requests are left and the reason of the last try. It holds no address and no header.
func (e *SendError) Error() string { return e.err.Error() }

// Unwrap gives the reason of the last try.
func (e *SendError) Unwrap() error { return errors.Unwrap(e.err) }

// NewOTLP makes a sender for a DSN as Sentry's SDKs have it, https://KEY@HOST/PROJECT, which a project's page shows. A nil
// client is one that gives up after 10 seconds. The errors are those of a wrong DSN.
func NewOTLP(dsn string, client *http.Client) (*OTLP, error) {
	u, err := url.Parse(dsn)
	if err != nil || u.User.Username() == "" || u.Host == "" || u.Scheme != "http" && u.Scheme != "https" {
		return nil, errors.New("a DSN has the form https://KEY@HOST/PROJECT") // the text would show the key
	}
	to := url.URL{Scheme: u.Scheme, Host: u.Host, Path: path.Join("/", path.Dir(u.Path), "v1/traces")}
	return newOTLP(to, http.Header{"Authorization": {"Bearer " + u.User.Username()}}, client), nil
}

// NewOTLPTo makes a sender for the address of any receiver of OTLP over HTTP, with headers for each message. An address
// without a path gets /v1/traces. A nil client is one that gives up after 10 seconds. The errors are those of a wrong address.
func NewOTLPTo(address string, header http.Header, client *http.Client) (*OTLP, error) {
	u, err := url.Parse(address)
	if err != nil || u.Host == "" || u.User != nil || u.Scheme != "http" && u.Scheme != "https" {
		return nil, errors.New("write http:// or https:// and a host; keys and passwords go into headers")
	}
	if u.Path == "" || u.Path == "/" {
		u.Path = "/v1/traces"
	}
	return newOTLP(*u, header.Clone(), client), nil
}

func newOTLP(to url.URL, header http.Header, client *http.Client) *OTLP {
	if client == nil {
		client = &http.Client{Timeout: 10 * time.Second}
	}
	if header == nil {
		header = http.Header{}
	}
	header.Set("Content-Type", "application/json")
	header.Set("Content-Encoding", "gzip")
	return &OTLP{url: to.String(), header: header, client: client}
}

// Rejected is how many spans the server took without keeping them, as it said.
func (o *OTLP) Rejected() int64 { return o.rejected.Load() }

// Send sends requests, trying again a few times while the server is away or asks for it. Its errors are *SendError.
func (o *OTLP) Send(ctx context.Context, requests []trace.Request) error {
	for sent := 0; len(requests) > 0; {
		n, spans := 0, 0
		for n < len(requests) && (n == 0 || spans+len(requests[n].Spans) < otlpSpans) {
			spans += len(requests[n].Spans) + 1
			n++
		}
		if again, err := o.deliver(ctx, requests[:n]); err != nil {
			return &SendError{sent, n, again, fmt.Errorf("cannot send %d requests: %w", len(requests), err)}
		}
		sent, requests = sent+n, requests[n:]
	}
	return nil
}

// deliver sends one message. With an error it says whether it may be sent again.
func (o *OTLP) deliver(ctx context.Context, requests []trace.Request) (again bool, err error) {
	var body bytes.Buffer
	z := gzip.NewWriter(&body)
	if err := json.NewEncoder(z).Encode(otlpOf(requests)); err != nil {
		return false, err
	}
	if err := z.Close(); err != nil {
		return false, err
	}
	for attempt := 1; ; attempt++ {
		wait, err := o.post(ctx, body.Bytes())
		if err == nil || wait < 0 || attempt == otlpAttempts {
			return wait >= 0, err
		}
		select {
		case <-ctx.Done():
			return true, err
		case <-time.After(cmp.Or(wait, otlpPause<<(attempt-1))):
		}
	}
}

// post sends a body once. With an error it says how long to wait before the next try: 0 as one likes, negative for ever.
func (o *OTLP) post(ctx context.Context, body []byte) (wait time.Duration, err error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, o.url, bytes.NewReader(body))
	if err != nil {
		return -1, err
	}
	req.Header = o.header.Clone()
	res, err := o.client.Do(req)
	if err != nil {
		return 0, withoutAddress(err)
	}
	defer res.Body.Close()
	answer, err := io.ReadAll(io.LimitReader(res.Body, maxAnswer))
	switch {
	case res.StatusCode/100 == 2 && err == nil:
		o.read(answer)
		return 0, nil
	case res.StatusCode == 429, res.StatusCode == 502, res.StatusCode == 503, res.StatusCode == 504: // those that OTLP may repeat
		return retryAfter(res.Header), errors.New("the server answers " + res.Status)
	}
	return -1, errors.New("the server answers " + res.Status)
}

// withoutAddress keeps the address, which may hold a key in its query, out of logs.
func withoutAddress(err error) error {
	var u *url.Error
	if errors.As(err, &u) {
		return u.Err
	}
	return err
}

// read counts what the server says that it has not kept; the specification forbids to send it again.
func (o *OTLP) read(answer []byte) {
	var a struct {
		PartialSuccess struct {
			RejectedSpans json.Number `json:"rejectedSpans"`
		} `json:"partialSuccess"`
	}
	if json.Unmarshal(answer, &a) == nil {
		if n, err := a.PartialSuccess.RejectedSpans.Int64(); err == nil && n > 0 {
			o.rejected.Add(n)
		}
	}
}

// retryAfter is the header of that name in seconds; 0 without one.
func retryAfter(h http.Header) time.Duration {
	n, err := strconv.Atoi(strings.TrimSpace(h.Get("Retry-After")))
	if err != nil || n < 0 {
		return 0
	}
	return min(time.Duration(n)*time.Second, time.Minute)
}
