"""A job of the scheduler that one replica does for all: where its lease is won."""

from collections.abc import Awaitable, Callable
from datetime import datetime, timedelta

import structlog

from bridge.errors import StoreUnavailable
from bridge.store import Leases

_log = structlog.get_logger()


def once_for_all(
    leases: Leases, name: str, period: timedelta, work: Callable[[], Awaitable[None]], clock: Callable[[], datetime]
) -> Callable[[], Awaitable[None]]:
    """The work, done unless another replica has begun it within the last half of its period."""

    async def job() -> None:
        try:
            won = await leases.take(f"job/{name}", clock(), period / 2)
        except StoreUnavailable as error:
            _log.warning("a job waits for the database", job=name, error=str(error))
            return
        if won is not None:
            await work()

    return job
