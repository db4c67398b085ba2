-- Which period a mailed report was last sent for, so that each is sent once, however many processes there are.
CREATE TABLE report_sent (
    name    text PRIMARY KEY,                           -- daily or weekly
    period  text NOT NULL,                              -- 2026-11-24, or 2026-W47
    sent_at timestamptz NOT NULL DEFAULT now()
);
