from __future__ import annotations

import time
from typing import Any

import pytest

from local_workspace.bundle.errors import InvalidVariable, ReferenceCycle, UnknownVariable
from local_workspace.bundle.interpolate import (
    Path,
    Unresolved,
    is_reference,
    parse_path,
    path_text,
    pick,
    references,
    resolve,
)
from local_workspace.bundle.located import Located, place

DATA: dict[str, Any] = {
    "a": {
        "number": 3,
        "half": 0.5,
        "whole": 2.0,
        "yes": True,
        "none": None,
        "text": "x",
        "list": [{"name": "first"}, "second"],
    },
    "via": "${a.text}-${a.number}",
    "complex": {"n": "${a.number}", "l": ["${via}"]},
    "one": "${two}",
    "two": "${three}",
    "three": "${one}",
}


def look_up(path: Path) -> Any:
    if path[0] == "later":
        raise Unresolved
    return pick(DATA, path)


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("${a.number}", 3),
        ("${a.yes}", True),
        ("${complex}", {"n": 3, "l": ["x-3"]}),
        ("n=${a.number}", "n=3"),
        ("${a.half} ${a.whole} ${a.yes} [${a.none}]", "0.5 2 true []"),
        ("${a.list[0].name}, ${a.list[1]}", "first, second"),
        ({"k": ["${via}", 1, None]}, {"k": ["x-3", 1, None]}),
        ("${later.id}/${a.text}", "${later.id}/x"),
        ("${later.id}", "${later.id}"),
        ("$a ${} ${1a} ${a..b} ${a.} {{a.text}}", "$a ${} ${1a} ${a..b} ${a.} {{a.text}}"),
        ("$${a.text}", "$x"),
    ],
)
def test_references_take_the_type_of_what_they_name(value: Any, expected: Any) -> None:
    assert resolve(value, look_up) == expected


@pytest.mark.parametrize(
    ("value", "error", "message"),
    [
        (
            Located("${var.cataog}", "r/j.yml", 7),
            UnknownVariable,
            "r/j.yml:7: ${var.cataog} does not exist; define cataog under `variables`, or correct the name.",
        ),
        (
            "x ${a.nope.deep}",
            UnknownVariable,
            "${a.nope.deep} in 'x ${a.nope.deep}' does not exist; correct the reference.",
        ),
        ("${a.list[7]}", UnknownVariable, "${a.list[7]} does not exist; correct the reference."),
        (
            "${one}",
            ReferenceCycle,
            "one -> two -> three -> one refer to each other; break the circle.",
        ),
        (
            "x${complex}",
            InvalidVariable,
            "${complex} in 'x${complex}' is a mapping or a list; "
            "it can only be the whole value, not a part of a text.",
        ),
    ],
)
def test_mistakes_are_named(value: Any, error: type[Exception], message: str) -> None:
    with pytest.raises(error) as refusal:
        resolve(value, look_up)
    assert str(refusal.value) == message


def test_a_text_from_a_variable_counts_as_written_where_it_is_used() -> None:
    data = {"path": Located("../x.whl", "databricks.yml", 3)}
    used = Located("${path}", "resources/j.yml", 9)
    resolved = resolve(used, lambda path: pick(data, path))
    assert (resolved, place(resolved)) == ("../x.whl", "resources/j.yml:9: ")


def test_paths_are_read_and_written() -> None:
    assert parse_path("a.b-c[0][1].d_e") == ("a", "b-c", 0, 1, "d_e")
    assert path_text(("a", "b-c", 0, 1, "d_e")) == "a.b-c[0][1].d_e"
    assert list(references({"k": ["${a.b} ${c}"]})) == [("a", "b"), ("c",)]
    assert (is_reference("${a.b}"), is_reference("x${a.b}"), is_reference(3)) == (
        True,
        False,
        False,
    )


def test_a_long_name_without_an_end_costs_no_time() -> None:
    started = time.thread_time()
    assert not is_reference("${" + "a" * 5000 + "-" * 5000)
    assert time.thread_time() - started < 1
