package store

import (
	"context"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"

	"kibitz/app/db"
	"kibitz/app/model"
)

// lookTimeout bounds each statement of a health check. Catalogs answer in milliseconds; what does not is stopped before a
// page gives up (15 s).
const lookTimeout = "4s"

// maxSessions bounds how many long or blocked sessions a check reads, the oldest first.
const maxSessions = 200

// Nodes are all servers of all partitions.
func (s *Store) Nodes() []db.Node { return s.db.Nodes() }

// ServerFacts reads what a server says of itself: catalogs and statistics only, in a read-only transaction. Where our role
// is a member of pg_monitor it takes that role for it; where not, what others do stays unknown (Monitor false).
func (s *Store) ServerFacts(ctx context.Context, node db.Node) (f model.ServerFacts, err error) {
	f.Node, f.Part, f.Replica = node.String(), string(node.Part), node.Replica
	err = s.db.Look(ctx, node, func(tx pgx.Tx) error {
		if err := lookAsMonitor(ctx, tx, &f.Monitor); err != nil {
			return err
		}
		if err := readServer(ctx, tx, &f); err != nil {
			return err
		}
		return readActivity(ctx, tx, &f)
	})
	if err != nil {
		return f, fmt.Errorf("cannot read the facts of server %s: %w", node, err)
	}
	return f, nil
}

// lookAsMonitor bounds the transaction's statements and takes the role pg_monitor when we may. Our roles do not inherit it:
// only statements that need it have it.
func lookAsMonitor(ctx context.Context, tx pgx.Tx, monitor *bool) error {
	err := tx.QueryRow(ctx, `SELECT pg_has_role('pg_monitor', 'MEMBER'), set_config('statement_timeout', $1, true),
		set_config('lock_timeout', '1s', true)`, lookTimeout).Scan(monitor, nil, nil)
	if err != nil || !*monitor {
		return err
	}
	_, err = tx.Exec(ctx, `SET LOCAL ROLE pg_monitor`)
	return err
}

// readServer reads who the server is and the counters of its database. Two addresses are one server when port, start
// and database agree: a start has microseconds.
func readServer(ctx context.Context, tx pgx.Tx, f *model.ServerFacts) error {
	var reset *time.Time
	err := tx.QueryRow(ctx, `SELECT current_setting('server_version_num')::int, pg_is_in_recovery(), pg_postmaster_start_time(),
			clock_timestamp(), current_database(),
			concat_ws('/', current_setting('port'), extract(epoch FROM pg_postmaster_start_time()), current_database()),
			pg_database_size(current_database()),
			d.stats_reset, d.deadlocks, d.temp_bytes, d.xact_commit, d.xact_rollback,
			coalesce(t.hit, 0), coalesce(t.read, 0), coalesce(t.ihit, 0), coalesce(t.iread, 0), coalesce(r.live, 0), coalesce(r.dead, 0)
		FROM pg_stat_database d,
			(SELECT sum(heap_blks_hit)::bigint AS hit, sum(heap_blks_read)::bigint AS read, sum(idx_blks_hit)::bigint AS ihit,
				sum(idx_blks_read)::bigint AS iread FROM pg_statio_user_tables) t,
			(SELECT sum(n_live_tup)::bigint AS live, sum(n_dead_tup)::bigint AS dead FROM pg_stat_user_tables) r
		WHERE d.datname = current_database()`).Scan(&f.Version, &f.Recovery, &f.Started, &f.At, &f.Database, &f.Identity, &f.Size,
		&reset, &f.Vitals.Deadlocks, &f.Vitals.TempBytes, &f.Vitals.Commits, &f.Vitals.Rollbacks,
		&f.Vitals.TableHits, &f.Vitals.TableReads, &f.Vitals.IndexHits, &f.Vitals.IndexReads, &f.Vitals.Live, &f.Vitals.Dead)
	if reset != nil {
		f.StatsReset = *reset
	}
	return err
}

