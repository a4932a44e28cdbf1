"""Replicas that touch the same rows at the same instant, on PostgreSQL: none waits for one that waits for it, nothing new is undone."""

import asyncio
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import make_url, text

from bridge.errors import StoreUnavailable
from bridge.fold import Snapshot
from bridge.model import DeliveryState, LinkId, TaskState
from bridge.store import Database, Lane, Store, upgrade
from bridge.store.links import _GENERATIONS, _SNAPSHOTS
from bridge.store.postgresql import PostgreSQL, PostgreSQLConnection
from bridge.store.refs import these
from bridge.sync.intake import Intake
from tests.conftest import new_postgresql_database
from tests.driving import PATIENCE_S
from tests.store.test_inbox import delivery, judge
from tests.store.test_links import DESTINATION, TERMS, claim, kept, result
from tests.values import NOW, a_link

pytestmark = pytest.mark.anyio

DAY = timedelta(days=1)

_WAITING = text("SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND datname = current_database()")


@pytest.fixture
def database_url(postgresql: Any) -> str:
    return new_postgresql_database(postgresql)


async def somebody_waits(store: Store, how_many: int = 1) -> None:
    """Until so many wait for a lock."""
    async with asyncio.timeout(PATIENCE_S), store.database.reading() as connection:
        while (await connection.execute(_WAITING)).scalar_one() < how_many:  # noqa: ASYNC110 - a backend
            await asyncio.sleep(0.01)


# -- retention ---------------------------------------------------------------------------------------------------------------------


async def test_retention_leaves_a_ticket_that_is_just_heard_of_again(store: Store, second_store: Store) -> None:
    ref = ("jira", "10001")
    async with store.database.writing() as connection:
        await store.links.keep(connection, {ref: Snapshot("1", "", {"1": {"summary": "old"}})}, NOW - 100 * DAY)
    async with store.database.writing() as connection:
        await store.links.known(connection, [ref], NOW)
        removing = asyncio.create_task(second_store.aged.remove_tickets([ref], NOW - 90 * DAY))
        await somebody_waits(store)
        await store.links.keep(connection, {ref: Snapshot("2", "", {"2": {"summary": "new"}})}, NOW)
        await store.links.save(connection, [a_link(id=LinkId(0), due_at=NOW)], NOW)
    assert await removing == 0
    async with store.database.writing() as connection:
        snapshot, _ = (await store.links.known(connection, [ref], NOW))[ref]
    assert snapshot.version == "2"


async def test_retention_leaves_a_delivery_that_is_just_replayed(store: Store, second_store: Store) -> None:
    (number,) = await store.inbox.append([delivery(received_at=NOW - 100 * DAY)])
    assert number is not None
    await judge(store, DeliveryState.IGNORED, number)
    async with store.database.writing() as connection:
        await connection.execute(text("UPDATE deliveries SET state = 'pending'"))  # as a replay does
        removing = asyncio.create_task(second_store.aged.remove_deliveries([number]))
        await somebody_waits(store)
    assert await removing == 0
    assert await store.inbox.get(number) is not None


# -- locks -------------------------------------------------------------------------------------------------------------------------


async def test_an_intake_and_a_settlement_lock_links_in_one_order(store: Store, second_store: Store) -> None:
    """The first link is its ticket's second generation, so that their generations are in another order than their ids."""
    first, second = await kept(store, 1, generation=2), await kept(store, 2)
    claimed = await claim(store)
    async with store.database.writing() as connection:
        await connection.execute(text("SELECT 1 FROM links WHERE id = :id FOR UPDATE"), {"id": first.id})
        settling = [asyncio.create_task(store.claims.settle(result(one, task=one.link.id))) for one in claimed]
        await somebody_waits(store)
        taking = asyncio.create_task(known(second_store, first.ticket_id, second.ticket_id))
        await somebody_waits(store, 2)
    await asyncio.gather(taking, *settling)


async def test_an_intake_and_a_claim_that_reopens_lock_the_ticket_first(store: Store, second_store: Store) -> None:
    closed: dict[str, Any] = {"closed_version": "1", "ended_version": "1", "version": "2"}
    link = await kept(store, task_state=TaskState.COMPLETED, task_id=7, **closed)
    async with store.database.writing() as connection:
        await connection.execute(_SNAPSHOTS, these([("jira", link.ticket_id)]))
        claiming = asyncio.create_task(second_store.claims.claim(DESTINATION, 10, NOW, TERMS))
        await somebody_waits(store)
        await connection.execute(_GENERATIONS, these([("jira", link.ticket_id)]))
    await claiming


