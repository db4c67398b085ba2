package envelope

import (
	"math/rand/v2"
	"reflect"
	"testing"
	"time"
)

// grounded is what Slim reads of an event, taken from what Digest reads of it.
func grounded(ev *Event) Event {
	return Event{Platform: ev.Platform, Level: ev.Level, Logger: ev.Logger, Transaction: ev.Transaction, Release: ev.Release, Fingerprint: ev.Fingerprint,
		Checksum: ev.Checksum, Message: ev.Message, Exceptions: ev.Exceptions, Threads: ev.Threads, Stacktrace: ev.Stacktrace, Template: ev.Template,
		Security: ev.Security, Tags: ev.Tags, SDK: ev.SDK}
}

// checkSlim holds that Slim reads what Digest does, with memory that earlier events have left behind.
func checkSlim(t *testing.T, s *Slim, body []byte) {
	t.Helper()
	want, wantErr := ParseEvent(body, Digest)
	have, err := s.Parse(body)
	if (err == nil) != (wantErr == nil) {
		t.Fatalf("digest says %v, slim %v: %s", wantErr, err, body)
	}
	if err != nil {
		return
	}
	a, b := grounded(want), grounded(have)
	if len(a.Exceptions) == 0 && len(b.Exceptions) == 0 {
		a.Exceptions, b.Exceptions = nil, nil
	}
	if !reflect.DeepEqual(a, b) {
		t.Errorf("%s\ndigest %+v\nslim   %+v", body, a, b)
	}
}

// TestSlim reads events of every shape one after another.
func TestSlim(t *testing.T) {
	t.Parallel()
	var s Slim
	r := rand.New(rand.NewPCG(1, 1))
	for i := range 2 * Faults {
		checkSlim(t, &s, SampleEvent(r, i, "", time.Now()))
	}
	for _, body := range slimShapes {
		checkSlim(t, &s, []byte(body))
	}
}

var slimShapes = []string{
	`{}`, `[]`, `x`, `{"level":40,"platform":null,"logger":{}}`, `{"exception":{"values":[{"type":"A","value":{"a":[1]},"stacktrace":{"frames":[{},null,7]}}]}}`,
	`{"exception":[{"stacktrace":{"frames":[{"filename":"a","filename":"b","in_app":true,"in_app":false,"lineno":-1}]}}]}`,
	`{"exception":[{"stacktrace":{"frames":[{"function":"\u0066\ud800","module":"a\u0000b","data":{"sourcemap":1,"orig_in_app":false}}]}}]}`,
	`{"threads":[{"id":1,"crashed":true,"stacktrace":{"frames":[{"function":12.5}]}},{"id":2}],"stacktrace":{"frames":[{"package":"p"}]}}`,
	`{"template":{"filename":"t","context_line":"c"},"csp":{"blocked-uri":"x"},"tags":[["a","b"],{"key":"c","value":1}],"fingerprint":["a",1,null,true],"checksum":"c"}`,
	`{"message":{"message":"m %s","params":["x"],"formatted":"m x"},"sdk":{"name":"n"},"release":" r "}`, `{"fingerprint":"one","logentry":"text"}`,
}

// FuzzSlim looks for events that the two read differently.
func FuzzSlim(f *testing.F) {
	f.Add(SampleEvent(rand.New(rand.NewPCG(1, 1)), 0, "", time.Now()))
	for _, body := range slimShapes {
		f.Add([]byte(body))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		var s Slim
		checkSlim(t, &s, Clean(b))
		checkSlim(t, &s, Clean(b))
	})
}

// BenchmarkSlim is beside BenchmarkParseEvent, and beside the scan of the JSON alone.
func BenchmarkSlim(b *testing.B) {
	body := SampleEvent(rand.New(rand.NewPCG(1, 1)), 0, "", time.Now())
	b.Run("slim", func(b *testing.B) {
		var s Slim
		b.SetBytes(int64(len(body)))
		b.ReportAllocs()
		for b.Loop() {
			if _, err := s.Parse(body); err != nil {
				b.Fatal(err)
			}
		}
	})
	b.Run("json alone", func(b *testing.B) {
		var s Slim
		b.SetBytes(int64(len(body)))
		for b.Loop() {
			if _, err := s.json.ParseBytes(body); err != nil {
				b.Fatal(err)
			}
		}
	})
}
