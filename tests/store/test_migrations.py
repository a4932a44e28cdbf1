"""Migrations expand before they contract: a version that still runs while its database is upgraded goes on working."""

from collections.abc import Iterator
from itertools import count
from typing import Any

import pytest
from alembic import command
from alembic.script import ScriptDirectory
from sqlalchemy import (
    Boolean,
    Column,
    Connection,
    Integer,
    LargeBinary,
    MetaData,
    PrimaryKeyConstraint,
    Table,
    UniqueConstraint,
    inspect,
    select,
)

from bridge.store import Database, Revisions, revisions, upgrade
from bridge.store.migrate import HEAD, _config, migrating
from tests.conftest import new_postgresql_database

pytestmark = pytest.mark.anyio


@pytest.fixture(params=["sqlite", "postgresql"])
def empty_url(request: pytest.FixtureRequest, tmp_path: Any) -> str:
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path}/bridge.db"
    return new_postgresql_database(request.getfixturevalue("postgresql"), migrated=False)


async def test_what_an_older_version_writes_and_reads_goes_on_after_every_migration(empty_url: str) -> None:
    database = Database(empty_url)
    revisions = await migrating(database, _walk)
    assert len(revisions) > 3


async def test_the_newest_migration_is_the_schema_that_is_asked_for(empty_url: str) -> None:
    database = Database(empty_url)
    assert await revisions(database) == Revisions(None, HEAD)
    assert ScriptDirectory.from_config(_config()).get_heads() == [HEAD]
    assert await upgrade(database) == Revisions(None, HEAD)
    assert await revisions(database) == Revisions(HEAD, HEAD)
    assert (await upgrade(database)).up_to_date
    await database.close()


def _walk(connection: Connection) -> list[str]:
    """Upgrade step by step; after each the statements of every earlier version are tried."""
    script = ScriptDirectory.from_config(_config(connection))
    revisions = [revision.revision for revision in reversed(list(script.walk_revisions()))]
    versions: list[tuple[str, MetaData]] = []
    rows: dict[str, int] = {}
    numbers = count(1)
    for revision in revisions:
        command.upgrade(_config(connection), revision)
        now = _reflected(connection)
        versions.append((revision, now))
        for older, tables in versions:
            for table in _in_order(tables):
                rows[table.name] = next(numbers)
                connection.execute(table.insert(), _row(table, rows))
                assert connection.execute(select(table)).all(), f"{older} reads {table.name} after {revision}"
                lost = _unique(table) - _unique(now.tables[table.name])
                assert not lost, f"{revision} drops what ON CONFLICT of {older} needs: {lost}"
    return revisions


def _reflected(connection: Connection) -> MetaData:
    inspect(connection).clear_cache()
    tables = MetaData()
    tables.reflect(connection)
    return tables


def _in_order(tables: MetaData) -> Iterator[Table]:
    yield from (table for table in tables.sorted_tables if table.name != "alembic_version")


def _row(table: Table, rows: dict[str, int]) -> dict[str, Any]:
    """A value for every column that needs one: the row's number, that of the row it belongs to, or a text with it."""
    return {
        column.name: _value(column, rows[next(iter(column.foreign_keys)).column.table.name])
        if column.foreign_keys
        else _value(column, rows[table.name])
        for column in table.columns
        if not column.nullable
    }


def _value(column: Column[Any], number: int) -> Any:
    match column.type:
        case Boolean():
            return True
        case Integer():
            return number
        case LargeBinary():
            return b"{}"
        case _:
            return f"text {number}"


def _unique(table: Table) -> set[frozenset[str]]:
    """The sets of columns that name one row."""
    keys = (each for each in table.constraints if isinstance(each, UniqueConstraint | PrimaryKeyConstraint))
    return {frozenset(column.name for column in key.columns) for key in keys}
