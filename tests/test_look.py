"""Looking: a route that asks for `refresh`, and a message that tells too little, are decided by the record, not by the message."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import datetime, timedelta
from pathlib import Path
from random import Random
from typing import Any

import httpx
import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from bridge.apis.jira import JiraClient, JiraDataCenter
from bridge.config import JiraSource
from bridge.errors import RateLimited
from bridge.sandbox.orchestrator import World, sandbox_serving
from bridge.sandbox.salesforce import Fault, MessageOptions, SimulatedSalesforce, salesforce_serving
from bridge.service import Clock, utc_now
from bridge.serving import serving
from tests.driving import (
    PATIENCE_S,
    Bridge,
    bridge_and_service,
    bridge_running,
    configured,
    judged,
    settled,
    tasks_are,
    until,
)
from tests.values import body_of, jira_event

pytestmark = pytest.mark.anyio

TOKEN = "t0ken"
HOOK = f"/hooks/crm?token={TOKEN}"
NOTHING = MessageOptions(fields=("CaseNumber", "Subject"))
ONLY_STATUS = MessageOptions(fields=("CaseNumber", "Subject", "Status"))


class Crm:
    """An org, an Orchestrator and a bridge between them."""

    def __init__(self, org: SimulatedSalesforce, world: World, bridge: Bridge) -> None:
        self.org, self.world, self.bridge = org, world, bridge

    async def tell(self) -> None:
        """Send what the org has to tell."""
        assert (await self.org.deliver(HOOK, self.bridge.http)).failed == 0


@asynccontextmanager
async def crm(
    folder: Path,
    *messages: MessageOptions,
    refresh: bool = False,
    clock: Clock = utc_now,
    data: dict[str, str] | None = None,
    **source: Any,
) -> AsyncIterator[Crm]:
    org, world = SimulatedSalesforce(utc_now, Random(1)), World()  # noqa: S311 - ids
    org.messages[:] = messages or [MessageOptions()]
    async with salesforce_serving(org) as salesforce, sandbox_serving(world) as orchestrator:
        api = {
            "url": salesforce,
            "auth": {"type": "client_credentials", "client_id": "connected-app", "client_secret": "demo"},
        }
        config = configured(
            folder,
            orchestrator,
            sources={"crm": {"type": "salesforce", "secrets": [TOKEN], "api": api, "poll": "off", **source}},
            routes=[
                {
                    "name": "cases",
                    "source": "crm",
                    "refresh": refresh,
                    "task": {"catalog": "Tickets", "data": data or {}},
                }
            ],
        )
        async with bridge_and_service(config, clock) as (bridge, _):
            yield Crm(org, world, bridge)


class Shifted:
    """A clock that a test sets forward."""

    def __init__(self, by: timedelta = timedelta(0)) -> None:
        self.by = by

    def __call__(self) -> datetime:
        return utc_now() + self.by


# -- a message that tells too little -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("options", [NOTHING, ONLY_STATUS])
async def test_what_a_message_does_not_tell_is_asked(tmp_path: Path, options: MessageOptions) -> None:
    """It lacks IsClosed, and no list says which statuses are closed: Salesforce knows."""
    async with crm(tmp_path, options) as given:
        given.org.statuses["Geschafft"] = True
        case = given.org.open(Subject="Printer", Priority="High")["Id"]
        await given.tell()
        await tasks_are(given.world, 0)
        assert given.world.all_tasks()[0].request.priority == "High"  # which no message told
        given.org.close(case, status="Geschafft")
        await given.tell()
        await tasks_are(given.world, 1)


async def test_with_a_list_of_statuses_nothing_is_asked(tmp_path: Path) -> None:
    async with crm(tmp_path, ONLY_STATUS, closed=["Closed"]) as given:
        case = given.org.open(Subject="Printer")["Id"]
        await given.tell()
        await tasks_are(given.world, 0)
        given.org.close(case)
        await given.tell()
        await tasks_are(given.world, 1)
        assert "queryAll" not in given.org.journal.calls


async def test_a_record_in_the_recycle_bin_is_deleted(tmp_path: Path) -> None:
    async with crm(tmp_path, NOTHING) as given:
        case = given.org.open(Subject="Printer")["Id"]
        await given.tell()
        await tasks_are(given.world, 0)
        given.org.edit(case, Subject="Printer again")
        message = given.org.message(given.org.queue)
        given.org.delete(case)
        await given.bridge.http.post(HOOK, content=message)
        await tasks_are(given.world, 1)
        (link,) = await settled(given.bridge)
        assert link["ticket_state"] == "deleted"


# -- refresh -----------------------------------------------------------------------------------------------------------------------


async def test_a_message_that_is_older_than_the_record_does_not_decide(tmp_path: Path) -> None:
    """It says open; the record was closed since: there is nothing to do."""
    async with crm(tmp_path, refresh=True) as given:
        case = given.org.open(Subject="Printer")["Id"]
        old = given.org.message(given.org.queue)
        given.org.close(case)
        await given.bridge.http.post(HOOK, content=old)
        (delivery,) = await judged(given.bridge)
        assert delivery["state"] == "applied"
        (link,) = await settled(given.bridge)
        assert (link["ticket_state"], link["task_state"], link["state"]) == ("closed", "absent", "settled")


async def test_an_old_message_completes_the_task_of_a_record_that_is_closed(tmp_path: Path) -> None:
    async with crm(tmp_path, refresh=True) as given:
        case = given.org.open(Subject="Printer")["Id"]
        old = given.org.message(given.org.queue)
        await given.tell()
        await tasks_are(given.world, 0)
        given.org.edit(case, Subject="Printer again")
        older = given.org.message(given.org.queue)
        given.org.close(case)
        for message in (older, old):
            await given.bridge.http.post(HOOK, content=message)
        await tasks_are(given.world, 1)


async def test_without_refresh_the_same_message_decides(tmp_path: Path) -> None:
    async with crm(tmp_path, refresh=False) as given:
        case = given.org.open(Subject="Printer")["Id"]
        old = given.org.message(given.org.queue)
        given.org.close(case)
        await given.bridge.http.post(HOOK, content=old)
        await tasks_are(given.world, 0)


@pytest.mark.parametrize(
    "fault",
    [
        Fault(status=503, code="SERVER_UNAVAILABLE", times=None),
        Fault(status=403, code="REQUEST_LIMIT_EXCEEDED", message="TotalRequests Limit exceeded.", times=None),
        Fault(kind="drop", times=None),
    ],
    ids=["away", "at its limit", "cut off"],
)
async def test_while_the_api_is_away_the_message_decides(tmp_path: Path, fault: Fault) -> None:
    async with crm(tmp_path, refresh=True) as given:
        given.org.faults.append(fault)
        case = given.org.open(Subject="Printer")["Id"]
        await given.tell()
        await tasks_are(given.world, 0)
        given.org.close(case)
        await given.tell()
        await tasks_are(given.world, 1)


async def test_while_the_api_is_away_a_ticket_stays_what_it_was(tmp_path: Path) -> None:
    """A closed Case is edited, and its message does not tell that it is still closed: it is not taken for reopened."""
    async with crm(tmp_path, ONLY_STATUS) as given:
        case = given.org.open(Subject="Printer")["Id"]
        await given.tell()
        await tasks_are(given.world, 0)
        given.org.close(case)
        await given.tell()
        await tasks_are(given.world, 1)
        given.org.faults.append(Fault(status=503, code="SERVER_UNAVAILABLE", times=None))
        given.org.edit(case, Status="Resolved")
        await given.tell()
        assert {delivery["state"] for delivery in await judged(given.bridge)} == {"applied"}
        (link,) = await settled(given.bridge)
        assert (link["ticket_state"], link["generation"]) == ("closed", 1)


async def test_an_api_that_is_away_is_not_asked_again_and_again(tmp_path: Path) -> None:
    async with crm(tmp_path, refresh=True) as given:
        given.org.faults.append(Fault(operation="token", status=500, times=None))
        for number in range(30):
            given.org.open(Subject=f"Case {number}")
        await given.org.deliver(HOOK, given.bridge.http, batch=1)
        await tasks_are(given.world, *[0] * 30)
        assert given.org.journal.calls["token"] == 1


async def test_what_a_message_alone_cannot_do_waits_for_the_tracker(tmp_path: Path) -> None:
    """An empty field is not in the message, and the template names it: parked with that reason, and done when the API is back."""
    clock = Shifted()
    fields = ("CaseNumber", "Subject", "Status", "IsClosed", "SystemModstamp", "Region__c")
    data = {"region": "{{ fields.Region__c }}"}
    async with crm(tmp_path, MessageOptions(fields=fields), refresh=True, clock=clock, data=data) as given:
        given.org.open(Subject="Lamp", Region__c="EMEA")
        given.org.open(Subject="Printer", Region__c=None)
        given.org.faults.append(Fault(status=503, code="SERVER_UNAVAILABLE", times=None))
        await given.tell()
        states = {delivery["state"]: delivery["reason"] for delivery in await judged(given.bridge)}
        assert states["applied"] == "its tracker could not be asked: its message decided alone"
        assert states["parked"].startswith("its tracker could not be asked, and its message alone does not do: ")
        assert "Region__c" in states["parked"]
        await tasks_are(given.world, 0)
        given.org.faults.clear()
        clock.by = timedelta(minutes=10)
        await tasks_are(given.world, 0, 0)
        assert {delivery["state"] for delivery in await judged(given.bridge)} == {"applied"}


async def test_an_api_that_cannot_even_be_called_stops_nothing(tmp_path: Path) -> None:
    """Its host is no host's name, which only shows when it is called."""
    api = {
        "url": "https://acme..example",
        "auth": {"type": "client_credentials", "client_id": "i", "client_secret": "s"},
    }
    async with crm(tmp_path, refresh=True, api=api) as given:
        given.org.open(Subject="Printer")
        await given.tell()
        await tasks_are(given.world, 0)


