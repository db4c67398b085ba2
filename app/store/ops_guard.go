package store

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"
)

// guardLock is held by the process whose guard watches.
const guardLock = 715190240

// HoldGuard runs fn while this process alone watches; held is false, and fn does not run, while another does.
func (s *Store) HoldGuard(ctx context.Context, fn func(context.Context) error) (held bool, err error) {
	return s.db.Hold(ctx, opsKey(0), guardLock, fn)
}

// Settled is a moment before which no sum will be received any more.
func (s *Store) Settled(ctx context.Context) (time.Time, error) { return s.settled(ctx) }

// GuardRow is what is known of one switch.
type GuardRow struct {
	Env, Key string
	Updated  time.Time
	State    []byte // JSON
}

// GuardDecision is something that a guard did, or is to do.
type GuardDecision struct {
	ID       int64
	Env, Key string
	At       time.Time
	Action   string
	Reason   string
	Evidence []byte // JSON
	Done     bool
}

// GuardMark is up to when the guard has seen what was received; zero when it never looked.
func (s *Store) GuardMark(ctx context.Context) (mark time.Time, err error) {
	err = s.db.Read(ctx, opsKey(0)).QueryRow(ctx, `SELECT until FROM rollup_state WHERE name = 'guard'`).Scan(&mark)
	if errors.Is(err, pgx.ErrNoRows) {
		return mark, nil
	}
	if err != nil {
		return mark, fmt.Errorf("cannot tell what the guard has seen: %w", err)
	}
	return mark, nil
}

// GuardRows gives what is known of all switches.
func (s *Store) GuardRows(ctx context.Context) ([]GuardRow, error) {
	rows, err := s.db.Read(ctx, opsKey(0)).Query(ctx, `SELECT env, key, updated_at, state FROM guard_state`)
	if err != nil {
		return nil, fmt.Errorf("cannot read the state of the guard: %w", err)
	}
	list, err := pgx.CollectRows(rows, pgx.RowToStructByPos[GuardRow])
	if err != nil {
		return nil, fmt.Errorf("cannot read the state of the guard: %w", err)
	}
	return list, nil
}

// ErrGuardMoved tells that another process has watched in the meantime.
var ErrGuardMoved = errors.New("another process has moved the guard on")

// SaveGuard moves the guard's mark on from one moment to another, and writes what it made of what was received in between: states, and
// decisions that are to be carried out. All of it or nothing. ErrGuardMoved when the mark is elsewhere.
func (s *Store) SaveGuard(ctx context.Context, from, to time.Time, rows []GuardRow, decisions []GuardDecision) error {
	err := s.db.Tx(ctx, opsKey(0), func(tx pgx.Tx) error {
		if err := moveGuard(ctx, tx, from, to); err != nil {
			return err
		}
		if err := putGuardRows(ctx, tx, rows); err != nil {
			return err
		}
		return copyRows(ctx, tx, "guard_decision", []string{"id", "env", "key", "at", "action", "reason", "evidence", "done"}, len(decisions), func(i int) []any {
			d := &decisions[i]
			return []any{d.ID, d.Env, d.Key, d.At, d.Action, d.Reason, d.Evidence, d.Done}
		})
	})
	if err != nil {
		return fmt.Errorf("cannot write what the guard knows: %w", err)
	}
	return nil
}

func moveGuard(ctx context.Context, tx pgx.Tx, from, to time.Time) error {
	sql := `UPDATE rollup_state SET until = $2 WHERE name = 'guard' AND until = $1`
	if from.IsZero() {
		sql = `INSERT INTO rollup_state (name, until) SELECT 'guard', $2 WHERE $1::timestamptz IS NOT NULL ON CONFLICT DO NOTHING`
	}
	tag, err := tx.Exec(ctx, sql, from, to)
	if err == nil && tag.RowsAffected() == 0 {
		err = ErrGuardMoved
	}
	return err
}

func putGuardRows(ctx context.Context, tx pgx.Tx, rows []GuardRow) error {
	if len(rows) == 0 {
		return nil
	}
	envs, keys, at, states := make([]string, len(rows)), make([]string, len(rows)), make([]time.Time, len(rows)), make([]string, len(rows))
	for i, r := range rows {
		envs[i], keys[i], at[i], states[i] = r.Env, r.Key, r.Updated, string(r.State)
	}
	_, err := tx.Exec(ctx, `INSERT INTO guard_state AS g (env, key, updated_at, state)
		SELECT * FROM unnest($1::text[], $2::text[], $3::timestamptz[], $4::jsonb[])
		ON CONFLICT (env, key) DO UPDATE SET updated_at = excluded.updated_at, state = excluded.state`, envs, keys, at, states)
	return err
}

// GuardDecisions gives the decisions of a switch, or of all of an environment when key is "", newest first.
func (s *Store) GuardDecisions(ctx context.Context, env, key string, limit int) ([]GuardDecision, error) {
	return s.guardDecisions(ctx, `WHERE env = $1 AND ($2 = '' OR key = $2) ORDER BY id DESC LIMIT $3`, env, key, limit)
}

