"""What the sandbox shows of itself for a test: its state, and a new beginning."""

import httpx
import pytest

from tests.sandbox.conftest import Create

pytestmark = pytest.mark.anyio


async def test_the_state_has_every_task_call_and_request(client: httpx.AsyncClient, create: Create) -> None:
    task = await create(taskCatalogName="Tickets", data={"ticket": "HELP-1"})
    for _ in range(2):
        await client.post("/tasks/GenericTasks/CompleteTask", json={"taskId": task["id"]})
    await client.post("/odata/Tasks/UiPath.Server.Configuration.OData.DeleteTasks", json={"taskIds": [task["id"]]})

    state = (await client.get("/sandbox/state")).json()

    (seen,) = state["tasks"]
    assert set(task) < set(seen)
    assert (seen["completions"], seen["status"], seen["isDeleted"]) == (1, 2, True)
    assert (seen["folder"], seen["taskCatalogName"], seen["data"]) == ("Shared", "Tickets", {"ticket": "HELP-1"})
    assert state["calls"] == {"CreateTask": 1, "CompleteTask": 2, "DeleteTasks": 1}
    assert [(one["operation"], one["status"]) for one in state["requests"]] == [
        ("CreateTask", 201),
        ("CompleteTask", 204),
        ("CompleteTask", 400),
        ("DeleteTasks", 200),
    ]


async def test_a_reset_forgets_everything_but_the_folders(client: httpx.AsyncClient, create: Create) -> None:
    await create(parentOperationId="op")
    await client.put("/sandbox/faults", json=[{"kind": "drop"}])

    assert (await client.post("/sandbox/reset")).status_code == 204

    assert (await client.get("/sandbox/state")).json() == {
        "tasks": [],
        "calls": {},
        "requests": [],
        "webhooks": [],
        "deliveries": [],
    }
    assert (await create(taskCatalogName="Tickets"))["id"] == 2
