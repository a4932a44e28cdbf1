"""What a task says: its data, tags, title, priority, catalog and notes; and what an account may not do."""

from typing import Any

import httpx
import pytest

from bridge.sandbox.orchestrator import World
from tests.sandbox.conftest import Create
from tests.sandbox.test_assigning import activities
from tests.sandbox.test_errors import failure

pytestmark = pytest.mark.anyio

GENERIC = "/tasks/GenericTasks"
ACTION = "/odata/Tasks/UiPath.Server.Configuration.OData"
EDIT = f"{ACTION}.EditTaskMetadata"
NOTE = "/odata/TaskNotes/UiPath.Server.Configuration.OData.CreateTaskNote"


async def data_of(client: httpx.AsyncClient, task_id: int) -> dict[str, Any]:
    task: dict[str, Any] = (await client.get(f"{GENERIC}/GetTaskDataById?taskId={task_id}")).json()
    return task


async def test_a_tasks_data_is_replaced_and_not_merged(client: httpx.AsyncClient, create: Create) -> None:
    task_id = (await create(data={"a": 1, "b": 2}))["id"]

    response = await client.put(f"{GENERIC}/SaveTaskData", json={"TaskId": task_id, "Data": {"a": 3}, "unknown": 1})

    assert (response.status_code, response.content) == (204, b"")
    assert (await data_of(client, task_id))["data"] == {"a": 3}
    assert await activities(client, task_id) == ["Created", "Saved"]


async def test_a_tasks_tags_are_replaced(client: httpx.AsyncClient, create: Create) -> None:
    task = await create(tags=[{"name": "old", "displayName": "Old"}])
    assert task["tags"] == [{"Name": "old", "DisplayName": "Old", "Value": None, "DisplayValue": None}]

    body = {"taskId": task["id"], "tags": [{"Name": "team", "Value": "finance"}]}
    response = await client.put(f"{GENERIC}/SaveTaskTags", json=body)

    assert (response.status_code, response.content) == (204, b"")
    new = {"Name": "team", "DisplayName": "team", "Value": "finance", "DisplayValue": "finance"}
    assert (await data_of(client, task["id"]))["tags"] == [new]
    assert (await client.get(f"/odata/Tasks({task['id']})")).json()["Tags"] == [new]
    assert (await client.put(f"{GENERIC}/SaveTaskTags", json={"taskId": task["id"]})).status_code == 204
    assert (await data_of(client, task["id"]))["tags"] == []


@pytest.mark.parametrize(
    ("path", "body", "expected"),
    [
        ("SaveTaskData", {"data": {}}, (400, 1000)),
        ("SaveTaskData", {"taskId": 1}, (400, 1000)),
        ("SaveTaskData", {"taskId": 1, "data": None}, (400, 1000)),
        ("SaveTaskData", {"taskId": 1, "data": "x"}, (400, 1000)),
        ("SaveTaskData", {"taskId": 4711, "data": {}}, (404, 1002)),
        ("SaveTaskData", {"taskId": -(2**63), "data": {}}, (404, 1002)),
        ("SaveTaskData", {"taskId": 2, "data": {}}, (400, 2400)),
        ("SaveTaskTags", {"tags": []}, (400, 1000)),
        ("SaveTaskTags", {"taskId": 1, "tags": {}}, (400, 1000)),
        ("SaveTaskTags", {"taskId": 1, "tags": [{}]}, (400, 1000)),
        ("SaveTaskTags", {"taskId": 1, "tags": [{"Name": "x" * 257}]}, (400, 1000)),
        ("SaveTaskTags", {"taskId": 1, "tags": [{"Name": "x", "Value": "x" * 257}]}, (400, 1000)),
        ("SaveTaskTags", {"taskId": 4711, "tags": []}, (404, 1002)),
        ("SaveTaskTags", {"taskId": 2, "tags": []}, (400, 2400)),
    ],
)
async def test_what_is_not_saved(
    client: httpx.AsyncClient, create: Create, path: str, body: dict[str, Any], expected: tuple[int, int]
) -> None:
    """Task 2 is completed."""
    for _ in range(2):
        await create(data={"a": 1})
    await client.post(f"{GENERIC}/CompleteTask", json={"taskId": 2})

    assert failure(await client.put(f"{GENERIC}/{path}", json=body))[:2] == expected
    assert (await data_of(client, 1))["data"] == {"a": 1}


