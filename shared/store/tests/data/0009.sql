-- Somebody with too few hours left, whom the admin knows of.
INSERT INTO shortages (person, about, event, since) VALUES ('t5/r1', 'heures', 'ended', 1732280000008);
