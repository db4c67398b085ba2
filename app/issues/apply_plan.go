package issues

import (
	"context"
	"slices"
	"strings"

	"kibitz/app/errs"
	"kibitz/app/model"
	"kibitz/app/store"
	"kibitz/grouping"
)

// regroupPlan says where the hashes of a simulation go. It may be asked several times, each time with more events.
type regroupPlan struct {
	r     *Rehearsals
	ctx   context.Context
	sim   *simulation
	span  store.EventSpan // what is left of it
	setup grouping.Setup
	of    model.Rehearsal
	seeds map[int32]store.IssueSeed // by group
	// seedBytes are the bytes of their texts.
	seedBytes int
}

// maxSeedBytes bounds the texts of new issues: a value alone may have 8 KiB, and there may be 200,000 groups.
const maxSeedBytes = 256 << 20

// plan looks at the last events and answers the new issues and the moves. The digests of the project wait for it.
func (p *regroupPlan) plan(from store.EventReader, hidden map[int64]int64) (seeds []store.IssueSeed, moves []store.HashMove, err error) {
	if err := p.catchUp(from); err != nil {
		return nil, nil, err
	}
	p.sim.settle()
	p.sim.known.hidden = hidden
	homes := make([]int64, len(p.sim.groups))
	for i := range homes {
		homes[i] = p.sim.known.at(p.sim.groups[i].home)
	}
	if err := p.prepare(from.EventsByID, without(homes, p.seeds)); err != nil {
		return nil, nil, err
	}
	for i := range homes {
		if seed, ok := p.seeds[int32(i)]; ok && homes[i] == 0 {
			homes[i], seeds = seed.ID, append(seeds, seed)
		}
	}
	for hash, group := range p.sim.hashes {
		if homes[group] != 0 { // a group without a home and a seed has lost its first event just now
			moves = append(moves, store.HashMove{Hash: hash, To: homes[group], Config: p.of.Config})
		}
	}
	return seeds, moves, nil
}

// without are the groups that have neither a home nor a seed.
func without(homes []int64, seeds map[int32]store.IssueSeed) (groups []int32) {
	for i, home := range homes {
		if _, ok := seeds[int32(i)]; home == 0 && !ok {
			groups = append(groups, int32(i))
		}
	}
	return groups
}

// catchUp adds the events that came since the last look.
func (p *regroupPlan) catchUp(from store.EventReader) error {
	again, err := newRegrouper(p.setup)
	if err != nil {
		return err
	}
	defer again.close()
	for {
		c := &regroupChunk{}
		rest, err := from.ReadEvents(p.ctx, p.span, chunkEvents, c.take)
		if err != nil || len(c.events) == 0 {
			return err
		}
		again.chunk(c)
		c.unread.tell(p.r.log, p.of.ProjectID)
		if err := p.sim.add(c); err != nil {
			return err
		}
		p.span = rest
	}
}

// prepare makes seeds for groups, of their first events.
func (p *regroupPlan) prepare(read byIDs, groups []int32) error {
	firsts := make(map[int64]int32, len(groups))
	ids := make([]int64, len(groups))
	for i, g := range groups {
		ids[i] = p.sim.groups[g].first
		firsts[ids[i]] = g
	}
	slices.Sort(ids)
	again, err := newRegrouper(p.setup)
	if err != nil {
		return err
	}
	defer again.close()
	return eachMovable(p.ctx, read, p.of.ProjectID, ids, func(events []store.Movable) error {
		for i := range events {
			g := firsts[events[i].ID]
			e, err := again.newEvent(&events[i], p.of.ProjectID)
			if err != nil {
				p.r.log.Warn("a stored event cannot be read; no issue is made of it", "event", events[i].ID, "err", err)
				continue
			}
			p.seeds[g] = seedOf(e, p.r.ids.Next(), p.sim.groups[g].hash)
			p.seedBytes += len(e.Title) + len(e.Type) + len(e.Value) + len(e.Culprit)
		}
		if p.seedBytes > maxSeedBytes {
			return errs.New(errs.TooLarge, "The texts of the issues that this would make have more than %d MiB (limit new_issue_texts). Take a shorter window.", maxSeedBytes>>20)
		}
		return nil
	})
}

func seedOf(e store.NewEvent, id int64, hash [16]byte) store.IssueSeed {
	return store.IssueSeed{ID: id, Config: e.Config, Hash: hash, Title: e.Title, Type: e.Type, Value: e.Value, Culprit: e.Culprit, Platform: e.Platform,
		Level: e.Level, Status: model.Unresolved, FirstSeen: e.Timestamp, LastSeen: e.Timestamp, FirstRelease: e.Release, LastRelease: e.Release}
}

// newEvent groups a stored event as if it came now, with all that a new issue takes of it.
func (r *regrouper) newEvent(e *store.Movable, project int64) (store.NewEvent, error) {
	g, err := r.event(e.Body)
	if err != nil {
		return store.NewEvent{}, err
	}
	return store.NewEvent{ID: e.ID, ProjectID: project, Received: e.Received, Timestamp: e.Timestamp, Level: e.Level, Release: e.Release,
		Platform: strings.Clone(r.room.ev.Platform), Title: strings.Clone(g.Title), Type: strings.Clone(g.Type), Value: strings.Clone(g.Value),
		Culprit: strings.Clone(g.Culprit), Config: string(g.Config), Hashes: rawHashes(g)}, nil
}

// byIDs reads events by their ids: store.EventsByID, in or out of a transaction.
type byIDs func(ctx context.Context, project int64, ids []int64) ([]store.Movable, error)

// eachMovable reads events by their ids, in ascending order, and hands them on as many at a time as memory allows. Those
// that are gone, or whose issue is deleted, are left out.
func eachMovable(ctx context.Context, read byIDs, project int64, ids []int64, fn func([]store.Movable) error) error {
	for len(ids) > 0 {
		page := ids[:min(len(ids), refileBatch)]
		events, err := read(ctx, project, page)
		if err != nil {
			return err
		}
		done := len(page)
		if n := len(events); n > 0 && n < len(page) { // the bodies are large, or some are gone: go on after the last
			done, _ = slices.BinarySearch(page, events[n-1].ID+1)
		}
		if err := fn(events); err != nil {
			return err
		}
		ids = ids[done:]
	}
	return nil
}
