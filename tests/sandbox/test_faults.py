"""Bad days: errors, limits, cut and hanging connections, before and after the work was done."""

import asyncio
from typing import Any

import httpx
import pytest

from bridge.sandbox.orchestrator import Rule, World, create_app
from tests.sandbox.conftest import SIGNED_IN, Create, Waits

pytestmark = pytest.mark.anyio

CREATE = "/tasks/GenericTasks/CreateTask"
TASK = {"title": "Close Ticket"}


async def order(client: httpx.AsyncClient, *rules: dict[str, Any]) -> None:
    response = await client.put("/sandbox/faults", json=rules)
    assert response.status_code == 200, response.text


async def test_an_error_before_the_work(client: httpx.AsyncClient, world: World) -> None:
    await order(client, {"operation": "CreateTask", "kind": "error", "status": 503, "retry_after": 7})

    response = await client.post(CREATE, json=TASK)

    assert (response.status_code, response.headers["retry-after"]) == (503, "7")
    assert set(response.json()) == {"message", "errorCode", "traceId", "resourceIds"}
    assert not world.all_tasks()


async def test_an_error_after_the_work(client: httpx.AsyncClient, world: World) -> None:
    await order(client, {"operation": "CreateTask", "kind": "error", "when": "after"})

    assert (await client.post(CREATE, json=TASK)).status_code == 500
    assert len(world.all_tasks()) == 1


async def test_a_rate_limit(client: httpx.AsyncClient) -> None:
    await order(client, {"kind": "rate_limit", "retry_after": 1, "times": 2})

    answers = [await client.post(CREATE, json=TASK) for _ in range(3)]

    assert [(answer.status_code, answer.headers.get("retry-after")) for answer in answers] == [
        (429, "1"),
        (429, "1"),
        (201, None),
    ]


@pytest.mark.parametrize(("when", "tasks"), [("before", 0), ("after", 1)])
async def test_a_dropped_connection(
    client: httpx.AsyncClient, world: World, caplog: pytest.LogCaptureFixture, when: str, tasks: int
) -> None:
    await order(client, {"operation": "CreateTask", "kind": "drop", "when": when, "times": 1})

    with pytest.raises((httpx.RemoteProtocolError, httpx.ReadError)):
        await client.post(CREATE, json=TASK)

    assert len(world.all_tasks()) == tasks
    assert (await client.post(CREATE, json=TASK)).status_code == 201
    assert world.journal.requests == [
        {"operation": "CreateTask", "status": None},
        {"operation": "CreateTask", "status": 201},
    ]
    assert not caplog.records


async def test_the_bytes_of_a_dropped_connection_are_none(client: httpx.AsyncClient, url: str) -> None:
    await order(client, {"kind": "drop"})
    reader, writer = await asyncio.open_connection("127.0.0.1", int(url.rpartition(":")[2]))

    writer.write(b"GET /odata/Folders HTTP/1.1\r\nHost: sandbox\r\n\r\n")

    assert await reader.read() == b""
    writer.close()
    await writer.wait_closed()


@pytest.mark.parametrize(("when", "tasks"), [("before", 0), ("after", 1)])
async def test_a_request_that_hangs(client: httpx.AsyncClient, world: World, when: str, tasks: int) -> None:
    await order(client, {"operation": "CreateTask", "kind": "hang", "when": when})

    with pytest.raises(httpx.ReadTimeout):
        await client.post(CREATE, json=TASK, timeout=0.05)

    assert len(world.all_tasks()) == tasks
    assert (await client.get("/odata/Folders")).status_code == 200


async def test_what_hangs_is_cut_when_the_sandbox_releases_it(client: httpx.AsyncClient, world: World) -> None:
    await order(client, {"operation": "CreateTask", "kind": "hang"})
    request = asyncio.create_task(client.post(CREATE, json=TASK))
    while not world.faults.hanging:  # noqa: ASYNC110 - the event is the other side's
        await asyncio.sleep(0)

    world.faults.release()

    with pytest.raises((httpx.RemoteProtocolError, httpx.ReadError)):
        await request


async def test_latency_delays_and_does_not_change_the_answer(client: httpx.AsyncClient, waits: Waits) -> None:
    await order(
        client,
        {"kind": "latency", "seconds": 2.5},
        {"kind": "latency", "seconds": 1, "when": "after"},
        {"kind": "error", "status": 502, "operation": "CompleteTask"},
    )

    assert (await client.post(CREATE, json=TASK)).status_code == 201
    assert waits.seconds == [2.5, 1]
    assert (await client.post("/tasks/GenericTasks/CompleteTask", json={"taskId": 1})).status_code == 502
    assert waits.seconds == [2.5, 1, 2.5]


async def test_after_strikes_only_what_succeeded(client: httpx.AsyncClient) -> None:
    await order(client, {"kind": "error", "status": 503, "when": "after", "times": 1})

    assert (await client.post(CREATE, json={})).status_code == 400
    assert (await client.post(CREATE, json=TASK)).status_code == 503
    assert (await client.post(CREATE, json=TASK)).status_code == 201


async def test_a_rate_with_a_seed_is_repeatable(client: httpx.AsyncClient) -> None:
    async def statuses() -> list[int]:
        await order(client, {"kind": "error", "rate": 0.5, "seed": 7})
        return [(await client.get("/odata/Folders")).status_code for _ in range(40)]

    first = await statuses()

    assert first == await statuses()
    assert set(first) == {200, 500}


async def test_rules_are_listed_replaced_and_cleared(client: httpx.AsyncClient) -> None:
    await order(client, {"kind": "error"}, {"kind": "drop", "rate": 0})
    await client.get("/odata/Folders")

    listed = (await client.get("/sandbox/faults")).json()
    assert [(rule["kind"], rule["operation"], rule["applied"]) for rule in listed] == [
        ("error", "*", 1),
        ("drop", "*", 0),
    ]

    await order(client, {"kind": "latency", "operation": "CreateTask"})
    assert [rule["kind"] for rule in (await client.get("/sandbox/faults")).json()] == ["latency"]

    assert (await client.delete("/sandbox/faults")).status_code == 204
    assert (await client.get("/sandbox/faults")).json() == []


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"{}",
        b"[1]",
        b'[{"kind": "fire"}]',
        b'[{"kind": "error", "status": 200}]',
        b'[{"kind": "drop", "often": 1}]',
        b'[{"kind": "drop", "operation": "CreateTasks"}]',
    ],
)
async def test_rules_that_make_no_sense_change_nothing(client: httpx.AsyncClient, content: bytes) -> None:
    await order(client, {"kind": "drop", "operation": "CreateTask"})

    response = await client.put("/sandbox/faults", content=content)

    assert response.status_code == 422
    assert response.json()[0]["what"]
    assert len((await client.get("/sandbox/faults")).json()) == 1


async def test_a_token_can_fail_too(client: httpx.AsyncClient) -> None:
    await order(client, {"kind": "error", "operation": "Token", "status": 503})

    assert (await client.post("/identity_/connect/token", data={})).status_code == 503
    assert (await client.get("/odata/Folders")).status_code == 200


async def test_a_connection_can_only_be_cut_where_there_is_one(create: Create) -> None:
    del create  # the served sandbox is another
    world = World()
    world.faults.replace([Rule(kind="drop")])
    transport = httpx.ASGITransport(app=create_app(world))

    async with httpx.AsyncClient(transport=transport, base_url="http://sandbox", headers=SIGNED_IN) as client:
        with pytest.raises(RuntimeError, match="sandbox_serving"):
            await client.post(CREATE, json=TASK)
