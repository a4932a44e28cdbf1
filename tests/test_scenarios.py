"""The scenarios that must never hurt a user, by their numbers in the design; each against real sockets and a real database."""

import asyncio
import json
from collections.abc import AsyncIterator
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest

from bridge.sandbox.orchestrator import Folder, Rule, World, sandbox_serving
from bridge.service import DESTINATION, Service, utc_now
from tests.driving import PATIENCE_S, Bridge, bridge_and_service, bridge_running, configured, settled, tasks_are, until
from tests.processes import bridge_process
from tests.values import jira_event

pytestmark = pytest.mark.anyio

QUICK = {"timeout": "1s"}


@pytest.fixture
def world() -> World:
    return World(folders=[Folder(id=1, path="Shared", catalogs=("Tickets",))])


@pytest.fixture
async def orchestrator(world: World) -> AsyncIterator[str]:
    async with sandbox_serving(world) as url:
        yield url


@pytest.fixture
async def bridge(orchestrator: str, tmp_path: Path) -> AsyncIterator[Bridge]:
    async with bridge_running(configured(tmp_path, orchestrator, orchestrator=QUICK)) as running:
        yield running


async def sent(bridge: Bridge, *events: dict[str, Any]) -> None:
    for event in events:
        answer = await bridge.hook(event)
        assert answer.status_code == 202, answer.text


CREATED = jira_event(1, at=0, event="jira:issue_created")
CLOSED = jira_event(1, at=10, closed=True)


# -- 1 -----------------------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "fault",
    [
        Rule(operation="CreateTask", kind="drop", when="after", times=1),
        Rule(operation="CreateTask", kind="drop", when="before", times=1),
        Rule(operation="CreateTask", kind="error", when="after", status=500, times=1),
        Rule(operation="CreateTask", kind="error", when="after", status=502, times=1),
        Rule(operation="CreateTask", kind="error", when="before", status=504, times=1),
        Rule(operation="CreateTask", kind="hang", when="after", times=1),
        Rule(operation="CreateTask", kind="rate_limit", when="after", status=503, retry_after=0, times=1),
    ],
    ids=lambda rule: f"{rule.kind}-{rule.when}-{rule.status or ''}",
)
async def test_01_the_answer_to_create_is_lost(bridge: Bridge, world: World, fault: Rule) -> None:
    """Whether the server had committed or not, there is one task."""
    world.faults.replace([fault])
    await sent(bridge, CREATED)
    await tasks_are(world, 0)
    (link,) = await settled(bridge)
    assert (link["task_id"], link["task_state"]) == (world.all_tasks()[0].id, "open")
    await sent(bridge, CLOSED)
    await tasks_are(world, 1)


async def test_01_where_the_filter_is_refused_the_key_is_compared_here(bridge: Bridge, world: World) -> None:
    world.faults.replace(
        [
            Rule(operation="CreateTask", kind="drop", when="after", times=1),
            Rule(operation="GetTasksAcrossFolders", kind="error", status=400, times=1),
        ]
    )
    await sent(bridge, CREATED)
    await tasks_are(world, 0)
    (link,) = await settled(bridge)
    assert link["task_id"] == world.all_tasks()[0].id


# -- 2 -----------------------------------------------------------------------------------------------------------------------------


async def test_02_killed_while_a_create_is_under_way(orchestrator: str, world: World, tmp_path: Path) -> None:
    """Killed after Orchestrator has committed, before the answer: the next start adopts the task."""
    configured(tmp_path, orchestrator, orchestrator=QUICK)
    world.faults.replace([Rule(operation="CreateTask", kind="hang", when="after", times=1)])
    async with (
        bridge_process(tmp_path / "config.yaml") as process,
        httpx.AsyncClient(base_url=process.url, timeout=PATIENCE_S) as http,
    ):
        await sent(Bridge(process.url, http), CREATED)
        await tasks_are(world, 0)
        process.kill()
    async with (
        bridge_process(tmp_path / "config.yaml") as process,
        httpx.AsyncClient(base_url=process.url, timeout=PATIENCE_S) as http,
    ):
        again = Bridge(process.url, http)
        (link,) = await settled(again)
        assert link["task_id"] == world.all_tasks()[0].id
        await sent(again, CLOSED)
        await tasks_are(world, 1)


