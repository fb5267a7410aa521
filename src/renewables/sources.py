"""The three sources, and how a CSV shows which one it reports on."""

from __future__ import annotations

import csv
from collections import Counter
from dataclasses import dataclass

from renewables.errors import UnexpectedHeader

MEASURES = {
    "hydro (% electricity)": "hydro",
    "solar (% electricity)": "solar",
    "wind (% electricity)": "wind",
}
"""Source by the name of its measure in OWID's CSVs, in lower case."""

KEYS = ("entity", "code", "year")

EXPECTED = "Entity, Code, Year and one of " + ", ".join(
    f"'{measure.capitalize()}'" for measure in MEASURES
)


@dataclass(frozen=True)
class Header:
    """A checked header: `columns` names each column of the file as bronze does, in file order."""

    columns: tuple[str, ...]
    source: str


def parse_header(line: bytes, name: str) -> Header:
    """The header in a file's first line; UnexpectedHeader, with the file's `name`, if it has not what OWID's have."""
    found = _cells(line, name)
    measures = [cell for cell in found if cell in MEASURES]
    missing = [key.capitalize() for key in KEYS if key not in found]
    if missing:
        raise _unexpected(name, f"has no column {', '.join(missing)}", found)
    if len(measures) != 1:
        raise _unexpected(name, f"has {len(measures)} known measures instead of one", found)
    others = list((Counter(found) - Counter((*KEYS, *measures))).elements())
    if others:
        raise _unexpected(name, f"has columns that do not belong: {', '.join(others)}", found)
    columns = tuple("percent" if cell == measures[0] else cell for cell in found)
    return Header(columns, MEASURES[measures[0]])


def _cells(line: bytes, name: str) -> list[str]:
    try:
        text = line.decode("utf-8-sig").rstrip("\r\n")
        cells = next(csv.reader([text]), [])
    except (UnicodeDecodeError, csv.Error) as error:
        raise UnexpectedHeader(f"{name} is no CSV in UTF-8: {error}. Save it as one.") from error
    return [cell.strip().lower() for cell in cells]


def _unexpected(name: str, problem: str, found: list[str]) -> UnexpectedHeader:
    shown = ", ".join(found)[:200] or "nothing"
    return UnexpectedHeader(f"{name} {problem}: expected {EXPECTED}, found {shown}.")
