"""Bringing silver to new rows in one commit, at a cost that follows the new rows."""

from __future__ import annotations

from collections.abc import Collection

from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from renewables.newest import KEY
from renewables.schemas import SILVER, literal


def fill(changes: DataFrame, silver: str) -> None:
    """Put the changes into an empty table.

    Overwriting conflicts with another refresh at the same time, as MERGE does.
    """
    columns = ", ".join(SILVER.column_names)
    changes.sparkSession.sql(
        f"INSERT OVERWRITE {silver} SELECT {columns} FROM {{new}} AS new WHERE NOT is_removed",
        new=changes,
    )


def merge(changes: DataFrame, silver: str, outdated: Collection[str]) -> None:
    """Bring silver to the changes, one per key: remove what `is_removed`, put what is newer than silver's.

    Rows of the `outdated` files are older than any. A row is replaced by a DELETE and an INSERT, because
    an engine then marks the old row (a deletion vector) and leaves the files of silver as they are; an
    UPDATE makes Sail write anew each file that it touches. Hence a row to put comes twice: to `replace`
    an older one, and to be `put` unless silver has one that is not older.
    """
    columns = SILVER.column_names
    same = " AND ".join(f"old.{name} = new.{name}" for name in KEY)
    steps = F.when(F.col("is_removed"), F.array(F.lit("remove"))).otherwise(
        F.array(F.lit("replace"), F.lit("put"))
    )
    changes.sparkSession.sql(
        f"MERGE INTO {silver} AS old USING {{new}} AS new ON {same} AND {_within(changes)}"
        f" AND (new.step = 'remove' OR (new.step = 'replace') = ({_is_older(outdated)}))"
        " WHEN MATCHED AND new.step <> 'put' THEN DELETE"
        f" WHEN NOT MATCHED AND new.step = 'put' THEN INSERT ({', '.join(columns)})"
        f" VALUES ({', '.join(f'new.{name}' for name in columns)})",
        new=changes.select(*columns, F.explode(steps).alias("step")),
    )


def _is_older(outdated: Collection[str]) -> str:
    """Whether a row of silver is older than the new one of its key."""
    is_older = (
        "new._source_modified_at > old._source_modified_at"
        " OR (new._source_modified_at = old._source_modified_at AND new._loaded_at > old._loaded_at)"
    )
    if not outdated:
        return is_older
    hashes = ", ".join(literal(content_hash) for content_hash in sorted(outdated))
    return f"old._content_hash IN ({hashes}) OR {is_older}"


def _within(changes: DataFrame) -> str:
    """What all changes have in common, as literals: they spare the engine the files of silver beyond."""
    found = changes.agg(
        F.min("entity"), F.max("entity"), F.min("year"), F.max("year"), F.collect_set("source")
    ).first()
    assert found is not None
    if found[0] is None:
        return "false"
    sources = ", ".join(literal(source) for source in sorted(found[4]))
    return (
        f"old.entity BETWEEN {literal(found[0])} AND {literal(found[1])}"
        f" AND old.year BETWEEN {found[2]} AND {found[3]} AND old.source IN ({sources})"
    )
