"""OData's query options over any list of ours: `$filter`, `$orderby`, `$skip`, `$top`, `$count`, `$select`.

The grammar is `odata_query`'s. A filter is checked against the entity's properties before any item is looked at, so a wrong one
is refused by an empty list too. Limits are the published ones: 100 expressions, 5 orderings, pages of 1000.
"""

import operator
from collections.abc import Callable, Iterable, Iterator, Mapping
from copy import copy
from dataclasses import dataclass
from datetime import UTC, date, datetime, time
from functools import partial
from typing import Any, Generic, TypeVar

from odata_query import ast
from odata_query.exceptions import ODataException
from odata_query.grammar import ODataLexer, ODataParser

from bridge.sandbox.orchestrator.failures import Failure, invalid

MAX_TOP = 1000
MAX_EXPRESSIONS = 100
MAX_ORDERINGS = 5

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Property(Generic[T]):
    """A property of an entity: where its value is, its kind (None if it cannot be filtered by), and an enum's names."""

    get: Callable[[T], Any]
    kind: type | None = None
    values: tuple[str, ...] = ()


class Entity(Generic[T]):
    """A named set of properties. Queries spell them in any case; answers in theirs."""

    def __init__(self, name: str, properties: Mapping[str, Property[T]]) -> None:
        self.name = name
        self.properties = properties
        self._names = {name.lower(): name for name in properties}

    def named(self, name: str) -> str:
        """The property's own spelling."""
        try:
            return self._names[name.strip().lower()]
        except KeyError:
            raise _refused(f"Could not find a property named '{name.strip()}' on type '{self.name}'.") from None

    def shown(self, item: T, names: Iterable[str] | None = None) -> dict[str, Any]:
        """An item as it is answered: the named properties, or all."""
        properties = self.properties
        return {name: properties[name].get(item) for name in names or properties}


def query(entity: Entity[T], items: Iterable[T], options: Mapping[str, str]) -> dict[str, Any]:
    """The page that the options ask for, and the count of all that the filter leaves (unless `$count=false`).

    The guides' answers have the count without asking for it, so that is what happens here.
    """
    given = {name.lower(): value for name, value in options.items() if name.startswith("$")}
    skip = _number("$skip", given.get("$skip", "0"), 2**31 - 1)
    top = _number("$top", given.get("$top", str(MAX_TOP)), MAX_TOP)
    names = _selected(entity, given.get("$select"))
    counted = _counted(given.get("$count", "true"))
    found = list(items)
    if "$filter" in given:
        found = list(filter(matcher(entity, given["$filter"]), found))
    for name, descending in reversed(_orderings(entity, given.get("$orderby"))):
        found.sort(key=partial(_rank, entity.properties[name].get), reverse=descending)
    page = [entity.shown(item, names) for item in found[skip : skip + top]]
    return {**({"@odata.count": len(found)} if counted else {}), "value": page}


def matcher(entity: Entity[T], text: str) -> Callable[[T], bool]:
    """The filter as a function. 400 with code 1000 if it cannot be read or does not fit the entity."""
    try:
        return _Filter(entity).test(_tree(text.strip()))
    except (ODataException, ValueError, ArithmeticError) as error:
        raise _refused(f"The query specified in the URI is not valid. {error}") from error


def _tree(text: str) -> Any:
    """The parsed filter. The grammar breaks on a few expressions that are OData: long paths, lambdas below them, three named arguments."""
    try:
        return ODataParser().parse(_tokens(text))
    except (AttributeError, RuntimeError) as error:
        raise _refused("The query specified in the URI is not supported.") from error


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
            raise _refused("The $filter expression must evaluate to a single boolean value.")
        return lambda item: bool(term.get(item))

    def _count(self) -> None:
        """One expression more; this also bounds how deep they nest."""
        self._expressions += 1
        if self._expressions > MAX_EXPRESSIONS:
            raise _refused(f"The node count limit of '{MAX_EXPRESSIONS}' has been exceeded.")

    def _member(self, left: Any, right: Any) -> Callable[[T], bool]:
        if not isinstance(right, ast.List):
            raise _refused("The right operand of 'in' must be a list.")
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
            raise _refused("A text function takes text.")
        return term

    def _term(self, node: Any) -> _Term:
        match node:
            case ast.Identifier(name=name, namespace=()):
                found = self._entity.properties[self._entity.named(name)]
                if found.kind is None:
                    raise _refused(f"The property '{name}' cannot be used in the $filter query option.")
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
        raise _refused(f"The expression '{type(node).__name__}' is not supported in $filter.")


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
        raise _refused("A binary operator with incompatible types was detected.")
    for values, other in ((left.values, right), (right.values, left)):
        if values and other.literal and other.kind is str and other.get(None) not in values:
            raise _refused(f"The string '{other.get(None)}' is not a valid enumeration type constant.")


# -- the other options -------------------------------------------------------------------------------------------------------------


def _number(name: str, text: str, most: int) -> int:
    if not (text.isascii() and text.isdecimal()):
        raise _refused(f"Invalid value '{text}' for {name} query option found.")
    if len(text) > len(str(most)) or int(text) > most:
        raise _refused(f"The limit of '{most}' for {name} query has been exceeded.")
    return int(text)


def _counted(text: str) -> bool:
    if text.lower() not in ("true", "false"):
        raise _refused(f"Invalid value '{text}' for $count query option found.")
    return text.lower() == "true"


def _selected(entity: Entity[T], text: str | None) -> list[str] | None:
    if text is None or text.strip() in ("", "*"):
        return None
    return [entity.named(name) for name in text.split(",")]


def _orderings(entity: Entity[T], text: str | None) -> list[tuple[str, bool]]:
    orderings = [_ordering(entity, one) for one in text.split(",")] if text else []
    if len(orderings) > MAX_ORDERINGS:
        raise _refused(f"The number of clauses in $orderby query option exceeded the maximum of {MAX_ORDERINGS}.")
    return orderings


def _ordering(entity: Entity[T], text: str) -> tuple[str, bool]:
    match text.split():
        case [name]:
            direction = "asc"
        case [name, direction] if direction.lower() in ("asc", "desc"):
            direction = direction.lower()
        case _:
            raise _refused(f"Syntax error in $orderby '{text.strip()}'.")
    own = entity.named(name)
    if entity.properties[own].kind is None:
        raise _refused(f"The property '{own}' cannot be used in the $orderby query option.")
    return own, direction == "desc"


def _rank(get: Callable[[T], Any], item: T) -> tuple[bool, Any]:
    """Null sorts first, as in the database below."""
    value = get(item)
    return (value is not None, value)


def _refused(message: str) -> Failure:
    return invalid(message)
