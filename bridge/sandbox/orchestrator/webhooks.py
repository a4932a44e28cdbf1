"""Webhook subscriptions: what each is, which events it wants, and whether its circuit breaker keeps it silent.

A failed call is not repeated, and silences the webhook for an hour: that is what Orchestrator documents.
"""

import itertools
from collections import deque
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import datetime, timedelta
from typing import Any, Protocol
from uuid import UUID

from bridge.sandbox.orchestrator.failures import Failure

BREAKER = timedelta(hours=1)
KEPT = 1000
"""How many deliveries are remembered."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """What is asked of a subscription."""

    name: str
    url: str
    description: str | None = None
    enabled: bool = True
    secret: str | None = None
    subscribe_to_all_events: bool = True
    allow_insecure_ssl: bool = False
    events: tuple[str, ...] = ()

    def wants(self, event: str) -> bool:
        """Whether it is to hear of events of this type."""
        return self.enabled and (self.subscribe_to_all_events or event in self.events)


@dataclass(slots=True, kw_only=True)
class Webhook:
    """A subscription as it is now."""

    id: int
    key: UUID
    wanted: Wanted
    silent_until: datetime | None = None

    def silent(self, now: datetime) -> bool:
        """Whether its breaker is open."""
        return self.silent_until is not None and now < self.silent_until

    def shown(self) -> dict[str, Any]:
        """For the sandbox's state."""
        return {"id": self.id, "name": self.wanted.name, "url": self.wanted.url, "silent_until": self.silent_until}


@dataclass(frozen=True, slots=True, kw_only=True)
class Delivery:
    """What became of one event for one webhook: the status that it was answered with, or why there is none."""

    webhook_id: int
    event_id: str
    type: str
    at: datetime
    status: int | None = None
    error: str | None = None
    skipped: bool = False

    def shown(self) -> dict[str, Any]:
        """For the sandbox's state."""
        return asdict(self)


class Post(Protocol):
    """Takes an event on its way to a webhook, at once; a forced one goes even if the webhook is silent."""

    def __call__(self, webhook: Webhook, event: dict[str, Any], *, forced: bool = False) -> None:
        """Never waits."""


def nowhere(webhook: Webhook, event: dict[str, Any], *, forced: bool = False) -> None:
    """Where nothing is served, nothing is sent."""


class Webhooks:
    """The subscriptions, and what was delivered to them."""

    def __init__(self) -> None:
        self.breaker = BREAKER
        self.post: Post = nowhere
        """Set by whoever sends."""
        self.deliveries: deque[Delivery] = deque(maxlen=KEPT)
        self._ids = itertools.count(1)
        self._webhooks: dict[int, Webhook] = {}

    def all(self) -> Sequence[Webhook]:
        """Every subscription, oldest first."""
        return tuple(self._webhooks.values())

    def get(self, webhook_id: int) -> Webhook:
        """The subscription of this id; 404 with code 1002 if there is none."""
        try:
            return self._webhooks[webhook_id]
        except KeyError:
            raise Failure(404, 1002, "Webhook does not exist.") from None

    def add(self, key: UUID, wanted: Wanted) -> Webhook:
        """A new subscription."""
        webhook = Webhook(id=next(self._ids), key=key, wanted=wanted)
        self._webhooks[webhook.id] = webhook
        return webhook

    def change(self, webhook_id: int, wanted: Wanted) -> Webhook:
        """Another wish for the same subscription. Its breaker closes: somebody has just looked at it."""
        webhook = self.get(webhook_id)
        webhook.wanted, webhook.silent_until = wanted, None
        return webhook

    def remove(self, webhook_id: int) -> None:
        """No such subscription any more."""
        del self._webhooks[self.get(webhook_id).id]

    def send(self, event: dict[str, Any]) -> None:
        """An event for every webhook that wants its type."""
        for webhook in self._webhooks.values():
            if webhook.wanted.wants(event["Type"]):
                self.post(webhook, event)

    def failed(self, webhook: Webhook, now: datetime) -> None:
        """Open the breaker."""
        webhook.silent_until = now + self.breaker

    def clear(self) -> None:
        """No subscriptions, nothing delivered; ids are not used again."""
        self._webhooks.clear()
        self.deliveries.clear()
