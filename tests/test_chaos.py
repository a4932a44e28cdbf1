"""Real chaos: real processes and databases, kill -9 at random, a third of Orchestrator's answers faulty. 0 lost, 0 doubled.

A small play by default. `make chaos` plays the full one, ten times in a row on each engine; `BRIDGE_CHAOS_SEED` repeats one, as far as
processes can repeat anything.
"""

import os
from collections.abc import Iterator
from pathlib import Path
from random import Random
from typing import Any

import pytest
from httpx_aiohttp import HttpxAiohttpClient

from bridge.config import Config
from bridge.sandbox.jira import SimulatedJira, jira_serving
from bridge.sandbox.orchestrator import World, sandbox_serving
from bridge.service import migrate, open_store, utc_now
from tests.chaos import Fleet, Life, Mishap, Play, Postman, Watch, faults, lives, wrong_lines, wrong_rows, wrong_tasks
from tests.driving import SECRET, configured, until
from tests.postgresql import OwnPostgresql

pytestmark = pytest.mark.anyio

TICKETS = int(os.environ.get("BRIDGE_CHAOS_TICKETS", "100"))
SEED = int(os.environ.get("BRIDGE_CHAOS_SEED", "1"))
KILLS = 2 + TICKETS // 80


async def test_one_process_on_sqlite(tmp_path: Path) -> None:
    await chaos(tmp_path, "sqlite:///bridge.db", replicas=1)


async def test_three_replicas_on_postgresql_that_crashes(tmp_path: Path, own_postgresql: OwnPostgresql) -> None:
    await chaos(tmp_path, own_postgresql.url, replicas=3, postgresql=own_postgresql)


async def test_one_process_polls_and_webhooks_are_lost(tmp_path: Path) -> None:
    """30 % of the webhooks are lost. (People wait for what they see, so that it can be said what there is to see.)"""
    await chaos(tmp_path, "sqlite:///bridge.db", replicas=1, lost=0.3)


@pytest.mark.skipif(TICKETS < 1000, reason="a poll that dies is for two minutes nobody's: `make chaos` has the time")
async def test_three_replicas_poll_and_webhooks_are_lost(tmp_path: Path, own_postgresql: OwnPostgresql) -> None:
    await chaos(tmp_path, own_postgresql.url, replicas=3, postgresql=own_postgresql, lost=0.3)


async def chaos(
    folder: Path, database_url: str, replicas: int, postgresql: OwnPostgresql | None = None, lost: float = 0
) -> None:
    """A bad day, and the verdict on it. What is lost is found by polls; where nothing is, nothing polls."""
    world, random = World(), Random(SEED)  # noqa: S311 - dice
    jira = SimulatedJira(SECRET, utc_now, Random(SEED))  # noqa: S311 - identifiers
    async with jira_serving(jira) as api, sandbox_serving(world) as orchestrator:
        config = _config(folder, orchestrator, database_url, {"api": api_of(api), "poll": "1s"} if lost else {})
        await migrate(config)
        world.faults.replace(faults(SEED))
        fleet = Fleet(folder / "config.yaml", replicas)
        async with fleet.running(), HttpxAiohttpClient(timeout=60, verify=False) as http:
            play = Play(jira, Postman(fleet, http, random, lost), Watch(world))
            stories = lives(TICKETS, random, patient=1 if lost else 0.5)
            await play.perform(stories, _mishaps(fleet, stories, random, postgresql, lost))
            struck = sum(rule["applied"] for rule in world.faults.listed()) / sum(world.journal.calls.values())
            world.faults.replace([])

            async def told() -> bool:
                return wrong_tasks(play, world) == []

            if lost:
                await until(told, "polls have found everything", every=0.5)
            await until(fleet.quiet, "nothing is left to do", every=0.5)
            codes = await fleet.stop()
    store = open_store(config)
    wrong = wrong_tasks(play, world) + await wrong_rows(play, store) + wrong_lines(fleet.logs)
    await store.database.close()
    print(  # noqa: T201 - for `pytest -rP`
        f"seed {SEED}: {len(play.told)} tickets, {len(world.all_tasks())} tasks, {fleet.kills} kills; {len(play.postman.acknowledged)} "
        f"webhooks taken, answers {dict(play.postman.tries)}; {100 * struck:.0f} % of {world.journal.calls} faulty"
    )
    assert wrong == [], f"BRIDGE_CHAOS_SEED={SEED} BRIDGE_CHAOS_TICKETS={TICKETS}: {len(wrong)} are wrong"
    assert codes == [0] * replicas
    assert struck > 0.25, "it was a fine day"


def _config(folder: Path, orchestrator: str, database_url: str, polled: dict[str, Any]) -> Config:
    return configured(
        folder,
        orchestrator,
        database={"url": database_url},
        orchestrator={"timeout": "3s"},
        reconcile="off",
        sources={"jira": {"type": "jira", "secrets": [SECRET], **polled}},
        routes=[{"name": "all", "source": "jira", "task": {"catalog": "Tickets"}, "update": ["title"]}],
    )


def api_of(url: str) -> dict[str, str]:
    return {"url": url, "email": "bot@acme.test", "token": "t"}


def _mishaps(
    fleet: Fleet, stories: list[Life], random: Random, postgresql: OwnPostgresql | None, lost: float
) -> Iterator[Mishap]:
    """Kills, spread over the day; in the middle of it PostgreSQL crashes, and whoever dies meanwhile is started after it."""

    async def kill() -> None:
        number = random.randrange(len(fleet.replicas))
        await fleet.kill(number)
        await fleet.revive(number)

    async def crash() -> None:
        assert postgresql is not None
        await postgresql.crash()
        number = random.randrange(len(fleet.replicas))
        await fleet.kill(number)
        await until(fleet.at_a_loss, "every replica says that its database is away", every=0.1)
        await postgresql.start()
        await fleet.revive(number)

    webhooks = int(sum(life.webhooks for life in stories) * (1 - lost) * 0.9)
    for count, taken in enumerate(sorted(random.sample(range(10, webhooks), KILLS))):
        yield taken, crash if postgresql is not None and count == KILLS // 2 else kill
