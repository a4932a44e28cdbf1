"""The design's scenarios that take several processes, or a machine that fails under one: with processes as an operator runs them."""

import asyncio
import os
import sqlite3
import subprocess
import sys
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import update

from bridge.config import Config
from bridge.sandbox.orchestrator import Rule, World, sandbox_serving
from bridge.service import DESTINATION, migrate, open_store, utc_now
from bridge.store import Store
from bridge.store.tables import links
from tests.conftest import new_postgresql_database
from tests.driving import Bridge, configured, settled, tasks_are, until, written
from tests.postgresql import OwnPostgresql
from tests.processes import Replica, replica
from tests.values import jira_event

pytestmark = pytest.mark.anyio


@pytest.fixture
def world() -> World:
    return World()


@pytest.fixture
async def orchestrator(world: World) -> AsyncIterator[str]:
    async with sandbox_serving(world) as url:
        yield url


@asynccontextmanager
async def prepared(folder: Path, url: str, database_url: str, /, **changes: Any) -> AsyncIterator[tuple[Path, Store]]:
    """The configuration file of a migrated database, and a store to look into it."""
    config: Config = configured(folder, url, database={"url": database_url}, **changes)
    await migrate(config)
    store = open_store(config)
    try:
        yield folder / "config.yaml", store
    finally:
        await store.database.close()


async def sent(bridge: Bridge, *events: dict[str, Any]) -> None:
    for event in events:
        answer = await bridge.hook(event)
        assert answer.status_code == 202, answer.text


async def refused(bridge: Bridge, event: dict[str, Any]) -> bool:
    """Whether a webhook is answered with 503 and when to send it again; any other answer but 202 is wrong."""
    answer = await bridge.hook(event)
    assert answer.status_code in (202, 503), answer.text
    if answer.status_code == 503:
        assert int(answer.headers["retry-after"]) > 0
        assert answer.headers["content-type"] == "application/problem+json"
    return answer.status_code == 503


# -- 2 -----------------------------------------------------------------------------------------------------------------------------


async def test_02_killed_while_a_create_is_under_way_another_replica_adopts(
    orchestrator: str, world: World, tmp_path: Path, postgresql: Any
) -> None:
    world.faults.replace([Rule(operation="CreateTask", kind="hang", when="after", times=1)])
    url = new_postgresql_database(postgresql)
    async with (
        prepared(tmp_path, orchestrator, url, orchestrator={"timeout": "30s"}) as (config, store),
        replica(config) as first,
    ):
        await sent(first, jira_event(1))
        await tasks_are(world, 0)
        async with replica(config) as second:
            first.process.kill()
            async with store.database.writing() as connection:  # the lease of the dead one ends
                await connection.execute(update(links).values(leased_until=utc_now()))
            (link,) = await settled(second)
            assert (link["task_id"], link["task_state"]) == (world.all_tasks()[0].id, "open")
            await sent(second, jira_event(1, at=10, closed=True))
            await tasks_are(world, 1)
    assert world.journal.calls["CreateTask"] == 1


# -- 6 -----------------------------------------------------------------------------------------------------------------------------


async def test_06_orchestrator_is_down_for_long(tmp_path: Path, database_url: str, world: World) -> None:
    """Every webhook is acknowledged, also by a bridge that is killed and started anew meanwhile; then all drains."""
    async with sandbox_serving(world) as url:
        port = int(url.rsplit(":", 1)[1])
    async with prepared(tmp_path, url, database_url) as (config, store):
        async with replica(config) as bridge:
            await sent(bridge, *(jira_event(number) for number in range(1, 31)))
            await _paused(store, failures=3)
            bridge.process.kill()
        async with replica(config) as bridge:
            await sent(bridge, *(jira_event(number, at=9, closed=True) for number in range(1, 31, 2)))
            await sent(bridge, *(jira_event(number) for number in range(31, 41)))
            await _paused(store, failures=5)
            assert await bridge.links(state="parked") == []
            assert await bridge.deliveries(state="parked") == []
            async with sandbox_serving(world, port=port):
                assert len(await settled(bridge)) == 40
                assert sorted(task.completions for task in world.all_tasks()) == [0] * 25 + [1] * 15
                assert await bridge.process.stopped() == 0
        assert await store.pauses.get(DESTINATION) is None


