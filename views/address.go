package views

import (
	"maps"
	"net/url"

	"github.com/a-h/templ"

	"kibitz/app/model"
)

// address is a page and its fields, which the page's links change one by one.
type address struct {
	path   string
	fields url.Values
}

// newAddress takes names and values in turn; empty values are left out.
func newAddress(path string, period model.Period, fields ...string) address {
	a := address{path, url.Values{}}
	for i := 0; i+1 < len(fields); i += 2 {
		if fields[i+1] != "" {
			a.fields.Set(fields[i], fields[i+1])
		}
	}
	if period.Name != model.PeriodChoices()[0].Name {
		maps.Copy(a.fields, period.Fields())
	}
	return a
}

// with is the address with other values; an empty one takes a field away.
func (a address) with(fields ...string) templ.SafeURL {
	changed := maps.Clone(a.fields)
	for i := 0; i+1 < len(fields); i += 2 {
		if changed.Del(fields[i]); fields[i+1] != "" {
			changed.Set(fields[i], fields[i+1])
		}
	}
	if len(changed) == 0 {
		return templ.SafeURL(a.path)
	}
	return templ.SafeURL(a.path + "?" + changed.Encode())
}

// timeless is the address without its period, for links that put another one behind it.
func (a address) timeless() string { return string(a.with("period", "", "from", "", "to", "")) }

// field is one of a form that leads to the same page.
type field struct{ name, value string }

// hidden are the fields that a form keeps, but for those that it asks for itself.
func (a address) hidden(but ...string) []field {
	var out []field
	for _, name := range sortedKeys(a.fields) {
		asked := false
		for _, b := range but {
			asked = asked || b == name
		}
		if !asked {
			out = append(out, field{name, a.fields.Get(name)})
		}
	}
	return out
}
