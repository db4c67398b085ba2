-- Names that requests repeat, so that a request's row holds four bytes for each. A project has at most some thousands;
-- what comes after them is counted under 0.
CREATE TABLE endpoint (
    id         integer GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    project_id bigint NOT NULL,
    service    text NOT NULL,                           -- which of the project's programs; '' when it does not say
    method     text NOT NULL,
    name       text NOT NULL,
    apdex_us   bigint NOT NULL DEFAULT 500000,
    thresholds jsonb NOT NULL DEFAULT '{}',             -- of detectors, where they differ from the defaults
    first_seen timestamptz NOT NULL DEFAULT now(),
    UNIQUE (project_id, service, method, name)
);

CREATE TABLE label (
    id         integer GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    project_id bigint NOT NULL,
    kind       smallint NOT NULL,                       -- model.LabelKind
    value      text NOT NULL,
    first_seen timestamptz NOT NULL DEFAULT now(),
    UNIQUE (project_id, kind, value)
);

CREATE TABLE statement (
    id          integer GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    project_id  bigint NOT NULL,
    fingerprint bigint NOT NULL,
    sql         text NOT NULL,
    sample      text NOT NULL DEFAULT '',
    first_seen  timestamptz NOT NULL DEFAULT now(),
    UNIQUE (project_id, fingerprint)
);

-- One narrow row for every request, by the day on which it was received. Times are microseconds; the six categories'
-- exclusive times sum to duration_us.
CREATE TABLE request (
    received    timestamptz NOT NULL,
    id          bigint NOT NULL,                        -- time-ordered
    trace_id    uuid NOT NULL,
    span_id     bigint NOT NULL,
    start       timestamptz NOT NULL,
    project_id  bigint NOT NULL,
    user_hash   bigint NOT NULL,                        -- 0: nobody known
    duration_us bigint NOT NULL,
    db_us       bigint NOT NULL,
    cache_us    bigint NOT NULL,
    http_us     bigint NOT NULL,
    template_us bigint NOT NULL,
    pool_us     bigint NOT NULL,
    other_us    bigint NOT NULL,
    endpoint_id integer NOT NULL,
    release_id  integer NOT NULL,                       -- labels; 0: none
    env_id      integer NOT NULL,
    host_id     integer NOT NULL,
    db_n        integer NOT NULL,
    cache_n     integer NOT NULL,
    http_n      integer NOT NULL,
    template_n  integer NOT NULL,
    weight      real NOT NULL,                          -- requests that this one stands for
    status      smallint NOT NULL,
    kept        smallint NOT NULL,                      -- why its spans were kept (model.KeepReason); 0: they were not
    failed      boolean NOT NULL,
    found       integer NOT NULL,                       -- what detectors found, a bit each (requests.kinds)
    switches    integer[]                               -- labels of switches and their answers
) PARTITION BY RANGE (received);
CREATE TABLE request_default PARTITION OF request DEFAULT;
-- By trace: a resend is found, and so is the request of an error. The other two serve the lists, newest first.
CREATE INDEX request_trace ON request (trace_id);
CREATE INDEX request_project ON request (project_id, id);
CREATE INDEX request_endpoint ON request (endpoint_id, id);

-- The spans of the requests that were kept: trace.Append of one request, as zstd.
CREATE TABLE trace (
    received   timestamptz NOT NULL,
    trace_id   uuid NOT NULL,
    request_id bigint NOT NULL,                         -- 0: spans that came after their request
    project_id bigint NOT NULL,
    spans      integer NOT NULL,
    body       bytea NOT NULL
) PARTITION BY RANGE (received);
ALTER TABLE trace ALTER COLUMN body SET STORAGE EXTERNAL;   -- compressed already
CREATE TABLE trace_default PARTITION OF trace DEFAULT;
CREATE INDEX trace_trace ON trace (trace_id);

-- Spans whose request has not come yet: exporters send what ended first. They wait some hours.
CREATE TABLE span_pending (
    received   timestamptz NOT NULL,
    trace_id   uuid NOT NULL,
    project_id bigint NOT NULL,
    spans      integer NOT NULL,
    body       bytea NOT NULL
) PARTITION BY RANGE (received);
ALTER TABLE span_pending ALTER COLUMN body SET STORAGE EXTERNAL;
CREATE TABLE span_pending_default PARTITION OF span_pending DEFAULT;
CREATE INDEX span_pending_trace ON span_pending (trace_id);

CREATE TABLE log_line (
    received   timestamptz NOT NULL,
    id         bigint NOT NULL,
    project_id bigint NOT NULL,
    at         timestamptz NOT NULL,
    trace_id   uuid,
    level      smallint NOT NULL,
    logger     text NOT NULL,
    body       text NOT NULL,
    attrs      jsonb
) PARTITION BY RANGE (received);
CREATE TABLE log_line_default PARTITION OF log_line DEFAULT;
CREATE INDEX log_line_trace ON log_line (trace_id) WHERE trace_id IS NOT NULL;
CREATE INDEX log_line_project ON log_line (project_id, id);

-- The trace during which an event happened. Only events that name one are in the index.
ALTER TABLE event ADD COLUMN trace_id uuid;
CREATE INDEX event_trace ON event (trace_id) WHERE trace_id IS NOT NULL;
