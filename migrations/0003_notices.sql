-- What people are told: one row per notice and channel. id = the key of its job, made of what it is about: so a repetition is the same row.
-- state: waiting (to be sent), sent, off (its channel is not set up), failed (it can never be sent; error says why).
-- subject = the row that it is about; seq, place = the event that it is about; NULL for what is about no event (an outage).
CREATE TABLE notices (
    id      TEXT   NOT NULL PRIMARY KEY,
    kind    TEXT   NOT NULL,
    channel TEXT   NOT NULL,
    rule    TEXT   NOT NULL,
    subject TEXT,
    seq     BIGINT,
    place   BIGINT,
    args    TEXT   NOT NULL,
    created BIGINT NOT NULL,
    state   TEXT   NOT NULL,
    ended   BIGINT,
    tries   BIGINT NOT NULL DEFAULT 0,
    error   TEXT
);
CREATE INDEX notices_waiting ON notices (created) WHERE state = 'waiting';
CREATE INDEX notices_by_event ON notices (seq, place);
CREATE INDEX notices_by_time ON notices (created);
