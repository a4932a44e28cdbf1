"""Each operation against the sandbox, over a real socket: what is changed by one is seen by another.

A scene is skipped while the sandbox lacks an operation that it needs.
"""

from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass
from typing import Any

import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from bridge.errors import NotFound, Rejected
from bridge.orchestrator import Orchestrator
from bridge.orchestrator.shapes import TaskDataDto, WebhookRequest
from bridge.sandbox.orchestrator import World, sandbox_serving
from bridge.serving import serving
from tests.orchestrator.operations import BY_CLIENT, DOCUMENT
from tests.orchestrator.sandbox_table import sandbox_name
from tests.orchestrator.standing_in import config, now

pytestmark = pytest.mark.anyio


@dataclass
class Stage:
    """A client of a sandbox, in its first folder; two people who can be given tasks; and a URL that takes webhooks."""

    orchestrator: Orchestrator
    world: World
    hook: str

    @property
    def folder_id(self) -> int:
        return self.world.folders[0].id

    @property
    def people(self) -> tuple[int, int]:
        first, second, *_ = self.world.users
        return first, second

    async def task(self, title: str = "Close Ticket", **more: Any) -> TaskDataDto:
        return await self.orchestrator.generic_tasks.create(
            {"title": title, "type": "ExternalTask", "taskCatalogName": "Tickets", **more}  # type: ignore[typeddict-item]
        )

    def webhook(self, name: str = "bridge") -> WebhookRequest:
        return {
            "Name": name,
            "Url": self.hook,
            "Enabled": True,
            "Secret": "s3cret",
            "SubscribeToAllEvents": False,
            "AllowInsecureSsl": False,
            "Events": [{"EventType": "task.completed"}],
        }


@pytest.fixture
async def stage() -> AsyncIterator[Stage]:
    async def take(_request: Request) -> Response:
        return Response(status_code=200)

    world = World()
    async with (
        serving(Starlette(routes=[Route("/hook", take, methods=["POST"])])) as hook,
        sandbox_serving(world) as url,
        Orchestrator(config(url, folder_id=world.folders[0].id, timeout="10s"), now) as orchestrator,
    ):
        yield Stage(orchestrator, world, f"{hook}/hook")


Scene = Callable[[Stage], Awaitable[None]]
SCENES: dict[Scene, tuple[str, ...]] = {}


def plays(*operations: str) -> Callable[[Scene], Scene]:
    """The operations that a scene is about, and needs."""

    def note(scene: Scene) -> Scene:
        SCENES[scene] = operations
        return scene

    return note


# -- generic tasks -----------------------------------------------------------------------------------------------------------------


@plays("generic_tasks.create", "generic_tasks.get", "generic_tasks.get_by_key", "generic_tasks.complete")
async def a_task_is_created_read_and_completed_once(stage: Stage) -> None:
    generic = stage.orchestrator.generic_tasks
    task = await stage.task(externalTag="JIRA", priority="High", data={"a": [1, None]})
    assert task["status"] == 0
    assert (await generic.get(task["id"]))["data"] == {"a": [1, None]}
    await generic.complete(task["id"], action="close", data={"b": 2})
    shown = await generic.get_by_key(task["key"])
    assert (shown["status"], shown["action"], shown["data"]) == (2, "close", {"b": 2})
    with pytest.raises(Rejected):
        await generic.complete(task["id"])
    with pytest.raises(NotFound):
        await generic.get(task["id"] + 1000)


@plays("generic_tasks.create")
async def a_document_validation_task_keeps_its_document(stage: Stage) -> None:
    task = await stage.task(type="DocumentValidationTask", data=DOCUMENT)
    assert (task["type"], task["data"]) == ("DocumentValidationTask", DOCUMENT)


@plays("generic_tasks.save_data", "generic_tasks.get")
async def saved_data_replaces_what_was_there(stage: Stage) -> None:
    task = await stage.task(data={"a": 1})
    await stage.orchestrator.generic_tasks.save_data(task["id"], {"b": 2})
    assert (await stage.orchestrator.generic_tasks.get(task["id"]))["data"] == {"b": 2}
    with pytest.raises(NotFound):
        await stage.orchestrator.generic_tasks.save_data(task["id"] + 1000, {})


