package switches

import (
	"net/netip"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"
)

// field is where a compiled rule finds its attribute.
type field uint8

const (
	fieldOther    field = iota // by name, among Attrs
	fieldConstant              // time and environment, which Compile knows, and segments
	fieldUser
	fieldAnonymous
	fieldIP
	fieldForum
	fieldRole
	fieldCountry
	fieldHost
	fieldRelease
)

// fields are the attributes that a Subject has a field for.
func fieldOf(attribute string) field {
	switch attribute {
	case "user", "targetingKey":
		return fieldUser
	case "anonymous":
		return fieldAnonymous
	case "ip":
		return fieldIP
	case "forum":
		return fieldForum
	case "role":
		return fieldRole
	case "country":
		return fieldCountry
	case "host":
		return fieldHost
	case "release":
		return fieldRelease
	case "time", "environment", "segment":
		return fieldConstant
	}
	return fieldOther
}

// text is a field's value; "" is absent.
func (s *Subject) text(f field) string {
	switch f {
	case fieldUser:
		return s.ID
	case fieldAnonymous:
		return s.Anonymous
	case fieldIP:
		return s.address()
	case fieldForum:
		return s.Forum
	case fieldRole:
		return s.Role
	case fieldCountry:
		return s.Country
	case fieldHost:
		return s.Host
	case fieldRelease:
		return s.Release
	}
	return ""
}

func (s *Subject) address() string {
	if !s.IP.IsValid() {
		return ""
	}
	return s.IP.Unmap().String()
}

// first is an attribute's text, of a list its first; "" is absent.
func (s *Subject) first(f field, name string) string {
	if f != fieldOther {
		return s.text(f)
	}
	for i := range s.Attrs {
		if s.Attrs[i].Name == name {
			return s.Attrs[i].Value
		}
	}
	return ""
}

// rule is a Rule that can be asked at once.
type rule struct {
	field    field
	op       Op
	code     opCode
	name     string
	not      bool
	fold     bool
	constant bool // the answer, of fieldConstant

	texts    []string
	many     map[string]struct{} // in place of texts, when there are many
	nums     []float64           // numbers; moments in seconds
	nets     []addressRange
	re       *regexp.Regexp
	versions []version
	segments []*segment
	seed     uint64
	limit    int
	source   Rule
}

// when is a When that can be asked at once.
type when [][]rule

func (w when) match(s *Subject) bool {
	for _, group := range w {
		if all(group, s) {
			return true
		}
	}
	return false
}

func all(group []rule, s *Subject) bool {
	for i := range group {
		if !group[i].match(s) {
			return false
		}
	}
	return true
}

// match says whether the subject fits. Not turns round what fits, so that it also matches where the attribute is absent.
func (r *rule) match(s *Subject) bool {
	switch {
	case r.field == fieldOther:
		return r.matchOther(s) != r.not
	case r.segments != nil:
		return r.within(s) != r.not
	case r.field == fieldConstant:
		return r.constant
	case r.field == fieldIP && r.code == opIn:
		return s.IP.IsValid() && r.inNets(s.IP) != r.not || !s.IP.IsValid() && r.not
	}
	text := s.text(r.field)
	return (text != "" && r.fits(text, 0, Text)) != r.not
}

// matchOther looks at every attribute of the name: a list matches where one of its elements does.
func (r *rule) matchOther(s *Subject) bool {
	for i := range s.Attrs {
		if a := &s.Attrs[i]; a.Name == r.name && r.fits(a.Value, a.Num, a.Kind) {
			return true
		}
	}
	return false
}

func (r *rule) within(s *Subject) bool {
	for _, g := range r.segments {
		if !g.broken && g.when.match(s) {
			return true
		}
	}
	return false
}

