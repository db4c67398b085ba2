package store

import (
	"context"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"

	"kibitz/app/db"
	"kibitz/app/model"
)

// maxRelations bounds how many tables, indexes or columns of one schema a check reads, the largest tables first.
const maxRelations = 20_000

// SchemaFacts reads what stands in a partition's schema, with the statistics of one of its servers: scans are counted on
// each server apart, and an index that the primary never reads may be what a replica lives on. It runs under the
// partition's own role, since the planner's statistics are shown only to who may read the table.
func (s *Store) SchemaFacts(ctx context.Context, node db.Node) (f model.SchemaFacts, err error) {
	f.Part = string(node.Part)
	err = s.db.Look(ctx, node, func(tx pgx.Tx) error {
		var version int
		err := tx.QueryRow(ctx, `SELECT current_setting('server_version_num')::int, set_config('statement_timeout', $1, true),
			set_config('lock_timeout', '1s', true)`, lookTimeout).Scan(&version, nil, nil)
		if err != nil {
			return err
		}
		b := &pgx.Batch{}
		queueTables(b, &f)
		queueIndexes(b, &f, version)
		queueColumns(b, &f)
		queueSequences(b, &f)
		queueConstraints(b, &f)
		// Where the server does not say since when it counts, it counts since the database was made, shortly before.
		b.Queue(`SELECT coalesce(min(applied_at), now()) FROM migration`).QueryRow(func(row pgx.Row) error { return row.Scan(&f.Made) })
		return tx.SendBatch(ctx, b).Close()
	})
	if err != nil {
		return f, fmt.Errorf("cannot read the facts of schema %s on %s: %w", node.Part, node, err)
	}
	return f, nil
}

func queueTables(b *pgx.Batch, f *model.SchemaFacts) {
	b.Queue(`SELECT c.oid::bigint, c.relname, coalesce(r.relname, c.relname), pg_relation_size(c.oid), pg_total_relation_size(c.oid),
			c.reltuples::bigint, coalesce(s.seq_scan, 0), coalesce(s.idx_scan, 0), coalesce(s.n_live_tup, 0), coalesce(s.n_dead_tup, 0),
			coalesce(s.n_mod_since_analyze, 0), coalesce(s.n_tup_ins + s.n_tup_upd + s.n_tup_del, 0),
			greatest(s.last_vacuum, s.last_autovacuum), greatest(s.last_analyze, s.last_autoanalyze), age(c.relfrozenxid)::bigint
		FROM pg_class c
		LEFT JOIN pg_class r ON r.oid = pg_partition_root(c.oid)
		LEFT JOIN pg_stat_user_tables s ON s.relid = c.oid
		WHERE c.relnamespace = current_schema()::regnamespace AND c.relkind IN ('r', 'm')
		ORDER BY c.relpages DESC, c.relname LIMIT $1`, maxRelations).Query(func(rows pgx.Rows) (err error) {
		f.Tables, err = pgx.CollectRows(rows, scanTable)
		return err
	})
}

func scanTable(r pgx.CollectableRow) (t model.TableFacts, err error) {
	var vacuumed, analyzed *time.Time
	err = r.Scan(&t.OID, &t.Name, &t.Root, &t.Bytes, &t.Total, &t.Rows, &t.SeqScans, &t.IdxScans, &t.Live, &t.Dead, &t.Changed,
		&t.Writes, &vacuumed, &analyzed, &t.XIDAge)
	t.Vacuumed, t.Analyzed = orZero(vacuumed), orZero(analyzed)
	return t, err
}

func orZero(t *time.Time) time.Time {
	if t == nil {
		return time.Time{}
	}
	return *t
}

