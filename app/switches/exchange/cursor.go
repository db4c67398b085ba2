package exchange

import (
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"strings"
)

// wrongs are what is wrong in a file, the first few.
type wrongs struct {
	list []string
	more int
}

const maxWrongs = 10

func (w *wrongs) add(text string) {
	if len(w.list) == maxWrongs {
		w.more++
		return
	}
	w.list = append(w.list, text)
}

func (w *wrongs) err() error {
	if len(w.list) == 0 {
		return nil
	}
	text := strings.Join(w.list, "\n")
	if w.more > 0 {
		text += fmt.Sprintf("\nand %d more", w.more)
	}
	return errors.New(text)
}

// cursor is a place in a file. What is not there is nothing, and what has another type is reported with line and path.
type cursor struct {
	v     *value
	path  string
	wrong *wrongs
}

func (c cursor) there() bool    { return c.v != nil && c.v.kind != nullKind }
func (c cursor) is(k kind) bool { return c.v != nil && c.v.kind == k }

func (c cursor) fail(format string, args ...any) {
	line := 0
	if c.v != nil {
		line = c.v.line
	}
	c.wrong.add(fmt.Sprintf("line %d, %s: ", line, strings.TrimPrefix(c.path, ".")) + fmt.Sprintf(format, args...))
}

func (c cursor) want(k kind) bool {
	if !c.there() {
		return false
	}
	if c.v.kind != k {
		c.fail("expected %s, found %s", k, c.v.kind)
		return false
	}
	return true
}

// get is a field of an object.
func (c cursor) get(key string) cursor {
	at := cursor{nil, c.path + "." + clip(key), c.wrong}
	if c.is(mapKind) {
		for _, f := range c.v.fields {
			if f.key == key {
				at.v = f.value
			}
		}
	}
	return at
}

// list is the items of a list.
func (c cursor) list() (out []cursor) {
	if !c.want(listKind) {
		return nil
	}
	for i, v := range c.v.list {
		out = append(out, cursor{v, c.path + "[" + strconv.Itoa(i) + "]", c.wrong})
	}
	return out
}

// objects is a list of objects.
func (c cursor) objects() (out []cursor) {
	for _, item := range c.list() {
		if item.object() {
			out = append(out, item)
		}
	}
	return out
}

// object holds that it is one.
func (c cursor) object() bool {
	if !c.there() {
		c.fail("expected an object, found nothing")
		return false
	}
	return c.want(mapKind)
}

// named is a field and its name.
type named struct {
	key string
	cursor
}

// fields are those of an object, in order.
func (c cursor) fields() (out []named) {
	if !c.want(mapKind) {
		return nil
	}
	for _, f := range c.v.fields {
		out = append(out, named{f.key, cursor{f.value, c.path + "." + clip(f.key), c.wrong}})
	}
	return out
}

// str is text; a number or boolean is its literal.
func (c cursor) str() string {
	if !c.there() {
		return ""
	}
	if c.v.kind > textKind {
		c.fail("expected text, found %s", c.v.kind)
		return ""
	}
	return c.v.text
}

// text is text, without complaint where it is something else.
func (c cursor) text() string {
	if c.is(textKind) {
		return c.v.text
	}
	return ""
}

// strs is a list of text; one text is a list of one.
func (c cursor) strs() (out []string) {
	if c.there() && c.v.kind <= textKind {
		return []string{c.v.text}
	}
	for _, item := range c.list() {
		out = append(out, item.str())
	}
	return out
}

// num is a number, or text that is one.
func (c cursor) num() float64 {
	if !c.there() {
		return 0
	}
	n, err := strconv.ParseFloat(c.v.text, 64)
	if (c.v.kind != numberKind && c.v.kind != textKind) || err != nil || n != n || n > 1e15 || n < -1e15 {
		c.fail("expected a number, found %s %q", c.v.kind, clip(c.v.text))
		return 0
	}
	return n
}

// share is a percentage.
func (c cursor) share() float64 {
	n := c.num()
	if n < 0 || n > 100 {
		c.fail("%v is no percentage", n)
		return 0
	}
	return n
}

// flag is true or false; otherwise what is said.
func (c cursor) flag(absent bool) bool {
	if !c.there() {
		return absent
	}
	if !c.want(boolKind) {
		return absent
	}
	return c.v.text == "true"
}

// raw is any value as JSON.
func (c cursor) raw() json.RawMessage {
	if c.v == nil {
		return nil
	}
	return c.v.appendJSON(nil)
}
