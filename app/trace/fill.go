package trace

import (
	"strconv"
	"strings"
)

// connecting is how Sentry's SDK for Django describes the making of a connection. It is no statement: counted as one, a page would
// have a query more on a new connection than on an old one.
const connecting = "connect"

// Span is the piece of work that the facts tell of, without its ids and times.
func (f *Facts) Span() Span {
	f.EndEvent()
	s := Span{Op: f.op(), System: f.System, Rows: f.Rows, File: f.File, Line: f.Line, Func: f.function(), State: f.state()}
	s.Failed = f.fails(s.State)
	s.Category = CategoryOf(s.Op, s.System)
	s.Text = f.text(s.Category)
	if s.Category == DB && s.Text == connecting {
		s.Category = Pool
	}
	if s.Category == HTTP {
		f.address()
	}
	s.Attrs = f.attrs()
	return s
}

// Request is the request that the facts tell of, without its ids and times.
func (f *Facts) Request() Request {
	f.EndEvent()
	q := Request{Op: f.op(), Method: f.Method, Status: f.Status, Service: f.Service, Release: f.Release, Environment: f.Environment,
		Host: f.Host, Platform: f.Platform, User: f.User(), Switches: f.Switches, Keep: f.Keep, Weight: 1, State: f.state()}
	q.Failed = f.fails(q.State)
	q.URL = f.target()
	q.Name, q.Source = f.endpoint()
	if f.Statement != "" {
		f.Attr("db.query.text", f.Statement)
	}
	q.Attrs = f.attrs()
	return q
}

// op is the kind of work in Sentry's words.
func (f *Facts) op() string {
	switch {
	case f.Op != "":
		return f.Op
	case f.System != "" && isCache(f.System, ""):
		return "db." + f.System
	case f.System != "" || f.Statement != "":
		return "db.query"
	case f.RPC != "":
		return "rpc." + f.side()
	case f.Messaging != "" && f.Kind == KindProducer:
		return "queue.publish"
	case f.Messaging != "" || f.Kind == KindConsumer:
		return "queue.process"
	case f.Method != "" && f.Kind != KindInternal:
		return "http." + f.side()
	case f.Kind == KindServer:
		return "server"
	}
	return f.guess()
}

func (f *Facts) side() string {
	if f.Kind == KindClient || f.Kind == KindProducer {
		return "client"
	}
	return "server"
}

// guess goes by the names that instrumentations without conventions use: jinja2.render, render_template.action_view,
// cache_read.active_support, pool.acquire.
func (f *Facts) guess() string {
	name := strings.ToLower(whole(f.Name, MaxOp))
	prefix, _, _ := strings.Cut(name, ".")
	switch {
	case prefix == "jinja2" || strings.HasPrefix(name, "render_") || prefix == "template" || strings.HasSuffix(name, ".html"):
		return "template.render"
	case prefix == "pool" || prefix == "pgxpool":
		return "pool.acquire"
	case prefix == "cache" || strings.HasPrefix(name, "cache_"):
		return "cache"
	}
	return "function"
}

// state is the outcome in Sentry's words, or an SQLSTATE; "" unknown.
func (f *Facts) state() string {
	switch known := f.State != "" && f.State != "unset"; {
	case known && f.State != "ok" && f.State != "error":
		return f.State
	case f.DBState != "":
		return f.DBState
	case f.Status >= 400:
		return StateOf(f.Status)
	case f.bad():
		return "internal_error"
	case known || f.Status > 0:
		return "ok"
	}
	return ""
}

func (f *Facts) bad() bool { return f.Failed || f.State == "error" }

func (f *Facts) fails(state string) bool {
	if f.Status >= 400 {
		return f.Status >= 500
	}
	return f.bad() || Fails(state, f.Status)
}

// function is the function with its namespace, unless it has one.
func (f *Facts) function() string {
	if f.Namespace == "" || strings.Contains(f.Func, ".") {
		return f.Func
	}
	if f.Func == "" {
		return f.Namespace
	}
	return f.clip(f.Namespace+"."+f.Func, MaxName)
}

// text is what was done.
func (f *Facts) text(c Category) string {
	switch {
	case (c == DB || c == Cache) && f.Statement != "":
		return f.Statement
	case c == DB && f.Summary != "":
		return f.Summary
	case c == HTTP && f.URL != "":
		return f.clip(strings.TrimSpace(f.Method+" "+plainURL(f.URL)), MaxText)
	case c == HTTP && f.Template != "":
		return f.clip(strings.TrimSpace(f.Method+" "+f.Template), MaxText)
	case c == HTTP:
		return plainURL(f.Name)
	case c == Template:
		return f.template()
	}
	return f.Name
}

