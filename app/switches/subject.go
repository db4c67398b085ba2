package switches

import (
	"encoding/json"
	"fmt"
	"net/netip"
	"strconv"
	"time"
)

// Limits of a subject.
const (
	MaxAttrs     = 200   // attributes of a subject, elements of lists counted
	MaxAttrName  = 200   // bytes of an attribute's name, dots and parents' names included
	MaxAttrValue = 1_000 // bytes of an attribute's value, and of an id
	MaxAttrDepth = 5     // objects within objects
)

// Subject is who or what a switch is asked for. The zero value is nobody: it gets what everyone gets. It may be asked for by
// several goroutines at once, as long as none changes it.
type Subject struct {
	ID        string     `json:"user,omitempty"`      // of the person who signed in; shares go by it
	Anonymous string     `json:"anonymous,omitempty"` // of the browser, from a cookie; shares go by it where there is no ID
	IP        netip.Addr `json:"ip,omitzero"`
	Forum     string     `json:"forum,omitempty"`
	Role      string     `json:"role,omitempty"`
	Country   string     `json:"country,omitempty"`
	Host      string     `json:"host,omitempty"`
	Release   string     `json:"release,omitempty"`
	Attrs     []Attr     `json:"attrs,omitempty"` // any others; a name that is there several times is a list
}

// Attr is an attribute of a subject.
type Attr struct {
	Name  string  `json:"name"`
	Value string  `json:"value"`          // as text: numbers and booleans as JSON writes them, moments in RFC 3339
	Num   float64 `json:"num,omitempty"`  // of a number; of a moment its seconds since 1970
	Kind  Kind    `json:"kind,omitempty"` // what it was
}

// Kind is what an attribute was before it became text.
type Kind uint8

// The kinds of attributes.
const (
	Text Kind = iota
	Number
	Bool
	Moment
)

// Set gives the subject an attribute: a string, boolean, number, moment, address, or a list of these, which matches where one
// of its elements does. Names that a Subject has a field for set the field (see SubjectOf). nil, objects and what is over a
// limit are left out: a rule then finds the attribute absent. SubjectOf is for data from outside, and says what is wrong.
func (s *Subject) Set(name string, v any) {
	// What cannot be set is absent, as documented.
	_ = s.set(name, v, 0)
}

// set is Set, and tells what it left out.
func (s *Subject) set(name string, v any, depth int) error {
	switch v := v.(type) {
	case nil:
		return nil
	case map[string]any:
		return s.nested(name, v, depth+1)
	case []any:
		return setList(s, name, v)
	case []string:
		return setList(s, name, v)
	}
	a, ok := attrOf(v)
	if !ok {
		return invalid("attribute %q is a %T, which is no text, number, boolean, moment or list of these", cut(name), v)
	}
	if len(name) > MaxAttrName || len(a.Value) > MaxAttrValue {
		return invalid("attribute %q is too long: a name may have %d bytes, a value %d", cut(name), MaxAttrName, MaxAttrValue)
	}
	if known, err := s.field(name, a); known {
		return err
	}
	if len(s.Attrs) >= MaxAttrs {
		return invalid("more than %d attributes: send only those that conditions ask", MaxAttrs)
	}
	a.Name = name
	s.Attrs = append(s.Attrs, a)
	return nil
}

func setList[T any](s *Subject, name string, list []T) error {
	for _, v := range list {
		switch any(v).(type) {
		case map[string]any, []any:
			return invalid("attribute %q is a list of objects or lists; texts, numbers and booleans can be asked", cut(name))
		}
		if err := s.set(name, v, 0); err != nil {
			return err
		}
	}
	return nil
}

// field sets the field of that name; known is false when there is none.
func (s *Subject) field(name string, a Attr) (known bool, err error) {
	switch name {
	case "targetingKey", "user":
		s.ID = a.Value
	case "anonymous":
		if a.Kind == Bool { // as LaunchDarkly has it: whether, not who
			return false, nil
		}
		s.Anonymous = a.Value
	case "ip":
		// What is no address is absent, as with a proxy that writes "unknown".
		if ip, err := netip.ParseAddr(a.Value); err == nil {
			s.IP = ip.WithZone("").Unmap()
		}
	case "forum":
		s.Forum = a.Value
	case "role":
		s.Role = a.Value
	case "country":
		s.Country = a.Value
	case "host":
		s.Host = a.Value
	case "release":
		s.Release = a.Value
	default:
		return false, nil
	}
	return true, nil
}

// attrOf is a value as an attribute without name.
func attrOf(v any) (Attr, bool) {
	switch v := v.(type) {
	case string:
		return Attr{Value: v}, true
	case bool:
		return Attr{Value: strconv.FormatBool(v), Kind: Bool}, true
	case float64:
		return number(v), true
	case float32:
		return number(float64(v)), true
	case int:
		return Attr{Value: strconv.Itoa(v), Num: float64(v), Kind: Number}, true
	case int64:
		return Attr{Value: strconv.FormatInt(v, 10), Num: float64(v), Kind: Number}, true
	case int32:
		return Attr{Value: strconv.FormatInt(int64(v), 10), Num: float64(v), Kind: Number}, true
	case uint64:
		return Attr{Value: strconv.FormatUint(v, 10), Num: float64(v), Kind: Number}, true
	case json.Number:
		// Out of range is infinite, which still compares rightly.
		n, _ := v.Float64()
		return Attr{Value: v.String(), Num: n, Kind: Number}, true
	case time.Time:
		return Attr{Value: v.UTC().Format(time.RFC3339Nano), Num: seconds(v), Kind: Moment}, true
	case fmt.Stringer: // netip.Addr, UUIDs
		return Attr{Value: v.String()}, true
	}
	return Attr{}, false
}

// number writes a number as JSON does.
func number(v float64) Attr {
	text, err := json.Marshal(v)
	if err != nil { // infinite or not a number
		text = strconv.AppendFloat(nil, v, 'g', -1, 64)
	}
	return Attr{Value: string(text), Num: v, Kind: Number}
}

func seconds(t time.Time) float64 { return float64(t.Unix()) + float64(t.Nanosecond())/1e9 }
