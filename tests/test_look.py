"""Looking: a route that asks for `refresh`, and a message that tells too little, are decided by the record, not by the message."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from random import Random
from typing import Any

import httpx
import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from bridge.sandbox.orchestrator import World, sandbox_serving
from bridge.sandbox.salesforce import Fault, MessageOptions, SimulatedSalesforce, salesforce_serving
from bridge.service import utc_now
from bridge.serving import serving
from tests.driving import Bridge, bridge_running, configured, judged, settled, tasks_are, until
from tests.values import jira_event

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
async def crm(folder: Path, *messages: MessageOptions, refresh: bool = False, **source: Any) -> AsyncIterator[Crm]:
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
            sources={"crm": {"type": "salesforce", "secrets": [TOKEN], "api": api, **source}},
            routes=[{"name": "cases", "source": "crm", "refresh": refresh, "task": {"catalog": "Tickets"}}],
        )
        async with bridge_running(config) as bridge:
            yield Crm(org, world, bridge)


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
            sources={"crm": {"type": "salesforce", "secrets": [TOKEN], "api": api}},
            routes=[
                {"name": "cases", "source": "crm", "refresh": True, "task": task},
                {"name": "issues", "source": "jira", "task": task},
            ],
        )
        async with bridge_running(config) as bridge:
            org = SimulatedSalesforce(utc_now, Random(1))  # noqa: S311 - ids
            org.open(Subject="Printer")
            await org.deliver(HOOK, bridge.http)
            await asyncio.wait_for(asked.wait(), 30)
            await bridge.hook(jira_event(1))

            async def made() -> bool:
                return [task.request.external_tag for task in world.all_tasks()] == ["JIRA"]

            await until(made, "Jira's task is there, and Salesforce still silent", within=5)
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
                "jira": {"type": "jira", "secrets": ["s"], "verify": "query", "api": {"url": url, "token": "pat"}}
            },
            routes=[{"name": "all", "source": "jira", "refresh": True, "task": {"catalog": "Tickets"}}],
        )
        async with bridge_running(config) as bridge, httpx.AsyncClient(base_url=bridge.url) as http:
            for number in (1, 2):
                assert (await http.post("/hooks/jira?token=s", json=jira_event(number))).status_code == 202

            async def one_task() -> bool:
                pending = await bridge.deliveries(state="pending")
                return not pending and [task.request.title for task in world.all_tasks()] == ["[OPS-2] Ticket 2"]

            await until(one_task, "only the issue that Jira does not show became a task")
            states = {link["ticket_key"]: link["ticket_state"] for link in await bridge.links()}
    assert states == {"OPS-1": "closed", "OPS-2": "open"}
    assert sorted(set(asked)) == [("10001", "Bearer pat"), ("10002", "Bearer pat")]
