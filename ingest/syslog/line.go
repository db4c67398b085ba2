package syslog

import (
	"fmt"

	"kibitz/app/trace"
)

// Line is a message as a line of a log, and the public key of its project or "". The element perf@NUMBER may name the request
// that it belongs to (trace, span), release and env.
func Line(m *Message) (l trace.LogLine, key string) {
	perf := m.perf()
	l = trace.LogLine{At: m.Time, Level: levels[m.Severity&7], Logger: cut(m.App, trace.MaxName), Body: cut(m.Body, trace.MaxText), Service: orElse(cut(param(perf, "service"), trace.MaxName), cut(m.App, trace.MaxName)),
		Host: cut(m.Host, trace.MaxName), Release: cut(param(perf, "release"), trace.MaxName), Environment: cut(param(perf, "env"), trace.MaxName)}
	l.Trace, _ = trace.ParseID(param(perf, "trace"))
	l.Span, _ = trace.ParseSpanID(param(perf, "span"))
	l.Attrs = rest(m)
	return l, param(perf, "key")
}

// levels are the words of a log for the severities of RFC 5424 (6.2.1), emergency first.
var levels = [8]string{"fatal", "fatal", "fatal", "error", "warn", "info", "info", "debug"}

// facilities are the names of RFC 5424's facilities (6.2.1), as rsyslog and logger write them.
var facilities = [24]string{"kern", "user", "mail", "daemon", "auth", "syslog", "lpr", "news", "uucp", "cron", "authpriv", "ftp", "ntp", "audit",
	"alert", "clock", "local0", "local1", "local2", "local3", "local4", "local5", "local6", "local7"}

// rest is everything of a message that a log line has no field for. A key is a credential and stays out.
func rest(m *Message) []trace.Attr {
	var a attrs
	a.add("syslog.facility", facilities[min(int(m.Facility), len(facilities)-1)])
	a.add("process.pid", m.PID)
	a.add("syslog.msgid", m.MsgID)
	for _, e := range m.SD {
		for _, p := range e.Params {
			if p.Name != "key" {
				a.add(e.ID+"."+p.Name, p.Value)
			}
		}
	}
	if len(m.Body) > trace.MaxText {
		a.text = fmt.Sprintf("the end of %d bytes (limit span_text)", len(m.Body))
	}
	return a.finish()
}
