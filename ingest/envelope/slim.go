package envelope

import (
	"bytes"
	"unicode/utf8"
	"unsafe"

	"github.com/valyala/fastjson"
)

// Slim reads events for grouping alone, one after another: what Digest reads of them without ids, times, user, request
// and contexts. It copies no text and uses its memory again, so that a million stored events are read in the time that
// their JSON takes to scan. It is not safe for use by several goroutines.
type Slim struct {
	json   fastjson.Parser
	parser parser
	event  Event
	frames []Frame
	// clean tells that no text of the event needs tidying, which one look at the whole says faster than one at each.
	clean bool
}

// Parse reads an event as ParseEvent does. The event and all of its strings are valid until the next call.
func (s *Slim) Parse(payload []byte) (*Event, error) {
	s.clean = utf8.Valid(payload) && bytes.IndexByte(payload, 0) < 0 && !bytes.Contains(payload, []byte(`\u`))
	v, _, err := eventObject(&s.json, payload)
	if err != nil {
		return nil, err
	}
	s.event, s.frames = Event{Exceptions: s.event.Exceptions[:0]}, s.frames[:0]
	s.parser = parser{ev: &s.event, slim: s, yes: true}
	s.parser.grounds(v)
	s.parser.message(v)
	s.parser.faults(v)
	return &s.event, nil
}

// room is an empty list for n frames.
func (r *parser) room(n int) []Frame {
	if r.slim == nil {
		return make([]Frame, 0, n)
	}
	s := r.slim
	if cap(s.frames)-len(s.frames) < n {
		s.frames = make([]Frame, 0, max(n, 2*cap(s.frames), 64))
	}
	at := len(s.frames)
	s.frames = s.frames[:at+n]
	return s.frames[at : at : at+n]
}

// str is str of this package; for Slim it shares the memory of the JSON.
func (r *parser) str(v *fastjson.Value, max int) string {
	s, _ := r.cut(v, max)
	return s
}

func (r *parser) cut(v *fastjson.Value, max int) (string, bool) {
	if r.slim == nil || v == nil || v.Type() != fastjson.TypeString {
		return strCut(v, max)
	}
	b, _ := v.StringBytes()
	text := unsafe.String(unsafe.SliceData(b), len(b))
	if r.slim.clean && len(text) <= max {
		return text, false
	}
	return tidy(text, max)
}

// boolean is true or false without an allocation, or nil when the value is neither.
func (r *parser) boolean(v *fastjson.Value) *bool {
	if v == nil {
		return nil
	}
	switch v.Type() {
	case fastjson.TypeTrue:
		return &r.yes
	case fastjson.TypeFalse:
		return &r.no
	}
	return nil
}
