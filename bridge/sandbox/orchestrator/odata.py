"""OData's query options over any list of ours: `$filter`, `$orderby`, `$skip`, `$top`, `$count`, `$select`, `$expand`.

The grammar is `odata_query`'s. A filter is checked against the entity's properties before any item is looked at, so a wrong one
is refused by an empty list too. Limits are the published ones: 100 expressions, 5 orderings, pages of 1000, expansions of depth 2.
"""

import operator
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
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
MAX_DEPTH = 2

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Property(Generic[T]):
    """A property of an entity: where its value is, its kind (None if it cannot be filtered by), and an enum's names."""

    get: Callable[[T], Any]
    kind: type | None = None
    values: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Navigation(Generic[T]):
    """A way to related entities, which are answered only where `$expand` asks for them: one, which may be None, or many."""

    get: Callable[[T], Any]
    entity: "Entity[Any]"
    many: bool = False


class Entity(Generic[T]):
    """A named set of properties and of ways to others. Queries spell them in any case; answers in theirs."""

    def __init__(
        self,
        name: str,
        properties: Mapping[str, Property[T]],
        navigations: Mapping[str, Navigation[T]] | None = None,
    ) -> None:
        self.name = name
        self.properties = properties
        self.navigations = navigations or {}
        self._names = {name.lower(): name for name in (*properties, *self.navigations)}

    def named(self, name: str) -> str:
        """The property's own spelling."""
        try:
            return self._names[name.strip().lower()]
        except KeyError:
            raise _refused(f"Could not find a property named '{name.strip()}' on type '{self.name}'.") from None

    def shown(self, item: T) -> dict[str, Any]:
        """An item with all its properties, and nothing expanded."""
        return {name: found.get(item) for name, found in self.properties.items()}

    def navigation(self, name: str) -> Navigation[T]:
        """The way of this name."""
        found = self.navigations.get(self.named(name))
        if found is None:
            raise _refused(f"Property '{name.strip()}' on type '{self.name}' is not a navigation property.")
        return found

    def at(self, path: Sequence[str]) -> Property[T]:
        """The property at a path's end; what lies beyond nobody is null. Only ways to one entity can be followed."""
        name, *rest = path
        if not rest:
            own = self.named(name)
            return self.properties.get(own) or Property(self.navigations[own].get)
        way = self.navigation(name)
        if way.many:
            raise _refused(f"The property '{name}' of type '{self.name}' is a collection.")
        found, get = way.entity.at(rest), way.get
        return Property(lambda item: None if (one := get(item)) is None else found.get(one), found.kind, found.values)


def query(entity: Entity[T], items: Iterable[T], options: Mapping[str, str], depth: int = 0) -> dict[str, Any]:
    """The page that the options ask for, and the count of all that the filter leaves (unless `$count=false`).

    The guides' answers have the count without asking for it, so that is what happens here.
    """
    given = _given(options, _OF_LISTS)
    skip = _number("$skip", given.get("$skip", "0"), 2**31 - 1)
    top = _number("$top", given.get("$top", str(MAX_TOP)), MAX_TOP)
    shown = _shape(entity, given, depth)
    counted = _counted(given.get("$count", "true"))
    found = list(items)
    if "$filter" in given:
        found = list(filter(matcher(entity, given["$filter"]), found))
    for get, descending in reversed(_orderings(entity, given.get("$orderby"))):
        found.sort(key=partial(_rank, get), reverse=descending)
    page = [shown(item) for item in found[skip : skip + top]]
    return {**({"@odata.count": len(found)} if counted else {}), "value": page}


def single(entity: Entity[T], item: T, options: Mapping[str, str]) -> dict[str, Any]:
    """One item, as `$select` and `$expand` ask for it."""
    return _shape(entity, _given(options, _OF_ONE), 0)(item)


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
            case ast.Identifier(namespace=()) | ast.Attribute():
                path = _path(node)
                found = self._entity.at(path)
                if found.kind is None:
                    raise _refused(f"The property '{'/'.join(path)}' cannot be used in the $filter query option.")
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


def _path(node: Any) -> list[str]:
    """The names of `Name` or `Name/Name`. What is longer than any way of ours is not followed to its end."""
    match node:
        case ast.Identifier(name=name, namespace=()):
            return [name]
        case ast.Attribute(owner=ast.Identifier(name=owner, namespace=()), attr=name):
            return [owner, name]
    raise _refused("The path in $filter is not supported.")


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


