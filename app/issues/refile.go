package issues

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"time"

	"kibitz/app/errs"
	"kibitz/app/model"
	"kibitz/app/store"
)

// Refiles moves hashes between issues, and the events that carry them. The hashes move at once, in one
// transaction, so that new events follow them from then on; a job moves the events of the past in batches while ingest
// goes on. Every refiling is logged and can be undone.
type Refiles struct {
	store     *store.Store
	groupings *Groupings
	ids       *model.IDs
	log       *slog.Logger
	wake      chan struct{}
	workers   map[model.RefileKind]RefileWorker
}

// RefileWorker does the jobs of a kind of refiling that is not done by following hashes.
type RefileWorker struct {
	// Work moves the events, or moves them back: job.State says which. It goes on at job.Cursor, takes its steps with
	// store.MoveEvents, and answers nil when all is moved. An error with a text for people ends the job as failed;
	// after any other it is called again.
	Work func(ctx context.Context, job *store.RefileJob) error
	// Undo takes back at once what the refiling changed besides hashes, along with them.
	Undo func(ctx context.Context, id, account int64) (model.Refile, error)
}

// NewRefiles makes the use case; Run does its jobs.
func NewRefiles(s *store.Store, g *Groupings, ids *model.IDs, log *slog.Logger) *Refiles {
	return &Refiles{store: s, groupings: g, ids: ids, log: log, wake: make(chan struct{}, 1), workers: map[model.RefileKind]RefileWorker{}}
}

// Register says who does the jobs of a kind, before Run.
func (r *Refiles) Register(kind model.RefileKind, w RefileWorker) { r.workers[kind] = w }

// Get is the refiling with an id.
func (r *Refiles) Get(ctx context.Context, id int64) (model.Refile, error) {
	return r.store.Refile(ctx, id)
}

// List are the latest refilings of a project.
func (r *Refiles) List(ctx context.Context, project int64, limit int) ([]model.Refile, error) {
	return r.store.Refiles(ctx, project, limit)
}

// ForIssue are the latest refilings that an issue gave to or took from.
func (r *Refiles) ForIssue(ctx context.Context, issue int64, limit int) ([]model.Refile, error) {
	return r.store.IssueRefiles(ctx, issue, limit)
}

// Open are those of them that wait or run.
func (r *Refiles) Open(ctx context.Context, issue int64, limit int) ([]model.Refile, error) {
	return r.store.OpenRefiles(ctx, issue, limit)
}

// Hashes are the hashes that lead to an issue.
func (r *Refiles) Hashes(ctx context.Context, issue int64) ([]model.IssueHash, error) {
	return r.store.IssueHashes(ctx, issue)
}

// Wake has the jobs looked for at once: a refiling was made in this process.
func (r *Refiles) Wake() {
	select {
	case r.wake <- struct{}{}:
	default:
	}
}

const (
	// refilePoll is how often jobs are looked for that other processes made, or that a process that died left.
	refilePoll = time.Second
	// refileRest is the longest pause after a round that failed: each such round doubles the pause.
	refileRest = 10 * time.Second
	// purgeEvery is how often deletions are looked for that can be undone no more.
	purgeEvery = 10 * time.Minute
	// undoDelete is how long a deletion can be undone.
	undoDelete = 24 * time.Hour
)

// Run does the jobs until ctx ends, one after the other. A job belongs to whoever holds the lock of its project, which a
// process that dies lets go of; the next one goes on at the cursor.
func (r *Refiles) Run(ctx context.Context) {
	purge := time.NewTicker(purgeEvery)
	defer purge.Stop()
	r.purgeOld(ctx)
	for pause := refilePoll; ; {
		if err := r.round(ctx); err == nil {
			pause = refilePoll
		} else if ctx.Err() == nil {
			pause = min(2*pause, refileRest)
			r.log.Warn("cannot move events; trying again", "err", err, "in", pause)
		}
		select {
		case <-ctx.Done():
			return
		case <-r.wake:
		case <-time.After(pause):
		case <-purge.C:
			r.purgeOld(ctx)
		}
	}
}

func (r *Refiles) purgeOld(ctx context.Context) {
	if err := r.Purge(ctx, time.Now().Add(-undoDelete)); err != nil && ctx.Err() == nil {
		r.log.Warn("cannot purge deleted issues; trying again", "err", err)
	}
}

// round does all jobs that wait. One project's trouble does not keep the others waiting.
func (r *Refiles) round(ctx context.Context) error {
	projects, err := r.store.OpenRefileProjects(ctx)
	if err != nil {
		return err
	}
	var failed []error
	for _, project := range projects {
		_, err := r.store.HoldRefiles(ctx, project, func(ctx context.Context) error { return r.jobs(ctx, project) })
		failed = append(failed, err)
	}
	return errors.Join(failed...)
}

// jobs does the jobs of a project in their order: one may move what another has brought.
func (r *Refiles) jobs(ctx context.Context, project int64) error {
	for {
		job, ok, err := r.store.NextRefile(ctx, project)
		if err != nil || !ok {
			return err
		}
		err = recovered(func() error { return r.do(ctx, &job) })()
		if err == nil || errors.Is(err, store.ErrRefileMoved) { // undone in the meantime: look again
			continue
		}
		if err := r.trouble(ctx, job, err); err != nil {
			return fmt.Errorf("cannot do refiling %d of project %d: %w", job.ID, project, err)
		}
	}
}

// do is one job from where it stands to its end.
func (r *Refiles) do(ctx context.Context, job *store.RefileJob) error {
	if err := r.work(ctx, job); err != nil {
		return err
	}
	if err := r.settle(ctx, job.ID); err != nil {
		return err
	}
	if err := r.store.FinishRefile(ctx, *job); err != nil {
		return err
	}
	r.log.Info("moved events", "refile", job.ID, "kind", string(job.Kind), "was", string(job.State), "events", job.Done)
	return nil
}

func (r *Refiles) work(ctx context.Context, job *store.RefileJob) error {
	if w, ok := r.workers[job.Kind]; ok {
		return w.Work(ctx, job)
	}
	if job.State == model.JobUndoing {
		return r.MoveBack(ctx, job)
	}
	return r.moveOn(ctx, job)
}

// settlePage is how many issues are settled in one transaction.
const settlePage = 100

// settle narrows when the issues of a refiling were seen to what is left of them.
func (r *Refiles) settle(ctx context.Context, refile int64) error {
	ids, err := r.store.RefileIssues(ctx, refile)
	if err != nil {
		return err
	}
	for page := range slices.Chunk(ids, settlePage) {
		if err := r.store.SettleIssues(ctx, page); err != nil {
			return err
		}
	}
	return nil
}

// trouble notes why a job does not go on. Only what was said to people, about a job that can be given up, ends it; a
// database that is away comes back, and an undoing is never left halfway. The error is nil when the job has ended.
func (r *Refiles) trouble(ctx context.Context, job store.RefileJob, err error) error {
	if ctx.Err() != nil {
		return ctx.Err()
	}
	final := job.State == model.JobRunning && errs.Of(err) != errs.Internal && errs.Of(err) != errs.Unavailable
	if noted := r.store.TroubleRefile(ctx, job, errs.Message(err), final); noted != nil {
		return errors.Join(err, noted)
	}
	if final {
		r.log.Warn("a refiling failed", "refile", job.ID, "project", job.ProjectID, "kind", string(job.Kind), "err", err)
		return nil
	}
	return err
}
