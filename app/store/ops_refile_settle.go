package store

import (
	"context"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"
)

// RefileIssues are all issues that a job took events from or gave them to, in order of id: 8 bytes each, of as many as a
// rehearsal may hold.
func (s *Store) RefileIssues(ctx context.Context, refile int64) ([]int64, error) {
	rows, err := s.db.Write(ctx, opsKey(0)).Query(ctx, `SELECT DISTINCT id FROM (
			SELECT unnest(ARRAY[from_issue, to_issue, undo_from]) AS id FROM refile_hash WHERE refile_id = $1
			UNION ALL SELECT unnest(old_issues || new_issues) FROM refile_batch WHERE refile_id = $1
		) w WHERE id > 0 ORDER BY id`, refile)
	if err != nil {
		return nil, fmt.Errorf("cannot list the issues of refiling %d: %w", refile, err)
	}
	ids, err := pgx.CollectRows(rows, pgx.RowTo[int64])
	if err != nil {
		return nil, fmt.Errorf("cannot list the issues of refiling %d: %w", refile, err)
	}
	return ids, nil
}

// SettleIssues finds again when issues were first and last seen, and in which release: counts can be taken away from,
// these cannot. The half hours of issue_stat say in which stretch to look and how many events lie there, so that the scan
// of an issue's events, from either end, stops where it has found them: the first and last half hour are read, not the
// issue. Where events have passed their days, the count and the scan differ; then what was known stays, as far as
// the half hours allow. An issue without events keeps what it had.
func (s *Store) SettleIssues(ctx context.Context, ids []int64) error {
	err := s.db.Tx(ctx, opsKey(0), func(tx pgx.Tx) error {
		b := &pgx.Batch{}
		b.Queue(`SELECT FROM issue WHERE id = ANY($1) ORDER BY id FOR NO KEY UPDATE`, ids)
		b.Queue(settleIssues, ids, StatBucket)
		return tx.SendBatch(ctx, b).Close()
	})
	if err != nil {
		return fmt.Errorf("cannot settle issues: %w", err)
	}
	return nil
}

const settleIssues = `WITH ends AS MATERIALIZED (
		SELECT i.id, lo.bucket AS lo, lo.n AS lo_n, hi.bucket AS hi, hi.n AS hi_n
		FROM issue i
		CROSS JOIN LATERAL (SELECT bucket, sum(n)::bigint AS n FROM issue_stat WHERE issue_id = i.id
			GROUP BY bucket ORDER BY bucket LIMIT 1) lo
		CROSS JOIN LATERAL (SELECT bucket, sum(n)::bigint AS n FROM issue_stat WHERE issue_id = i.id
			GROUP BY bucket ORDER BY bucket DESC LIMIT 1) hi
		WHERE i.id = ANY($1) AND i.events > 0
	), seen AS MATERIALIZED (
		SELECT ends.*, f.ts AS first, f.n = ends.lo_n AS whole, l.ts AS last, l.release AS last_release
		FROM ends
		CROSS JOIN LATERAL (SELECT min(ts) AS ts, count(*) AS n FROM (
			SELECT ts FROM event WHERE issue_id = ends.id AND ts >= ends.lo AND ts < ends.lo + $2::interval
			ORDER BY id LIMIT ends.lo_n) e) f
		CROSS JOIN LATERAL (SELECT max(ts) AS ts, (array_agg(release ORDER BY ts DESC, id DESC) FILTER (WHERE release <> ''))[1] AS release FROM (
			SELECT ts, release, id FROM event WHERE issue_id = ends.id AND ts >= ends.hi AND ts < ends.hi + $2::interval
			ORDER BY id DESC LIMIT ends.hi_n) e) l
	)
	UPDATE issue i SET
		first_seen = CASE WHEN s.whole THEN s.first ELSE least(s.first, greatest(i.first_seen, s.lo)) END,
		last_seen = coalesce(s.last, least(i.last_seen, s.hi + $2::interval)),
		first_release = CASE WHEN s.whole
			THEN coalesce((SELECT release FROM event WHERE issue_id = s.id ORDER BY id LIMIT 1), i.first_release)
			ELSE i.first_release END,
		last_release = CASE WHEN EXISTS (SELECT 1 FROM issue_tag WHERE issue_id = s.id AND key = 'release')
			THEN coalesce(s.last_release,
				(SELECT release FROM event WHERE issue_id = s.id AND release <> '' ORDER BY id DESC LIMIT 1), i.last_release)
			ELSE '' END
	FROM seen s WHERE i.id = s.id`

