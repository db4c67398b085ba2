package trace

import (
	"math"
	"strconv"
	"strings"
)

// Facts gather what attributes say of a span, by the names of OpenTelemetry's conventions, new and old
// (https://opentelemetry.io/docs/specs/semconv/), and of Sentry's (https://getsentry.github.io/sentry-conventions/). What no field
// is for is kept as an attribute. Reset makes them ready for the next span.
type Facts struct {
	texts *Texts

	// Op, Name, State, Kind and Failed are what the door itself knows; Op may also come as an attribute.
	Op, Name, State string
	Kind            Kind
	Failed          bool

	Method, URL, Path, Query, Route, Template      string
	Status                                         int
	System, Statement, Summary, Operation, DBState string
	Rows                                           int64
	ErrorType, RPC, Messaging                      string
	File, Func, Namespace                          string
	Line                                           int
	Source, Segment                                string
	Service, Release, Environment, Host, Platform  string
	UserID, UserMail, UserName, UserIP             string
	Keep                                           bool
	Switches                                       []Switch
	Attrs                                          []Attr
	Dropped                                        int // attributes beyond MaxAttrs
	cut                                            bool
	flag                                           Switch // of a feature_flag.* pair
}

// Kind is the part that a span plays, by the numbers of OpenTelemetry.
type Kind uint8

// The kinds.
const (
	KindUnknown Kind = iota
	KindInternal
	KindServer
	KindClient
	KindProducer
	KindConsumer
)

// Reset forgets everything; texts are copied by t.
func (f *Facts) Reset(t *Texts) { *f = Facts{texts: t, Rows: -1} }

func (f *Facts) clip(text string, most int) string { return f.texts.Clip(text, most) }

// Int sets an attribute to a number.
func (f *Facts) Int(key string, n int64) {
	switch key {
	case "http.response.status_code", "http.status_code":
		f.Status = int(min(max(n, 0), 999))
	case "code.line.number", "code.lineno":
		f.Line = int(min(max(n, 0), math.MaxInt32))
	case "db.response.returned_rows", "db.response.affected_rows", "db.rows_affected", "db.rows":
		f.Rows = max(n, -1)
	default:
		f.Text(key, strconv.FormatInt(n, 10))
	}
}

// Float sets an attribute to a number. What is not finite is kept as a word.
func (f *Facts) Float(key string, n float64) {
	if n == math.Trunc(n) && math.Abs(n) < 1<<53 {
		f.Int(key, int64(n))
		return
	}
	f.Text(key, strconv.FormatFloat(n, 'g', -1, 64))
}

// Bool sets an attribute to true or false.
func (f *Facts) Bool(key string, is bool) { f.Text(key, strconv.FormatBool(is)) }

// Text sets an attribute. Neither text is kept by reference.
func (f *Facts) Text(key, value string) {
	switch {
	case f.http(key, value), f.database(key, value), f.place(key, value), f.origin(key, value), f.rest(key, value):
	default:
		f.Attr(key, value)
	}
}

// Attr keeps an attribute as it is.
func (f *Facts) Attr(key, value string) {
	if key == "" {
		return
	}
	if len(f.Attrs) >= MaxAttrs {
		f.Dropped++
		return
	}
	if f.Attrs == nil {
		f.Attrs = make([]Attr, 0, 4)
	}
	f.Attrs = append(f.Attrs, Attr{f.clip(key, MaxAttrKey), f.clip(value, MaxAttr)})
}

// number reads a number that came as text.
func (f *Facts) number(key, value string) bool {
	n, err := strconv.ParseFloat(value, 64)
	if err != nil || math.IsNaN(n) || math.Abs(n) > 1<<53 {
		return false
	}
	f.Int(key, int64(n))
	return true
}

