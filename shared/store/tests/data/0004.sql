-- What was removed because it was old.
UPDATE tallies SET amount = amount + 1 WHERE name IN ('deliveries', 'items', 'outcome/synced');
INSERT INTO retired (name, amount) VALUES ('deliveries', 1), ('items', 1), ('outcome/synced', 1);
