-- What a store of the first version holds: a delivery that ended, one that is open, and what became of them.
UPDATE ledger_position SET position = '1732280000005-0';
INSERT INTO events (seq, place, delivery_key, event_id, webhook_id, batch, source, kind, table_id, received, payload, duplicates, last_duplicate)
VALUES (100, 0, '7/ended/0', 'ended', 7, 0, 'projet-changed', 'updated', 2, 1732280000001, {payload}, 1, 1732280000004),
       (200, 0, '7/open/0', 'open', 7, 0, 'projet-changed', 'created', 2, 1732280000002, {payload}, 0, NULL);
INSERT INTO items (seq, place, item, table_id, row_id, outcome, reason, closed_at, closed_seq, closed_place)
VALUES (100, 0, 0, 2, 5, 'synced', NULL, 1732280000003, 300, 0),
       (100, 0, 1, 2, 6, 'ignored', 'no_rule', 1732280000001, NULL, NULL),
       (200, 0, 0, 2, 7, NULL, NULL, NULL, NULL, NULL);
INSERT INTO attempts (seq, place, job, covers, attempt, worker, started, ended, ending, verdict, steps)
VALUES (300, 0, 't2/r5', 100, 1, 'worker-1', 1732280000002, 1732280000003, 'done', '{"done":{"outcome":"synced"}}', '[]');
INSERT INTO operator_acts (seq, place, act, letter, job, delivery_key, operator, why, at)
VALUES (400, 0, 'discarded', '01KA000000000000000000000A', 't2/r5', NULL, 'ops', 'not wanted', 1732280000004);
INSERT INTO unreadable_records (seq, place, error, bytes) VALUES (500, 0, 'no JSON', {payload});
INSERT INTO tallies (name, amount)
VALUES ('deliveries', 2), ('duplicates', 1), ('items', 3), ('outcome/synced', 1), ('outcome/ignored', 1);
