-- Posts of a forum by shard, counted by atomic statements; threads and posts themselves come with the
-- comment product.
CREATE TABLE forum_count (
    forum_id bigint PRIMARY KEY,
    posts    bigint NOT NULL DEFAULT 0
);
