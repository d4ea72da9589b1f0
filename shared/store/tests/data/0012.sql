-- An account of the console, and who is signed in with it.
INSERT INTO accounts (name, role, password, created) VALUES ('lea', 'reader', NULL, 1732280000010);
INSERT INTO sessions (id, account, began, ends) VALUES ('00ff', 'lea', 1732280000010, 1732280000011);
