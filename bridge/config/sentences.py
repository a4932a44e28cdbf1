"""pydantic's errors in our words: what is wrong, and what to do about it. Never a value."""

import re
from collections.abc import Callable, Iterator
from typing import Any

from pydantic import ValidationError
from pydantic_core import ErrorDetails

from bridge.config.document import at
from bridge.config.shape import locate
from bridge.config.types import Place, Section, nearest, one_of
from bridge.errors import Problem

_TEXT = "must be text: put it in quotes (YAML reads a bare yes, no, on or off as true or false)"
_NUMBER = "must be a whole number, such as 8080, and no unit"
_FLAG = "must be true or false"
_LIST = "must be a list: write each entry on its own line after `- `, or all as [a, b]"
_MAPPING = "must be a mapping: write `key: value` lines, indented beneath it"
_EMPTY = "is empty: give it a value, or remove the key"
_UUID = "must be a UUID, such as 6f1c4f0e-0d5f-4c2b-9a51-2f1d0c9b7e11"

_WRONG_KIND = {
    "string_type": _TEXT,
    "int_type": _NUMBER,
    "int_parsing": _NUMBER,
    "int_parsing_size": _NUMBER,
    "int_from_float": _NUMBER,
    "bool_type": _FLAG,
    "bool_parsing": _FLAG,
    "list_type": _LIST,
    "dict_type": _MAPPING,
    "model_type": _MAPPING,
    "model_attributes_type": _MAPPING,
    "uuid_type": _UUID,
    "uuid_parsing": _UUID,
}
_IN_CONTEXT: dict[str, Callable[[dict[str, Any]], str]] = {
    "misfit": lambda context: str(context["sentence"]),
    "value_error": lambda context: str(context["error"]),
    "greater_than_equal": lambda context: f"must be at least {context['ge']}",
    "less_than_equal": lambda context: f"must be at most {context['le']}",
    "too_short": lambda _: "must not be empty: fill it in",
    "string_too_short": lambda _: "must not be empty: fill it in",
}


def problems(error: ValidationError, root: type[Section], data: Any) -> Iterator[Problem]:
    """What `error` says about `data`, which was to become a `root`. The problems have no lines yet."""
    for details in error.errors(include_url=False):
        if details["type"] == "default_factory_not_called":  # only says that another key has a problem
            continue
        place, owner = locate(root, details["loc"])
        sentence = _sentence(details, place, owner, _value(data, place))
        if details["type"] == "extra_forbidden" and _may_be_a_secret(str(place[-1]), owner):
            place = place[:-1]
        yield Problem(path(place), sentence)


def path(place: Place) -> str:
    """A place as people write it: `routes[0].task.title`."""
    text = ""
    for element in place:
        text = at(text, element)
    return text


def _sentence(details: ErrorDetails, place: Place, owner: type[Section] | None, value: Any) -> str:
    kind, context = details["type"], details.get("ctx", {})
    if kind == "missing":
        return f"is missing: add `{place[-1]}: …`"
    if kind == "extra_forbidden":
        return _unknown_key(str(place[-1]), owner)
    if kind == "literal_error":
        return one_of(value, re.findall(r"'([^']*)'", context["expected"]))
    if kind in _IN_CONTEXT:
        return _IN_CONTEXT[kind](context)
    if value is None and kind in _WRONG_KIND:
        return _EMPTY
    return _WRONG_KIND.get(kind, "is not valid here: see docs/configuration.md for what this key takes")


def _may_be_a_secret(key: str, owner: type[Section] | None) -> bool:
    """A key that no one knows, beside secrets: a value whose key or colon was forgotten looks so."""
    fields = owner.model_fields if owner else {}
    beside_secrets = any("Secret" in str(field.annotation) for field in fields.values())
    return ":" in key or (beside_secrets and nearest(key, list(fields)) is None)


def _unknown_key(key: str, owner: type[Section] | None) -> str:
    known = list(owner.model_fields) if owner else []
    if _may_be_a_secret(key, owner):
        return f"holds a key that is not known (is a space missing after a colon?); known here: {', '.join(known)}"
    meant = nearest(key, known)
    remedy = f"did you mean `{meant}`?" if meant else f"known here: {', '.join(known)}"
    return f"unknown key `{key}`; {remedy}"


def _value(data: Any, place: Place) -> Any:
    for element in place:
        try:
            data = data[element]
        except (KeyError, IndexError, TypeError):
            return None
    return data
