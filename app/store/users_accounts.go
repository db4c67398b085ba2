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

// usersKey routes to the users partition, which is not sharded.
func usersKey() db.Key { return db.Key{Part: db.Users} }

// ownerLock is held by whoever makes an owner, so that "there is none yet" stays true until the commit.
const ownerLock = `SELECT pg_advisory_xact_lock(hashtextextended('kibitz.users.owner', 0))`

const accountColumns = `a.id, a.email, a.name, a.role, a.created_at, a.disabled_at IS NOT NULL`

func accountFields(a *model.Account) []any {
	return []any{&a.ID, &a.Email, &a.Name, &a.Role, &a.CreatedAt, &a.Disabled}
}

// AccountByEmail is the account with an address, in any case of its letters, and its password's hash;
// errs.NotFound when there is none. It reads the primary: a password or a lock-out of a moment ago counts.
func (s *Store) AccountByEmail(ctx context.Context, email string) (a model.Account, hash string, err error) {
	err = s.db.Write(ctx, usersKey()).QueryRow(ctx, `SELECT `+accountColumns+`, a.password_hash FROM account a
		WHERE lower(a.email) = lower($1)`, email).Scan(append(accountFields(&a), &hash)...)
	if errors.Is(err, pgx.ErrNoRows) {
		return a, "", errs.New(errs.NotFound, "There is no such account.")
	}
	if err != nil {
		return a, "", fmt.Errorf("cannot read an account: %w", err)
	}
	return a, hash, nil
}

// AccountNames are the names of accounts, their address where they gave none. Ids without an account are left out.
func (s *Store) AccountNames(ctx context.Context, ids []int64) (map[int64]string, error) {
	rows, err := s.db.Read(ctx, usersKey()).Query(ctx, `SELECT id, coalesce(nullif(name, ''), email) FROM account WHERE id = ANY($1)`, ids)
	if err != nil {
		return nil, fmt.Errorf("cannot read names of accounts: %w", err)
	}
	names := make(map[int64]string, len(ids))
	var id int64
	var name string
	_, err = pgx.ForEachRow(rows, []any{&id, &name}, func() error { names[id] = name; return nil })
	if err != nil {
		return nil, fmt.Errorf("cannot read names of accounts: %w", err)
	}
	return names, nil
}

// RehashPassword replaces the hash of a password that has not changed, unless it did meanwhile.
func (s *Store) RehashPassword(ctx context.Context, account int64, was, hash string) error {
	_, err := s.db.Write(ctx, usersKey()).Exec(ctx, `UPDATE account SET password_hash = $3 WHERE id = $1 AND password_hash = $2`,
		account, was, hash)
	if err != nil {
		return fmt.Errorf("cannot renew the password hash of account %d: %w", account, err)
	}
	return nil
}

const ownerExists = `EXISTS (SELECT FROM account WHERE role = 'owner')`

// HasOwner tells whether anybody owns this installation, disabled or not.
func (s *Store) HasOwner(ctx context.Context) (yes bool, err error) {
	if err = s.db.Write(ctx, usersKey()).QueryRow(ctx, `SELECT `+ownerExists).Scan(&yes); err != nil {
		return false, fmt.Errorf("cannot look for an owner: %w", err)
	}
	return yes, nil
}

// EnsureOwner makes an account an owner that may sign in: adds it with a password's hash when there is none with
// its address, else leaves its password and name as they are. It tells whether it was added.
func (s *Store) EnsureOwner(ctx context.Context, a model.Account, hash string) (added bool, err error) {
	err = s.db.Tx(ctx, usersKey(), func(tx pgx.Tx) error {
		if _, err := tx.Exec(ctx, ownerLock); err != nil {
			return err
		}
		// A row that this statement inserted has no deleter yet: xmax is 0.
		return tx.QueryRow(ctx, `INSERT INTO account (id, email, name, role, password_hash, created_at) VALUES ($1, $2, $3, 'owner', $4, $5)
			ON CONFLICT (lower(email)) DO UPDATE SET role = 'owner', disabled_at = NULL RETURNING xmax = 0`,
			a.ID, a.Email, a.Name, hash, a.CreatedAt).Scan(&added)
	})
	if err != nil {
		return false, fmt.Errorf("cannot make an owner: %w", err)
	}
	return added, nil
}

// AddSetupLink keeps a link that makes the first owner, and forgets those that have expired. errs.Conflict when
// there is an owner.
func (s *Store) AddSetupLink(ctx context.Context, tokenHash []byte, now, expires time.Time) error {
	tag, err := s.db.Write(ctx, usersKey()).Exec(ctx, `WITH dead AS (DELETE FROM setup_link WHERE expires_at <= $2)
		INSERT INTO setup_link (token_hash, created_at, expires_at) SELECT $1, $2, $3 WHERE NOT `+ownerExists, tokenHash, now, expires)
	if err != nil {
		return fmt.Errorf("cannot add a setup link: %w", err)
	}
	if tag.RowsAffected() == 0 {
		return errs.New(errs.Conflict, "This Kibitz has an owner already. Sign in as the owner.")
	}
	return nil
}

// SetupLinkWorks tells whether a link would make an owner now.
func (s *Store) SetupLinkWorks(ctx context.Context, tokenHash []byte, now time.Time) (yes bool, err error) {
	err = s.db.Write(ctx, usersKey()).QueryRow(ctx, `SELECT EXISTS (SELECT FROM setup_link
		WHERE token_hash = $1 AND used_at IS NULL AND expires_at > $2) AND NOT `+ownerExists, tokenHash, now).Scan(&yes)
	if err != nil {
		return false, fmt.Errorf("cannot check a setup link: %w", err)
	}
	return yes, nil
}

// UseSetupLink spends a link and adds the first owner, both or neither. errs.NotFound when the link does not work
// (any more), also because somebody else was faster with another link.
func (s *Store) UseSetupLink(ctx context.Context, tokenHash []byte, a model.Account, hash string) error {
	err := s.db.Tx(ctx, usersKey(), func(tx pgx.Tx) error {
		if _, err := tx.Exec(ctx, ownerLock); err != nil {
			return err
		}
		tag, err := tx.Exec(ctx, `UPDATE setup_link SET used_at = $2 WHERE token_hash = $1 AND used_at IS NULL AND expires_at > $2
			AND NOT `+ownerExists, tokenHash, a.CreatedAt)
		if err != nil {
			return err
		}
		if tag.RowsAffected() == 0 {
			return errs.New(errs.NotFound, "This setup link has been used or has expired.")
		}
		tag, err = tx.Exec(ctx, `INSERT INTO account (id, email, name, role, password_hash, created_at) VALUES ($1, $2, $3, 'owner', $4, $5)
			ON CONFLICT (lower(email)) DO NOTHING`, a.ID, a.Email, a.Name, hash, a.CreatedAt)
		if err == nil && tag.RowsAffected() == 0 {
			return errs.New(errs.Conflict, "There is an account with this address already. Choose another one for the owner.")
		}
		return err
	})
	if err != nil {
		return fmt.Errorf("cannot set up the first owner: %w", err)
	}
	return nil
}
