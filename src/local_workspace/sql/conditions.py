"""Errors about objects that are there or are not; names as `identifiers.quote` writes them.

https://docs.databricks.com/error-messages/error-classes
"""

from __future__ import annotations

from local_workspace.sql.errors import SqlError, error


def no_such_catalog(name: str) -> SqlError:
    return error("NO_SUCH_CATALOG_EXCEPTION", f"Catalog '{name}' not found.", "42704")


def no_such_schema(name: str) -> SqlError:
    message = (
        f"The schema {name} cannot be found. Verify the spelling and correctness of the schema and "
        "catalog. If you did not qualify the name with a catalog, verify the current_schema() output, "
        "or qualify the name with the correct catalog. To tolerate the error on drop use DROP SCHEMA "
        "IF EXISTS."
    )
    return error("SCHEMA_NOT_FOUND", message, "42704")


def no_such_table(name: str) -> SqlError:
    message = (
        f"The table or view {name} cannot be found. Verify the spelling and correctness of the schema "
        "and catalog. If you did not qualify the name with a schema, verify the current_schema() "
        "output, or qualify the name with the correct schema and catalog. To tolerate the error on "
        "drop use DROP VIEW IF EXISTS or DROP TABLE IF EXISTS."
    )
    return error("TABLE_OR_VIEW_NOT_FOUND", message, "42P01")


def no_such_volume(name: str) -> SqlError:
    message = f"Volume {name} does not exist. Use SHOW VOLUMES to list the volumes that do."
    return error("VOLUME_NOT_FOUND", message, "42704")


def no_such_path(path: str, reason: str = "") -> SqlError:
    """`reason` says more, where the path is not merely missing."""
    because = f" ({reason.rstrip('.')})" if reason else ""
    return error("PATH_NOT_FOUND", f"Path does not exist: {path}{because}.", "42K03")


def catalog_exists(name: str) -> SqlError:
    return _exists("CATALOG", "catalog", name, "42710")


def schema_exists(name: str) -> SqlError:
    return _exists("SCHEMA", "schema", name, "42P06")


def table_exists(name: str) -> SqlError:
    return _exists("TABLE_OR_VIEW", "table or view", name, "42P07")


def volume_exists(name: str) -> SqlError:
    return _exists("VOLUME", "volume", name, "42000")


def catalog_not_empty(name: str) -> SqlError:
    return _not_empty("catalog", name)


def schema_not_empty(name: str) -> SqlError:
    return _not_empty("schema", name)


def _not_empty(kind: str, name: str) -> SqlError:
    message = (
        f"Cannot drop a {kind} {name} because it contains objects. Use DROP {kind.upper()} ... CASCADE "
        f"to drop the {kind} and all its objects."
    )
    return error(f"{kind.upper()}_NOT_EMPTY", message, "2BP01")


def _exists(condition: str, kind: str, name: str, sql_state: str) -> SqlError:
    message = (
        f"Cannot create {kind} {name} because it already exists. Choose a different name, drop or "
        "replace the existing object, or add the IF NOT EXISTS clause to tolerate pre-existing objects."
    )
    return error(f"{condition}_ALREADY_EXISTS", message, sql_state)
