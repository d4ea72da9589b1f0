-- A job about a wiki page, the row that was made for it, a known share, and a create with an unknown outcome.
INSERT INTO events (seq, place, delivery_key, event_id, webhook_id, batch, source, kind, table_id, received, payload)
VALUES (600, 0, '-/wiki-1/0', 'wiki-1', NULL, 0, 'wiki', 'updated', NULL, 1732280000004, {payload});
INSERT INTO items (seq, place, item, job) VALUES (600, 0, 0, 'page/019a0000-0000-7000-8000-000000000001');
UPDATE tallies SET amount = amount + 1 WHERE name IN ('deliveries', 'items');
INSERT INTO page_rows (page_id, table_id, row_id, content_hash, started) VALUES ('019a0000-0000-7000-8000-000000000001', 3, 12, 'aa', 1732280000004);
INSERT INTO known_shares (share_id, page_id, seen, reported) VALUES ('share-1', 'page-synced', 1732280000004, NULL);
INSERT INTO doubts (table_id, row_id, slot, since) VALUES (2, 8, 'page', 1732280000003);
