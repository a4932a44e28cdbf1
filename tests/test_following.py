"""An open task's title, priority and assignee follow its ticket, where the route says so; against real sockets and both databases."""

import asyncio
from collections.abc import AsyncIterator
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from bridge.config import SalesforceSource, WebhookSource
from bridge.explain import explain
from bridge.model import Observation
from bridge.sandbox.orchestrator import Folder, Rule, User, World, sandbox_serving
from bridge.sandbox.orchestrator.model import Assignment, TaskEdit
from bridge.service import DESTINATION, followers, utc_now
from bridge.store import Pause
from bridge.trackers.salesforce import Salesforce
from bridge.trackers.webhook import Webhook
from tests.driving import (
    NOWHERE,
    Bridge,
    bridge_and_service,
    bridge_running,
    configured,
    judged,
    settled,
    tasks_are,
    until,
)
from tests.values import JIRA, NOW, body_of, jira_event

pytestmark = pytest.mark.anyio

FEW = 5
"""Calls for a hundred webhooks: those that come after one call began share the next."""

ROUTE = {"name": "all", "source": "jira", "update": ["title", "priority"], "assign": True}
ADA = {"displayName": "Ada", "emailAddress": "Ada@Example.com"}
GRACE = {"displayName": "Grace", "emailAddress": "grace@example.com"}
STRANGER = {"displayName": "Joan", "emailAddress": "joan@example.com"}
HIDDEN = {"displayName": "Grace", "accountId": "5b10"}


@pytest.fixture
def world() -> World:
    return World(folders=[Folder(id=7, path="Shared", catalogs=("Tickets",))])


@pytest.fixture
async def orchestrator(world: World) -> AsyncIterator[str]:
    async with sandbox_serving(world) as url:
        yield url


def following(folder: Path, url: str, **changes: Any) -> Any:
    route = {**ROUTE, "task": {"catalog": "Tickets"}, **changes.pop("route", {})}
    return configured(folder, url, **{"orchestrator": {"timeout": "1s"}, "routes": [route], **changes})


@pytest.fixture
async def bridge(orchestrator: str, tmp_path: Path) -> AsyncIterator[Bridge]:
    async with bridge_running(following(tmp_path, orchestrator)) as running:
        yield running


async def sent(bridge: Bridge, *events: dict[str, Any]) -> None:
    for event in events:
        assert (await bridge.hook(event)).status_code == 202


async def begun(bridge: Bridge, **fields: Any) -> None:
    """The ticket's task is there, and everything is settled."""
    await sent(bridge, jira_event(1, at=0, event="jira:issue_created", summary="first", **fields))
    await settled(bridge)


async def called(world: World, operation: str, times: int = 1) -> None:
    async def there() -> bool:
        return world.journal.calls.get(operation, 0) >= times

    await until(there, f"{operation} is called")


def calls(world: World) -> dict[str, int]:
    return {name: count for name, count in world.journal.calls.items() if name.endswith(("Tasks", "Metadata"))}


async def shown(world: World) -> tuple[str, str, str | None]:
    (task,) = world.all_tasks()
    return task.request.title, task.request.priority, task.assignee.email if task.assignee else None


# -- whose ticket it is, tracker by tracker -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("assignee", "email"),
    [
        (ADA, "Ada@Example.com"),
        ({"name": "ada@example.com", "displayName": "Ada"}, "ada@example.com"),  # Data Center, where e-mails are names
        (HIDDEN, None),
        ({"emailAddress": "?"}, None),
        ({"emailAddress": 7}, None),
        (None, None),
        ("ada@example.com", None),
    ],
)
def test_jira_tells_an_e_mail_or_does_not(assignee: Any, email: str | None) -> None:
    assert JIRA.ticket("1", {"assignee": assignee}).assignee_email == email


@pytest.mark.parametrize(
    ("record", "email"),
    [
        ({"Owner": {"Email": "ada@example.com", "Name": "Ada"}}, "ada@example.com"),
        ({"Owner": {"Name": "Queue"}}, None),
        ({"OwnerId": "005xx000001Sv6EAAS"}, None),
    ],
)
def test_salesforce_tells_it_where_the_assignee_is_an_e_mail(record: dict[str, Any], email: str | None) -> None:
    config = {"type": "salesforce", "secrets": ["s"], "fields": {"assignee": "Owner.Email"}}
    tracker = Salesforce(SalesforceSource.model_validate(config))
    assert tracker.ticket("1", record).assignee_email == email


