CREATE TABLE secret_acls (
    scope TEXT NOT NULL REFERENCES secret_scopes ON DELETE CASCADE,
    principal TEXT NOT NULL,
    permission TEXT NOT NULL,
    PRIMARY KEY (scope, principal)
);

INSERT INTO secret_acls SELECT scope, 'local@localhost', 'MANAGE' FROM secret_scopes;
