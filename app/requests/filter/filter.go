// Package filter is the language in which requests are looked for: on the list, in the CSV export and on the command
// line. It is pure.
//
//	endpoint:/checkout/* status:5xx duration:>500ms queries:>20 user:id:42 -release:shop@4.16.* switch:new_totals=on is:failed
//
// Terms are joined by "and". A term is true when one of its values, parted by commas, fits. A minus before it turns it
// round. A word without a key is a part of the endpoint. Text holds * for anything, unless it stands in quotes.
package filter

import (
	"fmt"
	"math"
	"strings"
)

// Limits of a text to parse: a page's address holds it, and each value costs a comparison for each request looked at.
const (
	MaxBytes  = 1024
	MaxValues = 40
)

// Field is what a term looks at; its text is the key before the colon.
type Field string

// The fields. Word is text without a key: a part of the endpoint.
const (
	Endpoint Field = "endpoint"
	Method   Field = "method"
	Status   Field = "status"   // of HTTP; 5xx is 500 to 599
	Duration Field = "duration" // in nanoseconds; written with a unit, milliseconds without one
	Queries  Field = "queries"  // of the database
	User     Field = "user"
	Release  Field = "release"
	Env      Field = "env"
	Host     Field = "host"
	Service  Field = "service"
	Switch   Field = "switch" // key or key=variant
	Trace    Field = "trace"  // 32 hexadecimal digits
	Is       Field = "is"     // failed or kept
	Word     Field = ""
)

// Op is how a value is compared.
type Op uint8

// The comparisons. Equal and Match are for text; numbers know all but Match and Contains.
const (
	Equal        Op = iota
	Match           // text with *
	Contains        // the part of an endpoint
	Greater         // > N
	GreaterEqual    // >= N
	Less            // < N
	LessEqual       // <= N
	Between         // N..M, both included
)

// Value is one alternative of a term.
type Value struct {
	Op Op
	// Text is the value of a text field, the key of a switch, or a state of Is.
	Text string
	// Variant is a switch's; "" is any.
	Variant string
	// N and M are numbers: a status, nanoseconds or a count. M is for Between alone.
	N, M int64
}

// Term is one condition: one of its values fits, or with Not none does.
type Term struct {
	Field  Field
	Not    bool
	Values []Value
	// Pos is where it begins in the text, in bytes; String does not keep it.
	Pos int
}

// Filter is what Parse understood. The zero Filter lets every request through.
type Filter struct{ Terms []Term }

// Problem is something that could not be understood, with what can be written instead.
type Problem struct {
	Pos     int // in bytes from the beginning of the text
	Message string
}

// Range is the smallest and largest number that fits a value of a number field, both included.
func (v Value) Range() (low, high int64) {
	switch v.Op {
	case Greater:
		return min(v.N, math.MaxInt64-1) + 1, math.MaxInt64
	case GreaterEqual:
		return v.N, math.MaxInt64
	case Less:
		return math.MinInt64, max(v.N, math.MinInt64+1) - 1
	case LessEqual:
		return math.MinInt64, v.N
	case Between:
		return v.N, v.M
	}
	return v.N, v.N
}

// Number tells whether a field is compared as a number.
func (f Field) Number() bool { return f == Status || f == Duration || f == Queries }

// Empty tells whether every request fits.
func (f Filter) Empty() bool { return len(f.Terms) == 0 }

// Without is the filter less its nth term.
func (f Filter) Without(n int) Filter {
	out := Filter{}
	for i, t := range f.Terms {
		if i != n {
			out.Terms = append(out.Terms, t)
		}
	}
	return out
}

// String is the filter as Parse reads it.
func (f Filter) String() string {
	var parts []string
	for _, t := range f.Terms {
		parts = append(parts, t.String())
	}
	return strings.Join(parts, " ")
}

// String is the term as Parse reads it.
func (t Term) String() string {
	var b strings.Builder
	if t.Not {
		b.WriteByte('-')
	}
	if t.Field != Word {
		b.WriteString(string(t.Field) + ":")
	}
	b.WriteString(t.ValuesText())
	return b.String()
}

// ValuesText is what stands behind the colon of a term.
func (t Term) ValuesText() string {
	var parts []string
	for _, v := range t.Values {
		parts = append(parts, v.text(t.Field))
	}
	return strings.Join(parts, ",")
}

// signs stand before a number.
var signs = map[Op]string{Greater: ">", GreaterEqual: ">=", Less: "<", LessEqual: "<="}

func (v Value) text(f Field) string {
	switch {
	case f == Status && v.Op == Between && v.N%100 == 0 && v.M == v.N+99:
		return fmt.Sprintf("%dxx", v.N/100)
	case f.Number() && v.Op == Between:
		return number(f, v.N) + ".." + number(f, v.M)
	case f.Number():
		return signs[v.Op] + number(f, v.N)
	case f == Switch && v.Variant != "":
		return quoteIf(v.Text, "=") + "=" + quoteIf(v.Variant, "")
	case f == Switch:
		return quoteIf(v.Text, "=")
	case f == Word:
		return quoteIf(v.Text, ":")
	case v.Op == Match:
		return pattern(v.Text)
	}
	return quoteIf(v.Text, "*")
}

func number(f Field, n int64) string {
	if f != Duration {
		return fmt.Sprint(n)
	}
	for _, u := range units {
		if n%u.size == 0 && n != 0 {
			return fmt.Sprint(n/u.size) + u.name
		}
	}
	return fmt.Sprint(n) + "ns"
}

// pattern is text with *; the stretches between the stars are quoted where they must be.
func pattern(text string) string {
	parts := strings.Split(text, "*")
	for i, p := range parts {
		if p != "" {
			parts[i] = quoteIf(p, "*")
		}
	}
	return strings.Join(parts, "*")
}

// quoteIf puts text in quotes when it would be read as something else: it is empty, or it holds white space, a comma, a
// quote or one of special, or begins with a sign.
func quoteIf(text, special string) string {
	if text != "" && !strings.ContainsAny(text, " \t\r\n\f\v,\"\\"+special) && !strings.HasPrefix(text, "-") && !strings.HasPrefix(text, "!") && plainSpaces(text) {
		return text
	}
	return `"` + strings.NewReplacer(`\`, `\\`, `"`, `\"`).Replace(text) + `"`
}
