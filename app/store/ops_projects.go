package store

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"

	"kibitz/app/db"
	"kibitz/app/errs"
	"kibitz/app/model"
)

// opsKey routes to the shard of a project; 0 is the directory.
func opsKey(project int64) db.Key { return db.Key{Part: db.Ops, ID: project} }

const projectColumns = `id, slug, name, platform, created_at, coalesce(first_event_at, 'epoch')`

func scanProject(row pgx.CollectableRow) (p model.Project, err error) {
	err = row.Scan(&p.ID, &p.Slug, &p.Name, &p.Platform, &p.CreatedAt, &p.FirstEventAt)
	if p.FirstEventAt.Unix() == 0 {
		p.FirstEventAt = time.Time{}
	}
	return p, err
}

// Projects are all projects, by name.
func (s *Store) Projects(ctx context.Context) ([]model.Project, error) {
	rows, err := s.db.Read(ctx, opsKey(0)).Query(ctx, `SELECT `+projectColumns+` FROM project ORDER BY slug`)
	if err != nil {
		return nil, fmt.Errorf("cannot list projects: %w", err)
	}
	projects, err := pgx.CollectRows(rows, scanProject)
	if err != nil {
		return nil, fmt.Errorf("cannot list projects: %w", err)
	}
	return projects, nil
}

// ProjectKeys are all keys of all projects, for the snapshot that receivers hold in memory.
func (s *Store) ProjectKeys(ctx context.Context) ([]model.ProjectKey, error) {
	rows, err := s.db.Write(ctx, opsKey(0)).Query(ctx, `SELECT id, project_id, public_key, label, active, created_at
		FROM project_key ORDER BY id`)
	if err != nil {
		return nil, fmt.Errorf("cannot list keys: %w", err)
	}
	keys, err := pgx.CollectRows(rows, pgx.RowToStructByPos[model.ProjectKey])
	if err != nil {
		return nil, fmt.Errorf("cannot list keys: %w", err)
	}
	return keys, nil
}

// AddProject makes a project with its first key. A slug that is taken is errs.Conflict.
func (s *Store) AddProject(ctx context.Context, p model.Project, publicKey string) (model.Project, model.ProjectKey, error) {
	key := model.ProjectKey{Public: publicKey, Label: "Default", Active: true}
	// One statement: a project without a key could never receive anything.
	err := s.db.Write(ctx, opsKey(0)).QueryRow(ctx, `WITH made AS (
			INSERT INTO project (slug, name, platform) VALUES ($1, $2, $3)
			ON CONFLICT (slug) DO NOTHING RETURNING id, created_at
		), key AS (
			INSERT INTO project_key (project_id, public_key) SELECT id, $4 FROM made RETURNING id
		)
		SELECT made.id, made.created_at, key.id FROM made, key`,
		p.Slug, p.Name, p.Platform, publicKey).Scan(&p.ID, &p.CreatedAt, &key.ID)
	if errors.Is(err, pgx.ErrNoRows) {
		return p, key, errs.New(errs.Conflict, "There is a project %q already. Choose another name.", p.Slug)
	}
	if err != nil {
		return p, key, fmt.Errorf("cannot add project %q: %w", p.Slug, err)
	}
	key.ProjectID, key.CreatedAt = p.ID, p.CreatedAt
	return p, key, nil
}

// RotateKey adds a new key to a project and switches its other keys off, in one statement.
func (s *Store) RotateKey(ctx context.Context, project int64, publicKey string) error {
	_, err := s.db.Write(ctx, opsKey(project)).Exec(ctx, `WITH off AS (
			UPDATE project_key SET active = false WHERE project_id = $1 AND active
		)
		INSERT INTO project_key (project_id, public_key) VALUES ($1, $2)`, project, publicKey)
	if err != nil {
		return fmt.Errorf("cannot rotate the key of project %d: %w", project, err)
	}
	return nil
}

// ProjectActivity is the number of events of each project since a moment, and of the latest of them.
type ProjectActivity struct {
	ProjectID int64
	Events    int64
	Last      time.Time // start of the half hour of the last event
}

// ProjectsActivity tells how busy each project has been since a moment.
func (s *Store) ProjectsActivity(ctx context.Context, since time.Time) ([]ProjectActivity, error) {
	rows, err := s.db.Read(ctx, opsKey(0)).Query(ctx, `SELECT project_id, sum(n)::bigint, max(bucket)
		FROM project_stat WHERE bucket >= $1 GROUP BY project_id`, since)
	if err != nil {
		return nil, fmt.Errorf("cannot count events of projects: %w", err)
	}
	out, err := pgx.CollectRows(rows, pgx.RowToStructByPos[ProjectActivity])
	if err != nil {
		return nil, fmt.Errorf("cannot count events of projects: %w", err)
	}
	return out, nil
}

// ProjectStats are the events of projects by half hour and level since a moment.
func (s *Store) ProjectStats(ctx context.Context, projects []int64, since time.Time) ([]model.Bucket, error) {
	rows, err := s.db.Read(ctx, opsKey(0)).Query(ctx, `SELECT bucket, level, sum(n)::bigint FROM project_stat
		WHERE project_id = ANY($1) AND bucket >= $2 GROUP BY 1, 2 ORDER BY 1, 2`, projects, since)
	if err != nil {
		return nil, fmt.Errorf("cannot read the graph of projects: %w", err)
	}
	out, err := pgx.CollectRows(rows, pgx.RowToStructByPos[model.Bucket])
	if err != nil {
		return nil, fmt.Errorf("cannot read the graph of projects: %w", err)
	}
	return out, nil
}

// Outcomes are where the items of a project have ended since a moment, summed up over its hours.
func (s *Store) Outcomes(ctx context.Context, project int64, since time.Time) ([]model.OutcomeCount, error) {
	rows, err := s.db.Read(ctx, opsKey(project)).Query(ctx, `SELECT project_id, max(hour), category, outcome, reason, sum(n)::bigint
		FROM outcome WHERE project_id = $1 AND hour >= $2 GROUP BY 1, 3, 4, 5 ORDER BY 3, 4, 5`, project, since)
	if err != nil {
		return nil, fmt.Errorf("cannot read outcomes: %w", err)
	}
	out, err := pgx.CollectRows(rows, pgx.RowToStructByPos[model.OutcomeCount])
	if err != nil {
		return nil, fmt.Errorf("cannot read outcomes: %w", err)
	}
	return out, nil
}
