"""The cells of a notebook in source form. https://docs.databricks.com/notebooks/notebook-format"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

_COMMENTS = {"PYTHON": "#", "SQL": "--", "SCALA": "//", "R": "#"}
_MAGIC = re.compile(r"%(?P<word>[\w-]+)[ \t]*(?P<rest>.*)", re.DOTALL)
_CELL_MAGICS = frozenset(
    {"python", "sql", "scala", "r", "md", "md-sandbox", "sh", "fs", "run", "skip"}
)
"""Say what the whole cell is; any other magic is IPython's, in a Python cell."""


@dataclass(frozen=True)
class Cell:
    """`text` is the cell as a person sees it, `code` what its language gets.

    `first_line` is the notebook's line, from 1, of the first line of `code`.
    """

    index: int
    language: str
    text: str
    code: str
    first_line: int
    title: str | None = None


def parse(source: str, language: str) -> list[Cell]:
    """The cells that are not empty. `language` is the notebook's, PYTHON or SQL; a magic's name is lower case."""
    comment = _COMMENTS[language]
    blocks = _blocks(source.splitlines(), comment)
    return [
        _cell(index, lines, first_line, comment, language.lower())
        for index, (lines, first_line) in enumerate(blocks)
    ]


def _blocks(lines: list[str], comment: str) -> Iterator[tuple[list[str], int]]:
    """Lines of each cell without the blank ones around, and the number of the first."""
    header, separator = f"{comment} Databricks notebook source", f"{comment} COMMAND ----------"
    start = 1 if lines and lines[0].strip() == header else 0
    ends = [i for i in range(start, len(lines)) if lines[i].strip() == separator]
    for end in [*ends, len(lines)]:
        filled = [i for i in range(start, end) if lines[i].strip()]
        if filled:
            yield lines[filled[0] : filled[-1] + 1], filled[0] + 1
        start = end + 1


def _cell(index: int, lines: list[str], first_line: int, comment: str, language: str) -> Cell:
    title = None
    if lines[0].startswith(f"{comment} DBTITLE "):
        title = lines[0].partition(",")[2].strip()
        lines, first_line = lines[1:], first_line + 1
    magic = f"{comment} MAGIC"
    is_magic = any(line.strip() for line in lines) and lines[0].startswith(magic)
    text = "\n".join(
        line.removeprefix(magic).removeprefix(" ") if is_magic else line for line in lines
    )
    code = text
    found = _MAGIC.fullmatch(text)
    if found and found["word"] not in _CELL_MAGICS:
        language = "python"
    elif found:
        language, code = found["word"], found["rest"]
        # What follows the magic word starts on its line, or on the next one.
        if not lines[0].removeprefix(magic).strip().removeprefix(f"%{language}").strip():
            code, first_line = "\n".join(text.split("\n")[1:]), first_line + 1
    return Cell(index, language, text, code, first_line, title)
