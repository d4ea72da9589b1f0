-- This bridge: one row. instance = the word in the marks of its pages, made once by the worker that first needs it; '' until then.
-- marked_before = how many pages an earlier version had left: their marks do not have that word yet.
CREATE TABLE bridge (
    id            BIGINT NOT NULL PRIMARY KEY CHECK (id = 1),
    instance      TEXT   NOT NULL,
    marked_before BIGINT NOT NULL
);
INSERT INTO bridge (id, instance, marked_before) SELECT 1, '', count(*) FROM links;

-- What a name in bridge.toml meant when it was first looked up: people rename tables, fields and spaces, ids stay.
-- kind = table, field or space; scope = the table of a field, 0 for others; meant = the id.
CREATE TABLE known_names (
    kind  TEXT   NOT NULL,
    scope BIGINT NOT NULL,
    name  TEXT   NOT NULL,
    meant TEXT   NOT NULL,
    PRIMARY KEY (kind, scope, name)
);
