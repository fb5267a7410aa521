"""Finding the objects of Unity Catalog that have a full name: one place for find-or-404."""

from __future__ import annotations

from typing import Literal

from local_workspace.errors import ResourceDoesNotExist
from local_workspace.store import names
from local_workspace.store.database import Database, Row

Kind = Literal["catalog", "schema", "table", "volume"]
LEVELS: dict[Kind, int] = {"catalog": 1, "schema": 2, "table": 3, "volume": 3}


def find(db: Database, kind: Kind, full_name: str) -> Row | None:
    """The object's row with its full name and the names of its parents."""
    stored = ".".join(names.split(full_name, LEVELS[kind]))
    return db.one(f"SELECT * FROM named_{kind}s WHERE full_name = ?", (stored,))


def get(db: Database, kind: Kind, full_name: str) -> Row:
    """As `find`; ResourceDoesNotExist where there is none."""
    row = find(db, kind, full_name)
    if row is None:
        raise ResourceDoesNotExist(f"{kind.capitalize()} '{full_name}' does not exist.")
    return row
