"""Migrations, which travel inside the package: bring a database to this version's schema, or say how far it is."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from sqlalchemy import Connection, Select, column, event, func, select, table

from bridge.errors import StoreUnavailable
from bridge.store.database import Database
from bridge.store.sqlite import NO_CHECKPOINT

if TYPE_CHECKING:  # Alembic takes long to import; a database that is up to date never needs it
    from alembic.config import Config

Done = TypeVar("Done")

HEAD = "0005"
"""The newest migration: the schema of `bridge.store.tables`."""


@dataclass(frozen=True, slots=True)
class Revisions:
    """The schema that a database has (None: empty) and the one that this version needs."""

    current: str | None
    head: str
    known: bool = True  # whether this version of the bridge knows the current one

    @property
    def remedy(self) -> str:
        """What to do about a schema that is not up to date."""
        if not self.known:
            return "it belongs to a newer version of the bridge: run that one, or restore a backup of before"
        return "run `bridge database upgrade`"

    @property
    def up_to_date(self) -> bool:
        """Whether they are the same."""
        return self.current == self.head


async def upgrade(database: Database) -> Revisions:
    """Run every migration that is missing; the revisions before it. A failing migration leaves the schema as it was.

    Raises `StoreUnavailable` for a schema that only a newer version of the bridge knows.
    """
    before = await revisions(database)
    if not before.known:
        raise StoreUnavailable(f"the database {database.display} has schema {before.current}: {before.remedy}")
    if not before.up_to_date:
        await migrating(database, _upgrade)
    return before


async def revisions(database: Database) -> Revisions:
    """How far the database's schema is."""
    async with database.reading() as connection:
        there = (await connection.execute(_has_versions(database))).scalar_one()
        current = (await connection.execute(_CURRENT)).scalar() if there else None
    return Revisions(current, HEAD, current in (None, HEAD) or current in _known())


async def migrating(database: Database, work: Callable[[Connection], Done]) -> Done:
    """Work that Alembic or SQLAlchemy's own execution does, in one transaction that writes."""
    from sqlalchemy.ext.asyncio import create_async_engine  # noqa: PLC0415

    driver = "sqlite+aiosqlite" if database.is_sqlite else "postgresql+asyncpg"
    engine = create_async_engine(database.url.set(drivername=driver), hide_parameters=True)
    if database.is_sqlite:  # its driver begins by itself before INSERT, but not before CREATE TABLE
        event.listen(engine.sync_engine, "connect", _leave_begin_to_us)
        event.listen(engine.sync_engine, "begin", lambda connection: connection.exec_driver_sql("BEGIN IMMEDIATE"))
    try:
        with database.translating():
            async with engine.begin() as connection:
                return await connection.run_sync(work)
    finally:
        await engine.dispose()


def _leave_begin_to_us(connection: Any, _record: object) -> None:
    connection.isolation_level = None
    for pragma in ("journal_mode=WAL", NO_CHECKPOINT):
        connection.execute(f"PRAGMA {pragma}").close()


def _upgrade(connection: Connection) -> None:
    from alembic import command  # noqa: PLC0415

    command.upgrade(_config(connection), "head")


def _known() -> set[str]:
    from alembic.script import ScriptDirectory  # noqa: PLC0415

    return {revision.revision for revision in ScriptDirectory.from_config(_config()).walk_revisions()}


_VERSIONS = table("alembic_version", column("version_num"))
_CURRENT = select(_VERSIONS.c.version_num)
_TABLES_OF_SQLITE = table("sqlite_master", column("name"))


def _has_versions(database: Database) -> Select[Any]:
    """Asks whether any migration was ever run."""
    if database.is_sqlite:
        return select(func.count()).where(_TABLES_OF_SQLITE.c.name == _VERSIONS.name)
    return select(func.to_regclass(_VERSIONS.name).is_not(None))


def _config(connection: Connection | None = None) -> "Config":
    from alembic.config import Config  # noqa: PLC0415

    config = Config()
    config.set_main_option("script_location", str(_folder()).replace("%", "%%"))
    config.set_main_option("path_separator", "os")
    config.attributes["connection"] = connection
    return config


def _folder() -> Path:
    """`migrations` lies in the package when it was installed from a wheel, and beside it in a checkout."""
    package = Path(__file__).parents[1]
    inside = package / "migrations"
    return inside if inside.is_dir() else package.parent / "migrations"
