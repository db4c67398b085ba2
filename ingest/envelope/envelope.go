// Package envelope reads what Sentry SDKs send: envelopes and the events in them, in every shape that SDKs use. It
// is pure: bytes in, records out; nothing it is given makes it panic or take more than linear time.
package envelope

import (
	"bytes"
	"fmt"
	"strconv"
	"strings"

	"github.com/valyala/fastjson"
)

// Envelope is the first line.
type Envelope struct {
	EventID string
	DSN     string
	SentAt  string
	DSC     DSC
}

// Item is one item. Payload is a part of the envelope's bytes.
type Item struct {
	Type        string
	ContentType string
	Filename    string
	Count       int // item_count of a container; 0 when it is none
	Payload     []byte
}

// Parse takes an envelope apart by the grammar of https://develop.sentry.dev/sdk/data-model/envelopes/: a line of
// headers, then for each item a line of headers and its payload, of the length given or else to the end of the line.
func Parse(body []byte, lim Limits) (env Envelope, items []Item, err error) {
	lim = lim.orDefault()
	var p fastjson.Parser
	line, rest, err := headerLine(body, lim)
	if err != nil {
		return env, nil, err
	}
	head, err := object(&p, line, "envelope")
	if err != nil {
		return env, nil, err
	}
	env = Envelope{EventID: str(head.Get("event_id"), 64), DSN: str(head.Get("dsn"), 2048), SentAt: str(head.Get("sent_at"), 64), DSC: dscOf(head)}
	if id := head.Get("event_id"); id != nil && id.Type() != fastjson.TypeNull && !isID(env.EventID) {
		return env, nil, &Error{"event_id", "The envelope's event_id is not 32 hexadecimal digits."}
	}
	for len(rest) > 0 {
		if rest[0] == '\n' { // empty lines between items and at the end
			rest = rest[1:]
			continue
		}
		if len(items) >= lim.Items {
			return env, items, &Error{"envelope_items", fmt.Sprintf("The envelope has more than %d items (ingest.items). Send several.", lim.Items)}
		}
		var item Item
		if item, rest, err = parseItem(&p, rest, lim); err != nil {
			return env, items, err
		}
		items = append(items, item)
	}
	return env, items, nil
}

// isID tells whether text is an event id: 32 hexadecimal digits, with or without the dashes of a UUID.
func isID(text string) bool {
	text = strings.ReplaceAll(text, "-", "")
	return len(text) == 32 && strings.Trim(text, "0123456789abcdefABCDEF") == ""
}

func parseItem(p *fastjson.Parser, body []byte, lim Limits) (item Item, rest []byte, err error) {
	line, rest, err := headerLine(body, lim)
	if err != nil {
		return item, nil, err
	}
	head, err := object(p, line, "item")
	if err != nil {
		return item, nil, err
	}
	item = Item{Type: str(head.Get("type"), 64), ContentType: str(head.Get("content_type"), 256), Filename: str(head.Get("filename"), 256),
		Count: max(head.GetInt("item_count"), 0)}
	if item.Type == "" {
		return item, nil, &Error{"envelope_item_type", "An item's header has no type."}
	}
	length := head.Get("length")
	if length == nil || length.Type() == fastjson.TypeNull {
		item.Payload, rest, _ = bytes.Cut(rest, []byte("\n"))
		return item, rest, nil
	}
	n, err := strconv.ParseInt(str(length, 20), 10, 64)
	if err != nil || n < 0 {
		return item, nil, &Error{"envelope_length", "An item's length is not a number."}
	}
	if n > int64(len(rest)) {
		return item, nil, &Error{"envelope_truncated", fmt.Sprintf("An item of %d bytes ends after %d.", n, len(rest))}
	}
	item.Payload, rest = rest[:n], rest[n:]
	if len(rest) > 0 && rest[0] != '\n' {
		return item, nil, &Error{"envelope_length", "An item is longer than its length says."}
	}
	return item, bytes.TrimPrefix(rest, []byte("\n")), nil
}

// headerLine is the first line of body; a longer one than allowed is refused before it is parsed.
func headerLine(body []byte, lim Limits) (line, rest []byte, err error) {
	line, rest, _ = bytes.Cut(body, []byte("\n"))
	if len(line) > lim.HeaderLine {
		return nil, nil, &Error{"envelope_header", fmt.Sprintf("A header line is longer than %d bytes (ingest.header_line).", lim.HeaderLine)}
	}
	return line, rest, nil
}

func object(p *fastjson.Parser, line []byte, what string) (*fastjson.Value, error) {
	if deep(line, 32, 1000) != nil {
		return nil, &Error{"envelope_header", "The " + what + " header is nested too deeply."}
	}
	v, err := p.ParseBytes(Clean(line))
	if err != nil || v.Type() != fastjson.TypeObject {
		return nil, &Error{"envelope_header", "The " + what + " header is not a JSON object."}
	}
	return v, nil
}
