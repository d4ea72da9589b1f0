-- The migration brings an index alone: what it is about is written once more.
UPDATE events SET table_id = table_id;
