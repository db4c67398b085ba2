package store

import (
	"context"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"

	"kibitz/app/model"
	"kibitz/app/trace"
)

// endpointKey is what an endpoint is known by.
type endpointKey struct {
	project               int64
	service, method, name string
}

// PutEndpoints gives endpoints their ids and what is set for them; those that are not there are made.
func (s *Store) PutEndpoints(ctx context.Context, list []model.Endpoint) error {
	projects, services, methods, names := make([]int64, len(list)), make([]string, len(list)), make([]string, len(list)), make([]string, len(list))
	at := make(map[endpointKey]*model.Endpoint, len(list))
	for i := range list {
		e := &list[i]
		projects[i], services[i], methods[i], names[i] = e.ProjectID, e.Service, e.Method, e.Name
		at[endpointKey{e.ProjectID, e.Service, e.Method, e.Name}] = e
	}
	rows, err := s.db.Write(ctx, opsKey(0)).Query(ctx, `WITH w AS (
			SELECT * FROM unnest($1::bigint[], $2::text[], $3::text[], $4::text[]) AS w (project_id, service, method, name)
		), made AS (
			INSERT INTO endpoint (project_id, service, method, name) SELECT * FROM w ORDER BY 1, 2, 3, 4
			ON CONFLICT DO NOTHING RETURNING `+endpointColumnList+`
		)
		SELECT * FROM made UNION ALL
		SELECT `+endpointColumnList+` FROM endpoint JOIN w USING (project_id, service, method, name)`, projects, services, methods, names)
	if err != nil {
		return fmt.Errorf("cannot name endpoints: %w", err)
	}
	found, err := pgx.CollectRows(rows, scanEndpoint)
	if err != nil {
		return fmt.Errorf("cannot name endpoints: %w", err)
	}
	for _, e := range found {
		if into := at[endpointKey{e.ProjectID, e.Service, e.Method, e.Name}]; into != nil {
			*into = e
		}
	}
	return nil
}

const endpointColumnList = `id, project_id, service, method, name, apdex_us, thresholds, first_seen`

func scanEndpoint(row pgx.CollectableRow) (e model.Endpoint, err error) {
	var apdex int64
	err = row.Scan(&e.ID, &e.ProjectID, &e.Service, &e.Method, &e.Name, &apdex, &e.Thresholds, &e.FirstSeen)
	e.Apdex = time.Duration(apdex) * time.Microsecond
	return e, err
}

// labelKey is what a label is known by.
type labelKey struct {
	project int64
	kind    model.LabelKind
	value   string
}

// PutLabels gives labels their ids; those that are not there are made.
func (s *Store) PutLabels(ctx context.Context, list []model.Label) error {
	projects, kinds, values := make([]int64, len(list)), make([]int16, len(list)), make([]string, len(list))
	at := make(map[labelKey]*model.Label, len(list))
	for i := range list {
		l := &list[i]
		projects[i], kinds[i], values[i] = l.ProjectID, int16(l.Kind), l.Value
		at[labelKey{l.ProjectID, l.Kind, l.Value}] = l
	}
	rows, err := s.db.Write(ctx, opsKey(0)).Query(ctx, `WITH w AS (
			SELECT * FROM unnest($1::bigint[], $2::smallint[], $3::text[]) AS w (project_id, kind, value)
		), made AS (
			INSERT INTO label (project_id, kind, value) SELECT * FROM w ORDER BY 1, 2, 3
			ON CONFLICT DO NOTHING RETURNING id, project_id, kind, value, first_seen
		)
		SELECT * FROM made UNION ALL
		SELECT l.id, l.project_id, l.kind, l.value, l.first_seen FROM label l JOIN w USING (project_id, kind, value)`, projects, kinds, values)
	if err != nil {
		return fmt.Errorf("cannot name labels: %w", err)
	}
	found, err := pgx.CollectRows(rows, scanLabel)
	if err != nil {
		return fmt.Errorf("cannot name labels: %w", err)
	}
	for _, l := range found {
		if into := at[labelKey{l.ProjectID, l.Kind, l.Value}]; into != nil {
			*into = l
		}
	}
	return nil
}

func scanLabel(row pgx.CollectableRow) (l model.Label, err error) {
	err = row.Scan(&l.ID, &l.ProjectID, &l.Kind, &l.Value, &l.FirstSeen)
	return l, err
}

// Statement is a statement of a project with its values taken out.
type Statement struct {
	ID          int32
	ProjectID   int64
	Fingerprint uint64
	SQL         string
	Sample      string // as it was once sent
	FirstSeen   time.Time
}

