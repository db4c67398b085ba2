package store

import (
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"kibitz/app/errs"
	"kibitz/app/model"
	"kibitz/app/trace"
)

// NewEvent is an event that has been grouped and waits to be stored.
type NewEvent struct {
	ID        int64 // time-ordered; also the id of the issue that it makes, if it makes one
	ProjectID int64
	EventID   [16]byte
	Received  time.Time
	Timestamp time.Time
	Level     string
	Platform  string
	Title     string
	Release   string
	Env       string
	Body      []byte
	Hashes    [][16]byte // in the order in which they are tried; at least one
	// Secondary gives the hashes of an older configuration; nil when the project has none. It is asked only when no hash
	// of Hashes has a group, may be asked again, and only finds groups: its hashes are never bound.
	Secondary func() [][16]byte
	Config    string
	Type      string
	Value     string
	Culprit   string
	Tags      []Tag
	Switches  []trace.Switch // answers that it names
	Trace     trace.ID       // during which it happened; zero: unknown
	Finding   bool           // a detector made it, of a request
	UserHash  int64          // 0: nobody known
	From      int64          // the issue where a stored event is; 0 when it is new

	issueID int64      // discarded, or the issue that it goes to
	older   [][16]byte // what Secondary gave, when it was asked
}

// discarded stands in place of an issue for the events of a hash with a tombstone.
const discarded = -1

// Tag is a tag of an event.
type Tag struct{ Key, Value string }

// SpoolMove is the step of a node's spool cursor that a transaction carries.
type SpoolMove struct {
	Node           string
	FromSeg, ToSeg uint64
	FromPos, ToPos int64
}

// Digest is one batch of the drain.
type Digest struct {
	Move     SpoolMove
	Events   []NewEvent
	Versions map[int64]int64 // by project: the version of its grouping that its events were grouped by
	Outcomes []model.OutcomeCount
	Requests RequestDigest
}

// Digested tells what a batch changed.
type Digested struct {
	Stored, Duplicates int
	NewIssues          []IssueRef
	Regressed          []IssueRef
	// Touched are all issues that got events.
	Touched []IssueRef
	// FirstEvents are projects that had never had an event before.
	FirstEvents []int64
}

// IssueRef names an issue.
type IssueRef struct{ ProjectID, IssueID int64 }

// ErrCursorMoved marks that another process moved this node's spool cursor.
var ErrCursorMoved = errors.New("the spool cursor stands elsewhere")

// SaveDigest stores a batch and moves the spool cursor in one transaction. Events whose id has been seen
// before are counted as filtered, reason duplicate, and those of a hash with a tombstone as filtered, reason
// discarded; they change nothing else. A project that no longer groups as its events were is ErrGroupingMoved. Batches of
// one node must come one after the other. It is safe to repeat after an ambiguous commit: the cursor then stands elsewhere.
func (s *Store) SaveDigest(ctx context.Context, d Digest) (out Digested, err error) {
	err = s.db.Tx(ctx, opsKey(0), func(tx pgx.Tx) error {
		out = Digested{}
		fresh, known, err := openDigest(ctx, tx, d)
		if err != nil {
			return err
		}
		unseen := len(fresh)
		if err := lookFurther(ctx, tx, fresh, known); err != nil {
			return err
		}
		fresh = withoutDiscarded(fresh, known)
		out.Stored, out.Duplicates = len(fresh), len(d.Events)-unseen
		if len(fresh) > 0 {
			if out.NewIssues, err = bindIssues(ctx, tx, fresh, known); err != nil {
				return err
			}
		}
		return writeDigest(ctx, tx, d, fresh, &out)
	})
	return out, err
}

type hashKey struct {
	project int64
	hash    [16]byte
}

// withoutDiscarded leaves the events out whose first known hash has a tombstone.
func withoutDiscarded(events []*NewEvent, known map[hashKey]int64) (kept []*NewEvent) {
	for _, e := range events {
		if issueOf(e, known) == discarded {
			e.issueID = discarded
			continue
		}
		kept = append(kept, e)
	}
	return kept
}

