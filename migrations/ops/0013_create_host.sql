-- The machines that were measured: each process measures its own.
CREATE TABLE host (
    id      integer GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    name    text NOT NULL UNIQUE,                       -- node of the settings
    seen_at timestamptz NOT NULL
) WITH (fillfactor = 50);                               -- seen_at changes every 15 s, on the same page

-- Measurements in three tiers, as Ganglia keeps them: 15 s for a day, a minute for two weeks, ten minutes for a year. One row
-- holds all measurements of a host and bucket: an array's place is the number of hostmetrics.Metric, and n there is 0 where
-- nothing was measured. A row has some 700 bytes, which makes 4 MB a day of the finest tier, and 60 MB of all three after a
-- year; a row for each measurement would need six times that.
-- Only the finest is written; the job that merges sums of requests merges these (rollup_state). Whoever reads adds what finer
-- tiers received since.
CREATE TABLE host_fine (
    received timestamptz NOT NULL,
    bucket   timestamptz NOT NULL,
    host_id  integer NOT NULL,
    n        smallint[] NOT NULL,                       -- measurements
    sums     double precision[] NOT NULL,
    maxima   real[] NOT NULL
) PARTITION BY RANGE (received);
CREATE TABLE host_fine_default PARTITION OF host_fine DEFAULT;
CREATE INDEX host_fine_bucket ON host_fine (host_id, bucket);

CREATE TABLE host_minute (LIKE host_fine INCLUDING CONSTRAINTS) PARTITION BY RANGE (received);
CREATE TABLE host_minute_default PARTITION OF host_minute DEFAULT;
CREATE INDEX host_minute_bucket ON host_minute (host_id, bucket);
CREATE TABLE host_ten (LIKE host_fine INCLUDING CONSTRAINTS) PARTITION BY RANGE (received);
CREATE TABLE host_ten_default PARTITION OF host_ten DEFAULT;
CREATE INDEX host_ten_bucket ON host_ten (host_id, bucket);
