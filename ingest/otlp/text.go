package otlp

import (
	"encoding/base64"
	"strconv"
	"strings"

	"kibitz/app/trace"
)

// protoText is an AnyValue as people read it: a text as it is; the members of a list and of a map one after another, with
// their names. What is nested deeper than depth is "...".
func protoText(b []byte, depth int) (text string, err error) {
	if depth == 0 {
		return "...", nil
	}
	err = each(b, func(w *wire) (err error) {
		switch {
		case w.is(1, wireBytes):
			text = w.text()
		case w.is(2, wireVarint):
			text = strconv.FormatBool(w.n != 0)
		case w.is(3, wireVarint):
			text = strconv.FormatInt(int64(w.n), 10)
		case w.is(4, wireFixed64):
			text = strconv.FormatFloat(w.float(), 'g', -1, 64)
		case w.is(5, wireBytes):
			text, err = protoMembers(w.data(), depth, false)
		case w.is(6, wireBytes):
			text, err = protoMembers(w.data(), depth, true)
		case w.is(7, wireBytes):
			text = base64.StdEncoding.EncodeToString(w.data()[:min(len(w.data()), trace.MaxText)])
		}
		return err
	})
	return text, err
}

// protoMembers are those of an ArrayValue or a KeyValueList.
func protoMembers(b []byte, depth int, named bool) (string, error) {
	var out strings.Builder
	n := 0
	err := each(b, func(w *wire) error {
		if !w.is(1, wireBytes) || out.Len() > trace.MaxText {
			return nil
		}
		if n++; n > 1 {
			out.WriteString(", ")
		}
		value := w.data()
		if named {
			key, inner, err := protoPair(w.data())
			if err != nil {
				return err
			}
			out.WriteString(key + "=")
			value = inner
		}
		text, err := protoText(value, depth-1)
		out.WriteString(text)
		return err
	})
	return out.String(), err
}

func protoPair(b []byte) (key string, value []byte, err error) {
	w := wire{b: b}
	for w.next() {
		switch {
		case w.is(1, wireBytes):
			key = w.text()
		case w.is(2, wireBytes):
			value = w.data()
		}
	}
	return key, value, w.err
}
