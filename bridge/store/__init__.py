"""The store: deliveries, links and pauses, on SQLite or PostgreSQL. The only place that knows SQL."""

from collections.abc import Callable
from uuid import uuid4

from bridge.store.aged import Aged
from bridge.store.alone import alone_on
from bridge.store.claims import Claimed, Claims, Outlook, Reopen, Result, Terms, Wish
from bridge.store.cursors import Cursors
from bridge.store.database import Connection, Database
from bridge.store.inbox import DeliveryFilter, Inbox, Lane, Verdict
from bridge.store.leases import Leases
from bridge.store.links import LinkFilter, Links, Render
from bridge.store.migrate import Revisions, revisions, upgrade
from bridge.store.pauses import Pause, Pauses
from bridge.store.signals import DUE, Signals
from bridge.store.watched import Seen, Watched

__all__ = [
    "DUE",
    "Aged",
    "Claimed",
    "Claims",
    "Connection",
    "Cursors",
    "Database",
    "DeliveryFilter",
    "Inbox",
    "Lane",
    "Leases",
    "LinkFilter",
    "Links",
    "Outlook",
    "Pause",
    "Pauses",
    "Render",
    "Reopen",
    "Result",
    "Revisions",
    "Seen",
    "Signals",
    "Store",
    "Terms",
    "Verdict",
    "Watched",
    "Wish",
    "alone_on",
    "revisions",
    "upgrade",
]


def _ignore(*_: object) -> None:
    """Nobody in this process waits for the news."""


class Store:
    """One database's tables. The two callbacks are told of a source's new deliveries, and that links became due."""

    def __init__(
        self, database: Database, on_delivery: Callable[[str], None] = _ignore, on_due: Callable[[], None] = _ignore
    ) -> None:
        self.database = database
        name = str(uuid4())
        self.signals = Signals(database, name)
        self.inbox = Inbox(database, self.signals, on_delivery)
        self.links = Links(database, self.signals, on_due)
        self.claims = Claims(database, self.links, on_due)
        self.pauses = Pauses(database)
        self.cursors = Cursors(database)
        self.leases = Leases(database, name)
        self.watched = Watched(database)
        self.aged = Aged(database)
