package store

import (
	"cmp"
	"context"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"

	"kibitz/app/db"
)

// HostRow is the measurements of a host in a bucket. Places of the three lists are numbers of hostmetrics.Metric; N is how
// often each was measured, and a list may be shorter than what is measured today.
type HostRow struct {
	Host   int32
	Bucket time.Time
	N      []int16
	Sums   []float64
	Maxima []float32
}

// Host is a machine that was measured. Last is what was measured last; it is empty when that was more than a day ago.
type Host struct {
	ID   int32
	Name string
	Seen time.Time
	Last HostRow
}

// AddHostRows stores measurements of the finest tier. Buckets that the host has already are left out: to repeat a call whose
// end is unknown, because the server died at its commit, counts nothing twice.
func (s *Store) AddHostRows(ctx context.Context, name string, rows []HostRow) error {
	err := s.db.Tx(ctx, opsKey(0), func(tx pgx.Tx) error {
		var received time.Time
		// As for requests: the clock is read when the lock is held.
		err := tx.QueryRow(ctx, `SELECT clock_timestamp() FROM (SELECT pg_advisory_xact_lock_shared($1)) AS held`, rollupLock).Scan(&received)
		if err != nil {
			return err
		}
		var id int32
		err = tx.QueryRow(ctx, `INSERT INTO host AS h (name, seen_at) VALUES ($1, $2)
			ON CONFLICT (name) DO UPDATE SET seen_at = greatest(h.seen_at, excluded.seen_at) RETURNING id`, name, received).Scan(&id)
		if err != nil {
			return err
		}
		fresh, err := withoutStored(ctx, tx, id, rows)
		if err != nil {
			return err
		}
		return copyRows(ctx, tx, "host_fine", hostColumns, len(fresh), func(i int) []any {
			fresh[i].Host = id
			return fresh[i].row(received)
		})
	})
	if err != nil {
		return fmt.Errorf("cannot store the measurements of a host: %w", err)
	}
	return nil
}

// withoutStored leaves out what is stored. Two hours bound where it looks: what waits for a database waits for one at the most.
// The host's row is locked, so that nobody stores the same meanwhile.
func withoutStored(ctx context.Context, tx pgx.Tx, host int32, rows []HostRow) ([]HostRow, error) {
	buckets := make([]time.Time, len(rows))
	for i := range rows {
		buckets[i] = rows[i].Bucket
	}
	found, err := tx.Query(ctx, `SELECT bucket FROM host_fine WHERE host_id = $1 AND bucket = ANY($2) AND received >= clock_timestamp() - interval '2 hours'`, host, buckets)
	if err != nil {
		return nil, err
	}
	stored, err := pgx.CollectRows(found, pgx.RowTo[time.Time])
	if err != nil {
		return nil, err
	}
	known := map[int64]bool{}
	for _, t := range stored {
		known[t.UnixMicro()] = true
	}
	var fresh []HostRow
	for _, r := range rows {
		if !known[r.Bucket.UnixMicro()] {
			fresh = append(fresh, r)
		}
	}
	return fresh, nil
}

var hostColumns = []string{"received", "bucket", "host_id", "n", "sums", "maxima"}

func (r *HostRow) row(received time.Time) []any {
	return []any{received, r.Bucket, r.Host, r.N, r.Sums, r.Maxima}
}

// MaxHosts is how many hosts a page shows: those that were measured last.
const MaxHosts = 50

// Hosts are the machines that were measured since a moment, in order of their names.
func (s *Store) Hosts(ctx context.Context, since time.Time) ([]Host, error) {
	rows, err := s.db.Read(ctx, opsKey(0)).Query(ctx, `SELECT h.id, h.name, h.seen_at, coalesce(f.n, '{}'), coalesce(f.sums, '{}')
		FROM (SELECT id, name, seen_at FROM host WHERE seen_at >= $1 ORDER BY seen_at DESC LIMIT $2) AS h
		LEFT JOIN LATERAL (SELECT n, sums FROM host_fine WHERE host_id = h.id ORDER BY bucket DESC LIMIT 1) AS f ON true
		ORDER BY h.name`, since, MaxHosts)
	if err != nil {
		return nil, fmt.Errorf("cannot list hosts: %w", err)
	}
	list, err := pgx.CollectRows(rows, func(row pgx.CollectableRow) (h Host, err error) {
		err = row.Scan(&h.ID, &h.Name, &h.Seen, &h.Last.N, &h.Last.Sums)
		return h, err
	})
	if err != nil {
		return nil, fmt.Errorf("cannot list hosts: %w", err)
	}
	return list, nil
}

// The tiers, each with what finer ones received since they were merged into it.
const (
	hostMarks = `WITH mark AS (SELECT coalesce(max(until) FILTER (WHERE name = 'host_minute'), 'epoch') AS minute,
		coalesce(max(until) FILTER (WHERE name = 'host_ten'), 'epoch') AS ten,
		coalesce(max(until) FILTER (WHERE name = 'host_six'), 'epoch') AS six FROM rollup_state) `
	hostSelect = `SELECT host_id, bucket, n, sums, maxima FROM `
	hostWhere  = ` WHERE host_id = ANY($1) AND bucket >= $2 AND bucket < $3 AND received >= $2 - interval '5 minutes'`
	hostFine   = hostSelect + `host_fine` + hostWhere
	hostMinute = hostSelect + `host_minute` + hostWhere
	hostTen    = hostSelect + `host_ten` + hostWhere
	hostSix    = hostSelect + `host_six` + hostWhere

	hostsSinceMinute = ` UNION ALL ` + hostFine + ` AND received >= (SELECT minute FROM mark)`
	hostsSinceTen    = ` UNION ALL ` + hostMinute + ` AND received >= (SELECT ten FROM mark)` + hostsSinceMinute
	hostsSinceSix    = ` UNION ALL ` + hostTen + ` AND received >= (SELECT six FROM mark)` + hostsSinceTen
)

