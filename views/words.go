package views

import (
	"strconv"
	"strings"
	"time"

	"github.com/a-h/templ"

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
	return "in " + r
}

func title(s string) string {
	if s == "os" {
		return "System"
	}
	return strings.ToUpper(s[:1]) + s[1:]
}

func crumbKind(b envelope.Breadcrumb) string {
	if b.Category != "" {
		return b.Category
	}
	return b.Type
}

// crumbData is what a breadcrumb says beside its message, in a line.
func crumbData(b envelope.Breadcrumb) string {
	var parts []string
	for _, f := range b.Data {
		parts = append(parts, f.Key+"="+masked(f.Key, f.Value))
	}
	return strings.Join(parts, " ")
}

func levelTone(level string) string {
	switch level {
	case "warning":
		return "warn"
	case "error", "fatal", "critical":
		return "bad"
	}
	return ""
}

// maskAll blots every value out: a cookie says who somebody is.
func maskAll(in []envelope.Pair) []envelope.Pair {
	out := make([]envelope.Pair, len(in))
	for i, p := range in {
		out[i] = envelope.Pair{Key: p.Key, Value: "[Filtered]"}
	}
	return out
}

func flagPairs(in []envelope.Flag) []envelope.Pair {
	var out []envelope.Pair
	for _, f := range in {
		out = append(out, envelope.Pair{Key: f.Name, Value: f.Result})
	}
	return out
}

// welcomeRefresh is where a waiting page without a script looks again.
func welcomeRefresh(p WelcomeProps) string {
	if !p.Waiting {
		return ""
	}
	return "/projects/" + p.Project.Slug + "/welcome?waiting=1"
}
