"""What the sandbox shows of itself: its state for a test, its page for a person."""

import httpx
import pytest

from bridge.sandbox.orchestrator import World
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

    assert (await client.get("/sandbox/state")).json() == {"tasks": [], "calls": {}, "requests": []}
    assert (await create(taskCatalogName="Tickets"))["id"] == 2


async def test_the_page_needs_nothing_from_elsewhere(client: httpx.AsyncClient) -> None:
    response = await client.get("/")

    assert response.headers["content-type"].startswith("text/html")
    assert "default-src 'none'" in response.headers["content-security-policy"]
    assert "http://" not in response.text
    assert "https://" not in response.text
    assert "innerHTML" not in response.text


async def test_the_pages_tasks_are_the_newest_first(client: httpx.AsyncClient, world: World, create: Create) -> None:
    for title in ("first", "<b>second</b>", "third"):
        await create(title, externalTag="JIRA")
    world.delete_task(3)

    body = (await client.get("/sandbox/tasks")).json()

    assert body["count"] == 2
    assert [row["title"] for row in body["tasks"]] == ["<b>second</b>", "first"]
    assert body["tasks"][1] == {
        "id": 1,
        "title": "first",
        "tag": "JIRA",
        "priority": "Medium",
        "status": "Unassigned",
        "action": None,
        "folder": "Shared",
        "created": "2025-05-07T12:02:00Z",
    }
