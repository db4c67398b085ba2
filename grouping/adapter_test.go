package grouping

import (
	"bytes"
	"encoding/json"
	"strconv"
	"strings"
)

// rawEvent is an event as a client sends it, as far as the tests need it.
type rawEvent struct {
	Platform, Level, Logger, Transaction, Release, Checksum string

	Fingerprint []string
	Message     json.RawMessage
	LogEntry    *rawMessage    `json:"logentry"`
	Exception   values[rawExc] `json:"exception"`
	Threads     values[rawThread]
	Stacktrace  *rawStack
	Template    *struct {
		Filename    string
		AbsPath     string `json:"abs_path"`
		ContextLine string `json:"context_line"`
	}
	CSP *struct {
		Effective string `json:"effective_directive"`
		Violated  string `json:"violated_directive"`
		Blocked   string `json:"blocked_uri"`
		Document  string `json:"document_uri"`
	}
	SDK      struct{ Name string }
	Tags     json.RawMessage
	Grouping struct{ Enhancements string } `json:"_grouping"`
	Rules    []FingerprintRule             `json:"_fingerprinting_rules"`
}

// values is a list that may also come as {"values": [...]} or as its only member.
type values[T any] []T

func (v *values[T]) UnmarshalJSON(b []byte) error {
	var list []T
	if err := json.Unmarshal(b, &list); err == nil {
		*v = list
		return nil
	}
	var wrapped struct{ Values *[]T }
	if err := json.Unmarshal(b, &wrapped); err == nil && wrapped.Values != nil {
		*v = *wrapped.Values
		return nil
	}
	var one T
	if err := json.Unmarshal(b, &one); err != nil {
		return err
	}
	*v = []T{one}
	return nil
}

type rawMessage struct{ Message, Formatted string }

type rawExc struct {
	Type, Value, Module string
	Stacktrace          *rawStack
	Mechanism           *struct {
		Type      string
		Synthetic bool
		ID        *int `json:"exception_id"`
		Parent    *int `json:"parent_id"`
		Group     bool `json:"is_exception_group"`
		Source    string
		Meta      struct {
			NS *struct {
				Domain string
				Code   json.Number
			} `json:"ns_error"`
		}
	}
}

type rawThread struct {
	ID               any
	Crashed, Current bool
	Stacktrace       *rawStack
}

type rawStack struct {
	Frames []struct {
		AbsPath     string `json:"abs_path"`
		Filename    string
		Module      string
		Package     string
		Function    string
		Raw         string `json:"raw_function"`
		ContextLine string `json:"context_line"`
		Platform    string
		Line        int   `json:"lineno"`
		Column      int   `json:"colno"`
		InApp       *bool `json:"in_app"`
		Data        struct {
			OrigInApp *int `json:"orig_in_app"`
			Sourcemap any
		}
	}
}

func (s *rawStack) stack() *Stacktrace {
	if s == nil {
		return nil
	}
	out := &Stacktrace{}
	for _, f := range s.Frames {
		in := f.InApp
		if o := f.Data.OrigInApp; o != nil {
			in = nil
			if *o >= 0 {
				is := *o == 1
				in = &is
			}
		}
		out.Frames = append(out.Frames, Frame{AbsPath: f.AbsPath, Filename: f.Filename, Module: f.Module, Package: f.Package,
			Function: f.Function, RawFunction: f.Raw, ContextLine: f.ContextLine, Platform: f.Platform, Line: f.Line, Column: f.Column,
			InApp: in, SourceMapped: f.Data.Sourcemap != nil})
	}
	return out
}

func (e *rawEvent) event() *Event {
	ev := &Event{Platform: e.Platform, Level: e.Level, Logger: e.Logger, Transaction: e.Transaction, Release: e.Release,
		SDK: e.SDK.Name, Fingerprint: e.Fingerprint, Checksum: e.Checksum, Stacktrace: e.Stacktrace.stack()}
	e.message(ev)
	_ = json.Unmarshal(e.Tags, &ev.Tags) // the pairs that some clients send are the parser's business
	for _, x := range e.Exception {
		ev.Exceptions = append(ev.Exceptions, x.exception())
	}
	for i, t := range e.Threads {
		ev.Threads = append(ev.Threads, Thread{ID: strconv.Itoa(i), Crashed: t.Crashed, Current: t.Current, Stack: t.Stacktrace.stack()})
	}
	if t := e.Template; t != nil {
		ev.Template = &Template{Filename: t.Filename, ContextLine: t.ContextLine}
	}
	if c := e.CSP; c != nil {
		ev.Security = &Security{Kind: "csp", EffectiveDirective: c.Effective, ViolatedDirective: c.Violated, BlockedURI: c.Blocked, DocumentURI: c.Document}
	}
	return ev
}

func (e *rawEvent) message(ev *Event) {
	if e.LogEntry != nil {
		ev.Message, ev.Formatted = e.LogEntry.Message, e.LogEntry.Formatted
	} else if bytes.HasPrefix(e.Message, []byte(`"`)) {
		_ = json.Unmarshal(e.Message, &ev.Formatted)
	}
	if strings.TrimSpace(ev.Message) == "" {
		ev.Message = ev.Formatted
	}
}

func (x *rawExc) exception() Exception {
	out := Exception{Type: x.Type, Value: x.Value, Module: x.Module, Stack: x.Stacktrace.stack()}
	m := x.Mechanism
	if m == nil {
		return out
	}
	out.Mechanism = Mechanism{Type: m.Type, Synthetic: m.Synthetic, IsGroup: m.Group, Source: m.Source}
	if m.ID != nil {
		out.Mechanism.HasID, out.Mechanism.ID = true, *m.ID
	}
	if m.Parent != nil {
		out.Mechanism.HasParent, out.Mechanism.ParentID = true, *m.Parent
	}
	if ns := m.Meta.NS; ns != nil {
		out.Mechanism.NSDomain, out.Mechanism.NSCode = ns.Domain, ns.Code.String()
	}
	return out
}
