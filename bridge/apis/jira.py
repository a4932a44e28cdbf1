"""Jira's REST API, Cloud and Data Center alike: version 2, which shows an issue as a webhook does.

Source: Atlassian's REST pages. On Cloud an account's API token signs in by basic authentication, on Data Center a personal access token
as a bearer.
"""

import asyncio
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any, Self
from urllib.parse import quote

import httpx

from bridge.config import JiraApi
from bridge.errors import MalformedBody, NotFound, Rejected, RemoteError, Unauthorized, Unavailable
from bridge.remote import Server, away
from bridge.trackers.json_body import read_object

TIMEOUT = timedelta(seconds=20)
CONNECTIONS = 16


class JiraClient:
    """One Jira. Use it as a context manager; every method raises the classes under `RemoteError`."""

    def __init__(
        self, config: JiraApi, clock: Callable[[], datetime], transport: httpx.AsyncBaseTransport | None = None
    ) -> None:
        self._clock = clock
        self._server = Server("Jira", config.url, TIMEOUT, CONNECTIONS, transport)
        token = config.token.get_secret_value()
        if config.email:
            self._server.client.auth = httpx.BasicAuth(config.email, token)
        else:
            self._server.client.headers["Authorization"] = f"Bearer {token}"
        self._at_once = asyncio.Semaphore(CONNECTIONS)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._server.aclose()

    async def myself(self) -> str:
        """`GET /rest/api/2/myself`: the display name of the account."""
        return str((await self._get("rest/api/2/myself")).get("displayName", "somebody"))

    async def issue(self, issue_id: str) -> dict[str, Any]:
        """`GET /rest/api/2/issue/{id}`. `NotFound` is deleted or not visible to the account: Jira does not say which."""
        return await self._get(f"rest/api/2/issue/{quote(issue_id, safe='')}")

    async def look(self, ticket_ids: Sequence[str], within: timedelta) -> Mapping[str, Mapping[str, Any]]:
        """The issues by their ids, several at once; what has not come in time is left out. The first error ends the others."""
        began = int(self._clock().timestamp() * 1000)
        asked = {asyncio.create_task(self._shown(issue_id)): issue_id for issue_id in ticket_ids}
        try:
            done, _ = await asyncio.wait(asked, timeout=within.total_seconds(), return_when=asyncio.FIRST_EXCEPTION)
            found = {asked[task]: task.result() for task in done}
        finally:
            for task in asked:
                task.cancel()
            await asyncio.gather(*asked, return_exceptions=True)
        if not found:
            raise Unavailable(f"no answer within {within.total_seconds():g} s", sent=False)
        return {
            issue_id: {"issue": issue, "timestamp": began} for issue_id, issue in found.items() if issue is not None
        }

    async def _shown(self, issue_id: str) -> dict[str, Any] | None:
        async with self._at_once:
            try:
                return await self.issue(issue_id)
            except NotFound:
                return None

    async def _get(self, path: str) -> dict[str, Any]:
        response = await self._server.send("GET", path)
        body = _body(response)
        if not response.is_success:
            raise _refusal(response, body, self._clock())
        if not body:
            raise Unavailable("the answer is not Jira's; is api.url right?", sent=False, status=response.status_code)
        return body


def _body(response: httpx.Response) -> dict[str, Any]:
    try:
        return read_object(response.content)
    except MalformedBody:
        return {}


def _refusal(response: httpx.Response, body: Mapping[str, Any], now: datetime) -> RemoteError:
    """Jira's own words: `errorMessages`, or `message`."""
    told = body.get("errorMessages")
    words = "; ".join(map(str, told)) if isinstance(told, list) and told else str(body.get("message") or "")
    words, status = words[:500] or response.reason_phrase or "no reason given", response.status_code
    match status:
        case 401 | 403:
            return Unauthorized(words, status=status)
        case 404:
            return NotFound(words, status=status)
        case _ if status == 429 or status >= 500:
            return away(words, response, now, sent=False)
        case _:
            return Rejected(words, status=status)
