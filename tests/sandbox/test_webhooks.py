"""Webhooks: subscribing, the events of a task's life, the signature, and the breaker after a failed call."""

import asyncio
import base64
import hashlib
import hmac
import threading
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import pytest

from bridge.sandbox.orchestrator import User, World, create_app
from bridge.sandbox.orchestrator.delivering import Sender, delivering
from bridge.sandbox.orchestrator.events import signature
from tests.sandbox.conftest import FOLDERS, SIGNED_IN, Create
from tests.sandbox.receiving import Receiver, receiving

pytestmark = pytest.mark.anyio

WEBHOOKS = "/odata/Webhooks"
ACTION = "UiPath.Server.Configuration.OData"
ADA = User(1001, "ada@example.com", "Ada", "Lovelace")


def subscription(url: str, **fields: Any) -> dict[str, Any]:
    known = {"Name": "us", "Url": url, "Enabled": True, "SubscribeToAllEvents": True, "AllowInsecureSsl": False}
    return {**known, **fields}


class StillClock:
    """Noon, until it is told otherwise."""

    def __init__(self) -> None:
        self.now = datetime(2025, 5, 7, 12, 0, 0, 345678, tzinfo=UTC)

    def __call__(self) -> datetime:
        return self.now


@pytest.fixture
def clock() -> StillClock:
    return StillClock()


@pytest.fixture
def world(clock: StillClock) -> World:
    return World(folders=FOLDERS, clock=clock)


@pytest.fixture
async def receiver() -> AsyncIterator[Receiver]:
    async with receiving() as receiver:
        yield receiver


@pytest.fixture
async def sender(world: World) -> AsyncIterator[Sender]:
    """Over the world alone, where no test needs the wire."""
    async with delivering(world) as sender:
        yield sender


async def subscribe(client: httpx.AsyncClient, url: str, **fields: Any) -> dict[str, Any]:
    response = await client.post(WEBHOOKS, json=subscription(url, **fields))
    assert response.status_code == 201, response.text
    answer: dict[str, Any] = response.json()
    return answer


def test_the_signature_is_the_documented_one() -> None:
    body = b'{"Type":"task.completed","EventId":"e1","Timestamp":"2026-01-02T03:04:05.678Z"}'

    assert signature("my-signing-secret", body) == "lywqGkzqRBBd7m+hFnGWJgZhLjFRmKz05uaRrbuC/yo="


# -- subscribing -------------------------------------------------------------------------------------------------------------------


async def test_a_subscription_is_made_shown_changed_and_removed(client: httpx.AsyncClient, receiver: Receiver) -> None:
    made = await subscribe(client, receiver.url, Secret="s", Events=[{"EventType": "task.created"}])
    assert made["Id"] == 1
    assert made["Key"]
    assert (made["Name"], made["Secret"], made["Events"]) == ("us", "s", [{"EventType": "task.created"}])

    listed = (await client.get(WEBHOOKS, params={"$filter": "name eq 'us'"})).json()
    assert (listed["@odata.count"], listed["value"][0]["Id"]) == (1, 1)

    patched = (await client.patch(f"{WEBHOOKS}(1)", json={"enabled": False, "description": "off"})).json()
    assert (patched["Enabled"], patched["Description"], patched["Secret"]) == (False, "off", "s")

    replaced = (await client.put(f"{WEBHOOKS}(1)", json=subscription(receiver.url, Name="them"))).json()
    assert (replaced["Name"], replaced["Secret"], replaced["Events"], replaced["Key"]) == (
        "them",
        None,
        [],
        made["Key"],
    )
    assert (await client.get(f"{WEBHOOKS}(1)")).json()["Name"] == "them"

    assert (await client.delete(f"{WEBHOOKS}(1)")).status_code == 204
    gone = await client.get(f"{WEBHOOKS}(1)")
    assert (gone.status_code, gone.json()["errorCode"]) == (404, 1002)


async def test_webhooks_need_no_folder_but_a_token(url: str) -> None:
    async with httpx.AsyncClient(base_url=f"{url}/acme/Default/orchestrator_") as anyone:
        assert (await anyone.get(WEBHOOKS)).status_code == 401
        assert (await anyone.get(WEBHOOKS, headers={"Authorization": "Bearer x"})).status_code == 200


