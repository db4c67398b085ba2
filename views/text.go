package views

import (
	"fmt"
	"net/url"
	"strconv"
	"strings"
	"time"
	"unicode"

	"github.com/a-h/templ"

	"kibitz/app/model"
	"kibitz/ingest/envelope"
)

// short is a number as people read it at a glance: 412, 1.2k, 34k, 5.6M.
func short(n int64) string {
	for _, u := range []struct {
		n    int64
		name string
	}{{1e9, "G"}, {1e6, "M"}, {1e3, "k"}} {
		if n >= 10*u.n {
			return strconv.FormatInt(n/u.n, 10) + u.name
		}
		if n >= u.n {
			return strings.TrimSuffix(strconv.FormatFloat(float64(n)/float64(u.n), 'f', 1, 64), ".0") + u.name
		}
	}
	return strconv.FormatInt(n, 10)
}

// span is a stretch of time in its largest unit.
func span(d time.Duration) string {
	switch {
	case d < time.Minute:
		return strconv.Itoa(max(int(d.Seconds()), 0)) + " s"
	case d < time.Hour:
		return strconv.Itoa(int(d.Minutes())) + " min"
	case d < 48*time.Hour:
		return strconv.Itoa(int(d.Hours())) + " h"
	}
	return strconv.Itoa(int(d.Hours()/24)) + " d"
}

func ago(t, now time.Time) string {
	if d := now.Sub(t); d >= 5*time.Second {
		return span(d) + " ago"
	}
	return "now"
}

func stamp(t time.Time) string {
	if t.IsZero() {
		return "unknown"
	}
	return t.UTC().Format("Mon 2 Jan 2006, 15:04:05.000") + " UTC"
}

func iso(t time.Time) string { return t.UTC().Format(time.RFC3339) }

// platforms are how a platform is drawn: the attribute, two letters, and its name.
var platforms = map[string][3]string{
	"python": {"py", "Py", "Python"}, "javascript": {"js", "Js", "JavaScript"}, "node": {"js", "No", "Node.js"}, "go": {"go", "Go", "Go"},
	"java": {"java", "Ja", "Java"}, "php": {"php", "Ph", "PHP"}, "ruby": {"ruby", "Rb", "Ruby"}, "csharp": {"cs", "C#", ".NET"}, "rust": {"rust", "Rs", "Rust"},
}

func platform(name string) [3]string {
	if p, ok := platforms[name]; ok {
		return p
	}
	return [3]string{"all", "··", "Other"}
}

// initials are two letters of a name or an address.
func initials(a model.Account) string {
	name := a.Name
	if name == "" {
		name, _, _ = strings.Cut(a.Email, "@")
	}
	var out []rune
	for _, word := range strings.FieldsFunc(name, func(r rune) bool { return !unicode.IsLetter(r) && !unicode.IsDigit(r) }) {
		out = append(out, unicode.ToUpper([]rune(word)[0]))
	}
	return string(out[:min(len(out), 2)])
}

func who(a model.Account) string {
	if a.Name != "" {
		return a.Name
	}
	return a.Email
}

// listURL is the issue list with other choices than the present ones; "" takes a choice away.
func listURL(project *model.Project, status, sort string) templ.SafeURL {
	q := url.Values{}
	if project != nil {
		q.Set("project", project.Slug)
	}
	if status != "" && status != "unresolved" {
		q.Set("status", status)
	}
	if sort != "" && sort != "last_seen" {
		q.Set("sort", sort)
	}
	if len(q) == 0 {
		return "/issues"
	}
	return templ.SafeURL("/issues?" + q.Encode())
}

func issueURL(short, event string) templ.SafeURL {
	if event == "" {
		return templ.SafeURL("/issues/" + url.PathEscape(short))
	}
	return templ.SafeURL("/issues/" + url.PathEscape(short) + "/events/" + url.PathEscape(event))
}

func percent(n, of int64) int64 {
	if of <= 0 {
		return 0
	}
	return min((n*100+of/2)/of, 100)
}

// curl is a command that repeats a request. Credentials are left out, and everything is quoted for a shell.
func curl(r *envelope.Request) string {
	var b strings.Builder
	target := r.URL
	if r.QueryString != "" && !strings.Contains(target, "?") {
		target += "?" + strings.TrimPrefix(r.QueryString, "?")
	}
	b.WriteString("curl " + quote(target))
	if r.Method != "" && r.Method != "GET" {
		b.WriteString(" \\\n  -X " + quote(r.Method))
	}
	for _, h := range r.Headers {
		switch strings.ToLower(h.Key) {
		case "host", "content-length", "connection", "accept-encoding":
			continue
		}
		b.WriteString(" \\\n  -H " + quote(h.Key+": "+masked(h.Key, h.Value)))
	}
	if r.Data != "" {
		b.WriteString(" \\\n  --data-raw " + quote(formBody(r)))
	}
	return b.String()
}

// formBody is the body as it was sent: SDKs turn forms into objects.
func formBody(r *envelope.Request) string {
	for _, h := range r.Headers {
		if strings.EqualFold(h.Key, "Content-Type") && strings.HasPrefix(h.Value, "application/x-www-form-urlencoded") && len(r.DataFields) > 0 {
			q := url.Values{}
			for _, f := range r.DataFields {
				q.Add(f.Key, f.Value)
			}
			return q.Encode()
		}
	}
	return r.Data
}

// secretNames are parts of names whose values are not shown: a page is seen by more people than a cookie is meant for.
var secretNames = []string{"authorization", "cookie", "password", "passwd", "secret", "token", "api-key", "apikey", "x-csrf", "session"}

func masked(key, value string) string {
	lower := strings.ToLower(key)
	for _, s := range secretNames {
		if strings.Contains(lower, s) && value != "" {
			return "[Filtered]"
		}
	}
	return value
}

// quote writes text for a POSIX shell.
func quote(s string) string { return "'" + strings.ReplaceAll(s, "'", `'\''`) + "'" }

func plural(n int64, noun string) string {
	if n == 1 {
		return "1 " + noun
	}
	return short(n) + " " + noun + "s"
}

func clock(t time.Time) string {
	if t.IsZero() {
		return ""
	}
	return t.UTC().Format("15:04:05.000")
}

func itoa(n int) string { return fmt.Sprint(n) }