// HostQuery asks for measurements.
type HostQuery struct {
	Hosts    []int32
	From, To time.Time
	Tier     time.Duration // 15 s, a minute, ten minutes or six hours
}

func (q *HostQuery) tier() string {
	switch {
	case q.Tier >= 6*time.Hour:
		return hostMarks + hostSix + hostsSinceSix
	case q.Tier >= 10*time.Minute:
		return hostMarks + hostTen + hostsSinceTen
	case q.Tier >= time.Minute:
		return hostMarks + hostMinute + hostsSinceMinute
	}
	return hostMarks + hostFine
}

// HostRows gives measurements as they are stored: several rows of one bucket may have to be added (MergeHosts), and what has
// not been merged yet has finer buckets.
func (s *Store) HostRows(ctx context.Context, q HostQuery) ([]HostRow, error) {
	rows, err := readHostRows(ctx, s.db.Read(ctx, opsKey(0)), q.tier(), q.Hosts, q.From, q.To)
	if err != nil {
		return nil, fmt.Errorf("cannot read the measurements of hosts: %w", err)
	}
	return rows, nil
}

// HostCPU is how busy a host's cores were in a bucket, in per cent.
type HostCPU struct {
	Host   int32
	Bucket time.Time
	Busy   float64
}

// HostCPUs adds up in buckets of step from q.From on: user, system and stolen time, which are the measurements 0, 1 and 3.
func (s *Store) HostCPUs(ctx context.Context, q HostQuery, step time.Duration) ([]HostCPU, error) {
	rows, err := s.db.Read(ctx, opsKey(0)).Query(ctx, `SELECT host_id, date_bin($4, bucket, $2) AS at, sum(sums[1] + sums[2] + sums[4]) / sum(n[1])
		FROM (`+q.tier()+`) AS rows WHERE n[1] > 0 GROUP BY host_id, at ORDER BY host_id, at`, q.Hosts, q.From, q.To, step)
	if err != nil {
		return nil, fmt.Errorf("cannot read how busy hosts were: %w", err)
	}
	list, err := pgx.CollectRows(rows, pgx.RowToStructByPos[HostCPU])
	if err != nil {
		return nil, fmt.Errorf("cannot read how busy hosts were: %w", err)
	}
	return list, nil
}

func readHostRows(ctx context.Context, q rowQuerier, sql string, args ...any) ([]HostRow, error) {
	rows, err := q.Query(ctx, sql, args...)
	if err != nil {
		return nil, err
	}
	return pgx.CollectRows(rows, func(row pgx.CollectableRow) (r HostRow, err error) {
		err = row.Scan(&r.Host, &r.Bucket, &r.N, &r.Sums, &r.Maxima)
		return r, err
	})
}

// mergeHosts takes one step of merging measurements.
func mergeHosts(ctx context.Context, tx pgx.Tx, step rollup, from, to, received time.Time) (int, error) {
	rows, err := readHostRows(ctx, tx, `SELECT host_id, bucket, n, sums, maxima FROM `+step.from+` WHERE received >= $1 AND received < $2`, from, to)
	if err != nil {
		return 0, err
	}
	sums := MergeHosts(rows, func(t time.Time) time.Time { return t.Truncate(step.width) })
	return len(rows), copyRows(ctx, tx, step.to, hostColumns, len(sums), func(i int) []any { return sums[i].row(received) })
}

// MergeHosts adds up the measurements of a host whose buckets become the same one, in order of host and bucket.
func MergeHosts(rows []HostRow, bucket func(time.Time) time.Time) []HostRow {
	type group struct {
		host   int32
		bucket int64
	}
	sums := map[group]*HostRow{}
	for i := range rows {
		b := bucket(rows[i].Bucket)
		key := group{rows[i].Host, b.UnixMicro()}
		if sums[key] == nil {
			sums[key] = &HostRow{Host: rows[i].Host, Bucket: b}
		}
		sums[key].add(&rows[i])
	}
	out := make([]HostRow, 0, len(sums))
	for _, key := range sortedKeys(sums, func(a, b group) int { return cmp.Or(cmp.Compare(a.host, b.host), cmp.Compare(a.bucket, b.bucket)) }) {
		out = append(out, *sums[key])
	}
	return out
}

// maxN keeps n within its column: a bucket has 1,440 measurements at the most, unless many processes share a name.
const maxN = 1<<15 - 1

// add adds a row. One that an older version wrote is shorter; lists of different lengths are cut to the shortest.
func (r *HostRow) add(o *HostRow) {
	n := min(len(o.N), len(o.Sums), len(o.Maxima))
	for len(r.N) < n {
		r.N, r.Sums, r.Maxima = append(r.N, 0), append(r.Sums, 0), append(r.Maxima, 0)
	}
	for i := range n {
		if o.N[i] <= 0 || int(r.N[i])+int(o.N[i]) > maxN {
			continue
		}
		if r.N[i] == 0 || o.Maxima[i] > r.Maxima[i] {
			r.Maxima[i] = o.Maxima[i]
		}
		r.N[i], r.Sums[i] = r.N[i]+o.N[i], r.Sums[i]+o.Sums[i]
	}
}

// PoolStats are the connections of each partition.
func (s *Store) PoolStats() map[db.Partition]db.PoolStat { return s.db.PoolStats() }
