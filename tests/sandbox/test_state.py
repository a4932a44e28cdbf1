"""The state in a file: what was answered outlives the sandbox, however it ended."""

import sqlite3
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest

from bridge.sandbox.orchestrator import NewTask, Seed, StateError, World, beginning, read_seed, sandbox_serving
from bridge.sandbox.orchestrator.failures import Failure
from bridge.sandbox.orchestrator.model import Assignment
from bridge.sandbox.orchestrator.webhooks import Wanted
from tests.processes import command, sandbox_process
from tests.sandbox.conftest import SIGNED_IN

pytestmark = pytest.mark.anyio

CREATE = "/tasks/GenericTasks/CreateTask"
COMPLETE = "/tasks/GenericTasks/CompleteTask"
HARD = {"$": 1, "$uuid": "x", "$$": [{"$task": 1, "a b": None}], "": {"ü": [1.5, True, "\x00"]}}


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "state.db"


@asynccontextmanager
async def served(path: Path) -> AsyncIterator[httpx.AsyncClient]:
    with beginning(Seed(), path) as world:
        async with sandbox_serving(world) as url, httpx.AsyncClient(base_url=url, headers=SIGNED_IN) as client:
            yield client


async def snapshot(client: httpx.AsyncClient) -> dict[str, Any]:
    state = (await client.get("/sandbox/state")).json()
    return {name: state[name] for name in ("tasks", "webhooks")}


async def test_everything_is_there_again(path: Path) -> None:
    async with served(path) as client:
        for number in range(3):
            body = {"title": f"t{number}", "data": HARD, "parentOperationId": "op", "taskCatalogName": "Tickets"}
            await client.post(CREATE, json={**body, "tags": [{"Name": "$"}], "creatorJobKey": "1" * 32})
        await client.post("/sandbox/tasks/1/assign", data={"user": "1001"})
        await client.post(COMPLETE, json={"taskId": 2, "action": "close", "data": HARD})
        await client.post("/sandbox/tasks/3/delete")
        hook = {"Name": "us", "Url": "http://127.0.0.1:9", "SubscribeToAllEvents": False, "AllowInsecureSsl": False}
        await client.post("/odata/Webhooks", json={**hook, "Enabled": True, "Secret": "s"})
        before = await snapshot(client)

    async with served(path) as client:
        after = await snapshot(client)
        before["webhooks"][0].pop("silent_until")  # whether its ping had failed by then is a matter of luck
        after["webhooks"][0].pop("silent_until")
        assert after == before
        assert after["tasks"][0]["data"] == HARD
        assert (await client.post(CREATE, json={"title": "next"})).json()["id"] == 4
        found = await client.get(
            "/odata/Tasks/UiPath.Server.Configuration.OData.GetTasksAcrossFolders",
            params={"$filter": "ParentOperationId eq 'op'"},
        )
        assert [one["Id"] for one in found.json()["value"]] == [1, 2]
        key = after["tasks"][0]["key"]
        assert (await client.get(f"/tasks/GenericTasks/GetTaskDataByKey?taskKey={key}")).json()["id"] == 1
        again = await client.post(COMPLETE, json={"taskId": 2})
        assert (again.status_code, again.json()["errorCode"]) == (400, 2400)


def test_activities_and_references_are_the_worlds_own(path: Path) -> None:
    with beginning(Seed(), path) as world:
        task = world.create_task(NewTask(title="t"))
        world.assign(Assignment(task_id=task.id, user_id=1001))
        world.complete_task(task.id, user=world.users[1002])

    with beginning(Seed(), path) as world:
        task = world.task(1)
        assert task.folder is world.folders[0]
        assert task.assignee is world.users[1001]
        first, second, third = world.activities(1)
        assert [one.kind for one in (first, second, third)] == ["Created", "Assigned", "Completed"]
        assert first.task is task
        assert second.target is world.users[1001]
        assert third.by is world.users[1002]
        assert world.webhooks.add(task.key, Wanted(name="n", url="http://x")).id == 1


async def test_a_killed_sandbox_forgets_nothing_that_it_answered(path: Path) -> None:
    answered: list[int] = []
    for _ in range(3):
        async with sandbox_process("--state", path) as sandbox:
            client = httpx.AsyncClient(base_url=sandbox.url, headers=SIGNED_IN)
            answered += [(await client.post(CREATE, json={"title": "t"})).json()["id"] for _ in range(20)]
            await client.post(COMPLETE, json={"taskId": answered[-1]})
            sandbox.kill()
            await client.aclose()

    async with sandbox_process("--state", path) as sandbox:
        async with httpx.AsyncClient(base_url=sandbox.url) as client:
            tasks = (await client.get("/sandbox/state")).json()["tasks"]
        assert await sandbox.stopped() == 0
    assert [one["id"] for one in tasks] == answered == list(range(1, 61))
    assert [one["id"] for one in tasks if one["status"] == 2] == [20, 40, 60]