func (f *Facts) http(key, value string) bool {
	switch key {
	case "http.request.method", "http.method", "method":
		f.Method = f.clip(strings.ToUpper(whole(value, MaxOp)), MaxOp)
	case "http.response.status_code", "http.status_code":
		return f.number(key, value)
	case "http.route":
		f.Route = f.clip(value, MaxName)
	case "url.template":
		f.Template = f.clip(value, MaxURL)
	case "url.full", "http.url", "url":
		f.URL = f.clip(value, MaxURL)
	case "url.path", "http.target":
		f.Path = f.clip(value, MaxURL)
	case "url.query", "http.query":
		f.Query = f.clip(strings.TrimPrefix(value, "?"), MaxURL)
	default:
		return false
	}
	return true
}

func (f *Facts) database(key, value string) bool {
	switch key {
	case "db.system.name", "db.system":
		f.System = f.clip(strings.ToLower(whole(value, MaxOp)), MaxOp)
	case "db.query.text", "db.statement":
		f.cut = f.cut || len(value) > MaxText
		f.Statement = f.clip(value, MaxText)
	case "db.query.summary":
		f.Summary = f.clip(value, MaxName)
	case "db.operation.name", "db.operation":
		f.Operation = f.clip(value, MaxName)
	case "db.response.status_code", "db.postgresql.error_code":
		f.DBState = f.clip(value, MaxOp)
	case "db.response.returned_rows", "db.response.affected_rows", "db.rows_affected", "db.rows":
		return f.number(key, value)
	default:
		return false
	}
	return true
}

// place is the code that asked for the work.
func (f *Facts) place(key, value string) bool {
	switch key {
	case "code.file.path", "code.filepath":
		f.File = f.clip(value, MaxName)
	case "code.line.number", "code.lineno":
		return f.number(key, value)
	case "code.function.name", "code.function":
		f.Func = f.clip(value, MaxName)
	case "code.namespace":
		f.Namespace = f.clip(value, MaxName)
	default:
		return false
	}
	return true
}

// origin is whose the span is: attributes of a resource, or of Sentry's spans.
func (f *Facts) origin(key, value string) bool {
	switch key {
	case "service.name":
		f.Service = f.clip(value, MaxName)
	case "service.version", "sentry.release":
		f.Release = f.clip(value, MaxName)
	case "deployment.environment.name", "deployment.environment", "sentry.environment":
		f.Environment = f.clip(value, MaxName)
	case "host.name", "sentry.server.address", "sentry.server_name":
		f.Host = f.clip(value, MaxName)
	case "telemetry.sdk.language", "sentry.platform", "sentry.sdk.name":
		f.Platform = f.clip(PlatformOf(value), MaxOp)
	case "user.id", "enduser.id":
		f.UserID = f.clip(value, MaxName)
	case "user.email":
		f.UserMail = f.clip(value, MaxName)
	case "user.name", "user.username":
		f.UserName = f.clip(value, MaxName)
	case "user.ip_address":
		f.UserIP = f.clip(value, MaxOp)
	default:
		return false
	}
	return true
}

// PlatformOf is a platform in Sentry's words: of an SDK's name, as in sentry.javascript.node, or of OpenTelemetry's language.
func PlatformOf(value string) string {
	if rest, ok := strings.CutPrefix(value, "sentry."); ok {
		name, variant, _ := strings.Cut(rest, ".")
		if name == "javascript" && isServerJS(variant) {
			return "node"
		}
		return name
	}
	switch value {
	case "nodejs":
		return "node"
	case "webjs":
		return "javascript"
	case "dotnet":
		return "csharp"
	}
	return value
}

func isServerJS(variant string) bool {
	switch variant {
	case "node", "nestjs", "bun", "deno", "aws-serverless", "google-cloud-serverless":
		return true
	}
	return false
}

