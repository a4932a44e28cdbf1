"""Salesforce's main job, from outside, in a process of its own: Cases become tasks by outbound messages, and their closes complete them."""

import asyncio
import sqlite3
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from random import Random
from typing import Any

import httpx
import pytest

from bridge.sandbox.orchestrator import World, sandbox_serving
from bridge.sandbox.salesforce import MessageOptions, Notification, SimulatedSalesforce
from bridge.service import utc_now
from tests.driving import NOWHERE, PATIENCE_S, until, written
from tests.processes import bridge_process, command

pytestmark = pytest.mark.anyio

TOKEN = "a-hook's-token"
HOOK = "/hooks/crm"
QUERY = {"token": TOKEN}
CRM = {"type": "salesforce", "secrets": [TOKEN], "organization_id": "00D000000000001EAA"}
ROUTES = [{"name": "cases", "source": "crm", "task": {"catalog": "Tickets"}}]
ACK = (
    b'<soapenv:Envelope xmlns:soapenv="http://schemas.xmlsoap.org/soap/envelope/"><soapenv:Body>'
    b'<notificationsResponse xmlns="http://soap.sforce.com/2005/09/outbound"><Ack>true</Ack></notificationsResponse>'
    b"</soapenv:Body></soapenv:Envelope>"
)
CASES = 100


def an_org(seed: int = 3) -> SimulatedSalesforce:
    return SimulatedSalesforce(utc_now, Random(seed))  # noqa: S311 - when things happen


def written_for(folder: Path, url: str, **crm: Any) -> Path:
    return written(folder, url, sources={"crm": {**CRM, **crm}}, routes=ROUTES)


def told(org: SimulatedSalesforce, notifications: Sequence[Notification], size: int) -> list[bytes]:
    """Messages of that size, with the fields as they are at this moment."""
    starts = range(0, len(notifications), size)
    return [org.message(notifications[start : start + size]) for start in starts]


async def acknowledged(http: httpx.AsyncClient, messages: Sequence[bytes]) -> None:
    """Send messages, all at once; each gets its Ack."""
    answers = await asyncio.gather(*(http.post(HOOK, params=QUERY, content=message) for message in messages))
    assert {(answer.status_code, answer.headers["content-type"], answer.content) for answer in answers} == {
        (200, "text/xml; charset=utf-8", ACK)
    }


async def test_100_cases(tmp_path: Path, database_url: str) -> None:
    """Scenario 15 beside it: batches of 1, 7 and 100, everything twice, and the closes before half of the opens."""
    world, org, random = World(), an_org(), Random(15)  # noqa: S311 - the order of messages
    cases = [org.open(Subject=f"Case {number}", Priority="High") for number in range(CASES)]
    opened = org.queue
    messages = [*told(org, opened[:10], 1), *told(org, opened[10:40], 7), *told(org, opened, 100)]
    for case in cases:
        org.close(case["Id"])
    closed = org.queue[len(opened) :]
    messages += [*told(org, closed[:10], 1), *told(org, closed, 7)]
    async with sandbox_serving(world) as url:
        config = written(tmp_path, url, database={"url": database_url}, sources={"crm": CRM}, routes=ROUTES)
        assert (await command("database", "upgrade", "--config", config)).code == 0
        async with (
            bridge_process(config) as process,
            httpx.AsyncClient(base_url=process.url, timeout=PATIENCE_S) as http,
        ):
            shuffled = random.sample([*messages, *messages], 2 * len(messages))
            await acknowledged(http, shuffled)

            async def completed() -> bool:
                return [task.completions for task in world.all_tasks()] == [1] * CASES

            await until(completed, "every task is completed")
            await acknowledged(http, random.sample(messages, len(messages)))  # all of it again: it changes nothing
            summary = (await http.get("/api/v1/summary")).json()

    assert summary["links"]["settled"] == CASES
    assert summary["deliveries"]["parked"] == summary["deliveries"]["ignored"] == 0
    assert summary["deliveries"]["applied"] == 2 * CASES  # each case as it was opened, and as it was closed
    assert Counter(task.request.external_tag for task in world.all_tasks()) == {"Salesforce": CASES}
    assert {task.request.title for task in world.all_tasks()} == {
        f"[{case['CaseNumber']}] {case['Subject']}" for case in cases
    }
    assert world.journal.calls["CreateTask"] == world.journal.calls["CompleteTask"] == CASES


async def test_15_one_message_one_commit_one_ack(tmp_path: Path) -> None:
    """One message carries 100 notifications: they are stored together, and acknowledged once."""
    org = an_org()
    for number in range(CASES):
        org.open(Subject=f"Case {number}")
    (message,) = told(org, org.queue, 100)
    config = written_for(tmp_path, NOWHERE)
    async with bridge_process(config) as process, httpx.AsyncClient(base_url=process.url, timeout=PATIENCE_S) as http:
        await acknowledged(http, [message])
        deliveries = (await http.get("/api/v1/deliveries", params={"limit": 500})).json()["deliveries"]
        assert len(deliveries) == CASES
        assert len({delivery["received_at"] for delivery in deliveries}) == 1


