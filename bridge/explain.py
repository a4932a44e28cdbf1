"""What the bridge would do with a payload, said in words; nothing is stored and nothing is called."""

from collections.abc import Iterator
from datetime import datetime
from typing import Any

from msgspec.structs import replace

from bridge.config import Config
from bridge.errors import MalformedBody, Refused, TemplateError
from bridge.fold import Snapshot
from bridge.model import ASSIGNEE, EDITED, Link, Observation, Step, TaskId, TaskState
from bridge.plan import plan
from bridge.routes import Route, View
from bridge.sync.follow import Follower, Known
from bridge.trackers import Ignored, Recognised

Explanation = dict[str, Any]


def explain(config: Config, follower: Follower, body: bytes, now: datetime) -> Explanation:
    """What the payload means, which route takes it and why the others do not, and the requests that it would lead to.

    Keys: `event`, `outcome` (applied, ignored, parked or refused), `reason`, and where a ticket is in it `ticket`, `routes`, `steps`.
    A payload of several records has the outcome `several`, and such an explanation for each under `records`.
    """
    try:
        found = follower.tracker.recognise({}, body, now)
    except MalformedBody as error:
        return {"event": None, "outcome": "refused", "reason": f"{error}; the webhook would be answered with 400"}
    except Refused as error:
        return {"event": None, "outcome": "refused", "reason": f"{error}; the webhook would be answered with 401"}
    explained = [_of_delivery(config, follower, delivery, now) for delivery in found]
    if not explained:
        return {"event": None, "outcome": "ignored", "reason": "it carries no record at all; it would be acknowledged"}
    if len(explained) == 1:
        return explained[0]
    reason = f"{len(explained)} records; each becomes a delivery of its own"
    return {"event": found[0].event, "outcome": "several", "reason": reason, "records": explained}


def _of_delivery(config: Config, follower: Follower, found: Recognised, now: datetime) -> Explanation:
    try:
        said = follower.tracker.read(found.body, now)
    except TemplateError as error:
        return {"event": found.event, "outcome": "parked", "reason": str(error)}
    except Exception as error:  # noqa: BLE001 - what the intake would park the delivery with
        return {"event": found.event, "outcome": "parked", "reason": f"cannot be read: {type(error).__name__}: {error}"}
    if isinstance(said, Ignored):
        return {"event": found.event, "outcome": "ignored", "reason": said.reason}
    return {"event": found.event, **_of_ticket(config, follower, said, now)}


def _of_ticket(config: Config, follower: Follower, said: Observation, now: datetime) -> Explanation:
    ticket = follower.tracker.ticket(said.ticket_id, said.facts)
    view = View(ticket, said.facts, follower.source)
    shown = {
        "id": ticket.id,
        "key": ticket.key,
        "title": ticket.title,
        "status": ticket.status,
        "state": said.state.value if said.state else "not told: taken as open, or as it was known before",
        "project": ticket.project,
        "type": ticket.type,
        "priority": ticket.priority,
    }
    explained: Explanation = {
        "ticket": shown,
        "routes": [_of_route(route, view) for route in follower.routes.of(follower.source)],
    }
    try:
        known = follower.follow(Known(Snapshot()), said, now)
        if known.link is None:
            return {"outcome": "ignored", "reason": "no route selects this ticket", **explained}
        return {
            "outcome": "applied",
            "reason": _meaning(known.link),
            **explained,
            "steps": list(_steps(config, follower, said, known.link, now)),
        }
    except TemplateError as error:
        return {"outcome": "parked", "reason": str(error), **explained}


def _of_route(route: Route, view: View) -> Explanation:
    if route.when is None:
        return {"name": route.name, "selects": True, "why": "it has no condition"}
    try:
        selects = route.selects(view)
    except TemplateError as error:
        return {"name": route.name, "selects": False, "why": f"its condition fails: {error}"}
    values = ", ".join(f"{name} is {value!r}" for name, value in route.seen(view).items())
    return {
        "name": route.name,
        "selects": selects,
        "why": f"`{route.when}` is {str(selects).lower()}{': ' if values else ''}{values}",
    }


def _meaning(link: Link) -> str:
    route = f"route {link.route!r} selects it"
    match plan(link):
        case Step.CREATE if link.ticket_state == "open":
            return f"{route}, and it is open: a task is created, unless the ticket has one"
        case Step.CREATE:
            return f"{route}, and it is closed: by `closed_on_arrival` a task is created and completed"
        case _:
            return f"{route}, and it is {link.ticket_state}: its task is completed if it has one; on its first sight none is created"


def _steps(config: Config, follower: Follower, said: Observation, link: Link, now: datetime) -> Iterator[Explanation]:
    """CreateTask if the ticket has no task yet, and what would follow for a task that it has."""
    if plan(link) is Step.CREATE and link.request is not None:
        yield _request(
            config,
            link,
            "if it has no task",
            "CreateTask",
            {**link.request.body, "parentOperationId": link.correlation_key},
        )
    with_task = replace(link, task_state=TaskState.OPEN, task_id=TaskId(0), seen_open=True)
    with_task = follower.follow(Known(Snapshot(), with_task), said, now).link or with_task
    if plan(with_task) is Step.COMPLETE and with_task.completion is not None:
        body = {"taskId": "(the task's id)", "data": with_task.completion.data, "action": with_task.completion.action}
        yield _request(config, link, "if it has an open task", "CompleteTask", body)
    if edits := {name.capitalize(): value for name, value in with_task.shows.items() if name in EDITED}:
        when = "if it has an open task that shows something else"
        yield _action(config, when, "EditTaskMetadata", {"TaskId": "(the task's id)", **edits})
    if assignee := with_task.shows.get(ASSIGNEE):
        assignment = {"TaskId": "(the task's id)", "UserId": f"(the number of {assignee})"}
        when = "if it has an open task that is somebody else's"
        yield _action(config, when, "AssignTasks", {"taskAssignments": [assignment]})
    if plan(with_task) is Step.DELETE:
        yield _action(config, "if it has an open task", "DeleteTasks", {"taskIds": ["(the task's id)"]})


def _action(config: Config, when: str, name: str, body: Explanation) -> Explanation:
    url = f"{config.orchestrator.url}/odata/Tasks/UiPath.Server.Configuration.OData.{name}"
    return {"when": when, "method": "POST", "url": url, "body": body}


def _request(config: Config, link: Link, when: str, operation: str, body: Explanation) -> Explanation:
    from bridge.orchestrator import folder_header  # noqa: PLC0415 - the client is heavy, and only its header is needed

    folder = link.request.folder if link.request else config.orchestrator.folder
    return {
        "when": when,
        "method": "POST",
        "url": f"{config.orchestrator.url}/tasks/GenericTasks/{operation}",
        "headers": folder_header(folder),
        "body": body,
    }
