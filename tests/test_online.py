"""`bridge check --online` for the trackers: what it tried, what it found, and what to do about it."""

from pathlib import Path
from random import Random
from typing import Any

import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from bridge.sandbox.orchestrator import Rule, World, sandbox_serving
from bridge.sandbox.salesforce import SimulatedSalesforce, salesforce_serving
from bridge.service import utc_now
from bridge.serving import serving
from tests.driving import written
from tests.processes import Ended, command

pytestmark = pytest.mark.anyio

WORK_ORDER = {"title": "Subject__c", "status": "Status__c"}
AUTH = {"type": "client_credentials", "client_id": "connected-app", "client_secret": "demo"}


async def checked(
    folder: Path, *, auth: dict[str, str] = AUTH, route: dict[str, Any] | None = None, **crm: Any
) -> Ended:
    org = SimulatedSalesforce(utc_now, Random(1))  # noqa: S311 - ids
    org.open("Work_Order__c", Subject__c="Pump", Status__c="New")
    async with salesforce_serving(org) as url, sandbox_serving(World()) as orchestrator:
        source = {"type": "salesforce", "secrets": ["s3cr3t"], "api": {"url": url, "auth": auth}, **crm}
        task = {"catalog": "Tickets", **(route or {})}
        config = written(
            folder, orchestrator, sources={"crm": source}, routes=[{"name": "cases", "source": "crm", "task": task}]
        )
        return await command("check", "--online", "--config", config)


async def test_all_is_well(tmp_path: Path) -> None:
    ended = await checked(tmp_path)
    assert (ended.code, ended.err) == (0, "")
    assert "webhooks of crm: POST /hooks/crm?token=…" in ended.out
    assert "ok      Salesforce's API of source crm: signed in; 1 of 15000 requests used" in ended.out
    assert "ok      Case of source crm: there; IsClosed tells what is closed" in ended.out
    assert "ok      closed statuses of source crm: Closed, Resolved" in ended.out


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (
            {"auth": {**AUTH, "client_secret": "wr0ng"}},
            "FAILED  Salesforce's API of source crm: no token from",
        ),
        (
            {"object": "Nothing__c"},
            "FAILED  Nothing__c of source crm: ",
        ),
        (
            {"route": {"title": "{{ fields.Region__c }}"}},
            "FAILED  Case of source crm: has no field Region__c that the user may see; correct `fields` or the route",
        ),
        (
            {"closed": ["Closed", "Finished"]},
            "FAILED  closed statuses of source crm: `closed` names Finished, which Case has not; closed are: Closed, Resolved",
        ),
        (
            {"object": "Work_Order__c", "fields": {"title": "Subject__c"}},
            "FAILED  Work_Order__c of source crm: there, but it has no IsClosed: give the source the list `closed` of its statuses",
        ),
        (
            {"object": "Work_Order__c", "closed": ["Done"]},
            "FAILED  Work_Order__c of source crm: there, but it has no Status for the list `closed`: name its field, `fields.status`",
        ),
        (
            {"fields": {"assignee": "Ownr.Name"}},
            "FAILED  Case of source crm: ",
        ),
        (
            {"object": "Work_Order__c", "fields": {"title": "subject__c"}, "closed": ["Done"]},
            "FAILED  Work_Order__c of source crm: has no field subject__c that the user may see",
        ),
    ],
    ids=[
        "a wrong secret",
        "no such object",
        "no such field",
        "no such status",
        "no IsClosed",
        "no field of the status",
        "no such relationship",
        "other capitals",
    ],
)
async def test_what_is_wrong_is_named_with_its_remedy(tmp_path: Path, options: dict[str, Any], said: str) -> None:
    ended = await checked(tmp_path, **options)
    assert ended.code == 1
    assert said in ended.out
    assert "wr0ng" not in ended.out + ended.err


async def test_another_object_with_its_fields_and_statuses(tmp_path: Path) -> None:
    ended = await checked(tmp_path, object="Work_Order__c", fields=WORK_ORDER, closed=["Done"])
    assert ended.code == 0
    assert (
        "ok      Work_Order__c of source crm: there; it has no IsClosed, so `closed` tells what is closed" in ended.out
    )


async def checked_for(folder: Path, world: World, **route: Any) -> Ended:
    async with sandbox_serving(world) as url:
        place = route.pop("orchestrator", {})
        routes = [{"name": "all", "source": "jira", "task": {"catalog": "Tickets"}, **route}]
        return await command("check", "--online", "--config", written(folder, url, routes=routes, orchestrator=place))


@pytest.mark.parametrize(
    "place",
    [{}, {"folder_path": None, "folder_id": 1}, {"folder_path": None, "folder_key": str(World().folders[0].key)}],
)
async def test_tasks_that_follow_their_tickets(tmp_path: Path, place: dict[str, Any]) -> None:
    ended = await checked_for(tmp_path, World(), update=["title"], assign=True, orchestrator=place)
    assert ended.code == 0, ended.out
    assert "  ok      TaskAssignment.Create and Tasks.Edit in folder " in ended.out
    assert ': 2; but UiPath\'s guides say that "External Actions cannot be assigned to users": try it' in ended.out


async def test_nothing_is_asked_about_what_no_route_wants(tmp_path: Path) -> None:
    ended = await checked_for(tmp_path, World())
    assert ended.code == 0
    assert "Tasks.Edit" not in ended.out
    assert "task users" not in ended.out


async def test_tasks_that_may_not_be_assigned(tmp_path: Path) -> None:
    world = World()
    world.denied.add("TaskAssignment.Create")
    ended = await checked_for(tmp_path, world, assign=True)
    assert ended.code == 1
    assert (
        "FAILED  TaskAssignment.Create in folder Shared: the account lacks TaskAssignment.Create: "
        "give it a role in the folder that has it" in ended.out
    )


async def test_users_that_cannot_be_asked_for(tmp_path: Path) -> None:
    world = World()
    world.faults.replace([Rule(operation="GetTaskUsers", kind="error", status=403)])
    ended = await checked_for(tmp_path, world, assign=True)
    assert ended.code == 1
    assert "FAILED  task users in folder Shared: " in ended.out


async def test_a_folder_whose_number_cannot_be_asked_for_is_no_failure(tmp_path: Path) -> None:
    """The bridge itself needs no permission on folders: a task tells the number of its own."""
    world = World()
    world.faults.replace([Rule(operation="GetFolders", kind="error", status=403)])
    ended = await checked_for(tmp_path, world, assign=True)
    assert ended.code == 0, ended.out
    assert (
        "ok      task users in folder Shared: not tried, because the folder's number cannot be asked for" in ended.out
    )


@pytest.mark.parametrize(("token", "code", "said"), [("pat", 0, "signed in as Ada"), ("old", 1, "Client must be auth")])
async def test_jiras_credentials(tmp_path: Path, token: str, code: int, said: str) -> None:
    async def myself(request: Request) -> Response:
        if request.headers["authorization"] != "Bearer pat":
            return JSONResponse({"errorMessages": ["Client must be authenticated to access this resource."]}, 401)
        return JSONResponse({"displayName": "Ada"})

    jira = Starlette(routes=[Route("/rest/api/2/myself", myself)])
    async with serving(jira) as url, sandbox_serving(World()) as orchestrator:
        api = {"url": url, "token": token}
        config = written(
            tmp_path, orchestrator, sources={"jira": {"type": "jira", "secrets": ["s"], "api": api, "poll": "off"}}
        )
        ended = await command("check", "--online", "--config", config)
    assert ended.code == code
    assert f"{'ok    ' if code == 0 else 'FAILED'}  Jira's API of source jira: {said}" in ended.out
