package store

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"kibitz/app/db"
)

// Explanation is a plan, or why there is none.
type Explanation struct {
	// Plan is what EXPLAIN (FORMAT JSON) answered.
	Plan []byte
	// Params are the types of the statement's placeholders, as PostgreSQL took them.
	Params []string
	// Refused is PostgreSQL's own message when it would not plan the statement, with its code; "" when it did.
	Refused, Code string
}

// ExplainRequest asks for a plan. SQL must have been checked to be one statement.
type ExplainRequest struct {
	SQL string
	// Values are texts for $1, $2 ...; nil asks for the generic plan, which knows none.
	Values []string
	// Run executes the statement (EXPLAIN ANALYZE).
	Run     bool
	Timeout time.Duration
}

// Explain asks a node for the plan of a statement, under the partition's own role, in a read-only transaction that is rolled
// back. The statement is prepared first, by the protocol that takes a single one: text that would end it and begin another is
// a syntax error, and PREPARE takes nothing but SELECT, INSERT, UPDATE, DELETE, MERGE and VALUES. All versions from 15 on are
// asked in the same way.
func (s *Store) Explain(ctx context.Context, node db.Node, r ExplainRequest) (e Explanation, err error) {
	err = s.db.Look(ctx, node, func(tx pgx.Tx) error {
		_, err := tx.Exec(ctx, `SELECT set_config('statement_timeout', $1, true), set_config('lock_timeout', '1s', true),
			set_config('plan_cache_mode', $2, true), set_config('standard_conforming_strings', 'on', true)`,
			fmt.Sprint(r.Timeout.Milliseconds()), planMode(r))
		if err != nil {
			return err
		}
		e, err = explain(ctx, tx, r)
		return err
	})
	var pg *pgconn.PgError
	if errors.As(err, &pg) {
		e.Refused, e.Code = pg.Message, pg.Code
		return e, nil
	}
	if err != nil {
		return e, fmt.Errorf("cannot explain a statement on %s: %w", node, err)
	}
	return e, nil
}

func planMode(r ExplainRequest) string {
	if r.Values == nil {
		return "force_generic_plan"
	}
	return "force_custom_plan"
}

// explained is the name of the prepared statement. Prepared statements outlive a rollback, so it is let go of by hand.
const explained = "kibitz_explained"

func explain(ctx context.Context, tx pgx.Tx, r ExplainRequest) (e Explanation, err error) {
	conn := tx.Conn().PgConn()
	// Exec of pgx would send a text without arguments by the simple protocol, which takes several statements.
	if _, err := conn.ExecParams(ctx, "PREPARE "+explained+" AS "+r.SQL, nil, nil, nil, nil).Close(); err != nil {
		return e, err
	}
	defer func() {
		_, failed := conn.ExecParams(context.WithoutCancel(ctx), "DEALLOCATE "+explained, nil, nil, nil, nil).Close()
		if failed != nil && conn.TxStatus() != 'E' {
			err = errors.Join(err, failed)
		}
	}()
	err = tx.QueryRow(ctx, `SELECT parameter_types::text[] FROM pg_prepared_statements WHERE name = $1`, explained).Scan(&e.Params)
	if err != nil {
		return e, err
	}
	if r.Values != nil && len(r.Values) != len(e.Params) {
		e.Refused = fmt.Sprintf("the statement has %d placeholders and %d values were given", len(e.Params), len(r.Values))
		return e, nil
	}
	err = savepoint(ctx, tx, func() error {
		return tx.QueryRow(ctx, explainText(r, len(e.Params)), pgx.QueryExecModeExec).Scan(&e.Plan)
	})
	return e, err
}

// savepoint runs fn so that the transaction lives on when it fails.
func savepoint(ctx context.Context, tx pgx.Tx, fn func() error) error {
	inner, err := tx.Begin(ctx)
	if err != nil {
		return err
	}
	failed := fn()
	if err := inner.Rollback(context.WithoutCancel(ctx)); err != nil && failed == nil {
		return err
	}
	return failed
}

func explainText(r ExplainRequest, params int) string {
	options := "FORMAT JSON, SETTINGS"
	if r.Run {
		options = "ANALYZE, BUFFERS, " + options
	}
	if params == 0 {
		return "EXPLAIN (" + options + ") EXECUTE " + explained
	}
	values := make([]string, params)
	for i := range values {
		values[i] = "NULL"
		if r.Values != nil {
			values[i] = quoteLiteral(r.Values[i])
		}
	}
	return "EXPLAIN (" + options + ") EXECUTE " + explained + "(" + strings.Join(values, ", ") + ")"
}

// quoteLiteral writes a text as SQL reads it with standard_conforming_strings on.
func quoteLiteral(s string) string { return "'" + strings.ReplaceAll(s, "'", "''") + "'" }

// VolatileFunctions are those of some names that may do anything: they are called when a statement runs. Names are as in the
// catalog.
func (s *Store) VolatileFunctions(ctx context.Context, node db.Node, names []string) (volatile []string, err error) {
	err = s.db.Look(ctx, node, func(tx pgx.Tx) error {
		rows, err := tx.Query(ctx, `SELECT DISTINCT proname::text FROM pg_proc WHERE provolatile = 'v' AND proname = ANY($1) ORDER BY 1`, names)
		if err != nil {
			return err
		}
		volatile, err = pgx.CollectRows(rows, pgx.RowTo[string])
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("cannot look functions up: %w", err)
	}
	return volatile, nil
}
