"""OData's `$filter`, as a function of an item.

The grammar is `odata_query`'s. A filter is checked against the entity's properties before any item is looked at, so a wrong one
is refused by an empty list too. It has at most the published 100 expressions.
"""

import operator
from collections.abc import Callable, Iterator
from copy import copy
from dataclasses import dataclass
from datetime import UTC, date, datetime, time
from typing import Any, Generic, TypeVar

from odata_query import ast
from odata_query.exceptions import ODataException
from odata_query.grammar import ODataLexer, ODataParser

from bridge.sandbox.orchestrator.failures import invalid as refused
from bridge.sandbox.orchestrator.schema import Entity

MAX_EXPRESSIONS = 100

T = TypeVar("T")


def matcher(entity: Entity[T], text: str) -> Callable[[T], bool]:
    """The filter as a function. 400 with code 1000 if it cannot be read or does not fit the entity."""
    try:
        return _Filter(entity).test(_tree(text.strip()))
    except (ODataException, ValueError, ArithmeticError) as error:
        raise refused(f"The query specified in the URI is not valid. {error}") from error


def _tree(text: str) -> Any:
    """The parsed filter. The grammar breaks on a few expressions that are OData: long paths, lambdas below them, three named arguments."""
    try:
        return ODataParser().parse(_tokens(text))
    except (AttributeError, RuntimeError) as error:
        raise refused("The query specified in the URI is not supported.") from error


def _tokens(text: str) -> Iterator[Any]:
    """The filter's tokens. A list of one member gets the comma that the grammar wants there, and that OData does not have."""
    expected = single = False
    for token in ODataLexer().tokenize(text):
        if token.type == ")" and single:
            comma = copy(token)
            comma.type = comma.value = ","
            yield comma
        single = (single or (expected and token.type == "(")) and token.type not in (",", ")")
        expected = token.type == "IN"
        yield token


# -- the filter --------------------------------------------------------------------------------------------------------------------

_EQUALITIES: dict[type, Callable[[Any, Any], bool]] = {ast.Eq: operator.eq, ast.NotEq: operator.ne}
_ORDERS: dict[type, Callable[[Any, Any], bool]] = {
    ast.Gt: operator.gt,
    ast.GtE: operator.ge,
    ast.Lt: operator.lt,
    ast.LtE: operator.le,
}
_TEXT_TESTS: dict[str, Callable[[str, str], bool]] = {
    "contains": operator.contains,
    "startswith": str.startswith,
    "endswith": str.endswith,
}
_TEXT_CHANGES: dict[str, Callable[[str], str]] = {"tolower": str.lower, "toupper": str.upper, "trim": str.strip}
_NUMBERS = (int, float)


@dataclass(frozen=True, slots=True)
class _Term:
    """One side of a comparison. `kind` is None for null; `values` names an enum's members."""

    get: Callable[[Any], Any]
    kind: type | None
    values: tuple[str, ...] = ()
    literal: bool = False


