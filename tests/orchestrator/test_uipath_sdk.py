"""UiPath's own Python SDK, unchanged, against the sandbox over a real socket: a judge of the sandbox that we did not write.

Its synchronous half runs in a thread, beside the server; its sign-in with client credentials cannot be judged, since it asks UiPath's
cloud whatever its base URL is. What it sends is remembered, and is what the sandbox must understand.
"""

import asyncio
import warnings
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import unquote

import orjson
import pytest
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from bridge.sandbox.orchestrator import SERVING_OPTIONS, World, create_app
from bridge.serving import serving
from tests.orchestrator.operations import BY_CLIENT
from tests.orchestrator.sandbox_table import sandbox_name

with warnings.catch_warnings():
    # the SDK's own dependencies warn of what they will drop; that is no matter of the sandbox's
    warnings.simplefilter("ignore")
    from uipath.platform import UiPath
    from uipath.platform.action_center.tasks import TaskRecipient, TaskRecipientType
    from uipath.platform.common import BaseService
    from uipath.platform.errors import EnrichedException

pytestmark = [
    pytest.mark.anyio,
    pytest.mark.filterwarnings("ignore::DeprecationWarning"),  # the SDK's, of its own older names
]

TENANT = "/acme/production"
CREATE = "/orchestrator_/tasks/GenericTasks/CreateTask"


@dataclass
class Asked:
    """A request of the SDK's."""

    method: str
    path: str
    body: Any
    headers: dict[str, str]


@dataclass
class Watched:
    """The sandbox, with what it is asked."""

    app: ASGIApp
    asked: list[Asked] = field(default_factory=list)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        body = b""
        while (message := await receive())["type"] == "http.request":
            body += message.get("body", b"")
            if not message.get("more_body"):
                break
        query = unquote(scope["query_string"].decode())
        headers = {name.decode(): value.decode() for name, value in scope["headers"]}
        path = scope["path"].removeprefix(TENANT) + (f"?{query}" if query else "")
        self.asked.append(Asked(scope["method"], path, orjson.loads(body) if body else None, headers))
        again = iter([{"type": "http.request", "body": body, "more_body": False}])

        async def replay() -> Message:
            return next(again, None) or await receive()

        await self.app(scope, replay, send)


@pytest.fixture
def world() -> World:
    return World()


@pytest.fixture
async def watched(world: World) -> Watched:
    return Watched(create_app(world))


