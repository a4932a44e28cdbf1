"""`bridge backfill`: tickets that were there before the bridge, in processes of its own that are stopped and killed."""

import asyncio
import json
import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from random import Random

import pytest

from bridge.sandbox.jira import Fault, Flavour, SimulatedJira, jira_serving
from bridge.sandbox.orchestrator import World, sandbox_serving
from bridge.sandbox.salesforce import SimulatedSalesforce, salesforce_serving
from bridge.service import migrate, utc_now
from tests.driving import SECRET, bridge_running, configured, until
from tests.processes import COMMAND, command

pytestmark = pytest.mark.anyio

MANY = int(os.environ.get("BRIDGE_BACKFILL_TICKETS", "1500"))
"""20,000 take ten minutes."""


@asynccontextmanager
async def a_jira(
    tickets: int, flavour: Flavour = "cloud", *, closed: int = 0
) -> AsyncIterator[tuple[SimulatedJira, str]]:
    """A Jira with open issues, every tenth of another project, and with closed ones."""
    jira = SimulatedJira(SECRET, utc_now, Random(1), flavour=flavour)  # noqa: S311 - identifiers
    for number in range(tickets):
        jira.open("HELP" if number % 10 == 9 else "OPS", f"Ticket {number}")
    for number in range(closed):
        issue, _ = jira.open("OPS", f"Old ticket {number}")
        jira.close(issue)
    async with jira_serving(jira) as url:
        yield jira, url


def source(url: str, flavour: Flavour = "cloud") -> dict[str, object]:
    email = {"email": "bot@acme.test"} if flavour == "cloud" else {}
    return {"type": "jira", "secrets": [SECRET], "api": {"url": url, "token": "t", **email}, "poll": "off"}


@pytest.mark.parametrize("flavour", ["cloud", "server"])
async def test_open_tickets_are_linked_and_closed_ones_are_not(tmp_path: Path, flavour: Flavour) -> None:
    world = World()
    async with a_jira(130, flavour, closed=20) as (_, url), sandbox_serving(world) as orchestrator:
        config = configured(tmp_path, orchestrator, sources={"jira": source(url, flavour)})
        async with bridge_running(config) as bridge:
            tried = await command("backfill", "jira", "--dry-run", "--json", "--config", tmp_path / "config.yaml")
            assert json.loads(tried.out) == {
                "dry_run": True,
                "tickets": 130,
                "counts": {"route incidents": 117, "no route": 13},
            }
            assert await bridge.deliveries() == []
            done = await command("backfill", "jira", "--json", "--config", tmp_path / "config.yaml")
            assert (done.code, json.loads(done.out)["tickets"]) == (0, 130)
            await until(lambda: _tasks(world, 117), "every ticket has its task")
            again = await command("backfill", "jira", "--json", "--config", tmp_path / "config.yaml")
            assert json.loads(again.out)["counts"] == {"linked already": 117, "no route": 13}
        assert world.journal.calls["CreateTask"] == 117


async def test_salesforces_cases_are_linked_too(tmp_path: Path) -> None:
    world, org = World(), SimulatedSalesforce(utc_now, Random(1))  # noqa: S311 - ids
    for number in range(30):
        case = org.open(Subject=f"Case {number}")
        if number % 3 == 0:
            org.close(str(case["Id"]))
    async with salesforce_serving(org) as url, sandbox_serving(world) as orchestrator:
        auth = {"type": "client_credentials", "client_id": "connected-app", "client_secret": "demo"}
        crm = {"type": "salesforce", "secrets": [SECRET], "api": {"url": url, "auth": auth}, "poll": "off"}
        config = configured(tmp_path, orchestrator, sources={"crm": crm}, routes=[{"name": "all", "source": "crm"}])
        async with bridge_running(config):
            done = await command("backfill", "crm", "--config", tmp_path / "config.yaml")
            assert done.code == 0, done.err
            await until(lambda: _tasks(world, 20), "every open case has its task")


async def test_killed_three_times_it_goes_on_where_it_stood(tmp_path: Path) -> None:
    """Each ticket has one task, and no page is asked for twice but the one that was under way at a kill."""
    world, dice = World(), Random(3)  # noqa: S311 - when it is killed
    async with a_jira(MANY) as (jira, url), sandbox_serving(world) as orchestrator:
        config = configured(tmp_path, orchestrator, sources={"jira": source(url)})
        await migrate(config)
        pages = -(-MANY // 100)
        for kill in range(1, 4):
            await _killed_after(tmp_path, jira, pages * kill // 4 + dice.randint(0, 1))
        ended = await command("backfill", "jira", "--json", "--config", tmp_path / "config.yaml")
        assert (ended.code, json.loads(ended.out)["tickets"]) == (0, MANY), ended.err
        assert "going on where an earlier backfill stood" in ended.err
        assert _pages(jira) <= pages + 3
        async with bridge_running(config) as bridge:
            wanted = MANY - MANY // 10
            await until(lambda: _tasks(world, wanted), "every ticket has its task")
            assert world.journal.calls["CreateTask"] == wanted
            assert (await bridge.http.get("/api/v1/summary")).json()["links"]["parked"] == 0


async def _killed_after(folder: Path, jira: SimulatedJira, pages: int) -> None:
    process = await asyncio.create_subprocess_exec(
        *COMMAND, "backfill", "jira", "--config", str(folder / "config.yaml"), stderr=asyncio.subprocess.DEVNULL
    )

    async def far_enough() -> bool:
        return _pages(jira) >= pages or process.returncode is not None

    await until(far_enough, f"{pages} pages were asked for")
    assert process.returncode is None
    process.kill()
    await process.wait()


def _pages(jira: SimulatedJira) -> int:
    return jira.journal.calls.get("search.jql", 0)


async def test_a_tracker_that_fails_is_told_with_what_to_do(tmp_path: Path) -> None:
    world = World()
    async with a_jira(250) as (jira, url), sandbox_serving(world) as orchestrator:
        config = configured(tmp_path, orchestrator, sources={"jira": source(url)})
        await migrate(config)
        jira.faults.append(Fault(path="*/search/jql", status=503, times=1))
        ended = await command("backfill", "jira", "--config", tmp_path / "config.yaml")
        assert ended.code == 1
        assert "run the same command again to go on" in ended.err
        assert (await command("backfill", "jira", "--config", tmp_path / "config.yaml")).code == 0


@pytest.mark.parametrize(
    ("name", "said"),
    [("jria", "there is no source jria; there are: jira"), ("jira", "source jira has no `api`")],
)
async def test_what_cannot_be_backfilled(tmp_path: Path, name: str, said: str) -> None:
    config = configured(tmp_path)
    await migrate(config)
    ended = await command("backfill", name, "--config", tmp_path / "config.yaml")
    assert (ended.code, said in ended.err) == (2, True)


async def _tasks(world: World, count: int) -> bool:
    return len(world.all_tasks()) >= count