@pytest.mark.parametrize(
    ("assignee", "email"),
    [("ada@example.com", "ada@example.com"), ("Ada", None), ("ada@example.com, grace@example.com", None)],
)
def test_any_tracker_tells_it_where_the_assignee_is_one_e_mail(assignee: str, email: str | None) -> None:
    ticket = {"id": "{{ fields.id }}", "assignee": "{{ fields.who }}"}
    tracker = Webhook("desk", WebhookSource.model_validate({"type": "webhook", "secrets": ["s"], "ticket": ticket}))
    said = tracker.observe({"id": 1, "who": assignee}, NOW)
    assert isinstance(said, Observation)
    assert tracker.ticket(said.ticket_id, said.facts).assignee_email == email


def test_explain_shows_what_an_open_task_would_be_told(tmp_path: Path) -> None:
    config = following(tmp_path, NOWHERE)
    said = explain(config, followers(config)["jira"], body_of(jira_event(1, summary="second", assignee=ADA)), NOW)
    bodies = [step["body"] for step in said["steps"]]
    assert {"TaskId": "(the task's id)", "Title": "[OPS-1] second", "Priority": "High"} in bodies
    assert {"taskAssignments": [{"TaskId": "(the task's id)", "UserId": "(the number of Ada@Example.com)"}]} in bodies


# -- title and priority ------------------------------------------------------------------------------------------------------------


async def test_title_and_priority_follow_the_ticket_on_both_databases(
    orchestrator: str, world: World, tmp_path: Path, database_url: str
) -> None:
    config = following(tmp_path, orchestrator, database={"url": database_url})
    async with bridge_running(config) as bridge:
        await begun(bridge)
        await sent(bridge, jira_event(1, at=1, summary="second"))
        await settled(bridge)
        assert await shown(world) == ("[OPS-1] second", "High", None)
        await sent(bridge, jira_event(1, at=2, summary="second", priority={"name": "Highest"}))
        await settled(bridge)
        assert await shown(world) == ("[OPS-1] second", "Critical", None)
        await sent(bridge, jira_event(1, at=3, summary="third", priority={"name": "Low"}))
        await settled(bridge)
        assert await shown(world) == ("[OPS-1] third", "Low", None)
        await sent(bridge, jira_event(1, at=4, summary="third", priority={"name": "Low"}, labels=["other"]))
        await settled(bridge)
        assert calls(world) == {"EditTaskMetadata": 3}
    async with bridge_running(config) as bridge:  # it is remembered what was told
        await sent(bridge, jira_event(1, at=5, summary="third", priority={"name": "Low"}))
        await settled(bridge)
        assert calls(world) == {"EditTaskMetadata": 3}


async def test_only_what_the_route_names_is_changed(orchestrator: str, world: World, tmp_path: Path) -> None:
    route = {"update": ["priority"], "assign": False}
    async with bridge_running(following(tmp_path, orchestrator, route=route)) as bridge:
        await begun(bridge)
        await sent(bridge, jira_event(1, at=1, summary="second", priority={"name": "Low"}, assignee=ADA))
        await settled(bridge)
        assert await shown(world) == ("[OPS-1] first", "Low", None)


async def test_by_default_nothing_follows(orchestrator: str, world: World, tmp_path: Path) -> None:
    routes = [{"name": "all", "source": "jira", "task": {"catalog": "Tickets"}}]
    async with bridge_running(configured(tmp_path, orchestrator, routes=routes)) as bridge:
        await begun(bridge)
        await sent(bridge, jira_event(1, at=1, summary="second", priority={"name": "Low"}, assignee=ADA))
        await settled(bridge)
        assert calls(world) == {}


async def test_a_task_of_before_the_route_had_update_is_told_when_it_shows_something_else(
    orchestrator: str, world: World, tmp_path: Path
) -> None:
    async with bridge_running(following(tmp_path, orchestrator, route={"update": [], "assign": False})) as bridge:
        await begun(bridge)
        await sent(bridge, jira_event(2, at=0, summary="right"), jira_event(1, at=1, summary="second"))
        await settled(bridge)
    async with bridge_running(following(tmp_path, orchestrator)) as bridge:
        await settled(bridge)
        assert calls(world) == {}
        await sent(bridge, jira_event(2, at=2, summary="right"), jira_event(1, at=2, summary="second"))
        await settled(bridge)
        assert {task.request.title for task in world.all_tasks()} == {"[OPS-1] second", "[OPS-2] right"}
        assert calls(world) == {"EditTaskMetadata": 1}


