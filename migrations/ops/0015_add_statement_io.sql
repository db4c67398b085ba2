-- What pg_stat_statements counts of blocks, in the order of model.StatementIO. NULL where nobody told, as of spans and logs:
-- so it costs their rows nothing.
ALTER TABLE statement_raw ADD COLUMN io bigint[];
ALTER TABLE statement_ten ADD COLUMN io bigint[];
ALTER TABLE statement_hour ADD COLUMN io bigint[];