// PutStatements gives statements their ids; those that are not there are made.
func (s *Store) PutStatements(ctx context.Context, list []Statement) error {
	projects, prints := make([]int64, len(list)), make([]int64, len(list))
	texts, samples := make([]string, len(list)), make([]string, len(list))
	type key struct {
		project int64
		print   uint64
	}
	at := make(map[key]*Statement, len(list))
	for i := range list {
		st := &list[i]
		projects[i], prints[i], texts[i], samples[i] = st.ProjectID, int64(st.Fingerprint), st.SQL, st.Sample
		at[key{st.ProjectID, st.Fingerprint}] = st
	}
	rows, err := s.db.Write(ctx, opsKey(0)).Query(ctx, `WITH w AS (
			SELECT * FROM unnest($1::bigint[], $2::bigint[], $3::text[], $4::text[]) AS w (project_id, fingerprint, sql, sample)
		), made AS (
			INSERT INTO statement (project_id, fingerprint, sql, sample) SELECT * FROM w ORDER BY 1, 2
			ON CONFLICT DO NOTHING RETURNING id, project_id, fingerprint
		)
		SELECT * FROM made UNION ALL
		SELECT t.id, t.project_id, t.fingerprint FROM statement t JOIN w USING (project_id, fingerprint)`, projects, prints, texts, samples)
	if err != nil {
		return fmt.Errorf("cannot name statements: %w", err)
	}
	var id int32
	var project, print int64
	_, err = pgx.ForEachRow(rows, []any{&id, &project, &print}, func() error {
		if into := at[key{project, uint64(print)}]; into != nil {
			into.ID = id
		}
		return nil
	})
	if err != nil {
		return fmt.Errorf("cannot name statements: %w", err)
	}
	return nil
}

// SeenSpan is a request that is stored already.
type SeenSpan struct {
	Trace   trace.ID
	Span    trace.SpanID
	Project int64
	Request int64
	Kept    bool
}

// pendingFor is how long spans wait for their request, and how far back a resent request is known again.
const pendingFor = 24 * time.Hour

// soon is beyond every row that there is: without it a statement looks into the partitions of days to come, too, for each of
// thousands of traces.
const soon = time.Minute

// SeenSpans gives the requests of traces that are stored already.
func (s *Store) SeenSpans(ctx context.Context, ids []trace.ID) ([]SeenSpan, error) {
	rows, err := s.db.Write(ctx, opsKey(0)).Query(ctx, `SELECT trace_id, span_id, project_id, id, kept <> 0 FROM request
		WHERE trace_id = ANY($1) AND received >= $2 AND received < $3`, rawIDs(ids), time.Now().Add(-pendingFor), time.Now().Add(soon))
	if err != nil {
		return nil, fmt.Errorf("cannot look requests up: %w", err)
	}
	seen, err := pgx.CollectRows(rows, func(row pgx.CollectableRow) (one SeenSpan, err error) {
		var id [16]byte
		var span int64
		err = row.Scan(&id, &span, &one.Project, &one.Request, &one.Kept)
		one.Trace, one.Span = id, trace.SpanID(span)
		return one, err
	})
	if err != nil {
		return nil, fmt.Errorf("cannot look requests up: %w", err)
	}
	return seen, nil
}

// PendingSpans gives the spans of traces that wait for their request.
func (s *Store) PendingSpans(ctx context.Context, ids []trace.ID) ([]TraceRow, error) {
	rows, err := s.db.Write(ctx, opsKey(0)).Query(ctx, `SELECT trace_id, project_id, spans, body FROM span_pending
		WHERE trace_id = ANY($1) AND received >= $2 AND received < $3`, rawIDs(ids), time.Now().Add(-pendingFor), time.Now().Add(soon))
	if err != nil {
		return nil, fmt.Errorf("cannot look waiting spans up: %w", err)
	}
	pending, err := pgx.CollectRows(rows, func(row pgx.CollectableRow) (t TraceRow, err error) {
		var id [16]byte
		err = row.Scan(&id, &t.Project, &t.Spans, &t.Body)
		t.Trace = id
		return t, err
	})
	if err != nil {
		return nil, fmt.Errorf("cannot look waiting spans up: %w", err)
	}
	return pending, nil
}

func rawIDs(ids []trace.ID) [][16]byte {
	raw := make([][16]byte, len(ids))
	for i, id := range ids {
		raw[i] = id
	}
	return raw
}
