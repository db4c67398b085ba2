package rollout

import (
	"context"
	"math/rand/v2"
	"time"

	"kibitz/app/db"
	"kibitz/app/store"
	"kibitz/app/switches/peers"
)

// How the database is looked at.
const (
	beatEvery   = 3 * time.Second
	beatWait    = 5 * time.Second
	bootWait    = 3 * time.Second // for the rows at the start
	readOverlap = 10 * time.Second
	silent      = 15 * time.Second // a process that has not been heard of for so long is not counted
	// settleFor spreads the processes that compare themselves with a database that is back: the one that has the changes comes first.
	settleFor = 3 * time.Second
)

func (b *Board) attach(ctx context.Context, s *store.Store) {
	b.state.mu.Lock()
	b.state.store, b.state.reread = s, make(chan struct{}, 1)
	b.state.mu.Unlock()
	wait, cancel := context.WithTimeout(db.With(ctx, db.Jobs), bootWait)
	defer cancel()
	if err := b.readRows(wait, s); err != nil {
		b.database(err)
		b.log.Warn("cannot read switches; answering from what is known otherwise", "source", b.Health().Source, "err", err)
	}
	b.tasks.Go(func() { b.writer.run(b.ctx) })
	b.tasks.Go(func() { b.makeOwn(b.ctx) })
	b.tasks.Go(func() { b.beats(b.ctx, s) })
	b.tasks.Go(func() { b.listens(b.ctx, s) })
}

// readRows takes in all rows, joins the peers when the secret was not known before, and stores what the database lacks.
func (b *Board) readRows(ctx context.Context, s *store.Store) error {
	if err := b.readSecret(ctx, s); err != nil {
		return err
	}
	records, err := s.SwitchRegisters(ctx)
	b.database(err)
	if err != nil {
		return err
	}
	b.receive(records)
	b.heardFrom(FromDatabase)
	b.storeMissing(records)
	return nil
}

// makeOwn makes Kibitz's own switches where they are missing, once it is known what there is.
func (b *Board) makeOwn(ctx context.Context) {
	for tick := time.NewTicker(time.Second); ; {
		if b.Health().Source != FromNothing {
			tick.Stop()
			break
		}
		select {
		case <-ctx.Done():
			tick.Stop()
			return
		case <-tick.C:
		}
	}
	for _, s := range b.opts.Own {
		b.make(ctx, Production, s, By{Name: "Kibitz", Kind: "kibitz"}, "a part of Kibitz that can be switched")
	}
}

// storeMissing queues what the database has not, or older. Every process may do so: a line of history is written once, and the
// highest version wins.
func (b *Board) storeMissing(rows []peers.Record) {
	stored := make(map[peers.ID]peers.Version, len(rows))
	for i := range rows {
		stored[rows[i].ID] = rows[i].Version
	}
	var missing []store.SwitchChange
	for _, r := range b.set.All() {
		if v, ok := stored[r.ID]; (!ok || v.Compare(r.Version) < 0) && !b.writer.pending(r.ID) {
			missing = append(missing, store.SwitchChange{Record: r})
		}
	}
	if len(missing) > 0 {
		b.log.Info("storing switches that the database lacks", "registers", len(missing))
		b.writer.note(missing)
		b.writer.add(missing)
	}
}

// beats says every few seconds that this process lives, finds the others, and reads rows that were stored since.
func (b *Board) beats(ctx context.Context, s *store.Store) {
	var since time.Time
	for tick := time.NewTicker(beatEvery); ; {
		since = b.beat(ctx, s, since)
		select {
		case <-ctx.Done():
			tick.Stop()
			return
		case <-tick.C:
		case <-b.state.reread:
			b.compare(ctx, s)
		}
	}
}

// compare reads everything, after the process that has waiting changes had time to store them.
func (b *Board) compare(ctx context.Context, s *store.Store) {
	select {
	case <-ctx.Done():
		return
	case <-time.After(rand.N(settleFor)):
	}
	ctx, cancel := context.WithTimeout(db.With(ctx, db.Jobs), writeWait)
	defer cancel()
	if err := b.readRows(ctx, s); err != nil {
		b.log.Warn("cannot compare switches with the database", "err", err)
		b.database(err)
	}
}

func (b *Board) beat(ctx context.Context, s *store.Store, since time.Time) time.Time {
	ctx, cancel := context.WithTimeout(db.With(ctx, db.Jobs), beatWait)
	defer cancel()
	me := store.SwitchProcess{Node: b.opts.Node, Address: b.address(), Version: b.opts.Version, Revision: b.set.Revision()}
	if me.Address == "" {
		me.Node = ""
	}
	all, now, err := s.BeatSwitches(ctx, me)
	b.database(err)
	if err != nil {
		return since
	}
	b.learn(all, now)
	if since.IsZero() {
		return now
	}
	records, err := s.SwitchRegistersSince(ctx, since.Add(-readOverlap))
	if err != nil {
		return since
	}
	b.receive(records)
	return now
}

// learn tells the mesh of the processes that live.
func (b *Board) learn(all []store.SwitchProcess, now time.Time) {
	b.state.mu.Lock()
	b.state.node = map[string]store.SwitchProcess{}
	for _, p := range all {
		if now.Sub(p.Heartbeat) < silent {
			b.state.node[p.Node] = p
		}
	}
	b.state.mu.Unlock()
	m := b.mesh()
	if m == nil {
		return
	}
	for _, p := range all {
		if now.Sub(p.Heartbeat) < silent && p.Node != b.opts.Node {
			m.Learn(p.Address)
		}
	}
}

// listens takes in what is notified of, and reads rows anew after each pause of the connection.
func (b *Board) listens(ctx context.Context, s *store.Store) {
	pause := time.Second
	for ctx.Err() == nil {
		began := time.Now()
		err := s.ListenSwitches(db.With(ctx, db.Jobs), func(records []peers.Record) {
			if records == nil {
				b.readSince(ctx, s)
				return
			}
			b.receive(records)
		})
		if ctx.Err() != nil {
			return
		}
		if pause = min(2*pause, 10*time.Second); time.Since(began) > time.Minute {
			pause = time.Second
		}
		b.log.Warn("not told by the database of changes of switches; peers and the beat do", "again_in", pause, "err", err)
		select {
		case <-ctx.Done():
		case <-time.After(pause):
		}
	}
}

// readSince reads what was stored lately: changes that are too large for a notification, or were missed.
func (b *Board) readSince(ctx context.Context, s *store.Store) {
	ctx, cancel := context.WithTimeout(db.With(ctx, db.Jobs), writeWait)
	defer cancel()
	records, err := s.SwitchRegisters(ctx)
	if err != nil {
		b.log.Warn("cannot read switches", "err", err)
		return
	}
	b.receive(records)
}
