-- A link that was written twice, and a notice that was about to be sent.
UPDATE links SET version = 1 WHERE version < 1;
UPDATE notices SET sending = 1732280000006 WHERE id = 'notice/sent/0123456789abcdef';
UPDATE write_probe SET probes = probes + 1;
