package issues

import (
	"context"
	"fmt"
	"time"

	"kibitz/app/errs"
	"kibitz/app/model"
	"kibitz/app/store"
	"kibitz/grouping"
)

// undo is the job of undoing a regrouping: what it moved goes back, then what came while its rules were in force is filed
// by the rules of now.
func (r *Rehearsals) undo(ctx context.Context, job *store.RefileJob) error {
	if err := r.refiles.MoveBack(ctx, job); err != nil {
		return err
	}
	of, err := r.store.RehearsalOf(ctx, job.ID)
	if err != nil {
		return err
	}
	v, err := r.store.GroupingVersion(ctx, of.ProjectID, of.Version+1)
	if errs.Of(err) == errs.NotFound || err == nil && v.Note != appliedNote(of) { // it had not come to that
		return nil
	}
	if err != nil {
		return err
	}
	job.Since = model.FirstIDAt(v.At.Add(-clockSlack))
	if err := r.fileWhatCame(ctx, job, of); err != nil {
		return err
	}
	return r.store.SweepUndone(ctx, job)
}

// appliedNote is how the version that applies a rehearsal came to be. Stored versions are known by it again: it must not change.
func appliedNote(of model.Rehearsal) string { return fmt.Sprintf("applied rehearsal %d", of.ID) }

// maxBacklog is how long before a version events may have been received that were filed by it: the spool held them.
const maxBacklog = time.Hour

// fileWhatCame files the events since the version of a regrouping by the version of now. Those that were received before
// stay, unless the version's own hash held them, which leads nowhere now. Those whose hash is discarded stay too: they were
// kept, and an undoing throws nothing away.
func (r *Rehearsals) fileWhatCame(ctx context.Context, job *store.RefileJob, of model.Rehearsal) error {
	setup, err := r.currentSetup(ctx, of.ProjectID)
	if err != nil {
		return err
	}
	m, err := r.newWindowMover(ctx, job, of, setup)
	if err != nil {
		return err
	}
	defer m.again.close()
	span := store.SpanOf(of.ProjectID, time.Time{}, time.Now().Add(clockSlack))
	span.After = max(job.Since-idsIn(maxBacklog), 0)
	if err := r.regroupEvents(ctx, span, setup, m.came); err != nil {
		return err
	}
	return m.flush()
}

// idsIn is how far ids go on in a time.
func idsIn(d time.Duration) int64 {
	at := time.Now()
	return model.FirstIDAt(at) - model.FirstIDAt(at.Add(-d))
}

// currentSetup is read anew: the one in memory may be a moment old.
func (r *Rehearsals) currentSetup(ctx context.Context, project int64) (grouping.Setup, error) {
	now, err := r.groupings.Current(ctx, project)
	if err != nil {
		return grouping.Setup{}, err
	}
	return setupOf(now)
}

// came takes the events of a chunk that were filed by a version which was undone.
func (m *windowMover) came(c *regroupChunk) error {
	var filed [][16]byte
	for i := range c.events {
		filed = append(filed, c.events[i].hash)
	}
	if err := m.lookUp(filed); err != nil {
		return err
	}
	kept := c.events[:0]
	for _, e := range c.events {
		if e.hash != ([16]byte{}) && (e.id >= m.job.Since || m.bound[e.hash] == 0) {
			kept = append(kept, e)
		}
	}
	c.events = kept
	return m.chunk(c)
}
