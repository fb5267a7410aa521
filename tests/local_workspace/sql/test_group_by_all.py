"""GROUP BY ALL in the form that the engine has."""

from __future__ import annotations

import pytest

from local_workspace.sql.errors import SqlError
from local_workspace.sql.group_by_all import without_group_by_all


@pytest.mark.parametrize(
    ("statement", "spelled_out"),
    [
        ("SELECT a, count(*) FROM t GROUP BY ALL", "SELECT a, count(*) FROM t GROUP BY 1"),
        (
            "select distinct a, extract(YEAR from d) y, sum(b) + 1 from t group by all order by 1",
            "select distinct a, extract(YEAR from d) y, sum(b) + 1 from t GROUP BY 1, 2 order by 1",
        ),
        ("SELECT count(*) FROM t GROUP BY ALL", "SELECT count(*) FROM t "),
        ("SELECT 1, avg(b) FILTER (WHERE c) GROUP BY ALL", None),
        (
            "INSERT INTO z WITH c AS (SELECT max(b) m, a FROM t GROUP BY ALL) "
            "SELECT m, (a), count(*) FROM c GROUP BY ALL HAVING count(*) > 1",
            "INSERT INTO z WITH c AS (SELECT max(b) m, a FROM t GROUP BY 2) "
            "SELECT m, (a), count(*) FROM c GROUP BY 1, 2 HAVING count(*) > 1",
        ),
        (
            "SELECT a FROM t UNION ALL SELECT b, sum(c) FROM u GROUP BY ALL",
            "SELECT a FROM t UNION ALL SELECT b, sum(c) FROM u GROUP BY 1",
        ),
        ("SELECT 'GROUP BY ALL' FROM t GROUP BY a", "SELECT 'GROUP BY ALL' FROM t GROUP BY a"),
    ],
)
def test_the_columns_without_aggregates(statement: str, spelled_out: str | None) -> None:
    expected = spelled_out or statement.replace("ALL", "1")
    assert without_group_by_all(statement) == expected


@pytest.mark.parametrize("item", ["*", "t.*", "a + count(*)", "sum(b) OVER ()", "(SELECT max(c))"])
def test_what_leaves_the_columns_open_is_refused(item: str) -> None:
    with pytest.raises(SqlError, match=r"does not support GROUP BY ALL with .*; name the columns"):
        without_group_by_all(f"SELECT {item}, max(a) FROM t GROUP BY ALL")


def test_a_query_without_select_is_refused() -> None:
    with pytest.raises(SqlError, match="GROUP BY ALL with a query without SELECT"):
        without_group_by_all("FROM t GROUP BY ALL")
