"""What the sync core asks of every tracker's API."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Protocol

Message = Mapping[str, Any]
"""A ticket as the tracker's API showed it, in a shape that its `observe` reads, with the time at which it was read."""

POLLED = "poll"
"""The event of a message that nobody sent: the bridge looked."""


@dataclass(frozen=True, slots=True)
class Page:
    """A part of a long answer. `cursor` is where the next one begins, None at the end; `total` counts all, where that is told."""

    messages: Sequence[Message]
    cursor: str | None = None
    total: int | None = None


class TicketApi(Protocol):
    """One source's tickets, as the tracker has them now. Every method raises the classes under `RemoteError`."""

    at_once: int
    """How many tickets one request reads."""

    async def look(self, ticket_ids: Sequence[str], within: timedelta) -> Mapping[str, Message]:
        """The tickets by their ids, for a decision that waits. One that is not shown, or not in time, is left out."""

    async def read(self, ticket_ids: Sequence[str]) -> Mapping[str, Message]:
        """At most `at_once` tickets by their ids, in one request. One that is absent is deleted, hidden, or not found just now."""

    async def confirm(self, ticket_id: str, key: str) -> Message | None:
        """One ticket by itself; None if it is gone. `Unauthorized` with status 404 if it and its like are hidden from the account."""

    def gone(self, ticket_id: str, key: str, at: int) -> Message:
        """What is said of a ticket that is gone since a time, in epoch milliseconds."""

    async def changed(self, since: datetime, cursor: str | None) -> Page:
        """What was created, changed or deleted since a time, both of the tracker's clock. The same ticket may come again."""

    async def opened(self, cursor: str | None) -> Page:
        """The tickets that are open now."""

    def ease(self) -> timedelta:
        """How long to leave the tracker alone before the next request, so that others have room; zero for not at all."""
