"""Cursors: how far long work has come, so that whoever does it next goes on from there."""

from datetime import datetime
from typing import Any

from sqlalchemy import delete, select

from bridge.store.database import Database
from bridge.store.tables import cursors


class Cursors:
    """Places by the name of the work."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def get(self, name: str) -> dict[str, Any] | None:
        """Where the work stands; None if it never began, or came to its end."""
        async with self._database.reading() as connection:
            found = await connection.execute(select(cursors.c.place).where(cursors.c.name == name))
            place: dict[str, Any] | None = found.scalar()
        return place

    async def put(self, name: str, place: dict[str, Any], now: datetime) -> None:
        """The work stands here."""
        statement = self._database.insert(cursors).values(name=name, place=place, updated_at=now)
        statement = statement.on_conflict_do_update(
            index_elements=["name"], set_={one: statement.excluded[one] for one in ("place", "updated_at")}
        )
        async with self._database.writing() as connection:
            await connection.execute(statement)

    async def drop(self, name: str) -> None:
        """The work begins anew."""
        async with self._database.writing() as connection:
            await connection.execute(delete(cursors).where(cursors.c.name == name))
