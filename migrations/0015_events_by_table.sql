-- The newest event of a table, and so of a rule.
CREATE INDEX events_by_table ON events (table_id, seq);
