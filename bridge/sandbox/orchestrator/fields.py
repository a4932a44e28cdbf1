"""Reading a JSON body as Orchestrator does: keys in any case, unknown ones ignored, enums by name or number.

A value of the wrong type or length is a `Failure` of status 400 that names the field.
"""

from collections.abc import Mapping, Sequence
from typing import Any
from uuid import UUID

import orjson

from bridge.sandbox.orchestrator.failures import invalid, missing_body
from bridge.sandbox.orchestrator.world import PRIORITIES, TYPES, NewTask

_DEFAULTS = NewTask(title="-")


class Fields:
    """The fields of a JSON object. A field that is absent and one that is null are the same."""

    def __init__(self, values: Mapping[str, Any]) -> None:
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

    def number(self, name: str) -> int:
        """An integer that has to be there."""
        value = self._values.get(name.lower())
        if value is None:
            raise invalid(f"The {name} field is required.")
        return _integer(name, value)

    def numbers(self, name: str) -> list[int]:
        """A list of integers that has to be there."""
        return [_integer(name, value) for value in self._list(name, required=True)]

    def object(self, name: str) -> dict[str, Any] | None:
        """An object, as it came."""
        value = self._values.get(name.lower())
        if value is not None and not isinstance(value, dict):
            raise invalid(f"The field {name} must be an object.")
        return value

    def objects(self, name: str) -> list[dict[str, Any]]:
        """A list of objects, empty if absent."""
        values = self._list(name)
        if not all(isinstance(value, dict) for value in values):
            raise invalid(f"The field {name} must be a list of objects.")
        return values

    def choice(self, name: str, names: Sequence[str], default: str) -> str:
        """An enum's member, by its name in any case or by its number."""
        value = self._values.get(name.lower())
        if value is None:
            return default
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
    if text and text.isascii() and text.removeprefix("-").isdecimal() and len(text) < 20:
        return int(text)
    raise invalid(f"The value '{text or '':.80}' is not valid for {name}.")


def new_task(fields: Fields) -> NewTask:
    """`TaskCreateRequest`, with the definition's lengths."""
    return NewTask(
        title=fields.required_text("Title", 512),
        type=fields.choice("Type", TYPES, _DEFAULTS.type),
        priority=fields.choice("Priority", PRIORITIES, _DEFAULTS.priority),
        data=fields.object("Data") or {},
        catalog=fields.text("TaskCatalogName", 50),
        external_tag=fields.text("ExternalTag", 512),
        parent_operation_id=fields.text("ParentOperationId", 128),
        creator_job_key=fields.uuid("CreatorJobKey"),
        tags=fields.objects("Tags"),
        source=fields.object("TaskSource"),
    )


def _integer(name: str, value: Any) -> int:
    if isinstance(value, bool) or not isinstance(value, int):
        raise invalid(f"The field {name} must be an integer.")
    return value
