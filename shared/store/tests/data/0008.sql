-- A life of Redis' data.
INSERT INTO lives (number, epoch, began, starts_after, base, answered, recorded) VALUES (1, 'e1', 1732280000007, '', 0, 5, 5);
