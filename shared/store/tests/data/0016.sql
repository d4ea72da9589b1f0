-- What the migration added, where it is known.
UPDATE links SET as_of = '2026-11-20T09:00:00.000Z' WHERE row_id = 5;
