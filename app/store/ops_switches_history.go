package store

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"

	"kibitz/app/errs"
	"kibitz/app/switches/peers"
)

// SwitchLine is a line of the history of switches.
type SwitchLine struct {
	peers.Record
	Before   []byte // JSON; nil where there was nothing
	UndoneBy int64  // the change that took it back
}

const lineColumns = `h.id, h.kind, h.env, h.key, h.action, h.by_name, h.by_kind, h.account_id, h.why, h.at, h.revision, h.node, h.before, h.after, h.undoes, h.undone_by`

func scanLine(row pgx.CollectableRow) (l SwitchLine, err error) {
	var after []byte
	err = row.Scan(&l.Change, &l.Kind, &l.Env, &l.Key, &l.Action, &l.By, &l.ByKind, &l.Account, &l.Why, &l.At, &l.Version.Revision, &l.Version.Node,
		&l.Before, &after, &l.Undoes, &l.UndoneBy)
	l.Body, l.Deleted = after, after == nil
	return l, err
}

// SwitchHistory is what was done in an environment ("" all), to a key ("" all), newest first, before a change (0 from the newest).
func (s *Store) SwitchHistory(ctx context.Context, env, key string, before int64, n int) ([]SwitchLine, error) {
	sql := `SELECT ` + lineColumns + ` FROM switch_history h WHERE h.id < $1`
	if before <= 0 {
		before = 1<<63 - 1
	}
	args := []any{before}
	if env != "" {
		args = append(args, env)
		sql += fmt.Sprintf(` AND h.env = $%d`, len(args))
	}
	if key != "" {
		args = append(args, key)
		sql += fmt.Sprintf(` AND h.key = $%d`, len(args))
	}
	rows, err := s.db.Write(ctx, opsKey(0)).Query(ctx, sql+fmt.Sprintf(` ORDER BY h.id DESC LIMIT %d`, max(n, 1)), args...)
	if err != nil {
		return nil, fmt.Errorf("cannot read the history of switches: %w", err)
	}
	lines, err := pgx.CollectRows(rows, scanLine)
	if err != nil {
		return nil, fmt.Errorf("cannot read the history of switches: %w", err)
	}
	return lines, nil
}

// SwitchLine is one line of history; errs.NotFound when there is none.
func (s *Store) SwitchLine(ctx context.Context, id int64) (SwitchLine, error) {
	rows, err := s.db.Write(ctx, opsKey(0)).Query(ctx, `SELECT `+lineColumns+` FROM switch_history h WHERE h.id = $1`, id)
	if err != nil {
		return SwitchLine{}, fmt.Errorf("cannot read change %d: %w", id, err)
	}
	line, err := pgx.CollectExactlyOneRow(rows, scanLine)
	if errors.Is(err, pgx.ErrNoRows) {
		return line, errs.New(errs.NotFound, "There is no such change.")
	}
	if err != nil {
		return line, fmt.Errorf("cannot read change %d: %w", id, err)
	}
	return line, nil
}

// SwitchProcess is a process that answers from switches.
type SwitchProcess struct {
	Node, Address, Version string
	Revision               int64
	Heartbeat              time.Time
}

// forgetProcess is how long a process that is silent is listed.
const forgetProcess = `interval '1 hour'`

// BeatSwitches notes that a process lives and gives all that do, itself among them, with the time of the database's clock. An empty
// node only reads.
func (s *Store) BeatSwitches(ctx context.Context, p SwitchProcess) (all []SwitchProcess, now time.Time, err error) {
	b := &pgx.Batch{}
	if p.Node != "" {
		b.Queue(`INSERT INTO switch_process AS s (node, address, revision, version, heartbeat_at) VALUES ($1, $2, $3, $4, clock_timestamp())
			ON CONFLICT (node) DO UPDATE SET address = excluded.address, revision = excluded.revision, version = excluded.version, heartbeat_at = excluded.heartbeat_at`,
			p.Node, p.Address, p.Revision, p.Version)
		b.Queue(`DELETE FROM switch_process WHERE heartbeat_at < clock_timestamp() - ` + forgetProcess)
	}
	b.Queue(`SELECT node, address, version, revision, heartbeat_at FROM switch_process ORDER BY node`).Query(func(rows pgx.Rows) (err error) {
		all, err = pgx.CollectRows(rows, pgx.RowToStructByPos[SwitchProcess])
		return err
	})
	b.Queue(`SELECT clock_timestamp()`).QueryRow(func(row pgx.Row) error { return row.Scan(&now) })
	err = s.db.Tx(ctx, opsKey(0), func(tx pgx.Tx) error { return tx.SendBatch(ctx, b).Close() })
	if err != nil {
		return nil, now, fmt.Errorf("cannot note that this process lives: %w", err)
	}
	return all, now, nil
}

// LeaveSwitches takes a process that ends off the list.
func (s *Store) LeaveSwitches(ctx context.Context, node string) error {
	if _, err := s.db.Write(ctx, opsKey(0)).Exec(ctx, `DELETE FROM switch_process WHERE node = $1`, node); err != nil {
		return fmt.Errorf("cannot note that this process ends: %w", err)
	}
	return nil
}
