from __future__ import annotations

import pytest

from renewables.errors import UnexpectedHeader
from renewables.sources import Header, parse_header


@pytest.mark.parametrize(
    ("line", "columns", "source"),
    [
        (
            b"Entity,Code,Year,Hydro (% electricity)\n",
            ("entity", "code", "year", "percent"),
            "hydro",
        ),
        (
            b'\xef\xbb\xbfYEAR, entity ,"Wind (% electricity)",Code\r\n',
            ("year", "entity", "percent", "code"),
            "wind",
        ),
    ],
)
def test_maps_the_columns(line: bytes, columns: tuple[str, ...], source: str) -> None:
    assert parse_header(line, "a.csv") == Header(columns, source)


@pytest.mark.parametrize(
    ("line", "problem"),
    [
        (b"", "has no column Entity, Code, Year"),
        (b"Entity,Year,Wind (% electricity)", "has no column Code"),
        (b"Entity,Code,Year,Coal (% electricity)", "has 0 known measures instead of one"),
        (
            b"Entity,Code,Year,Hydro (% electricity),Wind (% electricity)",
            "has 2 known measures instead of one",
        ),
        (b"Entity,Code,Year,Wind (% electricity),Note", "has columns that do not belong: note"),
        (b"Entity,Entity,Code,Year,Wind (% electricity)", "has columns that do not belong: entity"),
    ],
)
def test_refuses_other_columns(line: bytes, problem: str) -> None:
    with pytest.raises(UnexpectedHeader) as error:
        parse_header(line, "s3://b/a.csv")
    message = str(error.value)
    assert message.startswith(f"s3://b/a.csv {problem}: expected Entity, Code, Year and one of")
    assert "'Hydro (% electricity)', 'Solar (% electricity)', 'Wind (% electricity)'" in message


@pytest.mark.parametrize("line", ["Entity,Code".encode("utf-16"), b"a\rb", b"\x89PNG\r\n"])
def test_refuses_what_is_no_utf8_csv(line: bytes) -> None:
    with pytest.raises(UnexpectedHeader, match=r"^a\.csv is no CSV in UTF-8: .* Save it as one\.$"):
        parse_header(line, "a.csv")