@plays("generic_tasks.save_tags", "generic_tasks.get")
async def saved_tags_replace_what_was_there(stage: Stage) -> None:
    task = await stage.task(tags=[{"Name": "old"}])
    await stage.orchestrator.generic_tasks.save_tags(task["id"], [{"Name": "new", "DisplayName": "New"}])
    tags = (await stage.orchestrator.generic_tasks.get(task["id"]))["tags"]
    assert [{name.lower(): value for name, value in tag.items()}["name"] for tag in tags] == ["new"]


@plays("generic_tasks.save_and_reassign", "tasks.assign", "generic_tasks.get")
async def a_task_is_saved_and_handed_on(stage: Stage) -> None:
    first, second = stage.people
    task = await stage.task(data={"a": 1})
    assert await stage.orchestrator.tasks.assign([{"TaskId": task["id"], "UserId": first}]) == []
    await stage.orchestrator.generic_tasks.save_and_reassign(
        {"TaskId": task["id"], "SaveData": True, "Data": {"b": 2}, "UserId": second, "NoteText": "yours"}
    )
    shown = await stage.orchestrator.generic_tasks.get(task["id"])
    assert (shown["assignedToUserId"], shown["data"]) == (second, {"b": 2})


# -- tasks -------------------------------------------------------------------------------------------------------------------------


@plays("tasks.get", "tasks.list", "tasks.across_folders", "generic_tasks.complete")
async def tasks_are_listed_filtered_and_read(stage: Stage) -> None:
    tasks = stage.orchestrator.tasks
    for number in range(5):
        await stage.task(f"t{number}", externalTag="it's" if number % 2 else "B")
    last = await stage.task("last")
    await stage.orchestrator.generic_tasks.complete(last["id"])
    tagged = tasks.across_folders(filter="ExternalTag eq 'it''s' and Status ne 'Completed'", orderby="Id desc")
    assert [task["Title"] async for task in tagged] == ["t3", "t1"]
    page = await tasks.list(filter="IsCompleted eq false", orderby="Title", top=2, skip=1).page(count=True)
    assert ([task["Title"] for task in page.items], page.count) == (["t1", "t2"], 5)
    assert (await tasks.get(last["id"]))["Status"] == "Completed"
    assert (await tasks.get(last["id"], select="Title"))["Title"] == "last"


@plays("tasks.get_by_key")
async def a_task_is_found_by_its_key(stage: Stage) -> None:
    task = await stage.task()
    assert (await stage.orchestrator.tasks.get_by_key(task["key"]))["Id"] == task["id"]
    with pytest.raises(NotFound):
        await stage.orchestrator.tasks.get_by_key("bc40e5c8-3e5d-4a4e-8beb-8ed4595c265d")


@plays("tasks.across_folders", "generic_tasks.save_and_reassign", "tasks.assign")
async def forwarded_tasks_are_an_event(stage: Stage) -> None:
    first, second = stage.people
    task = await stage.task()
    await stage.task("never forwarded")
    await stage.orchestrator.tasks.assign([{"TaskId": task["id"], "UserId": first}])
    await stage.orchestrator.generic_tasks.save_and_reassign({"TaskId": task["id"], "UserId": second})
    forwarded = stage.orchestrator.tasks.across_folders(event="ForwardedEver")
    assert task["id"] in [each["Id"] async for each in forwarded]


@plays("tasks.across_folders_for_admin")
async def an_admin_sees_every_task(stage: Stage) -> None:
    task = await stage.task()
    assert [each["Id"] async for each in stage.orchestrator.tasks.across_folders_for_admin()] == [task["id"]]


@plays("tasks.assign", "tasks.reassign", "tasks.unassign", "generic_tasks.complete", "tasks.get")
async def tasks_go_from_hand_to_hand(stage: Stage) -> None:
    tasks, (first, second) = stage.orchestrator.tasks, stage.people
    mine, done = await stage.task(), await stage.task()
    await stage.orchestrator.generic_tasks.complete(done["id"])
    (error,) = await tasks.assign([{"TaskId": each["id"], "UserId": first} for each in (mine, done)])
    assert (error["TaskId"], error["ErrorCode"]) == (done["id"], 2400)
    shown = await tasks.get(mine["id"])
    assert (shown["Status"], shown["AssignedToUserId"]) == ("Pending", first)
    assert await tasks.reassign([{"TaskId": mine["id"], "UserId": second}]) == []
    assert (await tasks.get(mine["id"]))["AssignedToUserId"] == second
    (error,) = await tasks.unassign([mine["id"], done["id"]])
    assert (error["TaskId"], error["ErrorMessage"]) == (done["id"], "This task is in completed state")
    assert (await tasks.get(mine["id"]))["Status"] == "Unassigned"


