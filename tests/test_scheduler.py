"""The scheduler, as far as it is more than APScheduler."""

import asyncio
from datetime import timedelta

import pytest

from bridge.sync.scheduler import Scheduler
from tests.driving import PATIENCE_S

pytestmark = pytest.mark.anyio


@pytest.mark.parametrize("fails", [True, False])
async def test_a_job_that_fails_is_told_and_one_that_ends_with_the_service_is_not(
    caplog: pytest.LogCaptureFixture, *, fails: bool
) -> None:
    began, ended = asyncio.Event(), asyncio.Event()

    async def job() -> None:
        began.set()
        try:
            if fails:
                raise RuntimeError("a mistake of ours")
            await asyncio.Event().wait()
        finally:
            ended.set()

    scheduler = Scheduler(lambda: None)
    scheduler.every(timedelta(hours=1), job, name="poll/jira", first=timedelta(0))
    scheduler.start()
    async with asyncio.timeout(PATIENCE_S):
        await began.wait()
        scheduler.stop()
        await ended.wait()
        await asyncio.sleep(0)  # its callbacks come after it
        await asyncio.sleep(0)
    assert any(record.levelname == "ERROR" for record in caplog.records) is fails
