package envelope

import (
	"bytes"
	"fmt"
	"strings"

	"github.com/valyala/fastjson"
)

// Mode says how much of an event is wanted.
type Mode int

// Digest reads what grouping, tags and columns need; Full reads all that a page shows. Slim, for grouping alone, is a type.
const (
	Digest Mode = iota
	Full
)

// parser reads one event. What does not fit is left out, with a note.
type parser struct {
	ev      *Event
	full    bool
	slim    *Slim // where it reads for; nil when strings are copied
	yes, no bool  // what pointers to booleans point to
}

// ParseEvent reads the payload of an event. Fields of a wrong type are left out and noted; the only error is a payload
// that is not a JSON object.
func ParseEvent(payload []byte, mode Mode) (*Event, error) {
	p := parsers.Get()
	defer parsers.Put(p)
	v, cut, err := eventObject(p, payload)
	if err != nil {
		return nil, err
	}
	r := &parser{ev: &Event{}, full: mode == Full, yes: true}
	if r.full && (cut || bytes.Contains(payload, []byte(cutHere))) {
		r.note("what was nested too deep was left out (limit ingest.json_depth)")
	}
	r.head(v)
	r.message(v)
	r.faults(v)
	r.around(v)
	r.flags(v)
	if r.full {
		r.details(v)
	}
	return r.ev, nil
}

// eventObject reads JSON that is an object. The parser refuses what is nested deeper than 300: then that is
// cut, and the rest is read.
func eventObject(p *fastjson.Parser, payload []byte) (v *fastjson.Value, cut bool, err error) {
	if v, err = p.ParseBytes(payload); err != nil {
		v, err = p.ParseBytes(Shallow(payload, MaxDepth))
		cut = true
	}
	if err != nil {
		return nil, cut, &Error{"json", "It is not valid JSON."}
	}
	if v.Type() != fastjson.TypeObject {
		return nil, cut, &Error{"json_not_object", "It is JSON, but not an object."}
	}
	return v, cut, nil
}

func (r *parser) note(format string, args ...any) {
	if len(r.ev.Notes) < maxNotes {
		r.ev.Notes = append(r.ev.Notes, fmt.Sprintf(format, args...))
	}
}

// text reads a text field and notes when it was cut or of a wrong type.
func (r *parser) text(v *fastjson.Value, name string, max int) string {
	f := v.Get(name)
	s, cut := r.cut(f, max)
	if cut {
		r.note("%s was cut to %d bytes", name, max)
	}
	if s == "" && f != nil && (f.Type() == fastjson.TypeObject || f.Type() == fastjson.TypeArray) {
		r.note("%s is not a text and was left out", name)
	}
	return s
}

func (r *parser) head(v *fastjson.Value) {
	ev := r.ev
	r.grounds(v)
	ev.ID = strings.ToLower(strings.ReplaceAll(r.text(v, "event_id", 64), "-", ""))
	ev.Type = r.text(v, "type", 64)
	ev.Timestamp = moment(v.Get("timestamp"))
	ev.Culprit = r.text(v, "culprit", maxName)
	ev.ServerName = r.text(v, "server_name", 200)
	ev.Dist = r.text(v, "dist", 64)
	ev.Environment = strings.TrimSpace(r.text(v, "environment", maxEnvironment))
	if trace := v.Get("contexts", "trace"); isObject(trace) {
		ev.TraceID, ev.SpanID = str(trace.Get("trace_id"), 64), str(trace.Get("span_id"), 64)
	}
}

// grounds are the fields of the head that grouping goes by.
func (r *parser) grounds(v *fastjson.Value) {
	ev := r.ev
	ev.Platform = r.text(v, "platform", 64)
	ev.Level = strings.ToLower(r.text(v, "level", 32))
	if name, ok := levelNumbers[ev.Level]; ok {
		ev.Level = name
	}
	ev.Logger = r.text(v, "logger", 128)
	ev.Transaction = r.text(v, "transaction", maxName)
	ev.Release = strings.TrimSpace(r.text(v, "release", 250))
	ev.Checksum = r.text(v, "checksum", 128)
	if fp := v.Get("fingerprint"); fp != nil && fp.Type() == fastjson.TypeArray {
		for _, part := range list(fp)[:min(len(list(fp)), maxParts)] {
			if part.Type() != fastjson.TypeNull {
				ev.Fingerprint = append(ev.Fingerprint, r.str(part, maxName))
			}
		}
	} else if s := r.str(fp, maxName); s != "" {
		ev.Fingerprint = []string{s}
	}
	if sdk := v.Get("sdk"); isObject(sdk) {
		ev.SDK = SDK{r.str(sdk.Get("name"), 128), r.str(sdk.Get("version"), 64)}
	}
	if tags := v.Get("tags"); tags != nil {
		ev.Tags = pairs(tags, maxTags, maxTagValue)
	}
}

