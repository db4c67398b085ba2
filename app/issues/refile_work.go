package issues

import (
	"context"
	"fmt"
	"runtime"

	"github.com/klauspost/compress/zstd"
	"golang.org/x/sync/errgroup"

	"kibitz/app/model"
	"kibitz/app/store"
	"kibitz/grouping"
	"kibitz/ingest/envelope"
)

// refileBatch is how many events one transaction moves: it holds the issues' rows for some tens of milliseconds, for
// which digests wait.
const refileBatch = 500

// source is the events of an issue that move, and where they go.
type source struct {
	scan store.EventScan
	to   int64
	// byHash is where the events of a hash go, when not all go to one issue.
	byHash map[[16]byte]int64
	// setup finds the hashes of events from before hashes were kept.
	setup GroupingSetup
}

// moveOn moves the events of a merge or split. A merge empties whole issues; a split follows hashes.
func (r *Refiles) moveOn(ctx context.Context, job *store.RefileJob) error {
	var sources []source
	if job.Kind == model.RefileMerge {
		for _, id := range job.From {
			sources = append(sources, source{scan: store.EventScan{Issue: id}, to: job.Into})
		}
		return r.walk(ctx, job, 0, sources)
	}
	hashes, err := r.store.MovedHashes(ctx, *job)
	if err != nil {
		return err
	}
	sources = byHashes(hashes)
	for i := range sources {
		sources[i].scan.Unhashed, sources[i].setup = true, r.groupings.Setup(job.ProjectID)
	}
	return r.walk(ctx, job, 0, sources)
}

// byHashes takes each issue once, however many of its hashes moved.
func byHashes(hashes []store.MovedHash) (out []source) {
	for _, h := range hashes {
		if n := len(out); n == 0 || out[n-1].scan.Issue != h.From {
			out = append(out, source{scan: store.EventScan{Issue: h.From}, byHash: map[[16]byte]int64{}})
		}
		last := &out[len(out)-1]
		last.scan.Hashes = append(last.scan.Hashes, h.Hash)
		last.byHash[[16]byte(h.Hash)] = h.To
	}
	return out
}

// MoveBack undoes the moves of a job: what its batches moved and is still there goes back, the last batch first, then
// the events follow that came later and carry its hashes.
func (r *Refiles) MoveBack(ctx context.Context, job *store.RefileJob) error {
	if job.Cursor.Step == 0 {
		if err := r.moveBatchesBack(ctx, job); err != nil {
			return err
		}
		job.Cursor = store.RefileCursor{Step: 1}
	}
	hashes, err := r.store.MovedHashes(ctx, *job)
	if err != nil {
		return err
	}
	return r.walk(ctx, job, 1, byHashes(hashes))
}

func (r *Refiles) moveBatchesBack(ctx context.Context, job *store.RefileJob) error {
	for {
		batch, events, ok, err := r.store.BatchBefore(ctx, job.ID, job.Cursor.After)
		if err != nil || !ok {
			return err
		}
		moves, err := r.movesOf(events, func(m *store.EventMove, _ *envelope.Event) bool {
			was := batch.Moves[m.ID]
			m.To, m.NewHash = was.From, was.OldHash
			return true
		})
		if err != nil {
			return err
		}
		if err := r.step(ctx, job, store.RefileCursor{After: batch.Seq}, moves); err != nil {
			return err
		}
	}
}

// walk takes one source after the other, from the job's cursor on; first is the step of the first of them.
func (r *Refiles) walk(ctx context.Context, job *store.RefileJob, first int64, sources []source) error {
	for job.Cursor.Step-first < int64(len(sources)) {
		more, err := r.page(ctx, job, sources[job.Cursor.Step-first])
		if err != nil {
			return err
		}
		if !more {
			job.Cursor = store.RefileCursor{Step: job.Cursor.Step + 1}
		}
	}
	return nil
}

