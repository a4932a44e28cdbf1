"""Links, deliveries and attempts as JSON, for the API and for `--json` alike. Times are RFC 3339 in UTC."""

from datetime import UTC, datetime
from typing import Any

from bridge.model import Attempt, Delivery, Link
from bridge.sync.poller import PollStatus


def moment(at: datetime | None) -> str | None:
    """RFC 3339, to the millisecond."""
    return None if at is None else at.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def link_json(link: Link, now: datetime) -> dict[str, Any]:
    """A link."""
    return {
        "id": link.id,
        "source": link.source,
        "ticket_id": link.ticket_id,
        "ticket_key": link.ticket_key,
        "ticket_url": link.ticket_url,
        "ticket_state": link.ticket_state,
        "generation": link.generation,
        "route": link.route,
        "task_id": link.task_id,
        "task_state": link.task_state,
        "external_tag": link.request.body.get("externalTag") if link.request else None,
        "state": link.state(now),
        "due_at": moment(link.due_at),
        "attempts": link.attempts,
        "last_error": link.last_error,
        "note": link.note,
        "created_at": moment(link.created_at),
        "updated_at": moment(link.updated_at),
    }


def delivery_json(delivery: Delivery, *, body: bool = False) -> dict[str, Any]:
    """A delivery; its body only where one is shown alone."""
    shown: dict[str, Any] = {
        "id": delivery.id,
        "source": delivery.source,
        "received_at": moment(delivery.received_at),
        "event": delivery.event,
        "ticket_id": delivery.ticket_id,
        "state": delivery.state,
        "reason": delivery.reason,
        "size": delivery.size,
    }
    if body:
        shown |= {"headers": delivery.headers, "body": delivery.body.decode(errors="replace")}
    return shown


def attempt_json(attempt: Attempt) -> dict[str, Any]:
    """An attempt."""
    return {
        "step": attempt.step,
        "started_at": moment(attempt.started_at),
        "took_ms": round(attempt.took.total_seconds() * 1000),
        "outcome": attempt.outcome,
        "detail": attempt.detail,
    }


def poll_json(status: PollStatus) -> dict[str, Any]:
    """How a source's poll stands."""
    pause = status.pause
    return {
        "last": moment(status.last),
        "failures": pause.failures if pause else 0,
        "last_error": pause.reason if pause else None,
        "waits_until": moment(pause.until) if pause else None,
    }