// openDigest moves the cursor, holds the hashes of the projects still, marks the event ids as seen and looks the hashes
// up: one round trip.
func openDigest(ctx context.Context, tx pgx.Tx, d Digest) (fresh []*NewEvent, known map[hashKey]int64, err error) {
	b := &pgx.Batch{}
	queueMove(b, d.Move)
	known = map[hashKey]int64{}
	won := map[int64]bool{}
	if len(d.Events) > 0 {
		projects, eventIDs, ids := idColumns(d.Events)
		queueHoldHashes(b, projects)
		queueVersions(b, d.Versions)
		b.Queue(`INSERT INTO event_seen (project_id, event_id, id)
			SELECT * FROM unnest($1::bigint[], $2::uuid[], $3::bigint[])
			ON CONFLICT DO NOTHING RETURNING id`, projects, eventIDs, ids).Query(func(rows pgx.Rows) error {
			return eachRow(rows, func(id int64) { won[id] = true })
		})
		queueHashes(b, hashesOf(d.Events), known)
	}
	if err := tx.SendBatch(ctx, b).Close(); err != nil {
		return nil, nil, fmt.Errorf("cannot open the batch: %w", err)
	}
	for i := range d.Events {
		d.Events[i].issueID, d.Events[i].older = 0, nil // of an earlier attempt
		if won[d.Events[i].ID] {
			fresh = append(fresh, &d.Events[i])
		}
	}
	return fresh, known, nil
}

func queueMove(b *pgx.Batch, m SpoolMove) {
	moved := func(rows pgx.Rows) error {
		n := 0
		if err := eachRow(rows, func(int) { n++ }); err != nil {
			return err
		}
		if n != 1 {
			return ErrCursorMoved
		}
		return nil
	}
	// A node without a cursor begins one, wherever its spool begins.
	b.Queue(`INSERT INTO spool_cursor AS c (node, segment, pos) VALUES ($1, $2, $3)
		ON CONFLICT (node) DO UPDATE SET segment = excluded.segment, pos = excluded.pos, updated_at = now()
		WHERE c.segment = $4 AND c.pos = $5 RETURNING 1`,
		m.Node, int64(m.ToSeg), m.ToPos, int64(m.FromSeg), m.FromPos).Query(moved)
}

// Locks on the hashes of projects; the other half of the key is the project.
const hashesLock = 715190223

// queueHoldHashes keeps the hashes of projects where they are until the transaction ends. Without it a merge could
// commit between the look at the hashes and the insert of the events, and these would land at the issue that gave its
// hashes away, behind the back of the job that empties it. Digests share the lock and so never wait for each
// other; whoever moves hashes takes it alone (lockHashes), for a few statements. An advisory lock costs no round trip
// and writes nothing, as a row lock on the project would with every batch. In order of id, so that no two wait in a ring.
func queueHoldHashes(b *pgx.Batch, projects []int64) {
	ids := slices.Clone(projects)
	slices.Sort(ids)
	b.Queue(`SELECT pg_advisory_xact_lock_shared($1, (p % 2147483647)::int) FROM unnest($2::bigint[]) AS p`,
		hashesLock, slices.Compact(ids))
}

// lockHashes waits for the digests that run and keeps others away until the transaction ends. It comes before any other
// lock. An application of many groups may hold it for longer than a page waits: then it is errs.Unavailable.
func lockHashes(ctx context.Context, tx pgx.Tx, project int64) error {
	_, err := tx.Exec(ctx, `SELECT pg_advisory_xact_lock($1, ($2::bigint % 2147483647)::int)`, hashesLock, project)
	if pg := (*pgconn.PgError)(nil); errors.As(err, &pg) && (pg.Code == "55P03" || pg.Code == "57014") { // both timeouts: it does nothing but wait
		return fmt.Errorf("%w: %w", errs.New(errs.Unavailable, "The groups of this project are being moved right now. Try again in a moment."), err)
	}
	if err != nil {
		return fmt.Errorf("cannot lock the hashes of project %d: %w", project, err)
	}
	return nil
}