async def test_04_edits_that_come_while_one_is_under_way_are_one(bridge: Bridge, world: World) -> None:
    await begun(bridge)
    world.faults.replace([Rule(operation="EditTaskMetadata", kind="latency", seconds=0.7, times=1)])
    await sent(bridge, jira_event(1, at=1, summary="edit 1"))
    await called(world, "EditTaskMetadata")
    await asyncio.gather(*(sent(bridge, jira_event(1, at=n, summary=f"edit {n}")) for n in range(2, 100)))
    await settled(bridge)
    assert (await shown(world))[0] == "[OPS-1] edit 99"
    assert calls(world)["EditTaskMetadata"] <= FEW


async def test_what_changes_before_the_task_is_there_goes_into_its_creation(tmp_path: Path, world: World) -> None:
    async with sandbox_serving(world) as url, bridge_and_service(following(tmp_path, url)) as (bridge, service):
        pause = Pause(service.clock() + timedelta(hours=1), 1, "so that no call is under way")
        await service.store.pauses.pause(DESTINATION, pause, service.clock())
        await sent(bridge, jira_event(1, at=0), jira_event(1, at=1, summary="second"))
        await judged(bridge)
        assert await service.store.pauses.clear(DESTINATION, pause)
        await settled(bridge)
        assert (await shown(world))[0] == "[OPS-1] second"
        assert calls(world) == {}


async def test_06_edits_while_orchestrator_is_down_drain_as_one(tmp_path: Path, world: World) -> None:
    async with sandbox_serving(world) as url, bridge_running(following(tmp_path, url)) as bridge:
        port = int(url.rsplit(":", 1)[1])
        await begun(bridge)
    async with bridge_and_service(following(tmp_path, url)) as (bridge, service):
        await sent(bridge, *(jira_event(1, at=n, summary=f"edit {n}", assignee=ADA) for n in range(1, 20)))

        async def paused() -> bool:
            return await service.store.pauses.get(DESTINATION) is not None

        await until(paused, "Orchestrator is paused")
        await judged(bridge)
        assert await bridge.links(state="parked") == []
        async with sandbox_serving(world, port=port):
            await settled(bridge)
            assert await shown(world) == ("[OPS-1] edit 19", "High", "ada@example.com")
            assert calls(world) == {"EditTaskMetadata": 1, "AssignTasks": 1}


@pytest.mark.parametrize("when", ["before", "after"])
async def test_an_edit_whose_answer_is_lost_is_done_again(bridge: Bridge, world: World, when: Any) -> None:
    await begun(bridge)
    world.faults.replace([Rule(operation="EditTaskMetadata", kind="drop", when=when, times=1)])
    await sent(bridge, jira_event(1, at=1, summary="second"))
    (link,) = await settled(bridge)
    assert (await shown(world))[0] == "[OPS-1] second"
    assert (link["last_error"], link["note"]) == (None, None)


async def test_a_ticket_that_changes_back_after_an_answer_was_lost_is_told_again(bridge: Bridge, world: World) -> None:
    await begun(bridge)
    world.faults.replace([Rule(operation="EditTaskMetadata", kind="hang", when="after", times=1)])
    await sent(bridge, jira_event(1, at=1, summary="second"))
    await called(world, "EditTaskMetadata")
    await sent(bridge, jira_event(1, at=2, summary="first"))
    await settled(bridge)
    assert (await shown(world))[0] == "[OPS-1] first"


async def test_a_close_while_an_edit_is_under_way_completes(bridge: Bridge, world: World) -> None:
    await begun(bridge)
    world.faults.replace([Rule(operation="EditTaskMetadata", kind="latency", seconds=0.7, times=1)])
    await sent(bridge, jira_event(1, at=1, summary="second"))
    await called(world, "EditTaskMetadata")
    await sent(bridge, jira_event(1, at=2, summary="third", closed=True))
    await tasks_are(world, 1)
    (link,) = await settled(bridge)
    assert (link["task_state"], link["last_error"]) == ("completed", None)
    assert calls(world) == {"EditTaskMetadata": 1}  # what has closed is completed, never edited first


@pytest.mark.parametrize(("end", "task_state"), [("complete_task", "completed"), ("delete_task", "gone")])
@pytest.mark.parametrize("fields", [{"summary": "second"}, {"summary": "first", "assignee": ADA}])
async def test_11_a_task_that_a_person_ended_is_left_alone(
    bridge: Bridge, world: World, end: str, task_state: str, fields: dict[str, Any]
) -> None:
    await begun(bridge)
    getattr(world, end)(world.all_tasks()[0].id)
    await sent(bridge, jira_event(1, at=1, **fields))
    (link,) = await settled(bridge)
    assert (link["task_state"], link["last_error"], link["note"]) == (task_state, None, None)


