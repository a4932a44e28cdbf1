"""The registered webhooks: which events each wants, and what became of what it was sent."""

import itertools
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from bridge.sandbox.jira.sending import Webhook

KEPT = 10_000
"""How many deliveries are remembered."""

EVENTS = (
    "jira:issue_created",
    "jira:issue_updated",
    "jira:issue_deleted",
    "comment_created",
    "comment_updated",
    "comment_deleted",
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """What an administrator asks of a webhook; `jql` is of issue events and may be empty."""

    name: str
    url: str
    events: tuple[str, ...] = EVENTS
    jql: str = ""
    secret: str = ""
    enabled: bool = True
    exclude_body: bool = False


@dataclass(slots=True)
class Hook:
    """A webhook as it is now."""

    id: int
    wanted: Wanted
    updated: datetime

    def wants(self, event: str) -> bool:
        """Whether it is to hear of events of this name."""
        return self.wanted.enabled and event in self.wanted.events


@dataclass(frozen=True, slots=True)
class Delivery:
    """What became of one event for one webhook: the statuses of its tries (None: no answer); none if it was lost on purpose."""

    hook_id: int
    webhook: Webhook
    tries: tuple[int | None, ...]
    taken: bool

    @property
    def lost(self) -> bool:
        """Whether nobody will hear of it any more."""
        return not self.taken


class Outbound(Protocol):
    """Whoever sends while the Jira is served."""

    def post(self, hook: Hook, webhook: Webhook) -> None:
        """Takes an event on its way, at once."""

    async def idle(self) -> None:
        """Waits until everything so far was taken or is lost."""


class Hooks:
    """The registrations of one Jira. Where nothing is served, nothing is sent to them."""

    def __init__(self) -> None:
        self.outbound: Outbound | None = None
        self.deliveries: deque[Delivery] = deque(maxlen=KEPT)
        self._ids = itertools.count(1)
        self._hooks: dict[int, Hook] = {}

    def __iter__(self) -> Iterator[Hook]:
        return iter(tuple(self._hooks.values()))

    def add(self, wanted: Wanted, now: datetime) -> Hook:
        """A new webhook."""
        hook = Hook(next(self._ids), wanted, now)
        self._hooks[hook.id] = hook
        return hook

    def find(self, hook_id: str) -> Hook | None:
        """The webhook of this id."""
        return next((hook for hook in self if str(hook.id) == hook_id), None)

    def remove(self, hook: Hook) -> None:
        """It hears nothing more."""
        del self._hooks[hook.id]

    def post(self, hook: Hook, webhook: Webhook) -> None:
        """Put an event on its way to a webhook."""
        if self.outbound is not None:
            self.outbound.post(hook, webhook)
