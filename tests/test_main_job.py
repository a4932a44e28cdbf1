"""The main job, from outside, in a process of its own: 200 tickets opened and closed become 200 tasks, each completed once."""

import asyncio
from collections import Counter
from pathlib import Path
from typing import Any

import httpx
import pytest

from bridge.sandbox.orchestrator import World, sandbox_serving
from tests.conftest import new_postgresql_database
from tests.driving import PATIENCE_S, Bridge, until, written
from tests.processes import bridge_process, command
from tests.values import jira_event

pytestmark = pytest.mark.anyio

TICKETS = range(1, 201)


async def test_200_tickets(tmp_path: Path, database_url: str) -> None:
    world = World()
    async with sandbox_serving(world) as url:
        config = written(tmp_path, url, database={"url": database_url})
        assert (await command("database", "upgrade", "--config", config)).code == 0
        await opened_and_closed(config, world)

    tasks = world.all_tasks()
    assert len(tasks) == 200
    for task in tasks:
        number = task.request.title.removeprefix("[OPS-").split("]")[0]
        assert task.request.title == f"[OPS-{number}] Ticket {number}"
        assert task.request.type == "ExternalTask"
        assert task.request.external_tag == "JIRA"
        assert task.request.catalog == "Tickets"
        assert task.request.priority == "High"
        assert (task.completions, task.action) == (1, "close")
    assert world.journal.calls["CreateTask"] == world.journal.calls["CompleteTask"] == 200


async def opened_and_closed(config: Path, world: World) -> None:
    async with (
        bridge_process(config) as process,
        httpx.AsyncClient(base_url=process.url, timeout=PATIENCE_S) as http,
    ):
        bridge = Bridge(process.url, http)

        async def all_sent(*events: dict[str, object]) -> Counter[int]:
            answers = await asyncio.gather(*(bridge.hook(event) for event in events))
            assert {answer.status_code for answer in answers} == {202}
            return Counter(answer.json()["duplicates"] for answer in answers)

        async def completed() -> bool:
            return [task.completions for task in world.all_tasks()] == [1] * len(TICKETS)

        opened = [jira_event(number, event="jira:issue_created") for number in TICKETS]
        closed = [jira_event(number, at=60, closed=True) for number in TICKETS]
        assert await all_sent(*opened) == {0: 200}
        assert await all_sent(*closed) == {0: 200}
        await until(completed, "every task is completed")

        # what must change nothing: duplicates, another project, an old update after the close
        assert await all_sent(*opened[:25], *closed[:25]) == {1: 50}
        await all_sent(*(jira_event(number, project="WEB") for number in range(1001, 1021)))
        await all_sent(*(jira_event(number, at=30, summary="older") for number in TICKETS[:20]))

        async def judged() -> bool:
            return not await bridge.deliveries(state="pending")

        await until(judged, "every delivery is judged")
        assert {link["state"] for link in await bridge.links()} == {"settled"}


async def test_an_outdated_postgresql_is_refused_with_the_command_to_run(tmp_path: Path, postgresql: Any) -> None:
    config = written(tmp_path, database={"url": new_postgresql_database(postgresql, migrated=False)})
    ended = await command("run", "--config", config)
    assert ended.code == 1
    assert "run `bridge database upgrade`" in ended.err
    assert "Traceback" not in ended.err
