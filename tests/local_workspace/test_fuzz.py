"""Whatever is sent to whatever route: no 5xx, no traceback, and errors in Databricks' shape."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

import pytest
from asgi import Answer
from every_route import Target, every_route, field_names, routes
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from scripted import condition, for_each, notebook, run_job

from local_workspace.api.sql import WAREHOUSE_ID

JOB = {
    "name": "job",
    "tasks": [
        notebook("a", max_retries=1, libraries=[{"pypi": {"package": "x"}}]),
        condition("c", "{{job.parameters.p}}", "1", "a"),
        for_each("loop", "[1, {}]", notebook("i", parameters={"v": "{{input}}"}), "c"),
        run_job("call", 100_001),
        {"task_key": "w", "python_wheel_task": {"package_name": "p", "entry_point": "e"}},
        {"task_key": "s", "sql_task": {"warehouse_id": "w", "file": {"path": "/f"}}},
    ],
    "parameters": [{"name": "p", "default": "1"}],
    "schedule": {"quartz_cron_expression": "0 0 6 * * ?", "timezone_id": "UTC"},
    "job_clusters": [{"job_cluster_key": "c", "new_cluster": {"num_workers": 1}}],
    "environments": [{"environment_key": "e", "spec": {"dependencies": ["x"]}}],
    "git_source": {"git_url": "https://host/repo", "git_provider": "gitHub"},
    "tags": {"a": "b"},
}
RUN = {"run_id": 100_002}
BODIES: dict[str, dict[str, Any]] = {
    "jobs/create": JOB,
    "jobs/reset": {"job_id": 100_001, "new_settings": JOB},
    "jobs/update": {"job_id": 100_001, "new_settings": JOB, "fields_to_remove": ["tasks/a"]},
    "jobs/run-now": {
        "job_id": 100_001,
        "job_parameters": {"p": "2"},
        "only": ["a+"],
        "queue": {"enabled": True},
    },
    "jobs/get": {"job_id": 100_001, "page_token": "0"},
    "runs/get": {**RUN, "include_history": True, "include_resolved_values": True},
    "runs/get-output": RUN,
    "runs/export": {**RUN, "views_to_export": "ALL"},
    "runs/cancel": RUN,
    "runs/list": {"job_id": 100_001, "limit": 3, "expand_tasks": True, "run_type": "JOB_RUN"},
    "runs/repair": {**RUN, "rerun_tasks": ["a"], "latest_repair_id": 1},
    "runs/submit": {"run_name": "one", "notebook_task": {"notebook_path": "/n"}},
    "local/faults": {"task": "a", "times": 1, "delay_seconds": 0.0, "message": "m"},
    "workspace/import": {"path": "/Workspace/a", "language": "PYTHON", "content": "eA=="},
    "workspace/delete": {"path": "/Workspace/a", "recursive": True},
    "workspace/get-status": {"path": "/Workspace/a"},
    "workspace/mkdirs": {"path": "/Workspace/b/c"},
    "catalog/catalogs": {"name": "n", "comment": "c", "properties": {"a": "b"}},
    "catalog/schemas": {"name": "n", "catalog_name": "main"},
    "catalog/volumes": {"name": "v", "catalog_name": "main", "schema_name": "n"},
    "catalog/tables": {
        "name": "t",
        "catalog_name": "main",
        "schema_name": "n",
        "table_type": "MANAGED",
        "data_source_format": "DELTA",
        "columns": [{"name": "c", "type_text": "int", "type_name": "INT", "position": 0}],
    },
    "preview/commits": {
        "table_id": "t",
        "table_uri": "file:///t",
        "commit_info": {"version": 1, "timestamp": 1, "file_name": "f", "file_size": 1},
    },
    "{full_name}": {"changes": [{"principal": "p", "add": ["SELECT"], "remove": []}]},
    "{object_id}": {"access_control_list": [{"user_name": "u", "permission_level": "IS_OWNER"}]},
    "sql/statements": {
        "statement": "SELECT :a",
        "warehouse_id": WAREHOUSE_ID,
        "wait_timeout": "0s",
        "parameters": [{"name": "a", "value": "1", "type": "INT"}],
    },
}


@pytest.fixture(scope="module")
def target(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Target]:
    with every_route(tmp_path_factory.mktemp("state")) as target:
        target.tasks.endings["w"] = [False]
        created = target.send("POST", "/api/2.2/jobs/create", body=json.dumps(JOB).encode())
        assert created.json() == {"job_id": 100_001}, created
        started = target.send("POST", "/api/2.2/jobs/run-now", body=b'{"job_id": 100001}')
        assert started.status == 200, started
        yield target


ODD_TEXT = st.one_of(
    st.text(max_size=20),
    st.sampled_from(
        [
            *["", "..", "../../etc", "a/../b", "\x00", "\ud800", "💥" * 300, "{{job.x}}", "`"],
            *["a.b.c", "/", "//", "/Workspace/a", "/Volumes/main/default/v/x", "main", "0s"],
            *["100001", "100002", "-1", "1e400", "NaN", "9" * 5000, "true", "x" * 5000],
        ]
    ),
)
SCALARS = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-(2**70), 2**70),
    st.sampled_from([100_001, 100_002, 100_004, 0, -1, 2**63, 2**31]),
    st.floats(allow_nan=True),
    ODD_TEXT,
)
FIELDS = st.sampled_from(field_names())
METHODS_AND_PATHS = [(method, route.path) for method, route in routes()]
JUNK = st.recursive(
    SCALARS,
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(FIELDS | ODD_TEXT, inner, max_size=3)
    ),
    max_leaves=6,
)


def paths(value: Any, here: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    items = (
        value.items()
        if isinstance(value, dict)
        else enumerate(value)
        if isinstance(value, list)
        else ()
    )
    return [here] + [path for key, item in items for path in paths(item, (*here, key))]


def with_junk(value: Any, path: tuple[Any, ...], junk: Any) -> Any:
    if not path:
        return junk
    copy = dict(value) if isinstance(value, dict) else list(value)
    copy[path[0]] = with_junk(value[path[0]], path[1:], junk)
    return copy


def encoded(value: Any) -> bytes:
    return json.dumps(value).encode()


ODD_BODIES = st.one_of(
    st.dictionaries(FIELDS, JUNK, max_size=6).map(encoded),
    JUNK.map(encoded),
    st.binary(max_size=40),
    st.sampled_from(
        [
            *[b"", b"{}", b"[" * 5000 + b"]" * 5000, b'{"a":' * 3000 + b"1" + b"}" * 3000],
            *[b'{"name": "\\ud800"}', b'{"name": NaN}', b'{"name": 1e400}', b"\xff{}"],
            b'{"job_id": ' + b"9" * 5000 + b"}",
        ]
    ),
)


@st.composite
def bodies(draw: st.DrawFn, path: str) -> bytes:
    """What the route expects with up to two of its values replaced, or something else altogether."""
    body: Any = next((b for ending, b in BODIES.items() if path.endswith(ending)), None)
    if body is None or not draw(st.integers(0, 3)):
        return draw(ODD_BODIES)
    for _ in range(draw(st.integers(0, 2))):
        body = with_junk(body, draw(st.sampled_from(paths(body))), draw(JUNK))
    return encoded(body)


@dataclass(frozen=True)
class Sent:
    method: str
    path: str
    query: dict[str, str]
    body: bytes


@st.composite
def requests(draw: st.DrawFn) -> Sent:
    method, template = draw(st.sampled_from(METHODS_AND_PATHS))
    segment = quote(draw(ODD_TEXT).encode(errors="surrogatepass"), safe="")
    query = draw(st.dictionaries(FIELDS, ODD_TEXT, max_size=3))
    return Sent(
        method,
        re.sub(r"\{[^}]*\}", lambda _: segment, template),
        {name: value for name, value in query.items() if "\ud800" not in value},
        draw(bodies(template)),
    )


def check(answer: Answer, method: str) -> None:
    assert answer.status < 500, answer
    assert b"Traceback" not in answer.body
    if answer.status >= 400 and method != "HEAD":
        error = answer.json()
        assert isinstance(error["error_code"], str)
        assert isinstance(error["message"], str)
        assert error["error_code"]
        assert error["message"]


@settings(
    max_examples=700,
    deadline=None,
    derandomize=True,
    database=None,
    suppress_health_check=list(HealthCheck),
)
@given(sent=requests())
def test_no_request_breaks_the_workspace(target: Target, sent: Sent) -> None:
    check(target.send(sent.method, sent.path, query=sent.query, body=sent.body), sent.method)