@pytest.mark.parametrize(
    "change",
    [
        {"Name": None},
        {"Name": "x" * 129},
        {"Name": 7},
        {"Url": None},
        {"Url": "somewhere"},
        {"Url": "ftp://example.com"},
        {"Url": "http://[::1"},
        {"Url": "http://x/" + "y" * 2000},
        {"Enabled": None},
        {"Enabled": "yes"},
        {"SubscribeToAllEvents": 1},
        {"AllowInsecureSsl": None},
        {"Secret": "x" * 101},
        {"Description": "x" * 257},
        {"Events": "task.created"},
        {"Events": ["task.created"]},
        {"Events": [{}]},
        {"Events": [{"EventType": "x" * 51}]},
    ],
)
async def test_a_subscription_that_makes_no_sense(
    client: httpx.AsyncClient, world: World, change: dict[str, Any]
) -> None:
    world.webhooks.add(FOLDERS[0].key, _wanted())

    for method, path in (("POST", WEBHOOKS), ("PUT", f"{WEBHOOKS}(1)"), ("PATCH", f"{WEBHOOKS}(1)")):
        body = change if method == "PATCH" else subscription("http://example.com", **change)
        response = await client.request(method, path, json=body)
        assert (response.status_code, set(response.json())) == (
            400,
            {"message", "errorCode", "traceId", "resourceIds"},
        ), method
    assert [one.wanted for one in world.webhooks.all()] == [_wanted()]


@pytest.mark.parametrize("key", ["2", "0", "-1", "x", "9" * 30])
@pytest.mark.parametrize(("method", "rest"), [("GET", ""), ("DELETE", ""), ("PATCH", ""), ("POST", f"/{ACTION}.Ping")])
async def test_a_subscription_that_is_not_there(client: httpx.AsyncClient, method: str, rest: str, key: str) -> None:
    response = await client.request(method, f"{WEBHOOKS}({key}){rest}", json={})

    assert response.status_code == (404 if len(key) < 20 and key != "x" else 400)


async def test_the_types_of_events(client: httpx.AsyncClient) -> None:
    listed = (await client.get(f"{WEBHOOKS}/{ACTION}.GetEventTypes")).json()["value"]

    assert {"Name": "task.completed", "Group": "task"} in listed
    assert [one["Name"] for one in listed if one["Group"] == "task"] == [
        "task.created",
        "task.assignmentChanged",
        "task.saved",
        "task.forwarded",
        "task.completed",
        "task.deleted",
        "task.updated",
    ]


# -- events ------------------------------------------------------------------------------------------------------------------------


async def test_the_life_of_a_task_is_told_signed_and_in_order(
    client: httpx.AsyncClient, receiver: Receiver, create: Create
) -> None:
    await subscribe(client, receiver.url, Secret="my-signing-secret")
    task = await create(
        taskCatalogName="Tickets", externalTag="JIRA", parentOperationId="OPS-1", tags=[{"Name": "a"}], priority="High"
    )
    await client.post("/tasks/GenericTasks/CompleteTask", json={"taskId": task["id"], "action": "close"})
    await client.post(f"/odata/Tasks/{ACTION}.DeleteTasks", json={"taskIds": [task["id"]]})

    calls = [await receiver.next() for _ in range(4)]

    for call in calls:
        digest = hmac.new(b"my-signing-secret", call.body, hashlib.sha256).digest()
        assert base64.b64decode(call.headers["x-uipath-signature"]) == digest
        assert call.headers["content-type"] == "application/json"
    ping, created, completed, deleted = (call.event for call in calls)
    assert ping["Type"] == "ping"
    assert "Tasks" not in ping
    base = {
        "Title": "Close Ticket",
        "Type": "ExternalTask",
        "Priority": "High",
        "CreationTime": "2025-05-07T12:00:00.3456780Z",
        "TaskCatalogName": "Tickets",
        "Id": 1,
        "OrganizationUnitId": 1,
        "AssignedToUserId": None,
        "Key": task["key"],
    }
    assert created == {
        "Type": "task.created",
        "EventId": created["EventId"],
        "Timestamp": "2025-05-07T12:00:00.3456780Z",
        "EntityKey": task["key"],
        "Tasks": [{**base, "Status": "Unassigned", "ParentOperationId": "OPS-1", "Tags": task["tags"]}],
        "EventTime": "2025-05-07T12:00:00.3456780Z",
        "EventSourceId": None,
        "TenantId": 1,
        "OrganizationUnitId": 1,
        "OrganizationUnitKey": str(FOLDERS[0].key),
        "UserKey": None,
        "UserId": None,
    }
    assert completed["Tasks"] == [
        {**base, "Status": "Completed", "Action": "close", "ExternalTag": "JIRA", "FpsContext": None}
    ]
    assert completed["ResultReference"] is None
    (gone,) = deleted["Tasks"]
    assert gone["DeletionTime"] == "2025-05-07T12:00:00.3456780Z"
    assert len({str(call.event["EventId"]) for call in calls}) == 4
    assert all(len(str(call.event["EventId"])) <= 50 for call in calls)


