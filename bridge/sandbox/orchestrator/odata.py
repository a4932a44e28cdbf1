"""OData's query options over any list of ours: `$filter`, `$orderby`, `$skip`, `$top`, `$count`, `$select`, `$expand`.

Limits are the published ones: 100 expressions, 5 orderings, pages of 1000, expansions of depth 2.
"""

import re
from collections.abc import Callable, Iterable, Mapping
from functools import partial
from typing import Any, TypeVar

from bridge.sandbox.orchestrator.failures import invalid as refused
from bridge.sandbox.orchestrator.filtering import matcher
from bridge.sandbox.orchestrator.schema import Entity

MAX_TOP = 1000
MAX_ORDERINGS = 5
MAX_DEPTH = 2

T = TypeVar("T")


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


_OF_ONE = frozenset({"$select", "$expand", "$format"})
_OF_LISTS = _OF_ONE | {"$filter", "$orderby", "$skip", "$top", "$count"}
_EXPANSION = re.compile(r"\s*(?P<name>\w+)\s*(?:\((?P<options>.*)\))?\s*", re.DOTALL)


def _number(name: str, text: str, most: int) -> int:
    if not (text.isascii() and text.isdecimal()):
        raise refused(f"Invalid value '{text}' for {name} query option found.")
    if len(text) > len(str(most)) or int(text) > most:
        raise refused(f"The limit of '{most}' for {name} query has been exceeded.")
    return int(text)


def _counted(text: str) -> bool:
    if text.lower() not in ("true", "false"):
        raise refused(f"Invalid value '{text}' for $count query option found.")
    return text.lower() == "true"


def _given(options: Mapping[str, str], known: frozenset[str]) -> dict[str, str]:
    """The options by their names in lower case. One that OData does not have here is refused, anything else is not OData's."""
    given = {name.lower(): value for name, value in options.items() if name.startswith("$")}
    for name in given.keys() - known:
        raise refused(f"The query parameter '{name}' is not supported.")
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
        raise refused(
            f"The request includes a $expand path which is too deep. The maximum depth allowed is {MAX_DEPTH}."
        )
    return [_expansion(entity, clause, depth) for clause in _split(text, ",")]


def _expansion(entity: Entity[T], clause: str, depth: int) -> tuple[str, Callable[[T], Any]]:
    match = _EXPANSION.fullmatch(clause)
    if match is None:
        raise refused(f"Syntax error in $expand '{clause.strip():.80}'.")
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
            raise refused(f"Syntax error in $expand '{name.strip():.80}'.")
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
        raise refused(f"The number of clauses in $orderby query option exceeded the maximum of {MAX_ORDERINGS}.")
    return orderings


def _ordering(entity: Entity[T], text: str) -> tuple[Callable[[T], Any], bool]:
    match text.split():
        case [name]:
            direction = "asc"
        case [name, direction] if direction.lower() in ("asc", "desc"):
            direction = direction.lower()
        case _:
            raise refused(f"Syntax error in $orderby '{text.strip()}'.")
    found = entity.at(name.split("/", 2))
    if found.kind is None:
        raise refused(f"The property '{name}' cannot be used in the $orderby query option.")
    return found.get, direction == "desc"


def _rank(get: Callable[[T], Any], item: T) -> tuple[bool, Any]:
    """Null sorts first, as in the database below."""
    value = get(item)
    return (value is not None, value)
