package store

import (
	"cmp"
	"context"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"

	"kibitz/app/model"
	"kibitz/app/sketch"
	"kibitz/app/trace"
)

// SwitchRollup is a sum of the requests of an endpoint, or of a whole project (Endpoint 0), in which a switch gave one answer. Times
// are microseconds; everything but Seen, Known, Exposed and Hurt counts requests
// by their weight.
type SwitchRollup struct {
	Bucket    time.Time
	Project   int64
	Env       int32
	Endpoint  int32
	Switch    int32 // label: key=variant
	N, Failed float64
	Seen      int64
	Known     int64 // of Seen, whose user is known
	Duration  float64
	Time      [trace.Categories]float64 // Time[Other] is not stored: what the others leave of Duration
	Queries   float64
	Exposed   int64  // subjects, each at most once in five seconds; of whole projects only
	Hurt      int64  // the same of those that failed
	Durations []byte // sketch.Encode, of microseconds
	PerQuery  []byte // sketch.Encode, of queries a request
	Subjects  []byte // sketch.Distinct; of whole projects only
}

var switchSumColumns = []string{"received", "bucket", "project_id", "env_id", "endpoint_id", "switch_id", "n", "seen", "known", "failed", "duration_us", "db_us", "cache_us",
	"http_us", "template_us", "pool_us", "db_n", "exposed", "hurt", "durations", "queries", "subjects"}

func (r *SwitchRollup) row(received time.Time) []any {
	t := &r.Time
	return []any{received, r.Bucket, r.Project, r.Env, r.Endpoint, r.Switch, r.N, r.Seen, r.Known, r.Failed, r.Duration, t[trace.DB], t[trace.Cache], t[trace.HTTP],
		t[trace.Template], t[trace.Pool], r.Queries, r.Exposed, r.Hurt, r.Durations, r.PerQuery, append([]byte{}, r.Subjects...)}
}

func copySwitches(ctx context.Context, tx pgx.Tx, received time.Time, d *RequestDigest) error {
	return copyRows(ctx, tx, "switch_raw", switchSumColumns, len(d.Switches), func(i int) []any { return d.Switches[i].row(received) })
}

const switchRollupColumns = `bucket, project_id, env_id, endpoint_id, switch_id, n, seen, known, failed, duration_us, db_us, cache_us, http_us, template_us, pool_us,
	db_n, exposed, hurt, durations, queries, subjects`

// scan reads switchRollupColumns, and what more is given.
func (r *SwitchRollup) scan(row pgx.CollectableRow, more ...any) error {
	t := &r.Time
	err := row.Scan(append([]any{&r.Bucket, &r.Project, &r.Env, &r.Endpoint, &r.Switch, &r.N, &r.Seen, &r.Known, &r.Failed, &r.Duration, &t[trace.DB], &t[trace.Cache],
		&t[trace.HTTP], &t[trace.Template], &t[trace.Pool], &r.Queries, &r.Exposed, &r.Hurt, &r.Durations, &r.PerQuery, &r.Subjects}, more...)...)
	t[trace.Other] = max(r.Duration-t[trace.DB]-t[trace.Cache]-t[trace.HTTP]-t[trace.Template]-t[trace.Pool], 0)
	return err
}

// switchGroup is what tells sums of switches apart.
type switchGroup struct {
	bucket, project         int64
	env, endpoint, switchID int32
}

func (a switchGroup) compare(b switchGroup) int {
	return cmp.Or(cmp.Compare(a.project, b.project), cmp.Compare(a.endpoint, b.endpoint), cmp.Compare(a.switchID, b.switchID), cmp.Compare(a.env, b.env),
		cmp.Compare(a.bucket, b.bucket))
}

// SwitchTotal is sums of switches added up.
type SwitchTotal struct {
	SwitchRollup
	durations, queries *sketch.Sketch
	people             *sketch.Distinct // of whole projects only
}

// NewSwitchTotal begins a total of what r names.
func NewSwitchTotal(r SwitchRollup) *SwitchTotal {
	t := &SwitchTotal{SwitchRollup: r, durations: sketch.New(), queries: sketch.New()}
	if r.Endpoint == 0 {
		t.people = sketch.NewDistinct()
	}
	return t
}

