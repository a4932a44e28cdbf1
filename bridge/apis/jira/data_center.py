"""Jira Data Center: `search` is all there is. It counts pages from the start, so that what leaves a search meanwhile moves the rest up."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any

import orjson

from bridge.apis.jira.tickets import ISSUES_AT_ONCE, JiraTickets, issues_in, polled
from bridge.apis.protocol import Page
from bridge.errors import Rejected
from bridge.trackers.values import as_object, milliseconds

FURTHEST = 5_000
"""How far a search is paged before a new one begins where it ended: Data Center's window is 10,000 by default."""


@dataclass(frozen=True, slots=True)
class _Place:
    """Where the next page begins: how far into the search, how many it found last, and since when its issues were created."""

    start: int = 0
    total: int | None = None
    created: int | None = None  # epoch milliseconds


class JiraDataCenter(JiraTickets):
    """Jira Data Center, or Server."""

    async def _read(self, ticket_ids: Sequence[str], fields: Sequence[str]) -> Collection[Mapping[str, Any]]:
        """`POST search` by id. Without `validateQuery: false` one deleted issue would fail them all."""
        numbers = [ticket_id for ticket_id in ticket_ids if ticket_id.isdecimal()]
        question = {"jql": f"id in ({', '.join(numbers)})", "fields": list(fields), "validateQuery": False}
        found: list[Mapping[str, Any]] = []
        while len(found) < len(numbers):
            rest = {"startAt": len(found), "maxResults": len(numbers) - len(found)}
            answer = await self.client.ask("search", {**question, **rest})
            page = issues_in(answer)
            found += page
            if not page or len(found) >= _total(answer, len(found)):
                break
        return found

    async def _page(self, jql: str, cursor: str | None) -> Page:
        """`POST search`. Where issues have left the search since the last page it steps back by as many."""
        began, place = self._now(), _Place(**orjson.loads(cursor)) if cursor else _Place()
        if place.created is not None:
            jql = f"created >= {place.created} AND {jql}"
        answer = await self.client.ask(
            "search", {"jql": jql, "startAt": place.start, "maxResults": ISSUES_AT_ONCE, "fields": self._fields}
        )
        issues = issues_in(answer)
        total = _total(answer, place.start + len(issues))
        following = _next(place, issues, total)
        cursor = None if following is None else orjson.dumps(asdict(following)).decode()
        return Page([polled(issue, began) for issue in issues], cursor, total)

    async def _count(self, jql: str, first: Page) -> int | None:
        del jql
        return first.total

    async def _may_browse(self, project: str) -> bool:
        """`GET mypermissions`: of a project that is hidden it says that there is none of that key."""
        try:
            answer = await self.client.get("mypermissions", projectKey=project, permissions="BROWSE_PROJECTS")
        except Rejected as error:
            return project not in str(error)
        permission = as_object(as_object(answer.get("permissions")).get("BROWSE_PROJECTS"))
        return permission.get("havePermission") is not False


def _next(place: _Place, issues: Sequence[Mapping[str, Any]], total: int) -> _Place | None:
    gone = max((place.total or total) - total, 0)
    if gone:  # this page began too late by so many
        return replace(place, start=max(place.start - gone, 0), total=total)
    start = place.start + len(issues)
    if not issues or start >= total:
        return None
    created = milliseconds(as_object(issues[-1].get("fields")).get("created"))
    if start >= FURTHEST and created > (
        place.created or 0
    ):  # an import can give thousands the same: they stay one search
        return _Place(created=created)
    return replace(place, start=start, total=total)


def _total(answer: Mapping[str, Any], otherwise: int) -> int:
    total = answer.get("total")
    return total if isinstance(total, int) else otherwise
