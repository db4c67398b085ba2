package issues

import (
	"context"
	"errors"
	"time"

	"kibitz/app/model"
	"kibitz/app/store"
)

// Delete hides issues at once. New events of theirs make new issues, or with discard are counted as filtered and not
// stored. It can be undone for a day; then the issues are purged.
func (r *Refiles) Delete(ctx context.Context, ids []int64, discard bool, account int64) (model.Refile, error) {
	ids, err := chosen(ids)
	if err != nil {
		return model.Refile{}, err
	}
	return r.store.CreateDelete(ctx, r.newRefile(account), ids, discard)
}

// maxTombstones is how many discarded hashes are listed.
const maxTombstones = 500

// Tombstones are the hashes of a project whose events are discarded, the latest first.
func (r *Refiles) Tombstones(ctx context.Context, project int64) ([]model.Tombstone, error) {
	return r.store.Tombstones(ctx, project, maxTombstones)
}

// Accept lets the events of discarded hashes, as hex, in again: an event has several. What was deleted stays deleted.
func (r *Refiles) Accept(ctx context.Context, project int64, hashes ...string) error {
	raw, err := chosenHashes(hashes)
	if err != nil {
		return err
	}
	return r.store.AcceptHashes(ctx, project, raw)
}

// purgeBatch is how many events one statement removes.
const purgeBatch = 1000

// Purge removes issues that were deleted before a moment, with their events, for good. It goes on where a process that
// died left off.
func (r *Refiles) Purge(ctx context.Context, before time.Time) error {
	list, err := r.store.Purgeables(ctx, before)
	if err != nil {
		return err
	}
	var failed []error
	for _, p := range list {
		_, err := r.store.HoldRefiles(ctx, p.ProjectID, func(ctx context.Context) error { return r.purge(ctx, p) })
		failed = append(failed, err)
	}
	return errors.Join(failed...)
}

func (r *Refiles) purge(ctx context.Context, p store.Purgeable) error {
	if ok, err := r.store.BeginPurge(ctx, p); err != nil || !ok {
		return err
	}
	for {
		n, err := r.store.PurgeEvents(ctx, p.Issues, purgeBatch)
		if err != nil {
			return err
		}
		if n == 0 {
			return r.store.PurgeIssues(ctx, p.Issues)
		}
	}
}
