package envelope

import (
	"bytes"
	"fmt"
	"unicode/utf8"

	"github.com/valyala/fastjson"
)

// Clean makes the payload of an item valid UTF-8 without a byte order mark and without raw NUL bytes. Bytes that
// are clean already are given back as they are.
func Clean(raw []byte) []byte {
	raw = bytes.TrimPrefix(raw, []byte("\xef\xbb\xbf"))
	if bytes.IndexByte(raw, 0) >= 0 {
		raw = bytes.ReplaceAll(raw, []byte{0}, nil)
	}
	if utf8.Valid(raw) {
		return raw
	}
	return bytes.ToValidUTF8(raw, []byte("\uFFFD"))
}

// Head is what has to be known of an event before it is stored.
type Head struct{ EventID, Type string }

// parsers are shared: one holds the values of an event, some 200 KB.
var parsers fastjson.ParserPool

// Check tells whether a payload is a JSON object within the limits.
func Check(payload []byte, lim Limits) (h Head, err error) {
	lim = lim.orDefault()
	if len(bytes.TrimSpace(payload)) == 0 {
		return h, &Error{"empty", "The event is empty."}
	}
	if err := deep(payload, lim.Depth, lim.Nodes); err != nil {
		return h, err
	}
	p := parsers.Get()
	defer parsers.Put(p)
	v, err := p.ParseBytes(payload)
	if err != nil {
		return h, &Error{"json", "It is not valid JSON."}
	}
	if v.Type() != fastjson.TypeObject {
		return h, &Error{"json_not_object", "It is JSON, but not an object."}
	}
	return Head{str(v.Get("event_id"), 64), str(v.Get("type"), 64)}, nil
}

// deep walks over the bytes once and counts nesting and values, before a parser spends memory on them.
func deep(b []byte, maxDepth, maxNodes int) error {
	depth, nodes := 0, 1
	for i := 0; i < len(b); i++ {
		switch b[i] {
		case '"':
			i = endOfString(b, i+1)
		case '{', '[':
			nodes++
			if depth++; depth > maxDepth {
				return &Error{"json_depth", fmt.Sprintf("It is nested deeper than %d (ingest.json_depth).", maxDepth)}
			}
		case '}', ']':
			depth--
		case ',':
			nodes++
		}
		if nodes > maxNodes {
			return &Error{"json_nodes", fmt.Sprintf("It has more than %d values (ingest.json_nodes).", maxNodes)}
		}
	}
	return nil
}

// endOfString is the place of the quote that ends a string, or the end of b. It hops from quote to quote and looks
// back for an odd number of backslashes, which is several times faster than to look at every byte.
func endOfString(b []byte, i int) int {
	for start := i; ; {
		n := bytes.IndexByte(b[i:], '"')
		if n < 0 {
			return len(b)
		}
		i += n
		slashes := 0
		for j := i - 1; j >= start && b[j] == '\\'; j-- {
			slashes++
		}
		if slashes%2 == 0 {
			return i
		}
		i++
	}
}
