package otlp_test

import (
	"encoding/json"
	"testing"

	"google.golang.org/protobuf/encoding/protowire"

	"kibitz/ingest/otlp"
)

// fieldsOf reads a flat protobuf message with Google's reader: numbers and texts by their field.
func fieldsOf(t *testing.T, b []byte) (numbers map[int]uint64, texts map[int]string) {
	t.Helper()
	numbers, texts = map[int]uint64{}, map[int]string{}
	for len(b) > 0 {
		field, kind, n := protowire.ConsumeTag(b)
		if n < 0 {
			t.Fatal(protowire.ParseError(n))
		}
		b = b[n:]
		if kind == protowire.VarintType {
			numbers[int(field)], n = protowire.ConsumeVarint(b)
		} else {
			texts[int(field)], n = protowire.ConsumeString(b)
		}
		if n < 0 {
			t.Fatal(protowire.ParseError(n))
		}
		b = b[n:]
	}
	return numbers, texts
}

func TestAnswers(t *testing.T) {
	t.Parallel()
	r := otlp.Rejected{N: 300, Text: "a \"reason\""}
	_, outer := fieldsOf(t, otlp.Success(otlp.Protobuf, otlp.Traces, r))
	numbers, texts := fieldsOf(t, []byte(outer[1]))
	if numbers[1] != 300 || texts[2] != r.Text {
		t.Errorf("%v %v", numbers, texts)
	}
	for signal, key := range map[otlp.Signal]string{otlp.Traces: "rejectedSpans", otlp.Logs: "rejectedLogRecords"} {
		var v struct{ PartialSuccess map[string]string }
		if err := json.Unmarshal(otlp.Success(otlp.JSON, signal, r), &v); err != nil || v.PartialSuccess[key] != "300" || v.PartialSuccess["errorMessage"] != r.Text {
			t.Errorf("%v %v", err, v)
		}
	}
	if got := otlp.Success(otlp.Protobuf, otlp.Traces, otlp.Rejected{}); len(got) != 0 {
		t.Errorf("all taken is %q", got)
	}
	numbers, texts = fieldsOf(t, otlp.Failure(otlp.Protobuf, otlp.CodeInvalid, "no"))
	if numbers[1] != otlp.CodeInvalid || texts[2] != "no" {
		t.Errorf("%v %v", numbers, texts)
	}
	if got := string(otlp.Failure(otlp.JSON, otlp.CodeInvalid, "no")); got != `{"code":3,"message":"no"}` {
		t.Error(got)
	}
}
