package perf

import (
	"io"
	"net/http"
	"net/url"
	"sync/atomic"

	"kibitz/app/trace"
)

// Transport records requests to others in the request of their context, and hands the trace on to them by
// traceparent and sentry-trace. A nil base is http.DefaultTransport. A request counts until its answer's body has been read or
// closed. Its text is the method and the address without its query, which may hold secrets.
func Transport(base http.RoundTripper) http.RoundTripper {
	if base == nil {
		base = http.DefaultTransport
	}
	return &transport{base}
}

type transport struct{ base http.RoundTripper }

// RoundTrip implements http.RoundTripper.
func (t *transport) RoundTrip(req *http.Request) (*http.Response, error) {
	if FromContext(req.Context()) == nil {
		return t.base.RoundTrip(req)
	}
	span := BeginWork(req.Context(), Work{Category: trace.HTTP, Op: "http.client", Text: req.Method + " " + address(req.URL)})
	res, err := t.base.RoundTrip(withTrace(req, span))
	if err != nil {
		span.EndErr(err)
		return res, err
	}
	o := Outcome{Failed: res.StatusCode >= 500, State: trace.StateOf(res.StatusCode), Rows: -1}
	if res.StatusCode == http.StatusSwitchingProtocols || res.Body == nil {
		span.EndWith(o) // what follows is a conversation of its own
		return res, nil
	}
	res.Body = &body{ReadCloser: res.Body, span: span, outcome: o}
	return res, nil
}

func address(u *url.URL) string { return u.Scheme + "://" + u.Host + u.EscapedPath() }

// withTrace is the request with the headers of a trace. The caller's own is left as it is, and so are headers that it set.
func withTrace(req *http.Request, span Span) *http.Request {
	out := *req
	out.Header = req.Header.Clone()
	if out.Header == nil {
		out.Header = http.Header{}
	}
	span.WriteHeaders(func(name, value string) {
		if out.Header.Get(name) == "" {
			out.Header.Set(name, value)
		}
	})
	return &out
}

// body ends the span of an answer when it has been read, or is closed.
type body struct {
	io.ReadCloser
	span    Span
	outcome Outcome
	ended   atomic.Bool
}

// Read implements io.Reader.
func (b *body) Read(p []byte) (int, error) {
	n, err := b.ReadCloser.Read(p)
	if err != nil {
		b.end(err != io.EOF)
	}
	return n, err
}

// Close implements io.Closer.
func (b *body) Close() error {
	b.end(false)
	return b.ReadCloser.Close()
}

func (b *body) end(failed bool) {
	if b.ended.Swap(true) {
		return
	}
	if failed {
		b.outcome.Failed, b.outcome.State = true, "internal_error"
	}
	b.span.EndWith(b.outcome)
}
