package model

import "time"

// Grouping is how the events of a project are grouped: a version of the algorithm and the project's own rules.
// Every change makes a new version; versions are never edited.
type Grouping struct {
	ProjectID        int64
	Version          int64 // counts up from 1; 0 is a project that never changed anything
	Config           string
	StackRules       string
	FingerprintRules string
	// SecondaryConfig finds the groups that an older configuration made, until SecondaryUntil; "" for none.
	SecondaryConfig string
	SecondaryUntil  time.Time
	AccountID       int64 // who made this version, in the users partition; 0 for Kibitz itself
	At              time.Time
	Note            string // how it came to be: "edited", "restored version 3", "applied rehearsal 17" ...
}

// JobState is how far a rehearsal or a refiling has come.
type JobState string

// The states of a job. Undoing and Undone are for refilings only.
const (
	JobQueued    JobState = "queued"
	JobRunning   JobState = "running"
	JobDone      JobState = "done"
	JobFailed    JobState = "failed"
	JobCancelled JobState = "cancelled"
	JobUndoing   JobState = "undoing"
	JobUndone    JobState = "undone"
)

// Rehearsal is a trial of a grouping on events of the past: it changes nothing.
type Rehearsal struct {
	ID               int64
	ProjectID        int64
	Version          int64 // of the project's grouping when it was asked for
	Config           string
	StackRules       string
	FingerprintRules string
	Since, Until     time.Time // the window, by receipt
	State            JobState
	Done, Total      int64 // events looked at, and events in the window as estimated at the start
	Error            string
	AccountID        int64
	CreatedAt        time.Time
	StartedAt        time.Time // zero while queued
	FinishedAt       time.Time
	RefileID         int64            // the refiling that applied it; 0 for none
	Result           *RehearsalResult // nil until done
}

// RehearsalResult is what would change.
type RehearsalResult struct {
	Events       int64             // looked at
	Unreadable   int64             // that could not be parsed and stay where they are
	Moved        int64             // events that would change their issue
	IssuesBefore int               // issues that hold the events of the window
	IssuesAfter  int               // that would hold them
	SplitCount   int               // issues whose events would go to several
	MergeCount   int               // issues that would take events of several
	Splits       []RehearsedChange // the largest first, at most 100
	Merges       []RehearsedChange // the largest first, at most 100
}

// RehearsedChange is an issue that would split, with its parts, or one that would be merged from others, with those.
type RehearsedChange struct {
	IssueID int64 // the issue that splits, or takes the others in; 0 when it would be new
	Number  int64
	Title   string
	Events  int64
	Parts   []RehearsedPart // the largest first, at most 20
	More    int             // parts beyond those
}

// RehearsedPart is one side of a change.
type RehearsedPart struct {
	IssueID  int64 // where the events would go, or come from; 0 when the issue would be new
	Number   int64
	Title    string
	Hash     string // hex, the primary hash of the part
	Events   int64
	Examples []string // ids of events, at most 3
}

// RefileKind is why events change their issue.
type RefileKind string

// The kinds of refilings.
const (
	RefileMerge   RefileKind = "merge"   // issues become one
	RefileSplit   RefileKind = "split"   // hashes leave their issue, for a new one or the one they came from
	RefileRegroup RefileKind = "regroup" // a rehearsal was applied
	RefileDelete  RefileKind = "delete"  // issues are deleted, with or without discarding what comes later
)

// Refile is a move of hashes and their events between issues. It can be undone.
type Refile struct {
	ID         int64
	ProjectID  int64
	Kind       RefileKind
	State      JobState
	Discard    bool    // a deletion that discards later events too
	Into       int64   // the issue that takes; 0 when there is not one
	From       []int64 // the issues that give
	Hashes     int     // hashes moved
	Done       int64   // events moved so far
	Total      int64   // events to move, as estimated at the start
	AccountID  int64
	CreatedAt  time.Time
	FinishedAt time.Time
	PurgedAt   time.Time // when a deletion became final; zero while it can be undone
	Error      string
}

// Tombstone is a hash whose events are discarded.
type Tombstone struct {
	ProjectID int64
	Hash      string // hex
	RefileID  int64  // the deletion that put it there
	AccountID int64  // who deleted
	Title     string // of the issue that was deleted
	At        time.Time
}

// IssueHash is one hash that leads to an issue.
type IssueHash struct {
	Hash      string // hex
	Config    string
	Events    int64 // whose primary hash it is, among the newest of the issue
	LastSeen  time.Time
	Title     string // of its newest event
	EventID   string // of its newest event
	FromIssue int64  // where it was before the last merge that still holds; 0: always here
	FromShort int64  // the number of that issue
}
