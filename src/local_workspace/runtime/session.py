"""The task's Spark session, made when it is first used."""

from __future__ import annotations

from typing import Any

from databricks.connect import DatabricksSession
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql.connect.session import SparkSession as ConnectSession

from local_workspace.runtime.commands import execute
from local_workspace.runtime.commands.conflicts import reported_as_deltas
from local_workspace.runtime.commands.context import Context


def session() -> SparkSession:
    """The one that `DatabricksSession.builder.getOrCreate()` gives the task's own code too."""
    return DatabricksSession.builder.getOrCreate()


class LazySession:
    """What `spark` is in a task: a task that does not use it pays nothing for it."""

    # isinstance(spark, ...) holds as it does for a session.
    __class__ = ConnectSession  # type: ignore[assignment]

    def sql(self, query: str, *args: Any, **kwargs: Any) -> DataFrame:
        """As the session's, and with the statements that Databricks has and the engine has not."""
        if args or kwargs:
            with reported_as_deltas(Context(session()), query):
                return session().sql(query, *args, **kwargs)
        return execute.sql(session(), query)

    def __getattr__(self, name: str) -> Any:
        return getattr(session(), name)

    def __repr__(self) -> str:
        return repr(session())
