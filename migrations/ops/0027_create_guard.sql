-- What the guard of each switch knows, as the program that watches wrote it last. It is moved on in the transaction that moves
-- the mark of what it has seen (rollup_state, name guard), so that nothing counts twice.
CREATE TABLE guard_state (
    env        text NOT NULL,
    key        text NOT NULL,
    updated_at timestamptz NOT NULL,
    state      jsonb NOT NULL,
    PRIMARY KEY (env, key)
);

-- What guards did, or would have done. An action that has not been carried out yet is tried again.
CREATE TABLE guard_decision (
    id       bigint PRIMARY KEY,                        -- time-ordered
    env      text NOT NULL,
    key      text NOT NULL,
    at       timestamptz NOT NULL,
    action   text NOT NULL,
    reason   text NOT NULL,
    evidence jsonb NOT NULL,
    done     boolean NOT NULL DEFAULT false
);
CREATE INDEX guard_decision_key ON guard_decision (env, key, id);
CREATE INDEX guard_decision_open ON guard_decision (id) WHERE NOT done;
