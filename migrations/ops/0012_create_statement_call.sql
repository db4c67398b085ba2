-- Calls of statements that are worth showing one by one, a few of each ten minutes: of kept spans (source 1), with their trace,
-- and of servers' logs (source 2), with plan and parameters. The two are put together by process, time and statement when they
-- are read, so that it does not matter which came first.
CREATE TABLE statement_call (
    received     timestamptz NOT NULL,
    project_id   bigint NOT NULL,
    statement_id integer NOT NULL,
    source       smallint NOT NULL,                     -- model.StatementSource
    kind         smallint NOT NULL,                     -- model.CallKind
    at           timestamptz NOT NULL,                  -- when it ended
    duration_us  bigint NOT NULL,                       -- or how long a lock was waited for
    pid          integer NOT NULL,                      -- of the backend; 0: unknown
    trace_id     uuid,                                  -- of a span
    span_id      bigint NOT NULL,
    endpoint_id  integer NOT NULL,
    params       text NOT NULL,                         -- values masked, as in plan
    plan         text NOT NULL,                         -- of auto_explain
    note         text NOT NULL                          -- what the log says, where it is no execution
) PARTITION BY RANGE (received);
CREATE TABLE statement_call_default PARTITION OF statement_call DEFAULT;
CREATE INDEX statement_call_at ON statement_call (project_id, at);
CREATE INDEX statement_call_statement ON statement_call (statement_id, at);

-- Up to which portion the log of a source has been taken: one that comes again after a kill is known by its number.
CREATE TABLE log_source (
    source  text PRIMARY KEY,
    seq     bigint NOT NULL,
    updated timestamptz NOT NULL
);
