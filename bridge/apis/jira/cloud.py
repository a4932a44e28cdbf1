"""Jira Cloud: `issue/bulkfetch` reads issues as they are, `search/jql` finds them a little later."""

from collections.abc import Collection, Mapping, Sequence
from typing import Any

from bridge.apis.jira.tickets import ISSUES_AT_ONCE, JiraTickets, issues_in, polled
from bridge.apis.protocol import Page
from bridge.errors import Rejected


class JiraCloud(JiraTickets):
    """Jira Cloud."""

    async def _read(self, ticket_ids: Sequence[str], fields: Sequence[str]) -> Collection[Mapping[str, Any]]:
        """`POST issue/bulkfetch`: one that was moved is found all the same; one that is deleted or hidden is absent."""
        answer = await self.client.ask("issue/bulkfetch", {"issueIdsOrKeys": list(ticket_ids), "fields": list(fields)})
        return issues_in(answer)

    async def _page(self, jql: str, cursor: str | None) -> Page:
        """`POST search/jql`: it tells no total; a page's token lives for seven days."""
        began = self._now()
        question: dict[str, Any] = {"jql": jql, "fields": self._fields, "maxResults": ISSUES_AT_ONCE}
        if cursor is not None:
            question["nextPageToken"] = cursor
        answer = await self.client.ask("search/jql", question)
        token = None if answer.get("isLast") else answer.get("nextPageToken")
        return Page([polled(issue, began) for issue in issues_in(answer)], token and str(token))

    async def _count(self, jql: str, first: Page) -> int | None:
        """`POST search/approximate-count`."""
        if first.cursor is None:
            return len(first.messages)
        try:
            count = (await self.client.ask("search/approximate-count", {"jql": jql})).get("count")
        except Rejected:
            return None
        return count if isinstance(count, int) else None

    async def _may_browse(self, project: str) -> bool:
        """`GET project/search`: the projects that the account may see."""
        try:
            found = (await self.client.get("project/search", keys=project)).get("values")
        except Rejected:
            return True
        return not isinstance(found, list) or any(isinstance(one, dict) and one.get("key") == project for one in found)
