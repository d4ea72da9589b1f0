-- A notice that somebody has switched off.
INSERT INTO notices (id, kind, channel, rule, subject, seq, place, args, created, state, ended, tries, error)
VALUES ('notice/off/0123456789abcdef', 'digest', 'mail', 'projets', 't2/r5', 100, 0, '{}', 1732280000002, 'off', 1732280000003, 0, NULL);
