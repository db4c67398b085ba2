-- How large each table with its indexes was on a day, of all partitions: catalogs know only today. Some 60 rows a day, 90 days.
CREATE TABLE space_sample (
    day       date NOT NULL,
    partition text NOT NULL,
    relation  text NOT NULL,                            -- time partitions count as the table that they belong to
    bytes     bigint NOT NULL,
    PRIMARY KEY (partition, day, relation)
);