async def test_a_tasks_metadata_are_edited(client: httpx.AsyncClient, create: Create) -> None:
    task_id = (await create("Old", priority="Low", taskCatalogName="Tickets"))["id"]

    edit = {"TaskId": task_id, "Title": "New", "Priority": "Critical", "TaskCatalogId": 2, "NoteText": "why not"}
    response = await client.post(EDIT, json=edit)

    assert (response.status_code, response.content) == (200, b"")
    task = (await client.get(f"/odata/Tasks({task_id})")).json()
    assert (task["Title"], task["Priority"], task["TaskCatalogName"]) == ("New", "Critical", "MinodoraCertificates")
    assert await activities(client, task_id) == ["Created", "Saved", "Commented"]
    await client.post(EDIT, json={"TaskId": task_id, "UnsetTaskCatalog": True})
    assert (await client.get(f"/odata/Tasks({task_id})")).json()["TaskCatalogName"] is None
    await client.post(EDIT, json={"TaskId": task_id, "Title": "New"})
    assert await activities(client, task_id) == ["Created", "Saved", "Commented", "Saved"]


@pytest.mark.parametrize(
    ("edit", "expected"),
    [
        ({"TaskId": None}, (400, 1000)),
        ({"TaskId": 4711}, (404, 1002)),
        ({"Title": "x" * 513}, (400, 1000)),
        ({"Title": 1}, (400, 1000)),
        ({"NoteText": "x" * 513}, (400, 1000)),
        ({"Priority": "Highest"}, (400, 1000)),
        ({"TaskCatalogId": 4711}, (404, 1002)),
        ({"TaskCatalogId": 3}, (404, 1002)),  # another folder's
        ({"TaskCatalogId": 2, "UnsetTaskCatalog": True}, (400, 1000)),
        ({"UnsetTaskCatalog": "yes"}, (400, 1000)),
    ],
)
async def test_an_edit_that_is_refused(
    client: httpx.AsyncClient, create: Create, edit: dict[str, Any], expected: tuple[int, int]
) -> None:
    task_id = (await create("Old"))["id"]

    assert failure(await client.post(EDIT, json={"TaskId": task_id, **edit}))[:2] == expected
    assert await activities(client, task_id) == ["Created"]


async def test_a_completed_task_is_not_edited(client: httpx.AsyncClient, create: Create) -> None:
    task_id = (await create())["id"]
    await client.post(f"{GENERIC}/CompleteTask", json={"taskId": task_id})

    assert failure(await client.post(EDIT, json={"TaskId": task_id, "Title": "x"}))[:2] == (400, 2400)


async def test_a_note_is_written_and_read(client: httpx.AsyncClient, url: str, create: Create) -> None:
    task_id = (await create())["id"]

    response = await client.post(NOTE, json={"Text": "On it.", "TaskId": task_id})

    note = response.json()
    assert response.status_code == 201
    assert note["@odata.context"] == f"{url}/odata/$metadata#TaskNotes/$entity"
    assert (note["Text"], note["TaskId"], note["OrganizationUnitId"], note["Id"]) == ("On it.", task_id, 1, 1)
    notes = await client.get(f"/odata/TaskNotes/UiPath.Server.Configuration.OData.GetByTaskId(taskId={task_id})")
    assert [one["Key"] for one in notes.json()["value"]] == [note["Key"]]
    path = f"/odata/TaskActivities/UiPath.Server.Configuration.OData.GetByTaskId(taskId={task_id})"
    (commented,) = (await client.get(path, params={"$filter": "TaskNoteId ne null", "$expand": "TaskNote"})).json()[
        "value"
    ]
    assert (commented["ActivityType"], commented["TaskNote"]["Text"]) == ("Commented", "On it.")
    assert commented["TaskKey"] == (await client.get(f"/odata/Tasks({task_id})")).json()["Key"]


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        ({"TaskId": 1}, (400, 1000)),
        ({"Text": "x"}, (400, 1000)),
        ({"Text": "x" * 513, "TaskId": 1}, (400, 1000)),
        ({"Text": "x", "TaskId": 4711}, (404, 1002)),
    ],
)
async def test_a_note_that_is_refused(
    client: httpx.AsyncClient, create: Create, body: dict[str, Any], expected: tuple[int, int]
) -> None:
    await create()

    assert failure(await client.post(NOTE, json=body))[:2] == expected


