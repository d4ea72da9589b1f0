-- A page below which pages of rows stand, and where one of them was put.
INSERT INTO groups_of_pages (space_id, title, page_id, started) VALUES ('019a0000-0000-7000-8000-0000000000aa', '2026', '019a0000-0000-7000-8000-000000000007', 1732280000010);
INSERT INTO places (page_id, parent_id) VALUES ('019a0000-0000-7000-8000-000000000005', '019a0000-0000-7000-8000-000000000007');
