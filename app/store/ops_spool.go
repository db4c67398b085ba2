package store

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"
)

// SpoolCursor is how far a node's spool has been drained; found is false for a node that never drained.
func (s *Store) SpoolCursor(ctx context.Context, node string) (segment uint64, pos int64, found bool, err error) {
	var seg int64
	err = s.db.Write(ctx, opsKey(0)).QueryRow(ctx, `SELECT segment, pos FROM spool_cursor WHERE node = $1`, node).Scan(&seg, &pos)
	if errors.Is(err, pgx.ErrNoRows) {
		return 0, 0, false, nil
	}
	if err != nil {
		return 0, 0, false, fmt.Errorf("cannot read the spool cursor of %q: %w", node, err)
	}
	return uint64(seg), pos, true, nil
}

// DeadLetter is a record that could not be stored.
type DeadLetter struct {
	ID        int64
	ProjectID int64
	Kind      int16
	EventID   [16]byte
	Received  time.Time
	Reason    string
	Payload   []byte
}

// Bury keeps a record that cannot be stored, counts it as invalid and moves the cursor past it.
func (s *Store) Bury(ctx context.Context, move SpoolMove, l DeadLetter) error {
	err := s.db.Tx(ctx, opsKey(0), func(tx pgx.Tx) error {
		b := &pgx.Batch{}
		queueMove(b, move)
		b.Queue(`INSERT INTO dead_letter (id, project_id, kind, event_id, received, reason, payload)
			VALUES ($1, $2, $3, $4, $5, $6, $7) ON CONFLICT DO NOTHING`,
			l.ID, l.ProjectID, l.Kind, l.EventID, l.Received, l.Reason, l.Payload)
		b.Queue(`INSERT INTO outcome AS o (project_id, hour, category, outcome, reason, n)
			VALUES ($1, $2, 'error', 'invalid', 'dead_letter', 1)
			ON CONFLICT (hour, project_id, category, outcome, reason) DO UPDATE SET n = o.n + 1`,
			l.ProjectID, l.Received.Truncate(time.Hour))
		return tx.SendBatch(ctx, b).Close()
	})
	if err != nil {
		return fmt.Errorf("cannot bury record %d: %w", l.ID, err)
	}
	return nil
}

// DeadLetters is how many records could not be stored.
func (s *Store) DeadLetters(ctx context.Context) (n int64, err error) {
	err = s.db.Read(ctx, opsKey(0)).QueryRow(ctx, `SELECT count(*) FROM dead_letter`).Scan(&n)
	if err != nil {
		return 0, fmt.Errorf("cannot count dead letters: %w", err)
	}
	return n, nil
}
