package issues

import (
	"context"
	"errors"
	"log/slog"
	"sync/atomic"
	"time"

	"golang.org/x/sync/errgroup"

	"kibitz/app/errs"
	"kibitz/app/model"
	"kibitz/app/store"
)

const (
	// maxOpenRehearsals of one project wait or run at once; they run one after the other anyway.
	maxOpenRehearsals = 5
	// rehearsalPoll is how often a process looks for rehearsals that another one queued or left behind.
	rehearsalPoll = 2 * time.Second
	// rehearsalTell is how often progress is noted: twice a second, as a page that shows it asks.
	rehearsalTell = 500 * time.Millisecond
)

// Rehearsals tries groupings on events of the past.
type Rehearsals struct {
	store     *store.Store
	groupings *Groupings
	refiles   *Refiles
	ids       *model.IDs
	log       *slog.Logger
	limits    simulationLimits
	wake      chan struct{}
}

// NewRehearsals makes the use case; Run works. What is applied is a job of refiles.
func NewRehearsals(s *store.Store, g *Groupings, refiles *Refiles, ids *model.IDs, log *slog.Logger) *Rehearsals {
	r := &Rehearsals{store: s, groupings: g, refiles: refiles, ids: ids, log: log, limits: defaultSimulationLimits(), wake: make(chan struct{}, 1)}
	refiles.Register(model.RefileRegroup, RefileWorker{Work: r.regroup, Undo: r.undoRegroup})
	return r
}

// Start queues a rehearsal of a draft on the events that were received since a moment, until now.
func (r *Rehearsals) Start(ctx context.Context, project, account int64, draft model.Grouping, since time.Time) (model.Rehearsal, error) {
	now := time.Now().UTC()
	if err := r.groupings.Check(draft); err != nil {
		return model.Rehearsal{}, err
	}
	if !since.Before(now) {
		return model.Rehearsal{}, errs.New(errs.Unprocessable, "The window of a rehearsal begins in the past.")
	}
	id := r.ids.Next()
	err := r.store.AddRehearsal(ctx, model.Rehearsal{ID: id, ProjectID: project, Config: draft.Config, StackRules: draft.StackRules,
		FingerprintRules: draft.FingerprintRules, Since: since, Until: now, AccountID: account}, maxOpenRehearsals)
	if err != nil {
		return model.Rehearsal{}, err
	}
	select {
	case r.wake <- struct{}{}:
	default:
	}
	return r.store.Rehearsal(ctx, id)
}

// Get is one rehearsal, with its result once it is done.
func (r *Rehearsals) Get(ctx context.Context, id int64) (model.Rehearsal, error) {
	return r.store.Rehearsal(ctx, id)
}

// List are the rehearsals of a project without their results, the newest first.
func (r *Rehearsals) List(ctx context.Context, project int64, limit int) ([]model.Rehearsal, error) {
	return r.store.RehearsalList(ctx, project, limit)
}

// Cancel ends a rehearsal that waits or runs; the one who runs it notices within half a second.
func (r *Rehearsals) Cancel(ctx context.Context, id int64) error {
	ended, err := r.store.CancelRehearsal(ctx, id)
	if err == nil && !ended {
		err = errs.New(errs.Conflict, "That rehearsal has ended already.")
	}
	return err
}

// Run works through the rehearsals that wait, one at a time, until ctx ends. They belong to whoever holds the lock of their
// project, which a process that dies lets go of; the next one begins again what was under way: it has changed nothing.
func (r *Rehearsals) Run(ctx context.Context) {
	tick := time.NewTicker(rehearsalPoll)
	defer tick.Stop()
	for {
		if err := r.round(ctx); err != nil && ctx.Err() == nil {
			r.log.Warn("cannot rehearse; trying again", "err", err)
		}
		select {
		case <-ctx.Done():
			return
		case <-r.wake:
		case <-tick.C:
		}
	}
}

