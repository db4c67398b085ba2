-- What signs the messages of those who tell us of changes of flags, one secret a provider. HMAC needs the secret itself, so it is
-- here as it is; it lets in nothing but marks on charts. The provider '#streams' is the key of our own streams' addresses.
CREATE TABLE flag_secret (
    provider   text PRIMARY KEY,
    secret     text NOT NULL,
    created_at timestamptz NOT NULL DEFAULT now()
);

-- Changes of flags that others keep, as they told. Our own switches have their history in switch_change.
CREATE TABLE flag_change (
    id         bigint PRIMARY KEY,
    provider   text NOT NULL,
    change_id  bigint NOT NULL,              -- the provider's; a message that comes twice counts once
    flag       text NOT NULL,
    action     text NOT NULL CHECK (action IN ('created', 'updated', 'deleted')),
    by_name    text NOT NULL DEFAULT '',
    by_type    text NOT NULL DEFAULT '',     -- email, id, name; '' nobody was named
    at         timestamptz NOT NULL,
    received   timestamptz NOT NULL DEFAULT now(),
    UNIQUE (provider, change_id)
);
CREATE INDEX flag_change_at ON flag_change (at DESC, id DESC);
CREATE INDEX flag_change_flag ON flag_change (flag, at DESC, id DESC);
