package issues

import (
	"context"
	"fmt"
	"math"
	"time"

	"kibitz/app/errs"
	"kibitz/app/model"
	"kibitz/app/store"
	"kibitz/grouping"
)

// Apply makes what was rehearsed the project's grouping and files the past by it. It is a job: the past is looked at
// again, with what came since the rehearsal; then, at once, the new version is saved, new issues are made and hashes
// moved; then the events follow in batches, while ingest goes on. It is errs.Conflict when the grouping has changed since
// the rehearsal. The refiling can be undone.
func (r *Rehearsals) Apply(ctx context.Context, rehearsal, account int64) (model.Refile, error) {
	of, err := r.store.Rehearsal(ctx, rehearsal)
	if err != nil {
		return model.Refile{}, err
	}
	if of.State != model.JobDone || of.Result == nil {
		return model.Refile{}, errs.New(errs.Conflict, "This rehearsal has no result yet, or ended without one. Only what has been seen can be applied: wait for it, or rehearse these rules again.")
	}
	defer r.refiles.Wake()
	return r.store.AddRegroup(ctx, r.refiles.newRefile(account), of)
}

// The steps of a regrouping. From stepFollow on each is a hash whose older events follow it.
const (
	stepBind   = 0
	stepMove   = 1
	stepFollow = 2
)

// regroup is the job of a regrouping, or of undoing one.
func (r *Rehearsals) regroup(ctx context.Context, job *store.RefileJob) error {
	if job.State == model.JobUndoing {
		return r.undo(ctx, job)
	}
	of, err := r.store.RehearsalOf(ctx, job.ID)
	if err != nil {
		return err
	}
	setup, err := setupOf(model.Grouping{Config: of.Config, StackRules: of.StackRules, FingerprintRules: of.FingerprintRules})
	if err != nil {
		return err
	}
	if job.Cursor.Step == stepBind {
		if err := r.bind(ctx, job, of, setup); err != nil {
			return err
		}
		return store.ErrRefileMoved // behind the refilings that were made before it had moved a hash: look again
	}
	if job.Cursor.Step == stepMove {
		if err := r.moveWindow(ctx, job, of, setup); err != nil {
			return err
		}
	}
	return r.follow(ctx, job)
}

// follow moves the events from before the window whose hash went elsewhere, and hides the issues that are left empty.
func (r *Rehearsals) follow(ctx context.Context, job *store.RefileJob) error {
	hashes, err := r.store.MovedHashes(ctx, *job)
	if err != nil {
		return err
	}
	if err := r.refiles.walk(ctx, job, stepFollow, byHashes(hashes)); err != nil {
		return err
	}
	return r.store.Sweep(ctx, job)
}

// undoRegroup takes a regrouping back with the version that it saved.
func (r *Rehearsals) undoRegroup(ctx context.Context, id, account int64) (model.Refile, error) {
	of, err := r.store.RehearsalOf(ctx, id)
	if err != nil {
		return model.Refile{}, err
	}
	back := model.Grouping{ProjectID: of.ProjectID, Config: string(grouping.Current)}
	if of.Version > 0 {
		if back, err = r.store.GroupingVersion(ctx, of.ProjectID, of.Version); err != nil {
			return model.Refile{}, err
		}
	}
	back.AccountID, back.Note = account, fmt.Sprintf("undid the application of rehearsal %d", of.ID)
	out, err := r.store.UndoRegroup(ctx, store.NewRefile{ID: id, Account: account, NextID: r.ids.Next}, of, back)
	if err == nil {
		r.groupings.changed(ctx)
	}
	return out, err
}

const (
	// fewEvents can be looked at while the digests of a project wait: some tens of milliseconds.
	fewEvents = 1000
	// maxCatchUps is how often the events are looked at that came while others were; each time there are fewer.
	maxCatchUps = 10
)

// bind finds the groups of the past and, at once, saves the new version and has the hashes lead to them.
func (r *Rehearsals) bind(ctx context.Context, job *store.RefileJob, of model.Rehearsal, setup grouping.Setup) error {
	p := &regroupPlan{r: r, ctx: ctx, setup: setup, of: of, seeds: map[int32]store.IssueSeed{}}
	if err := p.look(); err != nil {
		return err
	}
	p.sim.settle()
	if err := p.prepare(r.store.EventsByID, p.sim.homeless()); err != nil {
		return err
	}
	was, err := r.groupings.Current(ctx, of.ProjectID)
	if err != nil {
		return err
	}
	next, err := successor(was, model.Grouping{Config: of.Config, StackRules: of.StackRules, FingerprintRules: of.FingerprintRules,
		Note: appliedNote(of)}, job.AccountID)
	if err != nil {
		return err
	}
	if err := r.store.Bind(ctx, *job, store.Binding{Grouping: next, Of: of, Plan: p.plan}); err != nil {
		return err
	}
	r.refiles.log.Debug(movedBatch, "refile", job.ID, "groups", len(p.sim.groups), "events", 0)
	r.groupings.changed(ctx)
	return nil
}

// look goes through the window until only few events are left to come.
func (p *regroupPlan) look() (err error) {
	if p.sim, err = p.r.simulation(p.ctx, p.of.ProjectID); err != nil {
		return err
	}
	p.span = store.SpanOf(p.of.ProjectID, p.of.Since, time.Time{})
	p.span.Before = math.MaxInt64
	for range maxCatchUps {
		was := p.sim.events
		if err := p.r.regroupEvents(p.ctx, p.span, p.setup, p.sim.add); err != nil {
			return err
		}
		if p.span.After = max(p.span.After, p.sim.last); p.sim.events-was < fewEvents {
			return nil
		}
	}
	p.r.log.Warn("events arrive faster than they are grouped again; their digests will wait for the last of them", "rehearsal", p.of.ID)
	return nil
}

// homeless are the groups that would be new issues.
func (s *simulation) homeless() (groups []int32) {
	for i := range s.groups {
		if s.groups[i].home == 0 {
			groups = append(groups, int32(i))
		}
	}
	return groups
}
