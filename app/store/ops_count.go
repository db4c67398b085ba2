package store

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/jackc/pgx/v5"

	"kibitz/app/db"
	"kibitz/app/model"
	"kibitz/app/trace"
)

// StatBucket is the width of the buckets in issue_stat and project_stat: 48 a day.
const StatBucket = 30 * time.Minute

// Limits of the tag statistics of an issue.
const (
	// MaxTagValues is how many values of one tag an issue counts; later ones are counted together.
	MaxTagValues = 100
	// maxBatchTagValues bounds the same within one batch, so that a tag that is new with every event (an
	// id, say) costs 20 rows a batch and not 1,000. Moves of events do not bound it: they must find what digests counted.
	maxBatchTagValues = 20
)

type statKey struct {
	id     int64 // of an issue or project
	bucket time.Time
	level  string
}

type tagKey struct {
	issue      int64
	key, value string
}

type userKey struct{ issue, user int64 }

// issueDelta is what a batch adds to one issue.
type issueDelta struct {
	ref         IssueRef
	n           int64
	first, last time.Time
	release     string
}

// tally is what a batch adds to the counters, summed up so that a hot issue's row is touched once.
type tally struct {
	issues   map[int64]*issueDelta
	stats    map[statKey]int64
	projects map[statKey]int64
	tags     map[tagKey]int64
	users    map[userKey]int64
	outcomes map[model.OutcomeCount]int64
	firsts   map[int64]time.Time // project -> earliest event
}

func newTally(d Digest, fresh []*NewEvent) *tally {
	t := &tally{map[int64]*issueDelta{}, map[statKey]int64{}, map[statKey]int64{}, map[tagKey]int64{},
		map[userKey]int64{}, map[model.OutcomeCount]int64{}, map[int64]time.Time{}}
	values := map[tagKey]int{}
	for _, e := range fresh {
		t.add(e, values)
	}
	t.addOutcomes(d, fresh)
	return t
}

func (t *tally) add(e *NewEvent, values map[tagKey]int) {
	delta := t.issues[e.issueID]
	if delta == nil {
		delta = &issueDelta{ref: IssueRef{e.ProjectID, e.issueID}, first: e.Timestamp, last: e.Timestamp}
		t.issues[e.issueID] = delta
	}
	delta.n++
	if e.Timestamp.Before(delta.first) {
		delta.first = e.Timestamp
	}
	if !e.Timestamp.Before(delta.last) {
		delta.last, delta.release = e.Timestamp, cmp.Or(e.Release, delta.release)
	}
	bucket := e.Timestamp.Truncate(StatBucket)
	t.stats[statKey{e.issueID, bucket, e.Level}]++
	t.projects[statKey{e.ProjectID, bucket, e.Level}]++
	for _, tag := range e.Tags {
		t.addTag(e.issueID, tag, values)
	}
	if e.UserHash != 0 {
		t.users[userKey{e.issueID, e.UserHash}]++
	}
	if first, ok := t.firsts[e.ProjectID]; !ok || e.Received.Before(first) {
		t.firsts[e.ProjectID] = e.Received
	}
}

func (t *tally) addTag(issue int64, tag Tag, values map[tagKey]int) {
	k := tagKey{issue, tag.Key, tag.Value}
	if _, ok := t.tags[k]; !ok {
		group := tagKey{issue, tag.Key, ""}
		if values[group] >= maxBatchTagValues {
			k = group
		} else {
			values[group]++
		}
	}
	t.tags[k]++
}

