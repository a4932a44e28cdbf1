"""Reading a JSON body as Orchestrator does: keys in any case, unknown ones ignored, enums by name or number.

A value of the wrong type or length is a `Failure` of status 400 that names the field.
"""

from collections.abc import Mapping, Sequence
from typing import Any
from uuid import UUID

import orjson

from bridge.sandbox.orchestrator.failures import invalid, missing_body

_INT64 = 2**63


class Fields:
    """The fields of a JSON object. A field that is absent and one that is null are the same."""

    def __init__(self, values: Mapping[str, Any]) -> None:
        self.raw = dict(values)
        self._values = {name.lower(): value for name, value in values.items()}

    @classmethod
    def of(cls, body: bytes, name: str) -> "Fields":
        """The body's fields; `name` is what Orchestrator calls the object in its complaint about nothing."""
        try:
            value = orjson.loads(body) if body.strip() else None
            orjson.dumps([[[[value]]]])  # what we could not write again, for its depth or its numbers, we do not take
        except (orjson.JSONDecodeError, orjson.JSONEncodeError) as error:
            raise invalid(f"The request body is not valid JSON: {error}") from error
        if value is None:
            raise missing_body(name)
        if not isinstance(value, dict):
            raise invalid(f"{name} must be a JSON object.")
        return cls(value)

    def text(self, name: str, most: int | None = None) -> str | None:
        """A string of at most so many characters."""
        value = self._values.get(name.lower())
        if value is None:
            return None
        if not isinstance(value, str):
            raise invalid(f"The field {name} must be a string.")
        if most is not None and len(value) > most:
            raise invalid(f"The field {name} must be a string with a maximum length of {most}.")
        return value

    def required_text(self, name: str, most: int | None = None) -> str:
        """As `text`, and more than blanks."""
        value = self.text(name, most)
        if value is None or not value.strip():
            raise invalid(f"The {name} field is required.")
        return value

    def number(self, name: str, least: int = -_INT64, most: int = _INT64 - 1) -> int:
        """An integer that has to be there."""
        value = self.optional_number(name, least, most)
        if value is None:
            raise invalid(f"The {name} field is required.")
        return value

    def optional_number(self, name: str, least: int = -_INT64, most: int = _INT64 - 1) -> int | None:
        """An integer within bounds."""
        value = self._values.get(name.lower())
        if value is None:
            return None
        if not least <= _integer(name, value) <= most:
            raise invalid(f"The field {name} must be between {least} and {most}.")
        return _integer(name, value)

    def numbers(self, name: str, *, required: bool = True) -> list[int]:
        """A list of integers; empty if absent and not required."""
        return [_integer(name, value) for value in self._list(name, required=required)]

    def texts(self, name: str) -> list[str]:
        """A list of strings, empty if absent."""
        values = self._list(name)
        if not all(isinstance(value, str) for value in values):
            raise invalid(f"The field {name} must be a list of strings.")
        return values

    def flag(self, name: str) -> bool | None:
        """True or false, None if absent."""
        value = self._values.get(name.lower())
        if value is not None and not isinstance(value, bool):
            raise invalid(f"The field {name} must be true or false.")
        return value

    def object(self, name: str) -> dict[str, Any] | None:
        """An object, as it came."""
        value = self._values.get(name.lower())
        if value is not None and not isinstance(value, dict):
            raise invalid(f"The field {name} must be an object.")
        return value

    def required_object(self, name: str) -> dict[str, Any]:
        """As `object`, and it has to be there."""
        value = self.object(name)
        if value is None:
            raise invalid(f"The {name} field is required.")
        return value

    def objects(self, name: str, *, required: bool = False) -> list[dict[str, Any]]:
        """A list of objects; empty if absent and not required."""
        values = self._list(name, required=required)
        if not all(isinstance(value, dict) for value in values):
            raise invalid(f"The field {name} must be a list of objects.")
        return values

    def choice(self, name: str, names: Sequence[str], default: str) -> str:
        """An enum's member, by its name in any case or by its number."""
        return self.optional_choice(name, names) or default

    def optional_choice(self, name: str, names: Sequence[str]) -> str | None:
        """As `choice`; None if absent."""
        value = self._values.get(name.lower())
        if value is None:
            return None
        if isinstance(value, str):
            for candidate in names:
                if candidate.lower() == value.lower():
                    return candidate
        elif isinstance(value, int) and not isinstance(value, bool) and 0 <= value < len(names):
            return names[value]
        raise invalid(f"The field {name} has no value {value!r:.80}.")

    def uuid(self, name: str) -> UUID | None:
        """A UUID in a string."""
        value = self.text(name)
        return None if value is None else parse_uuid(name, value)

    def _list(self, name: str, *, required: bool = False) -> list[Any]:
        value = self._values.get(name.lower())
        if value is None and not required:
            return []
        if not isinstance(value, list):
            raise invalid(f"The field {name} must be a list.")
        return value


def parse_uuid(name: str, text: str) -> UUID:
    """A UUID in its usual spelling."""
    try:
        return UUID(text)
    except ValueError:
        raise invalid(f"The value '{text:.80}' is not valid for {name}.") from None


def parse_id(name: str, text: str | None) -> int:
    """An id in a query."""
    if text and text.isascii() and text.removeprefix("-").isdecimal() and len(text) <= len(str(-_INT64)):
        number = int(text)
        if -_INT64 <= number < _INT64:
            return number
    raise invalid(f"The value '{text or '':.80}' is not valid for {name}.")


def _integer(name: str, value: Any) -> int:
    if isinstance(value, bool) or not isinstance(value, int) or not -_INT64 <= value < _INT64:
        raise invalid(f"The field {name} must be an integer.")
    return value