@pytest.fixture
async def sdk(world: World, watched: Watched, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[UiPath]:
    """The SDK as its manual sets it up: by its environment."""
    async with serving(watched, **SERVING_OPTIONS) as url:
        monkeypatch.setenv("UIPATH_URL", url + TENANT)
        monkeypatch.setenv("UIPATH_ACCESS_TOKEN", "anything")
        monkeypatch.setenv("UIPATH_FOLDER_PATH", world.folders[0].path)
        monkeypatch.delenv("UIPATH_FOLDER_KEY", raising=False)
        monkeypatch.setenv("UIPATH_TELEMETRY_ENABLED", "false")
        made: list[BaseService] = []
        begin = BaseService.__init__

        def remember(service: BaseService, *args: Any, **more: Any) -> None:
            begin(service, *args, **more)
            made.append(service)

        monkeypatch.setattr(BaseService, "__init__", remember)
        yield UiPath()
        for service in made:  # it leaves its HTTP clients to the garbage collector
            await service.aclose()


def needs(*operations: str) -> None:
    """Skip, loudly, while the sandbox lacks what the SDK asks for."""
    if missing := [name for name in operations if sandbox_name(BY_CLIENT[name]) is None]:
        pytest.skip(f"THE SANDBOX DOES NOT KNOW {', '.join(missing)}")


async def create(sdk: UiPath, **more: Any) -> dict[str, Any]:
    """A task by the SDK's API client, which leaves the operation to its user."""
    body = {"type": "ExternalTask", "title": "Close Ticket", "taskCatalogName": "Tickets", **more}
    answer = await sdk.api_client.request_async("POST", CREATE, include_folder_headers=True, json=body)
    made: dict[str, Any] = answer.json()
    return made


async def test_a_task_is_created_through_its_api_client_and_retrieved(sdk: UiPath, watched: Watched) -> None:
    made = await create(sdk, externalTag="JIRA", priority="High", data={"a": 1})
    task = await sdk.tasks.retrieve_async(made["key"], app_folder_path="Shared")
    assert (task.id, task.title, task.status, task.data) == (made["id"], "Close Ticket", 0, {"a": 1})
    assert (task.priority, task.type, task.external_tag, task.is_deleted) == ("High", "ExternalTask", "JIRA", False)
    assert [(one.method, one.path) for one in watched.asked] == [
        ("POST", CREATE),
        ("GET", f"/orchestrator_/tasks/GenericTasks/GetTaskDataByKey?taskKey={made['key']}"),
    ]
    assert [one.headers["x-uipath-folderpath"] for one in watched.asked] == ["Shared", "Shared"]


async def test_a_task_is_retrieved_without_async(sdk: UiPath) -> None:
    made = await create(sdk)
    task = await asyncio.to_thread(sdk.tasks.retrieve, made["key"], "Shared")
    assert task.key == made["key"]


async def test_a_completed_task_is_seen_as_such(sdk: UiPath, world: World) -> None:
    made = await create(sdk)
    world.complete_task(made["id"], action="close", data={"b": 2})
    task = await sdk.tasks.retrieve_async(made["key"], app_folder_path="Shared")
    assert (task.status, task.action, task.data) == (2, "close", {"b": 2})
    assert task.completion_time is not None


async def test_a_refusal_is_an_error_of_the_sdks(sdk: UiPath) -> None:
    with pytest.raises(EnrichedException, match="2451"):
        await create(sdk, taskCatalogName="Nowhere")
    with pytest.raises(EnrichedException, match="1002"):
        await sdk.tasks.retrieve_async("bc40e5c8-3e5d-4a4e-8beb-8ed4595c265d", app_folder_path="Shared")


async def test_a_quick_form_is_created(sdk: UiPath, watched: Watched) -> None:
    """The type goes as a number, 6, beside fields that the definition does not know."""
    task = await sdk.tasks.create_quickform_async(
        "Approve?",
        "bc40e5c8-3e5d-4a4e-8beb-8ed4595c265d",
        {"fields": []},
        {"amount": 7},
        folder_path="Shared",
        priority="high",
        labels=["urgent"],
    )
    assert (task.title, task.type, task.priority, task.data) == ("Approve?", "QuickFormTask", "High", {"amount": 7})
    assert watched.asked[0].body == {
        "type": 6,
        "taskSchemaKey": "bc40e5c8-3e5d-4a4e-8beb-8ed4595c265d",
        "schema": {"fields": []},
        "title": "Approve?",
        "data": {"amount": 7},
        "priority": "High",
        "tags": [{"name": "urgent", "displayName": "urgent", "value": "urgent", "displayValue": "urgent"}],
    }


@pytest.mark.parametrize(
    ("to", "sent"),
    [
        ({"assignee": "ada@example.com"}, {"UserNameOrEmail": "ada@example.com"}),
        (
            {"recipient": (TaskRecipientType.EMAIL, "ada@example.com")},
            {"assignmentCriteria": "SingleUser", "userNameOrEmail": "ada@example.com"},
        ),
        (
            {"recipient": (TaskRecipientType.WORKLOAD, "ada@example.com")},
            {"assignmentCriteria": "Workload", "assigneeNamesOrEmails": ["ada@example.com"]},
        ),
        (
            {"recipient": (TaskRecipientType.ROUND_ROBIN, "ada@example.com")},
            {"assignmentCriteria": "RoundRobin", "assigneeNamesOrEmails": ["ada@example.com"]},
        ),
    ],
    ids=["assignee", "e-mail", "workload", "round robin"],
)
async def test_a_task_is_created_and_assigned(
    sdk: UiPath, watched: Watched, to: dict[str, Any], sent: dict[str, Any]
) -> None:
    """AssignTasks comes with `taskId` in camelCase, and in the environment's folder, whichever the task was made in."""
    needs("tasks.assign")
    if "recipient" in to:
        kind, value = to["recipient"]
        to = {"recipient": TaskRecipient(type=kind, value=value)}
    task = await sdk.tasks.create_quickform_async(
        "Approve?", "bc40e5c8-3e5d-4a4e-8beb-8ed4595c265d", {}, folder_path="Shared", **to
    )
    asked = watched.asked[-1]
    assert asked.path == "/orchestrator_/odata/Tasks/UiPath.Server.Configuration.OData.AssignTasks"
    assert asked.body == {"taskAssignments": [{"taskId": task.id, **sent}]}
    assert asked.headers["x-uipath-folderpath"] == "Shared"
    again = await sdk.tasks.retrieve_async(str(task.key), app_folder_path="Shared")
    assert again.status == 1
    assert again.assigned_to_user["emailAddress"] == "ada@example.com"


async def test_an_app_task_is_asked_for_where_the_guides_have_it(sdk: UiPath, watched: Watched) -> None:
    """`tasks.create` makes app tasks alone: they have an operation of their own, which is not in the definition."""
    try:
        task = await sdk.tasks.create_async(
            "Approve?", {"amount": 7}, app_key="IDapp", app_folder_path="Shared", priority="Low"
        )
    except EnrichedException as error:
        if "404" not in str(error) and "405" not in str(error):
            raise
    else:
        assert (task.title, task.type, task.data) == ("Approve?", "AppTask", {"amount": 7})
    asked = watched.asked[0]
    assert (asked.method, asked.path) == ("POST", "/orchestrator_/tasks/AppTasks/CreateAppTask")
    assert asked.body == {
        "title": "Approve?",
        "data": {"amount": 7},
        "actionableMessageMetaData": {},
        "appId": "IDapp",
        "folderPath": "Shared",
        "priority": "Low",
    }
    assert asked.headers["x-uipath-folderpath"] == "Shared"


async def test_a_folders_key_is_found_by_its_path(sdk: UiPath, world: World, watched: Watched) -> None:
    needs("folders.for_current_user")
    assert await sdk.folders.retrieve_key_async(folder_path="Shared") == str(world.folders[0].key)
    asked = watched.asked[0]
    assert (asked.method, asked.path) == (
        "GET",
        "/orchestrator_/api/FoldersNavigation/GetFoldersForCurrentUser?searchText=Shared&skip=0&take=20",
    )
    assert await sdk.folders.retrieve_key_async(folder_path="Nowhere") is None
