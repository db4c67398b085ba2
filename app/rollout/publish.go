package rollout

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"
	"time"
	"unicode/utf8"

	"kibitz/app/errs"
	"kibitz/app/store"
	"kibitz/app/switches/peers"
)

// By is who changes something.
type By struct {
	Name      string `json:"name"`
	AccountID int64  `json:"account_id,omitempty"`
	Kind      string `json:"kind"` // person, guard, schedule, ramp, cli, token, import, kibitz
}

// Published is what became of a change.
type Published struct {
	Revision int64 `json:"revision"`
	// Told of Peers other processes have said that they answer by it, the slowest after Slowest.
	Told    int           `json:"told"`
	Peers   int           `json:"peers"`
	Slowest time.Duration `json:"slowest"`
	Stored  bool          `json:"stored"` // else it waits in memory for the database
	Entry   Entry         `json:"entry"`
	// ChangeID is the line of history; 0 when nothing had to be changed.
	ChangeID int64 `json:"change_id,string"`
}

// How long a click waits. What takes longer goes on behind it.
const (
	peersWait = 250 * time.Millisecond // for peers' answers
	storeWait = 500 * time.Millisecond // for the row
)

// change is one register that is about to be set.
type change struct {
	id      peers.ID
	action  string
	deleted bool
	body    any
	before  json.RawMessage
	undoes  int64
	quiet   bool // without a line of history
}

// plan decides, under the lock, what is to be changed: nothing when it gives none.
type plan func() ([]change, error)

// publish does what p decides: in memory, to the peers, and through the writer to the database, in this order. env and key are the
// switch that Published tells of.
func (b *Board) publish(ctx context.Context, env, key string, by By, why string, p plan) (Published, error) {
	records, writes, err := b.inMemory(by, why, p)
	if err != nil {
		return Published{}, err
	}
	out := Published{Revision: b.set.Revision(), Stored: true}
	if len(records) > 0 {
		out.Revision, out.ChangeID = records[0].Version.Revision, records[0].Change
		delivery := b.send(records)
		stored := b.writer.add(writes)
		out.Told, out.Peers, out.Slowest = delivery.wait(ctx, peersWait)
		out.Stored = stored.wait(ctx, storeWait)
		b.changed(writes)
	}
	out.Entry, _ = b.Entry(env, key)
	return out, nil
}

// changed tells of changes that have a line in the history.
func (b *Board) changed(writes []store.SwitchChange) {
	if b.opts.Changed == nil {
		return
	}
	var list []Change
	for _, w := range writes {
		if w.Record.Change != 0 {
			list = append(list, changeOf(&store.SwitchLine{Record: w.Record, Before: w.Before}))
		}
	}
	if len(list) > 0 {
		b.opts.Changed(list)
	}
}

// inMemory publishes in this process.
func (b *Board) inMemory(by By, why string, p plan) ([]peers.Record, []store.SwitchChange, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	changes, err := p()
	if err != nil || len(changes) == 0 {
		return nil, nil, err
	}
	version := peers.Version{Revision: b.set.Revision() + 1, Node: b.opts.Node}
	records, writes := make([]peers.Record, 0, len(changes)), make([]store.SwitchChange, 0, len(changes))
	for _, c := range changes {
		r, err := b.record(c, version, by, why)
		if err != nil {
			return nil, nil, err
		}
		records, writes = append(records, r), append(writes, store.SwitchChange{Record: r, Before: c.before})
	}
	b.writer.note(writes)
	b.recent.addOwn(writes)
	b.merge(records)
	return records, writes, nil
}

func (b *Board) record(c change, version peers.Version, by By, why string) (peers.Record, error) {
	r := peers.Record{ID: c.id, Version: version, Deleted: c.deleted, By: clip(by.Name), ByKind: clip(by.Kind), Account: by.AccountID, Why: clip(why),
		At: b.opts.Now().UTC().Truncate(time.Microsecond), Action: c.action, Undoes: c.undoes}
	if !c.quiet {
		r.Change = b.opts.IDs.Next()
	}
	if c.body != nil {
		body, err := json.Marshal(c.body)
		if err != nil {
			return r, errs.New(errs.Unprocessable, "%s cannot be written down: %v", c.id.Key, err)
		}
		r.Body = body
	}
	if err := r.Check(); err != nil {
		return r, errs.New(errs.Unprocessable, "%s %s cannot be kept: %v. A switch may have %d KiB, its conditions and payloads together.", c.id.Kind, clip(c.id.Key), err, peers.MaxBody>>10)
	}
	return r, nil
}

// clip makes a text one that a peer and PostgreSQL take.
func clip(s string) string {
	s = strings.ToValidUTF8(strings.ReplaceAll(s, "\x00", ""), "\uFFFD")
	for len(s) > peers.MaxText || !utf8.ValidString(s) {
		s = s[:len(s)-1]
		if len(s) > peers.MaxText {
			s = s[:peers.MaxText]
		}
	}
	return s
}

// Conflict tells that somebody else changed a switch since it was read: Current is how it is now.
type Conflict struct{ Current Entry }

// Error implements error.
func (c *Conflict) Error() string {
	return fmt.Sprintf("%s was changed by %s in the meantime, at revision %d.", c.Current.Key, c.Current.By, c.Current.Version.Revision)
}

// Unwrap makes it errs.Conflict.
func (c *Conflict) Unwrap() error { return errs.New(errs.Conflict, "%s", c.Error()) }
