-- How often a link was written. A writer that has read an older version is refused: two attempts at one row may overlap.
ALTER TABLE links ADD COLUMN version BIGINT NOT NULL DEFAULT 1;

-- When a notice was last about to be sent. NULL: never.
ALTER TABLE notices ADD COLUMN sending BIGINT;

-- One row that is written to see whether the database can be written.
CREATE TABLE write_probe (
    id     BIGINT NOT NULL PRIMARY KEY CHECK (id = 1),
    probes BIGINT NOT NULL
);
INSERT INTO write_probe (id, probes) VALUES (1, 0);
