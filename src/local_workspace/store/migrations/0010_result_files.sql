-- A result that is fetched by external links is in files, one per chunk; its chunks have no rows here.
ALTER TABLE sql_statements ADD COLUMN format TEXT NOT NULL DEFAULT 'JSON_ARRAY';
ALTER TABLE sql_statements ADD COLUMN disposition TEXT NOT NULL DEFAULT 'INLINE';
