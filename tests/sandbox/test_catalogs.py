"""Task catalogs: made, changed, shared and deleted; and the folders that they are in."""

from typing import Any

import httpx
import pytest

from tests.sandbox.conftest import FOLDERS, Create
from tests.sandbox.test_errors import failure

pytestmark = pytest.mark.anyio

BASE = "/odata/TaskCatalogs"
ACTION = f"{BASE}/UiPath.Server.Configuration.OData"
THERE = {"X-UIPATH-OrganizationUnitId": "828"}
FULL = {
    "Name": "Complaints",
    "Description": "What people are unhappy with",
    "Encrypted": True,
    "Tags": [{"Name": "team", "DisplayName": "Team", "Value": "care", "DisplayValue": "Care"}],
    "RetentionAction": "Delete",
    "RetentionPeriod": 30,
    "RetentionBucketId": 7,
}


async def names(client: httpx.AsyncClient, **headers: str) -> list[str]:
    return [one["Name"] for one in (await client.get(BASE, headers=headers)).json()["value"]]


async def test_a_catalog_is_made_and_used(client: httpx.AsyncClient, url: str, create: Create) -> None:
    response = await client.post(f"{ACTION}.CreateTaskCatalog", json=FULL)

    catalog = response.json()
    assert response.status_code == 201
    assert catalog["@odata.context"] == f"{url}/odata/$metadata#TaskCatalogs/$entity"
    assert {name: catalog[name] for name in FULL} == FULL
    assert (catalog["FoldersCount"], catalog["LastModificationTime"]) == (1, None)
    assert (await client.get(f"{BASE}({catalog['Id']})")).json()["Key"] == catalog["Key"]
    assert await names(client) == ["Tickets", "MinodoraCertificates", "Complaints"]
    task = await create(taskCatalogName="Complaints")
    assert (await client.get(f"/odata/Tasks({task['id']})")).json()["Encrypted"] is True


@pytest.mark.parametrize(
    "fields",
    [
        {"Name": None},
        {"Name": ""},
        {"Name": "x" * 51},
        {"Description": "x" * 513},
        {"Encrypted": 1},
        {"Tags": [{"Name": None}]},
        {"RetentionAction": "Burn"},
        {"RetentionPeriod": 0},
        {"RetentionPeriod": 181},
        {"RetentionBucketId": "1"},
    ],
)
async def test_a_catalog_that_cannot_be_made(client: httpx.AsyncClient, fields: dict[str, Any]) -> None:
    assert failure(await client.post(f"{ACTION}.CreateTaskCatalog", json={**FULL, **fields}))[:2] == (400, 1000)


async def test_a_name_is_used_once_in_a_folder(client: httpx.AsyncClient) -> None:
    body = {"Name": "Tickets"}

    assert failure(await client.post(f"{ACTION}.CreateTaskCatalog", json=body))[:2] == (409, 1001)
    assert (await client.post(f"{ACTION}.CreateTaskCatalog", json=body, headers=THERE)).status_code == 201
    update = f"{BASE}(2)/UiPath.Server.Configuration.OData.UpdateTaskCatalog"
    assert failure(await client.post(update, json=body))[:2] == (409, 1001)


async def test_tasks_follow_their_catalog_to_its_new_name(client: httpx.AsyncClient, create: Create) -> None:
    task = await create(taskCatalogName="Tickets")

    update = f"{BASE}(1)/UiPath.Server.Configuration.OData.UpdateTaskCatalog"
    response = await client.post(update, json={"Name": "Issues", "Encrypted": True})

    assert (response.status_code, response.content) == (200, b"")
    assert await names(client) == ["Issues", "MinodoraCertificates"]
    assert (await client.get(f"/odata/Tasks({task['id']})")).json()["TaskCatalogName"] == "Issues"
    assert (await client.get(f"{BASE}(1)")).json()["Encrypted"] is False
    assert (await create(taskCatalogName="Issues"))["id"] == 2
    refused = await client.post("/tasks/GenericTasks/CreateTask", json={"title": "x", "taskCatalogName": "Tickets"})
    assert failure(refused)[:2] == (400, 2451)


async def test_only_an_empty_catalog_is_deleted(client: httpx.AsyncClient, create: Create) -> None:
    task = await create(taskCatalogName="Tickets")

    assert failure(await client.delete(f"{BASE}(1)"))[:2] == (409, 1000)
    delete = "/odata/Tasks/UiPath.Server.Configuration.OData.DeleteTasks"
    await client.post(delete, json={"taskIds": [task["id"]]})
    response = await client.delete(f"{BASE}(1)")

    assert (response.status_code, response.content) == (204, b"")
    assert await names(client) == ["MinodoraCertificates"]
    assert failure(await client.delete(f"{BASE}(1)"))[:2] == (404, 1002)


@pytest.mark.parametrize("method", ["GET", "DELETE"])
async def test_a_catalog_that_is_not_in_the_folder(client: httpx.AsyncClient, method: str) -> None:
    assert failure(await client.request(method, f"{BASE}(3)"))[:2] == (404, 1002)
    assert failure(await client.request(method, f"{BASE}(4711)"))[:2] == (404, 1002)
    assert failure(await client.request(method, f"{BASE}(x)"))[:2] == (400, 1000)


