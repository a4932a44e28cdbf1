"""Leases: one process does a piece of work, and when it dies another one may, once the lease has ended."""

from datetime import datetime, timedelta

from sqlalchemy import case, delete, or_, update

from bridge.store.database import Database
from bridge.store.tables import leases


class Leases:
    """The leases, as one process takes them. `holder` is its name, unlike that of any other process."""

    def __init__(self, database: Database, holder: str) -> None:
        self._database = database
        self._holder = holder

    async def take(self, name: str, now: datetime, lasts: timedelta) -> int | None:
        """The lease's token, if it is ours now, or still; None while another process has it."""
        statement = self._database.insert(leases).values(name=name, holder=self._holder, token=1, until=now + lasts)
        ours = leases.c.holder == self._holder
        statement = statement.on_conflict_do_update(
            index_elements=["name"],
            set_={
                "token": leases.c.token + case((ours, 0), else_=1),
                "holder": statement.excluded.holder,
                "until": statement.excluded.until,
            },
            where=or_(ours, leases.c.until <= now),
        ).returning(leases.c.token)
        async with self._database.writing() as connection:
            token: int | None = (await connection.execute(statement)).scalar()
        return token

    async def give_back(self, name: str, now: datetime) -> None:
        """Let anybody take it."""
        async with self._database.writing() as connection:
            await connection.execute(
                update(leases).where(leases.c.name == name, leases.c.holder == self._holder).values(until=now)
            )

    async def release(self) -> None:
        """Free every lease: for the start of the only process on a database, whose predecessor may have been killed."""
        async with self._database.writing() as connection:
            await connection.execute(delete(leases))
