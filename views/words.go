package views

import (
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/a-h/templ"

	"kibitz/grouping"
	"kibitz/ingest/envelope"
)

type crumbLink struct {
	text string
	href templ.SafeURL
}

// sorts and statuses are the choices of the issue list, as the address has them and as people read them.
var (
	sorts    = [][2]string{{"last_seen", "last seen"}, {"first_seen", "first seen"}, {"events", "events"}}
	statuses = [][2]string{{"unresolved", "Unresolved"}, {"resolved", "Resolved"}, {"archived", "Archived"}, {"all", "All"}}
)

// newFor is how long an issue counts as new.
const newFor = 24 * time.Hour

func firstLine(s string) string {
	line, _, _ := strings.Cut(strings.TrimSpace(s), "\n")
	return line
}

// half is the middle of an axis.
func half(top int64) string {
	if top%2 == 0 {
		return short(top / 2)
	}
	return strconv.FormatFloat(float64(top)/2, 'f', 1, 64)
}

func scope(c Chrome) string {
	if c.Project != nil {
		return c.Project.Name
	}
	return plural(int64(len(c.Projects)), "project")
}

func inRelease(r string) string {
	if r == "" {
		return ""
	}
	return ", in " + r
}

func title(s string) string {
	switch s {
	case "":
		return ""
	case "os":
		return "System"
	}
	return strings.ToUpper(s[:1]) + s[1:]
}

// joined puts a comma between the texts that there are.
func joined(parts ...string) string {
	var out []string
	for _, p := range parts {
		if p != "" {
			out = append(out, p)
		}
	}
	return strings.Join(out, ", ")
}

// trailKind is how a breadcrumb is drawn: a colour of what it waited for, or an icon, and one word.
type trailKind struct{ cat, icon, name string }

// trailKinds are known by the beginning of the category, else of the type. Order counts.
var trailKinds = []struct {
	prefix string
	kind   trailKind
}{
	{"http", trailKind{"http", "", "http"}}, {"fetch", trailKind{"http", "", "http"}}, {"xhr", trailKind{"http", "", "http"}}, {"grpc", trailKind{"http", "", "call"}},
	{"query", trailKind{"db", "", "query"}}, {"db", trailKind{"db", "", "query"}}, {"sql", trailKind{"db", "", "query"}},
	{"cache", trailKind{"cache", "", "cache"}}, {"redis", trailKind{"cache", "", "redis"}},
	{"navigation", trailKind{"", "out", "visit"}}, {"ui", trailKind{"", "user", "user"}}, {"touch", trailKind{"", "user", "user"}},
	{"switch", trailKind{"", "switches", "switch"}}, {"flag", trailKind{"", "switches", "switch"}},
	{"exception", trailKind{"", "warn", "error"}}, {"error", trailKind{"", "warn", "error"}},
}

func kindOf(b envelope.Breadcrumb) trailKind {
	for _, name := range []string{strings.ToLower(b.Category), strings.ToLower(b.Type)} {
		for _, k := range trailKinds {
			if strings.HasPrefix(name, k.prefix) {
				return k.kind
			}
		}
	}
	return trailKind{"", "terminal", "log"}
}

// trailText is what a breadcrumb says and, apart, the few words beside it: a status, a duration, a category.
func trailText(b envelope.Breadcrumb) (text, beside string) {
	text = b.Message
	used := map[string]bool{}
	get := func(key string) string {
		for _, f := range b.Data {
			if f.Key == key && f.Value != "" {
				used[key] = true
				return masked(key, f.Value)
			}
		}
		return ""
	}
	if address := get("url"); address != "" && text == "" {
		text = strings.TrimSpace(get("method") + " " + address)
	} else if to := get("to"); to != "" && text == "" {
		text = to
	}
	beside = get("status_code")
	var rest []string
	for _, f := range b.Data {
		if !used[f.Key] {
			rest = append(rest, f.Key+"="+masked(f.Key, f.Value))
		}
	}
	if text == "" && len(rest) == 0 {
		text = b.Category
	}
	if more := strings.Join(rest, " "); len(more) <= 24 {
		beside = joined(beside, more)
	} else {
		text = strings.TrimSpace(text + " " + more)
	}
	if beside == "" && kindOf(b).name == "log" && b.Category != text && len(b.Category) <= 40 {
		beside = b.Category
	}
	return text, beside
}

// levelTone is how loud a level is that is worth a badge; "" for the others.
func levelTone(level string) string {
	switch level {
	case "warning", "warn":
		return "warn"
	case "error", "fatal", "critical":
		return "bad"
	}
	return ""
}

// maskAll blots every value out: a cookie says who somebody is.
func maskAll(in []envelope.Pair) []envelope.Field {
	out := make([]envelope.Field, len(in))
	for i, p := range in {
		out[i] = envelope.Field{Key: p.Key, Value: filtered}
	}
	return out
}

func fields(in []envelope.Pair) []envelope.Field {
	out := make([]envelope.Field, len(in))
	for i, p := range in {
		out[i] = envelope.Field{Key: p.Key, Value: p.Value}
	}
	return out
}

// flagState is what a switch said, in the words of the switches.
func flagState(result string) string {
	switch strings.ToLower(result) {
	case "true", "1", "on":
		return "on"
	case "false", "0", "off", "":
		return "off"
	}
	return result
}

// path is an address without its host, for headings.
func path(address string) string {
	if u, err := url.Parse(address); err == nil && u.Path != "" {
		return u.Path
	}
	return maskURL(address)
}

// decidedBy says in words what grouping looked at.
func decidedBy(r grouping.Result) string {
	var frames string
	if v := r.Deciding(); v != nil && v.Name == "app" {
		frames = "the app frames of "
	} else if v != nil && v.Name == "system" {
		frames = "all frames of "
	}
	switch r.Strategy {
	case "exception", "stacktrace", "threads":
		noun := map[string]string{"exception": "its exceptions", "stacktrace": "its stack trace", "threads": "its threads"}[r.Strategy]
		return "by " + frames + noun
	case "message", "template", "csp", "fingerprint", "checksum":
		return "by its " + r.Strategy
	case "fallback":
		return "by nothing but being there: the event holds nothing to tell it by"
	case "":
		return ""
	}
	return "by " + r.Strategy
}

// welcomeRefresh is where a waiting page without a script looks again.
func welcomeRefresh(p WelcomeProps) string {
	if !p.Waiting {
		return ""
	}
	return string(welcomeURL(p, p.Platform, true))
}

// welcomeURL is the welcome page with a language, waiting or not.
func welcomeURL(p WelcomeProps, lang string, waiting bool) templ.SafeURL {
	q := url.Values{}
	if lang != "" && lang != p.Project.Platform {
		q.Set("lang", lang)
	}
	if waiting {
		q.Set("waiting", "1")
	}
	address := projectURL(p.Project.Slug, "welcome")
	if len(q) > 0 {
		address += templ.SafeURL("?" + q.Encode())
	}
	return address
}

func projectURL(slug, what string) templ.SafeURL {
	return templ.SafeURL("/projects/" + url.PathEscape(slug) + "/" + what)
}

// checkWord says the state of a check to those who do not see its shape.
func checkWord(state string) string {
	switch state {
	case "ok":
		return "good"
	case "warn":
		return "look at this"
	case "bad":
		return "wrong"
	}
	return "not yet"
}
