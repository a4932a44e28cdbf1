"""What a condition means: checked against this Jira before any issue is looked at, then a test of one issue.

As in Jira an issue without a value is found neither by `=` nor by `!=`, only by `is EMPTY`.
"""

import fnmatch
import operator
import re
from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Any

from bridge.sandbox.jira.catalog import CATEGORIES, status
from bridge.sandbox.jira.failures import Failure
from bridge.sandbox.jira.issues import Issue
from bridge.sandbox.jira.jql.context import Asking
from bridge.sandbox.jira.jql.dates import moment
from bridge.sandbox.jira.jql.fields import OPERATORS, Field, field
from bridge.sandbox.jira.jql.query import Clause, Condition, Empty, Every, Function, Literal, Operand, Some

Test = Callable[[Issue], bool]

_ORDERS: dict[str, Callable[[Any, Any], bool]] = {
    "<": operator.lt,
    ">": operator.gt,
    "<=": operator.le,
    ">=": operator.ge,
}
_NOTHING = object()
"""Stands for a value that does not exist, where that is no error."""

_KEY = re.compile(r"[A-Za-z][A-Za-z0-9_]*-[0-9]{1,18}")
_FORMATS = "'yyyy/MM/dd HH:mm', 'yyyy-MM-dd HH:mm', 'yyyy/MM/dd', 'yyyy-MM-dd', or a period format e.g. '-5d', '4w 2d'"


def test(condition: Condition, asking: Asking) -> Test:
    """Whether an issue is found. 400 if the condition does not fit this Jira."""
    match condition:
        case Every(terms):
            every = [test(term, asking) for term in terms]
            return lambda issue: all(one(issue) for one in every)
        case Some(terms):
            some = [test(term, asking) for term in terms]
            return lambda issue: any(one(issue) for one in some)
        case Clause():
            return _clause(condition, asking)


def _clause(clause: Clause, asking: Asking) -> Test:
    asked = field(clause.field, asking.catalog)
    if clause.operator not in OPERATORS[asked.kind] and not (asked.ordered and clause.operator in _ORDERS):
        raise Failure(400, f"The operator '{clause.operator}' is not supported by the '{clause.field}' field.")
    if clause.operator in ("~", "!~"):
        return _text(clause, asked)
    values = [_value(operand, asked, clause, asking) for operand in clause.operands]
    if clause.operator in _ORDERS:
        return _ordering(_ORDERS[clause.operator], values[0], asked, asking)
    positive = clause.operator in ("=", "in", "is")
    return _equal(values, asked) if positive else _unequal(values, asked)


def _equal(values: Sequence[Any], asked: Field) -> Test:
    return lambda issue: any(_has(issue, asked, value) for value in values)


def _unequal(values: Sequence[Any], asked: Field) -> Test:
    empty_counts = None in values

    def differs(issue: Issue) -> bool:
        return (empty_counts or not _has(issue, asked, None)) and not any(_has(issue, asked, one) for one in values)

    return differs


def _has(issue: Issue, asked: Field, value: Any) -> bool:
    """Whether the issue has the value in the field; None is no value."""
    found = asked.get(issue)
    if isinstance(found, list):
        return value in found if value is not None else not found
    return bool(found == value)


def _ordering(order: Callable[[Any, Any], bool], value: Any, asked: Field, asking: Asking) -> Test:
    if value is None:
        raise Failure(400, f"The field '{asked.name}' cannot be compared with EMPTY.")

    def compared(issue: Issue) -> bool:
        found = asked.get(issue)
        return found is not None and order(rank(found, asked), rank(value, asked))

    if value is _NOTHING:
        return lambda _issue: False
    if asked.kind == "issue":
        return lambda issue: _same_project(issue, value, asking) and order(issue.id, value)
    return compared


def rank(value: Any, asked: Field) -> Any:
    """What the value is ordered by: the first priority is the highest."""
    return -int(value) if asked.ordered else value


def _same_project(issue: Issue, number: int, asking: Asking) -> bool:
    other = asking.issue(str(number))
    return other is not None and other.project == issue.project


# -- values ------------------------------------------------------------------------------------------------------------------------


