package store

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/jackc/pgx/v5"

	"kibitz/app/switches/peers"
)

// switchesChannel is where processes tell each other of records through the database.
const switchesChannel = "kibitz_switches"

// maxNotify is what PostgreSQL takes as a notification, in bytes, with some room (8,000 is its limit).
const maxNotify = 7500

const registerColumns = `r.kind, r.env, r.key, r.revision, r.node, r.deleted, r.body, r.by_name, r.by_kind, r.account_id, r.why, r.at, r.action, r.change_id, r.undoes`

func scanRegister(row pgx.CollectableRow) (r peers.Record, err error) {
	var body []byte
	err = row.Scan(&r.Kind, &r.Env, &r.Key, &r.Version.Revision, &r.Version.Node, &r.Deleted, &body, &r.By, &r.ByKind, &r.Account, &r.Why, &r.At,
		&r.Action, &r.Change, &r.Undoes)
	r.Body = body
	return r, err
}

// SwitchRegisters are all registers, in one statement.
func (s *Store) SwitchRegisters(ctx context.Context) ([]peers.Record, error) {
	return s.switchRegisters(ctx, `SELECT `+registerColumns+` FROM switch_register r ORDER BY r.kind, r.env, r.key`)
}

// SwitchRegistersSince are the registers that were stored at or after a moment of the database's clock.
func (s *Store) SwitchRegistersSince(ctx context.Context, since time.Time) ([]peers.Record, error) {
	return s.switchRegisters(ctx, `SELECT `+registerColumns+` FROM switch_register r WHERE r.stored_at >= $1`, since)
}

func (s *Store) switchRegisters(ctx context.Context, sql string, args ...any) ([]peers.Record, error) {
	rows, err := s.db.Write(ctx, opsKey(0)).Query(ctx, sql, args...)
	if err != nil {
		return nil, fmt.Errorf("cannot read switches: %w", err)
	}
	list, err := pgx.CollectRows(rows, scanRegister)
	if err != nil {
		return nil, fmt.Errorf("cannot read switches: %w", err)
	}
	return list, nil
}

// SwitchChange is a record that is to be stored. Before is what its line of history says was there; nil: what the row says.
type SwitchChange struct {
	peers.Record
	Before json.RawMessage
}

// StoreSwitches stores records and their lines of history in one transaction, and notifies of those that NotifySwitches could not
// carry. It may be called again with the same ones, by any process: the highest version wins, and a line is written once.
func (s *Store) StoreSwitches(ctx context.Context, changes []SwitchChange, notify bool) error {
	err := s.db.Tx(ctx, opsKey(0), func(tx pgx.Tx) error {
		b := &pgx.Batch{}
		queueHistory(b, changes)
		queueRegisters(b, newestChanges(changes))
		if notify {
			b.Queue(`SELECT pg_notify($1, '')`, switchesChannel)
		}
		return tx.SendBatch(ctx, b).Close()
	})
	if err != nil {
		return fmt.Errorf("cannot store %d changes of switches: %w", len(changes), err)
	}
	return nil
}

// newestChanges has each register once, in an order in which two processes do not lock each other out.
func newestChanges(changes []SwitchChange) []SwitchChange {
	newest := map[peers.ID]SwitchChange{}
	for _, c := range changes {
		if old, ok := newest[c.ID]; !ok || c.Version.Compare(old.Version) > 0 {
			newest[c.ID] = c
		}
	}
	return sortedValues(newest)
}

func sortedValues(m map[peers.ID]SwitchChange) []SwitchChange {
	out := make([]SwitchChange, 0, len(m))
	for _, c := range m {
		out = append(out, c)
	}
	slices.SortFunc(out, func(a, b SwitchChange) int { return a.ID.Compare(b.ID) })
	return out
}

// switchColumns are the records as arrays, for unnest.
func switchColumns(changes []SwitchChange) []any {
	n := len(changes)
	kind, env, key, node, body := make([]string, n), make([]string, n), make([]string, n), make([]string, n), make([]*string, n)
	revision, account, change, undoes := make([]int64, n), make([]int64, n), make([]int64, n), make([]int64, n)
	by, byKind, why, action := make([]string, n), make([]string, n), make([]string, n), make([]string, n)
	deleted, at := make([]bool, n), make([]time.Time, n)
	for i, c := range changes {
		kind[i], env[i], key[i], revision[i], node[i], deleted[i], body[i] = string(c.Kind), c.Env, c.Key, c.Version.Revision, c.Version.Node, c.Deleted, jsonOrNull(c.Body)
		by[i], byKind[i], account[i], why[i], at[i], action[i], change[i], undoes[i] = c.By, c.ByKind, c.Account, c.Why, c.At, c.Action, c.Change, c.Undoes
	}
	return []any{kind, env, key, revision, node, deleted, body, by, byKind, account, why, at, action, change, undoes}
}

func jsonOrNull(raw json.RawMessage) *string {
	if len(raw) == 0 {
		return nil
	}
	text := string(raw)
	return &text
}

const unnestSwitches = `unnest($1::text[], $2::text[], $3::text[], $4::bigint[], $5::text[], $6::boolean[], $7::text[], $8::text[], $9::text[],
	$10::bigint[], $11::text[], $12::timestamptz[], $13::text[], $14::bigint[], $15::bigint[])`

