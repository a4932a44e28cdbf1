"""Which index is taken for the statements that run all day: on PostgreSQL in a large table, with a plan that is kept for any parameters."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import text
from sqlalchemy.dialects import sqlite

from bridge.store import Database, Lane, Store, upgrade
from bridge.store.driver import Answer, Values
from bridge.store.inbox import _sizes
from bridge.store.postgresql import PostgreSQLConnection
from bridge.store.reconciling import Reconciling
from tests.conftest import new_postgresql_database
from tests.store.test_inbox import delivery
from tests.store.test_links import DESTINATION, TERMS, kept
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
            ("deliveries", {"id": "n", "dedupe_key": "'copy ' || n", "state": "'applied'"}),
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
    values = ", ".join(
        "NULL" if one is None else f"'{one}'" if isinstance(one, str) else str(one) for one in parameters
    )
    async with store.database.writing() as connection:
        driver = connection.driver.driver
        await driver.execute("SET LOCAL plan_cache_mode = force_generic_plan")
        await driver.execute(f"PREPARE looked_at AS {statement}")
        rows = await driver.fetch(f"EXPLAIN EXECUTE looked_at{f'({values})' if parameters else ''}")
        await driver.execute("DEALLOCATE looked_at")
    return "\n".join(row[0] for row in rows)


async def test_sqlite_finds_what_waits_by_the_index_too(tmp_path: Path) -> None:
    database = Database(f"sqlite:///{tmp_path}/bridge.db")
    await upgrade(database)
    for lane in (Lane("jira"), Lane(None, but=("jira",))):
        statement = str(_sizes(lane).compile(dialect=sqlite.dialect(), compile_kwargs={"literal_binds": True}))
        async with database.reading() as connection:
            plan = [row.detail for row in await connection.execute(text(f"EXPLAIN QUERY PLAN {statement}"))]
        assert all("USING INDEX deliveries_waiting" in line for line in plan), f"{statement}\n{plan}"
    await database.close()


async def test_what_runs_all_day_is_found_by_the_index_that_was_made_for_it(
    full: Store, seen: list[tuple[str, Sequence[Any]]]
) -> None:
    await full.inbox.pending(Lane("jira"), 100, NOW)
    await full.links.outlook(DESTINATION, NOW)
    await full.links.claim(DESTINATION, 16, NOW, TERMS)
    await full.watched.open("jira", MANY // 200, 100)
    await Reconciling(full.database, DESTINATION).live(MANY // 200, 100)
    wanted = {
        "length(deliveries.body)": "deliveries_waiting",
        "min(links.due_at)": "links_due",
        "SKIP LOCKED": "links_due",
        "links.ticket_state = 'open' AND": "links_open",
        "task_state IN ('open', 'unknown')": "links_live",
    }
    for words, index in wanted.items():
        statement, parameters = next((sql, values) for sql, values in seen if words in sql)
        plan = await plan_of(full, statement, parameters)
        assert f"using {index}" in plan, f"{statement}\n{plan}"