// NewSwitchUnion begins a total of whole projects that is only looked at.
func NewSwitchUnion() *SwitchTotal {
	return &SwitchTotal{durations: sketch.New(), queries: sketch.New(), people: sketch.NewUnion()}
}

// Add adds a sum.
func (t *SwitchTotal) Add(o *SwitchRollup) error {
	t.add(o)
	err := cmp.Or(t.durations.MergeEncoded(o.Durations), t.queries.MergeEncoded(o.PerQuery))
	if err != nil || t.people == nil {
		return err
	}
	return t.people.MergeEncoded(o.Subjects)
}

// AddTotal adds another total, which stays as it is.
func (t *SwitchTotal) AddTotal(o *SwitchTotal) error {
	t.add(&o.SwitchRollup)
	t.durations.Merge(o.durations)
	t.queries.Merge(o.queries)
	if t.people == nil || o.people == nil {
		return nil
	}
	return t.people.Merge(o.people)
}

func (t *SwitchTotal) add(o *SwitchRollup) {
	t.N, t.Failed, t.Seen = t.N+o.N, t.Failed+o.Failed, t.Seen+o.Seen
	t.Known += o.Known
	t.Duration, t.SwitchRollup.Queries = t.Duration+o.Duration, t.SwitchRollup.Queries+o.Queries
	t.Exposed, t.Hurt = t.Exposed+o.Exposed, t.Hurt+o.Hurt
	for c := range t.Time {
		t.Time[c] += o.Time[c]
	}
}

// AddRequest adds a request.
func (t *SwitchTotal) AddRequest(r *model.RequestRow) {
	took, queries := micros(r.Duration), float64(r.Totals.N[trace.DB])
	t.N, t.Seen = t.N+r.Weight, t.Seen+1
	if r.Failed {
		t.Failed += r.Weight
	}
	if r.UserHash != 0 {
		t.Known++
	}
	t.Duration, t.SwitchRollup.Queries = t.Duration+took*r.Weight, t.SwitchRollup.Queries+queries*r.Weight
	for c, d := range r.Totals.Time {
		t.Time[c] += micros(d) * r.Weight
	}
	t.durations.Add(took, r.Weight)
	t.queries.Add(queries, r.Weight)
}

func micros(d time.Duration) float64 { return float64(d) / float64(time.Microsecond) }

// DurationsOf are the durations in microseconds.
func (t *SwitchTotal) DurationsOf() *sketch.Sketch { return t.durations }

// QueriesOf are the queries a request.
func (t *SwitchTotal) QueriesOf() *sketch.Sketch { return t.queries }

// People are those who asked; nil where the total is of an endpoint.
func (t *SwitchTotal) People() *sketch.Distinct { return t.people }

// Rollup is the total in its stored form.
func (t *SwitchTotal) Rollup() (r SwitchRollup, err error) {
	r = t.SwitchRollup
	r.Durations, r.PerQuery = t.durations.Encode(), t.queries.Encode()
	if r.Endpoint == 0 {
		r.Subjects, err = t.people.Encode()
	}
	return r, err
}

// mergeSwitches adds up the sums of the same buckets.
func mergeSwitches(rows []SwitchRollup, width time.Duration) ([]SwitchRollup, error) {
	sums := map[switchGroup]*SwitchTotal{}
	for i := range rows {
		r := &rows[i]
		bucket := r.Bucket.Truncate(width)
		key := switchGroup{bucket.UnixMicro(), r.Project, r.Env, r.Endpoint, r.Switch}
		to := sums[key]
		if to == nil {
			to = NewSwitchTotal(SwitchRollup{Bucket: bucket, Project: r.Project, Env: r.Env, Endpoint: r.Endpoint, Switch: r.Switch})
			sums[key] = to
		}
		if err := to.Add(r); err != nil {
			return nil, err
		}
	}
	out := make([]SwitchRollup, 0, len(sums))
	for _, key := range sortedKeys(sums, switchGroup.compare) {
		r, err := sums[key].Rollup()
		if err != nil {
			return nil, err
		}
		out = append(out, r)
	}
	return out, nil
}

