"""Statements as the drivers get them, and the connections that they run on."""

import asyncio
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Integer, bindparam, func, insert, make_url, select, text

from bridge.errors import ConstraintViolated, StoreUnavailable, Unstorable
from bridge.store import Connection, Database, upgrade
from bridge.store.pool import Pool
from bridge.store.statements import Statements
from bridge.store.tables import cursors
from tests.conftest import new_postgresql_database
from tests.values import NOW

pytestmark = pytest.mark.anyio

NAMES = select(cursors.c.name).order_by(cursors.c.name)
ADD = insert(cursors)


def row(name: str, **place: Any) -> dict[str, Any]:
    return {"name": name, "place": place, "updated_at": NOW}


async def names(database: Database) -> list[str]:
    async with database.reading() as connection:
        return list((await connection.execute(NAMES)).scalars())


# -- statements --------------------------------------------------------------------------------------------------------------------


async def test_types_are_those_of_the_columns_on_both_ways(database: Database) -> None:
    async with database.writing() as connection:
        await connection.execute(ADD, row("a", page=[1, "é"], nothing=None))
    async with database.reading() as connection:
        found = (await connection.execute(select(cursors))).one()
    assert (found.name, found.place, found.updated_at) == ("a", {"page": [1, "é"], "nothing": None}, NOW)


@pytest.mark.parametrize("wanted", [[], ["b"], ["a", "b", "c"], ["c"] * 5, [str(number) for number in range(100)]])
async def test_a_list_may_have_any_length(database: Database, wanted: list[str]) -> None:
    async with database.writing() as connection:
        await connection.execute(ADD, [row("a"), row("b"), row("c")])
    in_list = cursors.c.name.in_(bindparam("wanted", expanding=True))
    for statement, expected in (
        (NAMES.where(in_list), {"a", "b", "c"} & set(wanted)),
        (NAMES.where(~in_list), {"a", "b", "c"} - set(wanted)),
    ):
        async with database.reading() as connection:
            assert set((await connection.execute(statement, {"wanted": wanted})).scalars()) == expected


async def test_a_literal_is_that_of_this_time(database: Database) -> None:
    statement = select(bindparam("number", type_=Integer, literal_execute=True))
    async with database.reading() as connection:
        assert [(await connection.execute(statement, {"number": n})).scalar_one() for n in (1, 2, 1)] == [1, 2, 1]


async def test_rows_that_were_changed_are_counted(database: Database) -> None:
    async with database.writing() as connection:
        assert (await connection.execute(ADD, [row("a"), row("b")])).rowcount in (
            2,
            -1,
        )  # PostgreSQL does not tell for several
        assert (await connection.execute(cursors.update().values(place={"n": 1}))).rowcount == 2
        assert (await connection.execute(cursors.delete().where(cursors.c.name == "a"))).rowcount == 1


async def test_every_row_of_many_is_answered(database: Database) -> None:
    statement = database.insert(cursors).on_conflict_do_nothing().returning(cursors.c.name)
    async with database.writing() as connection:
        stored = await connection.execute(statement, [row("a"), row("b"), row("a")])
    assert [each.name for each in stored] == ["a", "b"]


def test_a_parameter_that_was_forgotten_is_no_null() -> None:
    statements = Statements(make_url("sqlite://").get_dialect()())
    compiled = statements.of(NAMES.where(cursors.c.name == bindparam("wanted")), {})
    with pytest.raises(Exception, match="wanted"):
        compiled.sql({}).values({})


def test_a_statement_is_compiled_once() -> None:
    statements = Statements(make_url("sqlite://").get_dialect()())
    assert statements.of(ADD, row("a")) is statements.of(ADD, row("b"))


# -- transactions --------------------------------------------------------------------------------------------------------------------


async def add(connection: Connection, name: str) -> None:
    await connection.execute(ADD, row(name))


async def test_what_fails_is_undone(database: Database) -> None:
    async def work(connection: Connection) -> None:
        await add(connection, "a")
        raise LookupError

    with pytest.raises(LookupError):
        await database.write(work)
    with pytest.raises(LookupError):
        async with database.writing() as connection:
            await work(connection)
    assert await names(database) == []
    await database.write(lambda connection: add(connection, "b"))
    assert await names(database) == ["b"]


async def test_a_broken_constraint_says_so(database: Database) -> None:
    await database.write(lambda connection: add(connection, "a"))
    with pytest.raises(ConstraintViolated):
        await database.write(lambda connection: add(connection, "a"))
    assert await names(database) == ["a"]


async def test_a_value_that_no_column_takes_is_unstorable(database: Database) -> None:
    with pytest.raises(Unstorable) as caught:
        await database.write(lambda connection: connection.execute(ADD, {**row("a"), "updated_at": "noon"}))
    assert "INSERT" not in str(caught.value)


async def test_somebody_who_is_cancelled_in_a_transaction_leaves_nothing(database: Database) -> None:
    begun = asyncio.Event()

    async def write() -> None:
        async with database.writing() as connection:
            await add(connection, "a")
            begun.set()
            await asyncio.Event().wait()

    writing = asyncio.create_task(write())
    await begun.wait()
    writing.cancel()
    await asyncio.gather(writing, return_exceptions=True)
    await database.write(lambda connection: add(connection, "b"))
    assert await names(database) == ["b"]


