"""The events that webhooks carry: which change of a task is which event, and its body. No event carries a task's data.

Fields are those of the OpenAPI definition's schemas that are marked `x-webhook-event`.
"""

import base64
import hmac
from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any

from bridge.sandbox.orchestrator.webhooks import Webhook
from bridge.sandbox.orchestrator.world import STATUSES, Activity, Task, World

TENANT_ID = 1

PING = "ping"
CUSTOM = "custom"

_EVENTS = {
    "Created": "task.created",
    "Assigned": "task.assignmentChanged",
    "Reassigned": "task.assignmentChanged",
    "Unassigned": "task.assignmentChanged",
    "Saved": "task.saved",
    "BulkSaved": "task.saved",
    "Forwarded": "task.forwarded",
    "Completed": "task.completed",
    "BulkCompleted": "task.completed",
    "Deleted": "task.deleted",
}
"""By the kind of the activity. A kind that is not here (a comment, a first look) is no event."""

TYPES = (*dict.fromkeys(_EVENTS.values()), "task.updated")


def of_activity(world: World, activity: Activity) -> dict[str, Any] | None:
    """The event of a change, as the task is now; None if the change is none."""
    kind = "task.updated" if activity.metadata else _EVENTS.get(activity.kind)
    if kind is None:
        return None
    task = activity.task
    shown = {**_task(task), **_more(kind, activity)}
    return envelope(
        world,
        kind,
        EntityKey=str(task.key),
        Tasks=[shown],
        OrganizationUnitId=task.folder.id,
        OrganizationUnitKey=str(task.folder.key),
        UserId=activity.by and activity.by.id,
    )


def ping(world: World, webhook: Webhook) -> dict[str, Any]:
    """Send a ping, whatever the webhook wants and even if it is silent; the event."""
    event = envelope(world, PING)
    world.webhooks.post(webhook, event, forced=True)
    return event


def custom(world: World, data: dict[str, Any]) -> dict[str, Any]:
    """Send an event of somebody's own making; the event."""
    event = envelope(world, CUSTOM, EventData=data)
    world.webhooks.send(event)
    return event


def envelope(world: World, kind: str, **fields: Any) -> dict[str, Any]:
    """An event with what every event has. Nobody but the sandbox knows what its id looks like: it is unique."""
    now = moment(world.clock())
    return {
        "Type": kind,
        "EventId": f"{world.rng.getrandbits(128):032x}",
        "Timestamp": now,
        "EntityKey": None,
        **({"ResultReference": None} if kind == "task.completed" else {}),
        "EventTime": now,
        "EventSourceId": None,
        "TenantId": TENANT_ID,
        "OrganizationUnitId": None,
        "OrganizationUnitKey": None,
        "UserKey": None,
        "UserId": None,
        **fields,
    }


def signature(secret: str, body: bytes) -> str:
    """The value of `X-UiPath-Signature`: base64 of the body's HMAC-SHA256."""
    return base64.b64encode(hmac.digest(secret.encode(), body, "sha256")).decode()


def moment(at: datetime | None) -> str | None:
    """.NET's seven digits."""
    return None if at is None else f"{at:%Y-%m-%dT%H:%M:%S}.{at.microsecond:06d}0Z"


def _task(task: Task) -> dict[str, Any]:
    request = task.request
    return {
        "Title": request.title,
        "Type": request.type,
        "Priority": request.priority,
        "Status": STATUSES[task.status],
        "CreationTime": moment(task.creation_time),
        "TaskCatalogName": request.catalog,
        "Id": task.id,
        "OrganizationUnitId": task.folder.id,
        "AssignedToUserId": task.assignee and task.assignee.id,
        "Key": str(task.key),
    }


def _ended(activity: Activity) -> dict[str, Any]:
    task = activity.task
    return {"Action": task.action, "ExternalTag": task.request.external_tag, "FpsContext": None}


_MORE: Mapping[str, Callable[[Activity], dict[str, Any]]] = {
    "task.created": lambda one: {
        "ParentOperationId": one.task.request.parent_operation_id,
        "Tags": one.task.request.tags,
    },
    "task.assignmentChanged": lambda one: {
        "AssignedToUserIdOldValue": one.assigned_before and one.assigned_before.id,
    },
    "task.completed": _ended,
    "task.deleted": lambda one: {
        **_ended(one),
        "DeleterUserId": one.by and one.by.id,
        "DeletionTime": moment(one.task.deletion_time),
    },
    "task.forwarded": lambda one: {"ForwardedByUserId": one.by and one.by.id},
    "task.updated": lambda one: {"Tags": one.task.request.tags},
}


def _more(kind: str, activity: Activity) -> dict[str, Any]:
    more = _MORE.get(kind)
    return more(activity) if more else {}