@plays("tasks.delete", "generic_tasks.get")
async def a_task_is_deleted_once(stage: Stage) -> None:
    task = await stage.task()
    assert await stage.orchestrator.tasks.delete([task["id"]]) == []
    with pytest.raises(NotFound):
        await stage.orchestrator.generic_tasks.get(task["id"])
    (error,) = await stage.orchestrator.tasks.delete([task["id"]])
    assert error["TaskId"] == task["id"]


@plays("tasks.edit_metadata", "tasks.get")
async def a_task_is_retitled(stage: Stage) -> None:
    task = await stage.task()
    await stage.orchestrator.tasks.edit_metadata(
        {"TaskId": task["id"], "Title": "New", "Priority": "Critical", "NoteText": "renamed"}
    )
    shown = await stage.orchestrator.tasks.get(task["id"])
    assert (shown["Title"], shown["Priority"]) == ("New", "Critical")
    with pytest.raises(NotFound):
        await stage.orchestrator.tasks.edit_metadata({"TaskId": task["id"] + 1000, "Title": "x"})


@plays("tasks.users")
async def the_people_of_a_folder_are_told(stage: Stage) -> None:
    people = [user["Id"] async for user in stage.orchestrator.tasks.users(stage.folder_id)]
    assert set(stage.people) <= set(people)


@plays("tasks.permissions")
async def the_account_learns_what_it_may_do(stage: Stage) -> None:
    permissions = await stage.orchestrator.tasks.permissions()
    assert permissions
    assert all(isinstance(each["Name"], str) for each in permissions)


# -- catalogs ----------------------------------------------------------------------------------------------------------------------


@plays("catalogs.list")
async def the_catalogs_of_a_folder(stage: Stage) -> None:
    assert [catalog["Name"] async for catalog in stage.orchestrator.catalogs.list()] == ["Tickets"]


@plays("catalogs.create", "catalogs.get", "catalogs.update", "catalogs.delete", "catalogs.details", "catalogs.folders")
async def a_catalog_is_made_changed_used_and_deleted(stage: Stage) -> None:
    catalogs = stage.orchestrator.catalogs
    made = await catalogs.create({"Name": "Claims", "Description": "of 2026"})
    number = made["Id"]
    await catalogs.update(number, {"Name": "Old claims", "Description": "of 2025"})
    shown = await catalogs.get(number)
    assert (shown["Name"], shown["Description"]) == ("Old claims", "of 2025")
    task = await stage.task(taskCatalogName="Old claims")
    assert (await catalogs.details(number))["AssociatedTasksCount"] == 1
    assert (await catalogs.folders(number))["TotalFoldersCount"] == 1
    with pytest.raises(Rejected) as caught:
        await catalogs.delete(number)
    assert caught.value.status == 409
    await stage.orchestrator.tasks.delete([task["id"]])
    await catalogs.delete(number)
    with pytest.raises(NotFound):
        await catalogs.get(number)


@plays("catalogs.share", "catalogs.folders", "catalogs.create")
async def a_catalog_is_shared_with_a_folder(stage: Stage) -> None:
    made = await stage.orchestrator.catalogs.create({"Name": "Claims"})
    await stage.orchestrator.catalogs.share(
        {"TaskCatalogIds": [made["Id"]], "ToAddFolderIds": [stage.folder_id], "ToRemoveFolderIds": []}
    )
    folders = await stage.orchestrator.catalogs.folders(made["Id"])
    assert [folder["Id"] for folder in folders["AccessibleFolders"]] == [stage.folder_id]


@plays("catalogs.across_folders")
async def the_catalogs_of_every_folder(stage: Stage) -> None:
    everywhere = stage.orchestrator.catalogs.across_folders(mandatory_permissions=["Tasks.Create"])
    assert [catalog["Name"] async for catalog in everywhere] == ["Tickets"]
    elsewhere = stage.orchestrator.catalogs.across_folders(exclude_folder_id=stage.folder_id)
    assert [catalog["Name"] async for catalog in elsewhere] == []


