package envelope

import (
	"math"
	"strings"
	"time"
	"unicode/utf8"
	"unsafe"

	"github.com/valyala/fastjson"
)

// str is a value as text: strings as they are, numbers and booleans as they are written; "" for anything else. It is
// valid UTF-8 without NUL, at most max bytes.
func str(v *fastjson.Value, max int) string {
	s, _ := strCut(v, max)
	return s
}

func strCut(v *fastjson.Value, max int) (s string, cut bool) {
	if v == nil {
		return "", false
	}
	switch v.Type() {
	case fastjson.TypeString:
		b, _ := v.StringBytes()
		return tidy(string(b), max)
	case fastjson.TypeNumber, fastjson.TypeTrue, fastjson.TypeFalse:
		return tidy(v.String(), max)
	}
	return "", false
}

func tidy(s string, max int) (string, bool) {
	if strings.IndexByte(s, 0) >= 0 {
		s = strings.ReplaceAll(s, "\x00", "\uFFFD")
	}
	if !utf8.ValidString(s) {
		s = strings.ToValidUTF8(s, "\uFFFD")
	}
	if len(s) <= max {
		return s, false
	}
	s = s[:max]
	for len(s) > 0 && !utf8.ValidString(s[len(s)-min(len(s), utf8.UTFMax):]) && !utf8.RuneStart(s[len(s)-1]) {
		s = s[:len(s)-1]
	}
	return strings.ToValidUTF8(s, ""), true
}

func isTrue(v *fastjson.Value) bool { return v != nil && v.Type() == fastjson.TypeTrue }

// integer is a number, or -1.
func integer(v *fastjson.Value) int {
	if v == nil || v.Type() != fastjson.TypeNumber {
		return -1
	}
	f, err := v.Float64()
	if err != nil || f < 0 || f > 1<<31 || f != math.Trunc(f) {
		return -1
	}
	return int(f)
}

// number is a number that is not below zero, else 0.
func number(v *fastjson.Value) int { return max(integer(v), 0) }

// timeForms are the texts that SDKs write times in; without a zone they mean UTC.
var timeForms = []string{time.RFC3339Nano, "2006-01-02T15:04:05.999999999", "2006-01-02 15:04:05.999999999Z07:00", "2006-01-02 15:04:05.999999999", "2006-01-02T15:04:05.999999999Z0700"}

// moment is a time as seconds (with a fraction), as text with seconds, or as one of timeForms; zero when it is none.
func moment(v *fastjson.Value) time.Time {
	text := str(v, 64)
	if text == "" {
		return time.Time{}
	}
	if f, err := fastjson.Parse(text); err == nil && f.Type() == fastjson.TypeNumber {
		return seconds(f.GetFloat64())
	}
	for _, form := range timeForms {
		if t, err := time.Parse(form, text); err == nil && t.Year() > 1 && t.Year() < 9999 {
			return t.UTC()
		}
	}
	return time.Time{}
}

func seconds(f float64) time.Time {
	if math.IsNaN(f) || f <= 0 || f > 1e11 { // the year 5138
		return time.Time{}
	}
	whole, part := math.Modf(f)
	return time.Unix(int64(whole), int64(math.Round(part*1e6))*1000).UTC()
}

// list are the members of an array, of an object's "values", or the object itself as the only one.
func list(v *fastjson.Value) []*fastjson.Value {
	if v == nil {
		return nil
	}
	switch v.Type() {
	case fastjson.TypeArray:
		a, _ := v.Array()
		return a
	case fastjson.TypeObject:
		if inner := v.Get("values"); inner != nil {
			if inner.Type() == fastjson.TypeArray {
				return list(inner)
			}
			return nil
		}
		return []*fastjson.Value{v}
	}
	return nil
}

func isObject(v *fastjson.Value) bool { return v != nil && v.Type() == fastjson.TypeObject }

// fields are the members of an object, or of an array by their number.
func fields(v *fastjson.Value) []Field {
	var out []Field
	visit(v, func(key string, v *fastjson.Value) {
		if len(out) < maxFields {
			out = append(out, field(key, v))
		}
	})
	return out
}

// visit walks over an object, in order, or over an array of pairs or of anything else.
func visit(v *fastjson.Value, fn func(key string, v *fastjson.Value)) {
	if v == nil {
		return
	}
	switch v.Type() {
	case fastjson.TypeObject:
		o, _ := v.Object()
		o.Visit(func(k []byte, v *fastjson.Value) {
			key, _ := tidy(string(k), maxTagKey)
			fn(key, v)
		})
	case fastjson.TypeArray:
		a, _ := v.Array()
		for _, member := range a {
			if key, value, ok := pair(member); ok {
				fn(key, value)
			}
		}
	}
}

// pair is ["key", value] or {"key": ..., "value": ...}.
func pair(v *fastjson.Value) (string, *fastjson.Value, bool) {
	if a, err := v.Array(); err == nil {
		if len(a) != 2 {
			return "", nil, false
		}
		return str(a[0], maxTagKey), a[1], true
	}
	if isObject(v) && v.Exists("key") {
		return str(v.Get("key"), maxTagKey), v.Get("value"), true
	}
	return "", nil, false
}

func field(key string, v *fastjson.Value) Field {
	if v != nil && v.Type() == fastjson.TypeString {
		return Field{Key: key, Value: str(v, maxFieldText)}
	}
	if v == nil {
		return Field{Key: key, Value: "null", JSON: true}
	}
	text, cut := tidy(string(v.MarshalTo(nil)), maxFieldText)
	return Field{Key: key, Value: text, JSON: !cut}
}

// pairs are the members of an object or list of pairs, as text; lists are joined.
func pairs(v *fastjson.Value, most, maxValue int) []Pair {
	var out []Pair
	visit(v, func(key string, v *fastjson.Value) {
		if len(out) >= most || key == "" {
			return
		}
		text := str(v, maxValue)
		if v != nil && v.Type() == fastjson.TypeArray {
			var parts []string
			for _, member := range list(v) {
				parts = append(parts, str(member, maxValue))
			}
			text, _ = tidy(strings.Join(parts, ", "), maxValue)
		}
		out = append(out, Pair{key, text})
	})
	return out
}

// bytesOf are those of a string, nil of anything else. They belong to the JSON.
func bytesOf(v *fastjson.Value) []byte {
	if v == nil || v.Type() != fastjson.TypeString {
		return nil
	}
	b, _ := v.StringBytes()
	return b
}

// alias is b as a string that shares its memory, for as long as b is not written to.
func alias(b []byte) string { return unsafe.String(unsafe.SliceData(b), len(b)) }

// bare is a string as it is; it shares the memory of the JSON.
func bare(v *fastjson.Value) string { return alias(bytesOf(v)) }

// instant is moment without an allocation for what nearly every SDK sends: seconds with a fraction, or RFC 3339.
func instant(v *fastjson.Value) time.Time {
	if v == nil {
		return time.Time{}
	}
	switch v.Type() {
	case fastjson.TypeNumber:
		return seconds(v.GetFloat64())
	case fastjson.TypeString:
		if t, err := time.Parse(time.RFC3339Nano, bare(v)); err == nil && t.Year() > 1 && t.Year() < 9999 {
			return t.UTC()
		}
	}
	return moment(v)
}
