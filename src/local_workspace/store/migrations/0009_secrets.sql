CREATE TABLE secret_scopes (
    scope TEXT PRIMARY KEY,
    created_time INTEGER NOT NULL
);

CREATE TABLE secrets (
    scope TEXT NOT NULL REFERENCES secret_scopes ON DELETE CASCADE,
    key TEXT NOT NULL,
    value BLOB NOT NULL,
    updated_time INTEGER NOT NULL,
    PRIMARY KEY (scope, key)
);
