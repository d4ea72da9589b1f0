-- The section of a page that follows its row: the id of its block, and what it was last seen to say.
-- taken: when it was first seen that people had taken it away. NULL: it is there.
CREATE TABLE sections (
    page_id     TEXT   NOT NULL PRIMARY KEY,
    block_id    TEXT   NOT NULL,
    fingerprint TEXT   NOT NULL,
    taken       BIGINT
);
