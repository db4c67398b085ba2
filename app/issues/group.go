package issues

import (
	"encoding/hex"
	"fmt"

	"kibitz/grouping"
	"kibitz/ingest/envelope"
)

// GroupingEvent is what grouping needs of an event. Strings are shared, not copied.
func GroupingEvent(ev *envelope.Event) *grouping.Event { return new(groupingRoom).event(ev) }

// groupingRoom is the memory of an event for grouping. It can be used again for the next one.
type groupingRoom struct {
	ev         grouping.Event
	exceptions []grouping.Exception
	threads    []grouping.Thread
	frames     []grouping.Frame
}

func (room *groupingRoom) event(ev *envelope.Event) *grouping.Event {
	room.exceptions, room.threads, room.frames = room.exceptions[:0], room.threads[:0], room.frames[:0]
	room.ev = grouping.Event{
		Platform: ev.Platform, Level: ev.Level, Logger: ev.Logger, Transaction: ev.Transaction, Release: ev.Release, SDK: ev.SDK.Name,
		Fingerprint: ev.Fingerprint, Checksum: ev.Checksum, Message: ev.Message.Template, Formatted: ev.Message.Formatted,
		Stacktrace: room.stack(ev.Stacktrace),
	}
	out := &room.ev
	if out.Message == "" {
		out.Message = out.Formatted
	}
	for i := range ev.Exceptions {
		room.exceptions = append(room.exceptions, room.exception(&ev.Exceptions[i]))
	}
	for _, t := range ev.Threads {
		room.threads = append(room.threads, grouping.Thread{ID: t.ID, Crashed: t.Crashed, Current: t.Current, Stack: room.stack(t.Stacktrace)})
	}
	out.Exceptions, out.Threads = room.exceptions, room.threads
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

func (room *groupingRoom) exception(e *envelope.Exception) grouping.Exception {
	out := grouping.Exception{Type: e.Type, Value: e.Value, Module: e.Module, Stack: room.stack(e.Stacktrace)}
	if m := e.Mechanism; m != nil {
		out.Mechanism = grouping.Mechanism{Type: m.Type, Synthetic: m.Synthetic, Handled: m.Handled, HasID: m.ID >= 0, ID: m.ID,
			HasParent: m.ParentID >= 0, ParentID: m.ParentID, IsGroup: m.IsGroup, Source: m.Source, NSDomain: m.NSErrorDom, NSCode: m.NSErrorCode}
	}
	return out
}

func (room *groupingRoom) stack(s *envelope.Stacktrace) *grouping.Stacktrace {
	if s == nil {
		return nil
	}
	from := len(room.frames)
	if n := len(s.Frames); cap(room.frames)-from < n {
		// Earlier stacks keep what they point to.
		room.frames, from = make([]grouping.Frame, 0, max(n, 2*cap(room.frames))), 0
	}
	for i := range s.Frames {
		room.frames = append(room.frames, groupingFrame(&s.Frames[i]))
	}
	return &grouping.Stacktrace{Frames: room.frames[from:len(room.frames):len(room.frames)]}
}

func groupingFrame(f *envelope.Frame) grouping.Frame {
	inApp := f.InApp
	if f.ClientInApp != nil {
		inApp = f.ClientInApp
	}
	return grouping.Frame{AbsPath: f.AbsPath, Filename: f.Filename, Module: f.Module, Package: f.Package, Function: f.Function,
		RawFunction: f.RawFunction, ContextLine: f.ContextLine, Platform: f.Platform, Line: f.Line, Column: f.Column, InApp: inApp,
		SourceMapped: f.SourceMapped}
}

func parseHash(text string) (h [16]byte, err error) {
	if n, err := hex.Decode(h[:], []byte(text)); err != nil || n != len(h) {
		return h, fmt.Errorf("cannot read hash %q", text)
	}
	return h, nil
}
