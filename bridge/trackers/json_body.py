"""Reading JSON that the world sends: strict about being JSON, lenient about what text may hold."""

import json
from typing import Any, TypeVar

import msgspec
import orjson

from bridge.errors import MalformedBody

Part = TypeVar("Part")

_BOM = b"\xef\xbb\xbf"


def read_object(body: bytes) -> dict[str, Any]:
    """The JSON object in a body. Raises `MalformedBody` with the place of the mistake."""
    value = read_value(body)
    if not isinstance(value, dict):
        raise MalformedBody(f"the body is JSON, but not an object: a {type(value).__name__}")
    return value


def read_value(body: bytes) -> Any:
    """The JSON value in a body. Raises `MalformedBody` with the place of the mistake."""
    try:
        return orjson.loads(body.removeprefix(_BOM))
    except orjson.JSONDecodeError as error:
        return _with_broken_text(body.removeprefix(_BOM), str(error))


def read_part(body: bytes, decoder: msgspec.json.Decoder[Part]) -> Part | None:
    """The part of a JSON object that the decoder knows. None if the body is made otherwise, or is no JSON: read it whole then."""
    try:
        body.decode()  # what the decoder passes over it does not decode
        return decoder.decode(body)
    except (ValueError, RecursionError):
        return None


def _with_broken_text(body: bytes, reason: str) -> Any:
    r"""Bodies whose only fault is half of a surrogate pair (`\ud83d`), as trackers send when they cut a text; it becomes `?`."""
    try:
        mended = json.dumps(json.loads(body, parse_constant=_refuse), ensure_ascii=False).encode(errors="replace")
        return orjson.loads(mended)
    except (ValueError, RecursionError):
        raise MalformedBody(f"the body is not JSON: {reason}") from None


def _refuse(constant: str) -> Any:
    raise ValueError(f"{constant} is not JSON")