// addOutcomes counts each event of the batch as stored, or filtered as a duplicate or because it is discarded, and adds
// the counts of items that never became records.
func (t *tally) addOutcomes(d Digest, fresh []*NewEvent) {
	isFresh := make(map[int64]bool, len(fresh))
	for _, e := range fresh {
		isFresh[e.ID] = true
	}
	for i := range d.Events {
		e := &d.Events[i]
		o := model.OutcomeCount{ProjectID: e.ProjectID, Hour: e.Received.Truncate(time.Hour), Category: "error",
			Outcome: "filtered", Reason: "duplicate"}
		if e.Finding { // ours, not something that arrived
			o.Category = "finding"
		}
		switch {
		case isFresh[e.ID]:
			o.Outcome, o.Reason = "stored", ""
		case e.issueID == discarded:
			o.Reason = "discarded"
		}
		t.outcomes[o]++
	}
	for _, o := range slices.Concat(d.Outcomes, d.Requests.Outcomes) {
		n := o.N
		o.N = 0
		t.outcomes[o] += n
	}
	for project, at := range d.Requests.Firsts {
		if first, ok := t.firsts[project]; !ok || at.Before(first) {
			t.firsts[project] = at
		}
	}
}

// writeDigest copies the events in and adds to every counter: one COPY and one round trip.
func writeDigest(ctx context.Context, tx pgx.Tx, d Digest, fresh []*NewEvent, out *Digested) error {
	t := newTally(d, fresh)
	if len(fresh) > 0 {
		if err := copyEvents(ctx, tx, fresh); err != nil {
			return err
		}
	}
	if err := saveRequests(ctx, tx, &d.Requests); err != nil {
		return err
	}
	b := &pgx.Batch{}
	t.queueIssues(b, out)
	queueStats(b, addIssueStats, t.stats)
	queueStats(b, `INSERT INTO project_stat AS s (project_id, bucket, level, n)
		SELECT * FROM unnest($1::bigint[], $2::timestamptz[], $3::text[], $4::bigint[])
		ON CONFLICT (project_id, bucket, level) DO UPDATE SET n = s.n + excluded.n`, t.projects)
	queueTags(b, t.tags)
	queueUsers(b, t.users)
	t.queueOutcomes(b)
	t.queueFirsts(b, out)
	if b.Len() == 0 {
		return nil
	}
	if err := tx.SendBatch(ctx, b).Close(); err != nil {
		return fmt.Errorf("cannot add to the counters: %w", err)
	}
	return nil
}

func copyEvents(ctx context.Context, tx pgx.Tx, events []*NewEvent) error {
	now := time.Now()
	_, err := tx.CopyFrom(ctx, pgx.Identifier{"event"}, []string{"received", "id", "project_id", "issue_id", "event_id", "ts",
		"level", "platform", "title", "release", "env", "body", "hash", "user_hash", "trace_id"}, pgx.CopyFromSlice(len(events), func(i int) ([]any, error) {
		e := events[i]
		var id *[16]byte
		if e.Trace != (trace.ID{}) {
			id = (*[16]byte)(&e.Trace)
		}
		return []any{db.ClampDay(e.Received, now), e.ID, e.ProjectID, e.issueID, e.EventID, e.Timestamp, e.Level, e.Platform, e.Title,
			e.Release, e.Env, e.Body, e.Hashes[0][:], e.UserHash, id}, nil
	}))
	if err != nil {
		return fmt.Errorf("cannot copy events: %w", err)
	}
	return nil
}

// queueIssues adds to the issues' own counters. A resolved issue that gets an event is unresolved again and
// marked as regressed; an archived one stays archived.
func (t *tally) queueIssues(b *pgx.Batch, out *Digested) {
	if len(t.issues) == 0 {
		return
	}
	ids := sortedKeys(t.issues, cmp.Compare[int64])
	n, first, last, release := make([]int64, len(ids)), make([]time.Time, len(ids)), make([]time.Time, len(ids)), make([]string, len(ids))
	for i, id := range ids {
		d := t.issues[id]
		n[i], first[i], last[i], release[i] = d.n, d.first, d.last, d.release
		out.Touched = append(out.Touched, d.ref)
	}
	b.Queue(`WITH w AS MATERIALIZED (
			SELECT w.*, i.status = 'resolved' AS back
			FROM unnest($1::bigint[], $2::bigint[], $3::timestamptz[], $4::timestamptz[], $5::text[])
				AS w (id, n, first_seen, last_seen, release)
			JOIN issue i ON i.id = w.id
			ORDER BY w.id FOR NO KEY UPDATE OF i
		)
		UPDATE issue i SET
			events = i.events + w.n,
			first_seen = least(i.first_seen, w.first_seen),
			last_seen = greatest(i.last_seen, w.last_seen),
			last_release = CASE WHEN w.release <> '' AND w.last_seen >= i.last_seen THEN w.release ELSE i.last_release END,
			status = CASE WHEN w.back THEN 'unresolved' ELSE i.status END,
			regressed = i.regressed OR w.back
		FROM w WHERE i.id = w.id
		RETURNING i.project_id, i.id, w.back`, ids, n, first, last, release).Query(func(rows pgx.Rows) error {
		var ref IssueRef
		var back bool
		_, err := pgx.ForEachRow(rows, []any{&ref.ProjectID, &ref.IssueID, &back}, func() error {
			if back {
				out.Regressed = append(out.Regressed, ref)
			}
			return nil
		})
		return err
	})
}

