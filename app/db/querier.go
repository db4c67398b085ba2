package db

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgxpool"

	"kibitz/app/errs"
)

// querier takes a connection for each statement, waiting no longer than its use may.
type querier struct {
	pool   *pgxpool.Pool
	limit  useLimits
	part   Partition
	caller CallerTracer
}

// acquire takes a connection; a pool that has none in time, or a server that is away, is errs.Unavailable.
func (q querier) acquire(ctx context.Context) (*pgxpool.Conn, error) {
	wait, cancel := context.WithTimeout(ctx, q.limit.acquire)
	defer cancel()
	conn, err := q.pool.Acquire(wait)
	if err == nil {
		return conn, nil
	}
	if ctx.Err() != nil {
		return nil, ctx.Err()
	}
	return nil, fmt.Errorf("cannot get a %s connection to partition %s: %w: %w", q.limit.name, q.part, errs.New(errs.Unavailable, ""), err)
}

// Exec implements Querier.
func (q querier) Exec(ctx context.Context, sql string, args ...any) (pgconn.CommandTag, error) {
	conn, err := q.acquire(ctx)
	if err != nil {
		return pgconn.CommandTag{}, err
	}
	defer conn.Release()
	if q.caller != nil {
		q.caller.TraceCaller(ctx, conn.Conn())
	}
	tag, err := conn.Exec(ctx, sql, args...)
	return tag, unavailable(err)
}

// Query implements Querier. The connection goes back when the rows are closed.
func (q querier) Query(ctx context.Context, sql string, args ...any) (pgx.Rows, error) {
	conn, err := q.acquire(ctx)
	if err != nil {
		return nil, err
	}
	if q.caller != nil {
		q.caller.TraceCaller(ctx, conn.Conn())
	}
	rows, err := conn.Query(ctx, sql, args...)
	if err != nil {
		conn.Release()
		return nil, unavailable(err)
	}
	return &poolRows{rows, conn}, nil
}

// QueryRow implements Querier.
func (q querier) QueryRow(ctx context.Context, sql string, args ...any) pgx.Row {
	conn, err := q.acquire(ctx)
	if err != nil {
		return errRow{err}
	}
	if q.caller != nil {
		q.caller.TraceCaller(ctx, conn.Conn())
	}
	return poolRow{conn.QueryRow(ctx, sql, args...), conn}
}

func (q querier) tx(ctx context.Context, fn func(pgx.Tx) error) error {
	conn, err := q.acquire(ctx)
	if err != nil {
		return err
	}
	defer conn.Release()
	return unavailable(pgx.BeginFunc(ctx, conn, fn))
}

type poolRows struct {
	pgx.Rows
	conn *pgxpool.Conn
}

// Close gives the connection back, once.
func (r *poolRows) Close() {
	r.Rows.Close()
	r.release()
}

// Next gives the connection back after the last row, as callers that read to the end need not close.
func (r *poolRows) Next() bool {
	if r.Rows.Next() {
		return true
	}
	r.release()
	return false
}

func (r *poolRows) release() {
	if r.conn != nil {
		r.conn.Release()
		r.conn = nil
	}
}

// Err implements pgx.Rows.
func (r *poolRows) Err() error { return unavailable(r.Rows.Err()) }

type poolRow struct {
	pgx.Row
	conn *pgxpool.Conn
}

// Scan implements pgx.Row.
func (r poolRow) Scan(dest ...any) error {
	defer r.conn.Release()
	return unavailable(r.Row.Scan(dest...))
}

type errRow struct{ err error }

// Scan implements pgx.Row.
func (r errRow) Scan(...any) error { return r.err }

// Class is what sort of failure a database error is.
type Class int

// The classes. Data: these values can never be stored. Schema: table, column or right is missing. Down: the
// server is away, stopping or full, and will be back. Other: anything else.
const (
	Other Class = iota
	Data
	Schema
	Down
)

// ClassOf sorts an error by its SQLSTATE (PostgreSQL, appendix A).
func ClassOf(err error) Class {
	var pg *pgconn.PgError
	if !errors.As(err, &pg) || len(pg.Code) != 5 {
		var op *net.OpError
		// A server that dies in the middle of an answer leaves half of it.
		if errors.As(err, &op) || errors.Is(err, io.ErrUnexpectedEOF) || errs.Of(err) == errs.Unavailable {
			return Down
		}
		return Other
	}
	switch pg.Code[:2] {
	case "22", "54": // data exception, program limit exceeded
		return Data
	case "23": // integrity: our own statements never cause one on good data
		return Data
	case "42", "3F", "3D", "26", "0A": // syntax, missing schema or database, missing prepared statement
		return Schema
	case "08", "53", "57", "58": // connection, resources, operator intervention, system error
		if pg.Code == "57014" { // a statement's timeout
			return Other
		}
		return Down
	}
	return Other
}

// unavailable marks errors of a server that is away, so that a page answers 503 and not 500.
func unavailable(err error) error {
	if err == nil || errs.Of(err) != errs.Internal || errors.Is(err, context.Canceled) {
		return err
	}
	if ClassOf(err) == Down || pgconn.SafeToRetry(err) || pgconn.Timeout(err) {
		return fmt.Errorf("%w: %w", errs.New(errs.Unavailable, ""), err)
	}
	return err
}
