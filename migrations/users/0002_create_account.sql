CREATE TABLE account (
    id            bigint PRIMARY KEY,
    email         text NOT NULL,
    name          text NOT NULL DEFAULT '',
    role          text NOT NULL CHECK (role IN ('owner', 'admin', 'moderator', 'member', 'viewer')),
    password_hash text NOT NULL,             -- PHC string, argon2id
    created_at    timestamptz NOT NULL DEFAULT now(),
    disabled_at   timestamptz
);
CREATE UNIQUE INDEX account_email ON account (lower(email));

-- A session's token is never stored, only its SHA-256.
CREATE TABLE session (
    token_hash bytea PRIMARY KEY,
    account_id bigint NOT NULL REFERENCES account (id) ON DELETE CASCADE,
    created_at timestamptz NOT NULL DEFAULT now(),
    last_seen  timestamptz NOT NULL DEFAULT now(),
    expires_at timestamptz NOT NULL,
    idle       interval NOT NULL,            -- ends this long after last_seen, even before expires_at
    user_agent text NOT NULL DEFAULT '',
    ip         text NOT NULL DEFAULT ''
);
CREATE INDEX session_account ON session (account_id);

-- Bearer tokens for scripts. One without an account was made on the host and belongs to the installation.
CREATE TABLE api_token (
    id         bigint PRIMARY KEY,
    account_id bigint REFERENCES account (id) ON DELETE CASCADE,
    token_hash bytea NOT NULL UNIQUE,
    prefix     text NOT NULL,
    name       text NOT NULL,
    scopes     text[] NOT NULL,
    created_at timestamptz NOT NULL DEFAULT now(),
    last_used  timestamptz,
    expires_at timestamptz,
    revoked_at timestamptz
);
CREATE INDEX api_token_account ON api_token (account_id);

-- One-time links that make the first owner. A link dies when used, when it expires, or when any owner exists.
CREATE TABLE setup_link (
    token_hash bytea PRIMARY KEY,
    created_at timestamptz NOT NULL DEFAULT now(),
    expires_at timestamptz NOT NULL,
    used_at    timestamptz
);
