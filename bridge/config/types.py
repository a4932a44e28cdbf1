"""The kinds of value that the YAML knows, and how each says what is wrong with it.

No sentence in this package repeats a value from the file: what stands there may be a secret, or have come from one. A
suggestion is always one of our own words, or a name that the file itself gives to something.
"""

import re
from collections.abc import Iterable, Mapping, Sequence
from datetime import timedelta
from difflib import get_close_matches
from typing import Annotated, Any
from urllib.parse import urlsplit

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    PlainSerializer,
    SecretStr,
    ValidationError,
    WithJsonSchema,
)
from pydantic_core import InitErrorDetails, PydanticCustomError

DURATION_PATTERN = r"^[0-9]+(ms|s|m|h|d)$"
DURATION_FORM = "write a whole number and its unit, such as `500ms`, `30s`, `5m`, `2h` or `7d`"
UNITS = {
    "d": timedelta(days=1),
    "h": timedelta(hours=1),
    "m": timedelta(minutes=1),
    "s": timedelta(seconds=1),
    "ms": timedelta(milliseconds=1),
}


class Section(BaseModel):
    """A mapping in the YAML: immutable, and strict about keys that it does not know.

    Numbers are taken as text where text is wanted: an id such as `4711` is easily written without quotes.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", coerce_numbers_to_str=True, hide_input_in_errors=True)


Place = tuple[str | int, ...]
"""Where a value is, relative to the section that speaks of it: `("verify",)`."""


def misfit(mistakes: Iterable[tuple[Place, str]]) -> ValidationError:
    """An error for a validator to raise about several keys at once, each with its own place and sentence."""
    details: list[InitErrorDetails] = [
        {"type": PydanticCustomError("misfit", "{sentence}", {"sentence": sentence}), "loc": place, "input": None}
        for place, sentence in mistakes
    ]
    return ValidationError.from_exception_data("configuration", details)


def nearest(word: object, options: Iterable[str]) -> str | None:
    """The option that was probably meant, if one is near."""
    by_lower = {option.lower(): option for option in options}
    found = get_close_matches(str(word).lower(), by_lower, n=1)
    return by_lower[found[0]] if found else None


def one_of(word: object, options: Sequence[str]) -> str:
    """The sentence for a word that is none of `options`."""
    meant = nearest(word, options)
    return f"must be one of: {', '.join(options)}" + (f"; did you mean `{meant}`?" if meant else "")


def of_kind(*kinds: str) -> BeforeValidator:
    """Says early and once when a section's `type` is missing or unknown; its other keys mean nothing then."""

    def check(value: Any) -> Any:
        if not isinstance(value, Mapping):
            return value
        kind = value.get("type")
        if kind is None:
            raise misfit([(("type",), f"is missing: add `type: …`, one of: {', '.join(kinds)}")])
        if kind not in kinds:
            raise misfit([(("type",), one_of(kind, kinds))])
        return value

    return BeforeValidator(check)


def is_template(text: str) -> bool:
    """Whether `text` is rendered for every ticket, so that nothing can be said of its value yet."""
    return "{{" in text or "{%" in text


def write_duration(value: timedelta) -> str:
    """A duration as the YAML has it, in the largest unit that holds it exactly."""
    unit = next((name for name, length in UNITS.items() if value % length == timedelta(0)), "ms")
    return f"{value // UNITS[unit]}{unit}"


def _read_duration(value: Any) -> Any:
    if isinstance(value, timedelta) or value is None:
        return value
    if str(value).isdecimal():
        raise ValueError(f"a duration needs its unit: {DURATION_FORM}")
    if not re.match(DURATION_PATTERN, str(value)):
        raise ValueError(f"is not a duration: {DURATION_FORM}")
    number, unit = re.findall(r"[0-9]+|[a-z]+", str(value))
    try:
        length = int(number) * UNITS[unit]
    except (OverflowError, ValueError):
        raise ValueError("is longer than can be counted: use a shorter duration") from None
    if not length:
        raise ValueError("must be longer than nothing: " + DURATION_FORM)
    return length


def _read_switchable(value: Any) -> Any:
    """`off` is false in YAML 1.1, and text when it comes from the environment."""
    return None if value is False or value == "off" else _read_duration(value)


def _not_a_switch(value: Any) -> Any:
    """YAML's `yes` is true, and Python's true is 1; no one means a port 1 by it."""
    if isinstance(value, bool):
        raise PydanticCustomError("int_type", "a number is needed")
    return value


def _check_url(value: str) -> str:
    form = "write it as `https://host/path`"
    try:
        parts = urlsplit(value)
        host, _ = parts.hostname, parts.port
    except ValueError:
        raise ValueError(f"is not a URL: {form}") from None
    if parts.scheme not in {"http", "https"} or not host:
        raise ValueError(f"must begin with http:// or https:// and name a host: {form}")
    if parts.username is not None or parts.password is not None:
        raise ValueError("must not hold a user or password: give them under their own keys")
    if parts.query or parts.fragment:
        raise ValueError(f"must end with its path, without `?` and `#`: {form}")
    return value.rstrip("/")


_duration_schema = {"type": "string", "pattern": DURATION_PATTERN, "examples": ["30s", "5m", "2h", "7d"]}

Whole = Annotated[int, BeforeValidator(_not_a_switch)]
Positive = Annotated[int, Field(ge=1), BeforeValidator(_not_a_switch)]
Text = Annotated[str, Field(min_length=1)]
Secret = Annotated[SecretStr, Field(min_length=1)]
Url = Annotated[str, AfterValidator(_check_url), WithJsonSchema({"type": "string", "format": "uri"})]
"""http or https, with a host; a trailing slash is dropped, and it can hold no credentials, so it may be printed."""

Duration = Annotated[
    timedelta,
    BeforeValidator(_read_duration),
    PlainSerializer(write_duration, when_used="json"),
    WithJsonSchema(_duration_schema),
]
SwitchableDuration = Annotated[
    timedelta | None,
    BeforeValidator(_read_switchable),
    PlainSerializer(lambda value: "off" if value is None else write_duration(value), when_used="json"),
    WithJsonSchema({"anyOf": [_duration_schema, {"enum": ["off", False, None]}]}),
]
"""A duration, or None for `off`."""