// fits compares one value that is there.
func (r *rule) fits(text string, num float64, kind Kind) bool {
	if len(text) > MaxAttrValue {
		return false // such values are absent, however they came
	}
	switch r.code {
	case opPresent:
		return true
	case opShare:
		return BucketOf(r.seed, text) < r.limit
	case opIn:
		ip, err := netip.ParseAddr(text)
		return err == nil && r.inNets(ip)
	case opLess, opAtMost, opMore, opAtLeast:
		n, ok := numberOf(text, num, kind)
		return ok && r.compares(n)
	case opBefore, opAfter:
		n, ok := momentOf(text, num, kind)
		return ok && r.compares(n)
	case opOlder, opNewer, opSame:
		v, ok := parseVersion(text)
		return ok && r.versionFits(v)
	case opMatches:
		return r.re.MatchString(text)
	}
	return r.textFits(text)
}

func (r *rule) textFits(text string) bool {
	if r.fold {
		text = strings.ToLower(text)
	}
	if r.many != nil {
		_, ok := r.many[text]
		return ok
	}
	for _, v := range r.texts {
		switch r.code {
		case opIs:
			if text == v {
				return true
			}
		case opPrefix:
			if strings.HasPrefix(text, v) {
				return true
			}
		case opSuffix:
			if strings.HasSuffix(text, v) {
				return true
			}
		case opContains:
			if strings.Contains(text, v) {
				return true
			}
		}
	}
	return false
}

func (r *rule) compares(n float64) bool {
	for _, v := range r.nums {
		switch r.code {
		case opLess, opBefore:
			if n < v {
				return true
			}
		case opAtMost:
			if n <= v {
				return true
			}
		case opMore:
			if n > v {
				return true
			}
		case opAtLeast, opAfter:
			if n >= v {
				return true
			}
		}
	}
	return false
}

func (r *rule) versionFits(v version) bool {
	for _, w := range r.versions {
		c := v.compare(w)
		if c < 0 && r.code == opOlder || c > 0 && r.code == opNewer || c == 0 && r.code == opSame {
			return true
		}
	}
	return false
}

// addressRange is a network from its first to its last address.
type addressRange struct{ from, to netip.Addr }

// inNets finds an address among ranges that are in order and do not touch.
func (r *rule) inNets(ip netip.Addr) bool {
	ip = ip.WithZone("").Unmap()
	i, found := slices.BinarySearchFunc(r.nets, ip, func(n addressRange, ip netip.Addr) int { return n.from.Compare(ip) })
	return found || i > 0 && ip.Compare(r.nets[i-1].to) <= 0
}

// maxNumber is how long the text of a number may be, in bytes.
const maxNumber = 40

// numberOf reads numbers that came as text, too, as those of Unleash's contexts.
func numberOf(text string, num float64, kind Kind) (float64, bool) {
	if kind == Number {
		return num, true
	}
	if kind == Bool || text == "" || len(text) > maxNumber || text[0] > '9' {
		return 0, false
	}
	n, err := strconv.ParseFloat(text, 64)
	return n, err == nil && n == n
}

// millis is from where on a number is taken as milliseconds since 1970, as JavaScript has them; as seconds, that is the year 5138.
const millis = 1e11

// momentOf reads a moment in seconds since 1970.
func momentOf(text string, num float64, kind Kind) (float64, bool) {
	switch {
	case kind == Moment:
		return num, true
	case kind == Number && num >= millis:
		return num / 1000, true
	case kind == Number:
		return num, true
	}
	t, ok := parseMoment(text)
	return seconds(t), ok
}

// parseMoment reads RFC 3339, or a date, which is its first moment in UTC.
func parseMoment(text string) (time.Time, bool) {
	switch n := len(text); {
	case n == len(time.DateOnly):
		t, err := time.Parse(time.DateOnly, text)
		return t, err == nil
	case n > len(time.DateOnly) && n <= maxNumber:
		t, err := time.Parse(time.RFC3339, text)
		return t, err == nil
	}
	return time.Time{}, false
}
