"""Which files silver has read, and which of them are the present state of their source."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import dataclass

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

from renewables.schemas import LINEAGE


@dataclass(frozen=True)
class Revision:
    """One content of a source file. Times are in microseconds, which need no time zone on their way.

    `rows_read` are its rows in bronze.
    """

    source: str
    source_file: str
    content_hash: str
    modified_at: int
    loaded_at: int
    rows_read: int

    @property
    def newness(self) -> tuple[int, int, str]:
        """Its time at the source, then its arrival; the hash only settles ties."""
        return self.modified_at, self.loaded_at, self.content_hash


def arrived(bronze: DataFrame) -> list[Revision]:
    """The files that these rows of bronze came with."""
    return _revisions(bronze, F.count("*"))


def recorded(table: DataFrame) -> list[Revision]:
    """The files that silver has read, from the table of revisions."""
    return _revisions(table, F.max("rows_read"))


def _revisions(rows: DataFrame, rows_read: Column) -> list[Revision]:
    files = rows.groupBy(*(column.name for column in LINEAGE)).agg(rows_read.alias("rows_read"))
    micros = (F.unix_micros("_source_modified_at"), F.unix_micros("_loaded_at"))
    columns = ("source", "_source_file", "_content_hash", *micros, "rows_read")
    return [Revision(*row) for row in files.select(*columns).collect()]


def live(known: Iterable[Revision]) -> set[str]:
    """The content hashes of the newest revision of each source file: what it says now.

    A revision is the same address with another content. It replaces the older ones as a whole, so
    what it drops is dropped.
    """
    newest: dict[str, Revision] = {}
    for revision in sorted(known, key=lambda revision: revision.newness):
        newest[revision.source_file] = revision
    return {revision.content_hash for revision in newest.values()}


def of_files(content_hashes: Collection[str]) -> Column:
    """Whether a row is of one of these files."""
    if not content_hashes:
        return F.lit(False)
    return F.col("_content_hash").isin(sorted(content_hashes))
