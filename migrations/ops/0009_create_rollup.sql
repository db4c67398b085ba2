-- Sums of requests. The drain only adds rows (_raw), in the transaction that stores the requests. A job merges them into
-- minutes, those into hours, and those into days. No row is ever changed, and hours and days of rows are dropped whole.
-- Whoever reads a table adds what the finer ones received since they were last merged into it (rollup_state), and merges.
-- Sketches are DDSketch with 2 % of error: of durations in microseconds, and of queries a request.
CREATE TABLE endpoint_raw (
    received    timestamptz NOT NULL,
    bucket      timestamptz NOT NULL,                   -- minute in which the requests began
    project_id  bigint NOT NULL,
    endpoint_id integer NOT NULL,
    release_id  integer NOT NULL,
    n           double precision NOT NULL,              -- requests, each with its weight
    seen        bigint NOT NULL,                        -- requests that were seen
    failed      double precision NOT NULL,
    duration_us double precision NOT NULL,
    db_us       double precision NOT NULL,
    cache_us    double precision NOT NULL,
    http_us     double precision NOT NULL,
    template_us double precision NOT NULL,
    pool_us     double precision NOT NULL,
    db_n        double precision NOT NULL,
    durations   bytea NOT NULL,
    queries     bytea NOT NULL
) PARTITION BY RANGE (received);
CREATE TABLE endpoint_raw_default PARTITION OF endpoint_raw DEFAULT;
CREATE INDEX endpoint_raw_bucket ON endpoint_raw (project_id, endpoint_id, bucket);

CREATE TABLE endpoint_minute (LIKE endpoint_raw INCLUDING CONSTRAINTS) PARTITION BY RANGE (received);
CREATE TABLE endpoint_minute_default PARTITION OF endpoint_minute DEFAULT;
CREATE INDEX endpoint_minute_bucket ON endpoint_minute (project_id, endpoint_id, bucket);
CREATE TABLE endpoint_hour (LIKE endpoint_raw INCLUDING CONSTRAINTS) PARTITION BY RANGE (received);
CREATE TABLE endpoint_hour_default PARTITION OF endpoint_hour DEFAULT;
CREATE INDEX endpoint_hour_bucket ON endpoint_hour (project_id, endpoint_id, bucket);
CREATE TABLE endpoint_day (LIKE endpoint_raw INCLUDING CONSTRAINTS) PARTITION BY RANGE (received);
CREATE TABLE endpoint_day_default PARTITION OF endpoint_day DEFAULT;
CREATE INDEX endpoint_day_bucket ON endpoint_day (project_id, endpoint_id, bucket);

-- The same for statements, by who sends them.
CREATE TABLE statement_raw (
    received     timestamptz NOT NULL,
    bucket       timestamptz NOT NULL,                  -- ten minutes in which they began
    project_id   bigint NOT NULL,
    statement_id integer NOT NULL,
    endpoint_id  integer NOT NULL,                      -- 0: unknown
    release_id   integer NOT NULL,
    caller_id    integer NOT NULL,                      -- label: file and line; 0: unknown
    source       smallint NOT NULL,                     -- model.StatementSource
    n            double precision NOT NULL,
    failed       double precision NOT NULL,
    total_us     double precision NOT NULL,
    max_us       bigint NOT NULL,
    rows         double precision NOT NULL,
    rows_known   double precision NOT NULL,             -- calls of n whose rows are known
    durations    bytea NOT NULL
) PARTITION BY RANGE (received);
CREATE TABLE statement_raw_default PARTITION OF statement_raw DEFAULT;
CREATE INDEX statement_raw_bucket ON statement_raw (project_id, bucket);

CREATE TABLE statement_ten (LIKE statement_raw INCLUDING CONSTRAINTS) PARTITION BY RANGE (received);
CREATE TABLE statement_ten_default PARTITION OF statement_ten DEFAULT;
CREATE INDEX statement_ten_bucket ON statement_ten (project_id, bucket);
CREATE TABLE statement_hour (LIKE statement_raw INCLUDING CONSTRAINTS) PARTITION BY RANGE (received);
CREATE TABLE statement_hour_default PARTITION OF statement_hour DEFAULT;
CREATE INDEX statement_hour_bucket ON statement_hour (project_id, bucket);

-- What a table has taken over from the next finer one: all that was received before until. Moved in the transaction that
-- merges.
CREATE TABLE rollup_state (
    name  text PRIMARY KEY,                             -- of the coarser table
    until timestamptz NOT NULL
);

-- What detectors found, one row a finding: when, by which release, and the hash of its issue. fixed_in is the newer release
-- in which it was looked for and not found.
CREATE TABLE finding (
    project_id   bigint NOT NULL,
    key          bytea NOT NULL,                        -- of the finding's fingerprint
    hash         bytea NOT NULL,                        -- of its issue
    endpoint_id  integer NOT NULL,
    kind         text NOT NULL,
    first_seen   timestamptz NOT NULL,
    last_seen    timestamptz NOT NULL,
    last_release integer NOT NULL,                      -- labels; 0: none
    fixed_in     integer NOT NULL DEFAULT 0,
    n            bigint NOT NULL,
    wasted_us    bigint NOT NULL,                       -- of a request, when it was last seen
    PRIMARY KEY (project_id, key)
);
CREATE INDEX finding_endpoint ON finding (endpoint_id);
