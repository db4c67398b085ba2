-- How the events of a project are grouped. A version is never edited; a change, a restoration and an undo each make a
-- new one. A project without a row stands at version 0: the configuration newstyle:2026-01-20 without rules.
CREATE TABLE project_grouping_version (
    project_id        bigint NOT NULL REFERENCES project (id) ON DELETE CASCADE,
    version           bigint NOT NULL CHECK (version > 0),
    config            text NOT NULL,
    stack_rules       text NOT NULL,
    fingerprint_rules text NOT NULL,
    secondary_config  text NOT NULL DEFAULT '',    -- finds the groups of an older configuration; '' for none
    secondary_until   timestamptz,
    account_id        bigint NOT NULL,             -- in the users partition; 0 for Kibitz itself
    at                timestamptz NOT NULL DEFAULT now(),
    note              text NOT NULL DEFAULT '',
    PRIMARY KEY (project_id, version)
);

-- The version that counts. The drain compares it within its transaction, so it is a row of two numbers.
CREATE TABLE project_grouping (
    project_id bigint PRIMARY KEY,
    version    bigint NOT NULL,
    FOREIGN KEY (project_id, version) REFERENCES project_grouping_version (project_id, version) ON DELETE CASCADE
);

-- A trial of a grouping on events of the past. It changes nothing but itself.
CREATE TABLE rehearsal (
    id                bigint PRIMARY KEY,
    project_id        bigint NOT NULL REFERENCES project (id) ON DELETE CASCADE,
    version           bigint NOT NULL,             -- of the project's grouping when it was asked for
    config            text NOT NULL,
    stack_rules       text NOT NULL,
    fingerprint_rules text NOT NULL,
    since             timestamptz NOT NULL,
    until             timestamptz NOT NULL,
    state             text NOT NULL DEFAULT 'queued' CHECK (state IN ('queued', 'running', 'done', 'failed', 'cancelled')),
    done              bigint NOT NULL DEFAULT 0,
    total             bigint NOT NULL DEFAULT 0,
    error             text NOT NULL DEFAULT '',
    account_id        bigint NOT NULL,
    created_at        timestamptz NOT NULL DEFAULT now(),
    started_at        timestamptz,
    finished_at       timestamptz,
    refile_id         bigint NOT NULL DEFAULT 0,   -- what applied it
    result            jsonb
);
CREATE INDEX rehearsal_project ON rehearsal (project_id, id DESC);
CREATE INDEX rehearsal_open ON rehearsal (id) WHERE state IN ('queued', 'running');
