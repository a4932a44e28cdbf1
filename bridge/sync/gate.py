"""The gate of a destination: open, or closed for a while for everybody, because the destination said or showed that it is away."""

from collections.abc import Callable
from dataclasses import replace
from datetime import datetime, timedelta
from random import Random

import structlog

from bridge.errors import RateLimited, RemoteError, Unauthorized, Unavailable
from bridge.outcome import Outcome
from bridge.store import Pause, Pauses

_log = structlog.get_logger()

_FIRST = {Unavailable: timedelta(milliseconds=250), Unauthorized: timedelta(seconds=5)}
_LONGEST = {Unavailable: timedelta(seconds=15), Unauthorized: timedelta(seconds=60)}


FIRST_RAMP = 2
LAST_RAMP = 64
"""How many calls may be under way at once after a pause: one more with every answer, until that is no limit any more."""


class Gate:
    """What the worker asks before it claims, and tells how its steps went. The pause lies in the database, for all replicas."""

    def __init__(self, destination: str, pauses: Pauses, random: Random, clock: Callable[[], datetime]) -> None:
        self.destination = destination
        self._pauses = pauses
        self._random = random
        self._clock = clock
        self._pause: Pause | None = None
        self._ramp: int | None = None

    def places(self, free: int, under_way: int, pause: Pause | None, now: datetime) -> int:
        """How many of the free places may be used now: all, none during a pause, after one a single probe, then more and more.

        `pause` is the destination's, as the database has it. Fewer than none are free while a turn has given the places of those whose
        results it wrote to others, and they have not gone yet.
        """
        before, self._pause = self._pause, pause
        if self._pause is None:
            self._ramp = FIRST_RAMP if before is not None else self._ramp
            return max(free if self._ramp is None else min(free, self._ramp - under_way), 0)
        if self._pause.until > now:
            return 0
        return 0 if under_way else 1

    @property
    def is_open(self) -> bool:
        """Whether all places may be used, as far as this process knows."""
        return self._pause is None and self._ramp is None

    def opens_at(self, now: datetime) -> datetime | None:
        """When a pause ends; None if a probe is under way."""
        return self._pause.until if self._pause is not None and self._pause.until > now else None

    async def learn(self, outcome: Outcome) -> None:
        """Open after an answer of a destination that works, close after a failure that is the destination's."""
        known = self._pause
        match outcome.error:
            case RateLimited(retry_after=wait) as error:
                # grows, so that a Retry-After of 0 is no invitation to a loop; but of calls under way at once only the first counts
                if known is None or outcome.started_at >= known.until:
                    known = self._longer(error, known)
                await self._close(replace(known, until=max(known.until, outcome.finished_at + wait)))
            case Unavailable() | Unauthorized(status=None | 401) as error:
                if known is None or outcome.started_at >= known.until:
                    await self._close(self._longer(error, known))
            case _ if (
                known is not None and outcome.started_at >= known.until
            ):  # an answer to a call of before says nothing
                if await self._pauses.clear(self.destination, known):
                    self._pause, self._ramp = None, FIRST_RAMP
                    _log.info("Orchestrator answers again", destination=self.destination)
            case _ if self._ramp is not None:
                self._ramp = self._ramp + 1 if self._ramp < LAST_RAMP else None

    def _longer(self, error: RemoteError, known: Pause | None) -> Pause:
        failures = known.failures + 1 if known else 1
        kind = Unauthorized if isinstance(error, Unauthorized) else Unavailable
        longest = min(_FIRST[kind] * 2 ** min(failures - 1, 20), _LONGEST[kind])
        return Pause(
            self._clock() + timedelta(seconds=longest.total_seconds() * self._random.uniform(0.5, 1.0)),
            failures,
            str(error),
        )

    async def _close(self, pause: Pause) -> None:
        now = self._clock()
        await self._pauses.pause(self.destination, pause, now)
        told_before = self._pause is not None and self._pause.failures > 0
        self._pause = pause
        log = _log.debug if told_before else _log.warning
        log(
            "Orchestrator is paused",
            destination=self.destination,
            seconds=round((pause.until - now).total_seconds(), 1),
            reason=pause.reason,
        )
