"""Several processes on one database: refused on SQLite, at home on PostgreSQL."""

import asyncio
import os
import socket
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from bridge.cli import workers
from bridge.sandbox.orchestrator import World, sandbox_serving
from bridge.service import migrate
from tests.conftest import new_postgresql_database
from tests.driving import PATIENCE_S, Bridge, configured, settled, tasks_are, until
from tests.processes import bridge_process, command
from tests.values import jira_event

pytestmark = pytest.mark.anyio


async def test_a_second_process_on_one_sqlite_file_is_refused(tmp_path: Path) -> None:
    configured(tmp_path)
    config = tmp_path / "config.yaml"
    async with bridge_process(config) as first:
        second = await command("run", "--config", config)
        assert second.code == 1
        assert "another `bridge run` has the database" in second.err
        assert "several processes need PostgreSQL" in second.err
        first.kill()
    async with bridge_process(config) as again:  # a lock ends with its process
        assert await again.stopped() == 0


async def test_commands_work_beside_it(tmp_path: Path) -> None:
    configured(tmp_path)
    async with bridge_process(tmp_path / "config.yaml"):
        assert (await command("links", "list", "--config", tmp_path / "config.yaml")).code == 0


async def test_several_workers_need_postgresql(tmp_path: Path) -> None:
    configured(tmp_path)
    ended = await command("run", "--workers", "2", "--config", tmp_path / "config.yaml")
    assert (ended.code, "--workers needs PostgreSQL" in ended.err) == (2, True)


async def test_workers_share_the_port_and_one_that_dies_is_started_again(tmp_path: Path, postgresql: Any) -> None:
    world = World()
    async with sandbox_serving(world) as url:
        config = configured(tmp_path, url, database={"url": new_postgresql_database(postgresql)})
        await migrate(config)
        async with bridge_process(tmp_path / "config.yaml", "--workers", "2") as bridge:
            await until(lambda: _listening(bridge.lines, 2), "both workers listen")
            victim = _children(bridge.process.pid)[0]
            os.kill(victim, 9)
            await until(lambda: _listening(bridge.lines, 3), "another worker listens")
            assert any(line["event"].startswith("a worker ended") for line in bridge.lines)
            assert victim not in _children(bridge.process.pid)
            async with httpx.AsyncClient(base_url=bridge.url, timeout=PATIENCE_S) as http:
                for number in range(20):
                    answer = await Bridge(bridge.url, http).hook(jira_event(number + 1))
                    assert answer.status_code == 202
                await tasks_are(world, *[0] * 20)
                await settled(Bridge(bridge.url, http))
            children = _children(bridge.process.pid)
            assert await bridge.stopped() == 0
            assert not any(_runs(child) for child in children)
        assert world.journal.calls["CreateTask"] == 20


async def test_workers_end_with_the_process_that_started_them(tmp_path: Path, postgresql: Any) -> None:
    """Even if it is killed: nobody would start them again, and they would keep the port."""
    config = configured(tmp_path, database={"url": new_postgresql_database(postgresql)})
    await migrate(config)
    async with bridge_process(tmp_path / "config.yaml", "--workers", "2") as bridge:
        children = _children(bridge.process.pid)
        bridge.kill()

        async def ended() -> bool:
            return not any(map(_runs, children))

        await until(ended, "the workers have ended")


async def test_a_worker_that_cannot_be_started_now_is_started_later(monkeypatch: pytest.MonkeyPatch) -> None:
    """fork fails for a moment while a worker is replaced; the other one is not left alone."""
    started: list[asyncio.subprocess.Process] = []
    lifetimes: Iterator[str | None] = iter(["0", "60", None, "60"])
    again, stop = asyncio.Event(), asyncio.Event()

    async def start(_listening: socket.socket, _lifeline: int) -> asyncio.subprocess.Process:
        lifetime = next(lifetimes)
        if lifetime is None:
            raise OSError(11, "Resource temporarily unavailable")
        process = await asyncio.create_subprocess_exec("sleep", lifetime)
        started.append(process)
        if len(started) == 3:
            again.set()
        return process

    monkeypatch.setattr(workers, "_start", start)
    with socket.socket() as listening:
        running = asyncio.create_task(workers.run_workers(2, listening, stop))
        await asyncio.wait_for(again.wait(), PATIENCE_S)
        stop.set()
        await running
    assert sorted(process.returncode or 0 for process in started) == [-15, -15, 0]


async def test_a_replica_takes_what_another_received_and_left(tmp_path: Path, postgresql: Any) -> None:
    """The one that received is killed right after its answer; the others have the task made."""
    world = World()
    async with sandbox_serving(world) as url:
        config = configured(tmp_path, url, database={"url": new_postgresql_database(postgresql)})
        await migrate(config)
        path = tmp_path / "config.yaml"
        async with (
            bridge_process(path) as first,
            bridge_process(path),
            httpx.AsyncClient(base_url=first.url, timeout=PATIENCE_S) as http,
        ):
            for number in range(10):
                assert (await Bridge(first.url, http).hook(jira_event(number + 1))).status_code == 202
            first.kill()  # a link that it had claimed is another's once its lease has ended, 34 s after the claim
            await tasks_are(world, *[0] * 10)


async def test_17_two_replicas_hear_of_one_ticket_at_the_same_instant(tmp_path: Path, postgresql: Any) -> None:
    world = World()
    async with sandbox_serving(world) as url:
        config = configured(tmp_path, url, database={"url": new_postgresql_database(postgresql)})
        await migrate(config)
        path = tmp_path / "config.yaml"
        async with (
            bridge_process(path) as one,
            bridge_process(path) as two,
            httpx.AsyncClient(base_url=one.url, timeout=PATIENCE_S) as first,
            httpx.AsyncClient(base_url=two.url, timeout=PATIENCE_S) as second,
        ):
            bridges = [Bridge(one.url, first), Bridge(two.url, second)]
            for number in range(1, 16):
                events = [jira_event(number, at=at) for at in (1, 2)]
                await asyncio.gather(*(bridge.hook(event) for bridge, event in zip(bridges, events, strict=True)))
            await tasks_are(world, *[0] * 15)
            await settled(bridges[0])
        assert world.journal.calls["CreateTask"] == 15


async def _tasks(world: World, count: int) -> bool:
    """Each of another ticket."""
    keys = [task.request.parent_operation_id for task in world.all_tasks()]
    assert len(set(keys)) == len(keys)
    return len(keys) == count


async def _listening(lines: list[dict[str, Any]], count: int) -> bool:
    return len([line for line in lines if line.get("event") == "listening"]) >= count


def _children(pid: int) -> list[int]:
    return [int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]


def _runs(pid: int) -> bool:
    return Path(f"/proc/{pid}").exists()