# -- 3 -----------------------------------------------------------------------------------------------------------------------------


async def test_03_closed_arrives_before_created_and_an_old_update_after_the_close(bridge: Bridge, world: World) -> None:
    await sent(bridge, CLOSED)
    await settled(bridge)
    await sent(bridge, CREATED, jira_event(1, at=5, summary="older"))
    await tasks_are(world, 1)
    (link,) = await settled(bridge)
    assert (link["ticket_state"], link["task_state"], link["generation"]) == ("closed", "completed", 1)
    assert world.all_tasks()[0].action == "close"


# -- 4 -----------------------------------------------------------------------------------------------------------------------------


async def test_04_a_hundred_updates_to_one_ticket(bridge: Bridge, world: World) -> None:
    """At most two calls, and another ticket does not wait for them."""
    updates = [jira_event(1, at=second, summary=f"edit {second}") for second in range(99)]
    await asyncio.gather(
        *(sent(bridge, event) for event in [*updates, jira_event(1, at=100, closed=True), jira_event(2)])
    )
    await settled(bridge)
    assert sorted(task.completions for task in world.all_tasks()) == [0, 1]
    calls = world.journal.calls
    assert calls["CreateTask"] + calls["CompleteTask"] == 3  # two for the one, one for the other


# -- 5 -----------------------------------------------------------------------------------------------------------------------------


async def test_05_a_failed_ticket_is_edited_again(orchestrator: str, world: World, tmp_path: Path) -> None:
    """The new state is tried at once: it does not wait behind the old failure."""
    routes = [{"name": "all", "source": "jira", "task": {"catalog": "{{ ticket.labels[0] }}"}}]
    async with bridge_running(configured(tmp_path, orchestrator, routes=routes)) as bridge:
        await sent(bridge, jira_event(1, at=0, labels=["Tikets"]))

        async def parked() -> bool:
            return bool(await bridge.links(state="parked"))

        await until(parked, "the link is parked")
        (link,) = await bridge.links()
        assert "Tikets" in link["last_error"]
        assert "2451" in link["last_error"]
        await sent(bridge, jira_event(1, at=1, labels=["Tickets"]))
        await tasks_are(world, 0)


# -- 6 -----------------------------------------------------------------------------------------------------------------------------


async def test_06_orchestrator_is_down(tmp_path: Path, world: World) -> None:
    """Every webhook is still acknowledged, nothing is parked, all drains afterwards."""
    async with sandbox_serving(world) as url:
        port = int(url.rsplit(":", 1)[1])
    async with bridge_and_service(configured(tmp_path, url)) as (bridge, service):
        for number in range(1, 31):
            await sent(bridge, jira_event(number), jira_event(number, at=9, closed=number % 2 == 0))

        async def paused() -> bool:
            return await service.store.pauses.get(DESTINATION) is not None

        await until(paused, "Orchestrator is paused")
        assert await bridge.links(state="parked") == []
        async with sandbox_serving(world, port=port):
            await settled(bridge)
            assert sorted(task.completions for task in world.all_tasks()) == [0] * 15 + [1] * 15
            assert await service.store.pauses.get(DESTINATION) is None


# -- 7 -----------------------------------------------------------------------------------------------------------------------------


async def paused(service: Service) -> None:
    async def is_paused() -> bool:
        return await service.store.pauses.get(DESTINATION) is not None

    await until(is_paused, "Orchestrator is paused")


async def test_07_being_told_to_wait_quiets_everything(orchestrator: str, world: World, tmp_path: Path) -> None:
    """The pause lies in the database, so that every replica heeds it; it ends by itself, and is no attempt."""
    world.faults.replace([Rule(operation="CreateTask", kind="rate_limit", retry_after=1, times=1)])
    async with bridge_and_service(configured(tmp_path, orchestrator, orchestrator={"max_concurrency": 1})) as (
        bridge,
        service,
    ):
        await sent(bridge, *(jira_event(number) for number in range(1, 6)))
        await paused(service)
        assert world.journal.calls["CreateTask"] == 1
        links = await settled(bridge)
        assert [link["attempts"] for link in links] == [0] * 5
        assert len(world.all_tasks()) == 5


