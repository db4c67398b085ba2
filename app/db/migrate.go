package db

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"path"
	"strconv"

	"github.com/jackc/pgx/v5"
)

// ErrForeign marks a database that belongs to another partition, or that a newer program has migrated.
var ErrForeign = errors.New("this database is not the one that it should be")

// migrateLock is the advisory lock under which a partition is migrated; two processes that start at once take turns.
const migrateLock = 715190221

// Migrate brings every partition up to the migrations in files (a directory each). Each file and the note that it
// ran commit together, so a kill leaves whole steps only and the next start goes on. progress hears of each file.
func (d *DB) Migrate(ctx context.Context, files fs.FS, progress func(part, name string)) error {
	for _, name := range Partitions {
		err := d.Owner(ctx, name, func(conn *pgx.Conn) error {
			m := migration{conn, name, files, progress}
			return m.run(ctx)
		})
		if err != nil {
			return fmt.Errorf("cannot migrate partition %s: %w", name, err)
		}
	}
	return nil
}

type migration struct {
	conn     *pgx.Conn
	part     Partition
	files    fs.FS
	progress func(part, name string)
}

func (m migration) run(ctx context.Context) error {
	// The lock belongs to the connection: it goes when the process does.
	if _, err := m.conn.Exec(ctx, "SELECT pg_advisory_lock($1, hashtext($2))", migrateLock, string(m.part)); err != nil {
		return fmt.Errorf("cannot wait for the lock: %w", err)
	}
	if err := m.bookkeeping(ctx); err != nil {
		return err
	}
	done, err := m.applied(ctx)
	if err != nil {
		return err
	}
	names, err := fs.Glob(m.files, string(m.part)+"/*.sql")
	if err != nil || len(names) == 0 {
		return fmt.Errorf("there are no migrations for it")
	}
	if len(done) > len(names) {
		return fmt.Errorf("%w: it has %d migrations and this program knows %d; run the newer program", ErrForeign, len(done), len(names))
	}
	last := 0
	for _, name := range names {
		if last, err = m.step(ctx, last, name, done); err != nil {
			return err
		}
	}
	if err := m.identify(ctx); err != nil {
		return err
	}
	return m.grant(ctx)
}

func (m migration) bookkeeping(ctx context.Context) error {
	// Provision has made the schema on a server that is ours; on an operator's, the owner makes it here.
	var there bool
	err := m.conn.QueryRow(ctx, `SELECT EXISTS (SELECT 1 FROM pg_namespace WHERE nspname = $1)`, string(m.part)).Scan(&there)
	if err == nil && !there {
		_, err = m.conn.Exec(ctx, "CREATE SCHEMA "+quote(string(m.part)))
	}
	if err != nil {
		return fmt.Errorf("cannot make schema %s: %w", m.part, err)
	}
	_, err = m.conn.Exec(ctx, `CREATE TABLE IF NOT EXISTS migration (
		number     integer PRIMARY KEY,
		name       text NOT NULL,
		checksum   text NOT NULL,
		applied_at timestamptz NOT NULL DEFAULT now())`)
	if err != nil {
		return fmt.Errorf("cannot make the table of migrations: %w", err)
	}
	return nil
}

func (m migration) applied(ctx context.Context) (map[int]string, error) {
	rows, err := m.conn.Query(ctx, `SELECT number, checksum FROM migration`)
	if err != nil {
		return nil, fmt.Errorf("cannot read what has been applied: %w", err)
	}
	done := map[int]string{}
	var n int
	var sum string
	if _, err := pgx.ForEachRow(rows, []any{&n, &sum}, func() error { done[n] = sum; return nil }); err != nil {
		return nil, fmt.Errorf("cannot read what has been applied: %w", err)
	}
	return done, nil
}

// step applies one file unless it has been, and gives its number, which is above that of the one before. Numbers may leave gaps:
// parts of the program that grow side by side take theirs from different stretches.
func (m migration) step(ctx context.Context, last int, name string, done map[int]string) (number int, err error) {
	text, err := fs.ReadFile(m.files, name)
	if err != nil {
		return 0, fmt.Errorf("cannot read %s: %w", name, err)
	}
	base := path.Base(name)
	if number, err = strconv.Atoi(base[:4]); err != nil || number <= last {
		return 0, fmt.Errorf("%s should have a number above %04d", name, last)
	}
	hash := sha256.Sum256(text)
	sum := hex.EncodeToString(hash[:])
	if was, ok := done[number]; ok {
		if was != sum {
			return 0, fmt.Errorf("%w: %s has changed since it was applied", ErrForeign, name)
		}
		return number, nil
	}
	err = pgx.BeginFunc(ctx, m.conn, func(tx pgx.Tx) error {
		// No arguments: the simple protocol takes a file of many statements.
		if _, err := tx.Conn().PgConn().Exec(ctx, string(text)).ReadAll(); err != nil {
			return err
		}
		_, err := tx.Exec(ctx, `INSERT INTO migration (number, name, checksum) VALUES ($1, $2, $3)`, number, base, sum)
		return err
	})
	if err != nil {
		return 0, fmt.Errorf("cannot apply %s: %w", name, err)
	}
	m.progress(string(m.part), base)
	return number, nil
}

// identify writes down whose database this is, or finds that it is another partition's.
func (m migration) identify(ctx context.Context) error {
	var is string
	err := m.conn.QueryRow(ctx, `WITH mark AS (
			INSERT INTO meta (key, value) VALUES ('partition', $1) ON CONFLICT (key) DO NOTHING RETURNING value
		)
		SELECT value FROM mark UNION ALL SELECT value FROM meta WHERE key = 'partition' LIMIT 1`, string(m.part)).Scan(&is)
	if err != nil {
		return fmt.Errorf("cannot tell whose database this is: %w", err)
	}
	if is != string(m.part) {
		return fmt.Errorf("%w: it is that of partition %s", ErrForeign, is)
	}
	return nil
}

// grant lets the partition's role read and write rows, and nothing more. Where a partition runs under an
// account that the operator chose (no role of ours exists), that account owns the tables and needs no grant.
func (m migration) grant(ctx context.Context) error {
	var exists bool
	if err := m.conn.QueryRow(ctx, `SELECT EXISTS (SELECT 1 FROM pg_roles WHERE rolname = $1)`, Role(m.part)).Scan(&exists); err != nil {
		return fmt.Errorf("cannot look for the role: %w", err)
	}
	if !exists {
		return nil
	}
	schema, role := quote(string(m.part)), quote(Role(m.part))
	for _, sql := range []string{
		"GRANT USAGE ON SCHEMA " + schema + " TO " + role,
		"GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA " + schema + " TO " + role,
		"GRANT USAGE, SELECT ON ALL SEQUENCES IN SCHEMA " + schema + " TO " + role,
		"REVOKE INSERT, UPDATE, DELETE ON migration FROM " + role,
		"ALTER DEFAULT PRIVILEGES IN SCHEMA " + schema + " GRANT SELECT, INSERT, UPDATE, DELETE ON TABLES TO " + role,
	} {
		if _, err := m.conn.Exec(ctx, sql); err != nil {
			return fmt.Errorf("cannot grant: %w", err)
		}
	}
	return nil
}
