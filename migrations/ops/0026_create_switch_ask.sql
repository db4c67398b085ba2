-- How often switches were asked in process, over OFREP or by Unleash's clients, whether or not a request tells of it. received is the
-- minute, or the hour, in which they were.
CREATE TABLE switch_ask_minute (
    received timestamptz NOT NULL,
    env      text NOT NULL,
    key      text NOT NULL,
    variant  text NOT NULL,
    n        bigint NOT NULL,
    PRIMARY KEY (received, env, key, variant)
) PARTITION BY RANGE (received);
CREATE TABLE switch_ask_minute_default PARTITION OF switch_ask_minute DEFAULT;
CREATE TABLE switch_ask_hour (LIKE switch_ask_minute INCLUDING ALL) PARTITION BY RANGE (received);
CREATE TABLE switch_ask_hour_default PARTITION OF switch_ask_hour DEFAULT;

-- Since when each answer is known, and when it was given last; for the report of stale switches.
CREATE TABLE switch_asked (
    env      text NOT NULL,
    key      text NOT NULL,
    variant  text NOT NULL,
    first_at timestamptz NOT NULL,
    last_at  timestamptz NOT NULL,
    n        bigint NOT NULL,
    PRIMARY KEY (env, key, variant)
);

-- Answers that error events name are counted as tags flags[key]; these find the issues of one switch.
CREATE INDEX issue_tag_flag ON issue_tag (key, value) WHERE key LIKE 'flags[%';
