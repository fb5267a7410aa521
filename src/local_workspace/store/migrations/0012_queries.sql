-- Saved queries of Databricks SQL. Times are milliseconds since the epoch.
CREATE TABLE queries (
    query_id TEXT PRIMARY KEY,
    settings TEXT NOT NULL,
    is_trashed INTEGER NOT NULL DEFAULT 0,
    created_at INTEGER NOT NULL,
    updated_at INTEGER NOT NULL
);