// rest is what names the work, decides about it, or says nothing about it.
func (f *Facts) rest(key, value string) bool {
	switch key {
	case "sentry.op":
		f.Op = f.clip(value, MaxOp)
	case "sentry.span.source", "sentry.source", "sentry.segment.name.source":
		f.Source = f.clip(value, MaxOp)
	case "sentry.segment.name", "sentry.transaction":
		f.Segment = f.clip(value, MaxName)
	case "error.type":
		f.ErrorType = f.clip(value, MaxName)
	case "rpc.system", "rpc.system.name":
		f.RPC = f.clip(value, MaxOp)
	case "messaging.system":
		f.Messaging = f.clip(value, MaxOp)
	case "feature_flag.key", "feature_flag.variant", "feature_flag.result.variant", "feature_flag.result.value":
		f.evaluation(key, value)
	case "kibitz.keep", "http.request.header.x-kibitz-keep":
		f.Keep = value != "" && value != "0" && value != "false"
	case "sentry.origin", "sentry.trace_lifecycle", "sentry.is_localhost", "sentry.segment.id", "sentry.kind", "sentry.sample_rate",
		"http.fragment", "url.fragment", "url.scheme", "url.domain", "http.scheme", "http.flavor", "http.request.method_original",
		"http.response.status_text", "client.port", "otel.scope.name", "otel.scope.version", "span.kind":
	default:
		return f.prefixed(key, value)
	}
	return true
}

// prefixed are switches as Sentry names them, and whole families that are not kept: headers, since they carry cookies and
// tokens, and what is the same for all that a process or a connection does.
func (f *Facts) prefixed(key, value string) bool {
	if name, ok := strings.CutPrefix(key, "flag.evaluation."); ok {
		f.Switch(name, value)
		return true
	}
	family, rest, _ := strings.Cut(key, ".")
	switch family {
	case "http":
		return strings.HasPrefix(rest, "request.header.") || strings.HasPrefix(rest, "response.header.")
	case "sentry":
		return strings.HasPrefix(rest, "sdk.")
	case "process":
		return strings.HasPrefix(rest, "runtime.")
	case "network", "net", "telemetry", "device", "culture", "os", "app":
		return true
	}
	return false
}

// evaluation puts the attributes of one evaluated switch together.
func (f *Facts) evaluation(key, value string) {
	if key == "feature_flag.key" {
		f.flag.Key = f.clip(value, MaxAttrKey)
	} else if f.flag.Variant == "" || key != "feature_flag.result.value" {
		f.flag.Variant = f.clip(value, MaxAttrKey)
	}
}

// Event sets an attribute of an event within the span, of which switches and exceptions are read; EndEvent ends it.
func (f *Facts) Event(key, value string) {
	switch key {
	case "feature_flag.key", "feature_flag.variant", "feature_flag.result.variant", "feature_flag.result.value":
		f.evaluation(key, value)
	case "exception.type", "exception.message":
		f.Attr(key, value)
	}
}

// EndEvent ends an event.
func (f *Facts) EndEvent() {
	f.Switch(f.flag.Key, f.flag.Variant)
	f.flag = Switch{}
}

// Switch adds the answer of a feature switch.
func (f *Facts) Switch(key, variant string) {
	if key != "" && len(f.Switches) < MaxSwitches {
		f.Switches = append(f.Switches, Switch{f.clip(key, MaxAttrKey), f.clip(variant, MaxAttrKey)})
	}
}

// Named sets the name, which may be a statement.
func (f *Facts) Named(name string) {
	f.cut = f.cut || len(name) > MaxText
	f.Name = f.clip(name, MaxText)
}

// Left says how many attributes the sender itself left out.
func (f *Facts) Left(n int) { f.Dropped = min(f.Dropped+max(n, 0), math.MaxInt32) }

// User is an identity in the form that errors use.
func (f *Facts) User() string {
	switch {
	case f.UserID != "":
		return "id:" + f.UserID
	case f.UserMail != "":
		return "email:" + f.UserMail
	case f.UserName != "":
		return "username:" + f.UserName
	case f.UserIP != "":
		return "ip:" + f.UserIP
	}
	return ""
}
