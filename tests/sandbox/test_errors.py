"""What is refused, with the documented error: never a 500, whatever is sent."""

import re
from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest

from bridge.sandbox.orchestrator.answering import MAX_BODY
from tests.sandbox.conftest import SIGNED_IN, Create

pytestmark = pytest.mark.anyio

CREATE = "/tasks/GenericTasks/CreateTask"
COMPLETE = "/tasks/GenericTasks/CompleteTask"
TRACE_ID = re.compile(r"00-[0-9a-f]{32}-[0-9a-f]{16}-00")


def failure(response: httpx.Response) -> tuple[int, int, str]:
    """Status, code and sentence of an answer that has the shape of a documented error."""
    body = response.json()
    assert set(body) == {"message", "errorCode", "traceId", "resourceIds"}
    assert TRACE_ID.fullmatch(body["traceId"])
    return response.status_code, body["errorCode"], body["message"]


async def test_completing_twice(client: httpx.AsyncClient, create: Create) -> None:
    task = await create()
    await client.post(COMPLETE, json={"taskId": task["id"]})

    again = await client.post(COMPLETE, json={"taskId": task["id"]})

    assert failure(again) == (400, 2400, "This task is in completed state")


@pytest.mark.parametrize(
    ("method", "path", "body"),
    [
        ("POST", COMPLETE, {"taskId": 4711}),
        ("POST", COMPLETE, {"taskId": 2**63 - 1}),
        ("GET", "/tasks/GenericTasks/GetTaskDataById?taskId=4711", None),
        ("GET", "/tasks/GenericTasks/GetTaskDataById?taskId=-1", None),
        ("GET", "/tasks/GenericTasks/GetTaskDataByKey?taskKey=bc40e5c8-3e5d-4a4e-8beb-8ed4595c265d", None),
        ("GET", "/odata/Tasks(4711)", None),
    ],
)
async def test_a_task_that_does_not_exist(client: httpx.AsyncClient, method: str, path: str, body: Any) -> None:
    assert failure(await client.request(method, path, json=body)) == (404, 1002, "Task does not exist.")


async def test_a_catalog_that_does_not_exist(client: httpx.AsyncClient) -> None:
    response = await client.post(CREATE, json={"title": "x", "taskCatalogName": "Nope"})

    assert failure(response) == (400, 2451, "No task catalog exists with name Nope.")


async def test_catalogs_belong_to_their_folder(client: httpx.AsyncClient) -> None:
    body = {"title": "x", "taskCatalogName": "Invoices"}

    here = await client.post(CREATE, json=body)
    there = await client.post(CREATE, json=body, headers={"X-UIPATH-OrganizationUnitId": "828"})

    assert failure(here)[1] == 2451
    assert there.status_code == 201


@pytest.mark.parametrize(
    "fields",
    [
        {},
        {"title": None},
        {"title": "  "},
        {"title": 7},
        {"title": "x" * 513},
        {"title": "x", "externalTag": "x" * 513},
        {"title": "x", "parentOperationId": "x" * 129},
        {"title": "x", "taskCatalogName": "x" * 51},
        {"title": "x", "type": "NoTask"},
        {"title": "x", "type": 7},
        {"title": "x", "type": True},
        {"title": "x", "priority": ["High"]},
        {"title": "x", "data": "text"},
        {"title": "x", "data": [1]},
        {"title": "x", "tags": {"Name": "a"}},
        {"title": "x", "tags": ["a"]},
        {"title": "x", "tags": [{}]},
        {"title": "x", "tags": [{"Name": "x" * 257}]},
        {"title": "x", "taskSource": "Agent"},
        {"title": "x", "taskSource": {"sourceName": "Nobody"}},
        {"title": "x", "taskSource": {"sourceId": 1}},
        {"title": "x", "creatorJobKey": "not a uuid"},
    ],
)
async def test_a_task_that_cannot_be_created(client: httpx.AsyncClient, fields: dict[str, Any]) -> None:
    status, code, message = failure(await client.post(CREATE, json=fields))

    assert (status, code) == (400, 1000)
    assert message


@pytest.mark.parametrize("length", [("title", 512), ("externalTag", 512), ("parentOperationId", 128)])
async def test_the_longest_values_are_accepted(create: Create, length: tuple[str, int]) -> None:
    name, most = length
    assert (await create(**{"title": "x", name: "x" * most}))[name] == "x" * most


