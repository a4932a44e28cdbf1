"""Which index is taken for the statements that run all day: on PostgreSQL in a large table, with a plan that is kept for any parameters."""

import re
import sqlite3
from collections.abc import Sequence
from datetime import timedelta
from pathlib import Path
from typing import Any, cast

import pytest
from sqlalchemy import text

from bridge.correlation import Identity
from bridge.model import DeliveryId, DeliveryState, LinkId, LinkState, TaskId
from bridge.store import Database, DeliveryFilter, Lane, LinkFilter, Store, Verdict, Wish, sqlite, upgrade
from bridge.store.driver import Answer, Values
from bridge.store.postgresql import PostgreSQLConnection
from bridge.store.reconciling import Reconciling
from tests.conftest import new_postgresql_database
from tests.store.test_inbox import delivery
from tests.store.test_links import DESTINATION, TERMS, kept, result
from tests.values import NOW

pytestmark = pytest.mark.anyio

MANY = 20_000


@pytest.fixture
def database_url(postgresql: Any) -> str:
    return new_postgresql_database(postgresql)


@pytest.fixture
async def full(store: Store) -> Store:
    """The oldest hundredth of the links is open, the rest has come to its end; so have all deliveries."""
    await kept(store, 1)
    await store.inbox.append([delivery()])
    async with store.database.writing() as connection:
        for table, changed in (
            ("links", {"id": "n", "ticket_id": "'copy ' || n", "correlation_key": "'copy ' || n", "due_at": "NULL"}),
            ("tickets", {"ticket_id": "'copy ' || n", "updated_at": "updated_at + n"}),
            (
                "deliveries",
                {"id": "n", "dedupe_key": "'copy ' || n", "state": "'applied'", "received_at": "received_at + n"},
            ),
        ):
            query = (
                "SELECT column_name FROM information_schema.columns WHERE table_schema = 'public' AND table_name = :of"
            )
            columns = list((await connection.execute(text(query), {"of": table})).scalars())
            values = ", ".join(changed.get(column, column) for column in columns)
            copy = (
                f"INSERT INTO {table} ({', '.join(columns)}) SELECT {values} FROM {table}, generate_series(2, {MANY}) n"  # noqa: S608
            )
            await connection.execute(text(copy))
        ended = f"ticket_state = 'closed', task_state = 'completed' WHERE id > {MANY // 100}"
        await connection.execute(text(f"UPDATE links SET {ended}"))  # noqa: S608 - our own
        await connection.execute(text("ANALYZE"))
    return store


@pytest.fixture
def seen(monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, Sequence[Any]]]:
    """What is sent to the server."""
    sent: list[tuple[str, Sequence[Any]]] = []
    run = PostgreSQLConnection.run

    async def heard(self: PostgreSQLConnection, sql: str, values: Sequence[Values], *, returns: bool) -> Answer:
        sent.extend((sql, each) for each in values)
        return await run(self, sql, values, returns=returns)

    monkeypatch.setattr(PostgreSQLConnection, "run", heard)
    return sent


async def plan_of(store: Store, statement: str, parameters: Sequence[Any]) -> str:
    """The plan that is kept for it, whatever the parameters are."""
    values = ", ".join(map(_literal, parameters))
    async with store.database.writing() as connection:
        driver = cast("PostgreSQLConnection", connection.driver).driver
        await driver.execute("SET LOCAL plan_cache_mode = force_generic_plan")
        await driver.execute(f"PREPARE looked_at AS {statement}")
        rows = await driver.fetch(f"EXPLAIN EXECUTE looked_at{f'({values})' if parameters else ''}")
        await driver.execute("DEALLOCATE looked_at")
    return "\n".join(row[0] for row in rows)


def _literal(value: Any) -> str:
    match value:
        case None:
            return "NULL"
        case str():
            return f"'{value}'"
        case list():
            return f"ARRAY[{', '.join(map(_literal, value))}]"
        case _:
            return str(value)


