-- How far the ledger stream has been read: one row, compared and set in the transaction that writes the facts.
-- '' = nothing yet. See README.md for the dialect that these files keep to.
CREATE TABLE ledger_position (
    id       BIGINT NOT NULL PRIMARY KEY CHECK (id = 1),
    position TEXT   NOT NULL
);
INSERT INTO ledger_position (id, position) VALUES (1, '');

-- One row per accepted delivery. (seq, place) = the stream entry and the fact's place in it: the one order of everything.
CREATE TABLE events (
    seq            BIGINT NOT NULL,
    place          BIGINT NOT NULL,
    delivery_key   TEXT   NOT NULL,
    event_id       TEXT   NOT NULL,
    webhook_id     BIGINT,
    batch          BIGINT NOT NULL,
    source         TEXT   NOT NULL,
    kind           TEXT   NOT NULL,
    table_id       BIGINT,
    received       BIGINT NOT NULL,
    payload        BYTEA  NOT NULL,
    duplicates     BIGINT NOT NULL DEFAULT 0,
    last_duplicate BIGINT,
    PRIMARY KEY (seq, place)
);
CREATE INDEX events_by_event_id ON events (event_id);
CREATE INDEX events_by_delivery_key ON events (delivery_key);

-- One row per row of a delivery. outcome NULL = still open; it is written once and never changed.
-- closed_seq, closed_place = the attempt that closed it; NULL where it was closed when it was accepted.
CREATE TABLE items (
    seq          BIGINT NOT NULL,
    place        BIGINT NOT NULL,
    item         BIGINT NOT NULL,
    table_id     BIGINT,
    row_id       BIGINT,
    outcome      TEXT,
    reason       TEXT,
    closed_at    BIGINT,
    closed_seq   BIGINT,
    closed_place BIGINT,
    PRIMARY KEY (seq, place, item),
    FOREIGN KEY (seq, place) REFERENCES events (seq, place)
);
CREATE INDEX items_open ON items (table_id, row_id) WHERE outcome IS NULL;
CREATE INDEX items_by_row ON items (table_id, row_id, seq);

-- One row per attempt at a job. verdict and steps are JSON as in the ledger stream; ending is the verdict's name, for filters.
CREATE TABLE attempts (
    seq     BIGINT NOT NULL,
    place   BIGINT NOT NULL,
    job     TEXT   NOT NULL,
    covers  BIGINT NOT NULL,
    attempt BIGINT NOT NULL,
    worker  TEXT   NOT NULL,
    started BIGINT NOT NULL,
    ended   BIGINT NOT NULL,
    ending  TEXT   NOT NULL,
    verdict TEXT   NOT NULL,
    steps   TEXT   NOT NULL,
    PRIMARY KEY (seq, place)
);
CREATE INDEX attempts_by_job ON attempts (job, covers);

-- What operators did to dead letters.
CREATE TABLE operator_acts (
    seq          BIGINT NOT NULL,
    place        BIGINT NOT NULL,
    act          TEXT   NOT NULL,
    letter       TEXT   NOT NULL,
    job          TEXT   NOT NULL,
    delivery_key TEXT,
    operator     TEXT   NOT NULL,
    why          TEXT,
    at           BIGINT NOT NULL,
    PRIMARY KEY (seq, place)
);
CREATE INDEX operator_acts_by_job ON operator_acts (job, seq);

-- Stream records that could not be read: kept as they were, so that one bad record never stops the ledger.
CREATE TABLE unreadable_records (
    seq   BIGINT NOT NULL,
    place BIGINT NOT NULL,
    error TEXT   NOT NULL,
    bytes BYTEA  NOT NULL,
    PRIMARY KEY (seq, place)
);

-- Running totals, so that the conservation line costs nothing on a large ledger:
-- deliveries, duplicates, items, outcome/<name>.
CREATE TABLE tallies (
    name   TEXT   NOT NULL PRIMARY KEY,
    amount BIGINT NOT NULL
);
