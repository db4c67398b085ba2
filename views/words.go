package views

import (
	"strconv"
	"strings"
	"time"

	"github.com/a-h/templ"
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