const addIssueStats = `INSERT INTO issue_stat AS s (issue_id, bucket, level, n)
	SELECT * FROM unnest($1::bigint[], $2::timestamptz[], $3::text[], $4::bigint[])
	ON CONFLICT (issue_id, bucket, level) DO UPDATE SET n = s.n + excluded.n`

func queueStats(b *pgx.Batch, sql string, stats map[statKey]int64) {
	if len(stats) == 0 {
		return
	}
	keys := sortedKeys(stats, func(a, b statKey) int {
		return cmp.Or(cmp.Compare(a.id, b.id), a.bucket.Compare(b.bucket), cmp.Compare(a.level, b.level))
	})
	ids, buckets, levels, n := make([]int64, len(keys)), make([]time.Time, len(keys)), make([]string, len(keys)), make([]int64, len(keys))
	for i, k := range keys {
		ids[i], buckets[i], levels[i], n[i] = k.id, k.bucket, k.level, stats[k]
	}
	b.Queue(sql, ids, buckets, levels, n)
}

// queueTags counts tag values. A value that is not there yet is taken only while the issue has fewer than MaxTagValues
// of that tag, the commonest first; otherwise it is counted under the empty value.
func queueTags(b *pgx.Batch, tags map[tagKey]int64) {
	if len(tags) == 0 {
		return
	}
	ids, names, values, n := tagColumns(tags)
	b.Queue(`WITH w AS MATERIALIZED (
			SELECT i, k, v, n, v = '' OR EXISTS (SELECT 1 FROM issue_tag e WHERE e.issue_id = i AND e.key = k AND e.value = v) AS known
			FROM unnest($1::bigint[], $2::text[], $3::text[], $4::bigint[]) AS w (i, k, v, n)
		), room AS (
			SELECT i, k, $5 - (SELECT count(*) FROM issue_tag c WHERE c.issue_id = i AND c.key = k AND c.value <> '') AS free
			FROM w WHERE NOT known GROUP BY i, k
		), ranked AS (
			SELECT *, row_number() OVER (PARTITION BY i, k, known ORDER BY n DESC, v) AS nth FROM w
		)
		INSERT INTO issue_tag AS t (issue_id, key, value, n)
		SELECT i, k, CASE WHEN known OR nth <= free THEN v ELSE '' END, sum(n)
		FROM ranked LEFT JOIN room USING (i, k)
		GROUP BY 1, 2, 3 ORDER BY 1, 2, 3
		ON CONFLICT (issue_id, key, value) DO UPDATE SET n = t.n + excluded.n`, ids, names, values, n, MaxTagValues)
}

func tagColumns(tags map[tagKey]int64) (ids []int64, names, values []string, n []int64) {
	keys := sortedKeys(tags, func(a, b tagKey) int {
		return cmp.Or(cmp.Compare(a.issue, b.issue), cmp.Compare(a.key, b.key), cmp.Compare(a.value, b.value))
	})
	ids, names, values, n = make([]int64, len(keys)), make([]string, len(keys)), make([]string, len(keys)), make([]int64, len(keys))
	for i, k := range keys {
		ids[i], names[i], values[i], n[i] = k.issue, k.key, k.value, tags[k]
	}
	return ids, names, values, n
}