@pytest.mark.parametrize("newest_first", [True, False])
async def test_a_field_that_the_api_does_not_show_follows_the_newest_message(
    tmp_path: Path, newest_first: bool
) -> None:
    """No template names it, so the API is not asked for it; whichever message comes last, the newest one's stays (G3)."""
    data = {"region": "{{ fields['Reg' ~ 'ion__c'] | default(none) }}"}
    async with crm(tmp_path, refresh=True, data=data) as given:
        case = given.org.open(Subject="Printer")["Id"]
        old = {"Id": case, "Region__c": "old", "SystemModstamp": "2026-01-01T00:00:00Z"}
        new = {"Id": case, "Region__c": "new", "SystemModstamp": "2026-01-01T00:00:09Z"}
        await given.bridge.http.post(HOOK, json=[new, old] if newest_first else [old, new])
        (task,) = await tasks_are(given.world, 0)
        assert task.data == {"region": "new"}


async def test_a_record_that_was_read_is_not_older_than_a_message_without_a_time(tmp_path: Path) -> None:
    """The bridge's clock runs 30 s ahead when the Case opens; the record that was read says closed, with Salesforce's own time."""
    clock = Shifted(by=timedelta(seconds=30))
    untimed = MessageOptions(fields=("CaseNumber", "Subject", "Status", "IsClosed"))
    async with crm(tmp_path, untimed, refresh=True, clock=clock) as given:
        case = given.org.open(Subject="Printer")["Id"]
        await given.tell()
        await tasks_are(given.world, 0)
        clock.by = timedelta(0)
        given.org.close(case)
        await given.org.deliver(HOOK, given.bridge.http, now=utc_now() + timedelta(minutes=1))
        await tasks_are(given.world, 1)


