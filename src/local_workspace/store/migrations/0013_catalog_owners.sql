-- What the API can change of a catalog and of a table.
ALTER TABLE catalogs ADD COLUMN owner TEXT NOT NULL DEFAULT 'local@localhost';
ALTER TABLE catalogs ADD COLUMN properties TEXT NOT NULL DEFAULT '{}';
ALTER TABLE catalogs ADD COLUMN updated_at INTEGER NOT NULL DEFAULT 0;
UPDATE catalogs SET updated_at = created_at;
ALTER TABLE tables ADD COLUMN owner TEXT NOT NULL DEFAULT 'local@localhost';
