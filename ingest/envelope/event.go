package envelope

import "time"

// Event is an error event with every field in one shape, whichever of the shapes of
// https://develop.sentry.dev/sdk/data-model/event-payloads/ the SDK chose. Strings are valid UTF-8
// without NUL, cut to the limits named in limits.go; Notes says what was cut or replaced.
type Event struct {
	ID          string // 32 lower-case hex digits; empty when the payload has none
	Type        string // "", "error", "default", "csp", "transaction" ...
	Timestamp   time.Time
	Platform    string
	Level       string
	Logger      string
	Transaction string
	Culprit     string // legacy SDKs only
	ServerName  string
	Release     string
	Dist        string
	Environment string
	Fingerprint []string
	Checksum    string
	Message     Message
	Exceptions  []Exception // outermost last, as sent
	Threads     []Thread
	Stacktrace  *Stacktrace // bare, legacy
	Template    *Template
	Security    *Security
	Breadcrumbs []Breadcrumb // oldest first
	Request     *Request
	User        *User
	Tags        []Pair
	Contexts    []Context
	Extra       []Field
	Modules     []Pair
	Flags       []Flag
	SDK         SDK
	TraceID     string
	SpanID      string
	Notes       []string
}

// Message is the event's message: Template with placeholders, Formatted for people.
type Message struct {
	Template  string
	Formatted string
	Params    []string
}

// Exception is one member of the chain.
type Exception struct {
	Type       string
	Value      string
	Module     string
	ThreadID   string
	Mechanism  *Mechanism
	Stacktrace *Stacktrace
}

// Mechanism tells how an exception was caught. ID, ParentID are -1 when absent.
type Mechanism struct {
	Type        string
	Handled     *bool
	Synthetic   bool
	ID          int
	ParentID    int
	IsGroup     bool
	Source      string
	NSErrorCode string // Cocoa: meta.ns_error
	NSErrorDom  string
}

// Stacktrace is frames, oldest call first, the crash last.
type Stacktrace struct {
	Frames  []Frame
	Omitted int // frames cut by the limit
}

// Frame is one call.
type Frame struct {
	Filename        string
	AbsPath         string
	Function        string
	RawFunction     string
	Module          string
	Package         string
	Platform        string
	Line            int
	Column          int
	ContextLine     string
	PreContext      []string
	PostContext     []string
	InApp           *bool
	ClientInApp     *bool // data.client_in_app or data.orig_in_app
	Vars            []Field
	InstructionAddr string
	SymbolAddr      string
	ImageAddr       string
	AddrMode        string
	SourceMapped    bool // data.sourcemap is set
	Lock            bool
}

// Thread is one thread of the process.
type Thread struct {
	ID         string
	Name       string
	Crashed    bool
	Current    bool
	State      string
	Stacktrace *Stacktrace
}

// Template is the place in a template that failed.
type Template struct {
	Filename    string
	AbsPath     string
	Line        int
	ContextLine string
	PreContext  []string
	PostContext []string
}

// Security is a browser's security report, of which grouping needs these parts.
type Security struct {
	Kind               string // csp, hpkp, expectct, expectstaple
	EffectiveDirective string
	ViolatedDirective  string
	BlockedURI         string
	DocumentURI        string
	Hostname           string
}

// Breadcrumb is something that happened before.
type Breadcrumb struct {
	Timestamp time.Time
	Type      string
	Category  string
	Level     string
	Message   string
	Data      []Field
}

// Request is the HTTP request that was being answered.
type Request struct {
	URL         string
	Method      string
	QueryString string
	Headers     []Pair
	Cookies     []Pair
	Env         []Pair
	Data        string // as text: a form or JSON as sent
	DataFields  []Field
}

// User is who met the error.
type User struct {
	ID, Email, Username, Name, IP string
	Geo                           string // "City, Region, Country" as far as known
	Data                          []Field
}

// Ident is what tells users apart: id, else email, username, IP; empty when nothing is known.
func (u *User) Ident() string {
	if u == nil {
		return ""
	}
	switch {
	case u.ID != "":
		return "id:" + u.ID
	case u.Email != "":
		return "email:" + u.Email
	case u.Username != "":
		return "username:" + u.Username
	case u.IP != "":
		return "ip:" + u.IP
	}
	return ""
}

// Pair is a name and a text.
type Pair struct{ Key, Value string }

// Field is a name and a value. JSON tells that Value is JSON text rather than a plain string.
type Field struct {
	Key   string
	Value string
	JSON  bool
}

// Context is a named set of facts: browser, os, runtime, device, trace ...
type Context struct {
	Name   string // the key in contexts
	Type   string
	Fields []Field
}

// Flag is a feature switch as the program saw it.
type Flag struct{ Name, Result string }

// SDK is the sender.
type SDK struct{ Name, Version string }
