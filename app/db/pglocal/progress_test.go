package pglocal

import (
	"bytes"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
)

func TestMeter(t *testing.T) {
	t.Parallel()
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Length", "3000000")
		w.Write(make([]byte, 3_000_000))
	}))
	defer s.Close()
	var said bytes.Buffer
	client := http.Client{Transport: meter{http.DefaultTransport, &said}}
	res, err := client.Get(s.URL)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	if n, err := io.Copy(io.Discard, res.Body); n != 3_000_000 || err != nil {
		t.Errorf("%d bytes: %v", n, err)
	}
	if text := said.String(); !strings.Contains(text, "[##############################] 100 % of 2 MB\n") || strings.Count(text, "\r") < 3 {
		t.Errorf("it said %q", text)
	}
}
