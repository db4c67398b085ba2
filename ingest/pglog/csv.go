package pglog

import (
	"strconv"
	"strings"
)

// The columns of csvlog that we read, counted from 0, as the manual lists them (23 up to version 12, backend_type since
// 13, leader_pid and query_id since 14).
const (
	csvTime = iota
	csvUser
	csvDatabase
	csvPID
	csvFrom
	csvSeverity    = 11
	csvState       = 12
	csvMessage     = 13
	csvDetail      = 14
	csvHint        = 15
	csvContext     = 18
	csvStatement   = 19
	csvApplication = 22
	csvQueryID     = 25
	csvLeast       = 23 // application_name is the last of the oldest
	csvMost        = 40 // columns that later versions may add are passed over
)

// parseCSV reads a record of csvlog without its line break; it may hold others in quotes.
func parseCSV(record string, e *Entry) bool {
	var cols [csvMost]string
	n := 0
	for rest, more := record, true; more; n++ {
		var col string
		var ok bool
		if col, rest, more, ok = csvColumn(rest); !ok || n == csvMost {
			return false
		}
		cols[n] = col
	}
	var ok bool
	if e.Time, ok = parseTime(cols[csvTime]); n < csvLeast || !ok || cols[csvSeverity] == "" {
		return false
	}
	e.User, e.Database, e.PID, e.Host = cols[csvUser], cols[csvDatabase], number32(cols[csvPID]), hostOf(cols[csvFrom])
	e.Severity, e.SQLState, e.Message = severityName(cols[csvSeverity]), cols[csvState], cols[csvMessage]
	e.Detail, e.Hint, e.Context = cols[csvDetail], cols[csvHint], cols[csvContext]
	e.Statement, e.Application = cols[csvStatement], cols[csvApplication]
	e.QueryID, _ = strconv.ParseInt(cols[csvQueryID], 10, 64)
	e.interpret()
	return true
}

// csvColumn reads one column and tells whether another follows.
func csvColumn(s string) (col, rest string, more, ok bool) {
	if s == "" || s[0] != '"' {
		col, rest, more = strings.Cut(s, ",")
		return valid(col), rest, more, true
	}
	doubled := false
	for i := 1; i < len(s); i++ {
		if s[i] != '"' {
			at := strings.IndexByte(s[i:], '"')
			if at < 0 {
				break
			}
			i += at
		}
		if i+1 < len(s) && s[i+1] == '"' {
			doubled = true
			i++
			continue
		}
		if col = s[1:i]; doubled {
			col = strings.ReplaceAll(col, `""`, `"`)
		}
		rest = s[i+1:]
		return valid(col), strings.TrimPrefix(rest, ","), rest != "", rest == "" || rest[0] == ','
	}
	return "", "", false, false
}

// hostOf takes the port off host:port, which an IPv6 address needs brackets for in no version.
func hostOf(from string) string {
	if at := strings.LastIndexByte(from, ':'); at > 0 {
		return from[:at]
	}
	return from
}
