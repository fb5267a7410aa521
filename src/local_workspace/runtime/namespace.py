"""The names that Databricks' runtime gives to a task's code."""

from __future__ import annotations

import importlib
from typing import Any

from pyspark.sql.functions import udf

from local_workspace.runtime import table_writers
from local_workspace.runtime.channel import Channel, Message
from local_workspace.runtime.dbutils import DBUtils
from local_workspace.runtime.outputs import Sink, html_output, render
from local_workspace.runtime.session import LazySession, session

Namespace = dict[str, Any]


def make_namespace(spec: Message, channel: Channel, sink: Sink) -> Namespace:
    """spark, dbutils, display ...; `from databricks.sdk.runtime import ...` finds the same objects.

    `sc` and `sqlContext` are absent, as on every Spark Connect runtime.
    """
    table_writers.install()
    dbutils = DBUtils(spec, channel, sink)

    def display(value: object = None, *_: object, **__: object) -> None:
        if value is not None:
            sink(render(value))

    namespace: Namespace = {
        "spark": LazySession(),
        "sql": LazySession().sql,
        "table": lambda name: session().table(name),
        "udf": udf,
        "dbutils": dbutils,
        "display": display,
        "displayHTML": lambda html: sink(html_output(html)),
        "getArgument": dbutils.widgets.getArgument,
    }
    runtime = importlib.import_module("dbruntime")
    runtime.UserNamespaceInitializer.namespace = namespace
    runtime.databricks_repl_context.set_context(spec)
    return namespace