_OF_ONE = frozenset({"$select", "$expand", "$format"})
_OF_LISTS = _OF_ONE | {"$filter", "$orderby", "$skip", "$top", "$count"}
_EXPANSION = re.compile(r"\s*(?P<name>\w+)\s*(?:\((?P<options>.*)\))?\s*", re.DOTALL)


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


def _given(options: Mapping[str, str], known: frozenset[str]) -> dict[str, str]:
    """The options by their names in lower case. One that OData does not have here is refused, anything else is not OData's."""
    given = {name.lower(): value for name, value in options.items() if name.startswith("$")}
    for name in given.keys() - known:
        raise _refused(f"The query parameter '{name}' is not supported.")
    return given


def _shape(entity: Entity[T], given: Mapping[str, str], depth: int) -> Callable[[T], dict[str, Any]]:
    """How an item is shown: the selected properties, and what is expanded whether it is selected or not."""
    names = _selected(entity, given.get("$select"))
    getters = [(name, entity.properties[name].get) for name in names if name in entity.properties]
    getters += _expanded(entity, given.get("$expand"), depth + 1)
    return lambda item: {name: get(item) for name, get in getters}


def _selected(entity: Entity[T], text: str | None) -> list[str]:
    if text is None or text.strip() in ("", "*"):
        return list(entity.properties)
    return [entity.named(name) for name in text.split(",")]


def _expanded(entity: Entity[T], text: str | None, depth: int) -> list[tuple[str, Callable[[T], Any]]]:
    """What `$expand` adds to an item, with a nested query's options in parentheses."""
    if text is None or not text.strip():
        return []
    if depth > MAX_DEPTH:
        raise _refused(
            f"The request includes a $expand path which is too deep. The maximum depth allowed is {MAX_DEPTH}."
        )
    return [_expansion(entity, clause, depth) for clause in _split(text, ",")]


def _expansion(entity: Entity[T], clause: str, depth: int) -> tuple[str, Callable[[T], Any]]:
    match = _EXPANSION.fullmatch(clause)
    if match is None:
        raise _refused(f"Syntax error in $expand '{clause.strip():.80}'.")
    way, nested = entity.navigation(match["name"]), _nested(match["options"])
    if way.many:
        query(way.entity, (), nested, depth)  # wrong options are refused by an item that has none, too
        return entity.named(match["name"]), lambda item: query(way.entity, way.get(item), nested, depth)["value"]
    shown = _shape(way.entity, _given(nested, _OF_ONE), depth)
    return entity.named(match["name"]), lambda item: None if (one := way.get(item)) is None else shown(one)


def _nested(text: str | None) -> dict[str, str]:
    """The options in an expansion's parentheses, parted by semicolons."""
    pairs = [option.partition("=") for option in _split(text or "", ";") if option.strip()]
    for name, equals, _ in pairs:
        if not equals or not name.strip().startswith("$"):
            raise _refused(f"Syntax error in $expand '{name.strip():.80}'.")
    return {name.strip(): value for name, _, value in pairs}


def _split(text: str, mark: str) -> list[str]:
    """The parts between marks that are neither in parentheses nor in a text."""
    parts, depth, quoted = [""], 0, False
    for character in text:
        quoted ^= character == "'"
        depth += 0 if quoted else (character == "(") - (character == ")")
        if character == mark and depth == 0 and not quoted:
            parts.append("")
        else:
            parts[-1] += character
    return parts


def _orderings(entity: Entity[T], text: str | None) -> list[tuple[Callable[[T], Any], bool]]:
    orderings = [_ordering(entity, one) for one in text.split(",")] if text else []
    if len(orderings) > MAX_ORDERINGS:
        raise _refused(f"The number of clauses in $orderby query option exceeded the maximum of {MAX_ORDERINGS}.")
    return orderings


def _ordering(entity: Entity[T], text: str) -> tuple[Callable[[T], Any], bool]:
    match text.split():
        case [name]:
            direction = "asc"
        case [name, direction] if direction.lower() in ("asc", "desc"):
            direction = direction.lower()
        case _:
            raise _refused(f"Syntax error in $orderby '{text.strip()}'.")
    found = entity.at(name.split("/", 2))
    if found.kind is None:
        raise _refused(f"The property '{name}' cannot be used in the $orderby query option.")
    return found.get, direction == "desc"


def _rank(get: Callable[[T], Any], item: T) -> tuple[bool, Any]:
    """Null sorts first, as in the database below."""
    value = get(item)
    return (value is not None, value)


def _refused(message: str) -> Failure:
    return invalid(message)
