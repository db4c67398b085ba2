CREATE TABLE issue (
    id            bigint PRIMARY KEY,
    project_id    bigint NOT NULL REFERENCES project (id),
    number        bigint NOT NULL,
    config        text NOT NULL,                   -- the grouping configuration that made it
    hash          bytea NOT NULL,
    title         text NOT NULL,
    type          text NOT NULL DEFAULT '',
    value         text NOT NULL DEFAULT '',
    culprit       text NOT NULL DEFAULT '',
    level         text NOT NULL,
    platform      text NOT NULL DEFAULT '',
    status        text NOT NULL DEFAULT 'unresolved' CHECK (status IN ('unresolved', 'resolved', 'archived')),
    regressed     boolean NOT NULL DEFAULT false,
    first_seen    timestamptz NOT NULL,
    last_seen     timestamptz NOT NULL,
    events        bigint NOT NULL DEFAULT 0,
    users         bigint NOT NULL DEFAULT 0,
    first_release text NOT NULL DEFAULT '',
    last_release  text NOT NULL DEFAULT '',
    UNIQUE (project_id, number)
) WITH (fillfactor = 80);                          -- counters change with every batch: leave room beside the row

-- The three sorts of the issue list. A list of several projects or statuses merges one ordered scan of each,
-- so that the same three indexes serve every list and the drain keeps no more of them up to date.
CREATE INDEX issue_last   ON issue (project_id, status, last_seen DESC, id DESC);
CREATE INDEX issue_first  ON issue (project_id, status, first_seen DESC, id DESC);
CREATE INDEX issue_events ON issue (project_id, status, events DESC, id DESC);

-- Flat identity: a hash belongs to one issue. Merging and splitting move rows here and nothing else.
CREATE TABLE issue_hash (
    project_id bigint NOT NULL,
    hash       bytea NOT NULL,
    issue_id   bigint NOT NULL REFERENCES issue (id) ON DELETE CASCADE,
    config     text NOT NULL,
    PRIMARY KEY (project_id, hash)
);
CREATE INDEX issue_hash_issue ON issue_hash (issue_id);

-- What people did to an issue, so that it can be undone.
CREATE TABLE issue_activity (
    id         bigint PRIMARY KEY,
    issue_id   bigint NOT NULL REFERENCES issue (id) ON DELETE CASCADE,
    account_id bigint NOT NULL,                    -- in the users partition; 0 for Kibitz itself
    action     text NOT NULL,
    before     text NOT NULL DEFAULT '',
    after      text NOT NULL DEFAULT '',
    at         timestamptz NOT NULL DEFAULT now()
);
CREATE INDEX issue_activity_issue ON issue_activity (issue_id, id DESC);
