package db

import (
	"context"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"
)

// Hold runs fn while this process holds an advisory lock on the primary of key, named by a class and key.ID; held is false,
// and fn does not run, while somebody else has it. The lock belongs to a connection of its own, so that the
// server lets go of it the moment the process dies, and so that a long job takes none of a pool. Losing that connection
// loses the lock while fn runs: what fn writes must not depend on being alone.
func (d *DB) Hold(ctx context.Context, key Key, class int32, fn func(context.Context) error) (held bool, err error) {
	conn, err := d.holder(ctx, key)
	if err != nil {
		return false, fmt.Errorf("cannot hold lock %d of %d: %w", class, key.ID, unavailable(err))
	}
	defer letGo(ctx, conn)
	err = conn.QueryRow(ctx, "SELECT pg_try_advisory_lock($1, ($2::bigint % 2147483647)::int)", class, key.ID).Scan(&held)
	if err != nil {
		return false, fmt.Errorf("cannot hold lock %d of %d: %w", class, key.ID, unavailable(err))
	}
	if !held {
		return false, nil
	}
	return true, fn(ctx)
}

func (d *DB) holder(ctx context.Context, key Key) (*pgx.Conn, error) {
	use := useOf(ctx)
	cfg := d.parts[key.Part].primary[use].Config().ConnConfig.Copy()
	cfg.RuntimeParams["application_name"] = "kibitz " + limitsOf[use].name + " lock"
	ctx, cancel := context.WithTimeout(ctx, d.limits(use).acquire)
	defer cancel()
	return pgx.ConnectConfig(ctx, cfg)
}

// letGo gives the lock back and closes its connection, even when ctx has ended; the server is not waited for long.
func letGo(ctx context.Context, conn *pgx.Conn) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), time.Second)
	defer cancel()
	// Both may fail on a connection that is lost, and then the lock is gone already. Unlocking first lets the next one
	// have it before the server has noticed the end of the connection.
	_, _ = conn.Exec(ctx, "SELECT pg_advisory_unlock_all()")
	_ = conn.Close(ctx)
}
