-- Who may use the console. role = reader or operator; password = a hash with its parameters (argon2), or nothing for a
-- person whom a proxy has let in.
CREATE TABLE accounts (
    name     TEXT   NOT NULL PRIMARY KEY,
    role     TEXT   NOT NULL,
    password TEXT,
    created  BIGINT NOT NULL
);

-- Who is signed in. id = a hash of what the browser keeps.
CREATE TABLE sessions (
    id      TEXT   NOT NULL PRIMARY KEY,
    account TEXT   NOT NULL,
    began   BIGINT NOT NULL,
    ends    BIGINT NOT NULL
);
CREATE INDEX sessions_by_account ON sessions (account, began);

-- What the console's pages look up: outcomes by time, the newest delivery of each source, a page by its address.
CREATE INDEX items_by_outcome ON items (outcome, closed_at);
CREATE INDEX events_by_source ON events (source, seq);
CREATE INDEX links_by_slug_id ON links (slug_id);
