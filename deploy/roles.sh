#!/bin/sh
# Run once by the PostgreSQL image when its data directory is new: a login role for each partition. Each may connect
# and nothing more; Kibitz, as the owner, makes the schemas and grants each role its own.
set -eu
psql -v ON_ERROR_STOP=1 -v password="$POSTGRES_PASSWORD" -U "$POSTGRES_USER" -d "$POSTGRES_DB" <<'SQL'
REVOKE ALL ON DATABASE kibitz FROM PUBLIC;
REVOKE ALL ON SCHEMA public FROM PUBLIC;
CREATE ROLE kibitz_forums LOGIN PASSWORD :'password';
CREATE ROLE kibitz_posts LOGIN PASSWORD :'password';
CREATE ROLE kibitz_users LOGIN PASSWORD :'password';
CREATE ROLE kibitz_ops LOGIN PASSWORD :'password';
GRANT CONNECT ON DATABASE kibitz TO kibitz_forums, kibitz_posts, kibitz_users, kibitz_ops;
SQL
