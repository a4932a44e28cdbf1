"""Rows and values: how a link, a snapshot and a delivery lie in the tables."""

from collections.abc import Mapping
from typing import Any

from sqlalchemy import Row

from bridge.fold import Snapshot
from bridge.model import (
    Completion,
    Delivery,
    DeliveryId,
    DeliveryState,
    Folder,
    Link,
    Policy,
    Refusal,
    TaskRequest,
    TaskState,
    TicketState,
)
from bridge.replacing import made
from bridge.store.tables import links

_IS = ("source", "ticket_id", "generation", "correlation_key", "destination", "created_at")
"""The columns of a link that never change: to write them again would write their indexes again."""

_WANTS_AS_IT_IS = (
    "route",
    "route_version",
    "ticket_key",
    "ticket_url",
    "version",
    "closed_version",
    "seen_open",
)
_WORK_AS_IT_IS = (
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

CHANGING = [name for name in _COLUMNS if name not in ("id", *_IS)]
"""The columns that change: by what is heard of the ticket, and by steps."""

WORK = (*_WORK_AS_IT_IS, "task_state", "task_id", "told", "refused", "create_safe_at")
"""The columns that a step changes."""


def link_of(row: Row[Any]) -> Link:
    """The link in a whole row of `links`."""
    fields = dict(zip(_COLUMNS, row, strict=True))
    fields["policy"] = Policy(**fields["policy"])
    fields["ticket_state"] = TicketState(fields["ticket_state"])
    fields["request"] = _request_of(fields["request"])
    fields["completion"] = None if fields["completion"] is None else Completion(**fields["completion"])
    fields["shows"] = fields["shows"] or {}
    fields["task_state"] = TaskState(fields["task_state"])
    fields["told"] = fields["told"] or {}
    fields["safe_at"] = fields.pop("create_safe_at")
    fields["refused"] = {name: Refusal(**refusal) for name, refusal in (fields["refused"] or {}).items()}
    return made(Link, fields)


def row_of(link: Link) -> dict[str, Any]:
    """A link's columns, without its id."""
    return {**{name: getattr(link, name) for name in _IS}, **changing_of(link)}


def changing_of(link: Link) -> dict[str, Any]:
    """The columns that say what a link's ticket wants, what its task is, and what is due."""
    return {
        "policy": link.policy,
        "ticket_state": link.ticket_state,
        "request": link.request,
        "completion": link.completion,
        "shows": link.shows or None,
        **{name: getattr(link, name) for name in _WANTS_AS_IT_IS},
        **work_of(link),
    }


def work_of(link: Link) -> dict[str, Any]:
    """The columns that say what a link's task is, and what is due: all that a step changes."""
    return {
        "task_state": link.task_state,
        "task_id": link.task_id,
        "told": link.told or None,
        "refused": link.refused or None,
        "create_safe_at": link.safe_at,
        **{name: getattr(link, name) for name in _WORK_AS_IT_IS},
    }


def _request_of(document: Mapping[str, Any] | None) -> TaskRequest | None:
    if document is None:
        return None
    folder = document["folder"]
    return TaskRequest(body=document["body"], folder=None if folder is None else Folder(**folder))


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
        state=DeliveryState(row.state),
        reason=row.reason,
    )
