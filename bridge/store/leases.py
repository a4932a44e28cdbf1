"""Leases: one process does a piece of work, and when it dies another one may, once the lease has ended."""

from datetime import datetime, timedelta

from sqlalchemy import bindparam, case, delete, or_, update

from bridge.store.database import Database
from bridge.store.tables import leases

_END = (
    update(leases)
    .where(leases.c.name == bindparam("of"), leases.c.holder == bindparam("by"))
    .values(until=bindparam("at"))
)


class Leases:
    """The leases, as one process takes them. `holder` is its name, unlike that of any other process."""

    def __init__(self, database: Database, holder: str) -> None:
        self._database = database
        self._holder = holder
        insert = database.insert(leases)
        ours = leases.c.holder == insert.excluded.holder
        self._take = insert.on_conflict_do_update(
            index_elements=["name"],
            set_={
                "token": leases.c.token + case((ours, 0), else_=1),
                "holder": insert.excluded.holder,
                "until": insert.excluded.until,
            },
            where=or_(ours, leases.c.until <= bindparam("now")),
        ).returning(leases.c.token)

    async def take(self, name: str, now: datetime, lasts: timedelta) -> int | None:
        """The lease's token, if it is ours now, or still; None while another process has it."""
        row = {"name": name, "holder": self._holder, "token": 1, "until": now + lasts, "now": now}
        async with self._database.writing() as connection:
            token: int | None = (await connection.execute(self._take, row)).scalar()
        return token

    async def give_back(self, name: str, now: datetime) -> None:
        """Let anybody take it."""
        async with self._database.writing() as connection:
            await connection.execute(_END, {"of": name, "by": self._holder, "at": now})

    async def release(self) -> None:
        """Free every lease: for the start of the only process on a database, whose predecessor may have been killed."""
        async with self._database.writing() as connection:
            await connection.execute(delete(leases))
