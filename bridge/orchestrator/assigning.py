"""Whose a task is: people are found by e-mail among the task users of the task's folder.

Sources: Orchestrator's API guide, "Tasks requests" (AssignTasks, ReassignTasks, UnassignTasks, GetTaskUsers). A task tells its folder's
number itself, so no permission on folders is needed.
"""

import asyncio
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from bridge.errors import Rejected
from bridge.orchestrator.shapes import TaskAssignmentRequest, TaskOperationErrorResponse
from bridge.orchestrator.tasks import Tasks

ALREADY = 2400
"""The error of a task that somebody has already, or that is completed."""

KEPT = timedelta(minutes=5)
"""How long a folder's users are taken for known."""

MISSED = timedelta(seconds=30)
"""The same, where somebody is not among them: they may have been added meanwhile."""

_PENDING = (1, "1", "Pending")


@dataclass(frozen=True, slots=True)
class _Users:
    """The task users of a folder, by e-mail in lower case, as they were listed."""

    listed_at: datetime
    numbers: Mapping[str, int]


class Assigning:
    """Gives tasks to people."""

    def __init__(self, tasks: Tasks, clock: Callable[[], datetime]) -> None:
        self._tasks = tasks
        self._clock = clock
        self._users: dict[int, _Users] = {}
        self._listing = asyncio.Lock()

    async def assign(self, task_id: int, email: str, task: Mapping[str, Any]) -> str:
        """Give an open task, of which `task` is the answer, to the user with this e-mail; the e-mail of who has it then.

        Nobody has it for an e-mail that no user of the folder has. A refusal is `Rejected`, with `ALREADY` where the task is no longer
        as `task` says.
        """
        known = {name.lower(): value for name, value in task.items()}
        folder = known.get("organizationunitid")
        if isinstance(folder, bool) or not isinstance(folder, int):
            raise Rejected("Orchestrator does not tell the task's folder, so its users cannot be looked through")
        user = await self._find(email, folder) if email else None
        held = known.get("assignedtouserid") is not None or known.get("status") in _PENDING
        if user is None:
            if held:
                _raise_first(await self._tasks.unassign([task_id], folder=folder))
            return ""
        if known.get("assignedtouserid") != user:
            wanted: TaskAssignmentRequest = {"TaskId": task_id, "UserId": user}
            _raise_first(await (self._tasks.reassign if held else self._tasks.assign)([wanted], folder=folder))
        return email

    async def _find(self, email: str, folder_id: int) -> int | None:
        async with self._listing:  # a hundred assignments are one listing
            users, wanted, now = self._users.get(folder_id), email.casefold(), self._clock()
            fresh = users is not None and now - users.listed_at < (KEPT if wanted in users.numbers else MISSED)
            if users is None or not fresh:
                users = self._users[folder_id] = _Users(now, await self._list(folder_id))
        return users.numbers.get(wanted)

    async def _list(self, folder_id: int) -> dict[str, int]:
        found: dict[str, int] = {}
        async for user in self._tasks.users(folder_id):
            known = {name.lower(): value for name, value in user.items()}
            email, number = known.get("emailaddress"), known.get("id")
            if isinstance(email, str) and isinstance(number, int):
                found.setdefault(email.casefold(), number)
        return found


def _raise_first(errors: Sequence[TaskOperationErrorResponse]) -> None:
    for error in errors:
        words = str(error.get("ErrorMessage") or "the task was not assigned")
        raise Rejected(words, status=200, code=error.get("ErrorCode"))
