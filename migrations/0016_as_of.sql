-- When the page was changed last, in Docmost's words, as of the last time that its text was known to be as it should be.
-- NULL: not known.
ALTER TABLE links ADD COLUMN as_of TEXT;
