"""Reading bodies as strictly as Jira does: a key that is not the definition's is refused, and so is a value of another type."""

from collections.abc import Mapping
from typing import Any

from bridge.sandbox.jira import failures
from bridge.sandbox.jira.operation import Call


def whole_body(call: Call, *known: str) -> dict[str, Any]:
    """The body without what is null. 400 for a key that is not known."""
    body = call.json()
    if not body.keys() <= set(known):
        raise failures.payload_invalid()
    return {name: value for name, value in body.items() if value is not None}


def text(body: Mapping[str, Any], name: str) -> str:
    """A text; empty if it is not given."""
    value = body.get(name, "")
    if not isinstance(value, str):
        raise failures.payload_invalid()
    return value


def texts(body: Mapping[str, Any], name: str) -> list[str]:
    """A list of texts."""
    value = body.get(name, [])
    if not isinstance(value, list) or not all(isinstance(one, str) for one in value):
        raise failures.payload_invalid()
    return value


def numbers(body: Mapping[str, Any], name: str) -> list[int]:
    """A list of whole numbers."""
    value = body.get(name, [])
    if not isinstance(value, list) or not all(is_whole(one) for one in value):
        raise failures.payload_invalid()
    return value


def number(body: Mapping[str, Any], name: str, default: int) -> int:
    """A whole number."""
    value = body.get(name, default)
    if not is_whole(value):
        raise failures.payload_invalid()
    found: int = value
    return found


def truth(body: Mapping[str, Any], name: str, *, default: bool) -> bool:
    """True or false."""
    value = body.get(name, default)
    if not isinstance(value, bool):
        raise failures.payload_invalid()
    return value


def is_whole(value: Any) -> bool:
    """Whether it is a whole number; true and false are none."""
    return isinstance(value, int) and not isinstance(value, bool)