async def all_day(store: Store) -> None:
    """What runs again and again, for several tickets at once."""
    refs = [("jira", f"{10000 + number}") for number in range(1, 6)]
    await store.inbox.append([delivery(number) for number in range(100, 103)])
    await store.inbox.pending(Lane("jira"), 100, NOW)
    await store.inbox.pending(Lane(None, but=("jira",)), 100, NOW)
    async with store.database.writing() as connection:
        ours = await store.inbox.lock(connection, [DeliveryId(1), DeliveryId(2)])
        await store.inbox.judge(connection, [Verdict(each, DeliveryState.APPLIED) for each in ours])
        known = await store.links.known(connection, refs, NOW)
        await store.links.keep(connection, {ref: snapshot for ref, (snapshot, _) in known.items()}, NOW)
        await store.links.save(connection, [link for _, link in known.values() if link is not None], NOW)
    await store.claims.outlook(DESTINATION, NOW)
    for claimed in await store.claims.claim(DESTINATION, 2, NOW, TERMS, [LinkId(99)]):
        await store.claims.settle(result(claimed, task=claimed.link.id))
    store.claims.claim_for(lambda _results: Wish(DESTINATION, 2, NOW, TERMS, [LinkId(99)]), lambda _claimed: None)
    await store.claims.turn()
    await store.watched.open("jira", 0, 100)
    await store.watched.count_open("jira")
    await store.watched.seen("jira", [ticket_id for _, ticket_id in refs])
    reconciling = Reconciling(store.database, DESTINATION)
    await reconciling.live(0, 100)
    await reconciling.named([TaskId(1), TaskId(2)], ["a", "b"], [Identity(*ref, 1) for ref in refs])
    async with store.database.writing() as connection:
        await reconciling.lock(connection, [LinkId(1), LinkId(2)])
        await reconciling.generations(connection, refs)
    await store.aged.deliveries(NOW, NOW, 100)
    await store.aged.remove_deliveries([DeliveryId(1), DeliveryId(2)])
    await store.aged.tickets(NOW, refs[0], NOW, 100)
    await store.aged.remove_tickets(refs, NOW)
    await store.inbox.backlog()
    await store.links.backlog(NOW)
    for source in (None, "jira"):  # as the dashboard looks, again and again
        for state in (LinkState.PENDING, LinkState.WAITING, LinkState.PARKED):
            await store.links.list(LinkFilter(source=source, state=state), NOW)
        for waiting in (DeliveryState.PENDING, DeliveryState.PARKED):
            await store.inbox.list(DeliveryFilter(source=source, state=waiting))


async def test_on_sqlite_nothing_that_runs_all_day_reads_a_whole_table(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With two tickets or more in a list of pairs, each batch of the intake read every ticket that was ever heard of."""
    sent: list[tuple[str, Values]] = []
    run = sqlite._run

    def heard(driver: sqlite3.Connection, sql: str, values: Sequence[Values], returns: bool) -> Answer:
        sent.extend((sql, each) for each in values)
        return run(driver, sql, values, returns)

    monkeypatch.setattr(sqlite, "_run", heard)
    database = Database(f"sqlite:///{tmp_path}/bridge.db")
    await upgrade(database)
    store = Store(database)
    for number in range(1, 6):
        await kept(store, number)
    sent.clear()
    await all_day(store)
    await database.close()
    file = sqlite3.connect(tmp_path / "bridge.db")
    whole = {
        sql
        for sql, values in sent
        for *_, step in file.execute(f"EXPLAIN QUERY PLAN {sql}", values)
        if re.match(r"SCAN (links|tickets|deliveries|attempts)(?! USING (COVERING )?INDEX (deliveries|links)_)", step)
    }
    file.close()
    assert len({sql for sql, _ in sent}) > 20
    assert not whole


async def test_what_runs_all_day_is_found_by_the_index_that_was_made_for_it(
    full: Store, seen: list[tuple[str, Sequence[Any]]]
) -> None:
    await full.inbox.pending(Lane("jira"), 100, NOW)
    await full.claims.outlook(DESTINATION, NOW)
    await full.claims.claim(DESTINATION, 16, NOW, TERMS)
    full.claims.claim_for(lambda _results: Wish(DESTINATION, 16, NOW, TERMS, ()), lambda _claimed: None)
    await full.claims.turn()
    await full.watched.open("jira", MANY // 200, 100)
    await Reconciling(full.database, DESTINATION).live(MANY // 200, 100)
    async with full.database.writing() as connection:
        known = await full.links.known(connection, [("jira", f"copy {number}") for number in range(2, 50)], NOW)
        await full.links.save_work(connection, [link for _, link in known.values() if link is not None], NOW)
        await full.inbox.judge(connection, [Verdict(DeliveryId(each), DeliveryState.APPLIED) for each in (2, 3)])
    await full.aged.deliveries(NOW, NOW + timedelta(hours=1), 250)
    await full.aged.tickets(NOW, ("", ""), NOW + timedelta(hours=1), 250)
    wanted = {
        "ORDER BY deliveries.received_at": "deliveries_received_at",
        "AS linked": "tickets_updated_at",
        "FROM tickets": "tickets_pkey",
        "links.ticket_id IN": "links_source_key",
        "length(deliveries.body)": "deliveries_waiting",
        "min(links.due_at)": "links_due",
        "SKIP LOCKED": "links_due",
        "NOT (EXISTS (SELECT": "links_due",
        "links.ticket_state = 'open' AND": "links_open",
        "task_state IN ('open', 'unknown')": "links_live",
        "UPDATE links": "links_pkey",
        "UPDATE deliveries": "deliveries_pkey",
    }
    for words, index in wanted.items():
        statement, parameters = next((sql, values) for sql, values in seen if words in sql)
        plan = await plan_of(full, statement, parameters)
        assert f"using {index}" in plan, f"{statement}\n{plan}"
