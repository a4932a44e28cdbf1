"""Outbound messages that wait: one notification for every change, kept until it is acknowledged or a day old.

Fields are read when a message is sent, so a notification knows only which record it is about. Source: the SOAP API guide's pages
on outbound messaging.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from bridge.sandbox.salesforce.ids import Ids

MOST_IN_A_MESSAGE = 100
_FIRST_GAP_S = 30
_LONGEST_GAP_S = 2 * 60 * 60
_KEPT = timedelta(hours=24)


@dataclass(frozen=True, slots=True)
class MessageOptions:
    """An outbound message as an administrator sets it up: of which object, and which fields it carries beside the Id."""

    object: str = "Case"
    fields: tuple[str, ...] = ("CaseNumber", "Subject", "Status", "Priority", "IsClosed", "SystemModstamp")
    send_session_id: bool = False


@dataclass(frozen=True, slots=True)
class Notification:
    """One change that somebody is to be told of. Its id stays the same however often it is sent."""

    id: str
    record_id: str
    object: str
    options: MessageOptions
    queued_at: datetime
    due_at: datetime
    attempts: int = 0

    def failed(self, now: datetime) -> "Notification":
        """The same, due after a gap that doubles from 30 seconds up to two hours."""
        gap = min(_FIRST_GAP_S * 2 ** min(self.attempts, 10), _LONGEST_GAP_S)
        return replace(self, due_at=now + timedelta(seconds=gap), attempts=self.attempts + 1)


class Outbox:
    """The notifications of one org that are not acknowledged."""

    def __init__(self, ids: Ids) -> None:
        self._ids = ids
        self._waiting: dict[str, Notification] = {}

    @property
    def waiting(self) -> list[Notification]:
        """All of them, oldest first."""
        return list(self._waiting.values())

    def add(self, options: MessageOptions, record_id: str, now: datetime) -> None:
        """A change is to be told."""
        notification = Notification(self._ids.next("04l"), record_id, options.object, options, now, now)
        self._waiting[notification.id] = notification

    def due(self, now: datetime) -> list[Notification]:
        """What is to be sent now, the longest due first: a retry comes after what was queued meanwhile."""
        return sorted((one for one in self._waiting.values() if one.due_at <= now), key=lambda one: one.due_at)

    def drop_old(self, now: datetime) -> int:
        """Forget what was queued 24 hours ago or earlier; how many."""
        old = [one for one in self._waiting.values() if one.queued_at + _KEPT <= now]
        self.taken(old)
        return len(old)

    def taken(self, notifications: Iterable[Notification]) -> None:
        """They need not be sent again."""
        for notification in notifications:
            self._waiting.pop(notification.id, None)

    def failed(self, notifications: Iterable[Notification], now: datetime) -> None:
        """They are to be sent again, later."""
        for notification in notifications:
            if notification.id in self._waiting:
                self._waiting[notification.id] = notification.failed(now)


def messages(notifications: Sequence[Notification], batch: int) -> Iterator[list[Notification]]:
    """The notifications in messages of at most `batch`, never more than 100, each of one set-up."""
    size = max(1, min(batch, MOST_IN_A_MESSAGE))
    for options in dict.fromkeys(one.options for one in notifications):
        same = [one for one in notifications if one.options == options]
        yield from (same[start : start + size] for start in range(0, len(same), size))