async def test_a_reset_empties_the_file_and_ids_go_on(path: Path) -> None:
    async with served(path) as client:
        await client.post(CREATE, json={"title": "t"})
        await client.post("/sandbox/reset")

    async with served(path) as client:
        assert (await client.get("/sandbox/state")).json()["tasks"] == []
        assert (await client.post(CREATE, json={"title": "t"})).json()["id"] == 2


def test_the_tasks_of_a_seed_are_planted_once(path: Path) -> None:
    seed = read_seed({"tasks": [{"title": "t"}], "faults": [{"kind": "drop"}]})

    for _ in range(2):
        with beginning(seed, path) as world:
            assert [task.id for task in world.all_tasks()] == [1]
            assert len(world.faults.listed()) == 1


def test_every_attribute_of_a_world_can_be_kept(path: Path) -> None:
    """Fails for whoever gives the world an attribute of a kind that has no form in the file, or that changes by being kept."""
    with beginning(Seed(), path) as world:
        world.create_task(NewTask(title="t"))
        before = {name: repr(value) for name, value in vars(world).items()}

    with beginning(Seed(), path) as world:
        after = {name: repr(value) for name, value in vars(world).items()}
    of_this_process = {"rng", "faults", "journal", "access", "keep", "touched", "resets", "listeners", "clock"}
    of_this_process |= {"webhooks", "catalogs"}  # which are kept by what they hold
    assert {name for name in before if before[name] != after[name]} <= of_this_process


async def test_what_cannot_be_written_is_not_answered_as_if_it_were(path: Path) -> None:
    with beginning(Seed(), path) as world:
        world.keep.__self__._file.execute("PRAGMA query_only = ON")  # type: ignore[attr-defined]
        async with sandbox_serving(world) as url, httpx.AsyncClient(base_url=url, headers=SIGNED_IN) as client:
            refused = await client.post(CREATE, json={"title": "t"})
            assert (refused.status_code, "cannot be written" in refused.json()["message"]) == (500, True)
            assert (await client.post("/sandbox/reset")).status_code == 500
            world.keep.__self__._file.execute("PRAGMA query_only = OFF")  # type: ignore[attr-defined]
            assert (await client.post(CREATE, json={"title": "t"})).status_code == 201


def test_a_change_that_cannot_be_written_is_written_by_the_next(path: Path) -> None:
    with beginning(Seed(), path) as world:
        file = world.keep.__self__._file  # type: ignore[attr-defined]
        file.execute("PRAGMA query_only = ON")
        world.create_task(NewTask(title="first"))
        with pytest.raises(Failure):
            world.keep()
        file.execute("PRAGMA query_only = OFF")
        world.create_task(NewTask(title="second"))

    with beginning(Seed(), path) as world:
        assert [task.request.title for task in world.all_tasks()] == ["first", "second"]


# -- a file that is not ours -------------------------------------------------------------------------------------------------------


def test_two_sandboxes_do_not_share_a_file(path: Path) -> None:
    with beginning(Seed(), path), pytest.raises(StateError, match="another sandbox uses it"), beginning(Seed(), path):
        pass


@pytest.mark.parametrize("content", [b"not a database at all" * 100, b"SQLite format 3\x00" + b"\xff" * 4096])
def test_a_file_that_is_no_database(path: Path, content: bytes) -> None:
    path.write_bytes(content)

    with pytest.raises(StateError, match="name another file"), beginning(Seed(), path):
        pass
    assert path.read_bytes() == content


def test_a_database_of_another_program_stays_as_it_is(path: Path) -> None:
    with sqlite3.connect(path) as other:
        other.execute("CREATE TABLE theirs (a)")
    other.close()

    with pytest.raises(StateError, match="of another program"), beginning(Seed(), path):
        pass


def test_a_state_that_does_not_fit_the_seed(path: Path) -> None:
    finance = read_seed({"folders": [{"id": 7, "path": "Finance"}], "tasks": [{"title": "t"}]})
    with beginning(finance, path):
        pass

    with pytest.raises(StateError, match="start with the seed that it was made with"), beginning(Seed(), path):
        pass


async def test_the_command_says_what_is_wrong_with_a_file(tmp_path: Path, path: Path) -> None:
    path.write_bytes(b"x" * 1000)  # noqa: ASYNC240 - nobody waits
    assert "name another file" in (await command("sandbox", "--port", "0", "--state", path)).err
    ended = await command("sandbox", "--port", "0", "--state", tmp_path / "no" / "state.db")
    assert (ended.code, "cannot be opened" in ended.err) == (1, True)


def test_a_world_in_memory_keeps_nothing() -> None:
    World().keep()
