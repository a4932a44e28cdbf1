"""Jira's issues as a source's tickets: what Cloud and Data Center have in common."""

import asyncio
from abc import ABC, abstractmethod
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

from bridge.apis.jira.client import CONNECTIONS, JiraClient
from bridge.apis.protocol import POLLED, Message, Page
from bridge.config import JiraSource
from bridge.errors import NotFound, Unauthorized, Unavailable

ISSUES_AT_ONCE = 100
"""Jira Cloud's limit of a bulk fetch, and a length of JQL that any Data Center takes."""

STANDARD_FIELDS = (
    "summary",
    "status",
    "resolution",
    "issuetype",
    "project",
    "priority",
    "labels",
    "assignee",
    "reporter",
    "created",
    "updated",
)
"""The fields of an issue that a ticket has; its description only where a route speaks of it, for it can be long."""

ORDER = "ORDER BY created ASC, key ASC"
"""By what never changes, so that an issue that is edited meanwhile leaves no page."""


class JiraTickets(ABC):
    """One Jira, as the sync core asks it."""

    at_once = ISSUES_AT_ONCE

    def __init__(self, client: JiraClient, source: JiraSource, in_use: Iterable[str]) -> None:
        self.client = client
        self._source = source
        self._fields = list(dict.fromkeys([*STANDARD_FIELDS, *sorted(in_use)]))
        self._many = asyncio.Semaphore(CONNECTIONS)

    async def look(self, ticket_ids: Sequence[str], within: timedelta) -> Mapping[str, Message]:
        """The issues by their ids with all their fields, several at once. The first error ends the others."""
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
        return {issue_id: message for issue_id, message in found.items() if message is not None}

    async def _shown(self, issue_id: str) -> Message | None:
        async with self._many:
            began = self._now()
            try:
                return {"issue": await self.client.issue(issue_id), "timestamp": began}
            except NotFound:
                return None

    async def read(self, ticket_ids: Sequence[str]) -> Mapping[str, Message]:
        """The issues by their ids, in one request."""
        began = self._now()
        issues = await self._read(ticket_ids, self._fields)
        return {str(issue.get("id")): polled(issue, began) for issue in issues}

    async def confirm(self, ticket_id: str, key: str) -> Message | None:
        """The issue by itself. Where its whole project is hidden it is the permission that is gone, not the issue."""
        began = self._now()
        try:
            return polled(await self.client.issue(ticket_id, ",".join(self._fields)), began)
        except NotFound:
            project = key.rpartition("-")[0]
            if project and not await self._sees(project):
                raise Unauthorized(f"the account may not see project {project} any more", status=404) from None
            return None

    async def _sees(self, project: str) -> bool:
        """Whether the account may see a project; where it may not even ask, nothing is known to be gone."""
        try:
            return await self._may_browse(project)
        except Unauthorized as error:
            raise Unauthorized(f"the account may not ask which projects it may see: {error}", status=404) from None

    def gone(self, ticket_id: str, key: str, at: int) -> Message:
        """As Jira's webhook says it."""
        issue = {"id": ticket_id, "key": key, "fields": {}}
        return {"webhookEvent": POLLED, "issue_event_type_name": "issue_deleted", "timestamp": at, "issue": issue}

    async def changed(self, since: datetime, cursor: str | None) -> Page:
        """By `updated`, in milliseconds since 1970: a date in quotes would be read in the account's own time zone."""
        return await self._page(self._jql(f"updated >= {int(since.timestamp() * 1000)}"), cursor)

    async def opened(self, cursor: str | None) -> Page:
        """By the source's own rule of what is closed; the first page tells how many there are."""
        jql = self._jql(_open(self._source.closed))
        page = await self._page(jql, cursor)
        return page if cursor is not None else replace(page, total=await self._count(jql, page))

    def ease(self) -> timedelta:
        """Until the rate limit has room again."""
        return self.client.ease

    @property
    def polled(self) -> bool:
        """Whether the configuration wants it polled."""
        return self._source.poll is not None

    async def try_jql(self) -> None:
        """Ask for a first page of the source's `jql`, to see whether Jira takes it."""
        await self._page(self._jql("updated >= -1m"), None)

    def _jql(self, condition: str) -> str:
        own = f"({self._source.jql}) AND " if self._source.jql else ""
        return f"{own}{condition} {ORDER}"

    def _now(self) -> int:
        return int(self.client.clock().timestamp() * 1000)

    @abstractmethod
    async def _read(self, ticket_ids: Sequence[str], fields: Sequence[str]) -> Collection[Mapping[str, Any]]:
        """The issues with these ids, as far as they are there."""

    @abstractmethod
    async def _page(self, jql: str, cursor: str | None) -> Page:
        """A page of a search."""

    @abstractmethod
    async def _count(self, jql: str, first: Page) -> int | None:
        """How many issues a search finds, whose first page this is; None if it cannot be told."""

    @abstractmethod
    async def _may_browse(self, project: str) -> bool:
        """False if Jira says outright that the account may not see the project of this key."""


def polled(issue: Mapping[str, Any], began: int) -> Message:
    """What a poll says of an issue that it was shown."""
    return {"webhookEvent": POLLED, "timestamp": began, "issue": issue}


def issues_in(answer: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    """The issues of a search or a bulk fetch."""
    issues = answer.get("issues")
    return [issue for issue in issues if isinstance(issue, dict)] if isinstance(issues, list) else []


def _open(closed: str | list[str]) -> str:
    if isinstance(closed, list):
        names = ", ".join(f'"{name}"' for name in (name.replace("\\", "\\\\").replace('"', '\\"') for name in closed))
        return f"status NOT IN ({names})"
    return "statusCategory != Done" if closed == "category" else "resolution IS EMPTY"
