"""The three sources, and how a CSV's header shows which one it reports on."""

from __future__ import annotations

import csv
from collections import Counter
from dataclasses import dataclass

from renewables.errors import BrokenFile, UnexpectedHeader

SOURCES = ("hydro", "solar", "wind")

MEASURES = {
    measure: source
    for source in SOURCES
    for measure in (
        # As OWID's grapher names it: at present, up to 2022, and with useColumnShortNames=true.
        f"{source} - % electricity",
        f"{source} (% electricity)",
        f"{source}_share_of_electricity__pct",
        # As the codebook of https://github.com/owid/energy-data names it.
        f"{source}_share_elec",
    )
}
"""Source by the name of its measure in OWID's CSVs, in lower case."""

KEYS = ("entity", "code", "year")

EXPECTED = (
    "Entity, Code, Year and one of 'Hydro (% electricity)', 'Solar (% electricity)', "
    "'Wind (% electricity)' or another of OWID's names for them"
)

MARKS = {
    b"\xff\xfe": "UTF-16",
    b"\xfe\xff": "UTF-16",
    b"\x1f\x8b": "a gzip file that breaks off or is damaged",
    b"PK\x03\x04": "a zip archive or spreadsheet",
}
"""What a file is that begins with these bytes; a gzip file that can be read has been unpacked by extract."""


@dataclass(frozen=True)
class Header:
    """A checked header: `columns` names each column of the file as bronze does, in file order."""

    columns: tuple[str, ...]
    source: str


def parse_header(line: bytes, name: str) -> Header:
    """The header in a file's first line.

    Raises UnexpectedHeader, with the file's `name` and the column, if it has not what OWID's have,
    and BrokenFile if it is no CSV in UTF-8.
    """
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
    for mark, kind in MARKS.items():
        if line.startswith(mark):
            raise BrokenFile(f"{name} is {kind}. Save it as CSV in UTF-8.")
    try:
        text = line.decode("utf-8-sig").rstrip("\r\n")
        cells = next(csv.reader([text], strict=True), [])
    except (UnicodeDecodeError, csv.Error) as error:
        raise BrokenFile(f"{name} is no CSV in UTF-8: {error}. Save it as one.") from error
    return [cell.strip().lower() for cell in cells]


def _unexpected(name: str, problem: str, found: list[str]) -> UnexpectedHeader:
    shown = ", ".join(found)[:200] or "nothing"
    return UnexpectedHeader(f"{name} {problem}: expected {EXPECTED}, found {shown}.")