func queueHashes(b *pgx.Batch, keys []hashKey, known map[hashKey]int64) {
	projects := make([]int64, len(keys))
	hashes := make([][]byte, len(keys))
	for i, k := range keys {
		projects[i], hashes[i] = k.project, k.hash[:]
	}
	b.Queue(`SELECT want.project_id, want.hash, coalesce(h.issue_id, $3)
		FROM unnest($1::bigint[], $2::bytea[]) AS want (project_id, hash)
		LEFT JOIN issue_hash h USING (project_id, hash)
		LEFT JOIN hash_tombstone t USING (project_id, hash)
		WHERE h.hash IS NOT NULL OR t.hash IS NOT NULL`, projects, hashes, int64(discarded)).Query(func(rows pgx.Rows) error {
		var project, issue int64
		var hash []byte
		_, err := pgx.ForEachRow(rows, []any{&project, &hash, &issue}, func() error {
			known[hashKey{project, [16]byte(hash)}] = issue
			return nil
		})
		return err
	})
}

// bindIssues gives every event its issue: the first of its hashes that is known decides, then those of an older
// configuration, and its other hashes are bound to the same issue. Events without a known hash make new issues.
func bindIssues(ctx context.Context, tx pgx.Tx, events []*NewEvent, known map[hashKey]int64) ([]IssueRef, error) {
	var made []*NewEvent
	var bound []boundHash
	for _, e := range events {
		e.issueID = issueOf(e, known)
		if e.issueID == 0 {
			e.issueID = e.ID
			made = append(made, e)
		}
		for _, h := range e.Hashes {
			k := hashKey{e.ProjectID, h}
			if _, ok := known[k]; !ok {
				known[k] = e.issueID
				bound = append(bound, boundHash{k, e.issueID, e.Config})
			}
		}
	}
	if err := insertIssues(ctx, tx, made); err != nil {
		return nil, err
	}
	return refsOf(made), insertHashes(ctx, tx, bound)
}

// boundHash is a hash that gets an issue, by the configuration that made it.
type boundHash struct {
	hashKey
	issue  int64
	config string
}

func issueOf(e *NewEvent, known map[hashKey]int64) int64 {
	for _, list := range [][][16]byte{e.Hashes, e.older} {
		for _, h := range list {
			if id, ok := known[hashKey{e.ProjectID, h}]; ok {
				return id
			}
		}
	}
	return 0
}

func unbound(events []*NewEvent, known map[hashKey]int64) []*NewEvent {
	var out []*NewEvent
	for _, e := range events {
		if issueOf(e, known) == 0 {
			out = append(out, e)
		}
	}
	return out
}

// lookFurther looks for the groups of events that have none yet: by the hashes of an older configuration, and by their own
// once more under a lock, since another node may have made the same issues in the meantime.
func lookFurther(ctx context.Context, tx pgx.Tx, events []*NewEvent, known map[hashKey]int64) error {
	missing := unbound(events, known)
	if len(missing) == 0 {
		return nil
	}
	for _, e := range missing {
		if e.Secondary != nil {
			e.older = e.Secondary()
		}
	}
	return lockProjects(ctx, tx, missing, known)
}

// lockProjects takes the rows of the projects that get new issues, in order of id so that two nodes never
// deadlock, and looks again.
func lockProjects(ctx context.Context, tx pgx.Tx, events []*NewEvent, known map[hashKey]int64) error {
	var ids []int64
	var keys []hashKey
	for _, e := range events {
		ids = append(ids, e.ProjectID)
		for _, h := range slices.Concat(e.Hashes, e.older) {
			keys = append(keys, hashKey{e.ProjectID, h})
		}
	}
	slices.Sort(ids)
	b := &pgx.Batch{}
	b.Queue(`SELECT id FROM project WHERE id = ANY($1) ORDER BY id FOR UPDATE`, slices.Compact(ids))
	queueHashes(b, keys, known)
	if err := tx.SendBatch(ctx, b).Close(); err != nil {
		return fmt.Errorf("cannot lock the projects of new issues: %w", err)
	}
	return nil
}

