-- The list of notices of one state, the newest first: few of many may have failed.
CREATE INDEX notices_by_state ON notices (state, created);