// mergeSwitchRows takes one step from a finer table to a coarser one.
func mergeSwitchRows(ctx context.Context, tx pgx.Tx, step rollup, from, to, received time.Time) (int, error) {
	rows, err := readSwitchRollups(ctx, tx, `SELECT `+switchRollupColumns+` FROM `+step.from+` WHERE received >= $1 AND received < $2`, from, to)
	if err != nil {
		return 0, err
	}
	sums, err := mergeSwitches(rows, step.width)
	if err != nil {
		return 0, err
	}
	return len(rows), copyRows(ctx, tx, step.to, switchSumColumns, len(sums), func(i int) []any { return sums[i].row(received) })
}

func readSwitchRollups(ctx context.Context, q rowQuerier, sql string, args ...any) ([]SwitchRollup, error) {
	rows, err := q.Query(ctx, sql, args...)
	if err != nil {
		return nil, err
	}
	return pgx.CollectRows(rows, func(row pgx.CollectableRow) (r SwitchRollup, err error) {
		err = r.scan(row)
		return r, err
	})
}

// The tables of sums, each with what finer ones received since they were merged, as ops_endpoints.go reads its own.
const (
	switchMarks = `WITH mark AS (SELECT
		coalesce(max(until) FILTER (WHERE name = 'switch_minute'), 'epoch') AS minute,
		coalesce(max(until) FILTER (WHERE name = 'switch_hour'), 'epoch') AS hour,
		coalesce(max(until) FILTER (WHERE name = 'switch_day'), 'epoch') AS day FROM rollup_state), s AS (`
	switchFrom   = `SELECT ` + switchRollupColumns + ` FROM `
	switchWhere  = ` WHERE endpoint_id = ANY($1) AND bucket >= $2 AND bucket < $3 AND received >= $2 - interval '5 minutes'`
	switchRaw    = switchFrom + `switch_raw` + switchWhere + ` AND received >= (SELECT minute FROM mark)`
	switchMinute = switchFrom + `switch_minute` + switchWhere
	switchHour   = switchFrom + `switch_hour` + switchWhere
	switchDay    = switchFrom + `switch_day` + switchWhere

	switchesByMinute = switchMarks + switchMinute + ` UNION ALL ` + switchRaw + `)`
	switchesByHour   = switchMarks + switchHour + ` UNION ALL ` + switchMinute + ` AND received >= (SELECT hour FROM mark) UNION ALL ` + switchRaw + `)`
	switchesByDay    = switchMarks + switchDay + ` UNION ALL ` + switchHour + ` AND received >= (SELECT day FROM mark) UNION ALL ` +
		switchMinute + ` AND received >= (SELECT hour FROM mark) UNION ALL ` + switchRaw + `)`
	switchLabels = ` FROM s JOIN label l ON l.id = s.switch_id LEFT JOIN label e ON e.id = s.env_id
		WHERE ($4::bigint[] IS NULL OR s.project_id = ANY($4)) AND ($5::text[] IS NULL OR coalesce(e.value, '') = ANY($5))
			AND ($6 = '' OR starts_with(l.value, $6 || '='))`
)

// SwitchQuery asks for sums of switches.
type SwitchQuery struct {
	Endpoints []int32  // nil: whole projects
	Projects  []int64  // nil: all
	Envs      []string // names; nil: all
	Key       string   // of one switch; "" all
	From, To  time.Time
	Step      time.Duration // of the coarsest table that will do: a minute, an hour or a day
}

// table is the statement that gives the rows.
func (q *SwitchQuery) table() string {
	switch {
	case q.Step >= 24*time.Hour:
		return switchesByDay
	case q.Step >= time.Hour:
		return switchesByHour
	}
	return switchesByMinute
}

func (q *SwitchQuery) args() []any {
	endpoints := q.Endpoints
	if endpoints == nil {
		endpoints = []int32{0}
	}
	return []any{endpoints, q.From, q.To, q.Projects, q.Envs, q.Key}
}

