package store

import (
	"context"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"

	"kibitz/app/model"
)

// spaceDays is how long sizes are kept, as PgHero does. They are deleted and not dropped by the day: in all they are some
// thousand short rows.
const spaceDays = 90

// AddSpace notes sizes of the day; whoever comes later on the same day changes nothing.
func (s *Store) AddSpace(ctx context.Context, samples []model.SpaceSample) error {
	n := len(samples)
	if n == 0 {
		return nil
	}
	days, parts, relations, bytes := make([]time.Time, n), make([]string, n), make([]string, n), make([]int64, n)
	for i, v := range samples {
		days[i], parts[i], relations[i], bytes[i] = v.Day, v.Part, v.Relation, v.Bytes
	}
	err := s.db.Tx(ctx, opsKey(0), func(tx pgx.Tx) error {
		b := &pgx.Batch{}
		b.Queue(`INSERT INTO space_sample (day, partition, relation, bytes)
			SELECT * FROM unnest($1::date[], $2::text[], $3::text[], $4::bigint[]) ON CONFLICT DO NOTHING`, days, parts, relations, bytes)
		b.Queue(`DELETE FROM space_sample WHERE day < $1::date`, days[0].AddDate(0, 0, -spaceDays))
		return tx.SendBatch(ctx, b).Close()
	})
	if err != nil {
		return fmt.Errorf("cannot note the sizes of tables: %w", err)
	}
	return nil
}

// SpaceOn is how large a partition's tables were on the last day up to another that was noted; nothing when none was in the week
// before it.
func (s *Store) SpaceOn(ctx context.Context, parts []string, day time.Time) (out []model.SpaceSample, err error) {
	rows, err := s.db.Read(ctx, opsKey(0)).Query(ctx, `SELECT s.day, s.partition, s.relation, s.bytes
		FROM unnest($1::text[]) AS p (name)
		JOIN LATERAL (SELECT max(day) AS day FROM space_sample WHERE partition = p.name AND day <= $2::date AND day > $2::date - 7) d ON true
		JOIN space_sample s ON s.partition = p.name AND s.day = d.day
		ORDER BY s.partition, s.relation`, parts, day)
	if err == nil {
		out, err = pgx.CollectRows(rows, func(r pgx.CollectableRow) (v model.SpaceSample, err error) {
			return v, r.Scan(&v.Day, &v.Part, &v.Relation, &v.Bytes)
		})
	}
	if err != nil {
		return nil, fmt.Errorf("cannot read the sizes of tables: %w", err)
	}
	return out, nil
}
