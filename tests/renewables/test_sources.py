from __future__ import annotations

import pytest

from renewables.errors import BrokenFile, UnexpectedHeader
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
    assert "'Hydro (% electricity)', 'Solar (% electricity)', 'Wind (% electricity)' or" in message


@pytest.mark.parametrize(
    "measure",
    [
        "Hydro - % electricity",
        "HYDRO (% ELECTRICITY)",
        "hydro_share_of_electricity__pct",
        "hydro_share_elec",
    ],
)
def test_knows_owids_names_of_a_measure(measure: str) -> None:
    assert parse_header(f"Entity,Code,Year,{measure}".encode(), "a.csv").source == "hydro"


@pytest.mark.parametrize(
    ("mark", "kind"),
    [
        ("Entity,Code".encode("utf-16"), "UTF-16"),
        (b"\xfe\xff", "UTF-16"),
        (b"\x1f\x8b\x08", "a gzip file that breaks off or is damaged"),
        (b"PK\x03\x04", "a zip archive or spreadsheet"),
    ],
)
def test_names_what_a_file_is_instead(mark: bytes, kind: str) -> None:
    with pytest.raises(BrokenFile, match=rf"^a\.csv is {kind}\. Save it as CSV in UTF-8\.$"):
        parse_header(mark, "a.csv")


@pytest.mark.parametrize("line", [b"a\rb", b"\x89PNG\r\n", b'"Entity,Code'])
def test_refuses_what_is_no_utf8_csv(line: bytes) -> None:
    with pytest.raises(BrokenFile, match=r"^a\.csv is no CSV in UTF-8: .* Save it as one\.$"):
        parse_header(line, "a.csv")
