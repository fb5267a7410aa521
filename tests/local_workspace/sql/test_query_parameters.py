"""The values of a saved query's parameters."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

import pytest

from local_workspace.sql.errors import SqlError
from local_workspace.sql.parameters import Parameter
from local_workspace.sql.query_parameters import fill, values

CHOICE = {
    "values": ["a", "b"],
    "multi_values_options": {"prefix": "'", "suffix": "'", "separator": ", "},
}


@pytest.mark.parametrize(
    ("definition", "given", "expected"),
    [
        ({"text_value": {"value": "x"}}, {}, Parameter("x")),
        ({"text_value": {"value": "x"}}, {"p": ""}, Parameter("")),
        ({"numeric_value": {"value": 5.0}}, {}, Parameter("5", "BIGINT")),
        ({"numeric_value": {"value": 5.0}}, {"p": "-0.5"}, Parameter("-0.5", "DOUBLE")),
        ({"numeric_value": {}}, {}, Parameter(None, "DOUBLE")),
        ({"date_value": {"date_value": "2026-01-02"}}, {}, Parameter("2026-01-02", "DATE")),
        (
            {"date_value": {"date_value": "2026-01-02 03:04", "precision": "MINUTE_PRECISION"}},
            {},
            Parameter("2026-01-02 03:04", "TIMESTAMP"),
        ),
        ({"enum_value": {"values": ["a"]}}, {}, Parameter("a")),
        ({"enum_value": {"values": ["a"]}}, {"p": "b"}, Parameter("b")),
        ({"query_backed_value": CHOICE}, {}, Parameter("'a', 'b'")),
    ],
)
def test_a_parameters_value(
    definition: dict[str, Any], given: dict[str, str], expected: Parameter
) -> None:
    assert values([{"name": "p", **definition}], given) == {"p": expected}


def test_dynamic_dates() -> None:
    definition = {"name": "d", "date_value": {"dynamic_date_value": "YESTERDAY"}}
    before = datetime.now() - timedelta(days=1)
    (value,) = values([definition], {}).values()
    after = datetime.now() - timedelta(days=1)
    assert value.value in (f"{before:%Y-%m-%d}", f"{after:%Y-%m-%d}")


def test_both_ends_of_a_date_range() -> None:
    span = {"date_range_value": {"date_range_value": {"start": "2026-01-01", "end": "2026-02-01"}}}
    found = values([{"name": "r", **span}], {})
    assert fill("'{{ r.start }}' AND '{{r.end}}'", found) == "'2026-01-01' AND '2026-02-01'"


def test_given_values_need_no_definition() -> None:
    assert fill("{{ a }} {{b }}", values([], {"a": "1", "b": "{{ a }}"})) == "1 {{ a }}"


@pytest.mark.parametrize(
    ("definition", "message"),
    [
        ({"date_range_value": {"dynamic_date_range_value": "TODAY"}}, "no dynamic date ranges"),
        ({"date_value": {"dynamic_date_value": "LATER"}}, "has no date LATER"),
    ],
)
def test_what_is_not_supported(definition: dict[str, Any], message: str) -> None:
    with pytest.raises(SqlError, match=message):
        values([{"name": "p", **definition}], {})


def test_a_text_without_a_value() -> None:
    with pytest.raises(SqlError, match="Missing value for the parameter x of the query"):
        fill("SELECT {{ x }}", {"x": Parameter(None)})
