package otlp

import (
	"encoding/json"
	"strconv"
)

// Signal is what a message carries.
type Signal int

// The signals.
const (
	Traces Signal = iota
	Logs
)

// rejectedKeys are the names that partial success gives to its count in JSON.
var rejectedKeys = [...]string{Traces: "rejectedSpans", Logs: "rejectedLogRecords"}

// Success is the body of an ExportTraceServiceResponse or ExportLogsServiceResponse. When nothing was rejected
// partial_success is not set, as the specification asks.
func Success(encoding Encoding, signal Signal, r Rejected) []byte {
	if r.N == 0 {
		if encoding == JSON {
			return []byte("{}")
		}
		return nil
	}
	if encoding == JSON {
		return object("partialSuccess", map[string]string{rejectedKeys[signal]: strconv.Itoa(r.N), "errorMessage": r.Text})
	}
	var inner message
	inner.number(1, uint64(r.N))
	inner.text(2, r.Text)
	var out message
	out.text(1, string(inner))
	return out
}

// Codes of a google.rpc.Status (https://github.com/googleapis/googleapis/blob/master/google/rpc/code.proto).
const (
	CodeInvalid     = 3  // INVALID_ARGUMENT
	CodeDenied      = 7  // PERMISSION_DENIED
	CodeExhausted   = 8  // RESOURCE_EXHAUSTED
	CodeInternal    = 13 // INTERNAL
	CodeUnavailable = 14 // UNAVAILABLE
	CodeUnknown     = 2  // UNKNOWN
)

// Failure is the body of a google.rpc.Status.
func Failure(encoding Encoding, code int, text string) []byte {
	if encoding == JSON {
		b, err := json.Marshal(struct {
			Code    int    `json:"code"`
			Message string `json:"message"`
		}{code, text})
		if err != nil {
			return []byte("{}") // a number and a text always encode
		}
		return b
	}
	var out message
	out.number(1, uint64(code))
	out.text(2, text)
	return out
}

func object(key string, value map[string]string) []byte {
	b, err := json.Marshal(map[string]any{key: value})
	if err != nil {
		return []byte("{}") // texts always encode
	}
	return b
}

// message is a protobuf message being written.
type message []byte

func (m *message) varint(n uint64) {
	for ; n >= 0x80; n >>= 7 {
		*m = append(*m, byte(n)|0x80)
	}
	*m = append(*m, byte(n))
}

func (m *message) number(field, n uint64) {
	m.varint(field<<3 | wireVarint)
	m.varint(n)
}

func (m *message) text(field uint64, text string) {
	m.varint(field<<3 | wireBytes)
	m.varint(uint64(len(text)))
	*m = append(*m, text...)
}