func queueRegisters(b *pgx.Batch, changes []SwitchChange) {
	b.Queue(`INSERT INTO switch_register AS r (kind, env, key, revision, node, deleted, body, by_name, by_kind, account_id, why, at, action, change_id, undoes)
		SELECT n.kind, n.env, n.key, n.revision, n.node, n.deleted, n.body::json, n.by_name, n.by_kind, n.account_id, n.why, n.at, n.action, n.change_id, n.undoes
		FROM `+unnestSwitches+` AS n (kind, env, key, revision, node, deleted, body, by_name, by_kind, account_id, why, at, action, change_id, undoes)
		ON CONFLICT (kind, env, key) DO UPDATE SET revision = excluded.revision, node = excluded.node, deleted = excluded.deleted, body = excluded.body,
			by_name = excluded.by_name, by_kind = excluded.by_kind, account_id = excluded.account_id, why = excluded.why, at = excluded.at,
			action = excluded.action, change_id = excluded.change_id, undoes = excluded.undoes, stored_at = clock_timestamp()
		WHERE (r.revision, r.node) < (excluded.revision, excluded.node)`, switchColumns(changes)...)
}

// queueHistory comes before the registers are written, so that what was there can be read from them.
func queueHistory(b *pgx.Batch, changes []SwitchChange) {
	var lines []SwitchChange
	for _, c := range changes {
		if c.Change != 0 {
			lines = append(lines, c)
		}
	}
	if len(lines) == 0 {
		return
	}
	before := make([]*string, len(lines))
	for i, c := range lines {
		before[i] = jsonOrNull(c.Before)
	}
	b.Queue(`INSERT INTO switch_history (id, kind, env, key, action, by_name, by_kind, account_id, why, at, revision, node, before, after, undoes)
		SELECT n.change_id, n.kind, n.env, n.key, n.action, n.by_name, n.by_kind, n.account_id, n.why, n.at, n.revision, n.node,
			coalesce(n.before::json, (SELECT r.body FROM switch_register r WHERE r.kind = n.kind AND r.env = n.env AND r.key = n.key AND NOT r.deleted)),
			CASE WHEN n.deleted THEN NULL ELSE n.body::json END, n.undoes
		FROM unnest($1::text[], $2::text[], $3::text[], $4::bigint[], $5::text[], $6::boolean[], $7::text[], $8::text[], $9::text[],
			$10::bigint[], $11::text[], $12::timestamptz[], $13::text[], $14::bigint[], $15::bigint[], $16::text[])
			AS n (kind, env, key, revision, node, deleted, body, by_name, by_kind, account_id, why, at, action, change_id, undoes, before)
		ON CONFLICT (id) DO NOTHING`, append(switchColumns(lines), before)...)
	b.Queue(`UPDATE switch_history h SET undone_by = n.change_id FROM unnest($1::bigint[], $2::bigint[]) AS n (change_id, undoes)
		WHERE h.id = n.undoes AND h.undone_by = 0`, undoings(lines)...)
}

func undoings(lines []SwitchChange) []any {
	change, undoes := []int64{}, []int64{}
	for _, c := range lines {
		if c.Undoes != 0 {
			change, undoes = append(change, c.Change), append(undoes, c.Undoes)
		}
	}
	return []any{change, undoes}
}

// NotifySwitches tells the other processes of records at once, before they are stored. It is false when they are too large for a
// notification: StoreSwitches then tells of them.
func (s *Store) NotifySwitches(ctx context.Context, changes []SwitchChange) (bool, error) {
	records := make([]peers.Record, len(changes))
	for i := range changes {
		records[i] = changes[i].Record
	}
	text, err := json.Marshal(records)
	if err != nil {
		return false, fmt.Errorf("cannot notify of switches: %w", err)
	}
	if len(text) > maxNotify {
		return false, nil
	}
	if _, err := s.db.Write(ctx, opsKey(0)).Exec(ctx, `SELECT pg_notify($1, $2)`, switchesChannel, string(text)); err != nil {
		return false, fmt.Errorf("cannot notify of switches: %w", err)
	}
	return true, nil
}

// ListenSwitches hands records of notifications to fn until ctx ends or the connection is lost; nil means that rows have to be read.
// The first call has nil as well, when it listens.
func (s *Store) ListenSwitches(ctx context.Context, fn func([]peers.Record)) error {
	err := s.db.Listen(ctx, opsKey(0), switchesChannel, func(text string) {
		var records []peers.Record
		if json.Unmarshal([]byte(text), &records) != nil {
			records = nil
		}
		fn(records)
	})
	if err != nil {
		return fmt.Errorf("cannot listen for switches: %w", err)
	}
	return nil
}

// switchesLock is the class of the lock of who applies schedules and ramps.
const switchesLock = 715190230

// HoldSwitches runs fn while no other process applies schedules and ramps; held is false when one does.
func (s *Store) HoldSwitches(ctx context.Context, fn func(context.Context) error) (held bool, err error) {
	return s.db.Hold(ctx, opsKey(0), switchesLock, fn)
}

// SwitchSecret is the secret of the installation; fresh becomes it when there is none yet.
func (s *Store) SwitchSecret(ctx context.Context, fresh []byte) (secret []byte, err error) {
	q := s.db.Write(ctx, opsKey(0))
	err = q.QueryRow(ctx, `SELECT secret FROM switch_secret`).Scan(&secret)
	if errors.Is(err, pgx.ErrNoRows) {
		// Of two that come first one makes it; the update that changes nothing lets the other read it.
		err = q.QueryRow(ctx, `INSERT INTO switch_secret AS s (secret) VALUES ($1) ON CONFLICT (one) DO UPDATE SET secret = s.secret RETURNING secret`, fresh).Scan(&secret)
	}
	if err != nil {
		return nil, fmt.Errorf("cannot read the secret of switches: %w", err)
	}
	return secret, nil
}
