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

const tokenColumns = `t.id, coalesce(t.account_id, 0), t.name, t.prefix, t.scopes, t.created_at, t.last_used, t.expires_at`

// tokenRow takes a token's columns apart from its times that may be missing.
type tokenRow struct {
	model.APIToken
	used, expires *time.Time
}

func (r *tokenRow) fields() []any {
	return []any{&r.ID, &r.AccountID, &r.Name, &r.Prefix, &r.Scopes, &r.CreatedAt, &r.used, &r.expires}
}

func (r *tokenRow) token() model.APIToken {
	if r.used != nil {
		r.LastUsed = *r.used
	}
	if r.expires != nil {
		r.Expires = *r.expires
	}
	return r.APIToken
}

func scanToken(row pgx.CollectableRow) (model.APIToken, error) {
	var r tokenRow
	err := row.Scan(r.fields()...)
	return r.token(), err
}

// AddToken keeps a token by the SHA-256 of its text; AccountID 0 is the installation itself. errs.Conflict when its
// owner has limit tokens already.
func (s *Store) AddToken(ctx context.Context, t model.APIToken, hash []byte, limit int) error {
	tag, err := s.db.Write(ctx, usersKey()).Exec(ctx, `INSERT INTO api_token (id, account_id, token_hash, prefix, name, scopes, created_at, expires_at)
		SELECT $1, nullif($2::bigint, 0), $3, $4, $5, $6, $7, $8
		WHERE (SELECT count(*) FROM api_token WHERE coalesce(account_id, 0) = $2 AND revoked_at IS NULL) < $9`,
		t.ID, t.AccountID, hash, t.Prefix, t.Name, t.Scopes, t.CreatedAt, timeOrNull(t.Expires), limit)
	if err != nil {
		return fmt.Errorf("cannot add a token for account %d: %w", t.AccountID, err)
	}
	if tag.RowsAffected() == 0 {
		return errs.New(errs.Conflict, "There are %d tokens already (limit tokens). Revoke one that is not used any more.", limit)
	}
	return nil
}

func timeOrNull(t time.Time) *time.Time {
	if t.IsZero() {
		return nil
	}
	return &t
}

// Tokens are the tokens of an account that were not revoked, newest first. It reads the primary: who has just
// revoked one must not find it again.
func (s *Store) Tokens(ctx context.Context, account int64) ([]model.APIToken, error) {
	return s.listTokens(ctx, `SELECT `+tokenColumns+` FROM api_token t WHERE t.account_id = $1 AND t.revoked_at IS NULL ORDER BY t.id DESC`, account)
}

// AllTokens are all tokens that were not revoked, newest first.
func (s *Store) AllTokens(ctx context.Context) ([]model.APIToken, error) {
	return s.listTokens(ctx, `SELECT `+tokenColumns+` FROM api_token t WHERE t.revoked_at IS NULL ORDER BY t.id DESC`)
}

func (s *Store) listTokens(ctx context.Context, sql string, args ...any) ([]model.APIToken, error) {
	rows, err := s.db.Write(ctx, usersKey()).Query(ctx, sql, args...)
	if err != nil {
		return nil, fmt.Errorf("cannot list tokens: %w", err)
	}
	tokens, err := pgx.CollectRows(rows, scanToken)
	if err != nil {
		return nil, fmt.Errorf("cannot list tokens: %w", err)
	}
	return tokens, nil
}

// TokenByHash is the living token with a hash, and its account, whose id is 0 for a token of the installation;
// errs.NotFound when there is none, it expired or was revoked, or its account is disabled.
func (s *Store) TokenByHash(ctx context.Context, hash []byte, now time.Time) (model.APIToken, model.Account, error) {
	var r tokenRow
	var a model.Account
	err := s.db.Write(ctx, usersKey()).QueryRow(ctx, `SELECT `+tokenColumns+`, coalesce(a.id, 0), coalesce(a.email, ''), coalesce(a.name, ''),
			coalesce(a.role, ''), coalesce(a.created_at, t.created_at), false
		FROM api_token t LEFT JOIN account a ON a.id = t.account_id
		WHERE t.token_hash = $1 AND t.revoked_at IS NULL AND (t.expires_at IS NULL OR t.expires_at > $2) AND a.disabled_at IS NULL`,
		hash, now).Scan(append(r.fields(), accountFields(&a)...)...)
	if errors.Is(err, pgx.ErrNoRows) {
		return model.APIToken{}, a, errs.New(errs.NotFound, "There is no such token.")
	}
	if err != nil {
		return model.APIToken{}, a, fmt.Errorf("cannot read a token: %w", err)
	}
	return r.token(), a, nil
}