async def test_an_intake_and_a_person_who_forgets_a_link_lock_the_ticket_first(
    store: Store, second_store: Store
) -> None:
    link = await kept(store)
    async with store.database.writing() as connection:
        await store.links.keep(connection, {("jira", link.ticket_id): Snapshot("1", "", {})}, NOW)
    async with store.database.writing() as connection:
        await connection.execute(_SNAPSHOTS, these([("jira", link.ticket_id)]))
        forgetting = asyncio.create_task(second_store.links.forget(link.id))
        await somebody_waits(store)
        await connection.execute(_GENERATIONS, these([("jira", link.ticket_id)]))
    assert await forgetting is not None


async def test_the_same_deliveries_in_another_order_wait_for_each_other_once(store: Store, second_store: Store) -> None:
    for number in range(5):
        same = [delivery(1000 * number + one, body=b"x" * 2000) for one in range(200)]
        stored = await asyncio.gather(store.inbox.append(same), second_store.inbox.append(same[::-1]))
        assert sorted([one is not None for ids in stored for one in ids]) == [False] * 200 + [True] * 200


async def known(store: Store, *ticket_ids: str) -> None:
    """What an intake does first."""
    async with store.database.writing() as connection:
        await store.links.known(connection, [("jira", one) for one in ticket_ids], NOW)


# -- what one replica knows and another does not -----------------------------------------------------------------------------------


async def test_a_replica_with_an_older_configuration_leaves_the_deliveries_of_a_new_source(store: Store) -> None:
    (number,) = await store.inbox.append([delivery(source="new")])
    assert number is not None
    await Intake(store, Lane(None, but=("jira",)), None, None, lambda: NOW, lambda: None).drain()
    found = await store.inbox.get(number)
    assert found is not None
    assert found.state is DeliveryState.PENDING, found.reason


async def test_what_another_replica_applied_is_not_parked(
    store: Store, second_store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One of a batch cannot be stored, so each is taken alone; meanwhile another replica has had more luck."""
    (number,) = await store.inbox.append([delivery()])
    assert number is not None
    found = await store.inbox.get(number)
    assert found is not None
    intake = Intake(store, Lane("jira"), None, None, lambda: NOW, lambda: None)

    async def cannot(_batch: object) -> int:
        await judge(second_store, DeliveryState.APPLIED, number)
        raise RuntimeError("a broken constraint")

    monkeypatch.setattr(intake, "_take", cannot)
    await intake._take_alone(found)
    after = await store.inbox.get(number)
    assert after is not None
    assert after.state is DeliveryState.APPLIED


# -- a server that fails ---------------------------------------------------------------------------------------------------------------


async def test_listening_outlives_a_connection_that_ends_before_it_listens(
    store: Store, second_store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    real, cut = PostgreSQL.connect, asyncio.Event()

    async def cut_once(self: PostgreSQL) -> PostgreSQLConnection:
        connection = await real(self)
        if not cut.is_set():
            cut.set()
            async with store.database.writing() as other:
                await other.execute(text(f"SELECT pg_terminate_backend({connection.driver.get_server_pid()})"))
        return connection

    monkeypatch.setattr(PostgreSQL, "connect", cut_once)
    heard: asyncio.Queue[str | None] = asyncio.Queue()
    listening = asyncio.create_task(second_store.signals.listen(heard.put_nowait))
    assert await asyncio.wait_for(heard.get(), PATIENCE_S) is None, "it listens, and anything may have been missed"
    assert cut.is_set()
    listening.cancel()


async def test_a_server_that_takes_no_connections_is_away(postgresql: Any) -> None:
    url = new_postgresql_database(postgresql)
    postgresql.psql(f"ALTER DATABASE {make_url(url).database} ALLOW_CONNECTIONS false")
    database = Database(url)
    with pytest.raises(StoreUnavailable):
        await Store(database).inbox.append([delivery()])
    await database.close()


async def test_a_missing_permission_is_no_mistake_of_the_sender(postgresql: Any) -> None:
    url = new_postgresql_database(postgresql)
    owner = Database(url)
    await upgrade(owner)
    async with owner.writing() as connection:
        await connection.execute(text("CREATE ROLE clerk LOGIN"))
        await connection.execute(text("GRANT SELECT ON ALL TABLES IN SCHEMA public TO clerk"))
    clerk = Database(make_url(url).set(username="clerk").render_as_string(hide_password=False))
    with pytest.raises(StoreUnavailable, match="permission denied"):
        await Store(clerk).inbox.append([delivery()])
    for database in (clerk, owner):
        await database.close()
