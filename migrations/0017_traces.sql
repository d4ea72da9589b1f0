-- The trace that an event belongs to: a W3C traceparent, with zeros for a caller that has no span. NULL: it has none.
ALTER TABLE events ADD COLUMN trace TEXT;
