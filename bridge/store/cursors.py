"""Cursors: how far long work has come, so that whoever does it next goes on from there."""

from datetime import datetime
from typing import Any

from sqlalchemy import bindparam, delete, select

from bridge.store.database import Database
from bridge.store.tables import cursors

_PLACE = select(cursors.c.place).where(cursors.c.name == bindparam("name"))


class Cursors:
    """Places by the name of the work."""

    def __init__(self, database: Database) -> None:
        self._database = database
        insert = database.insert(cursors)
        self._put = insert.on_conflict_do_update(
            index_elements=["name"], set_={one: insert.excluded[one] for one in ("place", "updated_at")}
        )

    async def get(self, name: str) -> dict[str, Any] | None:
        """Where the work stands; None if it never began, or came to its end."""
        async with self._database.reading() as connection:
            found = await connection.execute(_PLACE, {"name": name})
            place: dict[str, Any] | None = found.scalar()
        return place

    async def put(self, name: str, place: dict[str, Any], now: datetime) -> None:
        """The work stands here."""
        async with self._database.writing() as connection:
            await connection.execute(self._put, {"name": name, "place": place, "updated_at": now})

    async def drop(self, name: str) -> None:
        """The work begins anew."""
        async with self._database.writing() as connection:
            await connection.execute(delete(cursors).where(cursors.c.name == name))
