"""One Jira over HTTP: signing in, its errors, and how much of its rate limit is left.

Source: Atlassian's REST pages. On Cloud an account's API token signs in by basic authentication, on Data Center a personal access token
as a bearer.
"""

from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any, Self
from urllib.parse import quote, urlencode, urlsplit

import httpx
import orjson

from bridge.config import JiraApi
from bridge.errors import MalformedBody, NotFound, Rejected, RemoteError, Unauthorized, Unavailable
from bridge.remote import Server, away
from bridge.trackers.json_body import read_object

TIMEOUT = timedelta(seconds=20)
CONNECTIONS = 16
LONGEST_EASE = timedelta(minutes=1)
NEAR_LIMIT = 0.2
"""Of a rate limit: Jira warns below this share, and what is left then is for others."""

_CLOUD_HOSTS = (".atlassian.net", ".atlassian.com", ".jira.com")


def is_cloud(config: JiraApi) -> bool:
    """Whether it is Jira Cloud: an account's e-mail belongs to an API token, which Data Center does not have."""
    return config.email is not None or (urlsplit(config.url).hostname or "").endswith(_CLOUD_HOSTS)


class JiraClient:
    """Use it as a context manager; every method raises the classes under `RemoteError`."""

    def __init__(
        self, config: JiraApi, clock: Callable[[], datetime], transport: httpx.AsyncBaseTransport | None = None
    ) -> None:
        self.clock = clock
        self._root = "rest/api/3" if is_cloud(config) else "rest/api/2"
        self._server = Server("Jira", config.url, TIMEOUT, CONNECTIONS, transport)
        self._eased_until: datetime | None = None
        token = config.token.get_secret_value()
        if config.email:
            self._server.client.auth = httpx.BasicAuth(config.email, token)
        else:
            self._server.client.headers["Authorization"] = f"Bearer {token}"

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._server.aclose()

    @property
    def ease(self) -> timedelta:
        """How long to wait before the next request that nobody waits for."""
        now = self.clock()
        wait = self._eased_until - now if self._eased_until else timedelta()
        return wait if timedelta() < wait <= LONGEST_EASE else timedelta()  # the clock may have been set back

    async def myself(self) -> str:
        """`GET myself`: the display name of the account."""
        return str((await self.get("myself")).get("displayName", "somebody"))

    async def issue(self, issue_id: str, fields: str | None = None) -> dict[str, Any]:
        """`GET issue/{id}`. `NotFound` is deleted or not visible to the account: Jira does not say which."""
        return await self.get(f"issue/{quote(issue_id, safe='')}", **({"fields": fields} if fields else {}))

    async def get(self, path: str, **query: str) -> dict[str, Any]:
        """A GET; an answer that is no JSON object is not Jira's."""
        return self._read(
            await self._server.send("GET", f"{self._root}/{path}{'?' if query else ''}{urlencode(query)}")
        )

    async def ask(self, path: str, body: Mapping[str, Any]) -> dict[str, Any]:
        """A POST that changes nothing: a question too long for an address."""
        response = await self._server.send(
            "POST",
            f"{self._root}/{path}",
            content=orjson.dumps(body),
            headers={"Content-Type": "application/json"},
            changes=False,
        )
        return self._read(response)

    def _read(self, response: httpx.Response) -> dict[str, Any]:
        body = _body(response)
        now = self.clock()
        wait = _ease(response.headers, now)
        self._eased_until = now + wait if wait else None
        if not response.is_success:
            raise _refusal(response, body, now)
        if not body:
            raise Unavailable("the answer is not Jira's; is api.url right?", sent=False, status=response.status_code)
        return body


def _body(response: httpx.Response) -> dict[str, Any]:
    try:
        return read_object(response.content)
    except MalformedBody:
        return {}


def _refusal(response: httpx.Response, body: Mapping[str, Any], now: datetime) -> RemoteError:
    """Jira's own words: `errorMessages`, or `message`; of a rate limit, which one it is."""
    told = body.get("errorMessages")
    words = "; ".join(map(str, told)) if isinstance(told, list) and told else str(body.get("message") or "")
    words, status = words[:500] or response.reason_phrase or "no reason given", response.status_code
    if limit := response.headers.get("ratelimit-reason"):
        words = f"{words} ({limit[:100]})"
    match status:
        case 401 | 403:
            return Unauthorized(words, status=status)
        case 404:
            return NotFound(words, status=status)
        case _ if status == 429 or status >= 500:
            return away(words, response, now, sent=False)
        case _:
            return Rejected(words, status=status)


def _ease(headers: httpx.Headers, now: datetime) -> timedelta:
    """Until the limit's reset if little of it is left. Cloud tells when that is, Data Center how often it adds to what is left."""
    if not _near_limit(headers):
        return timedelta()
    try:
        reset = datetime.fromisoformat(headers["x-ratelimit-reset"])
        wait = (reset if reset.tzinfo else reset.replace(tzinfo=UTC)) - now
    except (KeyError, ValueError):
        interval = headers.get("x-ratelimit-interval-seconds", "")
        wait = timedelta(seconds=min(int(interval), 3600)) if interval.isdecimal() else timedelta(seconds=1)
    return min(max(wait, timedelta()), LONGEST_EASE)


def _near_limit(headers: httpx.Headers) -> bool:
    limit, remaining = (headers.get(f"x-ratelimit-{name}", "") for name in ("limit", "remaining"))
    if limit.isdecimal() and remaining.isdecimal():
        return int(remaining) < NEAR_LIMIT * int(limit)
    return str(headers.get("x-ratelimit-nearlimit", "")).lower() == "true"