async def test_an_undeleted_record_that_is_told_of_again_is_reopened(tmp_path: Path) -> None:
    """One source with change events and outbound messages."""
    async with crm(tmp_path) as given:
        case = given.org.open(Subject="Printer")["Id"]
        await given.tell()
        await tasks_are(given.world, 0)
        header = {"entityName": "Case", "changeType": "DELETE", "recordIds": [case]}
        committed = int(given.org.now().timestamp() * 1000) + 1
        await given.bridge.http.post(HOOK, json={"ChangeEventHeader": {**header, "commitTimestamp": committed}})
        await tasks_are(given.world, 1)
        given.org.delete(case)
        given.org.undelete(case)
        given.org.edit(case, Subject="Printer again")
        await given.tell()
        await tasks_are(given.world, 1, 0)


@asynccontextmanager
async def jira_at(url: str) -> AsyncIterator[JiraDataCenter]:
    source = JiraSource.model_validate({"type": "jira", "secrets": ["s"], "api": {"url": url, "token": "t"}})
    assert source.api is not None
    async with JiraClient(source.api, utc_now) as client:
        yield JiraDataCenter(client, source, [])


async def test_after_a_429_jira_is_left_alone() -> None:
    asked = []

    async def issue(request: Request) -> Response:
        asked.append(request.path_params["id"])
        return JSONResponse({}, 429, {"Retry-After": "600"})

    async with (
        serving(Starlette(routes=[Route("/rest/api/2/issue/{id}", issue)])) as url,
        jira_at(url) as client,
    ):
        with pytest.raises(RateLimited):
            await client.look([str(number) for number in range(200)], timedelta(seconds=30))
        told = len(asked)
        with pytest.raises(RateLimited):
            await client.client.issue("1")
        assert len(asked) == told + 1 < 200