def _value(operand: Operand, asked: Field, clause: Clause, asking: Asking) -> Any:
    if isinstance(operand, Empty):
        return None
    if isinstance(operand, Function):
        return _worked_out(operand, asked, asking)
    if asked.kind == "time":
        return _moment(operand, asked, asking)
    if asked.kind == "issue":
        return _issue(operand, clause.field, asking)
    if asked.name == "resolution" and operand.text.casefold() == "unresolved":
        return None
    found = _known(operand.text, asked, asking)
    if found is None and asking.strict:
        raise Failure(400, f"The value '{operand.text}' does not exist for the field '{clause.field}'.")
    return _NOTHING if found is None else found


def _known(word: str, asked: Field, asking: Asking) -> Any:
    catalog = asking.catalog
    match asked.name:
        case "project":
            project = catalog.find_project(word)
            return project.id if project and asking.sees_project(project.key) else None
        case "status":
            found = status(word)
        case "statusCategory":
            found = next((one for one in CATEGORIES.values() if _is(one, word)), None)
            return str(found["id"]) if found else None
        case "issuetype":
            found = catalog.types.find(word)
        case "priority":
            found = catalog.priorities.find(word)
        case "resolution":
            found = catalog.resolutions.find(word)
        case _ if asked.kind == "user":
            user = asking.people.find(word)
            return asking.handle(user) if user else None
        case _:
            return word
    return found["id"] if found else None


def _is(category: dict[str, Any], word: str) -> bool:
    return word.casefold() in (category["key"], category["name"].casefold(), str(category["id"]))


def _worked_out(function: Function, asked: Field, asking: Asking) -> Any:
    match function.name.casefold():
        case "currentuser" if asked.kind == "user":
            return asking.handle(asking.user)
        case "now" if asked.kind == "time":
            return asking.now
        case "startofday" if asked.kind == "time":
            return asking.now.astimezone(asking.user.zone).replace(hour=0, minute=0, second=0, microsecond=0)
        case _:
            raise Failure(400, f"Unable to find JQL function '{function.name}()'.")


def _moment(literal: Literal, asked: Field, asking: Asking) -> datetime:
    found = moment(literal, asking.now, asking.user.zone)
    if found is None:
        raise Failure(
            400, f"Date value '{literal.text}' for field '{asked.name}' is invalid. Valid formats include: {_FORMATS}."
        )
    return found


def _issue(literal: Literal, name: str, asking: Asking) -> Any:
    found = asking.issue(literal.text)
    if found is not None:
        return found.id
    if not asking.strict:
        return _NOTHING
    if literal.text.isdigit():
        raise Failure(400, f"A value with ID '{literal.text}' does not exist for the field '{name}'.")
    if not _KEY.fullmatch(literal.text):
        raise Failure(400, f"The issue key '{literal.text}' for field '{name}' is invalid.")
    raise Failure(400, f"An issue with key '{literal.text}' does not exist for field '{name}'.")


# -- texts -------------------------------------------------------------------------------------------------------------------------


def _text(clause: Clause, asked: Field) -> Test:
    operand = clause.operands[0]
    if not isinstance(operand, Literal):
        raise Failure(400, f"The operator '{clause.operator}' of the '{clause.field}' field needs a text.")
    fits, negative = _said(operand.text), clause.operator == "!~"

    def test(issue: Issue) -> bool:
        found = asked.get(issue)
        texts = found if isinstance(found, list) else [found] if found is not None else []
        return bool(texts) and any(map(fits, texts)) != negative

    return test


def _said(query: str) -> Callable[[str], bool]:
    """All the words, in any order; `*` and `?` stand for any letters; what is in double quotes must stand there so."""
    if len(query) > 1 and query[0] == query[-1] == '"':
        return lambda text: query[1:-1].casefold() in text.casefold()
    patterns = [re.compile(fnmatch.translate(word.casefold())) for word in re.findall(r"[\w*?]+", query)]

    def fits(text: str) -> bool:
        words = re.findall(r"\w+", text.casefold())
        return all(any(pattern.match(word) for word in words) for pattern in patterns)

    return fits
