"""What a query means: checked against the object's fields before any record is looked at, then run over its records."""

import fnmatch
import operator
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

from bridge.sandbox.salesforce import failures
from bridge.sandbox.salesforce.failures import Failure
from bridge.sandbox.salesforce.ids import full_id
from bridge.sandbox.salesforce.schema import Field, SObject
from bridge.sandbox.salesforce.soql import Comparison, Condition, Every, Literal, Not, Ordering, Query, Some
from bridge.sandbox.salesforce.values import comparable, kind

Row = Mapping[str, Any]
Test = Callable[[Row], bool]

MAX_OFFSET = 2000
_ORDERS: dict[str, Callable[[Any, Any], bool]] = {
    "<": operator.lt,
    ">": operator.gt,
    "<=": operator.le,
    ">=": operator.ge,
}
_HINTS = {"string": "string and should be enclosed in quotes", "id": "ID and should be enclosed in quotes"}
_LIKE = {"%": "*", "_": "?", "*": "[*]", "?": "[?]", "[": "[[]"}


def names(query: Query, sobject: SObject) -> list[str]:
    """The selected fields in the schema's spelling."""
    spelled = [sobject.field(name).name for name in query.fields]
    twice = next((name for name in spelled if spelled.count(name) > 1), None)
    if twice:
        raise failures.malformed_query(f"duplicate field selected: {twice}")
    return spelled


def matching(query: Query, sobject: SObject, rows: Iterable[Row]) -> list[Row]:
    """The rows that the query finds, in its order and within its limits. 400 if it does not fit the object."""
    if query.offset > MAX_OFFSET:
        raise Failure(400, "NUMBER_OUTSIDE_VALID_RANGE", f"Maximum SOQL offset allowed is {MAX_OFFSET}")
    test: Test = _test(query.where, sobject) if query.where else lambda _row: True
    orderings = [(ordering, sobject.field(ordering.field)) for ordering in query.orderings]
    found = list(filter(test, rows))
    for ordering, field in reversed(orderings):
        found = _ordered(found, ordering, field)
    end = None if query.limit is None else query.offset + query.limit
    return found[query.offset : end]


def _ordered(rows: Sequence[Row], ordering: Ordering, field: Field) -> list[Row]:
    def key(row: Row) -> Any:
        return comparable(row.get(field.name), kind(field))

    empty = [row for row in rows if key(row) is None]
    filled = sorted((row for row in rows if key(row) is not None), key=key, reverse=ordering.descending)
    return filled + empty if ordering.nulls_last else empty + filled


def _test(condition: Condition, sobject: SObject) -> Test:
    match condition:
        case Every(terms):
            tests = [_test(term, sobject) for term in terms]
            return lambda row: all(test(row) for test in tests)
        case Some(terms):
            tests = [_test(term, sobject) for term in terms]
            return lambda row: any(test(row) for test in tests)
        case Not(term):
            opposite = _test(term, sobject)
            return lambda row: not opposite(row)
        case Comparison():
            return _compared(condition, sobject.field(condition.field))


def _compared(comparison: Comparison, field: Field) -> Test:
    if comparison.operator == "LIKE":
        return _like(comparison.literals[0], field)
    wanted = kind(field)
    values = [_value(literal, field, wanted) for literal in comparison.literals]
    found = _against(comparison.operator, values, field, wanted)
    return lambda row: found(comparable(row.get(field.name), wanted))


def _against(sign: str, values: Sequence[Any], field: Field, wanted: str) -> Callable[[Any], bool]:
    """The question for a row's value. A null is unequal to everything but null, and neither less nor more than anything."""
    listed = frozenset(values)
    if sign in ("=", "IN"):
        return lambda value: value in listed
    if sign in ("!=", "NOT IN"):
        return lambda value: value not in listed
    if wanted == "boolean" or values[0] is None:
        raise failures.unfit_operator(f"{sign} cannot be asked of field '{field.name}' with this value")
    order = _ORDERS[sign]
    return lambda value: value is not None and order(value, values[0])


def _value(literal: Literal, field: Field, wanted: str) -> Any:
    """The literal as a value of the field's kind; null and the empty text are the same."""
    if literal.kind == "null":
        return None
    expected = "string" if wanted == "id" else wanted
    if literal.kind != expected and field.type != "anyType":
        quotes = " and should not be enclosed in quotes" if literal.kind == "string" else ""
        raise failures.unfit_criterion(field.name, _HINTS.get(wanted, wanted + quotes))
    if literal.kind != "string":
        return literal.value
    if wanted == "id" and literal.value and full_id(literal.value) is None:
        raise failures.unfit_operator(f"invalid ID field: {literal.value}")
    return comparable(literal.value or None, wanted)


def _like(literal: Literal, field: Field) -> Test:
    if kind(field) != "string" or literal.kind != "string":
        raise failures.unfit_operator(f"LIKE needs a field of texts and a text in quotes: field '{field.name}'")
    pattern = re.compile(_pattern(literal.raw.casefold()))

    def test(row: Row) -> bool:
        value = comparable(row.get(field.name), "string")
        return value is not None and pattern.match(value) is not None

    return test


def _pattern(raw: str) -> str:
    r"""As a regular expression without costly backtracking: % is any text, _ any character, \% and \_ are themselves."""
    escaped = {"n": "\n", "r": "\r", "t": "\t", "b": "\b", "f": "\f"}
    parts = re.findall(r"\\.|[^\\]", raw, flags=re.DOTALL)
    return fnmatch.translate(
        "".join(_LIKE.get(p, p) if len(p) == 1 else _itself(escaped.get(p[1], p[1])) for p in parts)
    )


def _itself(character: str) -> str:
    return f"[{character}]" if character in "*?[" else character
