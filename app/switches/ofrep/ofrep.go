// Package ofrep is the OpenFeature Remote Evaluation Protocol, version 0.3: contexts in, answers out (pure). Clients know the
// statuses 200, 304, 400, 401, 403, 404, 429 and 500 only; nothing else is ever answered.
//
// See https://github.com/open-feature/protocol.
package ofrep

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"time"

	"kibitz/app/errs"
	"kibitz/app/switches"
	"kibitz/app/switches/jsonout"
)

// MaxContext is how large the body of a question may be, in bytes. Contexts have some hundred; what is larger was never meant.
const MaxContext = 64 << 10

// Code says why a flag has no answer.
type Code string

// The codes.
const (
	ParseError          Code = "PARSE_ERROR"
	TargetingKeyMissing Code = "TARGETING_KEY_MISSING"
	InvalidContext      Code = "INVALID_CONTEXT"
	FlagNotFound        Code = "FLAG_NOT_FOUND"
	General             Code = "GENERAL"
)

// Failure is why a question as a whole cannot be answered; its status is 400.
type Failure struct {
	Code    Code
	Details string
}

// Error implements error.
func (f *Failure) Error() string { return f.Details }

// Subject reads who is asked for from the body of a question. No body, no context and an empty context are nobody, who gets what
// everyone gets. The error is a *Failure.
func Subject(body []byte) (switches.Subject, error) {
	var none switches.Subject
	if len(body) > MaxContext {
		return none, &Failure{InvalidContext, fmt.Sprintf("The body has %d bytes; at most %d are read (limit context). Send the attributes that conditions ask.",
			len(body), MaxContext)}
	}
	if len(bytes.TrimSpace(body)) == 0 {
		return none, nil
	}
	var question struct {
		Context json.RawMessage `json:"context"`
	}
	if err := json.Unmarshal(body, &question); err != nil {
		return none, malformed(err)
	}
	if len(question.Context) == 0 || string(question.Context) == "null" {
		return none, nil
	}
	var context map[string]any
	if err := json.Unmarshal(question.Context, &context); err != nil {
		return none, &Failure{InvalidContext, "The context is no object."}
	}
	if key, ok := context["targetingKey"]; ok && key != nil {
		if _, ok := key.(string); !ok {
			return none, &Failure{InvalidContext, "targetingKey is no text."}
		}
	}
	sub, err := switches.SubjectOf(context)
	if err != nil {
		return none, &Failure{InvalidContext, errs.Message(err)}
	}
	return sub, nil
}

func malformed(err error) *Failure {
	var typed *json.UnmarshalTypeError
	if errors.As(err, &typed) {
		return &Failure{ParseError, `The body has to be an object: {"context": {"targetingKey": "..."}}.`}
	}
	return &Failure{ParseError, "The body is no JSON."}
}

// FailureOf is why an answer is none; ok is false when it is one. A switch that cannot be answered without an id says so: the
// program then uses its own default.
func FailureOf(a *switches.Answer) (code Code, details string, ok bool) {
	switch {
	case a.Reason == switches.NotFound:
		return FlagNotFound, "There is no switch of this key.", true
	case a.Reason == switches.Errored:
		return ParseError, "The switch is broken, and off; its page says why.", true
	case a.Missing == "user":
		return TargetingKeyMissing, "A share of people is asked, and the context has no targetingKey.", true
	case a.Missing != "":
		return InvalidContext, "A share is asked of the attribute " + a.Missing + ", which the context has not.", true
	}
	return "", "", false
}

// AppendAnswer writes an answer, or why there is none. Whether a variant is one of being on is told where the value does not say.
// Only who may read rules is told the condition.
func AppendAnswer(b []byte, a *switches.Answer, rules bool) []byte {
	if code, details, failed := FailureOf(a); failed {
		return AppendFailure(b, a.Key, code, details)
	}
	b = append(b, `{"key":`...)
	b = jsonout.Text(b, a.Key)
	b = append(b, `,"reason":"`...)
	b = append(b, a.Reason.String()...)
	b = append(b, `","variant":`...)
	b = jsonout.Text(b, a.Variant)
	b = append(b, `,"value":`...)
	b = append(b, a.Value...)
	plain := len(a.Value) > 0 && (a.Value[0] == 't' || a.Value[0] == 'f')
	switch {
	case rules:
		b = append(b, `,"metadata":{"on":`...)
		b = append(strconv.AppendBool(b, a.On), `,"condition":`...)
		b = append(jsonout.Text(b, a.Condition), '}')
	case !plain:
		b = append(b, `,"metadata":{"on":`...)
		b = append(strconv.AppendBool(b, a.On), '}')
	}
	return append(b, '}')
}