// judgedSettings are the settings that checks look at.
var judgedSettings = []string{"shared_buffers", "max_connections", "effective_cache_size", "work_mem", "maintenance_work_mem", "autovacuum",
	"fsync", "full_page_writes", "synchronous_commit", "track_activities", "track_counts", "track_io_timing", "random_page_cost",
	"autovacuum_freeze_max_age", "idle_in_transaction_session_timeout", "statement_timeout", "checkpoint_timeout", "max_wal_size",
	"shared_preload_libraries", "compute_query_id", "log_min_duration_statement", "jit", "wal_level", "max_slot_wal_keep_size",
	"autovacuum_vacuum_scale_factor", "enable_seqscan", "enable_indexscan", "enable_hashjoin", "data_checksums", "pg_stat_statements.max",
	"default_statistics_target", "superuser_reserved_connections"}

func readActivity(ctx context.Context, tx pgx.Tx, f *model.ServerFacts) error {
	b := &pgx.Batch{}
	queueSettings(b, f)
	queueConnections(b, f)
	queueSessions(b, f)
	queueAges(b, f)
	queueReplication(b, f)
	queueProgress(b, f)
	return tx.SendBatch(ctx, b).Close()
}

func queueSettings(b *pgx.Batch, f *model.ServerFacts) {
	f.Settings = map[string]model.Setting{}
	b.Queue(`SELECT name, setting, coalesce(unit, ''), source, pending_restart FROM pg_settings WHERE name = ANY($1)`,
		judgedSettings).Query(func(rows pgx.Rows) error {
		var name string
		var v model.Setting
		_, err := pgx.ForEachRow(rows, []any{&name, &v.Value, &v.Unit, &v.Source, &v.PendingRestart}, func() error {
			f.Settings[name] = v
			return nil
		})
		return err
	})
	b.Queue(`SELECT EXISTS (SELECT 1 FROM pg_extension WHERE extname = 'pg_stat_statements')`).QueryRow(func(row pgx.Row) error {
		return row.Scan(&f.Statements)
	})
}

func queueConnections(b *pgx.Batch, f *model.ServerFacts) {
	b.Queue(`SELECT coalesce(state, ''), coalesce(backend_type, ''), coalesce(usename, ''), coalesce(application_name, ''), count(*)
		FROM pg_stat_activity GROUP BY 1, 2, 3, 4 ORDER BY 5 DESC, 1, 2, 3, 4 LIMIT 200`).Query(func(rows pgx.Rows) (err error) {
		f.Connections, err = pgx.CollectRows(rows, func(r pgx.CollectableRow) (g model.ConnectionGroup, err error) {
			return g, r.Scan(&g.State, &g.Kind, &g.User, &g.App, &g.N)
		})
		for _, g := range f.Connections {
			if g.Kind == "client backend" {
				f.Vitals.Connections += g.N
			}
		}
		return err
	})
}

// queueSessions reads those that work for 10 s or more, sit in a transaction or wait for a lock. Statements are cut: they
// are shown, not run.
func queueSessions(b *pgx.Batch, f *model.ServerFacts) {
	b.Queue(`SELECT pid, coalesce(backend_type, ''), coalesce(usename, ''), coalesce(application_name, ''), coalesce(state, ''),
			concat_ws(': ', wait_event_type, wait_event), left(coalesce(query, ''), 2000),
			coalesce(extract(epoch FROM clock_timestamp() - query_start), 0)::float8,
			coalesce(extract(epoch FROM clock_timestamp() - xact_start), 0)::float8,
			pg_blocking_pids(pid), coalesce(wait_event_type = 'Lock', false), coalesce(datname = current_database(), false),
			coalesce(query LIKE 'autovacuum:%(to prevent wraparound)%', false)
		FROM pg_stat_activity
		WHERE pid <> pg_backend_pid() AND (state LIKE 'idle in transaction%' OR wait_event_type = 'Lock'
			OR state = 'active' AND query_start < clock_timestamp() - interval '10 s'
			OR xact_start < clock_timestamp() - interval '10 s')
		ORDER BY xact_start LIMIT $1`, maxSessions).Query(func(rows pgx.Rows) (err error) {
		f.Sessions, err = pgx.CollectRows(rows, func(r pgx.CollectableRow) (v model.DBSession, err error) {
			var running, inTx float64
			err = r.Scan(&v.PID, &v.Kind, &v.User, &v.App, &v.State, &v.Wait, &v.SQL, &running, &inTx, &v.BlockedBy, &v.WaitsForLock,
				&v.OwnDatabase, &v.VacuumForWrapping)
			v.Running, v.InTx = seconds(running), seconds(inTx)
			if v.Kind == "client backend" {
				f.Vitals.OldestTx = max(f.Vitals.OldestTx, v.InTx)
			}
			return v, err
		})
		return err
	})
}

