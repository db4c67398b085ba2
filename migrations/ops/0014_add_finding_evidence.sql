-- What a finding stands on when it was last seen, for the page of its endpoint; the issue's events hold all of it.
ALTER TABLE finding ADD COLUMN file text NOT NULL DEFAULT '', ADD COLUMN line integer NOT NULL DEFAULT 0,
    ADD COLUMN evidence text NOT NULL DEFAULT '';