// TouchToken notes that a token was used now, unless a use later than before has been noted already.
func (s *Store) TouchToken(ctx context.Context, id int64, now, before time.Time) error {
	_, err := s.db.Write(ctx, usersKey()).Exec(ctx, `UPDATE api_token SET last_used = $2 WHERE id = $1 AND (last_used IS NULL OR last_used <= $3)`,
		id, now, before)
	if err != nil {
		return fmt.Errorf("cannot note the use of token %d: %w", id, err)
	}
	return nil
}

// RevokeToken ends a token of an account; errs.NotFound when the account has no such token.
func (s *Store) RevokeToken(ctx context.Context, account, id int64, now time.Time) error {
	return s.revoke(ctx, `UPDATE api_token SET revoked_at = $2 WHERE id = $1 AND account_id = $3 AND revoked_at IS NULL`, id, now, account)
}

// RevokeAnyToken ends a token whoever it belongs to: for the command line. errs.NotFound when there is none.
func (s *Store) RevokeAnyToken(ctx context.Context, id int64, now time.Time) error {
	return s.revoke(ctx, `UPDATE api_token SET revoked_at = $2 WHERE id = $1 AND revoked_at IS NULL`, id, now)
}

func (s *Store) revoke(ctx context.Context, sql string, args ...any) error {
	tag, err := s.db.Write(ctx, usersKey()).Exec(ctx, sql, args...)
	if err != nil {
		return fmt.Errorf("cannot revoke token %v: %w", args[0], err)
	}
	if tag.RowsAffected() == 0 {
		return errs.New(errs.NotFound, "There is no such token.")
	}
	return nil
}

// LivingTokens are the tokens with any of some scopes that are neither revoked nor expired, of accounts that are not disabled.
func (s *Store) LivingTokens(ctx context.Context, scopes []string, now time.Time) ([]model.LivingToken, error) {
	rows, err := s.db.Write(ctx, usersKey()).Query(ctx, `SELECT t.token_hash, t.id, coalesce(t.account_id, 0), coalesce(a.role, ''), t.scopes,
			t.last_used, t.expires_at
		FROM api_token t LEFT JOIN account a ON a.id = t.account_id
		WHERE t.scopes && $1 AND t.revoked_at IS NULL AND (t.expires_at IS NULL OR t.expires_at > $2) AND a.disabled_at IS NULL`, scopes, now)
	if err != nil {
		return nil, fmt.Errorf("cannot read living tokens: %w", err)
	}
	list, err := pgx.CollectRows(rows, scanLivingToken)
	if err != nil {
		return nil, fmt.Errorf("cannot read living tokens: %w", err)
	}
	return list, nil
}

func scanLivingToken(row pgx.CollectableRow) (t model.LivingToken, err error) {
	var used, expires *time.Time
	err = row.Scan(&t.Hash, &t.ID, &t.AccountID, &t.Role, &t.Scopes, &used, &expires)
	if used != nil {
		t.LastUsed = *used
	}
	if expires != nil {
		t.Expires = *expires
	}
	return t, err
}

// TouchTokens notes that tokens were used now, each unless a use later than before has been noted already.
func (s *Store) TouchTokens(ctx context.Context, ids []int64, now, before time.Time) error {
	_, err := s.db.Write(ctx, usersKey()).Exec(ctx, `UPDATE api_token SET last_used = $2 WHERE id = ANY($1) AND (last_used IS NULL OR last_used <= $3)`,
		ids, now, before)
	if err != nil {
		return fmt.Errorf("cannot note the use of %d tokens: %w", len(ids), err)
	}
	return nil
}