// SwitchCount is how many requests got an answer in a bucket, by their weight.
type SwitchCount struct {
	Project   int64
	Label     string // key=variant
	Bucket    time.Time
	N, Failed float64
}

// SwitchCounts gives requests by answer and bucket, without how long they took.
func (s *Store) SwitchCounts(ctx context.Context, q SwitchQuery) ([]SwitchCount, error) {
	rows, err := s.db.Read(ctx, opsKey(0)).Query(ctx, q.table()+` SELECT s.project_id, l.value, s.bucket, sum(s.n), sum(s.failed)`+switchLabels+` GROUP BY 1, 2, 3`, q.args()...)
	if err != nil {
		return nil, fmt.Errorf("cannot count the answers of switches: %w", err)
	}
	list, err := pgx.CollectRows(rows, pgx.RowToStructByPos[SwitchCount])
	if err != nil {
		return nil, fmt.Errorf("cannot count the answers of switches: %w", err)
	}
	return list, nil
}

// NamedSwitchSum is a sum with the names that its labels stand for.
type NamedSwitchSum struct {
	SwitchRollup
	Label   string // key=variant
	EnvName string
}

// NamedSwitchSums gives sums as they are stored: several rows of one bucket may have to be added, and rows that have not been merged
// yet have finer buckets.
func (s *Store) NamedSwitchSums(ctx context.Context, q SwitchQuery) ([]NamedSwitchSum, error) {
	rows, err := s.db.Read(ctx, opsKey(0)).Query(ctx, q.table()+` SELECT s.*, l.value, coalesce(e.value, '')`+switchLabels, q.args()...)
	if err != nil {
		return nil, fmt.Errorf("cannot read the sums of switches: %w", err)
	}
	list, err := pgx.CollectRows(rows, func(row pgx.CollectableRow) (r NamedSwitchSum, err error) {
		err = r.scan(row, &r.Label, &r.EnvName)
		return r, err
	})
	if err != nil {
		return nil, fmt.Errorf("cannot read the sums of switches: %w", err)
	}
	return list, nil
}

// FlippedSums gives the sums of endpoints, by the minute, for the answers of some switches.
func (s *Store) FlippedSums(ctx context.Context, keys []string, from, to time.Time) ([]NamedSwitchSum, error) {
	rows, err := s.db.Read(ctx, opsKey(0)).Query(ctx, `WITH mark AS (SELECT coalesce(max(until) FILTER (WHERE name = 'switch_minute'), 'epoch') AS minute FROM rollup_state),
		l AS MATERIALIZED (SELECT id, value FROM label WHERE kind = $4 AND split_part(value, '=', 1) = ANY($1)),
		s AS (
			SELECT `+switchRollupColumns+` FROM switch_minute WHERE switch_id IN (SELECT id FROM l) AND endpoint_id > 0 AND bucket >= $2 AND bucket < $3 AND received >= $2
			UNION ALL SELECT `+switchRollupColumns+` FROM switch_raw WHERE switch_id IN (SELECT id FROM l) AND endpoint_id > 0 AND bucket >= $2 AND bucket < $3
				AND received >= greatest($2, (SELECT minute FROM mark))
		)
		SELECT s.*, l.value, coalesce(e.value, '') FROM s JOIN l ON l.id = s.switch_id LEFT JOIN label e ON e.id = s.env_id`, keys, from, to, int16(model.LabelSwitch))
	if err != nil {
		return nil, fmt.Errorf("cannot read the sums of flipped switches: %w", err)
	}
	list, err := pgx.CollectRows(rows, func(row pgx.CollectableRow) (r NamedSwitchSum, err error) {
		err = r.scan(row, &r.Label, &r.EnvName)
		return r, err
	})
	if err != nil {
		return nil, fmt.Errorf("cannot read the sums of flipped switches: %w", err)
	}
	return list, nil
}

// AddSwitchSums stores sums that do not come through the drain.
func (s *Store) AddSwitchSums(ctx context.Context, rows []SwitchRollup) error {
	return s.db.Tx(ctx, opsKey(0), func(tx pgx.Tx) error { return saveRequests(ctx, tx, &RequestDigest{Switches: rows}) })
}
