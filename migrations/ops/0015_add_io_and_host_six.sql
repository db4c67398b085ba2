-- What pg_stat_statements counts of blocks, in the order of model.StatementIO. NULL where nobody told, as of spans and logs:
-- so it costs their rows nothing.
ALTER TABLE statement_raw ADD COLUMN io bigint[];
ALTER TABLE statement_ten ADD COLUMN io bigint[];
ALTER TABLE statement_hour ADD COLUMN io bigint[];

-- Measurements of hosts by six hours, for a year: a month is 120 rows of a host and not 4,320, a year 1,460 and not 52,560.
CREATE TABLE host_six (LIKE host_ten INCLUDING CONSTRAINTS) PARTITION BY RANGE (received);
CREATE TABLE host_six_default PARTITION OF host_six DEFAULT;
CREATE INDEX host_six_bucket ON host_six (host_id, bucket);
