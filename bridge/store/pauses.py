"""Pauses: which destination waits, until when and why. One row speaks for all replicas."""

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import bindparam, delete, select

from bridge.store.database import Database
from bridge.store.tables import pauses


@dataclass(frozen=True, slots=True)
class Pause:
    """A destination's pause. `failures` counts the pauses since something last went well."""

    until: datetime
    failures: int
    reason: str


_OF = select(pauses).where(pauses.c.destination == bindparam("destination"))
_CLEAR = delete(pauses).where(pauses.c.destination == bindparam("of"), pauses.c.until <= bindparam("ended"))


class Pauses:
    """The pauses of destinations."""

    def __init__(self, database: Database) -> None:
        self._database = database
        insert = database.insert(pauses)
        self._pause = insert.on_conflict_do_update(
            index_elements=["destination"],
            set_={name: insert.excluded[name] for name in ("until", "failures", "reason", "updated_at")},
            where=pauses.c.until < insert.excluded.until,
        )

    async def get(self, destination: str) -> Pause | None:
        """The destination's last pause, ended or not; None if all has gone well since."""
        async with self._database.reading() as connection:
            row = (await connection.execute(_OF, {"destination": destination})).first()
        return None if row is None else Pause(row.until, row.failures, row.reason)

    async def pause(self, destination: str, pause: Pause, now: datetime) -> None:
        """Let the destination wait; the longer of two pauses holds."""
        row = {"until": pause.until, "failures": pause.failures, "reason": pause.reason, "updated_at": now}
        async with self._database.writing() as connection:
            await connection.execute(self._pause, {"destination": destination, **row})

    async def clear(self, destination: str, ended: Pause) -> bool:
        """All goes well again since this pause ended; whether no replica was told to wait longer meanwhile."""
        async with self._database.writing() as connection:
            await connection.execute(_CLEAR, {"of": destination, "ended": ended.until})
            return (await connection.execute(_OF, {"destination": destination})).first() is None
