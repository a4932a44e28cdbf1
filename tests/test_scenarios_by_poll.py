"""The scenarios of the design that a webhook can tell, told by nobody: the poll finds them."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from bridge.sandbox.jira import Fault, Flavour, SimulatedJira
from bridge.sandbox.orchestrator import World
from tests.driving import Bridge, jira_bridge, tasks_are, until

pytestmark = [pytest.mark.anyio, pytest.mark.parametrize("flavour", ["cloud", "server"])]

INCIDENTS = {"name": "incidents", "source": "jira", "when": 'ticket.project == "OPS"', "task": {"catalog": "Tickets"}}


@asynccontextmanager
async def given(
    folder: Path, world: World, flavour: Flavour, **route: Any
) -> AsyncIterator[tuple[SimulatedJira, Bridge]]:
    async with jira_bridge(folder, world, flavour=flavour, routes=[{**INCIDENTS, **route}]) as both:
        yield both


async def link_is(bridge: Bridge, **wanted: Any) -> dict[str, Any]:
    """The newest link, once it is so."""
    found: list[dict[str, Any]] = []

    async def so() -> bool:
        found[:] = await bridge.links()
        return bool(found) and {name: found[0][name] for name in wanted} == wanted

    await until(so, f"the newest link has {wanted}")
    return found[0]


async def test_08_a_ticket_moves(tmp_path: Path, flavour: Flavour) -> None:
    """Out of its route's condition: the same link, the same task, under the new key."""
    world = World()
    async with given(tmp_path, world, flavour) as (jira, bridge):
        issue, _ = jira.open("OPS", "Printer")
        await tasks_are(world, 0)
        jira.move(issue, "HELP")
        await link_is(bridge, ticket_key=issue.key, generation=1)
        jira.close(issue)
        await tasks_are(world, 1)


async def test_08_a_ticket_moves_into_a_route(tmp_path: Path, flavour: Flavour) -> None:
    world = World()
    async with given(tmp_path, world, flavour) as (jira, bridge):
        issue, _ = jira.open("HELP", "Printer")

        async def ignored() -> bool:
            return bool(await bridge.deliveries(state="ignored"))

        await until(ignored, "the ticket was looked at")
        jira.move(issue, "OPS")
        await tasks_are(world, 0)


async def test_09_a_ticket_is_closed_on_the_first_sight(tmp_path: Path, flavour: Flavour) -> None:
    world = World()
    async with given(tmp_path, world, flavour) as (jira, bridge):
        issue, _ = jira.open("OPS", "Printer")
        jira.close(issue)
        second, _ = jira.open("OPS", "Another")
        await tasks_are(world, 0)
        await link_is(bridge, ticket_key=second.key, state="settled", task_state="open")
        assert [link["task_state"] for link in await bridge.links(key=issue.key)] == ["absent"]


async def test_10_a_ticket_reopens(tmp_path: Path, flavour: Flavour) -> None:
    world = World()
    async with given(tmp_path, world, flavour) as (jira, bridge):
        issue, _ = jira.open("OPS", "Printer")
        await tasks_are(world, 0)
        jira.close(issue)
        await tasks_are(world, 1)
        jira.reopen(issue)
        await tasks_are(world, 1, 0)
        await link_is(bridge, generation=2)
        assert [link["generation"] for link in await bridge.links()] == [2, 1]


async def test_11_a_person_completes_the_task(tmp_path: Path, flavour: Flavour) -> None:
    """Before the ticket closes: no error, and no second call once that is known."""
    world = World()
    async with given(tmp_path, world, flavour) as (jira, bridge):
        issue, _ = jira.open("OPS", "Printer")
        await tasks_are(world, 0)
        world.complete_task(world.all_tasks()[0].id, action="done by hand")
        jira.close(issue)
        await link_is(bridge, ticket_state="closed", task_state="completed", state="settled", last_error=None)
        assert world.all_tasks()[0].action == "done by hand"


async def test_12_the_webhook_for_the_close_never_comes(tmp_path: Path, flavour: Flavour) -> None:
    world = World()
    async with given(tmp_path, world, flavour) as (jira, bridge):
        issue, created = jira.open("OPS", "Printer")
        assert await jira.send(created, f"{bridge.url}/hooks/jira", bridge.http)
        await tasks_are(world, 0)
        jira.close(issue)
        await tasks_are(world, 1)


async def test_a_ticket_is_deleted(tmp_path: Path, flavour: Flavour) -> None:
    world = World()
    async with given(tmp_path, world, flavour) as (jira, bridge):
        issue, _ = jira.open("OPS", "Printer")
        await tasks_are(world, 0)
        jira.delete(issue)
        await tasks_are(world, 1)
        await link_is(bridge, ticket_state="deleted", task_state="completed")


@pytest.mark.parametrize("loss", ["project", "forbid", "revoke"])
async def test_a_permission_is_lost_and_given_back(tmp_path: Path, flavour: Flavour, loss: str) -> None:
    """Nothing is taken for deleted; the source waits, says so, and goes on."""
    world = World()
    async with given(tmp_path, world, flavour) as (jira, bridge):
        issue, _ = jira.open("OPS", "Printer")
        await tasks_are(world, 0)
        jira.hide("OPS") if loss == "project" else getattr(jira, loss)()

        async def paused() -> bool:
            summary = (await bridge.http.get("/api/v1/summary")).json()
            return bool(summary["polls"]["jira"]["failures"])

        await until(paused, "the source is paused")
        await link_is(bridge, ticket_state="open", task_state="open")
        assert 'bridge_poll_failures{source="jira"}' in (await bridge.http.get("/metrics")).text
        jira.show("OPS")
        jira.admit()
        jira.close(issue)
        await tasks_are(world, 1)


async def test_a_jira_that_limits_and_fails_is_asked_again(tmp_path: Path, flavour: Flavour) -> None:
    world = World()
    async with given(tmp_path, world, flavour) as (jira, _):
        jira.faults += [
            Fault(path="*/search*", status=429, retry_after=0),
            Fault(path="*/search*", status=503, times=2),
            Fault(path="*/search*", kind="drop", times=1),
        ]
        issue, _ = jira.open("OPS", "Printer")
        await tasks_are(world, 0)
        jira.close(issue)
        await tasks_are(world, 1)


@pytest.mark.parametrize("time_zone", ["Pacific/Auckland", "America/Los_Angeles"])
async def test_an_account_in_another_time_zone_misses_nothing(tmp_path: Path, flavour: Flavour, time_zone: str) -> None:
    """And an index that is late: a search finds everything later, and what has a link is read as it is."""
    world = World()
    options = {"time_zone": time_zone, "index_lag": timedelta(seconds=2)}
    async with jira_bridge(tmp_path, world, flavour=flavour, options=options, routes=[INCIDENTS]) as (jira, _):
        issue, _ = jira.open("OPS", "Printer")
        await tasks_are(world, 0)
        jira.close(issue)
        await tasks_are(world, 1)