func insertIssues(ctx context.Context, tx pgx.Tx, made []*NewEvent) error {
	if len(made) == 0 {
		return nil
	}
	numbers, err := nextNumbers(ctx, tx, made)
	if err != nil {
		return err
	}
	rows := make([][]any, len(made))
	for i, e := range made {
		rows[i] = []any{e.ID, e.ProjectID, numbers[i], e.Config, e.Hashes[0][:], e.Title, e.Type, e.Value, e.Culprit,
			e.Level, e.Platform, e.Timestamp, e.Timestamp, e.Release, e.Release}
	}
	_, err = tx.CopyFrom(ctx, pgx.Identifier{"issue"}, []string{"id", "project_id", "number", "config", "hash", "title",
		"type", "value", "culprit", "level", "platform", "first_seen", "last_seen", "first_release", "last_release"},
		pgx.CopyFromRows(rows))
	if err != nil {
		return fmt.Errorf("cannot insert issues: %w", err)
	}
	return nil
}

// nextNumbers takes as many numbers from each project as it gets issues.
func nextNumbers(ctx context.Context, tx pgx.Tx, made []*NewEvent) ([]int64, error) {
	count := map[int64]int64{}
	for _, e := range made {
		count[e.ProjectID]++
	}
	projects, counts := columns(count)
	rows, err := tx.Query(ctx, `UPDATE project p SET last_issue = p.last_issue + w.n
		FROM unnest($1::bigint[], $2::bigint[]) AS w (id, n)
		WHERE p.id = w.id RETURNING p.id, p.last_issue - w.n`, projects, counts)
	if err != nil {
		return nil, fmt.Errorf("cannot number issues: %w", err)
	}
	next := map[int64]int64{}
	var project, last int64
	if _, err := pgx.ForEachRow(rows, []any{&project, &last}, func() error { next[project] = last; return nil }); err != nil {
		return nil, fmt.Errorf("cannot number issues: %w", err)
	}
	numbers := make([]int64, len(made))
	for i, e := range made {
		next[e.ProjectID]++
		numbers[i] = next[e.ProjectID]
	}
	return numbers, nil
}

func insertHashes(ctx context.Context, tx pgx.Tx, list []boundHash) error {
	if len(list) == 0 {
		return nil
	}
	slices.SortFunc(list, func(a, b boundHash) int { return slices.Compare(a.hash[:], b.hash[:]) })
	projects, hashes, ids, configs := make([]int64, len(list)), make([][]byte, len(list)), make([]int64, len(list)), make([]string, len(list))
	for i := range list {
		projects[i], hashes[i], ids[i], configs[i] = list[i].project, list[i].hash[:], list[i].issue, list[i].config
	}
	// A conflict can only be another node binding the same further hash to the same group: first wins.
	_, err := tx.Exec(ctx, `INSERT INTO issue_hash (project_id, hash, issue_id, config)
		SELECT * FROM unnest($1::bigint[], $2::bytea[], $3::bigint[], $4::text[])
		ON CONFLICT DO NOTHING`, projects, hashes, ids, configs)
	if err != nil {
		return fmt.Errorf("cannot bind hashes: %w", err)
	}
	return nil
}

func idColumns(events []NewEvent) (projects []int64, eventIDs [][16]byte, ids []int64) {
	for i := range events {
		projects = append(projects, events[i].ProjectID)
		eventIDs = append(eventIDs, events[i].EventID)
		ids = append(ids, events[i].ID)
	}
	return projects, eventIDs, ids
}

func hashesOf(events []NewEvent) []hashKey {
	seen := map[hashKey]bool{}
	var keys []hashKey
	for i := range events {
		for _, h := range events[i].Hashes {
			if k := (hashKey{events[i].ProjectID, h}); !seen[k] {
				seen[k] = true
				keys = append(keys, k)
			}
		}
	}
	return keys
}

func refsOf(events []*NewEvent) []IssueRef {
	var out []IssueRef
	for _, e := range events {
		out = append(out, IssueRef{e.ProjectID, e.issueID})
	}
	return out
}

// eachRow hands every value of a one-column result to fn.
func eachRow[T any](rows pgx.Rows, fn func(T)) error {
	var v T
	_, err := pgx.ForEachRow(rows, []any{&v}, func() error { fn(v); return nil })
	return err
}

// columns turns a map into two slices in order of its keys, so that rows are locked in one order everywhere.
func columns(m map[int64]int64) (keys, values []int64) {
	for k := range m {
		keys = append(keys, k)
	}
	slices.Sort(keys)
	for _, k := range keys {
		values = append(values, m[k])
	}
	return keys, values
}

func hexHash(h []byte) string { return hex.EncodeToString(h) }
