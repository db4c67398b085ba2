package store

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"

	"kibitz/app/errs"
	"kibitz/app/model"
)

// ErrGroupingMoved marks that the events of a batch were grouped by a version that no longer counts.
var ErrGroupingMoved = errors.New("the grouping of a project has changed since its events were grouped")

const groupingColumns = `v.project_id, v.version, v.config, v.stack_rules, v.fingerprint_rules, v.secondary_config,
	coalesce(v.secondary_until, 'epoch'), v.account_id, v.at, v.note`

func scanGrouping(row pgx.CollectableRow) (g model.Grouping, err error) {
	err = row.Scan(&g.ProjectID, &g.Version, &g.Config, &g.StackRules, &g.FingerprintRules, &g.SecondaryConfig, &g.SecondaryUntil,
		&g.AccountID, &g.At, &g.Note)
	if g.SecondaryUntil.Unix() == 0 {
		g.SecondaryUntil = time.Time{}
	}
	return g, err
}

// GroupingVersions are the versions that count, by project. Projects of version 0 are not among them.
func (s *Store) GroupingVersions(ctx context.Context) (map[int64]int64, error) {
	rows, err := s.db.Write(ctx, opsKey(0)).Query(ctx, `SELECT project_id, version FROM project_grouping`)
	if err != nil {
		return nil, fmt.Errorf("cannot list the groupings of projects: %w", err)
	}
	out := map[int64]int64{}
	var project, version int64
	if _, err := pgx.ForEachRow(rows, []any{&project, &version}, func() error { out[project] = version; return nil }); err != nil {
		return nil, fmt.Errorf("cannot list the groupings of projects: %w", err)
	}
	return out, nil
}

// Groupings are the groupings of projects that count now. Projects of version 0 are not among them.
func (s *Store) Groupings(ctx context.Context, projects []int64) ([]model.Grouping, error) {
	return s.groupings(ctx, `SELECT `+groupingColumns+` FROM project_grouping g JOIN project_grouping_version v USING (project_id, version)
		WHERE g.project_id = ANY($1)`, projects)
}

// GroupingHistory are the versions of a project's grouping, the newest first.
func (s *Store) GroupingHistory(ctx context.Context, project int64, limit int) ([]model.Grouping, error) {
	return s.groupings(ctx, `SELECT `+groupingColumns+` FROM project_grouping_version v WHERE v.project_id = $1
		ORDER BY v.version DESC LIMIT $2`, project, limit)
}

// GroupingVersion is one version of a project's grouping; errs.NotFound when there is none.
func (s *Store) GroupingVersion(ctx context.Context, project, version int64) (model.Grouping, error) {
	list, err := s.groupings(ctx, `SELECT `+groupingColumns+` FROM project_grouping_version v WHERE v.project_id = $1 AND v.version = $2`,
		project, version)
	if err == nil && len(list) == 0 {
		err = errs.New(errs.NotFound, "There is no version %d of this project's grouping.", version)
	}
	if err != nil {
		return model.Grouping{}, err
	}
	return list[0], nil
}

func (s *Store) groupings(ctx context.Context, sql string, args ...any) ([]model.Grouping, error) {
	rows, err := s.db.Write(ctx, opsKey(0)).Query(ctx, sql, args...)
	if err != nil {
		return nil, fmt.Errorf("cannot read groupings: %w", err)
	}
	list, err := pgx.CollectRows(rows, scanGrouping)
	if err != nil {
		return nil, fmt.Errorf("cannot read groupings: %w", err)
	}
	return list, nil
}

// SaveGrouping makes g, whose version is expect+1, the grouping that counts. It is errs.Conflict when expect is no longer
// the version that counts. Digests that run have ended with the old version when it returns, and later ones see the new.
func (s *Store) SaveGrouping(ctx context.Context, g model.Grouping, expect int64) (model.Grouping, error) {
	err := s.db.Tx(ctx, opsKey(g.ProjectID), func(tx pgx.Tx) error {
		if err := lockHashes(ctx, tx, g.ProjectID); err != nil {
			return err
		}
		return saveGrouping(ctx, tx, &g, expect)
	})
	return g, err
}

// saveGrouping is for a transaction that has locked the hashes of the project: digests hold them while they compare the
// version, so that none is filed by the old one after this commits. Its time is that of now, not of the transaction's begin:
// all that the old one filed came before.
func saveGrouping(ctx context.Context, tx pgx.Tx, g *model.Grouping, expect int64) error {
	g.Version = expect + 1
	var until *time.Time
	if !g.SecondaryUntil.IsZero() {
		until = &g.SecondaryUntil
	}
	err := tx.QueryRow(ctx, `INSERT INTO project_grouping_version AS v (project_id, version, config, stack_rules, fingerprint_rules,
			secondary_config, secondary_until, account_id, note, at)
		SELECT $1::bigint, $2::bigint, $3, $4, $5, $6, $7, $8, $9, clock_timestamp()
		WHERE coalesce((SELECT g.version FROM project_grouping g WHERE g.project_id = $1::bigint), 0) = $10::bigint
		RETURNING v.at`, g.ProjectID, g.Version, g.Config, g.StackRules, g.FingerprintRules, g.SecondaryConfig, until,
		g.AccountID, g.Note, expect).Scan(&g.At)
	if errors.Is(err, pgx.ErrNoRows) {
		return errs.New(errs.Conflict, "Somebody else has changed the grouping of this project in the meantime. Load the page again to see what they did.")
	}
	if err != nil {
		return fmt.Errorf("cannot save the grouping of project %d: %w", g.ProjectID, err)
	}
	_, err = tx.Exec(ctx, `INSERT INTO project_grouping (project_id, version) VALUES ($1, $2)
		ON CONFLICT (project_id) DO UPDATE SET version = excluded.version`, g.ProjectID, g.Version)
	if err != nil {
		return fmt.Errorf("cannot save the grouping of project %d: %w", g.ProjectID, err)
	}
	return nil
}

// queueVersions makes a digest fail with ErrGroupingMoved when one of its projects no longer stands at the version that
// its events were grouped by. It holds the hashes of the projects by then, so that none moves before it commits.
func queueVersions(b *pgx.Batch, versions map[int64]int64) {
	projects, wanted := columns(versions)
	b.Queue(`SELECT w.project_id FROM unnest($1::bigint[], $2::bigint[]) AS w (project_id, version)
		LEFT JOIN project_grouping g USING (project_id)
		WHERE coalesce(g.version, 0) <> w.version`, projects, wanted).Query(func(rows pgx.Rows) error {
		moved := 0
		if err := eachRow(rows, func(int64) { moved++ }); err != nil {
			return err
		}
		if moved > 0 {
			return ErrGroupingMoved
		}
		return nil
	})
}
