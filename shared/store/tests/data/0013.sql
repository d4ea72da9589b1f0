-- The number of the last entry that was read, and a notice that can never be sent.
UPDATE ledger_position SET entries = 12, entries_at = position WHERE id = 1;
INSERT INTO notices (id, kind, channel, rule, subject, seq, place, args, created, state, ended, tries, error)
VALUES ('notice/failed/0123456789abcdef', 'digest', 'mail', 'projets', 't2/r5', 100, 0, '{}', 1732280000002, 'failed', 1732280000003, 5, 'no such mailbox');
