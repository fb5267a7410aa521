-- Unity Catalog: three levels of names, the Delta commits of managed tables, and grants.
-- Names are stored lower-cased; times are milliseconds since the epoch.

CREATE TABLE catalogs (
    catalog_id TEXT PRIMARY KEY,
    name TEXT NOT NULL UNIQUE,
    comment TEXT,
    created_at INTEGER NOT NULL
);

CREATE TABLE schemas (
    schema_id TEXT PRIMARY KEY,
    catalog_name TEXT NOT NULL REFERENCES catalogs (name),
    name TEXT NOT NULL,
    comment TEXT,
    properties TEXT NOT NULL DEFAULT '{}',
    owner TEXT NOT NULL,
    created_at INTEGER NOT NULL,
    updated_at INTEGER NOT NULL,
    UNIQUE (catalog_name, name)
);

CREATE TABLE tables (
    table_id TEXT PRIMARY KEY,
    schema_id TEXT NOT NULL REFERENCES schemas ON DELETE CASCADE,
    name TEXT NOT NULL,
    table_type TEXT NOT NULL,
    data_source_format TEXT NOT NULL,
    columns TEXT NOT NULL,
    comment TEXT,
    properties TEXT NOT NULL DEFAULT '{}',
    storage_location TEXT NOT NULL,
    -- The newest ratified version. Version 0 is written by the creator and not ratified.
    latest_version INTEGER NOT NULL DEFAULT 0,
    created_at INTEGER NOT NULL,
    updated_at INTEGER NOT NULL,
    UNIQUE (schema_id, name)
);

-- Storage handed out for a managed table that does not exist yet.
CREATE TABLE staging_tables (
    table_id TEXT PRIMARY KEY,
    schema_id TEXT NOT NULL REFERENCES schemas ON DELETE CASCADE,
    name TEXT NOT NULL,
    storage_location TEXT NOT NULL UNIQUE
);

-- Ratified commits: of each version of a table there is one.
CREATE TABLE delta_commits (
    table_id TEXT NOT NULL REFERENCES tables ON DELETE CASCADE,
    version INTEGER NOT NULL,
    timestamp INTEGER NOT NULL,
    file_name TEXT NOT NULL,
    file_size INTEGER NOT NULL,
    file_modification_timestamp INTEGER NOT NULL,
    PRIMARY KEY (table_id, version)
);

CREATE TABLE volumes (
    volume_id TEXT PRIMARY KEY,
    schema_id TEXT NOT NULL REFERENCES schemas ON DELETE CASCADE,
    name TEXT NOT NULL,
    comment TEXT,
    owner TEXT NOT NULL,
    created_at INTEGER NOT NULL,
    updated_at INTEGER NOT NULL,
    UNIQUE (schema_id, name)
);

CREATE TABLE grants (
    securable_id TEXT NOT NULL,
    principal TEXT NOT NULL,
    privilege TEXT NOT NULL,
    PRIMARY KEY (securable_id, principal, privilege)
);

-- What each kind of object is found and shown by.
CREATE VIEW named_catalogs AS
SELECT catalogs.*, catalog_id AS securable_id, name AS full_name FROM catalogs;

CREATE VIEW named_schemas AS
SELECT schemas.*, schema_id AS securable_id, catalog_name || '.' || name AS full_name FROM schemas;

CREATE VIEW named_tables AS
SELECT tables.*, table_id AS securable_id, catalog_name, schemas.name AS schema_name,
    catalog_name || '.' || schemas.name || '.' || tables.name AS full_name
FROM tables JOIN schemas USING (schema_id);

CREATE VIEW named_volumes AS
SELECT volumes.*, volume_id AS securable_id, catalog_name, schemas.name AS schema_name,
    catalog_name || '.' || schemas.name || '.' || volumes.name AS full_name
FROM volumes JOIN schemas USING (schema_id);

CREATE TRIGGER schema_grants AFTER DELETE ON schemas
BEGIN DELETE FROM grants WHERE securable_id = OLD.schema_id; END;

CREATE TRIGGER table_grants AFTER DELETE ON tables
BEGIN DELETE FROM grants WHERE securable_id = OLD.table_id; END;

CREATE TRIGGER volume_grants AFTER DELETE ON volumes
BEGIN DELETE FROM grants WHERE securable_id = OLD.volume_id; END;

INSERT INTO catalogs (catalog_id, name, comment, created_at) VALUES (
    lower(hex(randomblob(16))), 'main', 'The catalog of the local workspace',
    unixepoch() * 1000
);
INSERT INTO schemas (schema_id, catalog_name, name, comment, owner, created_at, updated_at)
SELECT lower(hex(randomblob(16))), name, 'default', 'Default schema', 'local@localhost', created_at, created_at
FROM catalogs;
