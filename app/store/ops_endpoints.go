package store

import (
	"context"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"

	"kibitz/app/model"
)

// SumQuery asks for sums of endpoints.
type SumQuery struct {
	Projects  []int64
	Endpoints []int32 // nil: all of the projects, apart
	Whole     bool    // in place of Endpoints: all of the projects, together
	From, To  time.Time
	Step      time.Duration // of the coarsest table that will do: a minute, an hour or a day
}

// The three tables of sums, with rows of endpoint 0 for whole projects, and with what finer ones received since they were merged. Rows of a stretch of time were received
// in it or later, but for clocks that run ahead.
const (
	endpointWhere = ` WHERE project_id = ANY($1) AND bucket >= $3 AND bucket < $4 AND received >= $3 - interval '5 minutes'
		AND CASE WHEN $5 THEN endpoint_id = 0 WHEN $2::int[] IS NULL THEN endpoint_id <> 0 ELSE endpoint_id = ANY($2) END`
	endpointMarks = `WITH mark AS (SELECT
		coalesce(max(until) FILTER (WHERE name = 'endpoint_minute'), 'epoch') AS minute,
		coalesce(max(until) FILTER (WHERE name = 'endpoint_hour'), 'epoch') AS hour,
		coalesce(max(until) FILTER (WHERE name = 'endpoint_day'), 'epoch') AS day FROM rollup_state) `
	endpointRaw = `SELECT ` + endpointRollupColumns + ` FROM endpoint_raw WHERE project_id = ANY($1) AND bucket >= $3 AND bucket < $4
		AND received >= greatest($3 - interval '5 minutes', (SELECT minute FROM mark)) AND ($5 OR $2::int[] IS NULL OR endpoint_id = ANY($2))`
	endpointMinute = `SELECT ` + endpointRollupColumns + ` FROM endpoint_minute` + endpointWhere
	endpointHour   = `SELECT ` + endpointRollupColumns + ` FROM endpoint_hour` + endpointWhere
	endpointDay    = `SELECT ` + endpointRollupColumns + ` FROM endpoint_day` + endpointWhere

	sumsByMinute = endpointMarks + endpointMinute + ` UNION ALL ` + endpointRaw
	sumsByHour   = endpointMarks + endpointHour + ` UNION ALL ` + endpointMinute + ` AND received >= (SELECT hour FROM mark) UNION ALL ` + endpointRaw
	sumsByDay    = endpointMarks + endpointDay + ` UNION ALL ` + endpointHour + ` AND received >= (SELECT day FROM mark) UNION ALL ` +
		endpointMinute + ` AND received >= (SELECT hour FROM mark) UNION ALL ` + endpointRaw
)

// EndpointSums gives sums as they are stored: several rows of one bucket may have to be added (MergeEndpoints), and rows
// that have not been merged yet have finer buckets.
func (s *Store) EndpointSums(ctx context.Context, q SumQuery) ([]EndpointRollup, error) {
	sql := sumsByMinute
	if q.Step >= 24*time.Hour {
		sql = sumsByDay
	} else if q.Step >= time.Hour {
		sql = sumsByHour
	}
	rows, err := readEndpointRollups(ctx, s.db.Read(ctx, opsKey(0)), sql, q.Projects, q.Endpoints, q.From, q.To, q.Whole)
	if err != nil {
		return nil, fmt.Errorf("cannot read the sums of endpoints: %w", err)
	}
	return rows, nil
}

// ReleasedSums gives the sums of all projects whose endpoints have served more than one release between two moments.
func (s *Store) ReleasedSums(ctx context.Context, from, to time.Time) ([]EndpointRollup, error) {
	rows, err := readEndpointRollups(ctx, s.db.Read(ctx, opsKey(0)), `WITH mark AS (SELECT
			coalesce(max(until) FILTER (WHERE name = 'endpoint_minute'), 'epoch') AS minute,
			coalesce(max(until) FILTER (WHERE name = 'endpoint_hour'), 'epoch') AS hour FROM rollup_state
		), r AS MATERIALIZED (
			SELECT `+endpointRollupColumns+` FROM endpoint_hour WHERE bucket >= $1 AND bucket < $2 AND received >= $1
			UNION ALL SELECT `+endpointRollupColumns+` FROM endpoint_minute WHERE bucket >= $1 AND bucket < $2 AND received >= greatest($1, (SELECT hour FROM mark))
			UNION ALL SELECT `+endpointRollupColumns+` FROM endpoint_raw WHERE bucket >= $1 AND bucket < $2 AND received >= greatest($1, (SELECT minute FROM mark))
		)
		SELECT * FROM r WHERE endpoint_id IN (SELECT endpoint_id FROM r WHERE release_id <> 0 GROUP BY endpoint_id HAVING min(release_id) <> max(release_id))`, from, to)
	if err != nil {
		return nil, fmt.Errorf("cannot read the sums of releases: %w", err)
	}
	return rows, nil
}

