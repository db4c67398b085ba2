package pglog

import (
	"strconv"
	"strings"
	"time"
)

// interpret reads what the message and its detail say.
func (e *Entry) interpret() {
	switch e.Severity {
	case "LOG":
		e.interpretLog()
	case "ERROR", "FATAL", "PANIC":
		e.Kind = Failure
	}
	e.Params = parameters(e.Detail)
}

func (e *Entry) interpretLog() {
	m := e.Message
	switch {
	case strings.HasPrefix(m, "duration: "):
		e.duration(m[len("duration: "):])
	case strings.HasPrefix(m, "statement: "):
		e.Kind, e.Statement = Started, m[len("statement: "):]
	case strings.HasPrefix(m, "execute "):
		if phase, sql, ok := phaseOf(m); ok {
			e.Kind, e.Phase, e.Statement = Started, phase, sql
		}
	case strings.HasPrefix(m, "temporary file: "):
		e.temp(m)
	case strings.HasPrefix(m, "process "):
		e.lock(m)
	}
}

// duration reads "12.345 ms", and behind it nothing, a statement, a phase with its name and SQL, or a plan.
func (e *Entry) duration(rest string) {
	at := strings.Index(rest, " ms")
	if at < 0 {
		return
	}
	d, ok := milliseconds(rest[:at])
	if !ok {
		return
	}
	e.Kind, e.Duration, e.Timed = Duration, d, true
	rest = strings.TrimLeft(rest[at+len(" ms"):], " ")
	if sql, ok := strings.CutPrefix(rest, "statement: "); ok {
		e.Statement = sql
	} else if plan, ok := strings.CutPrefix(rest, "plan:"); ok {
		e.Kind = Plan
		e.Statement, e.Plan = splitPlan(strings.TrimLeft(plan, " \n"))
	} else if phase, sql, ok := phaseOf(rest); ok {
		e.Phase, e.Statement = phase, sql
	}
}

// phases are the words before a statement's name.
var phases = []struct {
	word  string
	phase Phase
}{{"parse ", Parse}, {"bind ", Bind}, {"execute fetch from ", Execute}, {"execute ", Execute}}

// phaseOf reads "execute NAME: SQL". The name is <unnamed> or what the driver made up, with the portal behind a slash; it
// means nothing to us.
func phaseOf(text string) (Phase, string, bool) {
	for _, p := range phases {
		if rest, ok := strings.CutPrefix(text, p.word); ok {
			_, sql, ok := strings.Cut(rest, ": ")
			return p.phase, sql, ok
		}
	}
	return Simple, "", false
}

// temp reads `temporary file: path "base/...", size 1234`.
func (e *Entry) temp(m string) {
	at := strings.LastIndex(m, ", size ")
	if at < 0 {
		return
	}
	if n, err := strconv.ParseInt(m[at+len(", size "):], 10, 64); err == nil && n >= 0 {
		e.Kind, e.TempBytes = TempFile, n
	}
}

// lock reads "process 12 still waiting for ShareLock on ... after 1000.123 ms" and "process 12 acquired ...".
func (e *Entry) lock(m string) {
	at := strings.LastIndex(m, " after ")
	if at < 0 {
		return
	}
	d, ok := milliseconds(strings.TrimSuffix(m[at+len(" after "):], " ms"))
	switch {
	case !ok:
	case strings.Contains(m[:at], " still waiting for "):
		e.Kind, e.LockWait = Waiting, d
	case strings.Contains(m[:at], " acquired "):
		e.Kind, e.LockWait = Acquired, d
	}
}

// parameters finds them in a DETAIL. Major versions differ in the case of the first letter.
func parameters(detail string) string {
	const word = "parameters: "
	if at := strings.IndexByte(detail, ':') - len(word) + 2; at >= 0 && at < 7 && len(detail) >= at+len(word) && strings.EqualFold(detail[at:at+len(word)], word) {
		return detail[at+len(word):]
	}
	return ""
}

// milliseconds reads 12.345 without going through a float, so that sums stay exact.
func milliseconds(s string) (time.Duration, bool) {
	whole, fraction, _ := strings.Cut(s, ".")
	n, err := strconv.ParseUint(whole, 10, 42)
	if err != nil || len(fraction) > 6 {
		return 0, false
	}
	d := time.Duration(n) * time.Millisecond
	if fraction != "" {
		f, err := strconv.ParseUint(fraction, 10, 32)
		if err != nil {
			return 0, false
		}
		for range 6 - len(fraction) {
			f *= 10
		}
		d += time.Duration(f)
	}
	return d, true
}
