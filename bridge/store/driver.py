"""What the store asks of an engine's driver: connections that run text and values, and what its errors mean."""

from collections.abc import Awaitable, Callable, Sequence
from typing import Any, NamedTuple, Protocol, TypeVar

from sqlalchemy import Dialect

from bridge.errors import BridgeError
from bridge.store.pool import Pooled

Values = Sequence[Any]
Done = TypeVar("Done")


class Answer(NamedTuple):
    """What a statement answered: rows with the names of their columns, and how many rows it changed."""

    names: Sequence[str]
    rows: Sequence[Sequence[Any]]
    rowcount: int


class Running(Protocol):
    """Runs statements."""

    async def run(self, sql: str, values: Sequence[Values], *, returns: bool) -> Answer:
        """Run a statement for each of these; its rows together. Without `returns` no rows are asked for."""


class Driver(Running, Pooled, Protocol):
    """A connection."""

    async def begin(self) -> None:
        """Begin a transaction, with the next statement at the latest."""

    async def commit(self) -> None:
        """What was done since is durable when this returns."""

    async def rollback(self) -> None:
        """Undo what was done since."""

    async def transact(self, work: Callable[[Running], Awaitable[Done]]) -> Done:
        """Begin, do the work, commit; undo it if it fails. The work awaits nothing but what it runs."""

    async def together(self, work: Callable[[Running], Awaitable[Done]]) -> Done:
        """Do such work without a transaction."""


class Engine(Protocol):
    """A database of one kind."""

    dialect: Dialect

    async def connect(self) -> Driver:
        """A new connection."""

    def meaning(self, error: BaseException) -> type[BridgeError] | None:
        """What one of the driver's errors is to us; None for an error that is not its."""