// plainURL is a URL without user, query and fragment, which tell apart what is the same call, and may be secret.
func plainURL(url string) string {
	if at := strings.IndexAny(url, "?#"); at >= 0 {
		url = url[:at]
	}
	scheme, rest, ok := strings.Cut(url, "://")
	host, path, slash := strings.Cut(rest, "/")
	if at := strings.LastIndexByte(host, '@'); ok && at >= 0 {
		url = scheme + "://" + host[at+1:]
		if slash {
			url += "/" + path
		}
	}
	return url
}

func (f *Facts) template() string {
	for _, a := range f.Attrs {
		if a.Key == "jinja2.template_name" || a.Key == "template.name" {
			return a.Value
		}
	}
	return f.Name
}

// address keeps what the text of a call does not say.
func (f *Facts) address() {
	if f.Status > 0 {
		f.Attr("http.response.status_code", strconv.Itoa(f.Status))
	}
	if f.Query != "" {
		f.Attr("url.query", f.Query)
	}
}

// target is path and query as they were asked for.
func (f *Facts) target() string {
	path := f.Path
	if path == "" {
		path = f.URL
		if _, rest, ok := strings.Cut(path, "://"); ok {
			path = "/"
			if slash := strings.IndexByte(rest, '/'); slash >= 0 {
				path = rest[slash:]
			}
		}
	}
	if f.Query != "" && !strings.Contains(path, "?") {
		path += "?" + f.Query
	}
	return f.clip(path, MaxURL)
}

// endpoint is the request's name and where it comes from: a route when there is one; what the sender says that it is; and
// else its path, with what looks like a value taken out.
func (f *Facts) endpoint() (name, source string) {
	if f.Route != "" && f.Kind != KindClient {
		if f.Method != "" && !strings.HasPrefix(f.Route, "/") && f.Route != "*" {
			return f.clip("/"+f.Route, MaxName), "route"
		}
		return f.Route, "route"
	}
	name, source = withoutMethod(f.Name), f.Source
	if f.Segment != "" {
		name = withoutMethod(f.Segment)
	}
	if name == f.Method || name == "" || name == "HTTP" {
		name, source = f.target(), "url"
	}
	isPath := strings.HasPrefix(name, "/") || strings.Contains(name, "://")
	switch {
	case source == "" && isPath && strings.ContainsAny(name, "{<:*"):
		source = "route" // OpenTelemetry's names of spans are the method and the route
	case source == "" && isPath:
		source = "url"
	case source == "":
		source = "custom"
	}
	if isPath && (source == "url" || source == "custom") || source == "url" {
		name = Route(name)
	}
	return f.clip(name, MaxName), source
}

// withoutMethod is the rest of a name that begins with a method of HTTP.
func withoutMethod(name string) string {
	method, rest, ok := strings.Cut(name, " ")
	if !ok {
		return name
	}
	switch method {
	case "GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "CONNECT", "QUERY", "HTTP":
		return strings.TrimSpace(rest)
	}
	return name
}

// attrs are the attributes that no field is for, with a word about those that were left out.
func (f *Facts) attrs() []Attr {
	if f.ErrorType != "" {
		f.Attr("error.type", f.ErrorType)
	}
	var left []string
	if f.cut {
		left = append(left, "the end of the text (limit span_text)")
	}
	if f.Dropped > 0 {
		left = append(left, strconv.Itoa(f.Dropped)+" attributes (limit span_attributes)")
	}
	if len(left) > 0 {
		f.Attrs = append(f.Attrs, Attr{LeftOut, strings.Join(left, ", ")})
	}
	return f.Attrs
}

// FillLine fills in what the facts tell of a line of a log, but for its time, level and text.
func (f *Facts) FillLine(l *LogLine) {
	l.Service, l.Release, l.Environment, l.Host = f.Service, f.Release, f.Environment, f.Host
	if f.File != "" {
		f.Attr("code", strings.TrimSpace(f.File+":"+strconv.Itoa(f.Line)+" "+f.function()))
	}
	if user := f.User(); user != "" {
		f.Attr("user", user)
	}
	l.Attrs = f.attrs()
	for i := range l.Attrs {
		if l.Attrs[i].Key == "logger.name" {
			l.Logger = l.Attrs[i].Value
		}
	}
}
