package views

import (
	"strconv"
	"strings"

	"kibitz/app/model"
)

// RehearsalProps is one rehearsal: how far it has come, what would change, and what was done about it.
type RehearsalProps struct {
	Project   model.Project
	Rehearsal model.Rehearsal
	Who       string
	Current   model.Grouping // in force now
	Stale     bool           // the grouping was changed since the rehearsal: it cannot be applied any more
	Refile    *RefileRow     // the refiling that applied it
	Error     string
}

// draft is what was tried.
func (p RehearsalProps) draft() model.Grouping {
	return model.Grouping{Config: p.Rehearsal.Config, StackRules: p.Rehearsal.StackRules, FingerprintRules: p.Rehearsal.FingerprintRules}
}

// sameRules tells whether two groupings do the same.
func sameRules(a, b model.Grouping) bool {
	return configOf(a) == configOf(b) && a.StackRules == b.StackRules && a.FingerprintRules == b.FingerprintRules
}

// goesOn tells whether the page will change by itself.
func (p RehearsalProps) goesOn() bool {
	return busy(p.Rehearsal.State) || (p.Refile != nil && busy(p.Refile.State))
}

// rehearsalSentence says first what a colleague would say.
func rehearsalSentence(r model.Rehearsal) string {
	window := " of the " + strings.TrimPrefix(span(r.Until.Sub(r.Since)), "1 ") + " before " + r.Until.UTC().Format("2 Jan, 15:04") + " UTC"
	switch r.State {
	case model.JobQueued:
		return "The rehearsal waits for its turn. Nothing changes meanwhile."
	case model.JobRunning:
		return "Rehearsing: " + full(r.Done) + " of about " + manyEvents(max(r.Total, r.Done)) + window + " looked at. Nothing changes meanwhile."
	case model.JobFailed:
		return "The rehearsal stopped. " + r.Error
	case model.JobCancelled:
		return "The rehearsal was cancelled after " + manyEvents(r.Done) + ". Nothing was changed."
	}
	if r.Result == nil {
		return "The rehearsal ended without a result."
	}
	return resultSentence(*r.Result)
}

// resultSentence says what would change, with numbers.
func resultSentence(r model.RehearsalResult) string {
	of := "Of " + manyEvents(r.Events) + " in " + many(int64(r.IssuesBefore), "issue") + ", "
	switch {
	case r.Events == 0:
		return "No event arrived in this window, so there is nothing to see. Take a longer one."
	case r.Moved == 0 && r.SplitCount+r.MergeCount == 0:
		return of + "none would move. The rules would change nothing of the past."
	}
	text := of + full(r.Moved) + " would move"
	var what []string
	if r.SplitCount > 0 {
		what = append(what, manyOf(int64(r.SplitCount), "issue splits", "issues split"))
	}
	if r.MergeCount > 0 {
		what = append(what, mergeWords(r))
	}
	if len(what) > 0 {
		text += ": " + joined(what...)
	}
	return text + "."
}

func mergeWords(r model.RehearsalResult) string {
	if r.SplitCount > 0 {
		return manyOf(int64(r.MergeCount), "takes others in", "take others in")
	}
	return manyOf(int64(r.MergeCount), "issue takes others in", "issues take others in")
}

// rehearsalLine is a rehearsal in the list.
func rehearsalLine(r model.Rehearsal) string {
	switch {
	case r.Result == nil:
		return map[model.JobState]string{model.JobQueued: "Waits for its turn", model.JobRunning: full(r.Done) + " of about " + manyEvents(max(r.Total, r.Done)),
			model.JobFailed: "Stopped", model.JobCancelled: "Cancelled", model.JobDone: manyEvents(r.Done) + " looked at"}[r.State]
	case r.Result.Moved == 0:
		return "Nothing would move"
	}
	return full(r.Result.Moved) + " of " + manyEvents(r.Result.Events) + " would move"
}

// splitsOf and mergesOf are the changes of a kind.
func splitsOf(r *model.RehearsalResult) []model.RehearsedChange {
	if r == nil {
		return nil
	}
	return r.Splits
}

func mergesOf(r *model.RehearsalResult) []model.RehearsedChange {
	if r == nil {
		return nil
	}
	return r.Merges
}

// shortIDOf is how people name an issue.
func shortIDOf(p model.Project, number int64) string {
	if number == 0 {
		return ""
	}
	return strings.ToUpper(p.Slug) + "-" + strconv.FormatInt(number, 10)
}

// changesSub says how many of all are shown.
func changesSub(shown, all int) string {
	text := full(int64(all)) + ", the largest first"
	if shown < all {
		return full(int64(shown)) + " of " + text
	}
	return text
}

// partWord says what happens to a part of an issue that splits.
func partWord(change model.RehearsedChange, part model.RehearsedPart) string {
	if part.IssueID != 0 && part.IssueID == change.IssueID {
		return "stays in"
	}
	return "goes to"
}

// applicationSentence says what became of the application.
func applicationSentence(p RehearsalProps) string {
	r := p.Refile
	switch r.State {
	case model.JobQueued, model.JobRunning:
		if !p.Stale { // the version that it was tried beside is still in force
			return person(r.Who) + " applied it: the past is looked at again first. Until that is done, new events are grouped as before."
		}
		return person(r.Who) + " applied it: new events are grouped by these rules, and " + refileProgress(r.Refile) + "."
	case model.JobUndoing:
		return "The application is being undone: " + full(r.Done) + " events are still to go back."
	case model.JobUndone:
		return "The application was undone: the rules before are in force again, and the events are back where they were."
	case model.JobFailed:
		return "The application stopped. " + r.Error
	}
	return person(r.Who) + " applied it: " + refileProgress(r.Refile) + "."
}
