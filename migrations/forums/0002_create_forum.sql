-- The directory of sites: which shard holds a forum's threads and posts. 0 is the default shard.
CREATE TABLE forum (
    id         bigint PRIMARY KEY,
    slug       text NOT NULL UNIQUE CHECK (slug ~ '^[a-z0-9][a-z0-9-]{0,62}$'),
    name       text NOT NULL,
    shard      integer NOT NULL DEFAULT 0,
    created_at timestamptz NOT NULL DEFAULT now()
);
