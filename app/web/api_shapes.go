package web

import (
	"strconv"
	"time"

	"kibitz/app/issues"
	"kibitz/app/model"
	"kibitz/ingest/envelope"
)

// The shapes of Sentry's web API, as https://docs.sentry.io/api/ documents them, with the fields that clients
// such as sentry-cli and the MCP server read. Numbers that may be large are strings there, so they are here.

// organization is the one organization that there is.
const organization = "kibitz"

type apiOrganization struct {
	ID          string            `json:"id"`
	Slug        string            `json:"slug"`
	Name        string            `json:"name"`
	DateCreated time.Time         `json:"dateCreated"`
	Status      map[string]string `json:"status"`
	Avatar      map[string]string `json:"avatar"`
	Features    []string          `json:"features"`
}

func apiOrg(since time.Time) apiOrganization {
	return apiOrganization{ID: "1", Slug: organization, Name: "Kibitz", DateCreated: since,
		Status: map[string]string{"id": "active", "name": "active"}, Avatar: map[string]string{"avatarType": "letter_avatar"},
		Features: []string{}}
}

type apiProject struct {
	ID           string           `json:"id"`
	Slug         string           `json:"slug"`
	Name         string           `json:"name"`
	Platform     *string          `json:"platform"`
	DateCreated  *time.Time       `json:"dateCreated,omitempty"`
	FirstEvent   *time.Time       `json:"firstEvent,omitempty"`
	Status       string           `json:"status,omitempty"`
	Organization *apiOrganization `json:"organization,omitempty"`
}

func apiProjectOf(p model.Project) apiProject {
	out := apiProjectRef(p)
	out.DateCreated, out.Status = &p.CreatedAt, "active"
	out.FirstEvent = timeOrNil(p.FirstEventAt)
	org := apiOrg(p.CreatedAt)
	out.Organization = &org
	return out
}

func apiProjectRef(p model.Project) apiProject {
	return apiProject{ID: id(p.ID), Slug: p.Slug, Name: p.Name, Platform: textOrNil(p.Platform)}
}

type apiIssue struct {
	ID            string                `json:"id"`
	ShortID       string                `json:"shortId"`
	Title         string                `json:"title"`
	Culprit       string                `json:"culprit"`
	Permalink     string                `json:"permalink"`
	Level         string                `json:"level"`
	Status        string                `json:"status"`
	StatusDetails map[string]any        `json:"statusDetails"`
	Substatus     *string               `json:"substatus"`
	Type          string                `json:"type"`
	Platform      string                `json:"platform"`
	Project       apiProject            `json:"project"`
	Metadata      map[string]string     `json:"metadata"`
	Count         string                `json:"count"`
	UserCount     int64                 `json:"userCount"`
	FirstSeen     time.Time             `json:"firstSeen"`
	LastSeen      time.Time             `json:"lastSeen"`
	AssignedTo    *string               `json:"assignedTo"`
	NumComments   int                   `json:"numComments"`
	Annotations   []string              `json:"annotations"`
	Stats         map[string][][2]int64 `json:"stats,omitempty"`
	Tags          []apiTagCount         `json:"tags,omitempty"`
}

type apiTagCount struct {
	Key         string `json:"key"`
	Name        string `json:"name"`
	TotalValues int64  `json:"totalValues"`
}

// apiStatus names a status as Sentry does: archived is "ignored" there.
func apiStatus(i model.Issue) (status string, substatus *string) {
	switch {
	case i.Status == model.Archived:
		return "ignored", textOrNil("archived_until_escalating")
	case i.Status == model.Resolved:
		return "resolved", nil
	case i.Regressed:
		return "unresolved", textOrNil("regressed")
	case time.Since(i.FirstSeen) < 7*24*time.Hour:
		return "unresolved", textOrNil("new")
	}
	return "unresolved", textOrNil("ongoing")
}

func apiIssueOf(base string, i model.Issue, p model.Project) apiIssue {
	status, sub := apiStatus(i)
	short := issues.ShortID(p.Slug, i.Number)
	return apiIssue{
		ID: id(i.ID), ShortID: short, Title: i.Title, Culprit: i.Culprit, Permalink: base + "/issues/" + short, Level: string(i.Level),
		Status: status, StatusDetails: map[string]any{}, Substatus: sub, Type: "error", Platform: i.Platform, Project: apiProjectRef(p),
		Metadata: map[string]string{"type": i.Type, "value": i.Value, "title": i.Title}, Count: strconv.FormatInt(i.Events, 10),
		UserCount: i.Users, FirstSeen: i.FirstSeen, LastSeen: i.LastSeen, Annotations: []string{},
	}
}

// apiStats are the events of the last day by hour, oldest first, as Sentry draws them.
func apiStats(buckets []model.Bucket, now time.Time) map[string][][2]int64 {
	start := now.Truncate(time.Hour).Add(-23 * time.Hour)
	hours := make([][2]int64, 24)
	for h := range hours {
		hours[h][0] = start.Add(time.Duration(h) * time.Hour).Unix()
	}
	for _, b := range buckets {
		if h := int(b.Start.Sub(start) / time.Hour); h >= 0 && h < 24 && !b.Start.Before(start) {
			hours[h][1] += b.N
		}
	}
	return map[string][][2]int64{"24h": hours}
}

type apiPair struct {
	Key   string `json:"key"`
	Value string `json:"value"`
}

type apiEventHead struct {
	ID          string    `json:"id"`
	EventID     string    `json:"eventID"`
	GroupID     string    `json:"groupID"`
	ProjectID   string    `json:"projectID"`
	Title       string    `json:"title"`
	Message     string    `json:"message"`
	Platform    string    `json:"platform"`
	Level       string    `json:"level"`
	Type        string    `json:"event.type"`
	DateCreated time.Time `json:"dateCreated"`
	Received    time.Time `json:"dateReceived"`
}

func apiHead(e model.StoredEvent) apiEventHead {
	return apiEventHead{ID: e.EventID, EventID: e.EventID, GroupID: id(e.IssueID), ProjectID: id(e.ProjectID), Title: e.Title,
		Message: e.Title, Platform: e.Platform, Level: string(e.Level), Type: "error", DateCreated: e.Timestamp, Received: e.Received}
}

type apiEvent struct {
	apiEventHead
	Kind         string                    `json:"type"`
	Culprit      string                    `json:"culprit"`
	Metadata     map[string]string         `json:"metadata"`
	Entries      []apiEntry                `json:"entries"`
	Tags         []apiPair                 `json:"tags"`
	User         map[string]string         `json:"user"`
	Contexts     map[string]map[string]any `json:"contexts"`
	Extra        map[string]any            `json:"context"`
	Packages     map[string]string         `json:"packages"`
	SDK          map[string]string         `json:"sdk"`
	Errors       []string                  `json:"errors"`
	Fingerprints []string                  `json:"fingerprints"`
	Config       map[string]string         `json:"groupingConfig"`
	Release      *string                   `json:"release"`
	Previous     *string                   `json:"previousEventID"`
	Next         *string                   `json:"nextEventID"`
	Size         int                       `json:"size"`
}

type apiEntry struct {
	Type string `json:"type"`
	Data any    `json:"data"`
}

func pairs(in []envelope.Pair) []apiPair {
	out := []apiPair{}
	for _, p := range in {
		out = append(out, apiPair{p.Key, p.Value})
	}
	return out
}

func id(n int64) string { return strconv.FormatInt(n, 10) }

func textOrNil(s string) *string {
	if s == "" {
		return nil
	}
	return &s
}

func timeOrNil(t time.Time) *time.Time {
	if t.IsZero() {
		return nil
	}
	return &t
}
