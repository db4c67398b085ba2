-- An event remembers the hash that found its issue (the first of its hashes), so that it can follow the hash to another
-- issue, and its user, whose identity may be an address that stands nowhere in its body. Both are NULL in events
-- that were stored before this migration.
ALTER TABLE event ADD COLUMN hash bytea, ADD COLUMN user_hash bigint;
-- The events of a hash are found along those of their issue: an index of their own cost the drain 4 µs of 17 an event and
-- a fifth of its log, and served only splits and undos.
DROP INDEX event_issue;
CREATE INDEX event_issue ON event (issue_id, id) INCLUDE (hash);

-- An issue whose hashes all went to another one points there and is listed no more; a deleted one is hidden, and purged
-- a day later.
ALTER TABLE issue ADD COLUMN merged_into bigint, ADD COLUMN deleted_at timestamptz;
DROP INDEX issue_last;
DROP INDEX issue_first;
DROP INDEX issue_events;
CREATE INDEX issue_last   ON issue (project_id, status, last_seen DESC, id DESC) WHERE merged_into IS NULL AND deleted_at IS NULL;
CREATE INDEX issue_first  ON issue (project_id, status, first_seen DESC, id DESC) WHERE merged_into IS NULL AND deleted_at IS NULL;
CREATE INDEX issue_events ON issue (project_id, status, events DESC, id DESC) WHERE merged_into IS NULL AND deleted_at IS NULL;

-- Hidden issues are few, and a regrouping asks for them while digests wait.
CREATE INDEX issue_hidden ON issue (project_id) WHERE merged_into IS NOT NULL OR deleted_at IS NOT NULL;

-- Events per user, so that a user leaves an issue with the last of their events. Rows made before this migration
-- count one: users of older events may be counted as gone too early.
ALTER TABLE issue_user ADD COLUMN n bigint NOT NULL DEFAULT 1;
ALTER TABLE issue_user SET (fillfactor = 80);

-- A move of hashes between issues, which is done at once, and of the events that carry them, which a job does.
-- Jobs of one project run one after the other, in order of turn: one may move what another has brought.
CREATE TABLE refile (
    id          bigint PRIMARY KEY,
    project_id  bigint NOT NULL REFERENCES project (id) ON DELETE CASCADE,
    kind        text NOT NULL CHECK (kind IN ('merge', 'split', 'regroup', 'delete')),
    state       text NOT NULL CHECK (state IN ('queued', 'running', 'done', 'failed', 'cancelled', 'undoing', 'undone')),
    discard     boolean NOT NULL DEFAULT false,
    into_issue  bigint NOT NULL DEFAULT 0,
    from_issues bigint[] NOT NULL DEFAULT '{}',
    made_issues bigint[] NOT NULL DEFAULT '{}',    -- new issues that it made
    hashes      bigint NOT NULL DEFAULT 0,
    account_id  bigint NOT NULL,                   -- in the users partition; 0 for Kibitz itself
    turn        bigint NOT NULL,
    seq         bigint NOT NULL DEFAULT 0,         -- counts the steps of the job: a step is taken once, by one process
    step        bigint NOT NULL DEFAULT 0,         -- with after_id, where the job goes on
    after_id    bigint NOT NULL DEFAULT 0,
    done        bigint NOT NULL DEFAULT 0,
    total       bigint NOT NULL DEFAULT 0,
    error       text NOT NULL DEFAULT '',
    created_at  timestamptz NOT NULL DEFAULT now(),
    finished_at timestamptz,
    purged_at   timestamptz                        -- a deletion that cannot be undone any more
);
CREATE INDEX refile_project ON refile (project_id, id DESC);
CREATE INDEX refile_open ON refile (project_id, turn) WHERE state IN ('queued', 'running', 'undoing');

-- The hashes that a refiling moved. Issue 0 is none: the hash was not bound before, or is not any more.
CREATE TABLE refile_hash (
    refile_id  bigint NOT NULL REFERENCES refile (id) ON DELETE CASCADE,
    project_id bigint NOT NULL,
    hash       bytea NOT NULL,
    from_issue bigint NOT NULL,
    to_issue   bigint NOT NULL,
    config     text NOT NULL,
    undo_from  bigint NOT NULL DEFAULT 0,          -- where it stood when the refiling was undone
    PRIMARY KEY (refile_id, hash)
);
CREATE INDEX refile_hash_hash ON refile_hash (project_id, hash);

-- The events that a refiling moved, a row for each of its transactions.
CREATE TABLE refile_batch (
    refile_id  bigint NOT NULL REFERENCES refile (id) ON DELETE CASCADE,
    seq        bigint NOT NULL,
    ids        bigint[] NOT NULL,
    received   timestamptz[] NOT NULL,
    old_issues bigint[] NOT NULL,
    old_hashes bytea[] NOT NULL,
    new_issues bigint[] NOT NULL,
    new_hashes bytea[] NOT NULL,
    PRIMARY KEY (refile_id, seq)
);

-- Hashes whose events are not wanted: they are counted as filtered, reason discarded, and not stored.
CREATE TABLE hash_tombstone (
    project_id bigint NOT NULL,
    hash       bytea NOT NULL,
    refile_id  bigint NOT NULL,
    title      text NOT NULL,
    at         timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (project_id, hash)
);
CREATE INDEX hash_tombstone_refile ON hash_tombstone (refile_id);
