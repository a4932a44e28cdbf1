"""Setting fields: what a request gives for each becomes what an issue keeps. Every field that does not fit is named at once."""

from collections.abc import Callable, Mapping
from typing import Any

from bridge.sandbox.jira import adf, failures
from bridge.sandbox.jira.catalog import Choices
from bridge.sandbox.jira.failures import Failure
from bridge.sandbox.jira.operation import Call
from bridge.sandbox.jira.people import User

NOT_A_TEXT = "Operation value must be a string"
NOT_A_DOCUMENT = "Operation value must be an Atlassian Document (see the Atlassian Document Format)"
_LONGEST_SUMMARY = 255


class _Unfit(Exception):
    """What is wrong with a value."""


def values(call: Call, fields: Any) -> dict[str, Any]:
    """What the issue is to keep. 400 with a sentence for each field that does not fit."""
    if not isinstance(fields, dict):
        raise failures.payload_invalid()
    kept, errors = {}, {}
    for name, given in fields.items():
        try:
            kept[name] = _setter(call, name)(call, given)
        except _Unfit as unfit:
            errors[name] = str(unfit) or failures.field_unfit(name)
    if errors:
        raise Failure(400, errors=errors)
    return kept


def operations(call: Call, update: Any, current: Mapping[str, Any]) -> dict[str, Any]:
    """The fields that a request's `update` sets, or for labels adds to and removes from. Comments are not among them."""
    if not isinstance(update, dict):
        raise failures.payload_invalid()
    fields: dict[str, Any] = {}
    for name, steps in update.items():
        if name == "comment":
            continue
        if not isinstance(steps, list):
            raise failures.payload_invalid()
        for step in steps:
            fields[name] = _stepped(name, step, fields.get(name, current.get(name)))
    return values(call, fields)


def said(call: Call, update: Any) -> list[str]:
    """The comments that a request's `update` adds."""
    steps = update.get("comment", []) if isinstance(update, dict) else []
    if not isinstance(steps, list):
        raise failures.payload_invalid()
    return [comment_text(call, step.get("add") if isinstance(step, dict) else None) for step in steps]


def comment_text(call: Call, given: Any) -> str:
    """The text of a comment. 400 where it is none: a document in version 3, a string in version 2."""
    try:
        return _long_text(call, given.get("body") if isinstance(given, dict) else None) or ""
    except _Unfit as unfit:
        raise Failure(400, errors={"comment": f"Comment body is not valid! {unfit}"}) from unfit


def _stepped(name: str, step: Any, value: Any) -> Any:
    match step:
        case {"set": wanted}:
            return wanted
        case {"add": str() as wanted} if isinstance(value, list):
            return [*(one for one in value if one != wanted), wanted]
        case {"remove": str() as unwanted} if isinstance(value, list):
            return [one for one in value if one != unwanted]
    raise Failure(400, errors={name: failures.field_unfit(name)})


# -- one field ---------------------------------------------------------------------------------------------------------------------


def _setter(call: Call, name: str) -> Callable[[Call, Any], Any]:
    if name in call.jira.catalog.custom_fields:
        return lambda _call, given: given
    try:
        return _SETTERS[name]
    except KeyError:
        raise _Unfit from None


def _summary(_call: Call, given: Any) -> str:
    if not isinstance(given, str):
        raise _Unfit(NOT_A_TEXT)
    if not given.strip():
        raise _Unfit("You must specify a summary of the issue.")
    if len(given) > _LONGEST_SUMMARY or "\n" in given:
        raise _Unfit("Summary must be a single line of at most 255 characters.")
    return given


def _description(call: Call, given: Any) -> str | None:
    return None if given is None else _long_text(call, given)


def _long_text(call: Call, given: Any) -> str:
    if call.rich:
        if not adf.is_document(given):
            raise _Unfit(NOT_A_DOCUMENT)
        return adf.text(given)
    if not isinstance(given, str):
        raise _Unfit(NOT_A_TEXT)
    return given


def _project(call: Call, given: Any) -> dict[str, Any]:
    found = call.jira.catalog.find_project(_word(given, "key", "id"))
    if found is None or not call.jira.access.sees_project(found.key):
        raise _Unfit("valid project is required")
    return found.shown()


def _issuetype(call: Call, given: Any) -> dict[str, Any]:
    return {**_choice(call.jira.catalog.types, given, "Specify a valid issue type"), "subtask": False}


def _priority(call: Call, given: Any) -> dict[str, Any] | None:
    return None if given is None else _choice(call.jira.catalog.priorities, given, "Specify a valid priority")


def resolution(call: Call, given: Any) -> dict[str, Any]:
    """The resolution that a transition sets."""
    try:
        return _choice(call.jira.catalog.resolutions, given, "Specify a valid resolution")
    except _Unfit as unfit:
        raise Failure(400, errors={"resolution": str(unfit)}) from unfit


def _labels(_call: Call, given: Any) -> list[str]:
    if not isinstance(given, list) or not all(isinstance(one, str) for one in given):
        raise _Unfit("data was not an array")
    if any(" " in one for one in given):
        raise _Unfit("The label contains spaces which is invalid.")
    return list(dict.fromkeys(given))


def _person(call: Call, given: Any) -> dict[str, Any] | None:
    if given is None:
        return None
    names = ("accountId", "id") if call.jira.flavour == "cloud" else ("name", "key")
    found = person(call, _word(given, *names))
    return found.shown(call.jira.flavour)


def person(call: Call, handle: str) -> User:
    """The user of this accountId, or on Data Center of this name. 400 if there is none."""
    for user in call.jira.people:
        if handle and handle == (user.account_id if call.jira.flavour == "cloud" else user.name):
            return user
    raise Failure(400, errors={"assignee": f"User '{handle}' does not exist."})


def _choice(choices: Choices, given: Any, otherwise: str) -> dict[str, Any]:
    found = choices.find(_word(given, "name", "id"))
    if found is None:
        raise _Unfit(otherwise)
    return found


def _word(given: Any, *names: str) -> str:
    """The first of the names that an object has a text in."""
    if not isinstance(given, dict):
        raise _Unfit("data was not an object")
    return next((str(given[name]) for name in names if isinstance(given.get(name), str | int)), "")


_SETTERS: Mapping[str, Callable[[Call, Any], Any]] = {
    "summary": _summary,
    "description": _description,
    "project": _project,
    "issuetype": _issuetype,
    "priority": _priority,
    "labels": _labels,
    "assignee": _person,
    "reporter": _person,
}