@pytest.mark.parametrize(
    ("kind", "event", "fields"),
    [
        ("Assigned", "task.assignmentChanged", {"AssignedToUserIdOldValue": 1001}),
        ("Reassigned", "task.assignmentChanged", {"AssignedToUserIdOldValue": 1001}),
        ("Unassigned", "task.assignmentChanged", {"AssignedToUserIdOldValue": 1001}),
        ("Saved", "task.saved", {}),
        ("BulkSaved", "task.saved", {}),
        ("Forwarded", "task.forwarded", {"ForwardedByUserId": 1001}),
        ("BulkCompleted", "task.completed", {"Action": None}),
        ("Saved, but not its data", "task.updated", {"Tags": []}),
    ],
)
async def test_every_change_has_its_event(
    world: World, sender: Sender, receiver: Receiver, kind: str, event: str, fields: dict[str, Any]
) -> None:
    task = world.create_task(_new())
    world.webhooks.add(task.key, _wanted(receiver.url))

    world._record(task, kind.split(",", maxsplit=1)[0], by=ADA, assigned_before=ADA, metadata="," in kind)
    await sender.idle()

    told = (await receiver.next()).event
    assert (told["Type"], told["UserId"]) == (event, 1001)
    (shown,) = told["Tasks"]
    assert fields.items() <= shown.items()


async def test_a_comment_is_no_event_and_only_what_is_wanted_is_sent(
    world: World, sender: Sender, receiver: Receiver
) -> None:
    key = FOLDERS[0].key
    world.webhooks.add(key, _wanted(receiver.url, subscribe_to_all_events=False, events=("task.completed",)))
    world.webhooks.add(key, _wanted(receiver.url, enabled=False))
    task = world.create_task(_new())
    world._record(task, "Commented")
    world.complete_task(task.id)
    await sender.idle()

    assert [one.type for one in world.webhooks.deliveries] == ["task.completed"]
    assert "x-uipath-signature" not in (await receiver.next()).headers


async def test_an_event_tells_the_task_as_it_was_then(world: World, sender: Sender, receiver: Receiver) -> None:
    receiver.held = asyncio.Event()
    world.webhooks.add(FOLDERS[0].key, _wanted(receiver.url))
    task = world.create_task(_new())
    world.complete_task(task.id)

    first = await receiver.next()
    receiver.held.set()
    await sender.idle()

    assert first.event["Tasks"][0]["Status"] == "Unassigned"


async def test_a_change_from_another_thread_is_told_too(world: World, sender: Sender, receiver: Receiver) -> None:
    world.webhooks.add(FOLDERS[0].key, _wanted(receiver.url))

    thread = threading.Thread(target=world.create_task, args=(_new(),))
    thread.start()
    thread.join()

    assert (await receiver.next()).event["Type"] == "task.created"
    await sender.idle()


