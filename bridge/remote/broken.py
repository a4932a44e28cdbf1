"""Requests that got no answer, and answers that ask to wait, as the error tree has them."""

from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime

import aiohttp
import httpx

from bridge.errors import RateLimited, RemoteError, Unavailable, Unknown

_DEFAULT_WAIT = timedelta(seconds=5)
_MAX_WAIT = timedelta(hours=1)


def broken(who: str, error: Exception, *, changes: bool) -> RemoteError:
    """The error of a request that got no answer. `changes`: it would change something, so a lost answer is not a clear one."""
    words = str(error) or type(error).__name__
    if _never_sent(error):
        return Unavailable(f"{who} cannot be reached: {words}", sent=False)
    if not changes:
        return Unavailable(f"{who} did not answer: {words}", sent=False)
    return Unknown(f"{who}'s answer was lost: {words}", answered=False)


def _never_sent(error: Exception) -> bool:
    """Whether no connection was made at all.

    httpx-aiohttp reports a connection that broke after sending as a ConnectTimeout too; only its cause tells them apart. Taking one
    for the other would create a task twice.
    """
    if isinstance(
        error, httpx.ConnectError | httpx.PoolTimeout | httpx.UnsupportedProtocol | httpx.InvalidURL | UnicodeError
    ):
        return True
    cause = error.__cause__
    if isinstance(cause, aiohttp.ClientError):
        return isinstance(cause, aiohttp.ClientConnectorError | aiohttp.ConnectionTimeoutError)
    return isinstance(error, httpx.ConnectTimeout)


def away(
    words: str,
    response: httpx.Response,
    now: datetime,
    *,
    sent: bool,
    code: int | None = None,
    trace_id: str | None = None,
) -> Unavailable:
    """The error of a server that says that it is busy or away. `sent`: the request may have taken effect all the same."""
    wait, status = retry_after(response, now), response.status_code
    if status == httpx.codes.TOO_MANY_REQUESTS:
        wait = wait or _DEFAULT_WAIT
    if wait is not None:
        return RateLimited(words, retry_after=wait, status=status, code=code, trace_id=trace_id)
    return Unavailable(words, sent=sent, status=status, code=code, trace_id=trace_id)


def retry_after(response: httpx.Response, now: datetime) -> timedelta | None:
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
