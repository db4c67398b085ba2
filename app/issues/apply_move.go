package issues

import (
	"context"
	"maps"
	"slices"
	"time"

	"kibitz/app/model"
	"kibitz/app/store"
	"kibitz/grouping"
	"kibitz/ingest/envelope"
)

// windowMover moves the events of a window to the issues that their new hashes lead to.
type windowMover struct {
	r       *Rehearsals
	ctx     context.Context
	job     *store.RefileJob
	of      model.Rehearsal
	again   *regrouper
	bound   map[[16]byte]int64
	pending map[int64]newPlace // by event
	hidden  simKnown
}

// newPlace is where an event goes.
type newPlace struct {
	issue int64
	hash  [16]byte
}

// maxBound is how many hashes are held in memory with their issues; beyond it they are forgotten and looked up again.
const maxBound = 200_000

// clockSlack is how far the clocks of processes may differ, which make the ids of events.
const clockSlack = time.Second

// moveWindow goes through the window from the job's cursor on. Events that came after the new version are filed by it, or by
// a later one, and stay where that put them.
func (r *Rehearsals) moveWindow(ctx context.Context, job *store.RefileJob, of model.Rehearsal, setup grouping.Setup) error {
	m, err := r.newWindowMover(ctx, job, of, setup)
	if err != nil {
		return err
	}
	defer m.again.close()
	v, err := r.store.GroupingVersion(ctx, of.ProjectID, of.Version+1)
	if err != nil {
		return err
	}
	span := store.SpanOf(of.ProjectID, of.Since, v.At.Add(clockSlack))
	span.After = max(span.After, job.Cursor.After)
	if err := r.regroupEvents(ctx, span, setup, m.chunk); err != nil {
		return err
	}
	if err := m.flush(); err != nil {
		return err
	}
	job.Cursor = store.RefileCursor{Step: stepFollow}
	return nil
}

func (r *Rehearsals) newWindowMover(ctx context.Context, job *store.RefileJob, of model.Rehearsal, setup grouping.Setup) (*windowMover, error) {
	hidden, err := r.store.HiddenIssues(ctx, of.ProjectID)
	if err != nil {
		return nil, err
	}
	again, err := newRegrouper(setup)
	if err != nil {
		return nil, err
	}
	return &windowMover{r: r, ctx: ctx, job: job, of: of, again: again, bound: map[[16]byte]int64{}, pending: map[int64]newPlace{},
		hidden: simKnown{hidden: hidden}}, nil
}

// chunk finds the events of a chunk that belong elsewhere, and moves them when they are enough for a transaction.
func (m *windowMover) chunk(c *regroupChunk) error {
	if err := m.lookUp(c.hashes); err != nil {
		return err
	}
	if late := m.late(c); len(late) > 0 {
		if err := m.fileLate(late); err != nil {
			return err
		}
		if err := m.lookUp(c.hashes); err != nil {
			return err
		}
	}
	for i := range c.events {
		e := &c.events[i]
		if to := m.issueOf(e.hashes); to != 0 && m.hidden.at(e.issue) != 0 && (to != e.issue || e.hashes[0] != e.hash) {
			m.pending[e.id] = newPlace{to, e.hashes[0]}
		}
	}
	if len(m.pending) < refileBatch/2 {
		return nil
	}
	return m.flush()
}

// lookUp learns where hashes lead that are not known yet: one statement a chunk at most, and none for most.
func (m *windowMover) lookUp(hashes [][16]byte) error {
	if len(m.bound) > maxBound {
		clear(m.bound)
	}
	var want [][16]byte
	for _, h := range hashes {
		if m.bound[h] == 0 {
			want = append(want, h)
		}
	}
	if len(want) == 0 {
		return nil
	}
	found, err := m.r.store.BoundHashes(m.ctx, m.of.ProjectID, want)
	maps.Copy(m.bound, found)
	return err
}

func (m *windowMover) issueOf(hashes [][16]byte) int64 {
	for _, h := range hashes {
		if to := m.bound[h]; to != 0 {
			return to
		}
	}
	return 0
}

// late are the events whose hashes lead nowhere: they were filed by the old version after the job had looked at later
// ones, as the spool of another node may have done.
func (m *windowMover) late(c *regroupChunk) (ids []int64) {
	for i := range c.events {
		e := &c.events[i]
		if len(e.hashes) == 0 || m.hidden.at(e.issue) == 0 {
			continue
		}
		if m.issueOf(e.hashes) == 0 || m.job.State == model.JobUndoing && m.bound[e.hashes[0]] == 0 {
			ids = append(ids, e.id)
		}
	}
	return ids
}

func (m *windowMover) fileLate(ids []int64) error {
	return eachMovable(m.ctx, m.r.store.EventsByID, m.of.ProjectID, ids, func(list []store.Movable) error {
		var events []store.NewEvent
		for i := range list {
			e, err := m.again.newEvent(&list[i], m.of.ProjectID)
			if err != nil {
				m.r.log.Warn("a stored event cannot be read; it stays where it is", "event", list[i].ID, "err", err)
				continue
			}
			e.ID = m.r.ids.Next() // of the issue, if it makes one: its own may be that of the issue which it leaves
			e.From = list[i].IssueID
			events = append(events, e)
		}
		return m.r.store.FileLate(m.ctx, m.job, events)
	})
}

// flush moves the pending events.
func (m *windowMover) flush() error {
	ids := slices.Sorted(maps.Keys(m.pending))
	err := eachMovable(m.ctx, m.r.store.EventsByID, m.of.ProjectID, ids, func(events []store.Movable) error {
		if len(events) == 0 {
			return nil
		}
		moves, err := m.r.refiles.movesOf(events, m.choose)
		if err != nil {
			return err
		}
		return m.r.refiles.step(m.ctx, m.job, store.RefileCursor{Step: stepMove, After: events[len(events)-1].ID}, moves)
	})
	clear(m.pending)
	return err
}

func (m *windowMover) choose(move *store.EventMove, _ *envelope.Event) bool {
	to := m.pending[move.ID]
	move.To, move.NewHash = to.issue, to.hash[:]
	return true
}
