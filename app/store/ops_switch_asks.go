package store

import (
	"cmp"
	"context"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"
)

// SwitchAsk is how often a switch gave an answer in a minute.
type SwitchAsk struct {
	Minute            time.Time
	Env, Key, Variant string
	N                 int64
}

// Compare orders them as they are written, so that two processes never wait for each other in a ring.
func (a SwitchAsk) Compare(b SwitchAsk) int {
	return cmp.Or(a.Minute.Compare(b.Minute), cmp.Compare(a.Env, b.Env), cmp.Compare(a.Key, b.Key), cmp.Compare(a.Variant, b.Variant))
}

// AddSwitchAsks adds to the counts of minutes and hours, and notes when each answer was given last. The list is in order, and no
// two of it are the same minute and answer.
func (s *Store) AddSwitchAsks(ctx context.Context, list []SwitchAsk) error {
	minutes, envs, keys, variants, n := make([]time.Time, len(list)), make([]string, len(list)), make([]string, len(list)), make([]string, len(list)), make([]int64, len(list))
	for i, a := range list {
		minutes[i], envs[i], keys[i], variants[i], n[i] = a.Minute, a.Env, a.Key, a.Variant, a.N
	}
	err := s.db.Tx(ctx, opsKey(0), func(tx pgx.Tx) error {
		b := &pgx.Batch{}
		b.Queue(`INSERT INTO switch_ask_minute AS a (received, env, key, variant, n)
			SELECT * FROM unnest($1::timestamptz[], $2::text[], $3::text[], $4::text[], $5::bigint[])
			ON CONFLICT (received, env, key, variant) DO UPDATE SET n = a.n + excluded.n`, minutes, envs, keys, variants, n)
		b.Queue(`INSERT INTO switch_ask_hour AS a (received, env, key, variant, n)
			SELECT date_trunc('hour', at AT TIME ZONE 'UTC') AT TIME ZONE 'UTC', env, key, variant, sum(n)
			FROM unnest($1::timestamptz[], $2::text[], $3::text[], $4::text[], $5::bigint[]) AS w (at, env, key, variant, n) GROUP BY 1, 2, 3, 4 ORDER BY 1, 2, 3, 4
			ON CONFLICT (received, env, key, variant) DO UPDATE SET n = a.n + excluded.n`, minutes, envs, keys, variants, n)
		b.Queue(`INSERT INTO switch_asked AS a (env, key, variant, first_at, last_at, n)
			SELECT env, key, variant, min(at), max(at), sum(n)
			FROM unnest($1::timestamptz[], $2::text[], $3::text[], $4::text[], $5::bigint[]) AS w (at, env, key, variant, n) GROUP BY 1, 2, 3 ORDER BY 1, 2, 3
			ON CONFLICT (env, key, variant) DO UPDATE SET n = a.n + excluded.n, first_at = least(a.first_at, excluded.first_at),
				last_at = greatest(a.last_at, excluded.last_at)`, minutes, envs, keys, variants, n)
		return tx.SendBatch(ctx, b).Close()
	})
	if err != nil {
		return fmt.Errorf("cannot count what switches were asked: %w", err)
	}
	return nil
}

// SwitchAsks gives how often switches of an environment gave each answer, by the minute or the hour; of one switch, or of all when
// key is "".
func (s *Store) SwitchAsks(ctx context.Context, env, key string, from, to time.Time, step time.Duration) ([]SwitchAsk, error) {
	table := "switch_ask_minute"
	if step >= time.Hour {
		table = "switch_ask_hour"
	}
	rows, err := s.db.Read(ctx, opsKey(0)).Query(ctx, `SELECT received, env, key, variant, n FROM `+table+`
		WHERE received >= $1 AND received < $2 AND env = $3 AND ($4 = '' OR key = $4) ORDER BY received, key, variant`, from, to, env, key)
	if err != nil {
		return nil, fmt.Errorf("cannot read what switches were asked: %w", err)
	}
	list, err := pgx.CollectRows(rows, pgx.RowToStructByPos[SwitchAsk])
	if err != nil {
		return nil, fmt.Errorf("cannot read what switches were asked: %w", err)
	}
	return list, nil
}

// AnswerSeen is when an answer of a switch was first and last given, in process or in a request.
type AnswerSeen struct {
	Key, Variant string
	First, Last  time.Time
}

// AnswersSeen gives the answers of an environment's switches that were given since a moment. envs are the names by which programs
// call it.
func (s *Store) AnswersSeen(ctx context.Context, env string, envs []string, since time.Time) ([]AnswerSeen, error) {
	rows, err := s.db.Read(ctx, opsKey(0)).Query(ctx, `WITH mark AS (SELECT coalesce(max(until) FILTER (WHERE name = 'switch_day'), 'epoch') AS day FROM rollup_state),
		told AS (
			SELECT switch_id, env_id, max(bucket) AS last_at FROM (
				SELECT switch_id, env_id, bucket FROM switch_day WHERE endpoint_id = 0 AND bucket >= $3 AND received >= $3
				UNION ALL SELECT switch_id, env_id, bucket FROM switch_hour WHERE endpoint_id = 0 AND bucket >= $3 AND received >= greatest($3, (SELECT day FROM mark))
				UNION ALL SELECT switch_id, env_id, bucket FROM switch_minute WHERE endpoint_id = 0 AND bucket >= $3 AND received >= now() - interval '2 hours'
			) AS s GROUP BY switch_id, env_id
		)
		SELECT key, variant, first_at, last_at FROM switch_asked WHERE env = $1 AND last_at >= $3
		UNION ALL
		SELECT split_part(l.value, '=', 1), substr(l.value, strpos(l.value, '=') + 1), l.first_seen, t.last_at
		FROM told t JOIN label l ON l.id = t.switch_id LEFT JOIN label e ON e.id = t.env_id WHERE coalesce(e.value, '') = ANY($2)`, env, envs, since)
	if err != nil {
		return nil, fmt.Errorf("cannot tell which answers switches gave: %w", err)
	}
	list, err := pgx.CollectRows(rows, pgx.RowToStructByPos[AnswerSeen])
	if err != nil {
		return nil, fmt.Errorf("cannot tell which answers switches gave: %w", err)
	}
	return list, nil
}
