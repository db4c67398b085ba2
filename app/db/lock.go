package db

import (
	"context"
	"fmt"

	"github.com/jackc/pgx/v5"
)

// Lock is an advisory lock that a connection of its own holds: the server lets go of it as soon as the process dies. The
// connection is none of a pool's, since a job may hold it for minutes while it needs the pool itself.
type Lock struct {
	ID   int64 // what is locked
	conn *pgx.Conn
}

// TryLock takes the lock (class, id) of the first of ids that nobody holds; nil when all are held.
func (d *DB) TryLock(ctx context.Context, key Key, class int, ids []int64) (*Lock, error) {
	conn, err := d.dial(ctx, key)
	if err != nil {
		return nil, err
	}
	l := &Lock{conn: conn}
	// The rows are looked at one by one, and the first lock that is taken ends it.
	err = conn.QueryRow(ctx, `SELECT id FROM unnest($2::bigint[]) AS w (id) WHERE pg_try_advisory_lock($1, hashint8(id)) LIMIT 1`, class, ids).Scan(&l.ID)
	if err == nil {
		return l, nil
	}
	l.Release(ctx)
	if err == pgx.ErrNoRows {
		return nil, nil
	}
	return nil, fmt.Errorf("cannot take a lock: %w", unavailable(err))
}

// dial opens a connection as the role of a partition.
func (d *DB) dial(ctx context.Context, key Key) (*pgx.Conn, error) {
	cfg := d.parts[key.Part].primary[useOf(ctx)].Config().ConnConfig.Copy()
	conn, err := pgx.ConnectConfig(ctx, cfg)
	if err != nil {
		return nil, fmt.Errorf("cannot reach partition %s: %w", key.Part, hidePassword(err))
	}
	return conn, nil
}

// Held fails when the connection is gone, and the lock with it.
func (l *Lock) Held(ctx context.Context) error {
	if err := l.conn.Ping(ctx); err != nil {
		return fmt.Errorf("cannot hold a lock any longer: %w", unavailable(err))
	}
	return nil
}

// Release lets go, however ctx stands.
func (l *Lock) Release(ctx context.Context) { l.conn.Close(context.WithoutCancel(ctx)) }