async def _paused(store: Store, failures: int) -> None:
    async def so_often() -> bool:
        pause = await store.pauses.get(DESTINATION)
        return pause is not None and pause.failures >= failures

    await until(so_often, f"Orchestrator was away {failures} times")


# -- 7 -----------------------------------------------------------------------------------------------------------------------------


async def test_07_what_one_replica_is_told_another_heeds(
    orchestrator: str, world: World, tmp_path: Path, postgresql: Any
) -> None:
    """429 with Retry-After to one process. It dies; the other was never told, and is quiet for as long."""
    world.faults.replace([Rule(operation="CreateTask", kind="rate_limit", retry_after=5, times=1)])
    url = new_postgresql_database(postgresql)
    async with prepared(tmp_path, orchestrator, url) as (config, store), replica(config) as one, replica(config) as two:
        await sent(one, jira_event(1))

        async def recorded() -> bool:
            return bool(await store.links.attempts(1))

        await until(recorded, "one of them was told to wait")
        pause = await store.pauses.get(DESTINATION)
        assert pause is not None
        told, other = (one, two) if _was_told(one) else (two, one)
        assert not _was_told(other)
        told.process.kill()
        await sent(other, *(jira_event(number) for number in range(2, 7)))
        await settled(other)
        assert not any(line["event"] == "step failed" for line in other.process.lines)
    assert world.journal.calls["CreateTask"] == 1 + 6
    assert min(task.creation_time for task in world.all_tasks()) >= pause.until


def _was_told(bridge: Replica) -> bool:
    return any(line["event"] == "Orchestrator is paused" for line in bridge.process.lines)


# -- 16 ----------------------------------------------------------------------------------------------------------------------------


@contextmanager
def a_file_system_that_is_full(folder: Path, _process: int) -> Iterator[None]:
    """Not a byte is left on it."""
    rest = os.open(folder / "rest", os.O_CREAT | os.O_WRONLY)
    try:
        while os.write(rest, bytes(4096)):
            pass
    except OSError:
        pass
    finally:
        os.close(rest)
    yield
    (folder / "rest").unlink()


@contextmanager
def a_process_at_its_limit(_folder: Path, process: int) -> Iterator[None]:
    """It may write no file beyond its first page, so nothing to the log."""
    import resource

    soft, hard = resource.prlimit(process, resource.RLIMIT_FSIZE)
    resource.prlimit(process, resource.RLIMIT_FSIZE, (4096, hard))
    yield
    resource.prlimit(process, resource.RLIMIT_FSIZE, (soft, hard))


