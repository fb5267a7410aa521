"""Rows or columns as the engine writes them to a Delta table of their own, beside the one that takes them over."""

from __future__ import annotations

import contextlib
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from pyspark.sql import DataFrame

from local_workspace.runtime.commands.context import Context, folder_of
from local_workspace.runtime.commands.delta_log import Action, DeltaLog, Snapshot, latest_in
from local_workspace.sql.identifiers import quote
from local_workspace.sql.table_commands import Column

_FEATURES = ("readerFeatures", "writerFeatures")


@contextlib.contextmanager
def scratch_folder(table: dict[str, Any]) -> Iterator[Path]:
    """What a kill leaves there is removed when the workspace starts."""
    with tempfile.TemporaryDirectory(prefix="scratch-", dir=folder_of(table).parent) as folder:
        yield Path(folder) / "table"


def written(frame: DataFrame, folder: Path, partitioned_by: Sequence[str] = ()) -> Snapshot:
    """The frame as a Delta table in the folder."""
    frame.write.format("delta").partitionBy(*partitioned_by).save(str(folder))
    return DeltaLog(folder, latest_in(folder), {}).replayed()


def fields_of(snapshot: Snapshot, names: Sequence[str]) -> list[Action]:
    """The fields of the schema in the order of the names: the engine puts partition columns last."""
    fields = {field["name"]: field for field in snapshot.schema["fields"]}
    return [fields[name] for name in names]


def empty_frame(context: Context, columns: Sequence[Column]) -> DataFrame:
    """PySparkException for a type that there is not."""
    ddl = ", ".join(f"{quote(column.name)} {column.type}" for column in columns)
    return context.session.createDataFrame([], ddl)


def defined(snapshot: Snapshot, columns: Sequence[Column]) -> list[Action]:
    """The fields of the schema as the columns define them."""
    fields = fields_of(snapshot, [column.name for column in columns])
    return [_defined(field, column) for field, column in zip(fields, columns, strict=True)]


def _defined(field: Action, column: Column) -> Action:
    comment = {} if column.comment is None else {"comment": column.comment}
    return {**field, "nullable": column.nullable, "metadata": comment}


def with_features(protocol: Action, other: Action) -> Action | None:
    """The protocol with the features of the other in it; None where it has them."""
    features = {
        name: sorted({*(protocol.get(name) or ()), *(other.get(name) or ())}) for name in _FEATURES
    }
    has_all = all(set(found) == set(protocol.get(name) or ()) for name, found in features.items())
    return None if has_all else {**protocol, **features}
