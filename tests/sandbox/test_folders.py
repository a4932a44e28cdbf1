"""Which folder a request works in: one of four headers, or an error that says so."""

import base64
from collections.abc import AsyncIterator

import httpx
import pytest

from bridge.sandbox.orchestrator import Folder, World, sandbox_serving
from tests.sandbox.conftest import FOLDERS

pytestmark = pytest.mark.anyio

CREATE = "/tasks/GenericTasks/CreateTask"
ZURICH = FOLDERS[1]


def encoded(path: str) -> str:
    return base64.b64encode(path.encode("utf-16-le")).decode()


@pytest.fixture
async def homeless(url: str) -> AsyncIterator[httpx.AsyncClient]:
    """A client without a folder."""
    async with httpx.AsyncClient(base_url=url, headers={"Authorization": "Bearer x"}) as client:
        yield client


@pytest.mark.parametrize(
    ("header", "value"),
    [
        ("X-UIPATH-OrganizationUnitId", "828"),
        ("x-uipath-organizationunitid", "828"),
        ("X-UIPATH-FolderPath-Encoded", encoded("Finance/Zürich")),
        ("X-UIPATH-FolderPath-Encoded", encoded("finance/zürich")),
        ("X-UIPATH-FolderKey", str(ZURICH.key)),
        ("X-UIPATH-FolderKey", str(ZURICH.key).upper()),
    ],
)
async def test_a_header_names_the_folder(homeless: httpx.AsyncClient, header: str, value: str) -> None:
    response = await homeless.post(CREATE, json={"title": "x"}, headers={header: value})

    assert response.status_code == 201
    assert response.json()["organizationUnitId"] == 828
    assert response.json()["organizationUnitFullyQualifiedName"] == "Finance/Zürich"


async def test_a_plain_path_names_the_folder(homeless: httpx.AsyncClient) -> None:
    response = await homeless.post(CREATE, json={"title": "x"}, headers={"X-UIPATH-FolderPath": "Shared"})

    assert response.json()["organizationUnitId"] == 1


@pytest.mark.parametrize(
    "headers",
    [
        {"X-UIPATH-OrganizationUnitId": "7"},
        {"X-UIPATH-OrganizationUnitId": "one"},
        {"X-UIPATH-FolderPath": "Shared/"},
        {"X-UIPATH-FolderPath-Encoded": "Shared"},
        {"X-UIPATH-FolderPath-Encoded": base64.b64encode(b"Shared").decode()},
        {"X-UIPATH-FolderPath-Encoded": base64.b64encode(b"odd").decode()},
        {"X-UIPATH-FolderKey": "bc40e5c8-3e5d-4a4e-8beb-8ed4595c265d"},
    ],
)
async def test_a_folder_that_does_not_exist(homeless: httpx.AsyncClient, headers: dict[str, str]) -> None:
    response = await homeless.post(CREATE, json={"title": "x"}, headers=headers)

    assert (response.status_code, response.json()["errorCode"]) == (404, 1100)
    assert response.json()["message"] == "Folder does not exist or the user does not have access to the folder."


async def test_an_encoded_path_that_is_not_ascii_names_no_folder(homeless: httpx.AsyncClient) -> None:
    header = (b"X-UIPATH-FolderPath-Encoded", "Zürich".encode())

    response = await homeless.post(CREATE, json={"title": "x"}, headers=[header])

    assert (response.status_code, response.json()["errorCode"]) == (404, 1100)


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("POST", CREATE),
        ("POST", "/tasks/GenericTasks/CompleteTask"),
        ("GET", "/tasks/GenericTasks/GetTaskDataById?taskId=1"),
        ("GET", "/tasks/GenericTasks/GetTaskDataByKey?taskKey=bc40e5c8-3e5d-4a4e-8beb-8ed4595c265d"),
        ("GET", "/odata/Tasks(1)"),
        ("GET", "/odata/TaskCatalogs"),
    ],
)
async def test_an_operation_that_needs_a_folder(homeless: httpx.AsyncClient, method: str, path: str) -> None:
    response = await homeless.request(method, path)

    assert (response.status_code, response.json()["errorCode"]) == (400, 1101)
    assert response.json()["message"] == "A folder is required for this action."


async def test_a_lenient_world_works_in_its_first_folder() -> None:
    async with (
        sandbox_serving(World(require_folder=False)) as url,
        httpx.AsyncClient(base_url=url, headers={"Authorization": "Bearer x"}) as client,
    ):
        response = await client.post(CREATE, json={"title": "x", "taskCatalogName": "Tickets"})

    assert (response.status_code, response.json()["organizationUnitId"]) == (201, 1)


async def test_a_task_is_seen_in_its_own_folder_only(homeless: httpx.AsyncClient) -> None:
    here, there = {"X-UIPATH-OrganizationUnitId": "1"}, {"X-UIPATH-OrganizationUnitId": "828"}
    task = (await homeless.post(CREATE, json={"title": "x"}, headers=here)).json()
    path = f"/tasks/GenericTasks/GetTaskDataById?taskId={task['id']}"
    completion = {"taskId": task["id"]}

    assert (await homeless.get(path, headers=here)).status_code == 200
    assert (await homeless.get(path, headers=there)).json()["errorCode"] == 1002
    refused = await homeless.post("/tasks/GenericTasks/CompleteTask", json=completion, headers=there)
    assert refused.status_code == 404


async def test_lists_are_of_one_folder_or_across_them(homeless: httpx.AsyncClient) -> None:
    for number in ("1", "828"):
        await homeless.post(CREATE, json={"title": number}, headers={"X-UIPATH-OrganizationUnitId": number})

    async def titles(path: str, **headers: str) -> list[str]:
        body = (await homeless.get(path, headers=headers)).json()
        return [task["Title"] for task in body["value"]]

    across = "/odata/Tasks/UiPath.Server.Configuration.OData.GetTasksAcrossFolders"
    assert await titles("/odata/Tasks", **{"X-UIPATH-OrganizationUnitId": "828"}) == ["828"]
    assert await titles("/odata/Tasks") == ["1", "828"]
    assert await titles(across) == ["1", "828"]


async def test_catalogs_of_a_folder(homeless: httpx.AsyncClient) -> None:
    body = (await homeless.get("/odata/TaskCatalogs", headers={"X-UIPATH-OrganizationUnitId": "828"})).json()

    assert [(catalog["Id"], catalog["Name"]) for catalog in body["value"]] == [(3, "Invoices")]


async def test_folders_are_listed_without_one(homeless: httpx.AsyncClient) -> None:
    body = (await homeless.get("/odata/Folders", params={"$filter": "FullyQualifiedName eq 'Finance/Zürich'"})).json()

    (folder,) = body["value"]
    assert (folder["Id"], folder["DisplayName"], folder["Key"]) == (828, "Zürich", str(ZURICH.key))


def test_a_folders_key_follows_from_its_path() -> None:
    assert Folder(id=1, path="Shared").key == Folder(id=2, path="Shared").key != ZURICH.key