// OpenGuardDecisions gives the decisions that have not been carried out, oldest first.
func (s *Store) OpenGuardDecisions(ctx context.Context) ([]GuardDecision, error) {
	return s.guardDecisions(ctx, `WHERE NOT done ORDER BY id LIMIT 100`)
}

func (s *Store) guardDecisions(ctx context.Context, where string, args ...any) ([]GuardDecision, error) {
	rows, err := s.db.Read(ctx, opsKey(0)).Query(ctx, `SELECT id, env, key, at, action, reason, evidence, done FROM guard_decision `+where, args...)
	if err != nil {
		return nil, fmt.Errorf("cannot read the decisions of the guard: %w", err)
	}
	list, err := pgx.CollectRows(rows, pgx.RowToStructByPos[GuardDecision])
	if err != nil {
		return nil, fmt.Errorf("cannot read the decisions of the guard: %w", err)
	}
	return list, nil
}

// GuardDecisionDone notes that a decision has been carried out.
func (s *Store) GuardDecisionDone(ctx context.Context, id int64) error {
	if _, err := s.db.Write(ctx, opsKey(0)).Exec(ctx, `UPDATE guard_decision SET done = true WHERE id = $1`, id); err != nil {
		return fmt.Errorf("cannot note what the guard did: %w", err)
	}
	return nil
}

// ReceivedSwitchSum is a sum of a whole project as it was received.
type ReceivedSwitchSum struct {
	NamedSwitchSum
	Received time.Time
}

// SwitchSumsReceived gives the sums of whole projects that were received between two moments, in that order.
func (s *Store) SwitchSumsReceived(ctx context.Context, from, to time.Time) ([]ReceivedSwitchSum, error) {
	rows, err := s.db.Read(ctx, opsKey(0)).Query(ctx, `SELECT s.*, l.value, coalesce(e.value, '') FROM (
			SELECT `+switchRollupColumns+`, received FROM switch_raw WHERE endpoint_id = 0 AND received >= $1 AND received < $2
		) AS s JOIN label l ON l.id = s.switch_id LEFT JOIN label e ON e.id = s.env_id ORDER BY s.received`, from, to)
	if err != nil {
		return nil, fmt.Errorf("cannot read what the guard has not seen: %w", err)
	}
	list, err := pgx.CollectRows(rows, func(row pgx.CollectableRow) (r ReceivedSwitchSum, err error) {
		err = r.scan(row, &r.Received, &r.Label, &r.EnvName)
		return r, err
	})
	if err != nil {
		return nil, fmt.Errorf("cannot read what the guard has not seen: %w", err)
	}
	return list, nil
}

// SwitchMinute is the subjects of one answer in a minute, over all projects.
type SwitchMinute struct {
	Project       int64
	Label         string
	Env           string
	Bucket        time.Time
	Exposed, Hurt int64
}

// SwitchMinutes gives the exposed and failed subjects of every answer by the minute, without those of the last minutes that are not
// merged yet.
func (s *Store) SwitchMinutes(ctx context.Context, from, to time.Time) ([]SwitchMinute, error) {
	rows, err := s.db.Read(ctx, opsKey(0)).Query(ctx, `SELECT s.project_id, l.value, coalesce(e.value, ''), s.bucket, sum(s.exposed)::bigint, sum(s.hurt)::bigint
		FROM switch_minute s JOIN label l ON l.id = s.switch_id LEFT JOIN label e ON e.id = s.env_id
		WHERE s.endpoint_id = 0 AND s.bucket >= $1 AND s.bucket < $2 AND s.received >= $1 AND s.exposed + s.hurt > 0
		GROUP BY 1, 2, 3, 4`, from, to)
	if err != nil {
		return nil, fmt.Errorf("cannot read the past day of switches: %w", err)
	}
	list, err := pgx.CollectRows(rows, pgx.RowToStructByPos[SwitchMinute])
	if err != nil {
		return nil, fmt.Errorf("cannot read the past day of switches: %w", err)
	}
	return list, nil
}

// NewestReleases gives the release that each project reported last for the first time.
func (s *Store) NewestReleases(ctx context.Context) (map[int64]string, error) {
	rows, err := s.db.Read(ctx, opsKey(0)).Query(ctx, `SELECT DISTINCT ON (project_id) project_id, value FROM label WHERE kind = 1 ORDER BY project_id, id DESC`)
	if err != nil {
		return nil, fmt.Errorf("cannot read the newest releases: %w", err)
	}
	out := map[int64]string{}
	var project int64
	var value string
	if _, err := pgx.ForEachRow(rows, []any{&project, &value}, func() error { out[project] = value; return nil }); err != nil {
		return nil, fmt.Errorf("cannot read the newest releases: %w", err)
	}
	return out, nil
}
