-- Links in every state that a page can have, and the intent of a create without a link.
INSERT INTO links (table_id, row_id, slot, page_id, slug_id, space, content_hash, written)
VALUES (2, 5, 'page', 'page-synced', 'aB3x', 'Agence', '00ff', 1732280000003),
       (2, 6, 'page', 'page-trashed', 'aB3y', 'Agence', 'trashed', 1732280000003),
       (2, 7, 'page', 'page-marked', 'aB3z', 'Agence', 'marked', 1732280000003),
       (2, 8, 'page', 'page-unconfirmed', 'aB4x', 'Agence', 'unswept', 1732280000003),
       (2, 9, 'page', 'page-unknown', 'aB4y', 'Agence', 'uncertain', 1732280000003);
INSERT INTO intents (table_id, row_id, slot, started, asked) VALUES (2, 10, 'page', 1732280000002, 2);
