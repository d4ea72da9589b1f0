-- The number of the last entry that was read, in the present life of Redis' data (NULL = not known); and the position at which that was true:
-- the programs of before move the position, and know of no numbers.
ALTER TABLE ledger_position ADD COLUMN entries BIGINT;
ALTER TABLE ledger_position ADD COLUMN entries_at TEXT;