@pytest.fixture
def small_disk(tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[Path]:
    """A folder for the database; on a small file system of its own where one is to be filled."""
    folder = tmp_path / "disk"
    folder.mkdir()
    if request.node.callspec.params["full"] is not a_file_system_that_is_full:
        yield folder
        return
    mounted = subprocess.run(
        ("mount", "-t", "tmpfs", "-o", "size=16m", "tmpfs", folder), capture_output=True, check=False
    )
    if mounted.returncode:
        pytest.skip("only root may mount a small file system")
    yield folder
    subprocess.run(("umount", folder), check=True)


@pytest.mark.skipif(sys.platform != "linux", reason="Linux limits a running process, and mounts a tmpfs")
@pytest.mark.parametrize("full", [a_file_system_that_is_full, a_process_at_its_limit])
async def test_16_the_disk_is_full(
    orchestrator: str, world: World, tmp_path: Path, small_disk: Path, full: Any
) -> None:
    config = written(tmp_path, orchestrator, database={"url": f"sqlite:///{small_disk}/bridge.db"})
    async with replica(config) as bridge:
        await sent(bridge, jira_event(1))
        await tasks_are(world, 0)
        long = "x" * 20_000
        with full(small_disk, bridge.process.process.pid):
            answers = [await refused(bridge, jira_event(number, description=long)) for number in range(2, 12)]
            assert answers[-1]
            assert (await bridge.http.get("/healthz")).status_code == 200
        await sent(bridge, *(jira_event(number, description=long) for number in range(2, 12)))
        assert len(await settled(bridge)) == 11
        assert len(world.all_tasks()) == 11
        assert await bridge.process.stopped() == 0


async def test_16_the_database_is_locked(orchestrator: str, world: World, tmp_path: Path) -> None:
    config = written(tmp_path, orchestrator)
    async with replica(config) as bridge:
        await sent(bridge, jira_event(1))
        await settled(bridge)
        other = sqlite3.connect(tmp_path / "bridge.db", isolation_level=None, timeout=30)
        other.execute("BEGIN EXCLUSIVE")
        assert await refused(bridge, jira_event(2))
        other.execute("ROLLBACK")
        other.close()
        await sent(bridge, jira_event(2))
        await tasks_are(world, 0, 0)
        assert await bridge.process.stopped() == 0


async def test_16_postgresql_goes_and_comes_back(
    orchestrator: str, world: World, tmp_path: Path, own_postgresql: OwnPostgresql
) -> None:
    """Also while a call is under way: its outcome is recorded when the database is back, and it is not made again."""
    world.faults.replace([Rule(operation="CreateTask", kind="latency", seconds=1, times=1)])
    async with prepared(tmp_path, orchestrator, own_postgresql.url) as (config, _), replica(config) as bridge:
        await sent(bridge, jira_event(1))

        async def called() -> bool:
            return world.journal.calls.get("CreateTask", 0) == 1

        await until(called, "CreateTask is under way")
        await own_postgresql.crash()
        await tasks_are(world, 0)
        assert await refused(bridge, jira_event(2))
        assert (await bridge.http.get("/readyz")).status_code == 503
        assert (await bridge.http.get("/healthz")).status_code == 200
        await own_postgresql.start()

        async def ready() -> bool:
            return (await bridge.http.get("/readyz")).status_code == 200

        await until(ready, "it is ready again")
        await sent(bridge, jira_event(2), jira_event(1, at=9, closed=True))
        await settled(bridge)
        await tasks_are(world, 1, 0)
        assert world.journal.calls["CreateTask"] == 2
        assert await bridge.process.stopped() == 0


FULL = """
CREATE FUNCTION disk_full() RETURNS trigger LANGUAGE plpgsql AS
$$ BEGIN RAISE 'could not extend file: No space left on device' USING ERRCODE = 'disk_full'; END $$;
CREATE TRIGGER disk_full BEFORE INSERT ON deliveries EXECUTE FUNCTION disk_full();
"""


async def test_16_postgresql_says_that_its_disk_is_full(
    orchestrator: str, world: World, tmp_path: Path, own_postgresql: OwnPostgresql
) -> None:
    """A trigger says it, in the server's words and with its SQLSTATE."""
    async with prepared(tmp_path, orchestrator, own_postgresql.url) as (config, _), replica(config) as bridge:
        await own_postgresql.psql(FULL)
        assert await refused(bridge, jira_event(1))
        await own_postgresql.psql("DROP TRIGGER disk_full ON deliveries")
        await sent(bridge, jira_event(1))
        await tasks_are(world, 0)


# -- 17 ----------------------------------------------------------------------------------------------------------------------------


async def test_17_two_replicas_hear_the_same_webhook_at_the_same_instant(
    orchestrator: str, world: World, tmp_path: Path, postgresql: Any
) -> None:
    """Of one ticket's opening and of its close: one task, completed once. (Two webhooks of one ticket are in test_replicas.)"""
    tickets = range(1, 41)
    url = new_postgresql_database(postgresql)
    async with prepared(tmp_path, orchestrator, url) as (config, _), replica(config) as one, replica(config) as two:
        for number in tickets:
            answers = await asyncio.gather(*(each.hook(jira_event(number)) for each in (one, two)))
            assert sum(answer.json()["duplicates"] for answer in answers) == 1
        await settled(one)
        assert sorted(task.request.parent_operation_id or "" for task in world.all_tasks()) == sorted(
            f"bridge/jira/{10000 + number}/1" for number in tickets
        )
        closed = [jira_event(number, at=9, closed=True) for number in tickets]
        await asyncio.gather(*(sent(each, *closed) for each in (one, two)))
        await settled(two)
        assert [task.completions for task in world.all_tasks()] == [1] * len(tickets)
    assert world.journal.calls["CreateTask"] == world.journal.calls["CompleteTask"] == len(tickets)