# -- notes and history -------------------------------------------------------------------------------------------------------------


@plays("notes.create", "notes.list")
async def a_note_is_left_and_read(stage: Stage) -> None:
    task = await stage.task()
    await stage.orchestrator.notes.create(task["id"], "Asked the customer")
    assert [note["Text"] async for note in stage.orchestrator.notes.list(task["id"])] == ["Asked the customer"]


@plays("activities.list", "tasks.assign", "generic_tasks.complete")
async def a_tasks_history_is_told(stage: Stage) -> None:
    task = await stage.task()
    await stage.orchestrator.tasks.assign([{"TaskId": task["id"], "UserId": stage.people[0]}])
    await stage.orchestrator.generic_tasks.complete(task["id"])
    history = stage.orchestrator.activities.list(task["id"], orderby="Id")
    assert [each["ActivityType"] async for each in history] == ["Created", "Assigned", "Completed"]


# -- folders -----------------------------------------------------------------------------------------------------------------------


@plays("folders.list", "folders.get", "folders.get_by_key")
async def folders_are_listed_and_read(stage: Stage) -> None:
    (folder,) = [each async for each in stage.orchestrator.folders.list(filter="FullyQualifiedName eq 'Shared'")]
    assert folder["Id"] == stage.folder_id
    assert (await stage.orchestrator.folders.get(folder["Id"]))["Key"] == folder["Key"]
    assert (await stage.orchestrator.folders.get_by_key(folder["Key"]))["Id"] == folder["Id"]
    with pytest.raises(NotFound):
        await stage.orchestrator.folders.get(4711)


@plays("folders.for_current_user")
async def the_account_s_folders_are_searched(stage: Stage) -> None:
    found = [each["FullyQualifiedName"] async for each in stage.orchestrator.folders.for_current_user("share")]
    assert found == ["Shared"]
    assert [each async for each in stage.orchestrator.folders.for_current_user("nowhere")] == []


# -- webhooks ----------------------------------------------------------------------------------------------------------------------


@plays("webhooks.create", "webhooks.get", "webhooks.list", "webhooks.update", "webhooks.replace", "webhooks.delete")
async def a_webhook_is_made_changed_and_deleted(stage: Stage) -> None:
    webhooks = stage.orchestrator.webhooks
    made = await webhooks.create(stage.webhook())
    assert [each["Id"] async for each in webhooks.list()] == [made["Id"]]
    assert (await webhooks.update(made["Id"], {"Enabled": False}))["Enabled"] is False
    shown = await webhooks.get(made["Id"])
    assert (shown["Name"], shown["Enabled"], shown["Events"]) == ("bridge", False, [{"EventType": "task.completed"}])
    assert (await webhooks.replace(made["Id"], stage.webhook("other")))["Name"] == "other"
    await webhooks.delete(made["Id"])
    with pytest.raises(NotFound):
        await webhooks.get(made["Id"])


@plays("webhooks.ping", "webhooks.create", "webhooks.event_types", "webhooks.trigger_custom")
async def events_are_tried_and_told(stage: Stage) -> None:
    webhooks = stage.orchestrator.webhooks
    made = await webhooks.create(stage.webhook())
    assert (await webhooks.ping(made["Id"]))["Type"] == "ping"
    assert {"task.created", "task.completed"} <= {each["Name"] for each in await webhooks.event_types()}
    sent = await webhooks.trigger_custom({"what": "a release"})
    assert (sent["Type"], sent["EventData"]) == ("custom", {"what": "a release"})


@pytest.mark.parametrize("scene", SCENES, ids=lambda scene: scene.__name__)
async def test_a_scene(scene: Scene, stage: Stage) -> None:
    missing = [name for name in SCENES[scene] if sandbox_name(BY_CLIENT[name]) is None]
    if missing:
        pytest.skip(f"THE SANDBOX DOES NOT KNOW {', '.join(missing)}")
    await scene(stage)


def test_every_operation_has_its_scene() -> None:
    assert {name for names in SCENES.values() for name in names} == set(BY_CLIENT)
