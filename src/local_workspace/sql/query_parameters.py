"""The parameters of a saved query: typed values for `:name`, text for `{{ name }}`.

https://docs.databricks.com/api/workspace/queries (`parameters`),
https://docs.databricks.com/sql/user/queries/query-parameters
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime, timedelta
from typing import Any

from local_workspace.sql.errors import SqlError
from local_workspace.sql.parameters import Parameter

_MUSTACHE = re.compile(r"\{\{\s*([\w .-]+?)\s*\}\}")
_FORMATS = {
    "DAY_PRECISION": ("DATE", "%Y-%m-%d"),
    "MINUTE_PRECISION": ("TIMESTAMP", "%Y-%m-%d %H:%M"),
    "SECOND_PRECISION": ("TIMESTAMP", "%Y-%m-%d %H:%M:%S"),
}
_DAYS_AGO = {"NOW": 0, "YESTERDAY": 1}


def values(
    definitions: Iterable[Mapping[str, Any]], given: Mapping[str, str]
) -> dict[str, Parameter]:
    """Each parameter's value: the given one, else its own; SqlError for a kind that is not supported."""
    found = {name: Parameter(value) for name, value in given.items()}
    for definition in definitions:
        found.update(_parameters(definition, given))
    return found


def fill(text: str, parameters: Mapping[str, Parameter]) -> str:
    """The text with the values of its `{{ name }}`, as they are; SqlError where one has none."""

    def value_of(match: re.Match[str]) -> str:
        parameter = parameters.get(match[1])
        if parameter is None or parameter.value is None:
            message = f"Missing value for the parameter {match[1]} of the query."
            raise SqlError(f"[UNBOUND_SQL_PARAMETER] {message}", "42P02")
        return parameter.value

    return _MUSTACHE.sub(value_of, text)


def _parameters(
    definition: Mapping[str, Any], given: Mapping[str, str]
) -> Iterator[tuple[str, Parameter]]:
    name = definition.get("name") or ""
    match definition:
        case {"numeric_value": numeric}:
            yield name, _number(given.get(name, numeric.get("value")))
        case {"date_value": date}:
            kind, pattern = _FORMATS[date.get("precision") or "DAY_PRECISION"]
            yield name, Parameter(given.get(name) or _date(name, date, pattern), kind)
        case {"date_range_value": {"date_range_value": span}}:
            for end in ("start", "end"):
                yield f"{name}.{end}", Parameter(given.get(f"{name}.{end}") or span.get(end))
        case {"date_range_value": _}:
            raise SqlError(
                f"The local workspace has no dynamic date ranges (parameter {name}).", None
            )
        case {"enum_value": choice} | {"query_backed_value": choice}:
            yield name, Parameter(given.get(name) or _joined(choice))
        case _:
            text = (definition.get("text_value") or {}).get("value")
            yield name, Parameter(given.get(name, text))


def _number(number: object) -> Parameter:
    if number is None:
        return Parameter(None, "DOUBLE")
    value = str(number).removesuffix(".0")
    return Parameter(value, "BIGINT" if re.fullmatch(r"-?\d{1,18}", value) else "DOUBLE")


def _date(name: str, date: Mapping[str, Any], pattern: str) -> str | None:
    dynamic = date.get("dynamic_date_value")
    if dynamic is None:
        text: str | None = date.get("date_value")
        return text
    if dynamic not in _DAYS_AGO:
        raise SqlError(f"The local workspace has no date {dynamic} (parameter {name}).", None)
    return (datetime.now() - timedelta(days=_DAYS_AGO[dynamic])).strftime(pattern)


def _joined(choice: Mapping[str, Any]) -> str:
    options = choice.get("multi_values_options") or {}
    before, after = options.get("prefix") or "", options.get("suffix") or ""
    texts = [f"{before}{value}{after}" for value in choice.get("values") or ()]
    return (options.get("separator") or ",").join(texts)