// Purgeable is a deletion whose time to be undone is over.
type Purgeable struct {
	ID        int64
	ProjectID int64
	Issues    []int64
}

// Purgeables are the deletions from before a moment whose issues are still there, in projects where no job runs or waits.
func (s *Store) Purgeables(ctx context.Context, before time.Time) ([]Purgeable, error) {
	rows, err := s.db.Write(ctx, opsKey(0)).Query(ctx, `SELECT r.id, r.project_id, r.from_issues FROM refile r
		WHERE r.kind = 'delete' AND r.state = 'done' AND r.created_at < $1
			AND EXISTS (SELECT 1 FROM issue i WHERE i.id = ANY(r.from_issues) AND i.deleted_at IS NOT NULL)
			AND NOT EXISTS (SELECT 1 FROM refile o WHERE o.project_id = r.project_id AND o.state IN `+openStates+`)
		ORDER BY r.id`, before)
	if err != nil {
		return nil, fmt.Errorf("cannot look for issues to purge: %w", err)
	}
	list, err := pgx.CollectRows(rows, pgx.RowToStructByPos[Purgeable])
	if err != nil {
		return nil, fmt.Errorf("cannot look for issues to purge: %w", err)
	}
	return list, nil
}

// BeginPurge makes a deletion final; ok is false when it has been undone in the meantime.
func (s *Store) BeginPurge(ctx context.Context, p Purgeable) (ok bool, err error) {
	tag, err := s.db.Write(ctx, opsKey(p.ProjectID)).Exec(ctx, `UPDATE refile SET purged_at = coalesce(purged_at, now())
		WHERE id = $1 AND state = 'done'`, p.ID)
	if err != nil {
		return false, fmt.Errorf("cannot begin to purge deletion %d: %w", p.ID, err)
	}
	return tag.RowsAffected() == 1, nil
}

// PurgeEvents removes some of the events of deleted issues and tells how many.
func (s *Store) PurgeEvents(ctx context.Context, issues []int64, limit int) (int64, error) {
	tag, err := s.db.Write(ctx, opsKey(0)).Exec(ctx, `DELETE FROM event e USING (
			SELECT received, id, issue_id FROM event WHERE issue_id = ANY($1) LIMIT $2
		) w
		WHERE e.issue_id = w.issue_id AND e.id = w.id AND e.received = w.received`, issues, limit)
	if err != nil {
		return 0, fmt.Errorf("cannot purge events: %w", err)
	}
	return tag.RowsAffected(), nil
}

// PurgeIssues removes deleted issues without events, those that had been merged into them, and all their counters.
func (s *Store) PurgeIssues(ctx context.Context, issues []int64) error {
	err := s.db.Tx(ctx, opsKey(0), func(tx pgx.Tx) error {
		rows, err := tx.Query(ctx, `WITH RECURSIVE gone AS (
				SELECT id FROM issue WHERE id = ANY($1) AND deleted_at IS NOT NULL
				UNION SELECT i.id FROM issue i JOIN gone ON i.merged_into = gone.id
			) DELETE FROM issue i USING gone WHERE i.id = gone.id RETURNING i.id`, issues)
		if err != nil {
			return err
		}
		ids, err := pgx.CollectRows(rows, pgx.RowTo[int64])
		if err != nil {
			return err
		}
		b := &pgx.Batch{}
		b.Queue(`DELETE FROM issue_stat WHERE issue_id = ANY($1)`, ids)
		b.Queue(`DELETE FROM issue_tag WHERE issue_id = ANY($1)`, ids)
		b.Queue(`DELETE FROM issue_user WHERE issue_id = ANY($1)`, ids)
		return tx.SendBatch(ctx, b).Close()
	})
	if err != nil {
		return fmt.Errorf("cannot purge issues: %w", err)
	}
	return nil
}
