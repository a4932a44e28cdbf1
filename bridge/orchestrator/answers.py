"""The one place where answers and broken connections become the error tree of `bridge.errors`."""

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from typing import Any

import aiohttp
import httpx
import orjson

from bridge.errors import (
    NotFound,
    OrchestratorError,
    RateLimited,
    Rejected,
    Unauthorized,
    Unavailable,
    Unknown,
)

_MAX_WORDS = 500
_DEFAULT_WAIT = timedelta(seconds=5)
_MAX_WAIT = timedelta(hours=1)


def broken(error: Exception, *, changes: bool) -> OrchestratorError:
    """The error of a request that got no answer. `changes`: it would change something, so a lost answer is not a clear one."""
    words = str(error) or type(error).__name__
    if _never_sent(error):
        return Unavailable(f"Orchestrator cannot be reached: {words}", sent=False)
    if not changes:
        return Unavailable(f"Orchestrator did not answer: {words}", sent=False)
    return Unknown(f"Orchestrator's answer was lost: {words}", answered=False)


def _never_sent(error: Exception) -> bool:
    """Whether no connection was made at all.

    httpx-aiohttp reports a connection that broke after sending as a ConnectTimeout too; only its cause tells them apart. Taking one
    for the other would create a task twice.
    """
    if isinstance(error, httpx.ConnectError | httpx.PoolTimeout | httpx.UnsupportedProtocol):
        return True
    cause = error.__cause__
    if isinstance(cause, aiohttp.ClientError):
        return isinstance(cause, aiohttp.ClientConnectorError | aiohttp.ConnectionTimeoutError)
    return isinstance(error, httpx.ConnectTimeout)


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


def _refusal(response: httpx.Response, now: datetime) -> OrchestratorError:
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
        case 429:
            return RateLimited(words, retry_after=_retry_after(response, now) or _DEFAULT_WAIT, status=status)
        case 502 | 503 | 504:
            wait = _retry_after(response, now)
            return (
                Unavailable(words, sent=True, status=status)
                if wait is None
                else RateLimited(words, retry_after=wait, status=status)
            )
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


def _retry_after(response: httpx.Response, now: datetime) -> timedelta | None:
    """Seconds or an HTTP date (RFC 9110 10.2.3); None if there is none or it makes no sense."""
    value = response.headers.get("retry-after", "").strip()
    if value.isdecimal():
        return min(timedelta(seconds=min(int(value), 10**6)), _MAX_WAIT)
    try:
        at = parsedate_to_datetime(value)
    except ValueError:
        return None
    at = at if at.tzinfo else at.replace(tzinfo=UTC)
    return min(max(at - now, timedelta(0)), _MAX_WAIT)
