package issues

import (
	"encoding/hex"
	"fmt"

	"kibitz/grouping"
	"kibitz/ingest/envelope"
)

// GroupingEvent is what grouping needs of an event. Strings are shared, not copied.
func GroupingEvent(ev *envelope.Event) *grouping.Event {
	out := &grouping.Event{
		Platform: ev.Platform, Level: ev.Level, Logger: ev.Logger, Transaction: ev.Transaction, Release: ev.Release, SDK: ev.SDK.Name,
		Fingerprint: ev.Fingerprint, Checksum: ev.Checksum, Message: ev.Message.Template, Formatted: ev.Message.Formatted,
		Stacktrace: groupingStack(ev.Stacktrace),
	}
	if out.Message == "" {
		out.Message = out.Formatted
	}
	for i := range ev.Exceptions {
		out.Exceptions = append(out.Exceptions, groupingException(&ev.Exceptions[i]))
	}
	for _, t := range ev.Threads {
		out.Threads = append(out.Threads, grouping.Thread{ID: t.ID, Crashed: t.Crashed, Current: t.Current, Stack: groupingStack(t.Stacktrace)})
	}
	if t := ev.Template; t != nil {
		out.Template = &grouping.Template{Filename: t.Filename, ContextLine: t.ContextLine}
	}
	if s := ev.Security; s != nil {
		out.Security = &grouping.Security{Kind: s.Kind, EffectiveDirective: s.EffectiveDirective, ViolatedDirective: s.ViolatedDirective,
			BlockedURI: s.BlockedURI, DocumentURI: s.DocumentURI, Hostname: s.Hostname}
	}
	if len(ev.Tags) > 0 {
		out.Tags = make(map[string]string, len(ev.Tags))
		for _, t := range ev.Tags {
			out.Tags[t.Key] = t.Value
		}
	}
	return out
}

func groupingException(e *envelope.Exception) grouping.Exception {
	out := grouping.Exception{Type: e.Type, Value: e.Value, Module: e.Module, Stack: groupingStack(e.Stacktrace)}
	if m := e.Mechanism; m != nil {
		out.Mechanism = grouping.Mechanism{Type: m.Type, Synthetic: m.Synthetic, Handled: m.Handled, HasID: m.ID >= 0, ID: m.ID,
			HasParent: m.ParentID >= 0, ParentID: m.ParentID, IsGroup: m.IsGroup, Source: m.Source, NSDomain: m.NSErrorDom, NSCode: m.NSErrorCode}
	}
	return out
}

func groupingStack(s *envelope.Stacktrace) *grouping.Stacktrace {
	if s == nil {
		return nil
	}
	out := &grouping.Stacktrace{Frames: make([]grouping.Frame, len(s.Frames))}
	for i := range s.Frames {
		f := &s.Frames[i]
		inApp := f.InApp
		if f.ClientInApp != nil {
			inApp = f.ClientInApp
		}
		out.Frames[i] = grouping.Frame{AbsPath: f.AbsPath, Filename: f.Filename, Module: f.Module, Package: f.Package, Function: f.Function,
			RawFunction: f.RawFunction, ContextLine: f.ContextLine, Platform: f.Platform, Line: f.Line, Column: f.Column, InApp: inApp,
			SourceMapped: f.SourceMapped}
	}
	return out
}

func parseHash(text string) (h [16]byte, err error) {
	if n, err := hex.Decode(h[:], []byte(text)); err != nil || n != len(h) {
		return h, fmt.Errorf("cannot read hash %q", text)
	}
	return h, nil
}
