"""A Jira: tickets with their past, webhooks that are lost, late, doubled and out of order, and an API whose index lags."""

import asyncio
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from random import Random
from typing import Any

import orjson

from bridge.apis import Message, Page
from bridge.model import TicketState
from bridge.trackers.jira import IDENTIFIER
from tests.simulation.chaos import Chaos
from tests.simulation.host import Host
from tests.simulation.orchestrator import error_of
from tests.simulation.plan import EPOCH, Change, Kind

SELECTED, ELSEWHERE = "OPS", "HELP"
PAGE = 2
_STATUSES = {
    False: {"name": "Open", "statusCategory": {"key": "new"}},
    True: {"name": "Done", "statusCategory": {"key": "done"}},
}
_PRIORITIES = ("High", "Low", "Medium")
_OF_A_COMMENT = ("summary", "status", "project", "priority", "assignee")
_PEOPLE = ("ada@acme.test", "bob@acme.test")


@dataclass(frozen=True, slots=True)
class Webhook:
    """What a change makes the tracker send."""

    ticket: str
    body: bytes
    identifiers: tuple[str, ...]  # of each copy
    is_open_here: bool  # it says that the ticket is open, where the route selects it


@dataclass(slots=True)
class Issue:
    """A ticket as it is now, and as it was."""

    number: int
    project: str = SELECTED
    closed: bool = False
    edits: int = 0
    reopens: int = 0
    deleted: bool = False
    past: list[tuple[float, dict[str, Any]]] = field(default_factory=list)

    @property
    def id(self) -> str:
        return str(10000 + self.number)

    @property
    def state(self) -> TicketState:
        if self.deleted:
            return TicketState.DELETED
        return TicketState.CLOSED if self.closed else TicketState.OPEN

    @property
    def summary(self) -> str:
        return f"Ticket {self.number}, edition {self.edits}"

    def shown(self, updated: datetime) -> dict[str, Any]:
        """The issue as Jira writes it."""
        return {
            "id": self.id,
            "key": f"{self.project}-{self.number}",
            "self": f"https://acme.atlassian.net/rest/api/2/issue/{self.id}",
            "fields": {
                "summary": self.summary,
                "status": _STATUSES[self.closed],
                "project": {"key": self.project},
                "priority": {"name": _PRIORITIES[self.edits % 3]},
                "assignee": None if self.edits % 2 else {"emailAddress": _PEOPLE[self.edits // 2 % 2]},
                "updated": updated.isoformat(timespec="milliseconds"),
            },
        }


_EVENTS: dict[Kind, str] = {
    "opened": "jira:issue_created",
    "commented": "comment_created",
    "deleted": "jira:issue_deleted",
}


class TrackerServer:
    """The tickets of one Jira."""

    def __init__(self, clock: Callable[[], float], skew: float) -> None:
        self._clock = clock
        self._skew = timedelta(seconds=skew)
        self.issues: dict[str, Issue] = {}

    def change(self, change: Change) -> Webhook | None:
        """Do it, if it can be done to the ticket as it is."""
        issue = self.issues.get(str(10000 + change.ticket))
        if issue is None:
            if change.kind != "opened":
                return None
            issue = Issue(change.ticket)
            self.issues[issue.id] = issue
        elif issue.deleted or not _apply(issue, change.kind):
            return None
        now = EPOCH + timedelta(seconds=self._clock()) + self._skew
        shown = issue.shown(now)
        issue.past.append((self._clock(), shown))
        names = [
            f"{issue.id}-{len(issue.past)}{'' if change.told else f'-{copy}'}" for copy in range(len(change.copies))
        ]
        body = orjson.dumps(_message(change.kind, shown, now))
        is_open_here = issue.state is TicketState.OPEN and issue.project == SELECTED
        return Webhook(issue.id, body, tuple(names), is_open_here)

    def shown(self, ticket_id: str) -> dict[str, Any] | None:
        """The ticket as it is now; None if it is not there."""
        issue = self.issues.get(ticket_id)
        return None if issue is None or issue.deleted else issue.past[-1][1]

    def found(self, since: datetime, at: float) -> list[tuple[str, dict[str, Any]]]:
        """What a search finds whose index knows the tickets as they were then."""
        found = []
        for issue in self.issues.values():
            known = [shown for changed, shown in issue.past if changed <= at]
            if known and not issue.deleted and datetime.fromisoformat(known[-1]["fields"]["updated"]) >= since:
                found.append((issue.id, known[-1]))
        return sorted(found)


def _apply(issue: Issue, kind: Kind) -> bool:
    """Whether it could be done."""
    match kind:
        case "edited":
            issue.edits += 1
        case "commented":
            pass
        case "moved away" if issue.project == SELECTED:
            issue.project = ELSEWHERE
        case "moved back" if issue.project == ELSEWHERE:
            issue.project = SELECTED
        case "closed" if not issue.closed:
            issue.closed = True
        case "reopened" if issue.closed:
            issue.closed = False
            issue.reopens += 1
        case "deleted":
            issue.deleted = True
        case _:
            return False
    return True


def _message(kind: Kind, shown: Mapping[str, Any], now: datetime) -> dict[str, Any]:
    """The webhook. A comment's shows less of the issue, and the comment's time, a little before the issue's."""
    stamp = int(now.timestamp() * 1000)
    message = {"timestamp": stamp + 20, "webhookEvent": _EVENTS.get(kind, "jira:issue_updated"), "issue": shown}
    if kind == "commented":
        few = {name: shown["fields"][name] for name in _OF_A_COMMENT}
        written = (now - timedelta(milliseconds=5)).isoformat(timespec="milliseconds")
        message["comment"] = {"body": "…", "created": written}
        message["issue"] = {**shown, "fields": few}
    return message


class TrackerClient:
    """What one replica has of it: a `TicketApi`."""

    at_once = PAGE

    def __init__(self, server: TrackerServer, host: Host, chaos: Chaos, random: Random, index_lag: float) -> None:
        self._server = server
        self._host = host
        self._chaos = chaos
        self._random = random
        self._lag = index_lag

    async def look(self, ticket_ids: Sequence[str], within: timedelta) -> Mapping[str, Message]:
        await self._way()
        return self._read(ticket_ids)

    async def read(self, ticket_ids: Sequence[str]) -> Mapping[str, Message]:
        await self._way()
        return self._read(ticket_ids)

    async def confirm(self, ticket_id: str, key: str) -> Message | None:
        await self._way()
        shown = self._server.shown(ticket_id)
        return None if shown is None else self._message(shown)

    def gone(self, ticket_id: str, key: str, at: int) -> Message:
        issue = {"id": ticket_id, "key": key, "fields": {}}
        return {"webhookEvent": "poll", "issue_event_type_name": "issue_deleted", "timestamp": at, "issue": issue}

    async def changed(self, since: datetime, cursor: str | None) -> Page:
        await self._way()
        found = self._server.found(since, self._now() - self._lag)
        after = [(ticket_id, shown) for ticket_id, shown in found if ticket_id > (cursor or "")]
        page = after[:PAGE]
        return Page([self._message(shown) for _, shown in page], page[-1][0] if len(after) > PAGE else None)

    async def opened(self, cursor: str | None) -> Page:
        raise AssertionError(f"a poll does not ask for what is open, {cursor}")

    def ease(self) -> timedelta:
        return timedelta()

    async def _way(self) -> None:
        await self._host.sleep(self._random.uniform(0.01, 0.3))
        answer = self._chaos.outage("the tracker")
        if answer == "no answer":
            await self._host.sleep(8.0)
        if answer is not None:
            raise error_of(answer, 5.0)

    def _read(self, ticket_ids: Sequence[str]) -> Mapping[str, Message]:
        found = ((ticket_id, self._server.shown(ticket_id)) for ticket_id in ticket_ids)
        return {ticket_id: self._message(shown) for ticket_id, shown in found if shown is not None}

    def _message(self, shown: Mapping[str, Any]) -> Message:
        stamp = int((EPOCH + timedelta(seconds=self._now())).timestamp() * 1000)
        return {"webhookEvent": "poll", "timestamp": stamp, "issue": shown}

    def _now(self) -> float:
        return asyncio.get_running_loop().time()


def headers_of(identifier: str) -> dict[str, str]:
    """What comes with a webhook's body."""
    return {IDENTIFIER: identifier}
