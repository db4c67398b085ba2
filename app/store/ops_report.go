package store

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"

	"kibitz/app/model"
)

// reportLock is the class of the lock of who sends a report.
const reportLock = 715190226

// HoldReports runs fn while nobody else sends reports; held is false when somebody does.
func (s *Store) HoldReports(ctx context.Context, fn func(context.Context) error) (held bool, err error) {
	return s.db.Hold(ctx, opsKey(0), reportLock, fn)
}

// ReportSent is the period that a report was last sent for; "" when it never was.
func (s *Store) ReportSent(ctx context.Context, name string) (period string, err error) {
	err = s.db.Write(ctx, opsKey(0)).QueryRow(ctx, `SELECT period FROM report_sent WHERE name = $1`, name).Scan(&period)
	if err != nil && !errors.Is(err, pgx.ErrNoRows) {
		return "", fmt.Errorf("cannot tell when the %s report was sent: %w", name, err)
	}
	return period, nil
}

// SetReportSent notes the period that a report was sent for.
func (s *Store) SetReportSent(ctx context.Context, name, period string) error {
	_, err := s.db.Write(ctx, opsKey(0)).Exec(ctx, `INSERT INTO report_sent (name, period) VALUES ($1, $2)
		ON CONFLICT (name) DO UPDATE SET period = excluded.period, sent_at = now()`, name, period)
	if err != nil {
		return fmt.Errorf("cannot note that the %s report was sent: %w", name, err)
	}
	return nil
}

// TopStatement is a statement of a project with what it took in a stretch of time.
type TopStatement struct {
	Statement
	N, Failed  float64
	Total, Max time.Duration
	Share      float64 // of the time of all statements of all projects, 0 to 1
}

// TopStatements are the statements of all projects that took the most time, without what pg_stat_statements counts again.
// Sums by the hour do; what is not merged into them yet is read from the finer tables.
func (s *Store) TopStatements(ctx context.Context, from, to time.Time, limit int) (out []TopStatement, err error) {
	rows, err := s.db.Read(ctx, opsKey(0)).Query(ctx, `WITH mark AS (SELECT
			coalesce(max(until) FILTER (WHERE name = 'statement_ten'), 'epoch') AS ten,
			coalesce(max(until) FILTER (WHERE name = 'statement_hour'), 'epoch') AS hour FROM rollup_state),
		part AS (
			SELECT statement_id, n, failed, total_us, max_us FROM statement_hour
			WHERE bucket >= $1 AND bucket < $2 AND received >= $1 - interval '5 minutes' AND source <> $4
			UNION ALL
			SELECT statement_id, n, failed, total_us, max_us FROM statement_ten
			WHERE bucket >= $1 AND bucket < $2 AND received >= greatest((SELECT hour FROM mark), $1 - interval '5 minutes') AND source <> $4
			UNION ALL
			SELECT statement_id, n, failed, total_us, max_us FROM statement_raw
			WHERE bucket >= $1 AND bucket < $2 AND received >= greatest((SELECT ten FROM mark), $1 - interval '5 minutes') AND source <> $4
		), summed AS (
			SELECT statement_id, sum(n) AS n, sum(failed) AS failed, sum(total_us) AS total, max(max_us) AS most,
				sum(total_us) / nullif(sum(sum(total_us)) OVER (), 0) AS share
			FROM part GROUP BY statement_id ORDER BY total DESC, statement_id LIMIT $3
		)
		SELECT s.id, s.project_id, s.fingerprint, s.sql, s.sample, s.first_seen, t.n, t.failed, t.total, t.most, coalesce(t.share, 0)
		FROM summed t JOIN statement s ON s.id = t.statement_id ORDER BY t.total DESC, s.id`, from, to, limit, int16(model.FromPgStat))
	if err == nil {
		out, err = pgx.CollectRows(rows, scanTopStatement)
	}
	if err != nil {
		return nil, fmt.Errorf("cannot read the statements that took the most time: %w", err)
	}
	return out, nil
}

func scanTopStatement(row pgx.CollectableRow) (t TopStatement, err error) {
	var print, most int64
	var total float64
	err = row.Scan(&t.ID, &t.ProjectID, &print, &t.SQL, &t.Sample, &t.FirstSeen, &t.N, &t.Failed, &total, &most, &t.Share)
	t.Fingerprint, t.Total, t.Max = uint64(print), time.Duration(total*1000), time.Duration(most)*time.Microsecond
	return t, err
}