async def test_07_what_was_claimed_ahead_is_given_back(
    orchestrator: str, world: World, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """While steps are quick, a link waits for its place with its lease: being told to wait holds for it too."""
    monkeypatch.setattr("bridge.sync.worker.QUICK", timedelta(minutes=1))  # as the first step shall be on any machine
    config = configured(tmp_path, orchestrator, orchestrator={"max_concurrency": 1, "timeout": "10s"})
    async with bridge_and_service(config) as (bridge, service):
        await sent(bridge, CREATED)
        await settled(bridge)
        slow = Rule(operation="CreateTask", kind="latency", seconds=3, times=1)
        world.faults.replace([slow, Rule(operation="CreateTask", kind="rate_limit", retry_after=1, times=1)])
        await sent(bridge, jira_event(2), jira_event(3))
        await paused(service)
        assert world.journal.calls["CreateTask"] == 2
        links = await settled(bridge)
        assert [link["attempts"] for link in links] == [0] * 3
        assert world.journal.calls["CreateTask"] == 4
        outcomes = {
            link["ticket_key"]: [each.outcome for each in await service.store.links.attempts(link["id"])]
            for link in links
        }
        assert outcomes["OPS-2"] == ["ratelimited", "ok"]
        assert outcomes["OPS-3"] == ["postponed", "ok"]


# -- 8 -----------------------------------------------------------------------------------------------------------------------------


async def test_08_a_ticket_moves_and_its_key_changes(bridge: Bridge, world: World) -> None:
    await sent(bridge, CREATED)
    await tasks_are(world, 0)
    await sent(bridge, jira_event(1, at=1, project="WEB"))
    (link,) = await settled(bridge)
    assert (link["ticket_key"], link["ticket_id"]) == ("WEB-1", "10001")
    await sent(bridge, jira_event(1, at=2, project="WEB", closed=True))
    await tasks_are(world, 1)


# -- 9 -----------------------------------------------------------------------------------------------------------------------------


async def test_09_a_ticket_is_closed_on_the_first_sight(bridge: Bridge, world: World) -> None:
    await sent(bridge, CLOSED)
    (link,) = await settled(bridge)
    assert (link["ticket_state"], link["task_state"], link["task_id"]) == ("closed", "absent", None)
    assert "CreateTask" not in world.journal.calls


async def test_09_by_route_it_gets_a_task_that_is_completed(orchestrator: str, world: World, tmp_path: Path) -> None:
    routes = [
        {"name": "all", "source": "jira", "closed_on_arrival": "create_and_complete", "task": {"catalog": "Tickets"}}
    ]
    async with bridge_running(configured(tmp_path, orchestrator, routes=routes)) as bridge:
        await sent(bridge, CLOSED)
        await tasks_are(world, 1)


# -- 10 ----------------------------------------------------------------------------------------------------------------------------


async def test_10_a_ticket_reopens_after_its_task_was_completed(bridge: Bridge, world: World) -> None:
    await sent(bridge, CREATED)
    await tasks_are(world, 0)
    await sent(bridge, CLOSED)
    await tasks_are(world, 1)
    await sent(bridge, jira_event(1, at=20, summary="again"))
    _, second = await tasks_are(world, 1, 0)
    assert second.request.title == "[OPS-1] again"
    await settled(bridge)
    newest, oldest = await bridge.links(key="OPS-1")
    assert (oldest["generation"], oldest["ticket_state"], oldest["task_state"]) == (1, "closed", "completed")
    assert (newest["generation"], newest["ticket_state"], newest["task_state"]) == (2, "open", "open")
    await sent(bridge, jira_event(1, at=30, closed=True))
    await tasks_are(world, 1, 1)


async def test_10_by_route_a_reopening_is_ignored(orchestrator: str, world: World, tmp_path: Path) -> None:
    routes = [{"name": "all", "source": "jira", "on_reopen": "ignore", "task": {"catalog": "Tickets"}}]
    async with bridge_running(configured(tmp_path, orchestrator, routes=routes)) as bridge:
        await sent(bridge, CREATED)
        await tasks_are(world, 0)
        await sent(bridge, CLOSED)
        await tasks_are(world, 1)
        await sent(bridge, jira_event(1, at=20))
        (link,) = await settled(bridge)
        assert (link["ticket_state"], link["task_state"]) == ("open", "completed")
        assert len(world.all_tasks()) == 1


async def test_10_the_answer_to_complete_is_lost_and_the_ticket_reopens_meanwhile(bridge: Bridge, world: World) -> None:
    await sent(bridge, CREATED)
    await tasks_are(world, 0)
    world.faults.replace([Rule(operation="CompleteTask", kind="hang", when="after", times=1)])
    await sent(bridge, CLOSED)
    await tasks_are(world, 1)
    await sent(bridge, jira_event(1, at=20))
    await tasks_are(world, 1, 0)


# -- 11 ----------------------------------------------------------------------------------------------------------------------------


async def test_11_a_person_completes_the_task_first(bridge: Bridge, world: World) -> None:
    """No error, no loop, no new task, and nothing is left to do."""
    await sent(bridge, CREATED)
    (task,) = await tasks_are(world, 0)
    world.complete_task(task.id)
    await sent(bridge, jira_event(1, at=5, summary="edited"))
    await settled(bridge)
    await sent(bridge, CLOSED)
    (link,) = await settled(bridge)
    assert (link["task_state"], link["last_error"]) == ("completed", None)
    await tasks_are(world, 1)
    assert world.journal.calls["CompleteTask"] == 1


async def test_11_a_person_deletes_the_task_first(bridge: Bridge, world: World) -> None:
    await sent(bridge, CREATED)
    (task,) = await tasks_are(world, 0)
    await settled(bridge)
    world.delete_task(task.id)
    await sent(bridge, CLOSED)
    (link,) = await settled(bridge)
    assert (link["task_state"], link["last_error"]) == ("gone", None)


# -- deletions ---------------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("on_delete", "task_state"), [("complete", "completed"), ("delete", "gone"), ("ignore", "open")]
)
async def test_a_deleted_ticket(
    orchestrator: str, world: World, tmp_path: Path, on_delete: str, task_state: str
) -> None:
    routes = [{"name": "all", "source": "jira", "on_delete": on_delete, "task": {"catalog": "Tickets"}}]
    async with bridge_running(configured(tmp_path, orchestrator, routes=routes)) as bridge:
        await sent(bridge, CREATED)
        await tasks_are(world, 0)
        await sent(bridge, jira_event(1, at=5, event="jira:issue_deleted"))
        (link,) = await settled(bridge)
        assert (link["ticket_state"], link["task_state"]) == ("deleted", task_state)


