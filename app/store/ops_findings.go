package store

import (
	"context"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"

	"kibitz/app/model"
)

// TunedEndpoints gives the endpoints that have thresholds of their own.
func (s *Store) TunedEndpoints(ctx context.Context) ([]model.Endpoint, error) {
	rows, err := s.db.Read(ctx, opsKey(0)).Query(ctx, `SELECT `+endpointColumnList+` FROM endpoint WHERE thresholds <> '{}' ORDER BY id`)
	if err != nil {
		return nil, fmt.Errorf("cannot read the thresholds of endpoints: %w", err)
	}
	list, err := pgx.CollectRows(rows, scanEndpoint)
	if err != nil {
		return nil, fmt.Errorf("cannot read the thresholds of endpoints: %w", err)
	}
	return list, nil
}

// FindingRow is a finding as it is stored.
type FindingRow struct {
	Project             int64
	Key                 [16]byte
	Kind                string
	Endpoint            int32
	FirstSeen, LastSeen time.Time
	LastRelease         int32
	FixedIn             int32
	N                   int64
	Wasted              time.Duration
	File                string // and Line: the code that asked
	Line                int
	Evidence            string
	Issue, Number       int64 // 0: the issue is gone
	Title               string
	Status              model.Status
}

const findingColumns = `SELECT f.project_id, f.key, f.kind, f.endpoint_id, f.first_seen, f.last_seen, f.last_release, f.fixed_in, f.n, f.wasted_us, f.file, f.line, f.evidence,
		coalesce(i.id, 0), coalesce(i.number, 0), coalesce(i.title, ''), coalesce(i.status, '')
	FROM finding f LEFT JOIN issue_hash h ON h.project_id = f.project_id AND h.hash = f.hash LEFT JOIN issue i ON i.id = h.issue_id`

func (s *Store) findings(ctx context.Context, sql string, args ...any) ([]FindingRow, error) {
	rows, err := s.db.Read(ctx, opsKey(0)).Query(ctx, findingColumns+sql, args...)
	if err != nil {
		return nil, fmt.Errorf("cannot read findings: %w", err)
	}
	list, err := pgx.CollectRows(rows, func(row pgx.CollectableRow) (f FindingRow, err error) {
		var key []byte
		var wasted int64
		err = row.Scan(&f.Project, &key, &f.Kind, &f.Endpoint, &f.FirstSeen, &f.LastSeen, &f.LastRelease, &f.FixedIn, &f.N, &wasted, &f.File, &f.Line, &f.Evidence,
			&f.Issue, &f.Number, &f.Title, &f.Status)
		copy(f.Key[:], key)
		f.Wasted = time.Duration(wasted) * time.Microsecond
		return f, err
	})
	if err != nil {
		return nil, fmt.Errorf("cannot read findings: %w", err)
	}
	return list, nil
}

// FixedFindings gives the findings that a release was without.
func (s *Store) FixedFindings(ctx context.Context) ([]FindingRow, error) {
	return s.findings(ctx, ` WHERE f.fixed_in <> 0`)
}

// EndpointFindings gives the findings of endpoints whose issues are there, the most wasteful first; at most 50.
func (s *Store) EndpointFindings(ctx context.Context, endpoints []int32) ([]FindingRow, error) {
	return s.findings(ctx, ` WHERE f.endpoint_id = ANY($1) AND i.id IS NOT NULL ORDER BY i.status <> 'unresolved', f.wasted_us DESC LIMIT 50`, endpoints)
}

// OpenFindings gives the findings of requests whose issues nobody has resolved or archived, and that were seen in a release; at most 500, those
// that were not seen for longest first.
func (s *Store) OpenFindings(ctx context.Context) ([]FindingRow, error) {
	return s.findings(ctx, ` WHERE i.status = 'unresolved' AND f.last_release <> 0 AND f.kind <> 'endpoint_regression' ORDER BY f.last_seen LIMIT 500`)
}

// FindingIssues gives the numbers of the issues of findings, by key.
func (s *Store) FindingIssues(ctx context.Context, project int64, keys [][]byte) (map[[16]byte]int64, error) {
	list, err := s.findings(ctx, ` WHERE f.project_id = $1 AND f.key = ANY($2)`, project, keys)
	if err != nil {
		return nil, err
	}
	out := map[[16]byte]int64{}
	for _, f := range list {
		out[f.Key] = f.Number
	}
	return out, nil
}

// NewerReleases gives those of the findings whose endpoint has served at least least requests of a release that came after the
// last one with the finding, since the finding was last seen; FixedIn is that release. Releases are in the order in which
// they first appeared, and so are their ids.
func (s *Store) NewerReleases(ctx context.Context, list []FindingRow, least int) ([]FindingRow, error) {
	endpoints, releases, since := make([]int32, len(list)), make([]int32, len(list)), make([]time.Time, len(list))
	for i := range list {
		endpoints[i], releases[i], since[i] = list[i].Endpoint, list[i].LastRelease, list[i].LastSeen
	}
	rows, err := s.db.Read(ctx, opsKey(0)).Query(ctx, `SELECT w.nth, r.release_id
		FROM unnest($1::int[], $2::int[], $3::timestamptz[]) WITH ORDINALITY AS w (endpoint_id, release_id, since, nth)
		CROSS JOIN LATERAL (
			SELECT q.release_id FROM request q
			WHERE q.endpoint_id = w.endpoint_id AND q.received >= w.since AND q.start > w.since AND q.release_id > w.release_id
			GROUP BY q.release_id HAVING count(*) >= $4 ORDER BY q.release_id LIMIT 1
		) AS r`, endpoints, releases, since, least)
	if err != nil {
		return nil, fmt.Errorf("cannot look for newer releases: %w", err)
	}
	var out []FindingRow
	var nth int
	var release int32
	if _, err := pgx.ForEachRow(rows, []any{&nth, &release}, func() error {
		f := list[nth-1]
		f.FixedIn = release
		out = append(out, f)
		return nil
	}); err != nil {
		return nil, fmt.Errorf("cannot look for newer releases: %w", err)
	}
	return out, nil
}

// NoteFixed notes in which release findings were gone.
func (s *Store) NoteFixed(ctx context.Context, list []FindingRow) error {
	projects, keys, releases := make([]int64, len(list)), make([][]byte, len(list)), make([]int32, len(list))
	for i := range list {
		projects[i], keys[i], releases[i] = list[i].Project, list[i].Key[:], list[i].FixedIn
	}
	_, err := s.db.Write(ctx, opsKey(0)).Exec(ctx, `UPDATE finding f SET fixed_in = w.release_id
		FROM unnest($1::bigint[], $2::bytea[], $3::int[]) AS w (project_id, key, release_id)
		WHERE f.project_id = w.project_id AND f.key = w.key`, projects, keys, releases)
	if err != nil {
		return fmt.Errorf("cannot note that findings are gone: %w", err)
	}
	return nil
}
