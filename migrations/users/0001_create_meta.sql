-- Who lives here: the partition's name and the installation's id, checked at every start so that a
-- partition can never be pointed at another one's database by mistake.
CREATE TABLE meta (
    key        text PRIMARY KEY,
    value      text NOT NULL,
    updated_at timestamptz NOT NULL DEFAULT now()
);