# -- 14 ----------------------------------------------------------------------------------------------------------------------------


async def test_14_a_template_that_fails_parks_the_one_delivery(orchestrator: str, world: World, tmp_path: Path) -> None:
    """Other tickets go on; replayed after the correction, this one does too. (The commands' side of it is in test_cli.)"""
    task = {"catalog": "Tickets", "data": {"customer": "{{ fields.customfield_9 }}"}}
    routes: list[dict[str, Any]] = [{"name": "all", "source": "jira", "task": task}]
    async with bridge_running(configured(tmp_path, orchestrator, routes=routes)) as bridge:
        await sent(bridge, CREATED, jira_event(2, customfield_9="ACME"))
        (task_of_2,) = await tasks_are(world, 0)
        assert task_of_2.data == {"customer": "ACME"}
        (parked,) = await bridge.deliveries(state="parked")
        assert "routes[0].task.data.customer" in parked["reason"]
        assert "customfield_9" in parked["reason"]
    task["data"] = {"customer": "{{ fields.customfield_9 | default(none) }}"}
    async with bridge_running(configured(tmp_path, orchestrator, routes=routes)) as bridge:
        assert (await bridge.http.post(f"/api/v1/deliveries/{parked['id']}/replay")).status_code == 202
        _, replayed = await tasks_are(world, 0, 0)
        assert replayed.data == {"customer": None}


# -- clocks ------------------------------------------------------------------------------------------------------------------------


async def test_a_clock_that_jumps_while_a_create_is_under_way(orchestrator: str, world: World, tmp_path: Path) -> None:
    """By the clock the lease has long ended; the worker has the link still, and nobody creates a second task."""
    jumped = timedelta(0)

    def clock() -> datetime:
        return utc_now() + jumped

    world.faults.replace([Rule(operation="CreateTask", kind="latency", seconds=3, times=1)])
    config = configured(tmp_path, orchestrator, orchestrator={"timeout": "5s"})
    async with bridge_and_service(config, clock) as (bridge, _):
        await sent(bridge, CREATED)

        async def called() -> bool:
            return world.journal.calls.get("CreateTask", 0) == 1

        await until(called, "CreateTask is under way")
        jumped = timedelta(minutes=10)
        await sent(bridge, jira_event(1, at=1, summary="edited meanwhile"))
        await tasks_are(world, 0)
        (link,) = await settled(bridge)
        assert (link["task_id"], link["task_state"]) == (world.all_tasks()[0].id, "open")
        assert world.journal.calls["CreateTask"] == 1


