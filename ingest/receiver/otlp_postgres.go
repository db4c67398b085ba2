package receiver

import (
	"path"
	"strings"

	"github.com/valyala/fastjson"

	"kibitz/app/trace"
	"kibitz/ingest"
	"kibitz/ingest/pglog"
)

// postgresLines takes PostgreSQL's own lines out of a message of log records, and reads them as its log. Collectors send a line
// of a file as the body of a record.
func (r *Receiver) postgresLines(from ingest.Source, lines []trace.LogLine) (rest []trace.LogLine, p pglog.Portion) {
	var c *pglog.Collector
	rest = lines[:0]
	for i := range lines {
		l := &lines[i]
		body, ok := postgresBody(l)
		if ok && c == nil {
			o := r.pglog
			o.Now = from.Received
			c, _ = pglog.NewCollector(o) // a wrong prefix has been refused by config
		}
		if !ok || c == nil {
			rest = append(rest, *l)
			continue
		}
		for line := range strings.SplitSeq(body, "\n") {
			c.Push([]byte(line), l.At)
		}
	}
	if c != nil {
		c.Close()
		p = c.Take(true)
	}
	return rest, p
}

// postgresBody is the line of PostgreSQL's log that a record carries: jsonlog by its look, other formats where an attribute says
// whose they are, or the name of their file.
func postgresBody(l *trace.LogLine) (string, bool) {
	if strings.HasPrefix(l.Body, "{") && strings.Contains(l.Body, `"error_severity"`) {
		return flatRecord(l.Body), true
	}
	if l.Logger == "postgres" || l.Logger == "postgresql" {
		return l.Body, true
	}
	for _, a := range l.Attrs {
		switch a.Key {
		case "db.system.name", "db.system":
			if a.Value == "postgresql" {
				return l.Body, true
			}
		case "log.file.name", "log.file.path":
			if strings.HasPrefix(path.Base(a.Value), "postgresql") {
				return l.Body, true
			}
		}
	}
	return "", false
}

// recordKeys are the keys of jsonlog by those of CloudNativePG, which writes each record of csvlog as a JSON object under
// "record" (https://cloudnative-pg.io/documentation/current/logging/).
var recordKeys = map[string]string{"log_time": "timestamp", "user_name": "user", "database_name": "dbname", "process_id": "pid", "connection_from": "remote_host",
	"error_severity": "error_severity", "sql_state_code": "state_code", "message": "message", "detail": "detail", "hint": "hint", "context": "context",
	"query": "statement", "application_name": "application_name", "query_id": "query_id"}

// flatRecord is a line as jsonlog has it.
func flatRecord(body string) string {
	if !strings.Contains(body, `"record"`) {
		return body
	}
	v, err := fastjson.Parse(body)
	if err != nil || v.GetObject("record") == nil {
		return body
	}
	var a fastjson.Arena
	out := a.NewObject()
	v.GetObject("record").Visit(func(key []byte, v *fastjson.Value) {
		if name := recordKeys[string(key)]; name != "" && v.Type() == fastjson.TypeString {
			out.Set(name, v)
		}
	})
	return out.String()
}
