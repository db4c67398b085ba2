-- One row an event, by the day on which it was received (clamped to the days that exist). Days are
-- made ahead and dropped whole; there is no DELETE for retention.
CREATE TABLE event (
    received   timestamptz NOT NULL,
    id         bigint NOT NULL,
    project_id bigint NOT NULL,
    issue_id   bigint NOT NULL,
    event_id   uuid NOT NULL,
    ts         timestamptz NOT NULL,
    level      text NOT NULL,
    platform   text NOT NULL,
    title      text NOT NULL,
    release    text NOT NULL,
    env        text NOT NULL,
    body       bytea NOT NULL                       -- zstd of the event's JSON
) PARTITION BY RANGE (received);
ALTER TABLE event ALTER COLUMN body SET STORAGE EXTERNAL;   -- compressed already
CREATE INDEX event_issue ON event (issue_id, id);
CREATE INDEX event_project ON event (project_id, id);

-- A safety net for a day that nobody made; an alarm looks whether it stays empty.
CREATE TABLE event_default PARTITION OF event DEFAULT;

-- Ids seen lately, so that a resend counts once even on another day. A unique index on event would have
-- to hold the day. Rows expire after the longest time a spool may hold an event, and a day.
CREATE TABLE event_seen (
    project_id bigint NOT NULL,
    event_id   uuid NOT NULL,
    id         bigint NOT NULL,                     -- ops.event.id, whose time names the day
    PRIMARY KEY (project_id, event_id)
) PARTITION BY HASH (project_id, event_id);
CREATE TABLE event_seen_0 PARTITION OF event_seen FOR VALUES WITH (MODULUS 4, REMAINDER 0);
CREATE TABLE event_seen_1 PARTITION OF event_seen FOR VALUES WITH (MODULUS 4, REMAINDER 1);
CREATE TABLE event_seen_2 PARTITION OF event_seen FOR VALUES WITH (MODULUS 4, REMAINDER 2);
CREATE TABLE event_seen_3 PARTITION OF event_seen FOR VALUES WITH (MODULUS 4, REMAINDER 3);

-- Events per issue, level and half hour: sparklines and graphs.
CREATE TABLE issue_stat (
    issue_id   bigint NOT NULL,
    bucket     timestamptz NOT NULL,
    level      text NOT NULL,
    n          bigint NOT NULL,
    PRIMARY KEY (issue_id, bucket, level)
);

-- The same for a whole project: the graph above the list.
CREATE TABLE project_stat (
    project_id bigint NOT NULL,
    bucket     timestamptz NOT NULL,
    level      text NOT NULL,
    n          bigint NOT NULL,
    PRIMARY KEY (project_id, bucket, level)
);

-- Events per tag value of an issue. At most 100 values a key; what
-- comes after them is counted under the empty value.
CREATE TABLE issue_tag (
    issue_id bigint NOT NULL,
    key      text NOT NULL,
    value    text NOT NULL,
    n        bigint NOT NULL,
    PRIMARY KEY (issue_id, key, value)
);

-- Who met an issue: a 64-bit hash of the user's identity, to count users once.
CREATE TABLE issue_user (
    issue_id  bigint NOT NULL,
    user_hash bigint NOT NULL,
    PRIMARY KEY (issue_id, user_hash)
);