// levelNumbers are the levels of Python's logging, which raven sent.
var levelNumbers = map[string]string{"10": "debug", "20": "info", "30": "warning", "40": "error", "50": "fatal"}

func (r *parser) message(v *fastjson.Value) {
	m := v.Get("logentry")
	if m == nil || m.Type() == fastjson.TypeNull {
		m = v.Get("sentry.interfaces.Message")
	}
	if m == nil || m.Type() == fastjson.TypeNull {
		m = v.Get("message")
	}
	if m == nil {
		return
	}
	if !isObject(m) {
		r.ev.Message.Formatted = r.str(m, maxMessage)
		return
	}
	r.ev.Message.Template = r.text(m, "message", maxMessage)
	r.ev.Message.Formatted = r.text(m, "formatted", maxMessage)
	if r.ev.Message.Formatted == "" {
		r.ev.Message.Formatted = r.ev.Message.Template
	}
	if params := m.Get("params"); params != nil && r.full {
		for _, f := range fields(params) {
			r.ev.Message.Params = append(r.ev.Message.Params, f.Value)
		}
		if params.Type() == fastjson.TypeArray {
			r.ev.Message.Params = nil
			for _, p := range list(params)[:min(len(list(params)), maxFields)] {
				r.ev.Message.Params = append(r.ev.Message.Params, field("", p).Value)
			}
		}
	}
}

// faults are exceptions, threads and what else says where it happened.
func (r *parser) faults(v *fastjson.Value) {
	ev := r.ev
	ex := v.Get("exception")
	if ex == nil {
		ex = v.Get("sentry.interfaces.Exception")
	}
	for _, e := range r.bounded(list(ex), maxExceptions, "exceptions") {
		if isObject(e) {
			ev.Exceptions = append(ev.Exceptions, r.exception(e))
		}
	}
	for _, t := range r.bounded(list(v.Get("threads")), maxThreads, "threads") {
		if isObject(t) {
			ev.Threads = append(ev.Threads, Thread{ID: r.str(t.Get("id"), 64), Name: r.str(t.Get("name"), maxName), Crashed: isTrue(t.Get("crashed")),
				Current: isTrue(t.Get("current")), State: r.str(t.Get("state"), 64), Stacktrace: r.stack(t.Get("stacktrace"))})
		}
	}
	ev.Stacktrace = r.stack(v.Get("stacktrace"))
	if t := v.Get("template"); isObject(t) {
		ev.Template = &Template{Filename: r.str(t.Get("filename"), maxPath), AbsPath: r.str(t.Get("abs_path"), maxPath), Line: number(t.Get("lineno")),
			ContextLine: r.str(t.Get("context_line"), maxLine), PreContext: lines(t.Get("pre_context")), PostContext: lines(t.Get("post_context"))}
	}
	for _, kind := range []string{"csp", "hpkp", "expectct", "expectstaple"} {
		if s := v.Get(kind); isObject(s) {
			ev.Security = r.security(kind, s)
		}
	}
}

func (r *parser) security(kind string, s *fastjson.Value) *Security {
	get := func(names ...string) string {
		for _, n := range names {
			if text := r.str(s.Get(n), maxPath); text != "" {
				return text
			}
		}
		return ""
	}
	return &Security{Kind: kind, EffectiveDirective: get("effective_directive", "effective-directive"), ViolatedDirective: get("violated_directive", "violated-directive"),
		BlockedURI: get("blocked_uri", "blocked-uri"), DocumentURI: get("document_uri", "document-uri"), Hostname: get("hostname")}
}

func (r *parser) bounded(all []*fastjson.Value, most int, what string) []*fastjson.Value {
	if len(all) <= most {
		return all
	}
	r.note("%d of %d %s were left out", len(all)-most, len(all), what)
	return all[len(all)-most:]
}

func (r *parser) exception(e *fastjson.Value) Exception {
	out := Exception{Type: r.text(e, "type", maxName), Value: r.text(e, "value", maxValue), Module: r.text(e, "module", maxName),
		ThreadID: r.str(e.Get("thread_id"), 64), Stacktrace: r.stack(e.Get("stacktrace"))}
	if v := e.Get("value"); v != nil && (v.Type() == fastjson.TypeObject || v.Type() == fastjson.TypeArray) {
		out.Value, _ = tidy(string(v.MarshalTo(nil)), maxValue)
	}
	if out.Stacktrace == nil {
		out.Stacktrace = r.stack(e.Get("raw_stacktrace"))
	}
	if m := e.Get("mechanism"); isObject(m) {
		out.Mechanism = &Mechanism{Type: r.str(m.Get("type"), 128), Handled: r.boolean(m.Get("handled")), Synthetic: isTrue(m.Get("synthetic")),
			ID: integer(m.Get("exception_id")), ParentID: integer(m.Get("parent_id")), IsGroup: isTrue(m.Get("is_exception_group")),
			Source: r.str(m.Get("source"), 128), NSErrorCode: r.str(m.Get("meta", "ns_error", "code"), 64), NSErrorDom: r.str(m.Get("meta", "ns_error", "domain"), 128)}
	}
	return out
}