@pytest.mark.parametrize("what", ["TaskNotes", "TaskActivities"])
async def test_notes_and_activities_of_no_task(client: httpx.AsyncClient, what: str) -> None:
    path = f"/odata/{what}/UiPath.Server.Configuration.OData.GetByTaskId"

    assert failure(await client.get(f"{path}(taskId=4711)"))[:2] == (404, 1002)
    assert failure(await client.get(f"{path}(taskId=x)"))[:2] == (400, 1000)


async def test_a_task_by_its_key(client: httpx.AsyncClient, create: Create) -> None:
    task = await create()

    found = await client.get(f"{ACTION}.GetByKey(identifier={task['key']})", params={"$select": "Id,Key"})

    assert (found.status_code, found.json()["Id"], found.json()["Key"]) == (200, task["id"], task["key"])
    missing = "bc40e5c8-3e5d-4a4e-8beb-8ed4595c265d"
    assert failure(await client.get(f"{ACTION}.GetByKey(identifier={missing})"))[:2] == (404, 1002)
    assert failure(await client.get(f"{ACTION}.GetByKey(identifier=1)"))[:2] == (400, 1000)


async def test_a_deletion_without_the_permission(
    client: httpx.AsyncClient, url: str, world: World, create: Create
) -> None:
    task_id = (await create())["id"]
    world.denied.add("Tasks.Delete")

    response = await client.post(f"{ACTION}.DeleteTasks", json={"taskIds": [task_id]})

    collection = "Collection(UiPath.Orchestrator.Tasks.Dto.TaskAssignmentErrorResponse)"
    assert (response.status_code, response.json()) == (
        200,
        {
            "@odata.context": f"{url}/odata/$metadata#{collection}",
            "value": [
                {
                    "TaskId": task_id,
                    "UserId": None,
                    "ErrorCode": 2427,
                    "ErrorMessage": "You do not have the required permissions to delete this action",
                }
            ],
        },
    )
    granted = (await client.get(f"{ACTION}.GetTaskPermissions")).json()["value"]
    assert {one["Name"] for one in granted if not one["IsGranted"]} == {"Tasks.Delete"}


@pytest.mark.parametrize(
    ("permission", "method", "path"),
    [
        ("Tasks.Create", "POST", f"{GENERIC}/CreateTask"),
        ("Tasks.Edit", "POST", f"{GENERIC}/CompleteTask"),
        ("Tasks.View", "GET", "/odata/Tasks(1)"),
        ("TaskCatalogs.View", "GET", "/odata/TaskCatalogs"),
        ("TaskAssignment.Create", "GET", f"{ACTION}.GetTasksAcrossFoldersForAdmin"),
    ],
)
async def test_an_operation_without_its_permission(
    client: httpx.AsyncClient, world: World, permission: str, method: str, path: str
) -> None:
    world.denied.add(permission)

    response = await client.request(method, path, json={"title": "x", "taskId": 1} if method == "POST" else None)

    assert (response.status_code, response.json()["errorCode"]) == (403, 0)
    assert response.json()["unAuthorizedRequest"] is True


async def test_an_admin_sees_the_tasks_of_all_folders(client: httpx.AsyncClient, create: Create) -> None:
    await create()

    assert (await client.get(f"{ACTION}.GetTasksAcrossFoldersForAdmin?$count=True")).json()["@odata.count"] == 1
