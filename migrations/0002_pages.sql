-- The page of a row's slot, and the state that was last written to it.
CREATE TABLE links (
    table_id     BIGINT NOT NULL,
    row_id       BIGINT NOT NULL,
    slot         TEXT   NOT NULL,
    page_id      TEXT   NOT NULL,
    slug_id      TEXT   NOT NULL,
    space        TEXT   NOT NULL,
    content_hash TEXT   NOT NULL,
    written      BIGINT NOT NULL,
    PRIMARY KEY (table_id, row_id, slot)
);
CREATE INDEX links_by_page ON links (page_id);

-- A create that was about to be sent and whose link is not saved yet. asked = how many attempts came to this point.
CREATE TABLE intents (
    table_id BIGINT NOT NULL,
    row_id   BIGINT NOT NULL,
    slot     TEXT   NOT NULL,
    started  BIGINT NOT NULL,
    asked    BIGINT NOT NULL,
    PRIMARY KEY (table_id, row_id, slot)
);
