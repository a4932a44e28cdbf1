"""Rows and values: how a link, a snapshot and a delivery lie in the tables."""

from typing import Any

from sqlalchemy import Row

from bridge.fold import Snapshot
from bridge.model import Delivery, DeliveryId, Link
from bridge.store.tables import links

_IS = ("source", "ticket_id", "generation", "correlation_key", "destination", "created_at")
"""The columns of a link that never change: to write them again would write their indexes again."""

_WANTS_AS_IT_IS = (
    "route",
    "route_version",
    "policy",
    "ticket_key",
    "ticket_url",
    "ticket_state",
    "version",
    "closed_version",
    "seen_open",
    "request",
    "completion",
)
_WORK_AS_IT_IS = (
    "task_state",
    "task_id",
    "create_sent_at",
    "ended_version",
    "due_at",
    "leased_until",
    "claim",
    "attempts",
    "parked",
    "last_error",
    "updated_at",
)
"""The columns of a link that hold what the field of the same name holds."""

_COLUMNS = links.columns.keys()
_EMPTY_IF_NULL = [_COLUMNS.index(name) for name in ("shows", "told", "refused")]

CHANGING = [name for name in _COLUMNS if name not in ("id", *_IS)]
"""The columns that change: by what is heard of the ticket, and by steps."""

WORK = (*_WORK_AS_IT_IS, "told", "refused", "create_safe_at")
"""The columns that a step changes."""


def link_of(row: Row[Any]) -> Link:
    """The link in a whole row of `links`, whose columns are its fields in their order."""
    values = list(row)
    for place in _EMPTY_IF_NULL:
        if values[place] is None:
            values[place] = {}
    return Link(*values)


def row_of(link: Link) -> dict[str, Any]:
    """A link's columns, without its id."""
    return {**{name: getattr(link, name) for name in _IS}, **changing_of(link)}


def changing_of(link: Link) -> dict[str, Any]:
    """The columns that say what a link's ticket wants, what its task is, and what is due."""
    return {
        "shows": link.shows or None,
        **{name: getattr(link, name) for name in _WANTS_AS_IT_IS},
        **work_of(link),
    }


def work_of(link: Link) -> dict[str, Any]:
    """The columns that say what a link's task is, and what is due: all that a step changes."""
    return {
        "told": link.told or None,
        "refused": link.refused or None,
        "create_safe_at": link.safe_at,
        **{name: getattr(link, name) for name in _WORK_AS_IT_IS},
    }


def snapshot_of(row: Row[Any]) -> Snapshot:
    """The snapshot in a row of `tickets`."""
    return Snapshot(version=row.version, closed_version=row.closed_version, layers=row.layers)


def delivery_of(row: Row[Any]) -> Delivery:
    """The delivery in a row of `deliveries`."""
    return Delivery(
        id=DeliveryId(row.id),
        size=row.size or len(row.body),
        source=row.source,
        dedupe_key=row.dedupe_key,
        received_at=row.received_at,
        event=row.event,
        ticket_id=row.ticket_id,
        body=row.body,
        headers=row.headers,
        state=row.state,
        reason=row.reason,
    )