// queueUsers counts the events of users, and the users that are new to an issue, in one statement: a row that holds no
// more than what was added is new.
func queueUsers(b *pgx.Batch, users map[userKey]int64) {
	if len(users) == 0 {
		return
	}
	issues, hashes, n := userColumns(users)
	b.Queue(`WITH w AS MATERIALIZED (
			SELECT * FROM unnest($1::bigint[], $2::bigint[], $3::bigint[]) AS w (issue_id, user_hash, n)
		), put AS (
			INSERT INTO issue_user AS u (issue_id, user_hash, n) SELECT * FROM w
			ON CONFLICT (issue_id, user_hash) DO UPDATE SET n = u.n + excluded.n
			RETURNING issue_id, user_hash, n
		)
		UPDATE issue i SET users = i.users + new.n
		FROM (
			SELECT issue_id, count(*) AS n FROM put JOIN w USING (issue_id, user_hash) WHERE put.n = w.n GROUP BY issue_id
		) new
		WHERE i.id = new.issue_id`, issues, hashes, n)
}

func userColumns(users map[userKey]int64) (issues, hashes, n []int64) {
	keys := sortedKeys(users, func(a, b userKey) int {
		return cmp.Or(cmp.Compare(a.issue, b.issue), cmp.Compare(a.user, b.user))
	})
	issues, hashes, n = make([]int64, len(keys)), make([]int64, len(keys)), make([]int64, len(keys))
	for i, k := range keys {
		issues[i], hashes[i], n[i] = k.issue, k.user, users[k]
	}
	return issues, hashes, n
}

func (t *tally) queueOutcomes(b *pgx.Batch) {
	if len(t.outcomes) == 0 {
		return
	}
	keys := sortedKeys(t.outcomes, compareOutcomes)
	projects, hours, n := make([]int64, len(keys)), make([]time.Time, len(keys)), make([]int64, len(keys))
	categories, outcomes, reasons := make([]string, len(keys)), make([]string, len(keys)), make([]string, len(keys))
	for i, k := range keys {
		projects[i], hours[i], n[i] = k.ProjectID, k.Hour, t.outcomes[k]
		categories[i], outcomes[i], reasons[i] = k.Category, k.Outcome, k.Reason
	}
	b.Queue(`INSERT INTO outcome AS o (project_id, hour, category, outcome, reason, n)
		SELECT * FROM unnest($1::bigint[], $2::timestamptz[], $3::text[], $4::text[], $5::text[], $6::bigint[])
		ON CONFLICT (hour, project_id, category, outcome, reason) DO UPDATE SET n = o.n + excluded.n`,
		projects, hours, categories, outcomes, reasons, n)
}

func compareOutcomes(a, b model.OutcomeCount) int {
	return cmp.Or(a.Hour.Compare(b.Hour), cmp.Compare(a.ProjectID, b.ProjectID), cmp.Compare(a.Category, b.Category),
		cmp.Compare(a.Outcome, b.Outcome), cmp.Compare(a.Reason, b.Reason))
}

func (t *tally) queueFirsts(b *pgx.Batch, out *Digested) {
	if len(t.firsts) == 0 {
		return
	}
	ids := sortedKeys(t.firsts, cmp.Compare[int64])
	at := make([]time.Time, len(ids))
	for i, id := range ids {
		at[i] = t.firsts[id]
	}
	b.Queue(`UPDATE project p SET first_event_at = w.at
		FROM unnest($1::bigint[], $2::timestamptz[]) AS w (id, at)
		WHERE p.id = w.id AND p.first_event_at IS NULL RETURNING p.id`, ids, at).Query(func(rows pgx.Rows) error {
		return eachRow(rows, func(id int64) { out.FirstEvents = append(out.FirstEvents, id) })
	})
}

func sortedKeys[K comparable, V any](m map[K]V, compare func(a, b K) int) []K {
	keys := make([]K, 0, len(m))
	for k := range m {
		keys = append(keys, k)
	}
	slices.SortFunc(keys, compare)
	return keys
}
