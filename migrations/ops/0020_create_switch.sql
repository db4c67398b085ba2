-- Feature switches live in the memory of every process; these tables are what the next start reads, and the record. A row is a
-- register: the highest (revision, node) wins, whoever writes it and in whatever order. Processes compare nodes byte by byte.
CREATE TABLE switch_register (
    kind       text COLLATE "C" NOT NULL,               -- switch, segment, kill, opt, environment
    env        text COLLATE "C" NOT NULL,
    key        text COLLATE "C" NOT NULL,
    revision   bigint NOT NULL,
    node       text COLLATE "C" NOT NULL,
    deleted    boolean NOT NULL,                        -- never removed: an older value would come back
    body       json,                                    -- not jsonb: the text must stay as it was signed and compared
    by_name    text NOT NULL,
    by_kind    text NOT NULL,
    account_id bigint NOT NULL,
    why        text NOT NULL,
    at         timestamptz NOT NULL,
    action     text NOT NULL,
    change_id  bigint NOT NULL,                         -- its line of switch_history; 0 has none
    undoes     bigint NOT NULL,
    stored_at  timestamptz NOT NULL DEFAULT clock_timestamp(),
    PRIMARY KEY (kind, env, key)
);
CREATE INDEX switch_register_stored ON switch_register (stored_at);

-- What was done, by whom and why. Whoever has a record can write its line, so that a process that dies between a click and its
-- row leaves none out.
CREATE TABLE switch_history (
    id         bigint PRIMARY KEY,
    kind       text COLLATE "C" NOT NULL,
    env        text COLLATE "C" NOT NULL,
    key        text COLLATE "C" NOT NULL,
    action     text NOT NULL,
    by_name    text NOT NULL,
    by_kind    text NOT NULL,
    account_id bigint NOT NULL,
    why        text NOT NULL,
    at         timestamptz NOT NULL,
    revision   bigint NOT NULL,
    node       text NOT NULL,
    before     json,
    after      json,
    undoes     bigint NOT NULL,
    undone_by  bigint NOT NULL DEFAULT 0
);
CREATE INDEX switch_history_key ON switch_history (env, key, id DESC);
CREATE INDEX switch_history_env ON switch_history (env, id DESC);