# -- mistakes in the configuration ---------------------------------------------------------------------------------------------------


async def test_a_parked_link_is_retried_as_the_configuration_says_now(
    orchestrator: str, world: World, tmp_path: Path
) -> None:
    routes = [{"name": "all", "source": "jira", "task": {"catalog": "Tikets"}}]
    async with bridge_running(configured(tmp_path, orchestrator, routes=routes)) as bridge:
        await sent(bridge, CREATED)

        async def parked() -> bool:
            return bool(await bridge.links(state="parked"))

        await until(parked, "the link is parked")
    routes[0]["task"] = {"catalog": "Tickets"}
    async with bridge_running(configured(tmp_path, orchestrator, routes=routes)) as bridge:
        assert (await bridge.http.post("/api/v1/links/OPS-1/retry")).status_code == 202
        await tasks_are(world, 0)


async def test_a_renamed_route_keeps_its_completion(orchestrator: str, world: World, tmp_path: Path) -> None:
    route: dict[str, Any] = {"source": "jira", "task": {"catalog": "Tickets"}, "completion": {"action": "resolved"}}
    async with bridge_running(configured(tmp_path, orchestrator, routes=[{"name": "old", **route}])) as bridge:
        await sent(bridge, CREATED)
        await tasks_are(world, 0)
        await settled(bridge)
    async with bridge_running(configured(tmp_path, orchestrator, routes=[{"name": "new", **route}])) as bridge:
        await sent(bridge, CLOSED)
        (task,) = await tasks_are(world, 1)
        assert task.action == "resolved"
        (link,) = await settled(bridge)
        assert link["route"] == "new"


async def test_a_removed_route_parks_rather_than_completing_with_something_else(
    orchestrator: str, world: World, tmp_path: Path
) -> None:
    route: dict[str, Any] = {"source": "jira", "task": {"catalog": "Tickets"}}
    async with bridge_running(configured(tmp_path, orchestrator, routes=[{"name": "old", **route}])) as bridge:
        await sent(bridge, CREATED)
        await tasks_are(world, 0)
        await settled(bridge)
    none = [{"name": "other", "when": 'ticket.project == "X"', **route}]
    async with bridge_running(configured(tmp_path, orchestrator, routes=none)) as bridge:
        await sent(bridge, CLOSED)

        async def parked() -> bool:
            return bool(await bridge.links(state="parked"))

        await until(parked, "the link is parked")
        (link,) = await bridge.links()
        assert "'old' is configured no more" in link["last_error"]
        assert world.all_tasks()[0].completions == 0


async def test_a_delivery_that_cannot_be_stored_does_not_stop_the_others(bridge: Bridge, world: World) -> None:
    deep: Any = 0
    for _ in range(253):
        deep = [deep]
    nested = json.dumps(jira_event(1, customfield_1=deep)).encode()
    answer, _ = await asyncio.gather(bridge.hook(nested), sent(bridge, jira_event(2)))
    assert answer.status_code == 202
    await tasks_are(world, 0)
    await sent(bridge, jira_event(3))
    await tasks_are(world, 0, 0)


async def test_a_folder_that_is_forbidden_delays_no_other_ticket(
    orchestrator: str, world: World, tmp_path: Path
) -> None:
    world.faults.replace([Rule(operation="CreateTask", kind="error", status=403, times=1)])
    async with bridge_running(configured(tmp_path, orchestrator, orchestrator={"max_concurrency": 1})) as bridge:
        await sent(bridge, jira_event(1), jira_event(2), jira_event(3))
        await tasks_are(world, 0, 0, 0)


# Scenario 13 (a rotated secret) is in test_receiver, 18 in test_reconcile; 2, 6, 7, 16 and 17 with several processes and machines that
# fail are in test_scenarios_in_processes, and everything at once is in test_chaos.
