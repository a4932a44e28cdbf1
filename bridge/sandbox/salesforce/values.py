"""What a field's type means: which JSON may be written to it, and how its values compare."""

import math
from typing import Any

from bridge.sandbox.salesforce.failures import Failure, id_malformed, unreadable_json
from bridge.sandbox.salesforce.ids import full_id
from bridge.sandbox.salesforce.schema import Field
from bridge.sandbox.salesforce.times import parsed_date, parsed_time, rest_time

_KINDS = {
    "id": "id",
    "reference": "id",
    "boolean": "boolean",
    "double": "number",
    "int": "number",
    "datetime": "dateTime",
    "date": "date",
}


def kind(field: Field) -> str:
    """What it is compared as: an id, a boolean, a number, a `dateTime`, a date; everything else is a string."""
    return _KINDS.get(field.type, "string")


def comparable(value: Any, wanted: str) -> Any:
    """A value made comparable with every other of the kind; None for null and for what is not of the kind.

    Texts compare without regard to case, as SOQL compares them.
    """
    if value is None:
        return None
    if wanted == "boolean":
        return value if isinstance(value, bool) else None
    if wanted == "number":
        return value if isinstance(value, int | float) and not isinstance(value, bool) else None
    if wanted == "dateTime":
        return parsed_time(str(value))
    if wanted == "date":
        return parsed_date(str(value))
    if wanted == "id":
        return full_id(str(value))
    return str(value).casefold()


def written(field: Field, value: Any) -> Any:
    """A JSON value as the record is to hold it. 400 `JSON_PARSER_ERROR` if the field cannot hold it."""
    if isinstance(value, dict | list) or (isinstance(value, float) and not math.isfinite(value)):
        raise _unfit(field, value)
    wanted = kind(field)
    if value is None or value == "" or field.type == "anyType":
        return value
    if wanted == "string":
        return _text(field, value)
    known = comparable(value, wanted)
    if known is None:
        raise id_malformed(field.name, value) if wanted == "id" else _unfit(field, value)
    return rest_time(known) if wanted == "dateTime" else value if wanted == "date" else known


def _text(field: Field, value: Any) -> str:
    if not isinstance(value, str):
        raise _unfit(field, value)
    return value


def _unfit(field: Field, value: Any) -> Failure:
    return unreadable_json(f"Cannot deserialize instance of {field.type} from {value!r:.80} (field {field.name})")
