-- The pages below which pages of rows stand (`page.parent`), by space and title. page_id: NULL while
-- one is being made, since `started`.
CREATE TABLE groups_of_pages (
    space_id TEXT   NOT NULL,
    title    TEXT   NOT NULL,
    page_id  TEXT,
    started  BIGINT NOT NULL,
    PRIMARY KEY (space_id, title)
);
-- Below which page the bridge has put a row's page last: one that stands elsewhere was moved by people.
CREATE TABLE places (
    page_id   TEXT NOT NULL PRIMARY KEY,
    parent_id TEXT
);