async def test_a_person_who_retitles_the_task_is_left_alone(bridge: Bridge, world: World) -> None:
    await begun(bridge)
    world.edit_task(world.all_tasks()[0].id, TaskEdit(title="mine"))
    await sent(bridge, jira_event(1, at=1, summary="first", labels=["other"]))
    await settled(bridge)
    assert (await shown(world))[0] == "mine"


async def test_an_edit_that_is_refused_is_shown_and_a_close_completes(bridge: Bridge, world: World) -> None:
    await begun(bridge)
    world.faults.replace([Rule(operation="EditTaskMetadata", kind="error", status=400)])
    await sent(bridge, jira_event(1, at=1, summary="second", assignee=ADA))
    (link,) = await settled(bridge)
    assert link["note"].startswith("the task keeps its title: ")
    assert await shown(world) == ("[OPS-1] first", "High", "ada@example.com")
    assert calls(world) == {"EditTaskMetadata": 1, "AssignTasks": 1}
    await sent(bridge, jira_event(1, at=2, summary="second", closed=True))
    await tasks_are(world, 1)
    (link,) = await settled(bridge)
    assert (link["task_state"], link["note"]) == ("completed", None)


async def test_an_edit_that_was_refused_is_tried_again_when_asked(bridge: Bridge, world: World) -> None:
    await begun(bridge)
    world.faults.replace([Rule(operation="EditTaskMetadata", kind="error", status=400, times=1)])
    await sent(bridge, jira_event(1, at=1, summary="second"))
    await settled(bridge)
    assert (await bridge.http.post("/api/v1/links/OPS-1/retry")).status_code == 202
    (link,) = await settled(bridge)
    assert ((await shown(world))[0], link["note"]) == ("[OPS-1] second", None)


# -- whose it is -------------------------------------------------------------------------------------------------------------------


async def test_the_task_is_the_tickets_assignees_on_both_databases(
    orchestrator: str, world: World, tmp_path: Path, database_url: str
) -> None:
    config = following(tmp_path, orchestrator, database={"url": database_url})
    async with bridge_running(config) as bridge:
        await begun(bridge, assignee=ADA)
        assert (await shown(world))[2] == "ada@example.com"
        await sent(bridge, jira_event(1, at=1, summary="first", assignee=GRACE))
        await settled(bridge)
        assert (await shown(world))[2] == "grace@example.com"
        await sent(bridge, jira_event(1, at=2, summary="first", assignee=None))
        (link,) = await settled(bridge)
        assert (await shown(world))[2] is None
        assert calls(world) == {"AssignTasks": 1, "ReassignTasks": 1, "UnassignTasks": 1}
        assert (link["note"], link["last_error"]) == (None, None)


async def test_a_hundred_assignments_are_one_listing_of_users(bridge: Bridge, world: World) -> None:
    await asyncio.gather(*(sent(bridge, jira_event(number, assignee=ADA)) for number in range(1, 51)))
    await settled(bridge)
    assert {task.assignee and task.assignee.email for task in world.all_tasks()} == {"ada@example.com"}
    assert world.journal.calls["GetTaskUsers"] == 2  # the second page brings nothing new


@pytest.mark.parametrize(
    ("assignee", "why"),
    [
        (STRANGER, "the task is not assigned: nobody among the folder's task users has the e-mail joan@example.com"),
        (HIDDEN, "the task is not assigned: the tracker does not tell the e-mail of Grace"),
    ],
)
async def test_nobody_is_found(bridge: Bridge, world: World, assignee: dict[str, str], why: str) -> None:
    """The task is nobody's, which is shown and hinders nothing; it is tried again when the ticket's assignee changes."""
    await begun(bridge, assignee=ADA)
    await sent(bridge, jira_event(1, at=1, summary="first", assignee=assignee))
    (link,) = await settled(bridge)
    assert ((await shown(world))[2], link["note"], link["state"]) == (None, why, "settled")
    made = (await bridge.http.get(f"/api/v1/links/{link['id']}")).json()
    assert (made["attempts_made"][-1]["outcome"], made["attempts_made"][-1]["detail"]) == ("refused", why)
    await sent(bridge, jira_event(1, at=2, summary="first", assignee=assignee, labels=[]))
    await settled(bridge)
    assert calls(world) == {"AssignTasks": 1, "UnassignTasks": 1}
    await sent(bridge, jira_event(1, at=3, summary="first", assignee=ADA))
    (link,) = await settled(bridge)
    assert ((await shown(world))[2], link["note"]) == ("ada@example.com", None)
    await sent(bridge, jira_event(1, at=4, summary="first", assignee=assignee, closed=True))
    await tasks_are(world, 1)


