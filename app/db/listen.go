package db

import (
	"context"
	"fmt"

	"github.com/jackc/pgx/v5"
)

// Listen hands the payloads of a channel's notifications to fn until ctx ends or the connection is lost, on a connection of its
// own. Once it listens fn has "": what was notified of before has to be looked for.
func (d *DB) Listen(ctx context.Context, key Key, channel string, fn func(payload string)) error {
	conn, err := d.holder(ctx, key)
	if err != nil {
		return fmt.Errorf("cannot listen on %s: %w", channel, unavailable(err))
	}
	defer letGo(ctx, conn)
	if _, err := conn.Exec(ctx, "LISTEN "+pgx.Identifier{channel}.Sanitize()); err != nil {
		return fmt.Errorf("cannot listen on %s: %w", channel, unavailable(err))
	}
	fn("")
	for {
		n, err := conn.WaitForNotification(ctx)
		if err != nil {
			return fmt.Errorf("cannot listen on %s any more: %w", channel, unavailable(err))
		}
		fn(n.Payload)
	}
}