// Endpoints gives endpoints by their ids.
func (s *Store) Endpoints(ctx context.Context, project int64, ids []int32) (map[int32]model.Endpoint, error) {
	rows, err := s.db.Read(ctx, opsKey(project)).Query(ctx, `SELECT `+endpointColumnList+` FROM endpoint WHERE id = ANY($1)`, ids)
	if err != nil {
		return nil, fmt.Errorf("cannot read endpoints: %w", err)
	}
	list, err := pgx.CollectRows(rows, scanEndpoint)
	if err != nil {
		return nil, fmt.Errorf("cannot read endpoints: %w", err)
	}
	out := make(map[int32]model.Endpoint, len(list))
	for _, e := range list {
		out[e.ID] = e
	}
	return out, nil
}

// FindEndpoints gives the endpoints of a project with a method and a name: one for each of its programs that has it.
func (s *Store) FindEndpoints(ctx context.Context, project int64, method, name string) ([]model.Endpoint, error) {
	rows, err := s.db.Read(ctx, opsKey(project)).Query(ctx, `SELECT `+endpointColumnList+` FROM endpoint
		WHERE project_id = $1 AND method = $2 AND name = $3 ORDER BY id`, project, method, name)
	if err != nil {
		return nil, fmt.Errorf("cannot find an endpoint: %w", err)
	}
	list, err := pgx.CollectRows(rows, scanEndpoint)
	if err != nil {
		return nil, fmt.Errorf("cannot find an endpoint: %w", err)
	}
	return list, nil
}

// TuneEndpoints sets what people decided for endpoints.
func (s *Store) TuneEndpoints(ctx context.Context, ids []int32, apdex time.Duration, thresholds []byte) error {
	_, err := s.db.Write(ctx, opsKey(0)).Exec(ctx, `UPDATE endpoint SET apdex_us = $2, thresholds = $3 WHERE id = ANY($1)`, ids, apdex.Microseconds(), thresholds)
	if err != nil {
		return fmt.Errorf("cannot set the thresholds of an endpoint: %w", err)
	}
	return nil
}

// AllEndpoints gives the endpoints of a project; it has some thousands at the most.
func (s *Store) AllEndpoints(ctx context.Context, project int64) ([]model.Endpoint, error) {
	rows, err := s.db.Read(ctx, opsKey(project)).Query(ctx, `SELECT `+endpointColumnList+` FROM endpoint WHERE project_id = $1 ORDER BY id`, project)
	if err != nil {
		return nil, fmt.Errorf("cannot read endpoints: %w", err)
	}
	list, err := pgx.CollectRows(rows, scanEndpoint)
	if err != nil {
		return nil, fmt.Errorf("cannot read endpoints: %w", err)
	}
	return list, nil
}

// AllLabels gives the releases, environments, hosts and switches of a project.
func (s *Store) AllLabels(ctx context.Context, project int64) ([]model.Label, error) {
	rows, err := s.db.Read(ctx, opsKey(project)).Query(ctx, `SELECT id, project_id, kind, value, first_seen FROM label
		WHERE project_id = $1 AND kind <> $2 ORDER BY id`, project, int16(model.LabelCaller))
	if err != nil {
		return nil, fmt.Errorf("cannot read labels: %w", err)
	}
	list, err := pgx.CollectRows(rows, scanLabel)
	if err != nil {
		return nil, fmt.Errorf("cannot read labels: %w", err)
	}
	return list, nil
}

// Labels gives labels by their ids.
func (s *Store) Labels(ctx context.Context, project int64, ids []int32) (map[int32]model.Label, error) {
	rows, err := s.db.Read(ctx, opsKey(project)).Query(ctx, `SELECT id, project_id, kind, value, first_seen FROM label WHERE id = ANY($1)`, ids)
	if err != nil {
		return nil, fmt.Errorf("cannot read labels: %w", err)
	}
	list, err := pgx.CollectRows(rows, scanLabel)
	if err != nil {
		return nil, fmt.Errorf("cannot read labels: %w", err)
	}
	out := make(map[int32]model.Label, len(list))
	for _, l := range list {
		out[l.ID] = l
	}
	return out, nil
}

// LabelsSince gives the labels of a kind that a project first used in a stretch of time, oldest first: its releases, say.
func (s *Store) LabelsSince(ctx context.Context, project int64, kind model.LabelKind, from, to time.Time) ([]model.Label, error) {
	rows, err := s.db.Read(ctx, opsKey(project)).Query(ctx, `SELECT id, project_id, kind, value, first_seen FROM label
		WHERE project_id = $1 AND kind = $2 AND first_seen >= $3 AND first_seen < $4 ORDER BY first_seen, id LIMIT 100`, project, int16(kind), from, to)
	if err != nil {
		return nil, fmt.Errorf("cannot read labels: %w", err)
	}
	list, err := pgx.CollectRows(rows, scanLabel)
	if err != nil {
		return nil, fmt.Errorf("cannot read labels: %w", err)
	}
	return list, nil
}
