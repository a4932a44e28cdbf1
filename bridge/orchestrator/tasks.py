"""`/odata/Tasks`: tasks without their data, and what is done with many at once. It speaks PascalCase, and its enums are names.

Sources: Orchestrator's API guide, "Tasks requests", and the definition's `Tasks`. Operations on several tasks answer with the errors
of single ones as values: an empty list means that all went well. They and the lists across folders need no folder: they name the one
that they are given, and never the default one, since their tasks may lie anywhere.
"""

from collections.abc import Sequence
from typing import Any, Literal, Unpack, cast
from uuid import UUID

from bridge.orchestrator.answers import done, entity, listed
from bridge.orchestrator.odata import Listing, ListOptions, ResultOptions, ViewOptions, results, view
from bridge.orchestrator.shapes import (
    EditTaskMetadataRequest,
    PermissionDto,
    TaskAssignmentRequest,
    TaskDto,
    TaskOperationErrorResponse,
    UserLoginInfoDto,
)
from bridge.orchestrator.wire import ACTION, Where, Wire

_BASE = "odata/Tasks"

Event = Literal["ForwardedEver"]
"""Tasks that were ever forwarded by the account, beside those that are its own."""


class Tasks:
    """`orchestrator.tasks`."""

    def __init__(self, wire: Wire) -> None:
        self._wire = wire

    def list(self, *, folder: Where | None = None, **options: Unpack[ListOptions]) -> Listing[TaskDto]:
        """`GET /odata/Tasks`: the tasks of classic folders only. UiPath will drop it: use `across_folders`."""
        return Listing(lambda path: self._wire.within("GET", path, folder=folder), _BASE, options)

    def across_folders(
        self, *, event: Event | None = None, folder: Where | None = None, **options: Unpack[ListOptions]
    ) -> Listing[TaskDto]:
        """`GET GetTasksAcrossFolders`: the tasks in every folder in which the account may view and edit tasks."""
        path = f"{_BASE}/{ACTION}.GetTasksAcrossFolders"
        return Listing(lambda path: self._wire.send("GET", path, folder=folder), path, options, event=event)

    def across_folders_for_admin(
        self, *, event: Event | None = None, folder: Where | None = None, **options: Unpack[ListOptions]
    ) -> Listing[TaskDto]:
        """`GET GetTasksAcrossFoldersForAdmin`: as `across_folders`, where the account may assign tasks as well."""
        path = f"{_BASE}/{ACTION}.GetTasksAcrossFoldersForAdmin"
        return Listing(lambda path: self._wire.send("GET", path, folder=folder), path, options, event=event)

    async def get(self, task_id: int, *, folder: Where | None = None, **options: Unpack[ViewOptions]) -> TaskDto:
        """`GET /odata/Tasks({id})`. `NotFound` (1002) if it is not in the folder."""
        response = await self._wire.within("GET", f"{_BASE}({task_id:d}){view(options)}", folder=folder)
        return cast("TaskDto", entity(response))

    async def get_by_key(
        self, key: UUID | str, *, folder: Where | None = None, **options: Unpack[ViewOptions]
    ) -> TaskDto:
        """`GET GetByKey(identifier={uuid})`: as `get`."""
        path = f"{_BASE}/{ACTION}.GetByKey(identifier={UUID(str(key))}){view(options)}"
        return cast("TaskDto", entity(await self._wire.within("GET", path, folder=folder)))

    async def assign(
        self, assignments: Sequence[TaskAssignmentRequest], *, folder: Where | None = None
    ) -> Sequence[TaskOperationErrorResponse]:
        """`POST AssignTasks`: what could not be assigned and why; 2400 is a task that is assigned or completed already."""
        return await self._change("AssignTasks", {"taskAssignments": assignments}, folder)

    async def reassign(
        self, assignments: Sequence[TaskAssignmentRequest], *, folder: Where | None = None
    ) -> Sequence[TaskOperationErrorResponse]:
        """`POST ReassignTasks`: as `assign`, of tasks that somebody has."""
        return await self._change("ReassignTasks", {"taskAssignments": assignments}, folder)

    async def unassign(
        self, task_ids: Sequence[int], *, folder: Where | None = None
    ) -> Sequence[TaskOperationErrorResponse]:
        """`POST UnassignTasks`: what could not be unassigned and why; 2400 is a completed task."""
        return await self._change("UnassignTasks", {"taskIds": task_ids}, folder)

    async def delete(
        self, task_ids: Sequence[int], *, folder: Where | None = None
    ) -> Sequence[TaskOperationErrorResponse]:
        """`POST DeleteTasks`: what could not be deleted and why; 2427 is a missing permission, 1002 no such task."""
        return await self._change("DeleteTasks", {"taskIds": task_ids}, folder)

    async def edit_metadata(self, request: EditTaskMetadataRequest, *, folder: Where | None = None) -> None:
        """`POST EditTaskMetadata`, 200: title and note to 512 characters, priority, catalog. `NotFound` without the task."""
        path = f"{_BASE}/{ACTION}.EditTaskMetadata"
        done(await self._wire.within("POST", path, cast("Any", request), folder=folder))

    def users(
        self, folder_id: int, *, folder: Where | None = None, **options: Unpack[ListOptions]
    ) -> Listing[UserLoginInfoDto]:
        """`GET GetTaskUsers(organizationUnitId={id})`: who may view and edit the tasks of a folder, which is named by its number."""
        path = f"{_BASE}/{ACTION}.GetTaskUsers(organizationUnitId={folder_id:d})"
        return Listing(
            lambda path: self._wire.send("GET", path, folder=folder_id if folder is None else folder), path, options
        )

    async def permissions(
        self, *, folder: Where | None = None, **options: Unpack[ResultOptions]
    ) -> Sequence[PermissionDto]:
        """`GET GetTaskPermissions`: what the account may do with the folder's tasks."""
        path = f"{_BASE}/{ACTION}.GetTaskPermissions{results(options)}"
        return cast("Sequence[PermissionDto]", listed(await self._wire.within("GET", path, folder=folder)))

    async def _change(
        self, action: str, body: dict[str, Any], folder: Where | None
    ) -> Sequence[TaskOperationErrorResponse]:
        response = await self._wire.send("POST", f"{_BASE}/{ACTION}.{action}", body, folder=folder)
        return cast("Sequence[TaskOperationErrorResponse]", listed(response))
