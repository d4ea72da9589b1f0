-- A notice that waits and one that was sent.
INSERT INTO notices (id, kind, channel, rule, subject, seq, place, args, created, state, ended, tries, error)
VALUES ('notice/waiting/0123456789abcdef', 'digest', 'mail', 'outage', NULL, NULL, NULL, '{}', 1732280000001, 'waiting', NULL, 2, 'no answer'),
       ('notice/sent/0123456789abcdef', 'digest', 'slack', 'projets', 't2/r5', 100, 0, '{}', 1732280000001, 'sent', 1732280000003, 0, NULL);
