-- A bridge with its word, and a name that was looked up.
UPDATE bridge SET instance = 'w1';
INSERT INTO known_names (kind, scope, name, meant) VALUES ('table', 0, 'projet', '2');
