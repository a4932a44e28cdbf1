"""Reading SOQL: tokens, then a descent over the grammar that a ticket bridge needs. What a query means is `selecting`'s business.

Salesforce refuses AND beside OR without parentheses, and so does this. Subqueries, aggregates, GROUP BY, aliases and date words
such as TODAY are not read. Source: the SOQL and SOSL reference.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from bridge.sandbox.salesforce.failures import malformed_query
from bridge.sandbox.salesforce.times import parsed_date, parsed_time

MAX_DEPTH = 50
"""How deeply conditions may be nested."""

_TOKEN = re.compile(
    r"""
      (?P<space>\s+)
    | (?P<text>'(?:[^'\\]|\\.)*')
    | (?P<datetime>[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}(?:\.[0-9]+)?(?:Z|[+-][0-9]{2}:?[0-9]{2}))
    | (?P<date>[0-9]{4}-[0-9]{2}-[0-9]{2})
    | (?P<number>[+-]?(?:[0-9]+(?:\.[0-9]*)?|\.[0-9]+))
    | (?P<name>[A-Za-z][A-Za-z0-9_]*(?:\.[A-Za-z][A-Za-z0-9_]*)*)
    | (?P<sign><=|>=|!=|<>|[=<>(),])
    """,
    re.VERBOSE | re.DOTALL,
)
_COMPARISONS = {"=": "=", "!=": "!=", "<>": "!=", "<": "<", ">": ">", "<=": "<=", ">=": ">="}
_ESCAPES = {"n": "\n", "r": "\r", "t": "\t", "b": "\b", "f": "\f", '"': '"', "'": "'", "\\": "\\", "%": "%", "_": "_"}
_WORDS: dict[str, tuple[str, Any]] = {"TRUE": ("boolean", True), "FALSE": ("boolean", False), "NULL": ("null", None)}


@dataclass(frozen=True, slots=True)
class Literal:
    """A value in a query: its kind, and for a text also how it was written, which LIKE needs."""

    kind: str
    value: Any
    raw: str = ""


@dataclass(frozen=True, slots=True)
class Comparison:
    """A field, an operator, and one literal or, for IN and NOT IN, any number of them."""

    field: str
    operator: str
    literals: tuple[Literal, ...]


@dataclass(frozen=True, slots=True)
class Every:
    """Conditions joined by AND."""

    terms: tuple["Condition", ...]


@dataclass(frozen=True, slots=True)
class Some:
    """Conditions joined by OR."""

    terms: tuple["Condition", ...]


@dataclass(frozen=True, slots=True)
class Not:
    """The opposite of a condition."""

    term: "Condition"


Condition = Comparison | Every | Some | Not


@dataclass(frozen=True, slots=True)
class Ordering:
    """One field of ORDER BY. Nulls come first unless the query says otherwise."""

    field: str
    descending: bool
    nulls_last: bool


@dataclass(frozen=True, slots=True)
class Query:
    """What a query asks for; without fields it asks only how many."""

    fields: tuple[str, ...]
    sobject: str
    where: Condition | None
    orderings: tuple[Ordering, ...]
    limit: int | None
    offset: int


@dataclass(frozen=True, slots=True)
class _Token:
    kind: str
    text: str

    def says(self, word: str) -> bool:
        return self.kind in ("name", "sign") and self.text.upper() == word


_END = _Token("end", "")


def read(text: str) -> Query:
    """The query. 400 `MALFORMED_QUERY` with what was not understood."""
    return _Reader(list(_tokens(text))).query()


def _tokens(text: str) -> Iterator[_Token]:
    at = 0
    while at < len(text):
        match = _TOKEN.match(text, at)
        if match is None:
            what = "a text without its closing quote" if text[at] == "'" else f"unexpected character {text[at]!r}"
            raise malformed_query(f"{what} at column {at + 1}")
        if match.lastgroup and match.lastgroup != "space":
            yield _Token(match.lastgroup, match.group())
        at = match.end()


class _Reader:
    """Reads the tokens from left to right; every method reads one thing of the grammar."""

    def __init__(self, tokens: list[_Token]) -> None:
        self._tokens = tokens
        self._at = 0
        self._depth = 0

    def query(self) -> Query:
        self._expect("SELECT")
        fields = self._selected()
        self._expect("FROM")
        sobject = self._name()
        where = self._condition() if self._take("WHERE") else None
        orderings = self._orderings()
        limit = self._whole() if self._take("LIMIT") else None
        offset = self._whole() if self._take("OFFSET") else 0
        if self._next is not _END:
            raise self._unexpected()
        return Query(fields, sobject, where, orderings, limit, offset)

    # -- the parts of a query ------------------------------------------------------------------------------------------------------

    def _selected(self) -> tuple[str, ...]:
        first = self._name()
        if self._take("("):
            if first.upper() != "COUNT" or not self._take(")"):
                raise malformed_query(f"of functions the sandbox knows only COUNT(), not {first}(…)")
            return ()
        names = [first]
        while self._take(","):
            names.append(self._name())
        return tuple(names)

    def _orderings(self) -> tuple[Ordering, ...]:
        if not self._take("ORDER"):
            return ()
        self._expect("BY")
        orderings = [self._ordering()]
        while self._take(","):
            orderings.append(self._ordering())
        return tuple(orderings)

    def _ordering(self) -> Ordering:
        field = self._name()
        descending = self._take("DESC")
        if not descending:
            self._take("ASC")
        nulls_last = False
        if self._take("NULLS"):
            nulls_last = self._take("LAST")
            if not nulls_last:
                self._expect("FIRST")
        return Ordering(field, descending, nulls_last)

    # -- conditions ----------------------------------------------------------------------------------------------------------------

    def _condition(self) -> Condition:
        first = self._term()
        for word, joined in (("AND", Every), ("OR", Some)):
            if self._next.says(word):
                return joined((first, *self._more(word)))
        return first

    def _more(self, word: str) -> Iterator[Condition]:
        while self._take(word):
            yield self._term()
        if self._next.says("AND") or self._next.says("OR"):
            raise malformed_query(f"unexpected token: '{self._next.text}': AND beside OR needs parentheses")

    def _term(self) -> Condition:
        self._depth += 1
        if self._depth > MAX_DEPTH:
            raise malformed_query(f"conditions are nested more than {MAX_DEPTH} deep")
        term = self._nested()
        self._depth -= 1
        return term

    def _nested(self) -> Condition:
        if self._take("NOT"):
            return Not(self._term())
        if self._take("("):
            condition = self._condition()
            self._expect(")")
            return condition
        return self._comparison()

    def _comparison(self) -> Comparison:
        field = self._name()
        if self._take("IN"):
            return Comparison(field, "IN", self._list())
        if self._take("NOT"):
            self._expect("IN")
            return Comparison(field, "NOT IN", self._list())
        if self._take("LIKE"):
            return Comparison(field, "LIKE", (self._literal(),))
        if self._next.text not in _COMPARISONS:
            raise self._unexpected()
        return Comparison(field, _COMPARISONS[self._advance().text], (self._literal(),))

    def _list(self) -> tuple[Literal, ...]:
        self._expect("(")
        literals = [self._literal()]
        while self._take(","):
            literals.append(self._literal())
        self._expect(")")
        return tuple(literals)

    def _literal(self) -> Literal:
        token = self._advance()
        if token.kind == "text":
            return Literal("string", _unescaped(token.text[1:-1]), token.text[1:-1])
        if token.kind == "number":
            return Literal("number", float(token.text))
        if token.kind in ("datetime", "date"):
            return _moment(token)
        if token.kind == "name" and token.text.upper() in _WORDS:
            return Literal(*_WORDS[token.text.upper()])
        raise _unexpected(token)

    # -- tokens --------------------------------------------------------------------------------------------------------------------

    @property
    def _next(self) -> _Token:
        return self._tokens[self._at] if self._at < len(self._tokens) else _END

    def _advance(self) -> _Token:
        token = self._next
        self._at += 1
        return token

    def _take(self, word: str) -> bool:
        taken = self._next.says(word)
        self._at += taken
        return taken

    def _expect(self, word: str) -> None:
        if not self._take(word):
            raise malformed_query(f"expecting {word}, {_found(self._next)}")

    def _name(self) -> str:
        if self._next.kind != "name":
            raise self._unexpected()
        return self._advance().text

    def _whole(self) -> int:
        if not re.fullmatch("[0-9]{1,9}", self._next.text):
            raise self._unexpected()
        return int(self._advance().text)

    def _unexpected(self) -> Exception:
        return _unexpected(self._next)


def _moment(token: _Token) -> Literal:
    value = parsed_time(token.text) if token.kind == "datetime" else parsed_date(token.text)
    if value is None:
        raise malformed_query(f"there is no such {token.kind}: {token.text}")
    return Literal("dateTime" if token.kind == "datetime" else "date", value)


def _unescaped(raw: str) -> str:
    return re.sub(r"\\(.)", _escaped, raw, flags=re.DOTALL)


def _escaped(match: re.Match[str]) -> str:
    try:
        return _ESCAPES[match.group(1)]
    except KeyError:
        raise malformed_query(f"unknown escape in a text: {match.group()!r}") from None


def _unexpected(token: _Token) -> Exception:
    return malformed_query(_found(token))


def _found(token: _Token) -> str:
    return "unexpected end of the query" if token is _END else f"unexpected token: '{token.text:.80}'"
