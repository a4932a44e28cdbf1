"""What is left of a world when it has ended."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

from sqlalchemy import Connection

from bridge.model import TaskId
from tests.simulation.orchestrator import TaskOnServer
from tests.simulation.plan import Setting
from tests.simulation.tracker import Issue


@dataclass(frozen=True, slots=True)
class Acknowledged:
    """A delivery that the tracker was told to be durable."""

    ticket: str
    dedupe_key: str
    is_open_here: bool  # it says that the ticket is open, where the route selects it


@dataclass(frozen=True, slots=True)
class Records:
    """The database, both systems, and what was promised."""

    database: Connection
    setting: Setting
    issues: Mapping[str, Issue]
    tasks: Mapping[TaskId, TaskOnServer]
    acknowledged: Sequence[Acknowledged]
    mistakes: Sequence[str]
    late: Collection[int]
    """Links of which an outcome came when another worker had the lease: it is in the audit trail, and changed nothing."""
