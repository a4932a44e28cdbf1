"""The published guides' examples, field by field ("Generic Tasks requests", "Tasks requests")."""

from typing import Any
from uuid import UUID

import httpx
import pytest

from bridge.sandbox.orchestrator import World
from tests.sandbox.conftest import Create

pytestmark = pytest.mark.anyio

EXTERNAL = {
    "type": "ExternalTask",
    "externalTag": "JIRA",
    "title": "Close Ticket",
    "priority": "High",
    "data": {},
    "taskCatalogName": "Tickets",
}
FOLDER = "default\\bc40e5c8-3e5d-4a4e-8beb-8ed4595c265d\\"
VALIDATION = {
    "type": "DocumentValidationTask",
    "externalTag": "DV",
    "title": "Build Certificate",
    "priority": "Low",
    "data": {
        "BucketId": 25,
        "DocumentId": "Construction Tender Document",
        "DocumentPath": f"{FOLDER}Construction Tender Document.zip",
        "EncodedDocumentPath": f"{FOLDER}encoded.zip",
        "TextPath": f"{FOLDER}text.zip",
        "DocumentObjectModelPath": f"{FOLDER}dom.zip",
        "TaxonomyPath": f"{FOLDER}taxonomy.zip",
        "AutomaticExtractionResultsPath": f"{FOLDER}input_results.zip",
        "ValidatedExtractionResultsPath": f"{FOLDER}output_results.zip",
        "Version": "1.0",
    },
    "taskCatalogName": "MinodoraCertificates",
}
TASK_DATA_FIELDS = """
    status data action waitJobState organizationUnitFullyQualifiedName tags assignedToUser taskSlaDetails
    completedByUser taskAssignmentCriteria taskAssignees isCurrentUserInAllUserAssignedGroup taskSource
    processingTime title type priority assignedToUserId organizationUnitId externalTag creatorJobKey waitJobKey
    lastAssignedTime completionTime parentOperationId key isDeleted deleterUserId deletionTime lastModificationTime
    lastModifierUserId creationTime creatorUserId id
"""
ACTION = "/odata/Tasks/UiPath.Server.Configuration.OData"


async def test_an_external_task_is_created(client: httpx.AsyncClient) -> None:
    response = await client.post("/tasks/GenericTasks/CreateTask", json=EXTERNAL)

    task = response.json()
    assert response.status_code == 201
    assert {name: task[name] for name in ("status", "data", "action", "externalTag", "id")} == {
        "status": 0,
        "data": {},
        "action": None,
        "externalTag": "JIRA",
        "id": 1,
    }
    assert task["title"] == "Close Ticket"
    assert task["type"] == "ExternalTask"
    assert task["priority"] == "High"
    assert task["organizationUnitId"] == 1
    assert set(task) == set(TASK_DATA_FIELDS.split())
    assert UUID(task["key"]).version == 4
    assert task["creationTime"].endswith("Z")


async def test_a_document_validation_task_is_created_and_read_back(client: httpx.AsyncClient) -> None:
    created = await client.post("/tasks/GenericTasks/CreateTask", json=VALIDATION)
    read = await client.get("/tasks/GenericTasks/GetTaskDataById", params={"taskId": created.json()["id"]})

    assert (created.status_code, read.status_code) == (201, 200)
    assert created.json() == read.json()
    assert read.json()["data"] == VALIDATION["data"]
    assert read.json()["externalTag"] == "DV"
    assert (read.json()["status"], read.json()["action"], read.json()["organizationUnitId"]) == (0, None, 1)
    assert read.json()["type"] == "DocumentValidationTask"


async def test_an_external_task_is_completed(client: httpx.AsyncClient, create: Create) -> None:
    task = await create()

    response = await client.post(
        "/tasks/GenericTasks/CompleteTask", json={"taskId": task["id"], "data": {"note": "done"}, "action": "close"}
    )

    assert (response.status_code, response.content) == (204, b"")
    after = (await client.get("/tasks/GenericTasks/GetTaskDataByKey", params={"taskKey": task["key"]})).json()
    assert (after["status"], after["action"], after["data"]) == (2, "close", {"note": "done"})
    assert after["completionTime"] == after["lastModificationTime"] > after["creationTime"]


async def test_completing_without_data_keeps_the_tasks_own(client: httpx.AsyncClient, create: Create) -> None:
    task = await create(data={"ticket": "HELP-1"})
    await client.post("/tasks/GenericTasks/CompleteTask", json={"taskId": task["id"]})

    after = (await client.get(f"/tasks/GenericTasks/GetTaskDataById?taskId={task['id']}")).json()
    assert after["data"] == {"ticket": "HELP-1"}


