package syslog

import (
	"fmt"
	"slices"
	"strings"

	"github.com/valyala/fastjson"

	"kibitz/app/trace"
)

// fields is a record's fields, in whichever of its two forms.
type fields struct {
	params []Param
	json   *fastjson.Value
}

// cookie marks JSON within a message, after the Common Event Expression that rsyslog still reads.
const cookie = "@cee:"

// fields finds the record in a message.
func (d *Decoder) fields(m *Message) (f fields, ok bool, err error) {
	if p := m.perf(); p != nil && has(p, "route") {
		if !has(p, "ms") {
			return f, true, fmt.Errorf("%w: ms is missing", ErrRecord)
		}
		return fields{params: p}, true, nil
	}
	body := strings.TrimSpace(strings.TrimPrefix(strings.TrimSpace(m.Body), cookie))
	// Two searches keep every other line of JSON from being parsed.
	if !strings.HasPrefix(body, "{") || !strings.Contains(body, `"route"`) || !strings.Contains(body, `"ms"`) {
		return f, false, nil
	}
	v, err := d.json.Parse(body)
	if err != nil { // most likely a sender that cut it at 1 or 8 KiB
		return f, true, fmt.Errorf("%w: it is no JSON; was it cut?", ErrRecord)
	}
	return fields{json: v}, v.Exists("route") && v.Exists("ms"), nil
}

// perf is the parameters of the element perf@NUMBER, whichever the number of the enterprise.
func (m *Message) perf() []Param {
	for _, e := range m.SD {
		if number, ok := strings.CutPrefix(e.ID, "perf@"); ok && digits(number) {
			return e.Params
		}
	}
	return nil
}

func has(params []Param, name string) bool { return param(params, name) != "" }

func param(params []Param, name string) string {
	for _, p := range params {
		if p.Name == name {
			return p.Value
		}
	}
	return ""
}

// text is a field as text; lists and objects are none.
func (f fields) text(name string) string {
	if f.json == nil {
		return param(f.params, name)
	}
	return scalar(f.json.Get(name))
}

func scalar(v *fastjson.Value) string {
	if v == nil {
		return ""
	}
	switch v.Type() {
	case fastjson.TypeString:
		return clean(v.GetStringBytes()) // \u0000 is JSON
	case fastjson.TypeNumber, fastjson.TypeTrue, fastjson.TypeFalse:
		return v.String()
	}
	return ""
}

// switches reads `key=variant,key=variant`, or in JSON also an object: the first trace.MaxSwitches.
func (f fields) switches() (list []trace.Switch) {
	add := func(key, variant string) {
		if key != "" && len(list) < trace.MaxSwitches {
			list = append(list, trace.Switch{Key: cut(key, trace.MaxName), Variant: cut(variant, trace.MaxName)})
		}
	}
	if o := f.json.GetObject("switches"); o != nil {
		o.Visit(func(key []byte, v *fastjson.Value) { add(clean(key), scalar(v)) })
		return list
	}
	for pair := range strings.SplitSeq(f.text("switches"), ",") {
		if key, variant, ok := strings.Cut(strings.TrimSpace(pair), "="); ok {
			add(key, variant)
		}
	}
	return list
}

// names are the fields of a record; any other is an attribute of the request. docs/syslog.md describes each.
var names = []string{"route", "ms", "key", "start", "status", "state", "method", "url", "op", "trace", "span", "parent", "release", "env", "user",
	"service", "host", "platform", "sample", "keep", "switches", "queries", "db_ms", "db_n", "cache_ms", "cache_n", "http_ms", "http_n",
	"template_ms", "template_n", "pool_ms", "pool_n"}

// others are the fields that are not ours, as attributes.
func (f fields) others() (list []trace.Attr) {
	var b attrs
	if f.json == nil {
		for _, p := range f.params {
			b.other(p.Name, p.Value)
		}
	} else {
		f.json.GetObject().Visit(func(key []byte, v *fastjson.Value) { b.other(clean(key), scalar(v)) })
	}
	return b.finish()
}

// other adds a field, unless it is one of ours.
func (a *attrs) other(name, value string) {
	if !slices.Contains(names, name) {
		a.add(name, value)
	}
}

// attrs collects attributes, as many and as long as the limits allow.
type attrs struct {
	list []trace.Attr
	left int    // attributes that were not taken
	text string // what else was cut
}

func (a *attrs) add(key, value string) {
	switch {
	case value == "":
	case len(a.list) < trace.MaxAttrs:
		a.list = append(a.list, trace.Attr{Key: cut(key, trace.MaxAttrKey), Value: cut(value, trace.MaxAttr)})
	default:
		a.left++
	}
}

// finish tells what was left out in an attribute of its own.
func (a *attrs) finish() []trace.Attr {
	told := a.text
	if a.left > 0 {
		told = strings.TrimPrefix(fmt.Sprintf("%s, %d fields (limit span_attributes)", told, a.left), ", ")
	}
	if told != "" {
		a.list = append(a.list, trace.Attr{Key: trace.LeftOut, Value: told})
	}
	return a.list
}
