-- A catalog that is deleted takes its grants with it, as schemas, tables and volumes do.
CREATE TRIGGER catalog_grants AFTER DELETE ON catalogs
BEGIN DELETE FROM grants WHERE securable_id = OLD.catalog_id; END;