@pytest.mark.parametrize(
    "content",
    [
        b'{"title": "x"',
        b"[]",
        b"7",
        b'"text"',
        b'\xff\xfe{"title"',
        b'{"title": "\\ud800"}',
        b'{"title": "x", "data": {"a": NaN}}',
        b'{"title": "x", "data": ' + b'{"a":' * 252 + b"1" + b"}" * 253,
        b"[" * 100_000,
    ],
)
async def test_a_body_that_is_not_a_json_object(client: httpx.AsyncClient, content: bytes) -> None:
    assert failure(await client.post(CREATE, content=content))[:2] == (400, 1000)


@pytest.mark.parametrize("content", [b"", b"null", b"  "])
async def test_no_body(client: httpx.AsyncClient, content: bytes) -> None:
    assert failure(await client.post(CREATE, content=content)) == (400, 0, "taskCreateRequest must not be null")


async def test_a_body_that_is_too_large_is_not_kept(client: httpx.AsyncClient) -> None:
    async def endless() -> AsyncIterator[bytes]:
        for _ in range(MAX_BODY // 1_000_000 + 1):
            yield b"x" * 1_000_000

    assert failure(await client.post(CREATE, content=endless()))[:2] == (413, 1000)


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"taskId": "1"},
        {"taskId": True},
        {"taskId": 1.5},
        {"taskId": 2**63},
        {"taskId": 10**30},
        {"taskId": 1, "data": 1},
        {"taskId": 1, "action": 1},
    ],
)
async def test_a_completion_that_makes_no_sense(
    client: httpx.AsyncClient, create: Create, body: dict[str, Any]
) -> None:
    await create()

    assert failure(await client.post(COMPLETE, json=body))[:2] == (400, 1000)


@pytest.mark.parametrize("body", [{}, {"taskIds": 1}, {"taskIds": ["1"]}, {"taskIds": [True]}])
async def test_a_deletion_that_makes_no_sense(client: httpx.AsyncClient, body: dict[str, Any]) -> None:
    response = await client.post("/odata/Tasks/UiPath.Server.Configuration.OData.DeleteTasks", json=body)

    assert failure(response)[:2] == (400, 1000)


@pytest.mark.parametrize(
    "path",
    [
        "/tasks/GenericTasks/GetTaskDataById",
        "/tasks/GenericTasks/GetTaskDataById?taskId=",
        "/tasks/GenericTasks/GetTaskDataById?taskId=one",
        "/tasks/GenericTasks/GetTaskDataById?taskId=" + str(2**63),
        "/tasks/GenericTasks/GetTaskDataById?taskId=" + "9" * 5000,
        "/tasks/GenericTasks/GetTaskDataByKey",
        "/tasks/GenericTasks/GetTaskDataByKey?taskKey=1",
        "/odata/Tasks(one)",
        "/odata/Tasks(" + "9" * 5000 + ")",
    ],
)
async def test_an_id_that_is_none(client: httpx.AsyncClient, path: str) -> None:
    assert failure(await client.get(path))[:2] == (400, 1000)


async def test_a_path_and_a_method_that_do_not_exist(client: httpx.AsyncClient) -> None:
    assert failure(await client.get("/tasks/GenericTasks/Nope"))[0] == 404
    assert failure(await client.get("/acme/Default/orchestrator_/odata/Nope"))[0] == 404
    assert failure(await client.get(CREATE))[0] == 405


@pytest.mark.parametrize("authorization", [None, "", "Bearer", "Basic YTpi", "token"])
async def test_nobody_is_signed_in(url: str, authorization: str | None) -> None:
    headers = {**SIGNED_IN, "Authorization": authorization or ""}
    if authorization is None:
        del headers["Authorization"]

    async with httpx.AsyncClient(base_url=url, headers=headers) as client:
        response = await client.post(CREATE, json={"title": "x"})

    body = response.json()
    assert response.status_code == 401
    assert body["__abp"] is True
    assert body["unAuthorizedRequest"] is True
    assert body["message"] == body["error"]["message"] == "You are not authorized!"
    assert TRACE_ID.fullmatch(body["traceId"])
