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

// NewSession is what the database keeps of a session: never its token.
type NewSession struct {
	TokenHash []byte // SHA-256
	AccountID int64
	Created   time.Time
	Expires   time.Time     // ends then, used or not
	Idle      time.Duration // ends this long after its last use
	UserAgent string
	IP        string
}

// AddSession opens a session, and forgets those of the account that have ended.
func (s *Store) AddSession(ctx context.Context, n NewSession) error {
	_, err := s.db.Write(ctx, usersKey()).Exec(ctx, `WITH dead AS (
			DELETE FROM session WHERE account_id = $2 AND (expires_at <= $3 OR last_seen + idle <= $3)
		)
		INSERT INTO session (token_hash, account_id, created_at, last_seen, expires_at, idle, user_agent, ip)
		VALUES ($1, $2, $3, $3, $4, $5, $6, $7)`,
		n.TokenHash, n.AccountID, n.Created, n.Expires, n.Idle, n.UserAgent, n.IP)
	if err != nil {
		return fmt.Errorf("cannot open a session for account %d: %w", n.AccountID, err)
	}
	return nil
}

// Session is the open session with a token's hash, of an account that is not disabled; errs.NotFound when there
// is none. It reads the primary, so that signing out and locking out count at once.
func (s *Store) Session(ctx context.Context, tokenHash []byte, now time.Time) (m model.Session, err error) {
	err = s.db.Write(ctx, usersKey()).QueryRow(ctx, `SELECT `+accountColumns+`, s.created_at, s.last_seen, s.expires_at
		FROM session s JOIN account a ON a.id = s.account_id
		WHERE s.token_hash = $1 AND s.expires_at > $2 AND s.last_seen + s.idle > $2 AND a.disabled_at IS NULL`,
		tokenHash, now).Scan(append(accountFields(&m.Account), &m.Created, &m.LastSeen, &m.Expires)...)
	if errors.Is(err, pgx.ErrNoRows) {
		return m, errs.New(errs.NotFound, "There is no such session.")
	}
	if err != nil {
		return m, fmt.Errorf("cannot read a session: %w", err)
	}
	return m, nil
}

// TouchSession notes that a session was used now, unless one later than before has been noted already.
func (s *Store) TouchSession(ctx context.Context, tokenHash []byte, now, before time.Time) error {
	_, err := s.db.Write(ctx, usersKey()).Exec(ctx, `UPDATE session SET last_seen = $2 WHERE token_hash = $1 AND last_seen <= $3`,
		tokenHash, now, before)
	if err != nil {
		return fmt.Errorf("cannot note the use of a session: %w", err)
	}
	return nil
}

// EndSession ends a session for good; one that has ended is no error.
func (s *Store) EndSession(ctx context.Context, tokenHash []byte) error {
	if _, err := s.db.Write(ctx, usersKey()).Exec(ctx, `DELETE FROM session WHERE token_hash = $1`, tokenHash); err != nil {
		return fmt.Errorf("cannot end a session: %w", err)
	}
	return nil
}
