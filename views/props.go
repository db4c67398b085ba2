// Package views holds the pages as templ components, with typed props. It does no I/O.
package views

import (
	"time"

	"kibitz/app/model"
	"kibitz/grouping"
	"kibitz/ingest/envelope"
	"kibitz/views/charts"
)

// Chrome is what surrounds every page of a signed-in person.
type Chrome struct {
	Title, Section string // Section: issues, projects or settings
	Account        model.Account
	CSRF, Theme    string
	Projects       []model.Project
	Project        *model.Project // nil: all of them
	Path           string         // of this page, with its query
	Version        string
	Uptime         time.Duration
	Now            time.Time
	Toast          *Toast
	NewIssues      int64
}

// Toast tells what the last action did. UndoAction is where its undo is posted, with UndoFields.
type Toast struct {
	Text, Tone, UndoAction string
	UndoFields             []envelope.Pair
}

// IssuesProps is the issue list.
type IssuesProps struct {
	Status, Sort string
	Counts       map[string]int64
	Issues       []IssueRow
	Volume       []model.Bucket
	Next, Prev   string // addresses; empty when there is none
	From, To     time.Time
}

// IssueRow is a line of the list.
type IssueRow struct {
	Issue   model.Issue
	Project model.Project
	ShortID string
	Spark   []int64
}

// IssueProps is the issue page at one event. Event is nil when none is kept any more.
type IssueProps struct {
	Issue                     model.Issue
	Project                   model.Project
	ShortID                   string
	Row                       model.StoredEvent
	Event                     *envelope.Event
	InApp                     [][]bool
	Grouping                  grouping.Result
	Prev, Next, First, Latest string
	Nth, Total                int64
	Buckets                   []model.Bucket
	From, To                  time.Time
	Tags                      []model.TagShare
	Activity                  []Activity
	Refiles                   []RefileRow // those that go on
	MergedFrom                string      // short id of the merged issue that the browser asked for; "" for none
	RawURL                    string
	Suspects                  []SuspectRow
	Markers                   []charts.Marker // of its graph
}

// Activity is what somebody did to an issue.
type Activity struct {
	At                         time.Time
	Who, Action, Before, After string
	Issues                     []string // short ids of those at the other end of a merge or split
}

// WelcomeNewProps is the form of a new project.
type WelcomeNewProps struct{ Name, Slug, Platform, Error string }

// WelcomeProps is how to connect a project.
type WelcomeProps struct {
	Project                           model.Project
	DSN, BaseURL, PublicKey, Platform string
	Waiting                           bool
	Since                             time.Time
	IssueURL                          string
	Checks                            []Check
}

// Check is one answer to "Nothing arrives?"; State is ok, warn, bad or idle.
type Check struct{ State, Text string }

// ProjectsProps is the list of projects.
type ProjectsProps struct{ Projects []ProjectRow }

// ProjectRow is a line of it; Events are those of the last day.
type ProjectRow struct {
	Project model.Project
	DSN     string
	Events  int64
	Last    time.Time
}

// SignInProps is the sign-in page.
type SignInProps struct {
	Email, Next, Error, CSRF, Theme string
	SetupHint                       bool
}

// SetupProps is the page behind the one-time link.
type SetupProps struct{ Token, Email, Name, Error, CSRF, Theme string }

// TokensProps is the list of API tokens. NewToken is shown once.
type TokensProps struct {
	Tokens          []model.APIToken
	Scopes          []ScopeChoice
	NewToken, Error string
}

// ScopeChoice is what a new token may do.
type ScopeChoice struct {
	Name, Help string
	Checked    bool
}

// ErrorProps is the page of an error.
type ErrorProps struct {
	Status                           int
	Title, Message, RequestID, Theme string
	SignedIn                         bool
}
