package views

import (
	"fmt"
	"hash/fnv"
	"net/url"
	"strconv"
	"strings"
	"time"
	"unicode"

	"github.com/a-h/templ"

	"kibitz/app/model"
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

// count is a number in full while that fits a column, 38,119, and short beyond.
func count(n int64) string {
	if n < 1000 || n >= 100_000 {
		return short(n)
	}
	return fmt.Sprintf("%d,%03d", n/1000, n%1000)
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

// when is a moment in words for a day, then as a date.
func when(t, now time.Time) string {
	if t.IsZero() {
		return "never"
	}
	if now.Sub(t) < 24*time.Hour {
		return ago(t, now)
	}
	if t.UTC().Year() != now.UTC().Year() {
		return t.UTC().Format("2 Jan 2006")
	}
	return t.UTC().Format("2 Jan, 15:04") + " UTC"
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
	if a.Name != "" {
		return letters(a.Name)
	}
	name, _, _ := strings.Cut(a.Email, "@")
	return letters(name)
}

// letters are the first ones of the first two words.
func letters(name string) string {
	var out []rune
	for _, word := range strings.FieldsFunc(name, func(r rune) bool { return !unicode.IsLetter(r) && !unicode.IsDigit(r) }) {
		out = append(out, unicode.ToUpper([]rune(word)[0]))
	}
	return string(out[:min(len(out), 2)])
}

// hue is the colour of a person's letters, the same on every page; 0 is nobody.
func hue(name string) string {
	if name == "" {
		return "0"
	}
	h := fnv.New32a()
	h.Write([]byte(name))
	return strconv.Itoa(int(h.Sum32()%4) + 1)
}

// person is a name; accounts that are gone have none.
func person(name string) string {
	if name == "" {
		return "Somebody"
	}
	return name
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
	if of <= 0 || n <= 0 {
		return 0
	}
	return min(int64(float64(n)/float64(of)*100+0.5), 100)
}

func plural(n int64, noun string) string {
	if n == 1 {
		return "1 " + noun
	}
	if strings.HasSuffix(noun, "ch") || strings.HasSuffix(noun, "ss") {
		noun += "e"
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

// invalid marks a field when the form came back with an error.
func invalid(err string) templ.Attributes {
	if err == "" {
		return nil
	}
	return templ.Attributes{"aria-invalid": "true", "aria-describedby": "form-error"}
}

// grouped is a number in full, its thousands apart: 1,118,304.
func grouped(n int64) string {
	s := strconv.FormatInt(n, 10)
	for i := len(s) - 3; i > 0 && s[i-1] != '-'; i -= 3 {
		s = s[:i] + "," + s[i:]
	}
	return s
}