async def test_what_a_slow_jira_shows_in_time_counts() -> None:
    """Two issues come, the third never: it is left out, and decided by its webhook."""
    never = asyncio.Event()

    async def issue(request: Request) -> Response:
        if request.path_params["id"] == "10003":
            await never.wait()
        return Response(body_of(jira_event(1)["issue"]).replace(b"Ticket 1", b"cut \\ud83d"))

    async with serving(Starlette(routes=[Route("/rest/api/2/issue/{id}", issue)])) as url:
        async with jira_at(url) as client:
            found = await client.look(["10001", "10002", "10003"], timedelta(seconds=2))
        never.set()
    assert sorted(found) == ["10001", "10002"]  # a text that is cut in the middle of a character is read, too


async def test_a_slow_tracker_delays_no_other_source(tmp_path: Path) -> None:
    """The org never answers; Jira's tickets go their way meanwhile."""
    world, asked, answer = World(), asyncio.Event(), asyncio.Event()

    async def silent(_request: Request) -> Response:
        asked.set()
        await answer.wait()
        return Response(status_code=503)

    silence = Starlette(routes=[Route("/{path:path}", silent, methods=["GET", "POST"])])
    async with sandbox_serving(world) as orchestrator, serving(silence) as salesforce:
        api = {"url": salesforce, "auth": {"type": "client_credentials", "client_id": "i", "client_secret": "s"}}
        task = {"catalog": "Tickets"}
        config = configured(
            tmp_path,
            orchestrator,
            sources={"crm": {"type": "salesforce", "secrets": [TOKEN], "api": api, "poll": "off"}},
            routes=[
                {"name": "cases", "source": "crm", "refresh": True, "task": task},
                {"name": "issues", "source": "jira", "task": task},
            ],
        )
        async with bridge_running(config) as bridge:
            org = SimulatedSalesforce(utc_now, Random(1))  # noqa: S311 - ids
            org.open(Subject="Printer")
            await org.deliver(HOOK, bridge.http)
            await asyncio.wait_for(asked.wait(), PATIENCE_S)
            await bridge.hook(jira_event(1))

            async def made() -> bool:
                return [task.request.external_tag for task in world.all_tasks()] == ["JIRA"]

            await until(made, "Jira's task is there, and Salesforce still silent")
            assert len(await bridge.deliveries(state="pending", source="crm")) == 1
            answer.set()

            async def both() -> bool:
                return len(world.all_tasks()) == 2

            await until(both, "Salesforce's task is there, by its message")


async def test_jira_is_asked_too(tmp_path: Path) -> None:
    """The webhook says open, the issue is closed by now; a deleted issue is decided by its webhook."""
    world = World()
    issues = {"10001": jira_event(1, at=9, closed=True)["issue"]}
    asked = []

    async def issue(request: Request) -> Response:
        asked.append((request.path_params["id"], request.headers["authorization"]))
        found = issues.get(request.path_params["id"])
        if found is None:
            return JSONResponse(
                {"errorMessages": ["Issue does not exist or you do not have permission to see it."]}, 404
            )
        return JSONResponse(found)

    jira = Starlette(routes=[Route("/rest/api/2/issue/{id}", issue)])
    async with sandbox_serving(world) as orchestrator, serving(jira) as url:
        config = configured(
            tmp_path,
            orchestrator,
            sources={
                "jira": {
                    "type": "jira",
                    "secrets": ["s"],
                    "verify": "query",
                    "api": {"url": url, "token": "pat"},
                    "poll": "off",
                }
            },
            routes=[{"name": "all", "source": "jira", "refresh": True, "task": {"catalog": "Tickets"}}],
        )
        async with bridge_running(config) as bridge, httpx.AsyncClient(base_url=bridge.url, timeout=PATIENCE_S) as http:
            for number in (1, 2):
                assert (await http.post("/hooks/jira?token=s", json=jira_event(number))).status_code == 202

            async def one_task() -> bool:
                pending = await bridge.deliveries(state="pending")
                return not pending and [task.request.title for task in world.all_tasks()] == ["[OPS-2] Ticket 2"]

            await until(one_task, "only the issue that Jira does not show became a task")
            states = {link["ticket_key"]: link["ticket_state"] for link in await bridge.links()}
    assert states == {"OPS-1": "closed", "OPS-2": "open"}
    assert sorted(set(asked)) == [("10001", "Bearer pat"), ("10002", "Bearer pat")]
