"""Form tasks: a form that is created, shown, saved, forwarded and completed."""

from typing import Any

import httpx
import pytest

from tests.sandbox.test_errors import failure

pytestmark = pytest.mark.anyio

FORMS = "/forms/TaskForms"
NEW = {
    "title": "Verify Credentials",
    "priority": "Critical",
    "formLayout": {"components": [{"type": "textfield", "key": "name"}]},
    "formLayoutId": 4,
    "data": {"name": "Ada"},
    "taskCatalogName": "Tickets",
}


@pytest.fixture
async def task(client: httpx.AsyncClient) -> dict[str, Any]:
    response = await client.post(f"{FORMS}/CreateFormTask", json=NEW)
    assert response.status_code == 201
    created: dict[str, Any] = response.json()
    return created


async def test_a_form_is_created_and_shown(client: httpx.AsyncClient, task: dict[str, Any]) -> None:
    form = (await client.get(f"{FORMS}/GetTaskFormById", params={"taskId": task["id"]})).json()
    data = (await client.get(f"{FORMS}/GetTaskDataById", params={"taskId": task["id"]})).json()

    assert (task["type"], task["status"], task["data"]) == ("FormTask", 0, {"name": "Ada"})
    assert (form["formLayout"], form["formLayoutId"]) == (NEW["formLayout"], 4)
    assert data == task
    assert (await client.get(f"/odata/Tasks({task['id']})")).json()["FormLayoutId"] == 4


async def test_a_form_is_saved_forwarded_and_completed(client: httpx.AsyncClient, task: dict[str, Any]) -> None:
    saved = await client.put(f"{FORMS}/SaveTaskData", json={"taskId": task["id"], "data": {"name": "Grace"}})
    forwarded = await client.post(f"{FORMS}/SaveAndReassignTask", json={"TaskId": task["id"], "UserId": 1002})
    completion = {"taskId": task["id"], "data": {"name": "G. Hopper"}, "action": "approve"}
    completed = await client.post(f"{FORMS}/CompleteTask", json=completion)

    assert [one.status_code for one in (saved, forwarded, completed)] == [204, 204, 204]
    after = (await client.get(f"{FORMS}/GetTaskDataById", params={"taskId": task["id"]})).json()
    assert (after["status"], after["action"], after["data"]) == (2, "approve", {"name": "G. Hopper"})
    assert after["assignedToUser"]["emailAddress"] == "grace@example.com"


@pytest.mark.parametrize("fields", [{"data": None}, {"action": None}, {"action": ""}, {"data": []}])
async def test_a_form_is_not_completed_without_data_and_action(
    client: httpx.AsyncClient, task: dict[str, Any], fields: dict[str, Any]
) -> None:
    completion = {"taskId": task["id"], "data": {}, "action": "approve", **fields}

    assert failure(await client.post(f"{FORMS}/CompleteTask", json=completion))[:2] == (400, 1000)


@pytest.mark.parametrize("fields", [{"title": None}, {"formLayout": "x"}, {"formLayoutId": "4"}, {"priority": 4}])
async def test_a_form_that_cannot_be_created(client: httpx.AsyncClient, fields: dict[str, Any]) -> None:
    assert failure(await client.post(f"{FORMS}/CreateFormTask", json={**NEW, **fields}))[:2] == (400, 1000)
