"""The one place where Orchestrator's answers become the error tree of `bridge.errors`.

What is checked of a 2xx is what half an answer, or another server's, would lack: that it is JSON of the right kind, and that a thing
which must have an id has one. The shapes beneath that are the definition's word, not checked again.
"""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

import httpx
import orjson

from bridge.errors import NotFound, Rejected, RemoteError, Unauthorized, Unknown
from bridge.remote import away

_MAX_WORDS = 500
_SENTENCES = ("message", "errormessage", "detail", "title", "error_description")


def check(response: httpx.Response, now: datetime) -> None:
    """Raise what the status stands for; a 2xx raises nothing."""
    if not response.is_success:
        raise _refusal(response, now)


def json_object(response: httpx.Response) -> dict[str, Any]:
    """The body of a 2xx. One that is not a JSON object means that the answer was cut or is not Orchestrator's."""
    body = _json(response)
    if not isinstance(body, dict):
        raise _foreign(response)
    return body


def entity(response: httpx.Response, *, numbered: bool = False) -> dict[str, Any]:
    """One thing, of either spelling. `numbered`: it was just made, and without its id the answer is half of one."""
    body = json_object(response)
    number = body.get("id", body.get("Id"))
    if not _whole(number) and (numbered or number is not None):
        raise Unknown("the answer has no id", answered=True, status=response.status_code)
    return body


def listed(response: httpx.Response, name: str = "value") -> list[dict[str, Any]]:
    """The items of a list: OData's `value`, or whatever the list is called."""
    return items_of(json_object(response), name, response)


def items_of(body: Mapping[str, Any], name: str, response: httpx.Response) -> list[dict[str, Any]]:
    """As `listed`, of a body that was read."""
    items = body.get(name)
    if not isinstance(items, list) or not all(isinstance(item, dict) for item in items):
        raise Unknown(
            f"the answer is not a list of Orchestrator's: no objects in {name!r}; is orchestrator.url right?",
            answered=True,
            status=response.status_code,
        )
    return items


def done(response: httpx.Response) -> None:
    """A 2xx that needs no body. A page of a gateway's in its place is no Orchestrator's yes."""
    if response.content:
        _json(response)


def _json(response: httpx.Response) -> Any:
    try:
        return orjson.loads(response.content)
    except orjson.JSONDecodeError:
        raise _foreign(response) from None


def _foreign(response: httpx.Response) -> Unknown:
    return Unknown(
        f"the answer is not Orchestrator's (HTTP {response.status_code}, "
        f"{response.headers.get('content-type', 'no content type')}); is orchestrator.url right?",
        answered=True,
        status=response.status_code,
    )


def _refusal(response: httpx.Response, now: datetime) -> RemoteError:
    status = response.status_code
    body = _lower(response.content)
    words = _words(body) or response.reason_phrase or "no reason given"
    code = body.get("errorcode") if _whole(body.get("errorcode")) else None
    trace_id = _text(body.get("traceid"))
    marks: dict[str, Any] = {"status": status, "code": code, "trace_id": trace_id}
    match status:
        case 401 | 403:
            return Unauthorized(words, **marks)
        case 404:
            return NotFound(words, **marks)
        case 429 | 502 | 503 | 504:
            return away(words, response, now, sent=True, code=code, trace_id=trace_id)
        case _ if status in (408, 425) or status >= 500:
            # only Orchestrator's own words show that it is done with the request; a gateway may have given up on it
            return Unknown(words, answered=status == 500 and code is not None, **marks)
        case _ if status < 400:
            return Rejected(
                f"it redirects to {response.headers.get('location', 'nowhere')}; is orchestrator.url right?", **marks
            )
        case _:
            return Rejected(words, **marks)


def _lower(content: bytes) -> Mapping[str, Any]:
    """The error's body with its names in lower case: the wire has camelCase, the definition PascalCase."""
    try:
        body = orjson.loads(content)
    except orjson.JSONDecodeError:
        return {}
    return {name.lower(): value for name, value in body.items()} if isinstance(body, dict) else {}


def _words(body: Mapping[str, Any]) -> str | None:
    """The server's own sentence.

    Orchestrator's `message`, a gateway's `errorMessage`, a problem document's `title`, or the `message` in ABP's or OData's `error`.
    """
    inner = body.get("error")
    said = [body.get(name) for name in _SENTENCES]
    said.append(inner.get("message") if isinstance(inner, dict) else inner)
    return next((words[:_MAX_WORDS] for each in said if (words := _text(each))), None)


def _text(value: Any) -> str | None:
    return value if isinstance(value, str) and value else None


def _whole(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)