async def test_a_catalog_is_shared_and_taken_back(client: httpx.AsyncClient, create: Create) -> None:
    shared = {"TaskCatalogIds": [1], "ToAddFolderIds": [828], "ToRemoveFolderIds": []}
    response = await client.post(f"{ACTION}.ShareToFolders", json=shared)

    assert (response.status_code, response.content) == (204, b"")
    assert await names(client, **THERE) == ["Tickets", "Invoices"]
    folders = (await client.get(f"{ACTION}.GetFoldersForTaskCatalog(id=1)")).json()
    assert [(one["Id"], one["FullyQualifiedName"]) for one in folders["AccessibleFolders"]] == [
        (1, "Shared"),
        (828, "Finance/Zürich"),
    ]
    assert folders["TotalFoldersCount"] == 2
    await create(taskCatalogName="Tickets")
    details = (await client.get(f"{ACTION}.GetTaskCatalogExtendedDetails(taskCatalogId=1)")).json()
    assert (details["AssociatedTasksCount"], details["TotalFolderCount"], details["IsEncrypted"]) == (1, 2, False)

    back = {"TaskCatalogIds": [1], "ToRemoveFolderIds": [1]}
    assert failure(await client.post(f"{ACTION}.ShareToFolders", json=back))[:2] == (409, 1000)
    back = {"TaskCatalogIds": [1], "ToRemoveFolderIds": [828]}
    assert (await client.post(f"{ACTION}.ShareToFolders", json=back)).status_code == 204
    assert await names(client, **THERE) == ["Invoices"]


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        ({"TaskCatalogIds": [4711], "ToAddFolderIds": [828]}, (404, 1002)),
        ({"TaskCatalogIds": [1], "ToAddFolderIds": [7]}, (404, 1100)),
        ({"TaskCatalogIds": "1"}, (400, 1000)),
        ({"TaskCatalogIds": [1], "ToAddFolderIds": ["1"]}, (400, 1000)),
    ],
)
async def test_what_is_not_shared(client: httpx.AsyncClient, body: dict[str, Any], expected: tuple[int, int]) -> None:
    assert failure(await client.post(f"{ACTION}.ShareToFolders", json=body))[:2] == expected


async def test_a_name_is_not_shared_over_another(client: httpx.AsyncClient) -> None:
    await client.post(f"{ACTION}.CreateTaskCatalog", json={"Name": "Tickets"}, headers=THERE)

    shared = {"TaskCatalogIds": [2, 1], "ToAddFolderIds": [828]}
    assert failure(await client.post(f"{ACTION}.ShareToFolders", json=shared))[:2] == (409, 1001)
    assert await names(client, **THERE) == ["Invoices", "Tickets"]


async def test_catalogs_of_all_folders(client: httpx.AsyncClient) -> None:
    path = f"{ACTION}.GetTaskCatalogsFromFoldersWithPermissions"

    async def found(**params: str) -> list[str]:
        return [one["Name"] for one in (await client.get(path, params=params)).json()["value"]]

    assert await found() == ["Tickets", "MinodoraCertificates", "Invoices"]
    assert await found(excludeFolderId="1", mandatoryPermissions="TaskCatalogs.Edit") == ["Invoices"]
    assert failure(await client.get(f"{path}?excludeFolderId=x"))[:2] == (400, 1000)


@pytest.mark.parametrize("path", ["GetFoldersForTaskCatalog(id=7)", "GetTaskCatalogExtendedDetails(taskCatalogId=7)"])
async def test_folders_and_details_of_no_catalog(client: httpx.AsyncClient, path: str) -> None:
    assert failure(await client.get(f"{ACTION}.{path}"))[:2] == (404, 1002)


async def test_a_reset_forgets_catalogs_that_were_made(client: httpx.AsyncClient) -> None:
    await client.post(f"{ACTION}.CreateTaskCatalog", json=FULL)
    await client.post("/sandbox/reset")

    assert await names(client) == ["Tickets", "MinodoraCertificates"]


async def test_one_folder(client: httpx.AsyncClient) -> None:
    folder = (await client.get("/odata/Folders(828)")).json()
    by_key = await client.get(f"/odata/Folders/UiPath.Server.Configuration.OData.GetByKey(identifier={folder['Key']})")

    assert (folder["DisplayName"], folder["FullyQualifiedName"]) == ("Zürich", "Finance/Zürich")
    assert by_key.json() == folder
    assert folder["Key"] == str(FOLDERS[1].key)


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        ("/odata/Folders(7)", (404, 1100)),
        ("/odata/Folders(x)", (400, 1000)),
        (
            "/odata/Folders/UiPath.Server.Configuration.OData.GetByKey(identifier=bc40e5c8-3e5d-4a4e-8beb-8ed4595c265d)",
            (404, 1100),
        ),
        ("/odata/Folders/UiPath.Server.Configuration.OData.GetByKey(identifier=x)", (400, 1000)),
        ("/api/FoldersNavigation/GetFoldersForCurrentUser?skip=-1", (400, 1000)),
        ("/api/FoldersNavigation/GetFoldersForCurrentUser?take=x", (400, 1000)),
    ],
)
async def test_a_folder_that_is_none(client: httpx.AsyncClient, path: str, expected: tuple[int, int]) -> None:
    assert failure(await client.get(path))[:2] == expected


async def test_folders_are_searched_by_the_page(client: httpx.AsyncClient) -> None:
    async def found(**params: str) -> tuple[list[str], int]:
        body = (await client.get("/api/FoldersNavigation/GetFoldersForCurrentUser", params=params)).json()
        return [one["FolderPath"] for one in body["PageItems"]], body["Count"]

    assert await found() == (["Shared", "Finance/Zürich"], 2)
    assert await found(searchText="zür") == (["Finance/Zürich"], 1)
    assert await found(skip="1", take="5") == (["Finance/Zürich"], 2)
    assert await found(take="0") == ([], 2)