// page moves the next events of a source; false when there are none.
func (r *Refiles) page(ctx context.Context, job *store.RefileJob, src source) (more bool, err error) {
	scan := src.scan
	scan.After, scan.Limit = job.Cursor.After, refileBatch
	events, err := r.store.EventsAfter(ctx, scan)
	if err != nil || len(events) == 0 {
		return false, err
	}
	moves, err := r.movesOf(events, src.choose)
	if err != nil {
		return false, err
	}
	return true, r.step(ctx, job, store.RefileCursor{Step: job.Cursor.Step, After: events[len(events)-1].ID}, moves)
}

func (r *Refiles) step(ctx context.Context, job *store.RefileJob, next store.RefileCursor, moves []store.EventMove) error {
	moved, err := r.store.MoveEvents(ctx, job, next, moves)
	if err == nil {
		r.log.Debug(movedBatch, "refile", job.ID, "events", moved, "done", job.Done)
	}
	return err
}

// movedBatch is logged after each step of a job.
const movedBatch = "moved a batch of events"

// choose says where an event goes; false leaves it where it is.
func (s source) choose(m *store.EventMove, ev *envelope.Event) bool {
	if s.byHash == nil {
		m.To = s.to
		return true
	}
	if m.OldHash != nil {
		m.To = s.byHash[[16]byte(m.OldHash)]
		return m.To != 0
	}
	if ev == nil {
		return false
	}
	setups := []grouping.Setup{s.setup.Primary}
	if s.setup.Secondary != nil {
		setups = append(setups, *s.setup.Secondary)
	}
	for _, setup := range setups {
		hash := rawHashes(setup.Group(GroupingEvent(ev)))[0]
		if to, ok := s.byHash[hash]; ok {
			m.To, m.NewHash = to, hash[:]
			return true
		}
	}
	return false
}

// movesOf reads what events count for, on all cores, and has choose say where each goes.
func (r *Refiles) movesOf(events []store.Movable, choose func(*store.EventMove, *envelope.Event) bool) ([]store.EventMove, error) {
	workers := min(runtime.GOMAXPROCS(0), len(events))
	bodies, err := zstd.NewReader(nil, zstd.WithDecoderMaxMemory(maxBody), zstd.WithDecoderConcurrency(max(workers, 1)))
	if err != nil {
		return nil, fmt.Errorf("cannot make a decoder of event bodies: %w", err)
	}
	defer bodies.Close()
	moves, goes := make([]store.EventMove, len(events)), make([]bool, len(events))
	var g errgroup.Group
	for w := range workers {
		g.Go(recovered(func() error {
			for i := w; i < len(events); i += workers {
				ev := r.parse(bodies, &events[i])
				moves[i] = moveOf(&events[i], ev)
				goes[i] = choose(&moves[i], ev)
			}
			return nil
		}))
	}
	err = g.Wait()
	out := moves[:0]
	for i := range moves {
		if goes[i] {
			out = append(out, moves[i])
		}
	}
	return out, err
}

// parse reads the body of a stored event; nil when it cannot be read: such an event moves without its tags.
func (r *Refiles) parse(bodies *zstd.Decoder, e *store.Movable) *envelope.Event {
	var ev *envelope.Event
	err := recovered(func() error {
		body, err := bodies.DecodeAll(e.Body, nil)
		if err == nil {
			ev, err = envelope.ParseEvent(body, envelope.Digest)
		}
		return err
	})()
	if err == nil {
		return ev
	}
	r.log.Warn("a stored event cannot be read; it moves without its tags", "event", e.ID, "err", err)
	return nil
}

// moveOf is a stored event with what it counts for, as when it was digested; where it goes is the caller's to say.
func moveOf(e *store.Movable, ev *envelope.Event) store.EventMove {
	m := store.EventMove{ID: e.ID, Received: e.Received, From: e.IssueID, OldHash: e.Hash, NewHash: e.Hash, Timestamp: e.Timestamp,
		Level: e.Level, Release: e.Release}
	if e.UserHash != nil {
		m.UserHash = *e.UserHash
	}
	if ev == nil {
		return m
	}
	m.Tags = tagsOf(ev)
	if e.UserHash == nil {
		m.UserHash = userHash(ev.User, "")
	}
	return m
}
