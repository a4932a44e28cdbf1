"""Looking: a ticket is read from its tracker before it is decided on, where its route asks for it or its message tells too little.

What a message tells is the fallback: while the API is away the intake goes on without it, and does not wait for it again and again.
"""

import asyncio
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timedelta

import structlog

from bridge.apis import TicketApi
from bridge.errors import RateLimited, RemoteError, Unauthorized, Unavailable
from bridge.model import EVENT, Observation
from bridge.sync.follow import Follower

PATIENCE = timedelta(seconds=10)
"""How long a batch of one source waits for its tracker."""

FIRST_PAUSE = timedelta(seconds=5)
LONGEST_PAUSE = timedelta(minutes=5)

_log = structlog.get_logger()


class Look:
    """Looks at the tickets of one source."""

    def __init__(self, follower: Follower, api: TicketApi, clock: Callable[[], datetime]) -> None:
        self._follower = follower
        self._api = api
        self._clock = clock
        self._pause = FIRST_PAUSE
        self._away_until: datetime | None = None

    async def complete(self, said: Sequence[Observation]) -> Sequence[Observation]:
        """The observations; in the place of each that wants it, the ticket as its tracker has it now, if it is shown."""
        wanting = {one.ticket_id for one in said if self._follower.wants_look(one)}
        if not wanting or (self._away_until is not None and self._clock() < self._away_until):
            return said
        try:
            async with asyncio.timeout(PATIENCE.total_seconds()):
                found = await self._api.look(sorted(wanting))
        except TimeoutError:
            self._missed(Unavailable(f"no answer within {PATIENCE.total_seconds():g} s", sent=False))
            return said
        except RemoteError as error:
            self._missed(error)
            return said
        self._pause, self._away_until = FIRST_PAUSE, None
        return [self._completed(one, found) for one in said]

    def _completed(self, said: Observation, found: Mapping[str, Mapping[str, object]]) -> Observation:
        """The ticket's own word, completed by what the message tells beside it. It is the newer: it was read after the message came."""
        ticket = found.get(said.ticket_id)
        if ticket is None or not self._follower.wants_look(said):
            return said
        shown = self._follower.tracker.observe(ticket, self._clock())
        if not isinstance(shown, Observation):
            return said
        facts = {**said.facts, **shown.facts, EVENT: said.facts.get(EVENT, "")}
        return replace(shown, facts=facts, version=max(shown.version, said.version))

    def _missed(self, error: RemoteError) -> None:
        wait = error.retry_after if isinstance(error, RateLimited) else self._pause
        wait = LONGEST_PAUSE if isinstance(error, Unauthorized) else wait
        self._pause = min(self._pause * 2, LONGEST_PAUSE)
        self._away_until = self._clock() + wait
        _log.warning(
            "the tracker could not be asked; its messages decide alone",
            source=self._follower.source,
            error=str(error),
            again_in_s=wait.total_seconds(),
        )
