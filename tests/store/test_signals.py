"""Signals between the stores of two processes on one PostgreSQL."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest
from sqlalchemy import text

from bridge.store import DUE, Database, Store, upgrade
from tests.conftest import new_postgresql_database
from tests.driving import PATIENCE_S
from tests.store.test_inbox import delivery
from tests.values import NOW, a_link

pytestmark = pytest.mark.anyio


@pytest.fixture
def database_url(postgresql: Any) -> str:
    return new_postgresql_database(postgresql)


class Hearing:
    """What a store hears, as it comes."""

    def __init__(self) -> None:
        self._heard: asyncio.Queue[str | None] = asyncio.Queue()
        self.put = self._heard.put_nowait

    async def next(self) -> str | None:
        async with asyncio.timeout(PATIENCE_S):
            return await self._heard.get()

    @property
    def silent(self) -> bool:
        return self._heard.empty()


@pytest.fixture
async def hearing(store: Store, second_store: Store) -> AsyncIterator[Hearing]:
    """What the second store hears, while both tell."""
    hearing = Hearing()
    signals = second_store.signals
    tasks = [asyncio.create_task(each) for each in (signals.listen(hearing.put), signals.tell(), store.signals.tell())]
    assert await hearing.next() is None  # whatever was before
    yield hearing
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)


async def test_a_delivery_is_heard_with_its_source(store: Store, hearing: Hearing) -> None:
    (number,) = await store.inbox.append([delivery(source="crm")])
    assert await hearing.next() == "crm"
    assert number is not None
    await store.inbox.replay([number])
    assert await hearing.next() == "crm"


async def test_a_duplicate_says_nothing(store: Store, hearing: Hearing) -> None:
    await store.inbox.append([delivery(1)])
    assert await hearing.next() == "jira"
    await store.inbox.append([delivery(1)])
    await store.inbox.append([delivery(2, source="other")])
    assert await hearing.next() == "other"


async def test_a_due_link_is_heard_and_one_that_waits_is_not(store: Store, hearing: Hearing) -> None:
    async with store.database.writing() as connection:
        await store.links.save(connection, [a_link(id=0)], NOW)
    async with store.database.writing() as connection:
        await store.links.save(connection, [a_link(id=0, ticket_id="2", correlation_key="2", due_at=NOW)], NOW)
    assert await hearing.next() == DUE
    assert hearing.silent


async def test_what_was_undone_is_not_heard(store: Store, hearing: Hearing) -> None:
    async def undone() -> None:
        async with store.database.writing() as connection:
            await store.signals.due(connection)
            raise RuntimeError

    with pytest.raises(RuntimeError):
        await undone()
    await store.inbox.append([delivery()])
    assert await hearing.next() == "jira"


async def test_nobody_hears_themselves(store: Store, second_store: Store, hearing: Hearing) -> None:
    await second_store.inbox.append([delivery(1, source="mine")])
    await store.inbox.append([delivery(2, source="theirs")])
    assert await hearing.next() == "theirs"


async def test_a_broken_connection_is_made_again(database: Database, store: Store, hearing: Hearing) -> None:
    """And everything may have been missed meanwhile."""
    others = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE pid <> pg_backend_pid() AND datname = current_database()"
    async with database.reading() as connection:
        await connection.execute(text(others))
    assert await hearing.next() is None
    await store.inbox.append([delivery()])
    assert await hearing.next() == "jira"


async def test_what_was_stored_leaves_nothing_running_behind_it(store: Store) -> None:
    before = asyncio.all_tasks()
    await store.inbox.append([delivery()])
    assert asyncio.all_tasks() == before


async def test_sqlite_has_one_process(tmp_path: Any) -> None:
    database = Database(f"sqlite:///{tmp_path}/x.db")
    await upgrade(database)
    signals = Store(database).signals
    await signals.tell()  # there is nobody to tell
    await signals.listen(lambda what: pytest.fail(str(what)))
    await database.close()
