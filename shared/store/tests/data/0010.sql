-- A page whose section people have cut and pasted, and one from which they have taken it away.
INSERT INTO sections (page_id, block_id, fingerprint, taken) VALUES
    ('019a0000-0000-7000-8000-000000000005', 'pasted', 'ff00', NULL),
    ('019a0000-0000-7000-8000-000000000006', 'baserow', 'ff01', 1732280000009);
