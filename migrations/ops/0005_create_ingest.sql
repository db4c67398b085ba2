-- How far each node's spool has been drained; moved in the transaction that stores the records.
CREATE TABLE spool_cursor (
    node       text PRIMARY KEY,
    segment    bigint NOT NULL,
    pos        bigint NOT NULL,
    updated_at timestamptz NOT NULL DEFAULT now()
);

-- Where every item that arrived has ended.
CREATE TABLE outcome (
    project_id bigint NOT NULL,
    hour       timestamptz NOT NULL,
    category   text NOT NULL,
    outcome    text NOT NULL,
    reason     text NOT NULL,
    n          bigint NOT NULL,
    PRIMARY KEY (hour, project_id, category, outcome, reason)
);

-- Records that could not be stored, kept with the reason.
CREATE TABLE dead_letter (
    id         bigint PRIMARY KEY,
    project_id bigint NOT NULL,
    kind       smallint NOT NULL,
    event_id   uuid NOT NULL,
    received   timestamptz NOT NULL,
    reason     text NOT NULL,
    payload    bytea NOT NULL,
    buried_at  timestamptz NOT NULL DEFAULT now()
);
