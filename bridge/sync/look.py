"""Looking: a ticket is read from its tracker before it is decided on, where its source's routes ask for it or its message tells too little.

What a message tells is the fallback: while the API is away the intake goes on without it, and does not wait for it again and again.
"""

import asyncio
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime, timedelta

import structlog
from msgspec import Struct
from msgspec.structs import replace

from bridge.apis import TicketApi
from bridge.errors import RateLimited, Unauthorized
from bridge.model import EVENT, Observation
from bridge.sync.follow import Follower

PATIENCE = timedelta(seconds=10)
"""How long a batch of one source waits for its tracker."""

FIRST_PAUSE = timedelta(seconds=5)
LONGEST_PAUSE = timedelta(minutes=5)

_log = structlog.get_logger()


class Looked(Struct, frozen=True):
    """What a message said of a ticket, and what its tracker showed when it was asked.

    `missed`: it should have been asked, and could not be.
    """

    said: Observation
    shown: Observation | None = None
    missed: bool = False

    @property
    def deciding(self) -> Observation:
        """The ticket's own word, if there is one."""
        return self.said if self.shown is None else self.shown

    @property
    def beside(self) -> Observation | None:
        """What only the message told, and no newer than the ticket's own word: a time of arrival shall not outdo it."""
        if self.shown is None:
            return None
        facts = {name: value for name, value in self.said.facts.items() if name not in self.shown.facts}
        return Observation(self.said.ticket_id, min(self.said.version, self.shown.version), facts, None)


class Look:
    """Looks at the tickets of one source."""

    def __init__(self, follower: Follower, api: TicketApi, clock: Callable[[], datetime]) -> None:
        self._follower = follower
        self._api = api
        self._clock = clock
        self._pause = FIRST_PAUSE
        self._away_until: datetime | None = None

    @property
    def pausing(self) -> bool:
        """Whether the tracker is left alone for a while, because it could not be asked."""
        return self._away_until is not None and self._clock() < self._away_until

    async def look(self, said: Sequence[Observation]) -> Sequence[Looked]:
        """Each observation, with what its tracker shows where that is wanted."""
        wanting = [self._follower.wants_look(one) for one in said]
        ids = sorted({one.ticket_id for one, wants in zip(said, wanting, strict=True) if wants})
        if not ids:
            return [Looked(one) for one in said]
        shown = None if self.pausing else await self._ask(ids)
        if shown is None:
            return [Looked(one, missed=wants) for one, wants in zip(said, wanting, strict=True)]
        return [
            Looked(one, shown.get(one.ticket_id) if wants else None) for one, wants in zip(said, wanting, strict=True)
        ]

    async def _ask(self, ticket_ids: Sequence[str]) -> Mapping[str, Observation] | None:
        """The tickets that the tracker shows; None if it could not be asked. Whatever goes wrong, the messages are still there."""
        try:
            async with asyncio.timeout(2 * PATIENCE.total_seconds()):
                tickets = await self._api.look(ticket_ids, PATIENCE)
                shown = {ticket_id: self._observed(ticket) for ticket_id, ticket in tickets.items()}
        except Exception as error:  # noqa: BLE001 - an API that is no necessity must not stop what can go on without it
            self._missed(error)
            return None
        self._pause, self._away_until = FIRST_PAUSE, None
        return {ticket_id: observation for ticket_id, observation in shown.items() if observation is not None}

    def _observed(self, ticket: Mapping[str, object]) -> Observation | None:
        observation = self._follower.tracker.observe(ticket, self._clock())
        if not isinstance(observation, Observation):
            return None
        facts = {name: value for name, value in observation.facts.items() if name != EVENT}  # which is the message's
        return replace(observation, facts=facts)

    def _missed(self, error: Exception) -> None:
        wait = max(error.retry_after, self._pause) if isinstance(error, RateLimited) else self._pause
        wait = LONGEST_PAUSE if isinstance(error, Unauthorized) else wait
        self._pause = min(self._pause * 2, LONGEST_PAUSE)
        self._away_until = self._clock() + wait
        _log.warning(
            "the tracker could not be asked; its messages decide alone",
            source=self._follower.source,
            error=str(error) or type(error).__name__,
            again_in_s=wait.total_seconds(),
        )
