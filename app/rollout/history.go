package rollout

import (
	"context"
	"encoding/json"
	"slices"
	"sync"
	"time"

	"kibitz/app/errs"
	"kibitz/app/store"
	"kibitz/app/switches"
	"kibitz/app/switches/peers"
)

// Change is something that was done.
type Change struct {
	ID       int64     `json:"id,string"`
	Env      string    `json:"env"`
	Key      string    `json:"key"`
	Action   string    `json:"action"` // create, edit, flip, kill, unkill, delete, copy, segment, environment, undo ...
	By       By        `json:"by"`
	Why      string    `json:"why"`
	At       time.Time `json:"at"`
	Revision int64     `json:"revision"`
	// Before and After are the switch; nil where there was none, and for kills.
	Before *switches.Switch `json:"before,omitempty"`
	After  *switches.Switch `json:"after,omitempty"`
	// KilledBefore and KilledAfter are of kills.
	KilledBefore bool  `json:"killed_before,omitempty"`
	KilledAfter  bool  `json:"killed_after,omitempty"`
	Undoes       int64 `json:"undoes,omitempty,string"`
	UndoneBy     int64 `json:"undone_by,omitempty,string"`
	Pending      bool  `json:"pending,omitempty"` // not in the database yet
}

// maxRecent is how many changes each process remembers, for when the database is away.
const maxRecent = 500

// recent is the last changes that this process made or heard of, oldest first.
type recent struct {
	mu    sync.Mutex
	lines []store.SwitchLine
}

func (r *recent) addOwn(writes []store.SwitchChange) {
	for _, w := range writes {
		r.put(store.SwitchLine{Record: w.Record, Before: w.Before})
	}
}

func (r *recent) add(records []peers.Record) {
	for _, one := range records {
		r.put(store.SwitchLine{Record: one})
	}
}

func (r *recent) put(l store.SwitchLine) {
	if l.Change == 0 {
		return
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if slices.ContainsFunc(r.lines, func(o store.SwitchLine) bool { return o.Change == l.Change }) {
		return
	}
	if len(r.lines) >= maxRecent {
		r.lines = slices.Delete(r.lines, 0, 1)
	}
	r.lines = append(r.lines, l)
	for i := range r.lines {
		if l.Undoes != 0 && r.lines[i].Change == l.Undoes {
			r.lines[i].UndoneBy = l.Change
		}
	}
}

// pick are the remembered changes that are asked for, newest first.
func (r *recent) pick(env, key string, before int64) (out []store.SwitchLine) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, l := range r.lines {
		if (env == "" || l.Env == env) && (key == "" || l.Key == key) && (before <= 0 || l.Change < before) {
			out = append(out, l)
		}
	}
	return out
}

// History is what was done in an environment ("" all) to a switch or segment ("" all), newest first, before a change (0: from the
// newest). While the database is away it is what this process remembers, and an errs.Unavailable.
func (b *Board) History(ctx context.Context, env, key string, before int64, n int) ([]Change, error) {
	var lines []store.SwitchLine
	err := errs.New(errs.Unavailable, "The database cannot be reached; these are the changes that this process remembers.")
	if s := b.rows(); s != nil {
		if rows, failed := s.SwitchHistory(ctx, env, key, before, n); failed == nil {
			lines, err = rows, nil
		} else if b.database(failed); errs.Of(failed) != errs.Unavailable {
			err = failed
		}
	}
	stored := map[int64]bool{}
	for i := range lines {
		stored[lines[i].Change] = true
	}
	for _, l := range b.recent.pick(env, key, before) {
		if !stored[l.Change] && (err != nil || b.writer.pending(l.ID)) {
			lines = append(lines, l)
		}
	}
	out := make([]Change, 0, len(lines))
	for i := range lines {
		c := changeOf(&lines[i])
		c.Pending = !stored[c.ID] && b.writer.pending(lines[i].ID)
		out = append(out, c)
	}
	slices.SortFunc(out, func(a, b Change) int { return compareIDs(b.ID, a.ID) })
	return out[:min(len(out), n)], err
}

func compareIDs(a, b int64) int {
	switch {
	case a < b:
		return -1
	case a > b:
		return 1
	}
	return 0
}