async def test_tasks_are_retrieved_by_the_page(client: httpx.AsyncClient, url: str, create: Create) -> None:
    for number in range(21):
        await create(f"Review {number}", taskCatalogName="Tickets")

    body = (await client.get("/odata/Tasks?$top=2")).json()

    assert body["@odata.context"] == f"{url}/odata/$metadata#Tasks"
    assert body["@odata.count"] == 21
    assert [task["Id"] for task in body["value"]] == [1, 2]
    first = body["value"][0]
    expected = {
        "Title": "Review 0",
        "Type": "ExternalTask",
        "Priority": "Medium",
        "Status": "Unassigned",
        "CreationTime": "2025-05-07T12:02:00Z",
        "TaskCatalogName": "Tickets",
        "OrganizationUnitId": 1,
        "IsCompleted": False,
        "Id": 1,
    }
    assert {name: first[name] for name in expected} == expected
    assert "Data" not in first


async def test_a_tasks_details_are_retrieved(client: httpx.AsyncClient, url: str, create: Create) -> None:
    task = await create("Verify Credentials", priority="Critical")

    body = (await client.get(f"/odata/Tasks({task['id']})")).json()

    assert body["@odata.context"] == f"{url}/odata/$metadata#Tasks/$entity"
    assert (body["Title"], body["Priority"], body["Status"]) == ("Verify Credentials", "Critical", "Unassigned")
    assert body["Key"] == task["key"]


async def test_a_deleted_task_is_gone_from_everywhere(client: httpx.AsyncClient, create: Create) -> None:
    task = await create(parentOperationId="op")

    response = await client.post(f"{ACTION}.DeleteTasks", json={"taskIds": [task["id"], 104177]})

    assert response.status_code == 200
    assert response.json()["value"] == [
        {"TaskId": 104177, "UserId": None, "ErrorCode": 1002, "ErrorMessage": "Task does not exist."}
    ]
    assert (await client.get(f"/tasks/GenericTasks/GetTaskDataById?taskId={task['id']}")).status_code == 404
    assert (await client.get(f"/odata/Tasks({task['id']})")).status_code == 404
    for query in ({}, {"$filter": "ParentOperationId eq 'op'"}, {"$filter": "IsDeleted eq true"}):
        assert (await client.get(f"{ACTION}.GetTasksAcrossFolders", params=query)).json()["value"] == []


async def test_every_path_is_also_under_a_tenant(client: httpx.AsyncClient, url: str, create: Create) -> None:
    await create()
    tenant = "/acme/Default/orchestrator_"

    created = await client.post(f"{tenant}/tasks/GenericTasks/CreateTask", json=EXTERNAL)
    listed = await client.get(f"{tenant}{ACTION}.GetTasksAcrossFolders")

    assert created.status_code == 201
    assert listed.json()["@odata.context"] == f"{url}{tenant}/odata/$metadata#Tasks"
    assert listed.json()["@odata.count"] == 2


@pytest.mark.parametrize(
    ("sent", "type_", "priority"),
    [
        ({"TYPE": 1, "Priority": 3}, "ExternalTask", "Critical"),
        ({"Type": "externaltask", "pRiority": "low"}, "ExternalTask", "Low"),
        ({"type": 6, "taskSchemaKey": "unknown to the definition"}, "QuickFormTask", "Medium"),
        ({"type": "FormTask", "priority": None}, "FormTask", "Medium"),
    ],
)
async def test_input_is_read_generously(create: Create, sent: dict[str, Any], type_: str, priority: str) -> None:
    task = await create(**sent)

    assert (task["type"], task["priority"]) == (type_, priority)


@pytest.mark.parametrize("name", ["taskId", "TaskId", "taskid"])
async def test_a_query_parameters_name_may_be_in_any_case(client: httpx.AsyncClient, create: Create, name: str) -> None:
    task = await create()

    response = await client.get("/tasks/GenericTasks/GetTaskDataById", params={name: task["id"]})

    assert (response.status_code, response.json()["id"]) == (200, task["id"])


async def test_two_equal_requests_make_two_tasks(create: Create) -> None:
    first, second = await create(parentOperationId="op"), await create(parentOperationId="op")

    assert first["id"] != second["id"]
    assert first["key"] != second["key"]


async def test_the_default_world_has_a_folder_a_catalog_and_two_users() -> None:
    world = World()

    assert [(folder.id, folder.path, folder.catalogs) for folder in world.folders] == [(1, "Shared", ("Tickets",))]
    assert {user.id: user.email for user in world.users.values()} == {
        1001: "ada@example.com",
        1002: "grace@example.com",
    }


async def test_a_task_can_be_completed_behind_the_apis_back(
    client: httpx.AsyncClient, world: World, create: Create
) -> None:
    task = await create()

    world.complete_task(task["id"], action="close", user=world.users[1001])

    after = (await client.get(f"/tasks/GenericTasks/GetTaskDataById?taskId={task['id']}")).json()
    assert after["status"] == 2
    assert after["completedByUser"]["emailAddress"] == "ada@example.com"
