-- Statements of the Statement Execution API and their results; times are milliseconds since the epoch.
CREATE TABLE sql_statements (
    statement_id TEXT PRIMARY KEY,
    state TEXT NOT NULL,                    -- PENDING, RUNNING, SUCCEEDED, FAILED, CANCELED, CLOSED
    error_message TEXT,
    sql_state TEXT,
    columns TEXT NOT NULL DEFAULT '[]',     -- JSON: [[name, type_text, type_name], ...]
    truncated INTEGER NOT NULL DEFAULT 0,
    created_at INTEGER NOT NULL,
    ended_at INTEGER
);

CREATE TABLE sql_chunks (
    statement_id TEXT NOT NULL REFERENCES sql_statements ON DELETE CASCADE,
    chunk_index INTEGER NOT NULL,
    row_offset INTEGER NOT NULL,
    row_count INTEGER NOT NULL,
    byte_count INTEGER NOT NULL,
    rows TEXT NOT NULL,                     -- JSON: [[text or null, ...], ...]
    PRIMARY KEY (statement_id, chunk_index)
);
