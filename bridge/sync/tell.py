"""Telling Orchestrator what a task should show: its title, its priority and whose it is.

Whatever is refused here is noted and not asked again: what a task shows never stands in the way of its completion.
"""

from collections.abc import Mapping
from typing import Protocol

from msgspec import Struct, field

from bridge.errors import Rejected, Unauthorized
from bridge.model import ASSIGNEE, EDITED, Folder, Link, Refusal, Task, TaskId, TaskState

_FORBIDDEN = 403


class Shows(Protocol):
    """What is asked of an Orchestrator here."""

    async def edit_task(self, task_id: TaskId, changes: Mapping[str, str], folder: Folder | None) -> None:
        """Set title and priority; refused if the task is completed already."""

    async def assign_task(self, task_id: TaskId, email: str, folder: Folder | None) -> Task:
        """Give the task to somebody, or to nobody; the task, with who has it then."""

    async def look(self, task_id: TaskId, folder: Folder | None) -> Task:
        """The task as it is now."""


class Told(Struct, frozen=True):
    """The task as it is now; of what it should show, what was taken and what refused."""

    task: Task | None
    told: Mapping[str, str] = field(default_factory=dict)
    refused: Mapping[str, Refusal] = field(default_factory=dict)


async def edit(destination: Shows, link: Link, task_id: TaskId) -> Told:
    """Set the title and priority that Orchestrator was not told. A task that has come to its end needs none."""
    changes = {name: value for name, value in link.untold.items() if name in EDITED}
    folder = _folder(link)
    try:
        await destination.edit_task(task_id, changes, folder)
    except Rejected as error:
        task = await destination.look(task_id, folder)
        why = f"the task keeps its {' and '.join(changes)}: {error}"
        return Told(task, refused=_refused(changes, why)) if task.state is TaskState.OPEN else Told(task)
    return Told(Task(task_id, TaskState.OPEN), told=changes)


async def assign(destination: Shows, link: Link, task_id: TaskId) -> Told:
    """Make the task the ticket's assignee's. A permission that is missing (403) is a refusal as any other."""
    wanted = link.untold[ASSIGNEE]
    whose = f"to {wanted}" if wanted else "to nobody"
    try:
        task = await destination.assign_task(task_id, wanted, _folder(link))
    except (Rejected, Unauthorized) as error:
        if isinstance(error, Unauthorized) and error.status != _FORBIDDEN:
            raise
        refused = _refused({ASSIGNEE: wanted}, f"the task is not assigned {whose}: {error}")
        return Told(Task(task_id, TaskState.OPEN), refused=refused)
    if task.state is not TaskState.OPEN or task.assignee == wanted:
        return Told(task, told={ASSIGNEE: wanted})
    return Told(task, told={ASSIGNEE: task.assignee}, refused=_refused({ASSIGNEE: wanted}, _nobody(wanted)))


def _nobody(wanted: str) -> str:
    if "@" in wanted:
        return f"the task is not assigned: nobody among the folder's task users has the e-mail {wanted}"
    return f"the task is not assigned: the tracker does not tell the e-mail of {wanted}"


def _refused(values: Mapping[str, str], why: str) -> dict[str, Refusal]:
    why = why.replace("\x00", "")
    return {name: Refusal(value, why) for name, value in values.items()}


def _folder(link: Link) -> Folder | None:
    return link.request.folder if link.request else None
