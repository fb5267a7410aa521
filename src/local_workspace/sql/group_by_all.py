"""GROUP BY ALL, which the Spark engine has not, as the positions of the columns that it stands for.

https://docs.databricks.com/sql/language-manual/sql-ref-syntax-qry-select-groupby
"""

from __future__ import annotations

from collections.abc import Sequence

import sqlglot
from sqlglot import exp
from sqlglot.errors import ParseError
from sqlglot.tokenizer_core import Token, TokenType

from local_workspace.sql.errors import SqlError, unsupported
from local_workspace.sql.script import tokenize

_OPENING = {TokenType.L_PAREN: 1, TokenType.R_PAREN: -1}
_ENDS_SELECT_LIST = (TokenType.FROM, TokenType.WHERE, TokenType.GROUP_BY, TokenType.LATERAL)


def without_group_by_all(statement: str) -> str:
    """The statement with each GROUP BY ALL spelled out; SqlError for a select list that leaves it open."""
    tokens = tokenize(statement)
    for index in reversed(range(1, len(tokens))):
        group_by, word = tokens[index - 1 : index + 1]
        if group_by.token_type is TokenType.GROUP_BY and word.token_type is TokenType.ALL:
            columns = _grouped(_select_list(statement, tokens, index - 1))
            clause = f"GROUP BY {', '.join(map(str, columns))}" if columns else ""
            statement = statement[: group_by.start] + clause + statement[word.end + 1 :]
    return statement


def _select_list(statement: str, tokens: Sequence[Token], group_by: int) -> list[str]:
    """The text of each item of the SELECT that the clause belongs to: the last one outside of parentheses."""
    depths = _depths(tokens)
    level = [i for i in range(group_by) if depths[i] == depths[group_by]]
    first = next((i for i in reversed(level) if tokens[i].token_type is TokenType.SELECT), None)
    if first is None or min(depths[first:group_by]) < depths[group_by]:
        raise _open("a query without SELECT")
    end = next(
        i for i in [*level, group_by] if i > first and tokens[i].token_type in _ENDS_SELECT_LIST
    )
    if tokens[first + 1].token_type is TokenType.DISTINCT:
        first += 1
    commas = [i for i in level if first < i < end and tokens[i].token_type is TokenType.COMMA]
    return [
        statement[tokens[start + 1].start : tokens[stop - 1].end + 1]
        for start, stop in zip([first, *commas], [*commas, end], strict=True)
    ]


def _depths(tokens: Sequence[Token]) -> list[int]:
    """How many parentheses are open before each token."""
    depths = [0]
    for token in tokens:
        depths.append(depths[-1] + _OPENING.get(token.token_type, 0))
    return depths


def _grouped(items: Sequence[str]) -> list[int]:
    """The positions of those without an aggregate function."""
    return [position for position, item in enumerate(items, 1) if not _is_aggregate(item)]


def _is_aggregate(item: str) -> bool:
    try:
        select = sqlglot.parse_one(f"SELECT {item}", dialect="databricks", into=exp.Select)
    except ParseError:
        return False
    expression = select.selects[0].unalias()
    if expression.is_star or expression.find(exp.Window, exp.Subquery):
        raise _open(item)
    is_aggregate = expression.find(exp.AggFunc) is not None
    if is_aggregate and any(_is_outside(column) for column in expression.find_all(exp.Column)):
        raise _open(item)
    return is_aggregate


def _is_outside(column: exp.Column) -> bool:
    return column.find_ancestor(exp.AggFunc, exp.Filter, exp.WithinGroup) is None


def _open(item: str) -> SqlError:
    return unsupported(f"GROUP BY ALL with {item}", "name the columns to group by")
