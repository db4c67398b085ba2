package web

import (
	"encoding/json"
	"time"

	"kibitz/app/issues"
	"kibitz/ingest/envelope"
)

// apiEventOf is an event in Sentry's shape, its parts as "entries".
func apiEventOf(d issues.Detail) apiEvent {
	ev := d.Event
	out := apiEvent{
		apiEventHead: apiHead(d.Row), Kind: "error", Culprit: d.Grouping.Culprit,
		Metadata: map[string]string{"type": d.Grouping.Type, "value": d.Grouping.Value, "title": d.Grouping.Title},
		Entries:  apiEntries(d), Tags: pairs(ev.TagPairs()), User: apiUser(ev.User), Contexts: map[string]map[string]any{},
		Extra: apiFields(ev.Extra), Packages: map[string]string{}, SDK: map[string]string{"name": ev.SDK.Name, "version": ev.SDK.Version},
		Errors: ev.Notes, Fingerprints: d.Grouping.Hashes(), Config: map[string]string{"id": string(d.Grouping.Config)},
		Release: textOrNil(ev.Release), Previous: textOrNil(d.Place.Prev), Next: textOrNil(d.Place.Next), Size: len(d.Row.Body),
	}
	if m := ev.Message.Formatted; m != "" {
		out.Message = m
	}
	for _, c := range ev.Contexts {
		fields := apiFields(c.Fields)
		fields["type"] = c.Name
		if c.Type != "" {
			fields["type"] = c.Type
		}
		out.Contexts[c.Name] = fields
	}
	for _, m := range ev.Modules {
		out.Packages[m.Key] = m.Value
	}
	if out.Errors == nil {
		out.Errors = []string{}
	}
	return out
}

func apiEntries(d issues.Detail) []apiEntry {
	ev := d.Event
	entries := []apiEntry{}
	if m := ev.Message; m.Formatted != "" || m.Template != "" {
		entries = append(entries, apiEntry{"message", map[string]any{"message": m.Template, "formatted": m.Formatted, "params": m.Params}})
	}
	if len(ev.Exceptions) > 0 {
		values := []map[string]any{}
		for n := range ev.Exceptions {
			values = append(values, apiException(&ev.Exceptions[n], inApp(d, n)))
		}
		entries = append(entries, apiEntry{"exception", map[string]any{"values": values, "hasSystemFrames": true}})
	}
	if ev.Stacktrace != nil {
		entries = append(entries, apiEntry{"stacktrace", apiStack(ev.Stacktrace, nil)})
	}
	if len(ev.Threads) > 0 {
		values := []map[string]any{}
		for _, t := range ev.Threads {
			values = append(values, map[string]any{"id": t.ID, "name": t.Name, "crashed": t.Crashed, "current": t.Current, "state": t.State,
				"stacktrace": apiStack(t.Stacktrace, nil)})
		}
		entries = append(entries, apiEntry{"threads", map[string]any{"values": values}})
	}
	if len(ev.Breadcrumbs) > 0 {
		entries = append(entries, apiEntry{"breadcrumbs", map[string]any{"values": apiBreadcrumbs(ev.Breadcrumbs)}})
	}
	if ev.Request != nil {
		entries = append(entries, apiEntry{"request", apiRequest(ev.Request)})
	}
	return entries
}

func inApp(d issues.Detail, n int) []bool {
	if n < len(d.Grouping.InApp) {
		return d.Grouping.InApp[n]
	}
	return nil
}

func apiException(e *envelope.Exception, inApp []bool) map[string]any {
	out := map[string]any{"type": e.Type, "value": e.Value, "module": textOrNil(e.Module), "threadId": textOrNil(e.ThreadID),
		"stacktrace": apiStack(e.Stacktrace, inApp), "mechanism": nil}
	if m := e.Mechanism; m != nil {
		mech := map[string]any{"type": m.Type, "handled": m.Handled, "synthetic": m.Synthetic, "is_exception_group": m.IsGroup,
			"source": textOrNil(m.Source)}
		if m.ID >= 0 {
			mech["exception_id"] = m.ID
		}
		if m.ParentID >= 0 {
			mech["parent_id"] = m.ParentID
		}
		out["mechanism"] = mech
	}
	return out
}

func apiStack(s *envelope.Stacktrace, inApp []bool) any {
	if s == nil {
		return nil
	}
	frames := []map[string]any{}
	for n := range s.Frames {
		f := &s.Frames[n]
		in := f.InApp != nil && *f.InApp
		if n < len(inApp) {
			in = inApp[n]
		}
		frames = append(frames, map[string]any{"filename": f.Filename, "absPath": f.AbsPath, "module": textOrNil(f.Module), "package": textOrNil(f.Package),
			"function": f.Function, "rawFunction": textOrNil(f.RawFunction), "platform": textOrNil(f.Platform), "lineNo": f.Line, "colNo": f.Column,
			"inApp": in, "instructionAddr": textOrNil(f.InstructionAddr), "context": apiContext(f), "vars": apiFields(f.Vars)})
	}
	out := map[string]any{"frames": frames, "hasSystemFrames": true, "framesOmitted": nil}
	if s.Omitted > 0 {
		out["framesOmitted"] = s.Omitted
	}
	return out
}

// apiContext is the source around a frame: [line number, text] pairs.
func apiContext(f *envelope.Frame) [][2]any {
	lines := [][2]any{}
	if f.ContextLine == "" && len(f.PreContext) == 0 {
		return lines
	}
	for n, text := range f.PreContext {
		lines = append(lines, [2]any{f.Line - len(f.PreContext) + n, text})
	}
	lines = append(lines, [2]any{f.Line, f.ContextLine})
	for n, text := range f.PostContext {
		lines = append(lines, [2]any{f.Line + 1 + n, text})
	}
	return lines
}

func apiBreadcrumbs(in []envelope.Breadcrumb) []map[string]any {
	out := []map[string]any{}
	for _, b := range in {
		out = append(out, map[string]any{"timestamp": b.Timestamp.Format(time.RFC3339Nano), "type": b.Type, "category": b.Category,
			"level": b.Level, "message": b.Message, "data": apiFields(b.Data)})
	}
	return out
}

func apiRequest(r *envelope.Request) map[string]any {
	env := map[string]string{}
	for _, p := range r.Env {
		env[p.Key] = p.Value
	}
	return map[string]any{"url": r.URL, "method": textOrNil(r.Method), "query": r.QueryString, "headers": pairRows(r.Headers),
		"cookies": pairRows(r.Cookies), "env": env, "data": textOrNil(r.Data)}
}

func pairRows(in []envelope.Pair) [][2]string {
	out := [][2]string{}
	for _, p := range in {
		out = append(out, [2]string{p.Key, p.Value})
	}
	return out
}

func apiUser(u *envelope.User) map[string]string {
	if u == nil {
		return nil
	}
	out := map[string]string{}
	for _, p := range []apiPair{{"id", u.ID}, {"email", u.Email}, {"username", u.Username}, {"name", u.Name}, {"ip_address", u.IP}} {
		if p.Value != "" {
			out[p.Key] = p.Value
		}
	}
	return out
}

// apiFields puts fields back into JSON: those that are JSON text as it stands, others as strings.
func apiFields(in []envelope.Field) map[string]any {
	out := make(map[string]any, len(in))
	for _, f := range in {
		if f.JSON && json.Valid([]byte(f.Value)) {
			out[f.Key] = json.RawMessage(f.Value)
			continue
		}
		out[f.Key] = f.Value
	}
	return out
}
