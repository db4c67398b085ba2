package views

import (
	"net/url"
	"strconv"
	"strings"

	"github.com/a-h/templ"

	"kibitz/app/model"
)

// issueSubURL is a page below an issue's; what is of our own making.
func issueSubURL(short, what string) templ.SafeURL {
	return templ.SafeURL("/issues/" + url.PathEscape(short) + "/" + strings.ReplaceAll(url.PathEscape(what), "%2F", "/"))
}

func refileURL(id int64, what string) templ.SafeURL {
	return templ.SafeURL("/refiles/" + strconv.FormatInt(id, 10) + "/" + what)
}

func rehearsalURL(slug string, id int64, what string) templ.SafeURL {
	address := "rehearsals/" + strconv.FormatInt(id, 10)
	if what != "" {
		address += "/" + what
	}
	return projectURL(slug, address)
}

// refreshWhile is where a browser without a script looks again while something goes on: this page; "" when nothing does.
// It is not for pages with a form that one fills in: a reload would empty it.
func refreshWhile(c Chrome, goesOn bool) string {
	if goesOn {
		return c.Path
	}
	return ""
}

// eventURL is where an event is found by its id, whatever issue it is in by then.
func eventURL(slug, event string) templ.SafeURL {
	return projectURL(slug, "events/"+url.PathEscape(event))
}

// comparePartsURL lays an example of a part beside one of the largest other part, by the rules of the rehearsal: what
// splits has another hash, what merges another issue. It is "" when no other part has an example.
func comparePartsURL(p RehearsalProps, change model.RehearsedChange, part model.RehearsedPart) templ.SafeURL {
	for _, other := range change.Parts {
		if (other.Hash != part.Hash || other.IssueID != part.IssueID) && len(other.Examples) > 0 {
			q := url.Values{"a": {part.Examples[0]}, "b": {other.Examples[0]}, "project": {p.Project.Slug}, "rehearsal": {strconv.FormatInt(p.Rehearsal.ID, 10)}}
			return templ.SafeURL("/compare?" + q.Encode())
		}
	}
	return ""
}

func rehearsalEditURL(p RehearsalProps) templ.SafeURL {
	return projectURL(p.Project.Slug, "grouping?rehearsal="+strconv.FormatInt(p.Rehearsal.ID, 10)+"#rules")
}