async def test_somebody_who_was_added_meanwhile_is_found_when_asked(
    orchestrator: str, world: World, tmp_path: Path
) -> None:
    jumped = timedelta(0)

    def clock() -> datetime:
        return utc_now() + jumped

    async with bridge_and_service(following(tmp_path, orchestrator), clock) as (bridge, _):
        await begun(bridge, assignee=STRANGER)
        world.users[1003] = User(1003, "joan@example.com", "Joan", "Clarke")
        jumped = timedelta(minutes=1)
        assert (await bridge.http.post("/api/v1/links/OPS-1/retry")).status_code == 202
        (link,) = await settled(bridge)
        assert ((await shown(world))[2], link["note"]) == ("joan@example.com", None)


async def test_a_tasks_refusal_is_shown_and_a_close_completes(bridge: Bridge, world: World) -> None:
    """A user who was removed since the users were listed: AssignTasks answers 200 with the task's own error."""
    await sent(bridge, jira_event(2, assignee=ADA))
    await settled(bridge)
    del world.users[1002]
    await begun(bridge, assignee=GRACE)
    (link,) = await bridge.links(key="OPS-1")
    assert link["note"] == "the task is not assigned to grace@example.com: User does not exist. (HTTP 200, error 1002)"
    assert (link["state"], link["attempts"], link["last_error"]) == ("settled", 0, None)
    await sent(bridge, jira_event(1, at=2, assignee=GRACE, closed=True))
    await settled(bridge)
    assert sorted(task.completions for task in world.all_tasks()) == [0, 1]


async def test_a_permission_that_is_missing_is_shown_and_a_close_completes(bridge: Bridge, world: World) -> None:
    world.denied.add("TaskAssignment.Create")
    await begun(bridge, assignee=ADA)
    (link,) = await bridge.links()
    assert link["note"].startswith("the task is not assigned to Ada@Example.com: You are not authorized! (HTTP 403")
    await sent(bridge, jira_event(1, at=2, assignee=ADA, closed=True))
    await tasks_are(world, 1)


async def test_a_person_who_reassigns_the_task_is_left_alone(bridge: Bridge, world: World) -> None:
    await begun(bridge, assignee=ADA)
    world.reassign(Assignment(task_id=world.all_tasks()[0].id, user_id=1002))
    await sent(bridge, jira_event(1, at=1, summary="second", assignee=ADA))
    await settled(bridge)
    assert await shown(world) == ("[OPS-1] second", "High", "grace@example.com")
    await sent(bridge, jira_event(1, at=2, summary="second", assignee=None))
    await settled(bridge)
    assert (await shown(world))[2] is None  # the ticket's assignee has changed since


@pytest.mark.parametrize("when", ["before", "after"])
@pytest.mark.parametrize("operation", ["AssignTasks", "GetTaskUsers"])
async def test_an_assignment_whose_answer_is_lost_is_done_again(
    bridge: Bridge, world: World, operation: str, when: Any
) -> None:
    world.faults.replace([Rule(operation=operation, kind="drop", when=when, times=1)])
    await begun(bridge, assignee=ADA)
    (link,) = await bridge.links()
    assert ((await shown(world))[2], link["note"], link["last_error"]) == ("ada@example.com", None, None)
    (task,) = world.all_tasks()
    assert [activity.kind for activity in task.activities] == ["Created", "Assigned"]


async def test_somebody_who_was_quicker_leaves_the_task_to_the_tickets_assignee(bridge: Bridge, world: World) -> None:
    """Between our look and our AssignTasks somebody takes the task: the answer is 2400, and we look again."""
    world.faults.replace([Rule(operation="AssignTasks", kind="latency", seconds=0.5, times=1)])
    await sent(bridge, jira_event(1, at=0, assignee=ADA))
    await called(world, "AssignTasks")
    world.assign(Assignment(task_id=world.all_tasks()[0].id, user_id=1002))
    (link,) = await settled(bridge)
    assert ((await shown(world))[2], link["note"]) == ("ada@example.com", None)


async def test_10_a_reopened_tickets_next_task_is_assigned_too(bridge: Bridge, world: World) -> None:
    await begun(bridge, assignee=ADA)
    await sent(bridge, jira_event(1, at=1, closed=True, assignee=ADA))
    await tasks_are(world, 1)
    await sent(bridge, jira_event(1, at=2, assignee=ADA))
    await tasks_are(world, 1, 0)
    await settled(bridge)
    assert [task.assignee and task.assignee.email for task in world.all_tasks()] == ["ada@example.com"] * 2