// around is who, where and with what: the parts that tags are made of too.
func (r *parser) around(v *fastjson.Value) {
	ev := r.ev
	if u := v.Get("user"); isObject(u) {
		ev.User = r.user(u)
	}
	request := v.Get("request")
	if request == nil {
		request = v.Get("sentry.interfaces.Http")
	}
	if isObject(request) {
		ev.Request = r.request(request)
	}
	visit(v.Get("contexts"), func(name string, c *fastjson.Value) {
		if isObject(c) && len(ev.Contexts) < maxFields && (r.full || tagged[name]) {
			ev.Contexts = append(ev.Contexts, Context{Name: name, Type: str(c.Get("type"), 64), Fields: fields(c)})
		}
	})
}

// tagged are the contexts that tags are made of.
var tagged = map[string]bool{"browser": true, "os": true, "client_os": true, "runtime": true, "device": true}

func (r *parser) user(u *fastjson.Value) *User {
	out := &User{ID: str(u.Get("id"), 128), Email: str(u.Get("email"), 254), Username: str(u.Get("username"), 128), Name: str(u.Get("name"), 128), IP: str(u.Get("ip_address"), 64)}
	var geo []string
	for _, name := range []string{"city", "region", "country_code"} {
		if text := str(u.Get("geo", name), 64); text != "" {
			geo = append(geo, text)
		}
	}
	out.Geo = strings.Join(geo, ", ")
	visit(u, func(key string, v *fastjson.Value) {
		switch key {
		case "id", "email", "username", "name", "ip_address", "geo":
		default:
			if len(out.Data) < maxFields {
				out.Data = append(out.Data, field(key, v))
			}
		}
	})
	return out
}

func (r *parser) request(q *fastjson.Value) *Request {
	out := &Request{URL: str(q.Get("url"), 2048), Method: str(q.Get("method"), 32)}
	out.Headers = pairs(q.Get("headers"), maxFields, 4096)
	if !r.full {
		return out
	}
	out.QueryString = joined(q.Get("query_string"), "&")
	out.Env = pairs(q.Get("env"), maxFields, 1024)
	if c := q.Get("cookies"); c != nil && c.Type() == fastjson.TypeString {
		for part := range strings.SplitSeq(str(c, 8192), ";") {
			if name, value, ok := strings.Cut(strings.TrimSpace(part), "="); ok && len(out.Cookies) < maxFields {
				out.Cookies = append(out.Cookies, Pair{name, value})
			}
		}
	} else {
		out.Cookies = pairs(c, maxFields, 1024)
	}
	if d := q.Get("data"); d != nil && d.Type() != fastjson.TypeNull {
		out.Data, out.DataFields = field("", d).Value, nil
		if isObject(d) {
			out.DataFields = fields(d)
		}
	}
	return out
}

// joined is a query string, whether sent as text, as an object or as pairs.
func joined(v *fastjson.Value, sep string) string {
	if v == nil || v.Type() == fastjson.TypeString {
		return str(v, 4096)
	}
	var parts []string
	for _, p := range pairs(v, maxFields, 1024) {
		parts = append(parts, p.Key+"="+p.Value)
	}
	return strings.Join(parts, sep)
}

// details are the parts that only a page shows.
func (r *parser) details(v *fastjson.Value) {
	ev := r.ev
	for _, b := range r.bounded(list(v.Get("breadcrumbs")), maxBreadcrumbs, "breadcrumbs") {
		if isObject(b) {
			ev.Breadcrumbs = append(ev.Breadcrumbs, Breadcrumb{Timestamp: moment(b.Get("timestamp")), Type: str(b.Get("type"), 64), Category: str(b.Get("category"), 128),
				Level: str(b.Get("level"), 32), Message: str(b.Get("message"), maxMessage), Data: fields(b.Get("data"))})
		}
	}
	ev.Extra = fields(v.Get("extra"))
	ev.Modules = pairs(v.Get("modules"), maxModules, 128)
}

// flags are the answers of switches that the program had been given, the newest last.
func (r *parser) flags(v *fastjson.Value) {
	for _, f := range list(v.Get("contexts", "flags")) {
		if isObject(f) && f.Exists("flag") && len(r.ev.Flags) < maxFields {
			r.ev.Flags = append(r.ev.Flags, Flag{str(f.Get("flag"), 200), field("", f.Get("result")).Value})
		}
	}
}
