package envelope

import (
	"fmt"
	"strings"

	"github.com/valyala/fastjson"

	"kibitz/app/trace"
)

// MaxLines is how many lines one item may have (log_lines); SDKs send 100 at a time.
const MaxLines = 10_000

// ParseLogs reads an item of log lines (https://develop.sentry.dev/sdk/telemetry/logs/): a container, or a single line. Lines
// without a text or a time are left out and counted as rejected. The error is an *Error.
func ParseLogs(payload []byte, lim Limits) ([]trace.LogLine, Rejected, error) {
	p := parsers.Get()
	defer parsers.Put(p)
	v, err := itemObject(p, payload, lim)
	if err != nil {
		return nil, Rejected{}, err
	}
	items, _ := container(v)
	var l logItem
	lines := make([]trace.LogLine, 0, min(len(items), MaxLines))
	for i, item := range items {
		if i >= MaxLines {
			l.rejected.N += len(items) - i
			l.rejected.Text = orElse(l.rejected.Text, fmt.Sprintf("It has more than %d lines (limit log_lines).", MaxLines))
			break
		}
		line, err := l.line(item)
		if err != nil {
			l.rejected.add(err)
			continue
		}
		lines = append(lines, line)
	}
	return lines, l.rejected, nil
}

// logItem reads the lines of one item; it lives as long as the JSON.
type logItem struct {
	attributes
	rejected Rejected
}

func (l *logItem) line(v *fastjson.Value) (line trace.LogLine, err error) {
	if !isObject(v) {
		return line, &Error{"log", "A line is not an object."}
	}
	line.At = instant(v.Get("timestamp"))
	if line.At.IsZero() {
		return line, &Error{"timestamp", "A line has no timestamp that is a time."}
	}
	if line.Body = l.text(v.Get("body"), trace.MaxText); line.Body == "" {
		return line, &Error{"body", "A line has no body."}
	}
	line.Level = trace.LevelOf(str(v.Get("level"), trace.MaxOp), integer(v.Get("severity_number")))
	line.Trace, _ = trace.ParseID(bare(v.Get("trace_id")))
	line.Span, _ = trace.ParseSpanID(bare(v.Get("span_id")))
	l.facts.Reset(&l.texts)
	l.typed(v.Get("attributes"))
	l.facts.FillLine(&line)
	// JavaScript's SDK names the span among the attributes, and servers by an address.
	for i := 0; i < len(line.Attrs); i++ {
		switch a := line.Attrs[i]; {
		case a.Key == "sentry.trace.parent_span_id" && line.Span == 0:
			line.Span, _ = trace.ParseSpanID(a.Value)
		case a.Key == "server.address" && line.Host == "":
			line.Host = a.Value
		case strings.HasPrefix(a.Key, "sentry."):
		default:
			continue
		}
		line.Attrs = append(line.Attrs[:i], line.Attrs[i+1:]...)
		i--
	}
	return line, nil
}
