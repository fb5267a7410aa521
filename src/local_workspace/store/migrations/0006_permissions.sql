-- Direct permissions on an object, as they were set; inherited ones are not stored.
CREATE TABLE permissions (
    object TEXT NOT NULL,            -- "/jobs/123"
    position INTEGER NOT NULL,
    principal_kind TEXT NOT NULL,    -- user_name, group_name or service_principal_name
    principal TEXT NOT NULL,
    level TEXT NOT NULL,
    PRIMARY KEY (object, principal_kind, principal)
);
