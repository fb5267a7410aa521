"""Saved queries: `w.queries`, and SQL tasks that run them."""

from __future__ import annotations

from typing import Any

import pytest
from databricks.sdk.errors import InvalidParameterValue, NotFound, ResourceAlreadyExists
from databricks.sdk.service.sql import (
    CreateQueryRequestQuery,
    LifecycleState,
    NumericValue,
    QueryParameter,
    TextValue,
    UpdateQueryRequestQuery,
)
from expect import refused
from scripted import ScriptedWorkspace
from served import Served

WAREHOUSE = "10ca110ca1000001"


def test_the_life_of_a_query(scripted: ScriptedWorkspace) -> None:
    queries = scripted.client.queries
    parameter = QueryParameter(name="n", title="N", numeric_value=NumericValue(value=5.0))
    made = queries.create(
        query=CreateQueryRequestQuery(
            display_name="all",
            query_text="SELECT 1",
            warehouse_id=WAREHOUSE,
            tags=["a"],
            parameters=[parameter],
        )
    )
    assert made.id is not None
    assert queries.get(made.id) == made
    assert (made.owner_user_name, made.lifecycle_state) == (
        "local@localhost",
        LifecycleState.ACTIVE,
    )
    assert made.parameters == [parameter]
    change = UpdateQueryRequestQuery(query_text="SELECT 2", description="d", tags=["b"])
    changed = queries.update(made.id, "query_text,tags,catalog", query=change)
    assert (changed.query_text, changed.tags, changed.description) == ("SELECT 2", ["b"], None)
    assert [query.id for query in queries.list()] == [made.id]
    queries.delete(made.id)
    assert list(queries.list()) == []
    assert queries.get(made.id).lifecycle_state is LifecycleState.TRASHED


def test_names_are_unique_unless_they_are_to_be_resolved(scripted: ScriptedWorkspace) -> None:
    queries = scripted.client.queries
    query = CreateQueryRequestQuery(display_name="same", query_text="SELECT 1")
    queries.create(query=query)
    message = "A query named 'same' already exists in /Workspace/Users/local@localhost."
    refused(
        ResourceAlreadyExists,
        "RESOURCE_ALREADY_EXISTS",
        message,
        lambda: queries.create(query=query),
    )
    names = [
        queries.create(query=query, auto_resolve_display_name=True).display_name for _ in range(2)
    ]
    assert names == ["same (1)", "same (2)"]


def test_bad_requests(scripted: ScriptedWorkspace) -> None:
    queries = scripted.client.queries
    made = queries.create(query=CreateQueryRequestQuery(display_name="q", query_text="SELECT 1"))
    assert made.id is not None
    for message, call in (
        ("Missing required field: query.display_name", lambda: queries.create()),
        ("Missing required field: update_mask", lambda: queries.update(str(made.id), "")),
        ("query.query_text cannot be removed.", lambda: queries.update(str(made.id), "query_text")),
        (
            "update_mask names 'id', which a query does not have.",
            lambda: queries.update(str(made.id), "id"),
        ),
    ):
        refused(InvalidParameterValue, "INVALID_PARAMETER_VALUE", message, call)
    missing = "Query none does not exist."
    refused(NotFound, "RESOURCE_DOES_NOT_EXIST", missing, lambda: queries.get("none"))
    refused(NotFound, "RESOURCE_DOES_NOT_EXIST", missing, lambda: queries.delete("none"))


def test_pages(scripted: ScriptedWorkspace) -> None:
    for number in range(3):
        query = CreateQueryRequestQuery(display_name=f"q{number}", query_text="SELECT 1")
        scripted.client.queries.create(query=query)
    listed = scripted.client.queries.list(page_size=2)
    assert [query.display_name for query in listed] == ["q0", "q1", "q2"]


def saved(served: Served, name: str, text: str, *parameters: QueryParameter) -> dict[str, str]:
    query = CreateQueryRequestQuery(
        display_name=name, query_text=text, parameters=list(parameters), catalog="main"
    )
    made = served.client.queries.create(query=query)
    assert made.id is not None
    return {"query_id": made.id}


def test_a_task_runs_a_query_with_its_parameters_or_those_of_the_task(served: Served) -> None:
    text = "SELECT assert_true(:n + 1 = {{ n }} + 1 AND :word = '{{word}}' AND '{{word}}' = 'two words')"
    query = saved(
        served,
        "checked",
        text,
        QueryParameter(name="n", numeric_value=NumericValue(value=5.0)),
        QueryParameter(name="word", text_value=TextValue(value="unused")),
    )
    parameters = {"word": "two words"}
    run_id = served.submit(
        sql_task={"warehouse_id": WAREHOUSE, "query": query, "parameters": parameters}
    )
    output = served.output(run_id)
    assert output.error is None
    assert output.sql_output is not None
    assert output.sql_output.query_output is not None
    assert output.sql_output.query_output.query_text == text.replace("{{ n }}", "5").replace(
        "{{word}}", "two words"
    )


@pytest.mark.parametrize(
    ("form", "message"),
    [
        ({"query": {"query_id": "none"}}, "Query none does not exist."),
        (
            {"dashboard": {"dashboard_id": "d"}},
            "The local workspace runs sql_task with file or query, not with dashboard; "
            "run this task on a Databricks workspace.",
        ),
    ],
)
def test_what_a_sql_task_cannot_run(served: Served, form: dict[str, Any], message: str) -> None:
    run_id = served.submit(sql_task={"warehouse_id": WAREHOUSE, **form})
    assert served.output(run_id).error == message


def test_a_query_in_the_trash_or_without_a_value_fails_its_task(served: Served) -> None:
    trashed = saved(served, "trashed", "SELECT 1")
    served.client.queries.delete(trashed["query_id"])
    run_id = served.submit(sql_task={"warehouse_id": WAREHOUSE, "query": trashed})
    assert served.output(run_id).error == f"Query {trashed['query_id']} is in the trash."
    unbound = saved(served, "unbound", "SELECT {{ nothing }}")
    run_id = served.submit(sql_task={"warehouse_id": WAREHOUSE, "query": unbound})
    assert served.output(run_id).error == (
        "[UNBOUND_SQL_PARAMETER] Missing value for the parameter nothing of the query."
    )