async def test_a_ping_and_an_event_of_ones_own(client: httpx.AsyncClient, receiver: Receiver) -> None:
    await subscribe(client, receiver.url, SubscribeToAllEvents=False)
    await subscribe(client, receiver.url, Events=[{"EventType": "custom"}], SubscribeToAllEvents=False)
    assert [(await receiver.next()).event["Type"] for _ in range(2)] == ["ping", "ping"]

    ping = await client.post(f"{WEBHOOKS}(1)/{ACTION}.Ping")
    told = (await receiver.next()).event
    assert ping.status_code == 202
    assert told.items() <= ping.json().items()

    custom = await client.post(f"{WEBHOOKS}/{ACTION}.TriggerCustom", json={"Hello": [1, {"a": None}]})
    told = (await receiver.next()).event
    assert (custom.status_code, told["Type"], told["EventData"]) == (202, "custom", {"Hello": [1, {"a": None}]})
    assert receiver.calls.empty()

    for wrong in (b"", b"[]", b"{"):
        response = await client.post(f"{WEBHOOKS}/{ACTION}.TriggerCustom", content=wrong)
        assert response.status_code == 400


# -- what fails --------------------------------------------------------------------------------------------------------------------


async def test_a_failed_call_is_lost_and_silences_the_webhook_for_an_hour(
    world: World, clock: StillClock, sender: Sender, receiver: Receiver
) -> None:
    webhook = world.webhooks.add(FOLDERS[0].key, _wanted(receiver.url))
    receiver.status = 500
    world.create_task(_new())
    await sender.idle()
    receiver.status = 200

    world.create_task(_new())
    await sender.idle()
    clock.now += timedelta(minutes=59)
    world.create_task(_new())
    await sender.idle()
    clock.now += timedelta(minutes=1)
    world.create_task(_new())
    await sender.idle()

    told = [(one.status, one.skipped) for one in world.webhooks.deliveries]
    assert told == [(500, False), (None, True), (None, True), (200, False)]
    assert receiver.calls.qsize() == 2

    receiver.status = 404
    world.create_task(_new())
    await sender.idle()
    world.webhooks.change(webhook.id, webhook.wanted)
    receiver.status = 204
    world.create_task(_new())
    await sender.idle()
    assert world.webhooks.deliveries[-1].status == 204, "whoever changes a webhook closes its breaker"


async def test_how_long_it_is_silent_can_be_set(
    world: World, clock: StillClock, sender: Sender, receiver: Receiver
) -> None:
    world.webhooks.breaker = timedelta(minutes=10)
    world.webhooks.add(FOLDERS[0].key, _wanted(receiver.url))
    receiver.status = 302
    world.create_task(_new())
    await sender.idle()

    clock.now += timedelta(minutes=10)
    receiver.status = 200
    world.create_task(_new())
    await sender.idle()

    assert [one.status for one in world.webhooks.deliveries] == [302, 200]


async def test_nobody_there_is_a_failed_call(client: httpx.AsyncClient, world: World, create: Create) -> None:
    async with receiving() as gone:
        url = gone.url
    await subscribe(client, url)
    await create()
    while len(world.webhooks.deliveries) < 2:  # noqa: ASYNC110 - the sandbox has no event for it
        await asyncio.sleep(0)

    ping, created = (await client.get("/sandbox/state")).json()["deliveries"]
    assert (ping["type"], ping["status"], ping["skipped"]) == ("ping", None, False)
    assert "ConnectError" in ping["error"]
    assert (created["type"], created["skipped"]) == ("task.created", True)


async def test_a_receiver_that_does_not_answer_delays_no_answer_and_no_end(receiver: Receiver) -> None:
    receiver.held = asyncio.Event()
    world = World()
    transport = httpx.ASGITransport(app=create_app(world))
    async with httpx.AsyncClient(transport=transport, base_url="http://sandbox", headers=SIGNED_IN) as client:
        async with delivering(world):
            await subscribe(client, receiver.url)
            assert (await client.post("/tasks/GenericTasks/CreateTask", json={"title": "t"})).status_code == 201
            assert (await receiver.next()).event["Type"] == "ping"
        world.create_task(_new())  # nobody listens any more
    receiver.held.set()
    assert not world.webhooks.deliveries


def _new() -> Any:
    from bridge.sandbox.orchestrator import NewTask

    return NewTask(title="t")


def _wanted(url: str = "http://example.com", **fields: Any) -> Any:
    from bridge.sandbox.orchestrator.webhooks import Wanted

    return Wanted(name="us", url=url, **fields)
