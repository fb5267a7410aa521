-- One sequence for the ids of all objects; it starts high enough to look like an id and not like a count.
CREATE TABLE ids (id INTEGER PRIMARY KEY AUTOINCREMENT);
INSERT INTO ids (id) VALUES (100000);
