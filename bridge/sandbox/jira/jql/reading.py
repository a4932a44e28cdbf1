"""Reading JQL. Source: Atlassian's reference of JQL; WAS and CHANGED, which ask an issue's history, are not read."""

import re
from functools import cache
from typing import Any

from lark import Lark, Token, Transformer
from lark.exceptions import UnexpectedCharacters, UnexpectedInput, UnexpectedToken, VisitError

from bridge.sandbox.jira.failures import Failure
from bridge.sandbox.jira.jql.query import (
    MAX_DEPTH,
    Clause,
    Condition,
    Empty,
    Every,
    Function,
    Literal,
    Operand,
    Query,
    Some,
    Sort,
    opposite,
)

MAX_SORTS = 7

_GRAMMAR = r"""
start: disjunction? order?
?disjunction: conjunction (_OR conjunction)*
?conjunction: term (_AND term)*
?term: _NOT term -> negation
     | "(" disjunction ")"
     | clause
clause: field OPERATOR operand -> comparison
      | field _IN group -> membership
      | field _NOT _IN group -> exclusion
      | field _IS EMPTY -> emptiness
      | field _IS _NOT EMPTY -> fullness
field: WORD | TEXT | CUSTOM
?operand: literal | function | empty
literal: WORD | TEXT
function: WORD "(" (argument ("," argument)*)? ")"
argument: WORD | TEXT
empty: EMPTY
group: "(" operand ("," operand)* ")" | function
order: _ORDER _BY sort ("," sort)*
sort: field DIRECTION?

OPERATOR: "!=" | "<=" | ">=" | "!~" | "=" | "<" | ">" | "~"
_AND.2: /and(?![^\s"'()=!<>~,&|])|&&?/i
_OR.2: /or(?![^\s"'()=!<>~,&|])|\|\|?/i
_NOT.2: /not(?![^\s"'()=!<>~,&|])|!(?![=~])/i
_IN.2: /in(?![^\s"'()=!<>~,&|])/i
_IS.2: /is(?![^\s"'()=!<>~,&|])/i
_ORDER.2: /order(?=\s+by)/i
_BY.2: /by(?![^\s"'()=!<>~,&|])/i
EMPTY.2: /(empty|null)(?![^\s"'()=!<>~,&|])/i
DIRECTION.2: /(asc|desc)(?![^\s"'()=!<>~,&|])/i
CUSTOM.2: /cf\[[0-9]{1,9}\]/i
TEXT: /"(?:[^"\\]|\\.)*"|'(?:[^'\\]|\\.)*'/s
WORD: /[^\s"'()=!<>~,&|;?*\/%^$#@\[\]{}+\\]+/
%ignore /\s+/
"""
_ESCAPES = {"n": "\n", "t": "\t", "r": "\r"}


def read(text: str) -> Query:
    """The query. 400 with what was not understood."""
    try:
        query = _parser().parse(text)
    except VisitError as error:
        raise error.orig_exc from None
    except UnexpectedInput as error:
        raise Failure(400, f"Error in the JQL Query: {_complaint(error, text)}") from error
    if not isinstance(query, Query):
        raise TypeError(f"not a query: {query!r}")
    return query


@cache
def _parser() -> Lark:
    return Lark(_GRAMMAR, parser="lalr", transformer=_Reader())


class _Reader(Transformer[Token, Query]):
    """Every method makes of what its rule has read the value that it means."""

    def start(self, parts: list[Any]) -> Query:
        sorts = parts.pop() if parts and isinstance(parts[-1], tuple) else ()
        return Query(parts[0] if parts else None, sorts)

    def disjunction(self, terms: list[Condition]) -> Some:
        return Some(tuple(terms), _deeper(terms))

    def conjunction(self, terms: list[Condition]) -> Every:
        return Every(tuple(terms), _deeper(terms))

    def negation(self, parts: list[Condition]) -> Condition:
        return opposite(parts[0])

    def comparison(self, parts: list[Any]) -> Clause:
        field, operator, operand = parts
        return Clause(field, str(operator), (operand,))

    def membership(self, parts: list[Any]) -> Clause:
        return Clause(parts[0], "in", parts[1])

    def exclusion(self, parts: list[Any]) -> Clause:
        return Clause(parts[0], "not in", parts[1])

    def emptiness(self, parts: list[Any]) -> Clause:
        return Clause(parts[0], "is", (Empty(),))

    def fullness(self, parts: list[Any]) -> Clause:
        return Clause(parts[0], "is not", (Empty(),))

    def field(self, parts: list[Token]) -> str:
        return _unquoted(parts[0])

    def literal(self, parts: list[Token]) -> Literal:
        return Literal(_unquoted(parts[0]), quoted=parts[0].type == "TEXT")

    def function(self, parts: list[Any]) -> Function:
        return Function(str(parts[0]), tuple(parts[1:]))

    def argument(self, parts: list[Token]) -> str:
        return _unquoted(parts[0])

    def empty(self, _parts: list[Token]) -> Empty:
        return Empty()

    def group(self, parts: list[Operand]) -> tuple[Operand, ...]:
        return tuple(parts)

    def order(self, parts: list[Sort]) -> tuple[Sort, ...]:
        if len(parts) > MAX_SORTS:
            raise Failure(400, f"The maximum number of fields in an ORDER BY clause is {MAX_SORTS}.")
        return tuple(parts)

    def sort(self, parts: list[Any]) -> Sort:
        return Sort(parts[0], descending=len(parts) > 1 and str(parts[1]).casefold() == "desc")


def _deeper(terms: list[Condition]) -> int:
    depth = 1 + max(term.depth for term in terms)
    if depth > MAX_DEPTH:
        raise Failure(400, f"Error in the JQL Query: its conditions are nested more than {MAX_DEPTH} deep.")
    return depth


def _unquoted(token: Token) -> str:
    if token.type != "TEXT":
        return str(token)
    return re.sub(r"\\(?:u([0-9a-fA-F]{4})|(.))", _escaped, token[1:-1], flags=re.DOTALL)


def _escaped(match: re.Match[str]) -> str:
    if match.group(1):
        return chr(int(match.group(1), 16))
    return _ESCAPES.get(match.group(2), match.group(2))


def _complaint(error: UnexpectedInput, text: str) -> str:
    where = f"(line {error.line}, character {error.column})"
    if isinstance(error, UnexpectedCharacters):
        at: int = error.pos_in_stream  # type: ignore[assignment]  # None only without a text
        found = text[at]
        if found in "\"'":
            return f"The quoted string '{text[at + 1 :][:80]}' has not been completed. {where}"
        code = f"{ord(found):04x}"
        return (
            f"The character '{found}' is a reserved JQL character. You must enclose it in a string or use the escape "
            f"'\\u{code}' instead. {where}"
        )
    if isinstance(error, UnexpectedToken) and error.token.type != "$END":
        return f"Expecting {_expected(error)} but got '{error.token:.80}'. {where}"
    return f"Expecting {_expected(error)} before the end of the query."


def _expected(error: UnexpectedInput) -> str:
    accepted = error.accepts if isinstance(error, UnexpectedToken) and error.accepts else set()
    if "OPERATOR" in accepted:
        return "operator"
    if "_AND" in accepted:
        return "either 'OR' or 'AND'"
    return "either a value, list or function" if "EMPTY" in accepted else "a field name"
