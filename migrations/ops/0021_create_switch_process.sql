-- The processes that answer from switches, so that a new one finds the others.
CREATE TABLE switch_process (
    node         text COLLATE "C" PRIMARY KEY,
    address      text NOT NULL,                         -- where its peers reach it
    revision     bigint NOT NULL,
    version      text NOT NULL,                         -- of the program
    heartbeat_at timestamptz NOT NULL
) WITH (fillfactor = 50);

-- What processes sign their messages to each other with; made once for an installation.
CREATE TABLE switch_secret (
    one    boolean PRIMARY KEY DEFAULT true CHECK (one),
    secret bytea NOT NULL
);