async def test_nothing_is_acknowledged_before_it_is_committed(tmp_path: Path) -> None:
    """The process is killed while it waits for its commit: no Ack was sent, and nothing was stored; the repetition brings it."""
    org = an_org()
    org.open(Subject="Printer")
    (message,) = told(org, org.queue, 100)
    config = written_for(tmp_path, NOWHERE)
    async with bridge_process(config) as process, httpx.AsyncClient(base_url=process.url, timeout=PATIENCE_S) as http:
        with sqlite3.connect(tmp_path / "bridge.db", isolation_level=None) as somebody:
            somebody.execute("BEGIN IMMEDIATE")  # nobody else can commit
            sending = asyncio.create_task(http.post(HOOK, params=QUERY, content=message))
            assert (await http.get("/healthz")).status_code == 200  # it runs, and has read the message that came before
            assert not sending.done()
            process.kill()
            with pytest.raises(httpx.TransportError):
                await sending
            somebody.execute("ROLLBACK")
        somebody.close()
    assert stored(tmp_path) == 0
    async with bridge_process(config) as process, httpx.AsyncClient(base_url=process.url, timeout=PATIENCE_S) as http:
        await acknowledged(http, [message])
        assert stored(tmp_path) == 1
        process.kill()  # at once after the Ack
    assert stored(tmp_path) == 1


def stored(folder: Path) -> int:
    with sqlite3.connect(folder / "bridge.db") as reading:
        (count,) = reading.execute("SELECT count(*) FROM deliveries").fetchone()
    reading.close()
    return int(count)


async def test_kills_between_lose_and_double_nothing(tmp_path: Path) -> None:
    """kill -9 under load, eight times; Salesforce sends again what was not acknowledged."""
    world, org, random = World(), an_org(), Random(8)  # noqa: S311 - when to kill
    async with sandbox_serving(world) as url:
        config = written_for(tmp_path, url)
        cases = [org.open(Subject=f"Case {number}") for number in range(CASES)]
        waiting = told(org, org.queue, 7)
        for case in cases:
            org.close(case["Id"])
        waiting += told(org, org.queue[CASES:], 7)
        taken = 0
        for _kill in range(8):
            async with (
                bridge_process(config) as process,
                httpx.AsyncClient(base_url=process.url, timeout=PATIENCE_S) as http,
            ):
                sending = [asyncio.create_task(http.post(HOOK, params=QUERY, content=message)) for message in waiting]
                enough = random.randrange(1, 4)
                await first_done(sending, enough)
                process.kill()
                answers = await asyncio.gather(*sending, return_exceptions=True)
            acked = [isinstance(answer, httpx.Response) and answer.content == ACK for answer in answers]
            taken += sum(acked)
            waiting = [message for message, ack in zip(waiting, acked, strict=True) if not ack]
        async with (
            bridge_process(config) as process,
            httpx.AsyncClient(base_url=process.url, timeout=PATIENCE_S) as http,
        ):
            await acknowledged(http, waiting) if waiting else None

            async def completed() -> bool:
                return [task.completions for task in world.all_tasks()] == [1] * CASES

            await until(completed, "every task is completed")
    assert taken
    assert world.journal.calls["CreateTask"] >= CASES
    assert Counter(task.request.parent_operation_id for task in world.all_tasks()) == {
        f"bridge/crm/{case['Id']}/1": 1 for case in cases
    }


async def first_done(tasks: Sequence[asyncio.Task[Any]], count: int) -> None:
    for _ in range(count):
        pending = [task for task in tasks if not task.done()]
        if not pending or len(tasks) - len(pending) >= count:
            return
        await asyncio.wait(pending, return_when=asyncio.FIRST_COMPLETED)


async def test_another_object_with_its_own_fields(tmp_path: Path) -> None:
    """A custom object: its fields are mapped, and a list says which of its statuses are closed."""
    world, org = World(), an_org()
    org.messages[:] = [MessageOptions(object="Work_Order__c", fields=("Name", "Subject__c", "Status__c", "Urgency__c"))]
    async with sandbox_serving(world) as url:
        config = written_for(
            tmp_path,
            url,
            object="Work_Order__c",
            fields={"title": "Subject__c", "status": "Status__c", "priority": "Urgency__c"},
            closed=["Done"],
        )
        async with (
            bridge_process(config) as process,
            httpx.AsyncClient(base_url=process.url, timeout=PATIENCE_S) as http,
        ):
            order = org.open("Work_Order__c", Subject__c="Pump", Status__c="New", Urgency__c="High")
            await acknowledged(http, told(org, org.queue, 1))

            async def made(completions: int) -> bool:
                return [task.completions for task in world.all_tasks()] == [completions]

            await until(lambda: made(0), "the task is there")
            org.edit(order["Id"], Status__c="Done")
            await acknowledged(http, told(org, org.queue[1:], 1))
            await until(lambda: made(1), "the task is completed")
    (task,) = world.all_tasks()
    assert (task.request.title, task.request.priority) == (f"[{order['Name']}] Pump", "High")