async def test_somebody_who_is_cancelled_at_any_step_leaves_all_or_nothing(database: Database) -> None:
    """SQLite's thread goes on with what it was given, and PostgreSQL with what was sent: neither may reach the next transaction."""

    async def write(name: str) -> None:
        async with database.writing() as connection:
            await add(connection, f"{name} first")
            await add(connection, f"{name} second")

    for steps in range(12):
        writing = asyncio.create_task(write(f"{steps:02}"))
        for _ in range(steps):
            await asyncio.sleep(0)
        writing.cancel()
        await asyncio.gather(writing, return_exceptions=True)
        await database.write(lambda connection, steps=steps: add(connection, f"{steps:02} after"))  # type: ignore[misc]
    found = await names(database)
    for steps in range(12):
        parts = [name[3:] for name in found if name.startswith(f"{steps:02}")]
        assert parts in (["after"], ["after", "first", "second"])


async def test_work_that_waits_for_something_else_is_undone_on_sqlite(tmp_path: Path) -> None:
    database = Database(f"sqlite:///{tmp_path}/bridge.db")
    await upgrade(database)

    async def work(connection: Connection) -> None:
        await add(connection, "a")
        await asyncio.sleep(0)

    with pytest.raises(RuntimeError, match="awaits nothing but its statements"):
        await database.write(work)
    assert await names(database) == []
    await database.close()


# -- the pool ----------------------------------------------------------------------------------------------------------------------


class Line:
    """A connection that can be broken."""

    def __init__(self) -> None:
        self.idle = True
        self.closed = False

    def is_idle(self) -> bool:
        return self.idle

    async def close(self) -> None:
        self.closed = True


async def test_a_connection_is_used_again_unless_it_is_broken() -> None:
    made: list[Line] = []

    async def connect() -> Line:
        made.append(Line())
        return made[-1]

    pool = Pool(connect, 1, 1)
    for _ in range(2):
        async with pool.connection() as line:
            assert line is made[0]
    made[0].idle = False  # while nobody has it
    async with pool.connection() as line:
        assert line is made[1]
        line.idle = False  # while somebody has it
    async with pool.connection() as line:
        assert line is made[2]
    await pool.close()
    assert [line.closed for line in made] == [True, True, True]


async def test_whoever_waits_too_long_for_a_connection_is_told() -> None:
    async def connect() -> Line:
        return Line()

    pool = Pool(connect, 1, 0.01)
    async with pool.connection():
        with pytest.raises(StoreUnavailable, match="no connection to the database was free"):
            async with pool.connection():
                pass
    async with pool.connection():
        pass


async def test_a_connection_that_cannot_be_made_takes_no_place() -> None:
    async def connect() -> Line:
        raise OSError

    pool = Pool(connect, 1, 0.01)
    for _ in range(2):
        with pytest.raises(OSError):  # noqa: PT011 - it has no words
            async with pool.connection():
                pass


async def test_what_postgresql_says_at_the_end_is_believed(postgresql: Any) -> None:
    """COMMIT of a transaction that has failed is answered with ROLLBACK, and with no error."""
    database = Database(new_postgresql_database(postgresql))
    await upgrade(database)

    async def work(connection: Connection) -> None:
        await add(connection, "a")
        with pytest.raises(Exception, match="nowhere"):
            await connection.execute(text("SELECT * FROM nowhere"))

    with pytest.raises(StoreUnavailable, match="undone the transaction"):
        await database.write(work)
    assert await names(database) == []
    await database.close()


async def test_a_connection_that_owes_an_answer_is_not_asked_again(postgresql: Any) -> None:
    """The server is told to cancel what took too long, and may be away: whoever comes next is not to wait for that."""
    database = Database(new_postgresql_database(postgresql), command_timeout=timedelta(seconds=0.2))
    backend = text("SELECT pg_backend_pid()")
    async with database.reading() as connection:
        first = (await connection.execute(backend)).scalar_one()

    async def work(connection: Connection) -> None:
        assert (await connection.execute(backend)).scalar_one() == first
        await connection.execute(text("SELECT pg_sleep(60)"))

    with pytest.raises(StoreUnavailable):
        await database.write(work)
    async with database.reading() as connection:
        assert (await connection.execute(backend)).scalar_one() != first
    await database.close()


async def test_statements_need_not_be_prepared_for_longer_than_once(postgresql: Any) -> None:
    """PgBouncer may give every transaction another server."""
    database = Database(f"{new_postgresql_database(postgresql)}&prepared_statement_cache_size=0")
    await upgrade(database)
    async with database.reading() as connection:
        await connection.execute(NAMES)
        prepared = await connection.execute(
            text("SELECT count(*) FROM pg_prepared_statements WHERE statement LIKE '%cursors%'")
        )
    assert prepared.scalar_one() == 0
    await database.close()


async def test_the_engines_answer_alike(database: Database) -> None:
    async with database.reading() as connection:
        assert (await connection.execute(select(func.count()).select_from(cursors))).scalar_one() == 0
        assert (await connection.execute(text("SELECT 1 AS one, 2 AS two"))).one()._asdict() == {"one": 1, "two": 2}
