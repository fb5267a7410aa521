"""docs/data-dictionary.md, from the schemas that the tables are created with.

`python -m renewables.dictionary` prints it.
"""

from __future__ import annotations

import re

from renewables.gold import GOLD, GOLD_SQL
from renewables.rules import RULES
from renewables.schemas import TABLES, Column, Table

INTRODUCTION = """# Data dictionary

Generated from the schemas: `uv run python -m renewables.dictionary > docs/data-dictionary.md`.
A test holds this page to them.
"""


def page(gold_sql: str) -> str:
    """The page in Markdown, with the gold table as its SQL file creates it."""
    tables = (*TABLES, gold(gold_sql))
    return "\n".join([INTRODUCTION, *(_table(table) for table in tables), _rules()])


def gold(sql: str) -> Table:
    """The table that the CREATE statement in the SQL file makes."""
    create = sql[: sql.index(";")]
    found = re.findall(r"^ +(\w+) (\w+) COMMENT '(.*)',?$", create, re.MULTILINE)
    comment = re.search(r"^COMMENT '(.*)'", create, re.MULTILINE)
    assert comment is not None
    return Table(GOLD, comment[1], tuple(Column(*column) for column in found))


def _table(table: Table) -> str:
    head = f"## {table.name}\n\n{table.comment}.\n\n| column | type | meaning |\n|---|---|---|\n"
    return head + "".join(f"| `{c.name}` | {c.type} | {c.comment} |\n" for c in table.columns)


def _rules() -> str:
    head = (
        "## Rules\n\nA row that breaks a rule of severity `error` goes to quarantine; one of severity "
        "`warning` is kept and counted. The rule on the sum judges the values that silver would have, "
        "all three together.\n\n| rule | severity | condition |\n|---|---|---|\n"
    )
    return head + "".join(f"| {r.name} | {r.severity} | `{r.condition}` |\n" for r in RULES)


if __name__ == "__main__":
    print(page(GOLD_SQL.read_text(encoding="utf-8")), end="")