// round runs all rehearsals that wait. One project's trouble does not keep the others waiting.
func (r *Rehearsals) round(ctx context.Context) error {
	projects, err := r.store.OpenRehearsalProjects(ctx)
	if err != nil {
		return err
	}
	var failed []error
	for _, project := range projects {
		_, err := r.store.HoldRehearsals(ctx, project, func(ctx context.Context) error { return r.jobs(ctx, project) })
		failed = append(failed, err)
	}
	return errors.Join(failed...)
}

func (r *Rehearsals) jobs(ctx context.Context, project int64) error {
	for {
		job, ok, err := r.store.NextRehearsal(ctx, project)
		if err != nil || !ok {
			return err
		}
		if err := r.do(ctx, job); err != nil {
			return err
		}
	}
}

// do runs a rehearsal and stores what came of it. When the database goes away it stays as it is, to begin again.
func (r *Rehearsals) do(ctx context.Context, job model.Rehearsal) error {
	var result *model.RehearsalResult
	err := recovered(func() (err error) {
		result, err = r.rehearse(ctx, job)
		return err
	})()
	switch {
	case errors.Is(err, errNotWanted):
		return nil
	case err == nil:
		return r.store.EndRehearsal(ctx, job.ID, result, "")
	case ctx.Err() != nil, errs.Of(err) == errs.Unavailable:
		return err
	}
	r.log.Warn("a rehearsal failed", "rehearsal", job.ID, "err", err)
	return r.store.EndRehearsal(ctx, job.ID, nil, errs.Message(err))
}

// errNotWanted ends the work on a rehearsal that somebody cancelled.
var errNotWanted = errors.New("the rehearsal was cancelled")

func (r *Rehearsals) rehearse(ctx context.Context, job model.Rehearsal) (*model.RehearsalResult, error) {
	setup, err := setupOf(model.Grouping{Config: job.Config, StackRules: job.StackRules, FingerprintRules: job.FingerprintRules})
	if err != nil {
		return nil, err
	}
	span := store.SpanOf(job.ProjectID, job.Since, job.Until)
	total, err := r.store.CountEvents(ctx, span)
	if err != nil {
		return nil, err
	}
	sim, err := r.simulation(ctx, job.ProjectID)
	if err != nil {
		return nil, err
	}
	err = r.telling(ctx, job.ID, total, func(ctx context.Context, done *atomic.Int64) error {
		return r.regroupEvents(ctx, span, setup, func(c *regroupChunk) error {
			done.Add(int64(len(c.events)))
			return sim.add(c)
		})
	})
	if err != nil {
		return nil, err
	}
	return r.describe(ctx, job.ProjectID, setup, sim)
}

// telling runs work, notes how far it has come, and ends it when it is not wanted any more.
func (r *Rehearsals) telling(ctx context.Context, id, total int64, work func(context.Context, *atomic.Int64) error) error {
	var done atomic.Int64
	g, working := errgroup.WithContext(ctx)
	over := make(chan struct{})
	g.Go(recovered(func() error {
		defer close(over)
		return work(working, &done)
	}))
	g.Go(func() error {
		tick := time.NewTicker(rehearsalTell)
		defer tick.Stop()
		for {
			select {
			case <-over:
				return r.tell(ctx, id, done.Load(), total)
			case <-tick.C:
				if err := r.tell(working, id, done.Load(), total); err != nil {
					return err
				}
			}
		}
	})
	return g.Wait()
}

func (r *Rehearsals) tell(ctx context.Context, id, done, total int64) error {
	goOn, err := r.store.TellRehearsal(ctx, id, done, total)
	if err == nil && !goOn {
		err = errNotWanted
	}
	return err
}

// simulation is an empty one for a project.
func (r *Rehearsals) simulation(ctx context.Context, project int64) (*simulation, error) {
	hidden, err := r.store.HiddenIssues(ctx, project)
	if err != nil {
		return nil, err
	}
	merged, err := r.store.MergedHashes(ctx, project)
	if err != nil {
		return nil, err
	}
	return newSimulation(r.limits, simKnown{hidden, merged}), nil
}
