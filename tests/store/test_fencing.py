"""Two workers, one link, any interleaving: at most one has it, and only the newest claim's outcome is written."""

import asyncio
from collections.abc import Sequence
from datetime import timedelta
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from bridge.errors import Unknown
from bridge.model import Task, TaskId, TaskState
from bridge.outcome import Outcome, Waits
from bridge.store import Claimed, Database, LinkFilter, Result, Store, upgrade
from tests.store.test_links import LEASE, SECOND, TERMS, kept
from tests.values import NOW

DEEDS = st.lists(
    st.one_of(
        st.tuples(st.just("wait"), st.integers(1, 120)),
        st.tuples(st.just("claim"), st.integers(0, 1)),
        st.tuples(st.just("succeed"), st.integers(0, 5)),
        st.tuples(st.just("fail"), st.integers(0, 5)),
    ),
    max_size=25,
)


@pytest.mark.parametrize("links", [1, 3])
@settings(max_examples=40, deadline=None, suppress_health_check=list(HealthCheck))
@given(deeds=DEEDS)
def test_no_interleaving_writes_two_outcomes(
    tmp_path_factory: pytest.TempPathFactory, links: int, deeds: Sequence[tuple[str, int]]
) -> None:
    """A worker may come back with its outcome at any time, long after its lease ended: then it is not written."""
    asyncio.run(_play(tmp_path_factory.mktemp("fencing"), links, deeds))


async def _play(folder: Path, links: int, deeds: Sequence[tuple[str, int]]) -> None:
    databases = [Database(f"sqlite:///{folder}/x.db") for _ in range(2)]
    await upgrade(databases[0])
    try:
        await _compare([Store(database) for database in databases], links, deeds)
    finally:
        for database in databases:
            await database.close()


async def _compare(workers: Sequence[Store], links: int, deeds: Sequence[tuple[str, int]]) -> None:
    for number in range(1, links + 1):
        await kept(workers[0], number)
    now, tasks = NOW, iter(range(1, 1000))
    claims: list[tuple[Store, Claimed]] = []
    newest: dict[int, tuple[int, object]] = {}  # of each link: the token of its newest claim, and when its lease ends
    for deed, number in deeds:
        match deed:
            case "wait":
                now += timedelta(seconds=number)
            case "claim":
                for claimed in await workers[number].claims.claim("orchestrator", 1, now, TERMS):
                    link = claimed.link
                    token, until = newest.get(link.id, (0, NOW))
                    assert link.claim == token + 1
                    assert until is None or until <= now, "two have it at once"  # type: ignore[operator]
                    newest[link.id] = (link.claim, now + LEASE)
                    claims.append((workers[number], claimed))
            case _ if claims:
                worker, claimed = claims.pop(number % len(claims))
                token, until = newest[claimed.link.id]
                before = await worker.links.get(claimed.link.id)
                written = await worker.claims.settle(_result(claimed, now, next(tasks) if deed == "succeed" else None))
                assert (written is not None) is (claimed.link.claim == token and until is not None)
                if written is None:
                    assert await worker.links.get(claimed.link.id) == before
                else:
                    newest[claimed.link.id] = (token, None)
    for link in await workers[0].links.list(LinkFilter(limit=10), now):
        assert link.claim == newest.get(link.id, (0, None))[0]


def _result(claimed: Claimed, now: object, task: int | None) -> Result:
    made = None if task is None else Task(TaskId(task), TaskState.OPEN)
    error = None if task is not None else Unknown("lost", answered=False)
    return Result(claimed, Outcome(claimed.step, now, now, made, error), Waits(30 * SECOND, SECOND))  # type: ignore[arg-type]
