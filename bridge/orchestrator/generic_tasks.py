"""`/tasks/GenericTasks`: tasks with their data. It speaks camelCase, and its `status` is a number.

Sources: Orchestrator's API guide, "Generic Tasks requests", and the definition's `GenericTasks`. Every operation works in one folder;
without one it is `Rejected` with code 1101, and a folder that is not there is `NotFound` with 1100.
"""

from collections.abc import Mapping, Sequence
from typing import Any, cast
from uuid import UUID

from bridge.orchestrator.answers import done, entity
from bridge.orchestrator.shapes import TagDto, TaskCreateRequest, TaskDataDto, TaskSaveAndReassignmentRequest
from bridge.orchestrator.wire import Where, Wire

_BASE = "tasks/GenericTasks"


class GenericTasks:
    """`orchestrator.generic_tasks`."""

    def __init__(self, wire: Wire) -> None:
        self._wire = wire

    async def create(self, request: TaskCreateRequest, *, folder: Where | None = None) -> TaskDataDto:
        """`POST CreateTask`, 201: a task of any type, unassigned. Title to 512 characters, catalog to 50, tag to 512.

        It has no idempotency: after an `Unknown`, look for the task before you create another. A catalog that does not exist is
        `Rejected` with code 2451. What a document validation task needs in `data` says `DocumentValidationData`.
        """
        response = await self._wire.within("POST", f"{_BASE}/CreateTask", cast("Any", request), folder=folder)
        return cast("TaskDataDto", entity(response, numbered=True))

    async def complete(
        self,
        task_id: int,
        *,
        action: str | None = None,
        data: Mapping[str, Any] | None = None,
        folder: Where | None = None,
    ) -> None:
        """`POST CompleteTask`, 204: `data` replaces the task's. A task that is completed already is `Rejected` or `NotFound`."""
        body: dict[str, Any] = {"taskId": task_id}
        if data is not None:
            body["data"] = data
        if action is not None:
            body["action"] = action
        done(await self._wire.within("POST", f"{_BASE}/CompleteTask", body, folder=folder))

    async def get(self, task_id: int, *, folder: Where | None = None) -> TaskDataDto:
        """`GET GetTaskDataById`: the task with its data. `NotFound` (1002) if it is not in the folder."""
        response = await self._wire.within("GET", f"{_BASE}/GetTaskDataById?taskId={task_id:d}", folder=folder)
        return cast("TaskDataDto", entity(response))

    async def get_by_key(self, key: UUID | str, *, folder: Where | None = None) -> TaskDataDto:
        """`GET GetTaskDataByKey`: as `get`. Servers of 2020.10 do not have it."""
        response = await self._wire.within("GET", f"{_BASE}/GetTaskDataByKey?taskKey={UUID(str(key))}", folder=folder)
        return cast("TaskDataDto", entity(response))

    async def save_data(self, task_id: int, data: Mapping[str, Any], *, folder: Where | None = None) -> None:
        """`PUT SaveTaskData`, 204: replaces all of the task's data. A completed task is `Rejected`."""
        body = {"taskId": task_id, "data": data}
        done(await self._wire.within("PUT", f"{_BASE}/SaveTaskData", body, folder=folder))

    async def save_tags(self, task_id: int, tags: Sequence[TagDto], *, folder: Where | None = None) -> None:
        """`PUT SaveTaskTags`, 204: these tags instead of all others; each text to 256 characters."""
        body = {"taskId": task_id, "tags": tags}
        done(await self._wire.within("PUT", f"{_BASE}/SaveTaskTags", body, folder=folder))

    async def save_and_reassign(self, request: TaskSaveAndReassignmentRequest, *, folder: Where | None = None) -> None:
        """`POST SaveAndReassignTask`, 204: saves the data if `SaveData` says so, and hands the task on, with a note to 512 characters."""
        done(await self._wire.within("POST", f"{_BASE}/SaveAndReassignTask", cast("Any", request), folder=folder))
