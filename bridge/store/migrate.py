"""Migrations, which travel inside the package: bring a database to this version's schema, or say how far it is."""

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from sqlalchemy import Connection, column, inspect, select, table

from bridge.errors import StoreUnavailable
from bridge.store.database import Database

if TYPE_CHECKING:  # Alembic takes long to import; a database that is up to date never needs it
    from alembic.config import Config

HEAD = "0004"
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
        async with database.writing() as connection:
            await connection.run_sync(_upgrade)
    return before


async def revisions(database: Database) -> Revisions:
    """How far the database's schema is."""
    async with database.reading() as connection:
        return await connection.run_sync(_revisions)


def _upgrade(connection: Connection) -> None:
    from alembic import command  # noqa: PLC0415

    command.upgrade(_config(connection), "head")


def _revisions(connection: Connection) -> Revisions:
    current = connection.execute(_CURRENT).scalar() if inspect(connection).has_table(_VERSIONS.name) else None
    known = current in (None, HEAD) or current in _known(connection)
    return Revisions(current, HEAD, known)


def _known(connection: Connection) -> set[str]:
    from alembic.script import ScriptDirectory  # noqa: PLC0415

    return {revision.revision for revision in ScriptDirectory.from_config(_config(connection)).walk_revisions()}


_VERSIONS = table("alembic_version", column("version_num"))
_CURRENT = select(_VERSIONS.c.version_num)


def _config(connection: Connection) -> "Config":
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
