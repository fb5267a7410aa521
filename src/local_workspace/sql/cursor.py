"""Reads a statement's tokens one after the other, as a parser of a few statements needs it."""

from __future__ import annotations

import itertools
import re

from sqlglot.tokenizer_core import Token, TokenType

from local_workspace.sql.errors import SqlError, syntax_error
from local_workspace.sql.script import tokenize

Name = tuple[str, ...]
"""The parts of a dotted name, without their quotes."""

_PLAIN = re.compile(r"\w+")


class Cursor:
    """At the first token of a statement; what does not match is a syntax error."""

    def __init__(self, statement: str) -> None:
        self.statement = statement
        self.tokens = tokenize(statement)
        self.index = 0

    @property
    def token(self) -> Token | None:
        return self.tokens[self.index] if self.index < len(self.tokens) else None

    def text(self, start: int, stop: int) -> str:
        """The statement from the token at `start` up to the one before `stop`."""
        if start >= stop:
            return ""
        return self.statement[self.tokens[start].start : self.tokens[stop - 1].end + 1]

    def accept(self, *words: str) -> bool:
        """Step over these key words or signs, if they come next."""
        for offset, word in enumerate(words):
            if self.word(self.index + offset) != word:
                return False
        self.index += len(words)
        return True

    def accept_any(self, *words: str) -> str | None:
        """Step over one of these and answer with it, if one comes next."""
        return next((word for word in words if self.accept(word)), None)

    def head(self, count: int) -> str:
        """The next key words, as many as there are up to `count`, in capitals."""
        words = (self.word(self.index + offset) for offset in range(count))
        return " ".join(itertools.takewhile(bool, (word or "" for word in words)))

    def holds(self, sign: str, *words: str) -> bool:
        """Whether the sign comes next, or one of the words anywhere further on."""
        rest = (self.word(index) for index in range(self.index, len(self.tokens)))
        return self.word(self.index) == sign or any(word in words for word in rest)

    def holds_query(self) -> bool:
        """Whether a query comes next."""
        return self.word(self.index) in ("SELECT", "WITH", "VALUES", "FROM", "TABLE", "(")

    def expect(self, *words: str) -> None:
        if not self.accept(*words):
            raise self.error()

    def accept_string(self) -> str | None:
        """A string; those that follow one another are one, as in Spark."""
        start = self.index
        while self.token is not None and self.token.token_type is TokenType.STRING:
            self.index += 1
        parts = [token.text for token in self.tokens[start : self.index]]
        return "".join(parts) if parts else None

    def string(self) -> str:
        text = self.accept_string()
        if text is None:
            raise self.error()
        return text

    def integer(self) -> int:
        if self.token is None or not self.token.text.isdecimal():
            raise self.error()
        self.index += 1
        return int(self.tokens[self.index - 1].text)

    def part(self) -> str:
        """One part of a name."""
        token = self.token
        is_quoted = token is not None and token.token_type is TokenType.IDENTIFIER
        if token is None or token.token_type is TokenType.STRING:
            raise self.error()
        if not is_quoted and not _PLAIN.fullmatch(token.text):
            raise self.error()
        self.index += 1
        return token.text

    def name(self, parts: int) -> Name:
        """A name of at most `parts` parts."""
        found = [self.part()]
        while len(found) < parts and self.accept("."):
            found.append(self.part())
        return tuple(found)

    def options(self) -> dict[str, str]:
        """`('key' = 'value', ...)`."""
        self.expect("(")
        found: dict[str, str] = {}
        while not found or self.accept(","):
            key = self._key()
            self.expect("=")
            value = self.accept_string()
            found[key] = self.part() if value is None else value
        self.expect(")")
        return found

    def keys(self) -> list[str]:
        """`('key', ...)`, with or without quotes."""
        self.expect("(")
        found: list[str] = []
        while not found or self.accept(","):
            found.append(self._key())
        self.expect(")")
        return found

    def _key(self) -> str:
        key = self.accept_string()
        return ".".join(self.name(9)) if key is None else key

    def strings(self) -> list[str]:
        """`('text', ...)`."""
        self.expect("(")
        found = [self.string()]
        while self.accept(","):
            found.append(self.string())
        self.expect(")")
        return found

    def end(self) -> None:
        if self.token is not None:
            raise self.error()

    def error(self) -> SqlError:
        """That what comes next is not what the statement may go on with."""
        if self.token is None:
            return syntax_error(None, self.statement, len(self.statement))
        near = self.text(self.index, self.index + 1)
        return syntax_error(near, self.statement, self.token.start)

    def word(self, index: int) -> str | None:
        """The token as a key word: a quoted name or a string is none."""
        if index >= len(self.tokens):
            return None
        token = self.tokens[index]
        if token.token_type in (TokenType.IDENTIFIER, TokenType.STRING):
            return None
        # sqlglot takes PARTITIONED BY and the like for one.
        return " ".join(token.text.upper().split())
