"""Transactions: whole or absent, whoever else uses the database meanwhile."""

from __future__ import annotations

import ast
import sqlite3
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

import local_workspace
from local_workspace.store.database import Database

THREADS = 4
TRANSFERS = 200
TOTAL = 1000


@pytest.fixture
def db(tmp_path: Path) -> Iterator[Database]:
    """Two accounts that have TOTAL together, the first of which cannot go below zero."""
    db = Database(tmp_path / "test.db")
    db.execute("CREATE TABLE accounts (name TEXT, amount INTEGER CHECK (amount >= 0))")
    db.execute("INSERT INTO accounts VALUES ('a', ?), ('b', 0)", (TOTAL,))
    yield db
    db.close()


def total(db: Database) -> int:
    row = db.one("SELECT sum(amount) FROM accounts")
    assert row is not None
    return int(row[0])


def transfer(db: Database, amount: int) -> None:
    with db.transaction():
        db.execute("UPDATE accounts SET amount = amount + ? WHERE name = 'b'", (amount,))
        with db.transaction():
            db.execute("UPDATE accounts SET amount = amount - ? WHERE name = 'a'", (amount,))


def test_threads_see_no_half_of_each_others_transactions(db: Database) -> None:
    def transfer_and_look(number: int) -> int:
        if number % 3 == 0:
            with pytest.raises(sqlite3.IntegrityError):
                transfer(db, 2 * TOTAL)
        else:
            transfer(db, 1)
        return total(db)

    with ThreadPoolExecutor(THREADS) as pool:
        totals = set(pool.map(transfer_and_look, range(THREADS * TRANSFERS)))
    assert totals == {TOTAL}
    done = sum(number % 3 != 0 for number in range(THREADS * TRANSFERS))
    assert [row["amount"] for row in db.all("SELECT amount FROM accounts")] == [TOTAL - done, done]


def test_a_commit_that_fails_leaves_no_transaction_behind(db: Database) -> None:
    db.execute("CREATE TABLE parents (id INTEGER PRIMARY KEY)")
    db.execute("CREATE TABLE children (id REFERENCES parents DEFERRABLE INITIALLY DEFERRED)")
    with pytest.raises(sqlite3.IntegrityError), db.transaction():
        db.execute("INSERT INTO children VALUES (1)")
    transfer(db, 1)
    assert db.all("SELECT * FROM children") == []
    assert total(db) == TOTAL


def test_a_transaction_that_sqlite_has_rolled_back_shows_the_reason(db: Database) -> None:
    with pytest.raises(sqlite3.IntegrityError), db.transaction():
        db.execute("UPDATE OR ROLLBACK accounts SET amount = -1")
    transfer(db, 1)
    assert total(db) == TOTAL


def test_nothing_is_awaited_in_a_transaction() -> None:
    """Another coroutine would join it, and be rolled back with it."""
    package = Path(local_workspace.__file__).parent
    blocks = [block for path in package.rglob("*.py") for block in transactions(path)]
    assert blocks
    waits = (ast.Await, ast.AsyncFor, ast.AsyncWith, ast.Yield, ast.YieldFrom)
    for block in blocks:
        waiting = [node for node in ast.walk(block) if isinstance(node, waits)]
        assert [ast.unparse(node) for node in waiting] == [], ast.unparse(block)


def transactions(path: Path) -> Iterator[ast.With]:
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.With) and any(
            ast.unparse(item.context_expr).endswith("transaction()") for item in node.items
        ):
            yield node