func queueAges(b *pgx.Batch, f *model.ServerFacts) {
	b.Queue(`SELECT datname, age(datfrozenxid)::bigint, mxid_age(datminmxid)::bigint FROM pg_database WHERE datallowconn
		ORDER BY 2 DESC LIMIT 100`).Query(func(rows pgx.Rows) (err error) {
		f.Ages, err = pgx.CollectRows(rows, func(r pgx.CollectableRow) (a model.XIDAge, err error) {
			return a, r.Scan(&a.Database, &a.XIDs, &a.MultiIDs)
		})
		return err
	})
}

// queueReplication reads who follows, who keeps WAL, and how far this server itself is behind. A replica that has replayed all
// that it got is not behind, however long ago the last transaction was.
func queueReplication(b *pgx.Batch, f *model.ServerFacts) {
	b.Queue(`SELECT coalesce(application_name, ''), coalesce(state, ''), coalesce(sync_state, ''),
			coalesce(extract(epoch FROM replay_lag), 0)::float8,
			coalesce(pg_wal_lsn_diff(CASE WHEN pg_is_in_recovery() THEN pg_last_wal_receive_lsn() ELSE pg_current_wal_lsn() END, replay_lsn), 0)::bigint
		FROM pg_stat_replication ORDER BY 1 LIMIT 100`).Query(func(rows pgx.Rows) (err error) {
		f.Followers, err = pgx.CollectRows(rows, func(r pgx.CollectableRow) (v model.Follower, err error) {
			var lag float64
			err = r.Scan(&v.Name, &v.State, &v.Sync, &lag, &v.Behind)
			v.Lag = seconds(lag)
			return v, err
		})
		return err
	})
	b.Queue(`SELECT slot_name, slot_type, active, coalesce(wal_status, ''),
			coalesce(pg_wal_lsn_diff(CASE WHEN pg_is_in_recovery() THEN pg_last_wal_receive_lsn() ELSE pg_current_wal_lsn() END, restart_lsn), 0)::bigint
		FROM pg_replication_slots ORDER BY 1 LIMIT 100`).Query(func(rows pgx.Rows) (err error) {
		f.Slots, err = pgx.CollectRows(rows, func(r pgx.CollectableRow) (v model.ReplicationSlot, err error) {
			return v, r.Scan(&v.Name, &v.Kind, &v.Active, &v.Status, &v.Retained)
		})
		return err
	})
	b.Queue(`SELECT CASE WHEN pg_is_in_recovery() AND pg_last_wal_receive_lsn() IS DISTINCT FROM pg_last_wal_replay_lsn()
		THEN coalesce(extract(epoch FROM clock_timestamp() - pg_last_xact_replay_timestamp()), 0) ELSE 0 END::float8`).QueryRow(func(row pgx.Row) error {
		var lag float64
		err := row.Scan(&lag)
		f.Lag = seconds(lag)
		return err
	})
}

func queueProgress(b *pgx.Batch, f *model.ServerFacts) {
	b.Queue(`SELECT coalesce(c.relname, p.relid::text, ''), coalesce(p.phase, ''),
			coalesce(p.heap_blks_scanned::float8 / nullif(p.heap_blks_total, 0), 0)
		FROM pg_stat_progress_vacuum p LEFT JOIN pg_class c ON c.oid = p.relid AND p.datname = current_database()
		ORDER BY 1 LIMIT 100`).Query(func(rows pgx.Rows) (err error) {
		f.Progress, err = pgx.CollectRows(rows, func(r pgx.CollectableRow) (v model.VacuumProgress, err error) {
			return v, r.Scan(&v.Table, &v.Phase, &v.Share)
		})
		return err
	})
	b.Queue(`SELECT coalesce(array_agg(index_relid::bigint) FILTER (WHERE index_relid IS NOT NULL), '{}')
		FROM pg_stat_progress_create_index WHERE datname = current_database()`).QueryRow(func(row pgx.Row) error {
		return row.Scan(&f.Building)
	})
}

func seconds(s float64) time.Duration { return time.Duration(s * float64(time.Second)) }