// AppendFailure writes why a flag has no answer.
func AppendFailure(b []byte, key string, code Code, details string) []byte {
	b = append(b, `{"key":`...)
	b = jsonout.Text(b, key)
	b = append(b, `,"errorCode":"`...)
	b = append(b, code...)
	b = append(b, `","errorDetails":`...)
	return append(jsonout.Text(b, details), '}')
}

// AppendWhole writes why a call as a whole cannot be answered.
func AppendWhole(b []byte, code Code, details string) []byte {
	b = append(b, `{"errorCode":"`...)
	b = append(b, code...)
	b = append(b, `","errorDetails":`...)
	return append(jsonout.Text(b, details), '}')
}

// Inactivity is after how many seconds a hidden page may close its stream.
const Inactivity = 120

// AppendBulk writes the answers of all switches that pass the filter (nil: all), and counts them. stream is the path that tells
// of changes, "" for none.
func AppendBulk(b []byte, c switches.Counting, sub *switches.Subject, filter func(key string) bool, stream string) []byte {
	b = append(b, `{"flags":[`...)
	first, s := true, c.Snapshot()
	c.Each(sub, filter, func(a *switches.Answer) {
		if !first {
			b = append(b, ',')
		}
		first = false
		b = AppendAnswer(b, a, false)
	})
	b = append(b, `],"metadata":{"environment":`...)
	b = jsonout.Text(b, s.Environment())
	b = append(b, `,"revision":`...)
	b = append(strconv.AppendInt(b, s.Revision(), 10), '}')
	if stream != "" {
		b = append(b, `,"eventStreams":[{"type":"sse","endpoint":{"requestUri":`...)
		b = jsonout.Text(b, stream)
		b = append(b, `},"inactivityDelaySec":`...)
		b = append(strconv.AppendInt(b, Inactivity, 10), `}]`...)
	}
	return append(b, '}')
}

// Mark is the state of a snapshot: it changes when what it answers may, by a flip or because its time has come.
func Mark(s *switches.Snapshot) string {
	mark := strconv.FormatInt(s.Revision(), 36)
	if next := s.Next(); !next.IsZero() {
		mark += "." + strconv.FormatInt(next.UnixMilli(), 36)
	}
	return mark
}

// ETag is of everything that an answer to a bulk follows from: the state of the switches, which of them are asked, for whom, and
// where the stream is. It is the same in every process, and known before anything is evaluated.
func ETag(s *switches.Snapshot, set, stream string, body []byte) string {
	h := sha256.New()
	for _, part := range []string{s.Environment(), set, stream} {
		h.Write([]byte(part))
		h.Write([]byte{0})
	}
	h.Write(body)
	var sum [sha256.Size]byte
	return `"` + Mark(s) + "-" + hex.EncodeToString(h.Sum(sum[:0])[:12]) + `"`
}

// Matches tells whether a header If-None-Match names an ETag; proxies make weak ones of it.
func Matches(header, etag string) bool {
	for len(header) > 0 {
		var one string
		if i := indexComma(header); i >= 0 {
			one, header = header[:i], header[i+1:]
		} else {
			one, header = header, ""
		}
		one = string(bytes.TrimPrefix(bytes.TrimSpace([]byte(one)), []byte("W/")))
		if one == etag || one == "*" {
			return true
		}
	}
	return false
}

func indexComma(s string) int {
	quoted := false
	for i := range len(s) {
		switch {
		case s[i] == '"':
			quoted = !quoted
		case s[i] == ',' && !quoted:
			return i
		}
	}
	return -1
}

// Event is what a stream tells: that answers may have changed. Values are never told. The time is that of the change.
func Event(id string, at time.Time) string {
	return "id: " + id + "\nevent: message\ndata: {\"type\":\"refetchEvaluation\",\"lastModified\":" + strconv.FormatInt(at.Unix(), 10) + "}\n\n"
}
