package otlp

import (
	"encoding/binary"

	"kibitz/app/trace"
)

// The numbers of fields are those of https://github.com/open-telemetry/opentelemetry-proto (trace.proto, logs.proto,
// common.proto, resource.proto, and the services' requests).

func (d *decoder) protoTraces(body []byte) error {
	return each(body, func(w *wire) error {
		if w.is(1, wireBytes) { // resource_spans
			return d.protoResource(w.data(), d.protoSpan)
		}
		return nil
	})
}

func (d *decoder) protoLogs(body []byte) error {
	return each(body, func(w *wire) error {
		if w.is(1, wireBytes) { // resource_logs
			return d.protoResource(w.data(), d.protoRecord)
		}
		return nil
	})
}

// protoResource reads ResourceSpans or ResourceLogs, which have the same shape. The resource may come after what is its.
func (d *decoder) protoResource(b []byte, item func([]byte) error) error {
	d.origin.Reset(&d.texts)
	err := each(b, func(w *wire) error {
		if w.is(1, wireBytes) { // resource
			return each(w.data(), func(w *wire) error {
				if w.is(1, wireBytes) { // attributes
					return protoAttribute(w.data(), &d.origin, false)
				}
				return nil
			})
		}
		return nil
	})
	if err != nil {
		return err
	}
	return each(b, func(w *wire) error {
		if w.is(2, wireBytes) { // scope_spans
			return d.protoScope(w.data(), item)
		}
		return nil
	})
}

func (d *decoder) protoScope(b []byte, item func([]byte) error) error {
	d.scope = ""
	return each(b, func(w *wire) error {
		switch {
		case w.is(1, wireBytes): // scope
			return each(w.data(), func(w *wire) error {
				if w.is(1, wireBytes) { // name
					d.scope = d.texts.Clip(w.text(), trace.MaxName)
				}
				return nil
			})
		case w.is(2, wireBytes): // spans
			if d.full() {
				return nil
			}
			d.facts.Reset(&d.texts)
			return item(w.data())
		}
		return nil
	})
}

func (d *decoder) protoSpan(b []byte) error {
	var s span
	w := wire{b: b}
	for w.next() {
		switch w.field {
		case 1, 2, 4:
			s.protoID(&w)
		case 3:
			s.state = w.text()
		case 5:
			s.name = w.text()
		case 6:
			s.kind = w.n
		case 7:
			s.start = w.n
		case 8:
			s.end = w.n
		case 9:
			if err := protoAttribute(w.data(), &d.facts, false); err != nil {
				return err
			}
		case 10:
			s.lost = w.n
		case 11:
			if err := d.protoEvent(w.data()); err != nil {
				return err
			}
		case 15:
			if err := s.protoStatus(w.data()); err != nil {
				return err
			}
		case 16:
			s.flags = w.n
		}
	}
	if w.err == nil {
		d.take(&s)
	}
	return w.err
}

func (s *span) protoID(w *wire) {
	switch {
	case w.field == 1 && len(w.data()) == 16:
		s.trace = trace.ID(w.data())
	case w.field == 2 && len(w.data()) == 8:
		s.id = trace.SpanID(binary.BigEndian.Uint64(w.data()))
	case w.field == 4 && len(w.data()) == 8:
		s.parent = trace.SpanID(binary.BigEndian.Uint64(w.data()))
	case w.field == 4 && len(w.data()) > 0:
		s.wrong = "its parent's id is not 8 bytes"
	}
}

func (s *span) protoStatus(b []byte) error {
	return each(b, func(w *wire) error {
		if w.is(3, wireVarint) { // code
			s.code = w.n
		}
		return nil
	})
}

// protoEvent reads the attributes of an event, which come in any order with its name.
func (d *decoder) protoEvent(b []byte) error {
	err := each(b, func(w *wire) error {
		if w.is(3, wireBytes) { // attributes
			return protoAttribute(w.data(), &d.facts, true)
		}
		return nil
	})
	d.facts.EndEvent()
	return err
}

// protoAttribute reads a KeyValue.
func protoAttribute(b []byte, f *trace.Facts, event bool) error {
	var key string
	var value []byte
	w := wire{b: b}
	for w.next() {
		switch {
		case w.is(1, wireBytes):
			key = w.text()
		case w.is(2, wireBytes):
			value = w.data()
		}
	}
	if w.err != nil || key == "" {
		return w.err
	}
	if event {
		text, err := protoText(value, maxNesting)
		f.Event(key, text)
		return err
	}
	return protoValue(key, value, f)
}

// protoValue reads an AnyValue. One with no member is empty.
func protoValue(key string, b []byte, f *trace.Facts) error {
	w := wire{b: b}
	for w.next() {
		switch {
		case w.is(1, wireBytes):
			f.Text(key, w.text())
		case w.is(2, wireVarint):
			f.Bool(key, w.n != 0)
		case w.is(3, wireVarint):
			f.Int(key, int64(w.n))
		case w.is(4, wireFixed64):
			f.Float(key, w.float())
		case w.kind == wireBytes:
			text, err := protoText(b, maxNesting)
			f.Text(key, text)
			return err
		}
	}
	return w.err
}

func (d *decoder) protoRecord(b []byte) error {
	var r record
	w := wire{b: b}
	for w.next() {
		switch w.field {
		case 1:
			r.at = w.n
		case 11:
			r.observed = w.n
		case 2:
			r.number = int64(w.n)
		case 3:
			r.level = w.text()
		case 5:
			text, err := protoText(w.data(), maxNesting)
			if err != nil {
				return err
			}
			r.body = d.texts.Clip(text, trace.MaxText)
		case 6:
			if err := protoAttribute(w.data(), &d.facts, false); err != nil {
				return err
			}
		case 7:
			r.lost = w.n
		case 9, 10:
			r.protoID(&w)
		}
	}
	if w.err == nil {
		d.takeRecord(&r)
	}
	return w.err
}

// protoID reads the request that a record belongs to; ids that cannot be are none.
func (r *record) protoID(w *wire) {
	switch {
	case w.field == 9 && len(w.data()) == 16:
		r.trace = trace.ID(w.data())
	case w.field == 10 && len(w.data()) == 8:
		r.span = trace.SpanID(binary.BigEndian.Uint64(w.data()))
	}
}
