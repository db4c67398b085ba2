package views

import (
	"strconv"

	"kibitz/app/model"
)

// RefileRow is a merge, a split, a deletion or an applied rehearsal, with who did it.
type RefileRow struct {
	model.Refile
	Who   string
	Names []string // short ids of the issues concerned: the taker first, when there is one
}

// busy tells whether a job goes on.
func busy(s model.JobState) bool {
	return s == model.JobQueued || s == model.JobRunning || s == model.JobUndoing
}

// undoable tells whether a refiling can still be taken back.
func undoable(r model.Refile) bool {
	return r.PurgedAt.IsZero() && (r.State == model.JobDone || r.State == model.JobRunning || r.State == model.JobQueued || r.State == model.JobFailed)
}

// refileWords says what a refiling is, as a sentence part: "merged 3 issues".
func refileWords(r model.Refile) string {
	from := many(int64(len(r.From)), "issue")
	switch {
	case r.Kind == model.RefileMerge:
		return "merged " + from + " into another"
	case r.Kind == model.RefileSplit:
		return "split " + manyOf(int64(r.Hashes), "hash", "hashes") + " off"
	case r.Kind == model.RefileDelete && r.Discard:
		return "deleted " + from + " and discards what comes later"
	case r.Kind == model.RefileDelete:
		return "deleted " + from
	}
	return "applied a rehearsal"
}

// refileProgress says how far a refiling has come.
func refileProgress(r model.Refile) string {
	verb := " moved"
	if r.Kind == model.RefileRegroup {
		verb = " filed anew" // most only get another hash, and stay in their issue
	}
	switch r.State {
	case model.JobQueued:
		return "waits to begin"
	case model.JobRunning:
		return full(r.Done) + " of " + manyEvents(max(r.Total, r.Done)) + verb
	case model.JobUndoing:
		return "is being undone"
	case model.JobUndone:
		return "undone"
	case model.JobFailed:
		return "stopped: " + r.Error
	case model.JobCancelled:
		return "cancelled"
	}
	if r.Kind == model.RefileDelete {
		return "done"
	}
	return manyEvents(r.Done) + verb
}

// deleteWords says what a deletion does to the events of an issue.
func deleteWords(events int64) string {
	if events == 1 {
		return "It and its event disappear from lists and counts, and are erased after a day."
	}
	return "It and its " + manyEvents(events) + " disappear from lists and counts, and are erased after a day."
}

// listed tells whether the issues of a refiling have pages to link to.
func listed(r model.Refile) bool { return r.Kind != model.RefileDelete || r.State == model.JobUndone }

// stateTone is the badge of a job's state.
func stateTone(s model.JobState) string {
	switch s {
	case model.JobDone:
		return "ok"
	case model.JobFailed:
		return "bad"
	case model.JobQueued, model.JobRunning, model.JobUndoing:
		return "info"
	}
	return ""
}

func manyEvents(n int64) string { return many(n, "event") }

// many is a number in full and its noun.
func many(n int64, noun string) string { return manyOf(n, noun, noun+"s") }

func manyOf(n int64, one, several string) string {
	if n == 1 {
		return "1 " + one
	}
	return full(n) + " " + several
}

// full is a number with every digit, in groups of three: sentences are read slowly, and are quoted. It works on the
// digits, as -n of the least number is the same number.
func full(n int64) string {
	text := strconv.FormatInt(n, 10)
	for i := len(text) - 3; i > 0 && text[i-1] != '-'; i -= 3 {
		text = text[:i] + "," + text[i:]
	}
	return text
}

// anyBusy tells whether a refiling goes on, so that the page looks again.
func anyBusy(list []RefileRow) bool {
	for _, r := range list {
		if busy(r.State) {
			return true
		}
	}
	return false
}
