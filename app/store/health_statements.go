package store

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"kibitz/app/db"
	"kibitz/app/model"
)

// maxStatementText bounds a statement's text as it is read; longer ones are cut by the server.
const maxStatementText = 20_000

// ServerIdentity is the same for all nodes that are one server and database.
func (s *Store) ServerIdentity(ctx context.Context, node db.Node) (identity string, err error) {
	err = s.db.Look(ctx, node, func(tx pgx.Tx) error {
		return tx.QueryRow(ctx, `SELECT concat_ws('/', current_setting('port'), extract(epoch FROM pg_postmaster_start_time()), current_database())`).Scan(&identity)
	})
	if err != nil {
		return "", fmt.Errorf("cannot ask %s who it is: %w", node, err)
	}
	return identity, nil
}

// What pg_stat_statements is asked: 17 renamed the times of blocks and tells since when each row counts.
const (
	pgstatColumns = `SELECT userid::bigint, dbid::bigint, pg_get_userbyid(userid), queryid, toplevel, calls, total_exec_time, rows,
			shared_blks_hit, shared_blks_read, shared_blks_dirtied, shared_blks_written, temp_blks_read, temp_blks_written, wal_bytes::bigint, `
	pgstatTables = `
		FROM pg_stat_statements(false)
		WHERE dbid = (SELECT oid FROM pg_database WHERE datname = current_database()) AND queryid IS NOT NULL`
	sqlPgstat15 = pgstatColumns + `blk_read_time, blk_write_time, NULL::timestamptz` + pgstatTables
	sqlPgstat17 = pgstatColumns + `shared_blk_read_time, shared_blk_write_time, stats_since` + pgstatTables
)

// Statements is a snapshot of the counters of all statements of a node's database. Texts are not read: the server keeps them in
// a file, which is read whole; see StatementTexts. Nothing is ever reset.
func (s *Store) Statements(ctx context.Context, node db.Node) (snap model.StatementSnapshot, err error) {
	err = s.db.Look(ctx, node, func(tx pgx.Tx) error {
		var monitor bool
		if err := lookAsMonitor(ctx, tx, &monitor); err != nil {
			return err
		}
		there, err := findExtension(ctx, tx, "pg_stat_statements")
		switch {
		case err != nil:
			return err
		case !there:
			snap.Missing = "extension"
			return nil
		case !monitor:
			snap.Missing = "rights"
			return nil
		}
		return readStatements(ctx, tx, &snap)
	})
	if notLoaded(err) {
		return model.StatementSnapshot{Missing: "library"}, nil
	}
	if err != nil {
		return snap, fmt.Errorf("cannot read the statements of %s: %w", node, err)
	}
	return snap, nil
}

// notLoaded tells that the extension is there and its library was not loaded at the server's start.
func notLoaded(err error) bool {
	var pg *pgconn.PgError
	return errors.As(err, &pg) && pg.Code == "55000"
}

func readStatements(ctx context.Context, tx pgx.Tx, snap *model.StatementSnapshot) error {
	var version int
	err := tx.QueryRow(ctx, `SELECT current_setting('server_version_num')::int, clock_timestamp(), stats_reset, dealloc
		FROM pg_stat_statements_info`).Scan(&version, &snap.At, &snap.Reset, &snap.Evictions)
	if err != nil {
		return err
	}
	sql := sqlPgstat15
	if version >= 170000 {
		sql = sqlPgstat17
	}
	rows, err := tx.Query(ctx, sql)
	if err != nil {
		return err
	}
	snap.Rows, err = pgx.CollectRows(rows, scanCounters)
	return err
}

func scanCounters(r pgx.CollectableRow) (c model.StatementCounters, err error) {
	var total, read, written float64 // ms
	var since *time.Time
	err = r.Scan(&c.User, &c.Database, &c.Role, &c.QueryID, &c.Toplevel, &c.Calls, &total, &c.Rows, &c.Hit, &c.Read, &c.Dirtied, &c.Written,
		&c.TempRead, &c.TempDone, &c.WALBytes, &read, &written, &since)
	c.Total, c.ReadTime, c.WriteTime, c.Since = seconds(total/1000), seconds(read/1000), seconds(written/1000), orZero(since)
	return c, err
}

// StatementTexts are the normalised texts of statements by query id, cut to 20,000 characters.
func (s *Store) StatementTexts(ctx context.Context, node db.Node, ids []int64) (texts map[int64]string, err error) {
	texts = map[int64]string{}
	err = s.db.Look(ctx, node, func(tx pgx.Tx) error {
		var monitor bool
		if err := lookAsMonitor(ctx, tx, &monitor); err != nil {
			return err
		}
		if there, err := findExtension(ctx, tx, "pg_stat_statements"); err != nil || !there {
			return err
		}
		rows, err := tx.Query(ctx, `SELECT queryid, left(query, $2) FROM pg_stat_statements WHERE queryid = ANY($1)`, ids, maxStatementText)
		if err != nil {
			return err
		}
		var id int64
		var text string
		_, err = pgx.ForEachRow(rows, []any{&id, &text}, func() error { texts[id] = text; return nil })
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("cannot read the texts of statements of %s: %w", node, err)
	}
	return texts, nil
}
