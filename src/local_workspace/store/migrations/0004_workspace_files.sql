-- What the API tells about a workspace object beyond its content, which is the file of the same path in the mount.
CREATE TABLE workspace_objects (
    object_id INTEGER PRIMARY KEY,
    path TEXT NOT NULL UNIQUE,
    object_type TEXT NOT NULL,
    language TEXT,
    created_at INTEGER NOT NULL
);
