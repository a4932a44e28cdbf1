"""Leases: who has one, and since when another may."""

import asyncio
from datetime import timedelta

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from bridge.store import Database, Leases, Store, upgrade
from bridge.sync.job import once_for_all
from tests.values import NOW

pytestmark = pytest.mark.anyio

MINUTE = timedelta(minutes=1)


async def test_one_has_it_until_it_ends(store: Store, second_store: Store) -> None:
    assert await store.leases.take("poll", NOW, MINUTE) == 1
    assert await second_store.leases.take("poll", NOW + MINUTE / 2, MINUTE) is None
    assert await store.leases.take("poll", NOW + MINUTE / 2, MINUTE) == 1  # kept
    assert await second_store.leases.take("poll", NOW + MINUTE, MINUTE) is None
    assert await second_store.leases.take("poll", NOW + 2 * MINUTE, MINUTE) == 2


async def test_it_is_given_back_by_whom_it_belongs_to(store: Store, second_store: Store) -> None:
    await store.leases.take("poll", NOW, MINUTE)
    await second_store.leases.give_back("poll", NOW)
    assert await second_store.leases.take("poll", NOW, MINUTE) is None
    await store.leases.give_back("poll", NOW)
    assert await second_store.leases.take("poll", NOW, MINUTE) == 2


async def test_a_start_on_sqlite_frees_them_all(store: Store, second_store: Store) -> None:
    await store.leases.take("poll", NOW, MINUTE)
    await second_store.leases.release()
    assert await second_store.leases.take("poll", NOW, MINUTE) == 1


async def test_a_job_is_done_once_for_all_replicas(store: Store, second_store: Store) -> None:
    done: list[str] = []

    async def work() -> None:
        done.append("work")

    now = [NOW]
    jobs = [once_for_all(each.leases, "reconcile", 2 * MINUTE, work, lambda: now[0]) for each in (store, second_store)]
    for job in jobs:
        await job()
    assert len(done) == 1
    now[0] += 2 * MINUTE
    for job in reversed(jobs):
        await job()
    assert len(done) == 2


@settings(max_examples=40, deadline=None, suppress_health_check=list(HealthCheck))
@given(st.lists(st.tuples(st.integers(0, 2), st.integers(0, 90), st.booleans()), max_size=30))
def test_no_two_have_it_at_once(tmp_path_factory: pytest.TempPathFactory, deeds: list[tuple[int, int, bool]]) -> None:
    """Whoever takes it, keeps it or gives it back, at whatever times: what each believes never contradicts the others."""

    async def check() -> None:
        database = Database(f"sqlite:///{tmp_path_factory.mktemp('leases')}/x.db")
        await upgrade(database)
        replicas = [Leases(database, f"replica {number}") for number in range(3)]
        has_until = [NOW] * 3
        now, last = NOW, (0, -1)
        for replica, seconds, gives_back in deeds:
            now += timedelta(seconds=seconds)
            if gives_back:
                await replicas[replica].give_back("poll", now)
                has_until[replica] = now
                continue
            token = await replicas[replica].take("poll", now, MINUTE)
            others = [until for number, until in enumerate(has_until) if number != replica]
            assert (token is not None) is all(until <= now for until in others)
            if token is not None:
                assert token == (last[0] if last[1] == replica else last[0] + 1)  # it grows with every change of hands
                last = (token, replica)
                has_until[replica] = now + MINUTE
        await database.close()

    asyncio.run(check())
