"""The scheduler only wakes work; what is due is in the database. It may be late, twice or dead, and nothing is lost but time."""

import asyncio
import logging
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta

from apscheduler.schedulers.asyncio import AsyncIOScheduler

TICK = timedelta(seconds=1)
"""How soon work is seen that nobody announced: a lease that ended, a retry asked for by another process."""

JITTER = 0.1
"""Of an interval: so that what many do every so often does not fall on the same second."""

_RUNS_JOBS = logging.getLogger("apscheduler.executors.default")


class Scheduler:
    """Wakes by the clock. `tick` looks for work of any kind."""

    def __init__(self, tick: Callable[[], None]) -> None:
        self._tick = tick
        _RUNS_JOBS.addFilter(_is_no_stop)
        self._scheduler = AsyncIOScheduler(
            timezone=UTC, job_defaults={"coalesce": True, "misfire_grace_time": None, "max_instances": 1}
        )
        self._scheduler.add_job(self._wake, "interval", seconds=TICK.total_seconds(), id="tick")

    def every(self, period: timedelta, job: Callable[[], Awaitable[None]], *, name: str, first: timedelta) -> None:
        """Run a job every `period`, spread a little, for the first time after `first`. It never overlaps itself."""
        self._scheduler.add_job(
            job,
            "interval",
            seconds=period.total_seconds(),
            id=name,
            jitter=period.total_seconds() * JITTER,
            next_run_time=datetime.now(UTC) + first,
        )

    def start(self) -> None:
        """Begin; must be called on the loop."""
        self._scheduler.start()

    def stop(self) -> None:
        """End at once."""
        self._scheduler.shutdown(wait=False)

    def alarm(self, at: datetime) -> None:
        """Wake at a time that lies before the next tick; a later one the ticks see."""
        if at < datetime.now(UTC) + TICK:
            self._scheduler.add_job(self._wake, "date", run_date=at, id="alarm", replace_existing=True)

    def schedule(self) -> dict[str, str]:
        """What runs how often, for people."""
        return {job.id: str(job.trigger) for job in self._scheduler.get_jobs()}

    async def _wake(self) -> None:
        self._tick()


def _is_no_stop(record: logging.LogRecord) -> bool:
    """APScheduler tells of a job that ends with the service as of one that failed."""
    return not (record.exc_info and isinstance(record.exc_info[1], asyncio.CancelledError))