// The columns of an index: what it is searched by, then what it only stores (INCLUDE). The signature says all that makes two
// indexes' columns the same: name or expression, operator class, collation, order.
const (
	indexColumns = `SELECT i.indexrelid::bigint, ic.relname, t.relname, coalesce(tr.relname, t.relname), coalesce(ir.relname, ic.relname), am.amname,
			ARRAY(SELECT pg_get_indexdef(i.indexrelid, n, true) FROM generate_series(1, i.indnatts) n),
			i.indnkeyatts::int,
			ARRAY(SELECT concat_ws(' ', pg_get_indexdef(i.indexrelid, n + 1, true), i.indclass[n], i.indcollation[n], i.indoption[n])
				FROM generate_series(0, i.indnkeyatts - 1) n),
			coalesce(pg_get_expr(i.indpred, i.indrelid, true), ''), pg_get_indexdef(i.indexrelid),
			pg_relation_size(i.indexrelid), ic.reltuples::bigint,
			coalesce((SELECT split_part(o, '=', 2)::int FROM unnest(ic.reloptions) o WHERE o LIKE 'fillfactor=%'), 90),
			coalesce(s.idx_scan, 0), coalesce(io.idx_blks_read, 0), coalesce(io.idx_blks_hit, 0),
			i.indisunique, i.indisprimary, EXISTS (SELECT 1 FROM pg_constraint k WHERE k.conindid = i.indexrelid),
			i.indisvalid, i.indisready, i.indisreplident, i.indpred IS NOT NULL, i.indexprs IS NOT NULL, `
	indexTables = `
		FROM pg_index i
		JOIN pg_class ic ON ic.oid = i.indexrelid
		JOIN pg_class t ON t.oid = i.indrelid
		JOIN pg_am am ON am.oid = ic.relam
		LEFT JOIN pg_class tr ON tr.oid = pg_partition_root(t.oid)
		LEFT JOIN pg_class ir ON ir.oid = pg_partition_root(ic.oid)
		LEFT JOIN pg_stat_user_indexes s ON s.indexrelid = i.indexrelid
		LEFT JOIN pg_statio_user_indexes io ON io.indexrelid = i.indexrelid
		WHERE t.relnamespace = current_schema()::regnamespace AND ic.relkind = 'i'
		ORDER BY ic.relpages DESC, ic.relname LIMIT $1`
	sqlIndexes15 = indexColumns + `NULL::timestamptz` + indexTables
	sqlIndexes16 = indexColumns + `s.last_idx_scan` + indexTables
)

func queueIndexes(b *pgx.Batch, f *model.SchemaFacts, version int) {
	sql := sqlIndexes15
	if version >= 160000 {
		sql = sqlIndexes16
	}
	b.Queue(sql, maxRelations).Query(func(rows pgx.Rows) (err error) {
		f.Indexes, err = pgx.CollectRows(rows, func(r pgx.CollectableRow) (i model.IndexFacts, err error) {
			var last *time.Time
			err = r.Scan(&i.OID, &i.Name, &i.Table, &i.Root, &i.RootIndex, &i.Method, &i.Columns, &i.Keys, &i.Signature, &i.Where,
				&i.Definition, &i.Bytes, &i.Rows, &i.Fill, &i.Scans, &i.Reads, &i.Hits, &i.Unique, &i.Primary, &i.Constraint, &i.Valid,
				&i.Ready, &i.ReplicaID, &i.Partial, &i.Expressions, &last)
			i.LastScan = orZero(last)
			return i, err
		})
		return err
	})
}

// queueColumns reads what the planner knows of columns. The upper end of the histogram, which tells how far a key of whole
// numbers has come, is read for single-column primary keys only: a histogram of texts holds people's data.
func queueColumns(b *pgx.Batch, f *model.SchemaFacts) {
	b.Queue(`SELECT c.relname, a.attname, format_type(a.atttypid, a.atttypmod), s.attname IS NOT NULL, coalesce(s.avg_width, 0),
			coalesce(s.null_frac, 0)::float8, coalesce(s.n_distinct, 0)::float8, coalesce(p.indrelid IS NOT NULL, false),
			CASE WHEN p.indrelid IS NOT NULL AND a.atttypid IN ('int2'::regtype, 'int4'::regtype, 'int8'::regtype)
				THEN coalesce((s.histogram_bounds::text::text[])[array_length(s.histogram_bounds::text::text[], 1)], '') ELSE '' END
		FROM pg_attribute a
		JOIN pg_class c ON c.oid = a.attrelid
		LEFT JOIN pg_stats s ON s.schemaname = current_schema() AND s.tablename = c.relname AND s.attname = a.attname AND NOT s.inherited
		LEFT JOIN pg_index p ON p.indrelid = c.oid AND p.indisprimary AND p.indnkeyatts = 1 AND p.indkey[0] = a.attnum
		WHERE c.relnamespace = current_schema()::regnamespace AND c.relkind IN ('r', 'm', 'i') AND a.attnum > 0 AND NOT a.attisdropped
			AND (c.relkind <> 'i' OR s.attname IS NOT NULL)
		ORDER BY c.relpages DESC, c.relname, a.attnum LIMIT $1`, maxRelations).Query(func(rows pgx.Rows) (err error) {
		f.Columns, err = pgx.CollectRows(rows, func(r pgx.CollectableRow) (c model.ColumnFacts, err error) {
			return c, r.Scan(&c.Table, &c.Name, &c.Type, &c.Known, &c.Width, &c.Nulls, &c.Distinct, &c.Primary, &c.Top)
		})
		return err
	})
}

