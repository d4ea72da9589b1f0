-- What has been removed because it was old, as running totals with the names of `tallies`: so that the ledger can still be counted row by row.
CREATE TABLE retired (
    name   TEXT   NOT NULL PRIMARY KEY,
    amount BIGINT NOT NULL
);
