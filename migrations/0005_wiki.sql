-- An item that is about something else than a row names its job: page/<id of a wiki page>, share/<id of a share>.
ALTER TABLE items ADD COLUMN job TEXT;
CREATE INDEX items_open_jobs ON items (job) WHERE outcome IS NULL AND job IS NOT NULL;
CREATE INDEX items_by_job ON items (job, seq) WHERE job IS NOT NULL;

-- The row that was made for a wiki page, at most one per page and table, ever. row_id NULL: a create that was about to be sent at `started`.
CREATE TABLE page_rows (
    page_id      TEXT   NOT NULL,
    table_id     BIGINT NOT NULL,
    row_id       BIGINT,
    content_hash TEXT   NOT NULL,
    started      BIGINT NOT NULL,
    PRIMARY KEY (page_id, table_id)
);

-- The shares that are known: reported ones, and those that existed when the bridge first looked (reported NULL).
CREATE TABLE known_shares (
    share_id TEXT   NOT NULL PRIMARY KEY,
    page_id  TEXT   NOT NULL,
    seen     BIGINT NOT NULL,
    reported BIGINT
);

-- Pages that may have a twin: a create had an unknown outcome. They are looked after for a day.
CREATE TABLE doubts (
    table_id BIGINT NOT NULL,
    row_id   BIGINT NOT NULL,
    slot     TEXT   NOT NULL,
    since    BIGINT NOT NULL,
    PRIMARY KEY (table_id, row_id, slot)
);
