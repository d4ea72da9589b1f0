-- People who have too few hours left, and of whom the admin was notified: until there are enough again.
-- person = their row; about = what was looked at (rule's people, field, limit, channel); event = the event that the notice is named after.
CREATE TABLE shortages (
    person TEXT   NOT NULL,
    about  TEXT   NOT NULL,
    event  TEXT   NOT NULL,
    since  BIGINT NOT NULL,
    PRIMARY KEY (person, about)
);

-- Whether a person was notified of a row before.
CREATE INDEX notices_by_subject ON notices (subject, rule);
