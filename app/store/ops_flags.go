package store

import (
	"context"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"

	"kibitz/app/model"
)

// AddFlagChanges stores changes that a provider told of and answers how many are new: those that it told before are left out.
func (s *Store) AddFlagChanges(ctx context.Context, list []model.FlagChange) (int64, error) {
	n := len(list)
	ids, changes, at := make([]int64, n), make([]int64, n), make([]time.Time, n)
	providers, flags, actions, by, types := make([]string, n), make([]string, n), make([]string, n), make([]string, n), make([]string, n)
	for i, c := range list {
		ids[i], changes[i], at[i] = c.ID, c.ChangeID, c.At
		providers[i], flags[i], actions[i], by[i], types[i] = c.Provider, c.Flag, c.Action, c.By, c.ByType
	}
	tag, err := s.db.Write(ctx, opsKey(0)).Exec(ctx, `INSERT INTO flag_change (id, provider, change_id, flag, action, by_name, by_type, at)
		SELECT * FROM unnest($1::bigint[], $2::text[], $3::bigint[], $4::text[], $5::text[], $6::text[], $7::text[], $8::timestamptz[])
		ON CONFLICT (provider, change_id) DO NOTHING`, ids, providers, changes, flags, actions, by, types, at)
	if err != nil {
		return 0, fmt.Errorf("cannot store %d changes of flags: %w", n, err)
	}
	return tag.RowsAffected(), nil
}

const flagColumns = `id, provider, change_id, flag, action, by_name, by_type, at`

func scanFlagChange(row pgx.CollectableRow) (c model.FlagChange, err error) {
	err = row.Scan(&c.ID, &c.Provider, &c.ChangeID, &c.Flag, &c.Action, &c.By, &c.ByType, &c.At)
	return c, err
}

// FlagChanges are changes that providers told of, newest first.
func (s *Store) FlagChanges(ctx context.Context, q model.FlagQuery) ([]model.FlagChange, error) {
	rows, err := s.db.Read(ctx, opsKey(0)).Query(ctx, `SELECT `+flagColumns+` FROM flag_change
		WHERE ($1::text[] IS NULL OR flag = ANY($1)) AND at >= $2 AND (at < $3 OR (at = $3 AND id < $4))
		ORDER BY at DESC, id DESC LIMIT $5`, q.Flags, q.From, q.To, q.BeforeID, q.Limit)
	if err != nil {
		return nil, fmt.Errorf("cannot read changes of flags: %w", err)
	}
	list, err := pgx.CollectRows(rows, scanFlagChange)
	if err != nil {
		return nil, fmt.Errorf("cannot read changes of flags: %w", err)
	}
	return list, nil
}

// SetFlagSecret makes a provider's secret, in place of the one before.
func (s *Store) SetFlagSecret(ctx context.Context, provider, secret string) error {
	_, err := s.db.Write(ctx, opsKey(0)).Exec(ctx, `INSERT INTO flag_secret (provider, secret) VALUES ($1, $2)
		ON CONFLICT (provider) DO UPDATE SET secret = excluded.secret, created_at = now()`, provider, secret)
	if err != nil {
		return fmt.Errorf("cannot store the secret of %s: %w", provider, err)
	}
	return nil
}

// KeepFlagSecret is the secret of a provider, which is made as given when there is none: several processes agree on one.
func (s *Store) KeepFlagSecret(ctx context.Context, provider, secret string) (string, error) {
	var kept string
	err := s.db.Write(ctx, opsKey(0)).QueryRow(ctx, `INSERT INTO flag_secret AS f (provider, secret) VALUES ($1, $2)
		ON CONFLICT (provider) DO UPDATE SET secret = f.secret RETURNING secret`, provider, secret).Scan(&kept)
	if err != nil {
		return "", fmt.Errorf("cannot keep the secret of %s: %w", provider, err)
	}
	return kept, nil
}

// RemoveFlagSecret ends a provider's secret; false when there was none.
func (s *Store) RemoveFlagSecret(ctx context.Context, provider string) (bool, error) {
	tag, err := s.db.Write(ctx, opsKey(0)).Exec(ctx, `DELETE FROM flag_secret WHERE provider = $1`, provider)
	if err != nil {
		return false, fmt.Errorf("cannot remove the secret of %s: %w", provider, err)
	}
	return tag.RowsAffected() > 0, nil
}

// FlagSecrets are all secrets, by their provider's name.
func (s *Store) FlagSecrets(ctx context.Context) ([]model.FlagSecret, error) {
	rows, err := s.db.Write(ctx, opsKey(0)).Query(ctx, `SELECT provider, secret, created_at FROM flag_secret ORDER BY provider`)
	if err != nil {
		return nil, fmt.Errorf("cannot read secrets: %w", err)
	}
	list, err := pgx.CollectRows(rows, pgx.RowToStructByPos[model.FlagSecret])
	if err != nil {
		return nil, fmt.Errorf("cannot read secrets: %w", err)
	}
	return list, nil
}
