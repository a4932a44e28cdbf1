"""The one place where Orchestrator's answers become the error tree of `bridge.errors`."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

import httpx
import orjson

from bridge.errors import NotFound, Rejected, RemoteError, Unauthorized, Unknown
from bridge.remote import away

_MAX_WORDS = 500


def check(response: httpx.Response, now: datetime) -> None:
    """Raise what the status stands for; a 2xx raises nothing."""
    if not response.is_success:
        raise _refusal(response, now)


def json_object(response: httpx.Response) -> dict[str, Any]:
    """The body of a 2xx. One that is not a JSON object means that the answer was cut or is not Orchestrator's."""
    try:
        body = orjson.loads(response.content)
    except orjson.JSONDecodeError:
        body = None
    if not isinstance(body, dict):
        raise Unknown(
            f"the answer is not Orchestrator's (HTTP {response.status_code}, "
            f"{response.headers.get('content-type', 'no content type')}); is orchestrator.url right?",
            answered=True,
            status=response.status_code,
        )
    return body


def _refusal(response: httpx.Response, now: datetime) -> RemoteError:
    status = response.status_code
    body = _lower(response)
    words = _words(body) or response.reason_phrase or "no reason given"
    code = body.get("errorcode") if isinstance(body.get("errorcode"), int) else None
    marks: dict[str, Any] = {"status": status, "code": code, "trace_id": _text(body.get("traceid"))}
    match status:
        case 401 | 403:
            return Unauthorized(words, **marks)
        case 404:
            return NotFound(words, **marks)
        case 429 | 502 | 503 | 504:
            return away(words, response, now, sent=True)
        case _ if status in (408, 425) or status >= 500:
            # only Orchestrator's own words show that it is done with the request; a gateway may have given up on it
            return Unknown(words, answered=status == 500 and code is not None, status=status)
        case _ if status < 400:
            return Rejected(
                f"it redirects to {response.headers.get('location', 'nowhere')}; is orchestrator.url right?", **marks
            )
        case _:
            return Rejected(words, **marks)


def _lower(response: httpx.Response) -> Mapping[str, Any]:
    """The error's body with its names in lower case: the wire has camelCase, the definition PascalCase."""
    try:
        body = orjson.loads(response.content)
    except orjson.JSONDecodeError:
        return {}
    return {name.lower(): value for name, value in body.items()} if isinstance(body, dict) else {}


def _words(body: Mapping[str, Any]) -> str | None:
    """The server's own sentence: Orchestrator's `message`, a gateway's `errorMessage`, or a problem document's `title`."""
    return next(
        (
            text[:_MAX_WORDS]
            for name in ("message", "errormessage", "detail", "title", "error")
            if (text := _text(body.get(name)))
        ),
        None,
    )


def _text(value: Any) -> str | None:
    return value if isinstance(value, str) and value else None
