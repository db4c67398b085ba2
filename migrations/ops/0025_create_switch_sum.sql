-- Sums of requests by the answers of switches, kept as those of endpoints are (0009): rows are only added, and merged into minutes,
-- hours and days. Each request is counted once under each answer it names: for its endpoint, and for the whole project
-- (endpoint_id 0), whose rows also tell how many different people there were.
CREATE TABLE switch_raw (
    received    timestamptz NOT NULL,
    bucket      timestamptz NOT NULL,                   -- minute in which the requests began
    project_id  bigint NOT NULL,
    env_id      integer NOT NULL,                       -- label; 0: none
    endpoint_id integer NOT NULL,                       -- 0: all of the project
    switch_id   integer NOT NULL,                       -- label: key=variant
    n           double precision NOT NULL,              -- requests, each with its weight
    seen        bigint NOT NULL,                        -- requests that were seen
    known       bigint NOT NULL,                        -- of them, whose user is known
    failed      double precision NOT NULL,
    duration_us double precision NOT NULL,
    db_us       double precision NOT NULL,
    cache_us    double precision NOT NULL,
    http_us     double precision NOT NULL,
    template_us double precision NOT NULL,
    pool_us     double precision NOT NULL,
    db_n        double precision NOT NULL,
    exposed     bigint NOT NULL,                        -- subjects, each at most once in five seconds (endpoint 0 only)
    hurt        bigint NOT NULL,                        -- the same of those whose request failed, or that an error event names
    durations   bytea NOT NULL,
    queries     bytea NOT NULL,
    subjects    bytea NOT NULL                          -- HyperLogLog with 4,096 registers; empty where endpoint_id is not 0
) PARTITION BY RANGE (received);
CREATE TABLE switch_raw_default PARTITION OF switch_raw DEFAULT;
CREATE INDEX switch_raw_bucket ON switch_raw (endpoint_id, bucket);
CREATE INDEX switch_raw_received ON switch_raw (received) WHERE endpoint_id = 0;    -- the guard reads what came since it looked last

CREATE TABLE switch_minute (LIKE switch_raw INCLUDING CONSTRAINTS) PARTITION BY RANGE (received);
CREATE TABLE switch_minute_default PARTITION OF switch_minute DEFAULT;
CREATE INDEX switch_minute_bucket ON switch_minute (endpoint_id, bucket);
CREATE TABLE switch_hour (LIKE switch_raw INCLUDING CONSTRAINTS) PARTITION BY RANGE (received);
CREATE TABLE switch_hour_default PARTITION OF switch_hour DEFAULT;
CREATE INDEX switch_hour_bucket ON switch_hour (endpoint_id, bucket);
CREATE TABLE switch_day (LIKE switch_raw INCLUDING CONSTRAINTS) PARTITION BY RANGE (received);
CREATE TABLE switch_day_default PARTITION OF switch_day DEFAULT;
CREATE INDEX switch_day_bucket ON switch_day (endpoint_id, bucket);
