"""Saved queries of Databricks SQL: https://docs.databricks.com/api/workspace/queries."""

from __future__ import annotations

import itertools
import json
import uuid
from dataclasses import dataclass
from typing import Any

from local_workspace.errors import ResourceAlreadyExists, ResourceDoesNotExist
from local_workspace.store.database import Database, Row
from local_workspace.store.jobs import now


@dataclass(frozen=True)
class Query:
    """`settings` are what its writer gave; times are epoch milliseconds."""

    query_id: str
    settings: dict[str, Any]
    is_trashed: bool
    created_at: int
    updated_at: int


class QueryStore:
    def __init__(self, db: Database) -> None:
        self._db = db

    def create(self, settings: dict[str, Any], *, resolve_name: bool) -> Query:
        """A new query; ResourceAlreadyExists for a taken name, unless that is to be resolved."""
        query_id = str(uuid.uuid4())
        with self._db.transaction():
            values = {
                "query_id": query_id,
                "settings": json.dumps(self._named(settings, resolve_name, query_id)),
                "created_at": now(),
                "updated_at": now(),
            }
            self._db.insert("queries", values)
            return self.get(query_id)

    def get(self, query_id: str) -> Query:
        """Also one in the trash; ResourceDoesNotExist without one."""
        row = self._db.one("SELECT * FROM queries WHERE query_id = ?", (query_id,))
        if row is None:
            raise ResourceDoesNotExist(f"Query {query_id} does not exist.")
        return _query(row)

    def list(self) -> list[Query]:
        """All that are not in the trash, oldest first."""
        rows = self._db.all("SELECT * FROM queries WHERE NOT is_trashed ORDER BY created_at, rowid")
        return [_query(row) for row in rows]

    def update(self, query_id: str, settings: dict[str, Any], *, resolve_name: bool) -> Query:
        """Replaces the settings; errors as in `create`."""
        with self._db.transaction():
            named = self._named(settings, resolve_name, query_id)
            changes = {"settings": json.dumps(named), "updated_at": now()}
            self._db.update("queries", "query_id", query_id, changes)
            return self.get(query_id)

    def trash(self, query_id: str) -> None:
        with self._db.transaction():
            self._db.update("queries", "query_id", self.get(query_id).query_id, {"is_trashed": 1})

    def _named(self, settings: dict[str, Any], resolve: bool, query_id: str) -> dict[str, Any]:
        """The settings with a name that no other query of the folder has."""
        others = (query for query in self.list() if query.query_id != query_id)
        folder, name = settings["parent_path"], settings["display_name"]
        taken = {q.settings["display_name"] for q in others if q.settings["parent_path"] == folder}
        if name not in taken:
            return settings
        if not resolve:
            raise ResourceAlreadyExists(f"A query named {name!r} already exists in {folder}.")
        numbered = (f"{name} ({number})" for number in itertools.count(1))
        return {**settings, "display_name": next(n for n in numbered if n not in taken)}


def _query(row: Row) -> Query:
    values = dict(row)
    return Query(**{**values, "settings": json.loads(values["settings"])})
