"""`/odata/TaskNotes` and `/odata/TaskActivities`: what people wrote under a task, and what happened to it.

Source: the definition's `TaskNotes` and `TaskActivities`. Every operation works in the task's folder.
"""

from typing import Unpack, cast

from bridge.orchestrator.answers import entity
from bridge.orchestrator.odata import Listing, ListOptions
from bridge.orchestrator.shapes import TaskActivityDto, TaskNoteDto
from bridge.orchestrator.wire import ACTION, Where, Wire


class TaskNotes:
    """`orchestrator.notes`."""

    def __init__(self, wire: Wire) -> None:
        self._wire = wire

    async def create(self, task_id: int, text: str, *, folder: Where | None = None) -> TaskNoteDto:
        """`POST CreateTaskNote`, 201: a note to 512 characters. Not idempotent."""
        path = f"odata/TaskNotes/{ACTION}.CreateTaskNote"
        response = await self._wire.within("POST", path, {"Text": text, "TaskId": task_id}, folder=folder)
        return cast("TaskNoteDto", entity(response, numbered=True))

    def list(
        self, task_id: int, *, folder: Where | None = None, **options: Unpack[ListOptions]
    ) -> Listing[TaskNoteDto]:
        """`GET GetByTaskId(taskId={id})`: a task's notes."""
        path = f"odata/TaskNotes/{ACTION}.GetByTaskId(taskId={task_id:d})"
        return Listing(lambda path: self._wire.within("GET", path, folder=folder), path, options)


class TaskActivities:
    """`orchestrator.activities`."""

    def __init__(self, wire: Wire) -> None:
        self._wire = wire

    def list(
        self, task_id: int, *, folder: Where | None = None, **options: Unpack[ListOptions]
    ) -> Listing[TaskActivityDto]:
        """`GET GetByTaskId(taskId={id})`: a task's history, from Created to Completed."""
        path = f"odata/TaskActivities/{ACTION}.GetByTaskId(taskId={task_id:d})"
        return Listing(lambda path: self._wire.within("GET", path, folder=folder), path, options)
