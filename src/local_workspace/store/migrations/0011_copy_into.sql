-- COPY INTO: what its commits load, and which files each table has loaded.

CREATE TABLE copies (
    copy_id TEXT PRIMARY KEY,
    table_id TEXT NOT NULL REFERENCES tables ON DELETE CASCADE,
    paths TEXT NOT NULL,                    -- JSON: the files that its commit loads
    forced INTEGER NOT NULL,                -- 1: also files that were loaded before
    version INTEGER,                        -- of the table; NULL until the commit is ratified
    row_count INTEGER
);

-- A table that is dropped forgets its files.
CREATE TABLE copied_files (
    table_id TEXT NOT NULL REFERENCES tables ON DELETE CASCADE,
    path TEXT NOT NULL,
    PRIMARY KEY (table_id, path)
) WITHOUT ROWID;