class _Filter(Generic[T]):
    """Turns a parsed filter into a function; nothing that it returns can fail."""

    def __init__(self, entity: Entity[T]) -> None:
        self._entity = entity
        self._expressions = 0

    def test(self, node: Any) -> Callable[[T], bool]:
        self._count()
        match node:
            case ast.BoolOp(op=op, left=left, right=right):
                return _both(isinstance(op, ast.And), self.test(left), self.test(right))
            case ast.UnaryOp(op=ast.Not(), operand=operand):
                inner = self.test(operand)
                return lambda item: not inner(item)
            case ast.Compare(comparator=ast.In(), left=left, right=right):
                return self._member(left, right)
            case ast.Compare(comparator=comparator, left=left, right=right):
                return _comparison(type(comparator), self._term(left), self._term(right))
            case ast.Call(func=ast.Identifier(name=name), args=[text, part]) if name.lower() in _TEXT_TESTS:
                return self._text_test(_TEXT_TESTS[name.lower()], text, part)
        term = self._term(node)
        if term.kind is not bool:
            raise refused("The $filter expression must evaluate to a single boolean value.")
        return lambda item: bool(term.get(item))

    def _count(self) -> None:
        """One expression more; this also bounds how deep they nest."""
        self._expressions += 1
        if self._expressions > MAX_EXPRESSIONS:
            raise refused(f"The node count limit of '{MAX_EXPRESSIONS}' has been exceeded.")

    def _member(self, left: Any, right: Any) -> Callable[[T], bool]:
        if not isinstance(right, ast.List):
            raise refused("The right operand of 'in' must be a list.")
        equal = [_comparison(ast.Eq, self._term(left), self._term(item)) for item in right.val]
        return lambda item: any(one(item) for one in equal)

    def _text_test(self, holds: Callable[[str, str], bool], text: Any, part: Any) -> Callable[[T], bool]:
        left, right = self._text(text).get, self._text(part).get

        def test(item: T) -> bool:
            whole, piece = left(item), right(item)
            return whole is not None and piece is not None and holds(whole, piece)

        return test

    def _text(self, node: Any) -> _Term:
        self._count()
        term = self._term(node)
        if term.kind is not str or term.values:
            raise refused("A text function takes text.")
        return term

    def _term(self, node: Any) -> _Term:
        match node:
            case ast.Identifier(namespace=()) | ast.Attribute():
                path = _path(node)
                found = self._entity.at(path)
                if found.kind is None:
                    raise refused(f"The property '{'/'.join(path)}' cannot be used in the $filter query option.")
                return _Term(found.get, found.kind, found.values)
            case ast.Call(func=ast.Identifier(name=name), args=[text]) if name.lower() in _TEXT_CHANGES:
                change, inner = _TEXT_CHANGES[name.lower()], self._text(text).get
                return _Term(lambda item: None if (value := inner(item)) is None else change(value), str)
            case (
                ast.Null()
                | ast.Integer()
                | ast.Float()
                | ast.Boolean()
                | ast.String()
                | ast.DateTime()
                | ast.Date()
                | ast.GUID()
            ):
                return _literal(node.py_val)
        raise refused(f"The expression '{type(node).__name__}' is not supported in $filter.")


def _path(node: Any) -> list[str]:
    """The names of `Name` or `Name/Name`. What is longer than any way of ours is not followed to its end."""
    match node:
        case ast.Identifier(name=name, namespace=()):
            return [name]
        case ast.Attribute(owner=ast.Identifier(name=owner, namespace=()), attr=name):
            return [owner, name]
    raise refused("The path in $filter is not supported.")


def _both(every: bool, left: Callable[[T], bool], right: Callable[[T], bool]) -> Callable[[T], bool]:
    if every:
        return lambda item: left(item) and right(item)
    return lambda item: left(item) or right(item)


def _literal(value: Any) -> _Term:
    """A constant; a moment without a zone is UTC, a day its first moment."""
    if isinstance(value, date) and not isinstance(value, datetime):
        value = datetime.combine(value, time())
    if isinstance(value, datetime) and value.tzinfo is None:
        value = value.replace(tzinfo=UTC)
    return _Term(lambda _item: value, None if value is None else type(value), literal=True)


def _comparison(comparator: type, left: _Term, right: _Term) -> Callable[[Any], bool]:
    """Null equals only null, and is neither more nor less than anything."""
    _check_types(left, right)
    first, second = left.get, right.get
    if (equality := _EQUALITIES.get(comparator)) is not None:
        return lambda item: equality(first(item), second(item))
    order = _ORDERS[comparator]

    def test(item: Any) -> bool:
        one, other = first(item), second(item)
        return one is not None and other is not None and order(one, other)

    return test


def _check_types(left: _Term, right: _Term) -> None:
    same = left.kind is right.kind or (left.kind in _NUMBERS and right.kind in _NUMBERS)
    if not same and left.kind is not None and right.kind is not None:
        raise refused("A binary operator with incompatible types was detected.")
    for values, other in ((left.values, right), (right.values, left)):
        if values and other.literal and other.kind is str and other.get(None) not in values:
            raise refused(f"The string '{other.get(None)}' is not a valid enumeration type constant.")
