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
    LinkId,
    Policy,
    Refusal,
    TaskId,
    TaskRequest,
    TaskState,
    TicketState,
)

_WANTS_AS_IT_IS = (
    "source",
    "ticket_id",
    "generation",
    "correlation_key",
    "destination",
    "route",
    "route_version",
    "ticket_key",
    "ticket_url",
    "version",
    "closed_version",
    "seen_open",
    "created_at",
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

_AS_IT_IS = _WANTS_AS_IT_IS + _WORK_AS_IT_IS

WORK = (*_WORK_AS_IT_IS, "task_state", "task_id", "told", "refused", "create_safe_at")
"""The columns that a step changes."""


def link_of(row: Row[Any]) -> Link:
    """The link in a row of `links`."""
    fields = row._mapping  # noqa: SLF001 - SQLAlchemy's public name for a row as a mapping
    return Link(
        id=LinkId(row.id),
        policy=Policy(**row.policy),
        ticket_state=TicketState(row.ticket_state),
        request=_request_of(row.request),
        completion=None if row.completion is None else Completion(**row.completion),
        shows=row.shows or {},
        task_state=TaskState(row.task_state),
        task_id=None if row.task_id is None else TaskId(row.task_id),
        told=row.told or {},
        safe_at=row.create_safe_at,
        refused={name: Refusal(**refusal) for name, refusal in (row.refused or {}).items()},
        **{name: fields[name] for name in _AS_IT_IS},
    )


def row_of(link: Link) -> dict[str, Any]:
    """A link's columns, without its id."""
    return {**_wants_of(link), **work_of(link)}


def _wants_of(link: Link) -> dict[str, Any]:
    """The columns that say what a link is and what its ticket wants."""
    return {
        "policy": link.policy,
        "ticket_state": link.ticket_state,
        "request": link.request,
        "completion": link.completion,
        "shows": link.shows or None,
        **{name: getattr(link, name) for name in _WANTS_AS_IT_IS},
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
