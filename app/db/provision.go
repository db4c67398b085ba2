package db

import (
	"context"
	"errors"
	"fmt"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
)

// Provision makes the database and, for each of the partitions given (all of them when none is), its login role
// and its schema, on a server that is ours. ownerDSN names a superuser. It may be repeated: what is there stays.
func Provision(ctx context.Context, ownerDSN, database string, parts ...Partition) error {
	if len(parts) == 0 {
		parts = Partitions
	}
	cfg, err := pgx.ParseConfig(ownerDSN)
	if err != nil {
		return fmt.Errorf("cannot read the owner's address")
	}
	conn, err := pgx.ConnectConfig(ctx, cfg)
	if err != nil {
		return fmt.Errorf("cannot provision: %w", err)
	}
	defer conn.Close(context.WithoutCancel(ctx))
	_, err = conn.Exec(ctx, "CREATE DATABASE "+quote(database)+" TEMPLATE template0 ENCODING 'UTF8'")
	if err != nil && !hasCode(err, "42P04") {
		return fmt.Errorf("cannot create database %s: %w", database, err)
	}
	for _, p := range parts {
		if err := provisionRole(ctx, conn, p); err != nil {
			return err
		}
	}
	cfg.Database = database
	inside, err := pgx.ConnectConfig(ctx, cfg)
	if err != nil {
		return fmt.Errorf("cannot provision %s: %w", database, err)
	}
	defer inside.Close(context.WithoutCancel(ctx))
	if err := provisionSchemas(ctx, inside, database, parts); err != nil {
		return err
	}
	return provisionMonitoring(ctx, inside)
}

// provisionRole makes a role that may do nothing by itself. It is a member of pg_monitor without inheriting it: what reads the
// server's statistics takes that role for one transaction, and no other statement has it.
func provisionRole(ctx context.Context, conn *pgx.Conn, p Partition) error {
	_, err := conn.Exec(ctx, "CREATE ROLE "+quote(Role(p))+" LOGIN NOSUPERUSER NOCREATEDB NOCREATEROLE NOINHERIT")
	if err != nil && !hasCode(err, "42710", "23505") {
		return fmt.Errorf("cannot create role %s: %w", Role(p), err)
	}
	// "tuple concurrently updated" (XX000): another process grants the same.
	if _, err := conn.Exec(ctx, "GRANT pg_monitor TO "+quote(Role(p))); err != nil && !hasCode(err, "23505", "XX000") {
		return fmt.Errorf("cannot let role %s see statistics: %w", Role(p), err)
	}
	return nil
}

// monitoring are the extensions that checks read, where the server has them.
var monitoring = []string{"pg_stat_statements", "pg_buffercache"}

// provisionMonitoring puts the extensions into a schema of their own, which only pg_monitor may use.
func provisionMonitoring(ctx context.Context, conn *pgx.Conn) error {
	statements := []string{"CREATE SCHEMA IF NOT EXISTS monitoring", "GRANT USAGE ON SCHEMA monitoring TO pg_monitor"}
	for _, name := range monitoring {
		var there bool
		err := conn.QueryRow(ctx, "SELECT EXISTS (SELECT 1 FROM pg_available_extensions WHERE name = $1)", name).Scan(&there)
		if err != nil {
			return fmt.Errorf("cannot look for the extension %s: %w", name, err)
		}
		if there {
			statements = append(statements, "CREATE EXTENSION IF NOT EXISTS "+name+" SCHEMA monitoring")
		}
	}
	err := pgx.BeginFunc(ctx, conn, func(tx pgx.Tx) error {
		if _, err := tx.Exec(ctx, "SELECT pg_advisory_xact_lock(715190220)"); err != nil {
			return err
		}
		for _, sql := range statements {
			if _, err := tx.Exec(ctx, sql); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return fmt.Errorf("cannot make the extensions that checks read: %w", err)
	}
	return nil
}

// provisionSchemas gives each role its own schema to use and nothing else: nothing in public, no other schema.
func provisionSchemas(ctx context.Context, conn *pgx.Conn, database string, parts []Partition) error {
	return pgx.BeginFunc(ctx, conn, func(tx pgx.Tx) error {
		statements := []string{
			"SELECT pg_advisory_xact_lock(715190220)",
			"REVOKE ALL ON DATABASE " + quote(database) + " FROM PUBLIC",
			"REVOKE ALL ON SCHEMA public FROM PUBLIC",
		}
		for _, p := range parts {
			schema, role := quote(string(p)), quote(Role(p))
			statements = append(statements,
				"CREATE SCHEMA IF NOT EXISTS "+schema,
				"GRANT CONNECT ON DATABASE "+quote(database)+" TO "+role,
				"GRANT USAGE ON SCHEMA "+schema+" TO "+role)
		}
		for _, sql := range statements {
			if _, err := tx.Exec(ctx, sql); err != nil {
				return fmt.Errorf("cannot provision %s: %w", database, err)
			}
		}
		return nil
	})
}

func quote(name string) string { return pgx.Identifier{name}.Sanitize() }

func hasCode(err error, codes ...string) bool {
	var pg *pgconn.PgError
	if !errors.As(err, &pg) {
		return false
	}
	for _, c := range codes {
		if pg.Code == c {
			return true
		}
	}
	return false
}