func queueSequences(b *pgx.Batch, f *model.SchemaFacts) {
	b.Queue(`SELECT s.sequencename, coalesce(concat_ws('.', t.relname, a.attname), ''), coalesce(format_type(a.atttypid, NULL), s.data_type::text),
			s.last_value IS NOT NULL OR has_sequence_privilege(c.oid, 'SELECT, USAGE'), coalesce(s.last_value, 0), s.max_value, s.increment_by
		FROM pg_sequences s
		JOIN pg_class c ON c.relname = s.sequencename AND c.relnamespace = current_schema()::regnamespace
		LEFT JOIN pg_depend d ON d.objid = c.oid AND d.classid = 'pg_class'::regclass AND d.refclassid = 'pg_class'::regclass AND d.deptype IN ('a', 'i')
		LEFT JOIN pg_class t ON t.oid = d.refobjid
		LEFT JOIN pg_attribute a ON a.attrelid = d.refobjid AND a.attnum = d.refobjsubid
		WHERE s.schemaname = current_schema() ORDER BY 1 LIMIT $1`, maxRelations).Query(func(rows pgx.Rows) (err error) {
		f.Sequences, err = pgx.CollectRows(rows, func(r pgx.CollectableRow) (v model.SequenceFacts, err error) {
			return v, r.Scan(&v.Name, &v.Column, &v.Type, &v.Known, &v.Last, &v.Max, &v.Step)
		})
		return err
	})
}

func queueConstraints(b *pgx.Batch, f *model.SchemaFacts) {
	b.Queue(`SELECT k.conname, t.relname, coalesce(r.relname, ''), k.contype = 'f', k.convalidated,
			ARRAY(SELECT a.attname FROM unnest(k.conkey) WITH ORDINALITY u (n, o) JOIN pg_attribute a ON a.attrelid = k.conrelid AND a.attnum = u.n ORDER BY u.o)
		FROM pg_constraint k
		JOIN pg_class t ON t.oid = k.conrelid
		LEFT JOIN pg_class r ON r.oid = k.confrelid
		WHERE k.connamespace = current_schema()::regnamespace AND (k.contype = 'f' OR NOT k.convalidated) AND k.conparentid = 0
		ORDER BY 2, 1 LIMIT $1`, maxRelations).Query(func(rows pgx.Rows) (err error) {
		f.Constraints, err = pgx.CollectRows(rows, func(r pgx.CollectableRow) (v model.ConstraintFacts, err error) {
			return v, r.Scan(&v.Name, &v.Table, &v.References, &v.Foreign, &v.Validated, &v.Columns)
		})
		return err
	})
}

// IndexResidency is how many bytes of each index of a partition stand in shared buffers, by oid; nil where pg_buffercache is
// not installed or we may not read it. It looks at every buffer: some 30 ms for 512 MB.
func (s *Store) IndexResidency(ctx context.Context, node db.Node) (cached map[int64]int64, err error) {
	err = s.db.Look(ctx, node, func(tx pgx.Tx) error {
		var monitor bool
		if err := lookAsMonitor(ctx, tx, &monitor); err != nil || !monitor {
			return err
		}
		there, err := findExtension(ctx, tx, "pg_buffercache")
		if err != nil || !there {
			return err
		}
		cached = map[int64]int64{}
		rows, err := tx.Query(ctx, `SELECT c.oid::bigint, count(*) * current_setting('block_size')::bigint
			FROM pg_buffercache b
			JOIN pg_class c ON b.relfilenode = pg_relation_filenode(c.oid) AND c.relkind = 'i'
			JOIN pg_namespace n ON n.oid = c.relnamespace AND n.nspname = $1
			WHERE b.reldatabase = (SELECT oid FROM pg_database WHERE datname = current_database()) AND b.relforknumber = 0
			GROUP BY 1`, string(node.Part))
		if err != nil {
			return err
		}
		var oid, n int64
		_, err = pgx.ForEachRow(rows, []any{&oid, &n}, func() error { cached[oid] = n; return nil })
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("cannot read which indexes of %s are in memory: %w", node, err)
	}
	return cached, nil
}

// findExtension puts the schema of an extension into the search path of the transaction, so that statements need not know
// where an operator installed it; there is false when it is not installed, or in a schema that we may not use.
func findExtension(ctx context.Context, tx pgx.Tx, name string) (there bool, err error) {
	rows, err := tx.Query(ctx, `SELECT set_config('search_path', quote_ident(n.nspname), true)
		FROM pg_extension e JOIN pg_namespace n ON n.oid = e.extnamespace
		WHERE e.extname = $1 AND has_schema_privilege(n.oid, 'USAGE')`, name)
	if err != nil {
		return false, err
	}
	for rows.Next() {
		there = true
	}
	return there, rows.Err()
}