func changeOf(l *store.SwitchLine) Change {
	c := Change{ID: l.Change, Env: l.Env, Key: l.Key, Action: l.Action, By: By{l.By, l.Account, l.ByKind}, Why: l.Why, At: l.At,
		Revision: l.Version.Revision, Undoes: l.Undoes, UndoneBy: l.UndoneBy}
	switch l.Kind {
	case peers.Switch:
		c.Before, c.After = switchOf(l.Before), switchOf(l.Body)
	case peers.Kill:
		c.KilledBefore, c.KilledAfter = killOf(l.Before), killOf(l.Body)
	}
	return c
}

func switchOf(body []byte) *switches.Switch {
	var s switches.Switch
	if len(body) == 0 || json.Unmarshal(body, &s) != nil {
		return nil
	}
	return &s
}

func killOf(body []byte) bool {
	var k killBody
	return len(body) > 0 && json.Unmarshal(body, &k) == nil && k.Killed
}

// line is one change, from memory or the database.
func (b *Board) line(ctx context.Context, id int64) (store.SwitchLine, error) {
	s := b.rows()
	if s != nil {
		l, err := s.SwitchLine(ctx, id)
		if err == nil {
			return l, nil
		}
		if errs.Of(err) != errs.NotFound {
			b.database(err)
		}
	}
	for _, l := range b.recent.pick("", "", 0) {
		if l.Change == id {
			return l, nil
		}
	}
	if s == nil || !b.Health().DatabaseDown.IsZero() {
		return store.SwitchLine{}, errs.New(errs.Unavailable, "The database cannot be reached, and this process does not remember that change.")
	}
	return store.SwitchLine{}, errs.New(errs.NotFound, "There is no such change.")
}

// Undo takes a change back. Kills, and flips of state and share, are taken back whatever became of the switch otherwise; other changes
// only while the switch stands as they left it, else it is a *Conflict with what it has become.
func (b *Board) Undo(ctx context.Context, changeID int64, by By) (Published, error) {
	l, err := b.line(ctx, changeID)
	if err != nil {
		return Published{}, err
	}
	if l.UndoneBy != 0 {
		return Published{}, errs.New(errs.Conflict, "That change was taken back already.")
	}
	why := "takes back what " + l.By + " did"
	switch {
	case l.Kind == peers.Kill:
		return b.kill(ctx, l.Env, l.Key, killOf(l.Before), by, why, l.Change)
	case l.Kind == peers.Switch && l.Action == "flip":
		return b.undoFlip(ctx, &l, by, why)
	case l.Kind == peers.Switch || l.Kind == peers.Segment:
		return b.undoEdit(ctx, &l, by, why)
	}
	return Published{}, errs.New(errs.Unprocessable, "A change of this kind cannot be taken back.")
}

// undoFlip takes back of state and share what the flip changed.
func (b *Board) undoFlip(ctx context.Context, l *store.SwitchLine, by By, why string) (Published, error) {
	before, after := switchOf(l.Before), switchOf(l.Body)
	if before == nil || after == nil {
		return Published{}, errs.New(errs.Unavailable, "This process does not remember how the switch was before. Try again when the database is back.")
	}
	var f Flip
	if before.State != after.State {
		f.State = &before.State
	}
	if before.Everyone.Percent != after.Everyone.Percent {
		f.Percent = &before.Everyone.Percent
	}
	return b.flip(ctx, l.Env, l.Key, f, by, why, l.Change)
}

func (b *Board) undoEdit(ctx context.Context, l *store.SwitchLine, by By, why string) (Published, error) {
	if len(l.Before) == 0 && l.Action != "create" && l.Action != "copy" && l.Action != "segment" {
		return Published{}, errs.New(errs.Unavailable, "This process does not remember how the switch was before. Try again when the database is back.")
	}
	return b.publish(ctx, l.Env, l.Key, by, why, func() ([]change, error) {
		now, ok := b.set.Get(l.ID)
		if !ok || now.Version != l.Version {
			if e, ok := b.entryIn(l.Env, l.Key); ok {
				return nil, &Conflict{e}
			}
			return nil, errs.New(errs.Conflict, "%s was changed again since.", l.Key)
		}
		c := change{id: l.ID, action: "undo", undoes: l.Change, before: b.bodyOf(l.ID)}
		if len(l.Before) == 0 {
			c.deleted = true
		} else {
			c.body = json.RawMessage(l.Before)
		}
		return []change{c}, nil
	})
}

// entryIn is Entry for callers that hold the lock.
func (b *Board) entryIn(env, key string) (Entry, bool) {
	v := b.views[env]
	if v == nil || v.switches[key] == nil {
		return Entry{}, false
	}
	return b.entry(v, key), true
}
