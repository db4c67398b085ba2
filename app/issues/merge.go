package issues

import (
	"context"
	"slices"

	"kibitz/app/errs"
	"kibitz/app/model"
	"kibitz/app/store"
)

// MaxRefileIssues is how many issues can be merged or deleted at once.
const MaxRefileIssues = MaxPageSize

// Merge moves all hashes of some issues to one, from which on new events go there, and has their events follow. The one
// keeps its status; the others are listed no more and lead to it.
func (r *Refiles) Merge(ctx context.Context, into int64, from []int64, account int64) (model.Refile, error) {
	from, err := chosen(from)
	if err != nil {
		return model.Refile{}, err
	}
	if slices.Contains(from, into) {
		return model.Refile{}, errs.New(errs.Unprocessable, "An issue cannot be merged into itself. Choose two at least.")
	}
	defer r.Wake()
	return r.store.CreateMerge(ctx, r.newRefile(account), into, from)
}

func (r *Refiles) newRefile(account int64) store.NewRefile {
	return store.NewRefile{ID: r.ids.Next(), Account: account, NextID: r.ids.Next}
}

// chosen are the ids of issues that somebody chose, each once.
func chosen(ids []int64) ([]int64, error) {
	ids = slices.Clone(ids)
	slices.Sort(ids)
	ids = slices.Compact(ids)
	switch {
	case len(ids) == 0:
		return nil, errs.New(errs.Unprocessable, "No issue is chosen. Choose one at least.")
	case len(ids) > MaxRefileIssues:
		return nil, errs.New(errs.TooLarge, "At most %d issues at once (limit refile_issues). Choose fewer, and do it again with the rest.", MaxRefileIssues)
	}
	return ids, nil
}

// Split takes hashes, as hex, out of an issue, with their events: back to where they were, when they came by a merge
// that still holds, else together to a new issue.
func (r *Refiles) Split(ctx context.Context, issue int64, hashes []string, account int64) (model.Refile, error) {
	raw, err := chosenHashes(hashes)
	if err != nil {
		return model.Refile{}, err
	}
	all, err := r.store.IssueHashes(ctx, issue)
	if err != nil {
		return model.Refile{}, err
	}
	newest, events := among(all, raw)
	seed, err := r.seed(ctx, issue, newest, raw[0])
	if err != nil {
		return model.Refile{}, err
	}
	defer r.Wake()
	return r.store.CreateSplit(ctx, r.newRefile(account), issue, raw, seed, events)
}

func chosenHashes(hashes []string) (raw [][16]byte, err error) {
	for _, text := range hashes {
		h, err := parseHash(text)
		if err != nil {
			return nil, errs.New(errs.Invalid, "A hash is 32 hex digits. Choose from those of the page.")
		}
		if !slices.Contains(raw, h) {
			raw = append(raw, h)
		}
		if len(raw) > store.MaxIssueHashes {
			return nil, errs.New(errs.TooLarge, "At most %d hashes at once (limit issue_hashes). Choose fewer, and do it again with the rest.", store.MaxIssueHashes)
		}
	}
	if len(raw) == 0 {
		return nil, errs.New(errs.Unprocessable, "No hash is chosen. Choose one at least.")
	}
	return raw, nil
}

// seed is the new issue that hashes of an issue would make: it is called after their newest event, and after the issue
// where none is kept.
func (r *Refiles) seed(ctx context.Context, issue int64, h model.IssueHash, first [16]byte) (store.IssueSeed, error) {
	of, err := r.store.IssueByID(ctx, issue)
	if err != nil {
		return store.IssueSeed{}, err
	}
	s := store.IssueSeed{ID: r.ids.Next(), Config: of.Config, Hash: first, Title: of.Title, Type: of.Type, Value: of.Value, Culprit: of.Culprit,
		Platform: of.Platform, Level: string(of.Level), Status: of.Status, FirstSeen: of.FirstSeen, LastSeen: of.LastSeen,
		FirstRelease: of.FirstRelease, LastRelease: of.LastRelease}
	if h.EventID == "" {
		return s, nil
	}
	s.Config = h.Config
	return s, r.nameAfter(ctx, &s, of.ProjectID, h.EventID)
}

// among is the one of the chosen hashes that has the newest event, and how many events they have together.
func among(all []model.IssueHash, chosen [][16]byte) (newest model.IssueHash, events int64) {
	for _, h := range all {
		raw, err := parseHash(h.Hash)
		if err != nil || !slices.Contains(chosen, raw) {
			continue
		}
		events += h.Events
		if h.EventID != "" && h.LastSeen.After(newest.LastSeen) {
			newest = h
		}
	}
	return newest, events
}

func (r *Refiles) nameAfter(ctx context.Context, s *store.IssueSeed, project int64, eventID string) error {
	row, err := r.store.Event(ctx, project, eventID)
	if errs.Of(err) == errs.NotFound { // its day has passed since
		return nil
	}
	if err != nil {
		return err
	}
	ev, err := parseRow(&row)
	if err != nil {
		return err
	}
	g := r.groupings.Setup(project).Primary.Group(GroupingEvent(ev))
	s.Title, s.Type, s.Value, s.Culprit, s.Platform, s.Level = g.Title, g.Type, g.Value, g.Culprit, row.Platform, string(row.Level)
	s.FirstSeen, s.LastSeen, s.FirstRelease, s.LastRelease = row.Timestamp, row.Timestamp, row.Release, row.Release
	return nil
}

// Undo takes a refiling back: its hashes at once, then the events that it moved and those that have come since by its
// hashes. It is refused while a later one that moved the same hashes holds.
func (r *Refiles) Undo(ctx context.Context, id, account int64) (model.Refile, error) {
	was, err := r.store.Refile(ctx, id)
	if err != nil {
		return model.Refile{}, err
	}
	defer r.Wake()
	if w, ok := r.workers[was.Kind]; ok && w.Undo != nil {
		return w.Undo(ctx, id, account)
	}
	return r.store.UndoRefile(ctx, store.Undo{NewRefile: store.NewRefile{ID: id, Account: account, NextID: r.ids.Next}})
}
