"""What this Orchestrator holds: folders with their catalogs, users, and tasks. No wire, no I/O: requests are turned into calls of it.

Time, randomness and ids are handed in, so that a test can hold them still.
"""

import itertools
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import cached_property
from random import Random, SystemRandom
from typing import Any
from uuid import NAMESPACE_URL, UUID, uuid5

from bridge.sandbox.orchestrator import failures
from bridge.sandbox.orchestrator.faults import Faults
from bridge.sandbox.orchestrator.journal import Journal

UNASSIGNED, PENDING, COMPLETED = range(3)
STATUSES = ("Unassigned", "Pending", "Completed")
PRIORITIES = ("Low", "Medium", "High", "Critical")
TYPES = (
    "FormTask",
    "ExternalTask",
    "DocumentValidationTask",
    "DocumentClassificationTask",
    "DataLabelingTask",
    "AppTask",
    "QuickFormTask",
)


@dataclass(frozen=True)
class Folder:
    """A folder, with the names of the task catalogs that live in it. Its key follows from its path."""

    id: int
    path: str
    catalogs: tuple[str, ...] = ()

    @cached_property
    def key(self) -> UUID:
        """The same for the same path, in every world."""
        return uuid5(NAMESPACE_URL, f"folder:{self.path}")


@dataclass(frozen=True, slots=True)
class Catalog:
    """A task catalog of one folder."""

    id: int
    name: str
    folder: Folder
    key: UUID
    creation_time: datetime


@dataclass(frozen=True, slots=True)
class User:
    """Somebody to whom tasks can be assigned, or who completes them in Action Center."""

    id: int
    email: str
    name: str
    surname: str


@dataclass(frozen=True, slots=True, kw_only=True)
class NewTask:
    """What is asked of `CreateTask`. An omitted type is taken for `ExternalTask`, an omitted priority for `Medium`: no source says."""

    title: str
    type: str = "ExternalTask"
    priority: str = "Medium"
    data: dict[str, Any] = field(default_factory=dict)
    catalog: str | None = None
    external_tag: str | None = None
    parent_operation_id: str | None = None
    creator_job_key: UUID | None = None
    tags: Sequence[Any] = ()
    source: dict[str, Any] | None = None


@dataclass(slots=True, kw_only=True)
class Task:
    """A task as it is now. `completions` counts what a real server hides: how often it was completed."""

    id: int
    key: UUID
    folder: Folder
    request: NewTask
    creation_time: datetime
    data: dict[str, Any]
    status: int = UNASSIGNED
    action: str | None = None
    assignee: User | None = None
    completed_by: User | None = None
    last_assigned_time: datetime | None = None
    completion_time: datetime | None = None
    modification_time: datetime | None = None
    deletion_time: datetime | None = None
    completions: int = 0


@dataclass(frozen=True, slots=True)
class Activity:
    """One change of a task, as `TaskActivities` lists it. `kind` is a word of the definition's `ActivityType`."""

    id: int
    task: Task
    kind: str
    at: datetime
    by: User | None = None
    target: User | None = None  # to whom the task was assigned by it
    assigned_before: User | None = None


DEFAULT_FOLDERS = (Folder(id=1, path="Shared", catalogs=("Tickets",)),)
DEFAULT_USERS = (
    User(1001, "ada@example.com", "Ada", "Lovelace"),
    User(1002, "grace@example.com", "Grace", "Hopper"),
)


class World:
    """One Orchestrator's state, and the changes that its operations make. Raises `Failure` where the real one refuses.

    With `require_folder=False` an operation without a folder header works in the first folder, as older servers do.
    """

    def __init__(
        self,
        *,
        folders: Sequence[Folder] = DEFAULT_FOLDERS,
        users: Sequence[User] = DEFAULT_USERS,
        require_folder: bool = True,
        clock: Callable[[], datetime] = lambda: datetime.now(UTC),
        rng: Random | None = None,
        ids: Iterable[int] | None = None,
    ) -> None:
        self.folders = tuple(folders)
        self.users = {user.id: user for user in users}
        self.require_folder = require_folder
        self.clock = clock
        self.rng = rng or Random(SystemRandom().getrandbits(64))  # noqa: S311 - nothing here is a secret
        self.faults = Faults(self.rng)
        self.journal = Journal()
        self.catalogs = _catalogs(self.folders, clock())
        self._ids = iter(ids or itertools.count(1))
        self.listeners: list[Callable[[Activity], None]] = []
        """Told of every change, after it was made."""
        self._activities: dict[int, list[Activity]] = {}
        self._activity_ids = itertools.count(1)
        self._tasks: dict[int, Task] = {}
        self._by_key: dict[UUID, Task] = {}
        self._by_parent: dict[str, list[Task]] = {}

    def reset(self) -> None:
        """No tasks, no faults, nothing in the journal; folders and users stay, and ids are not used again."""
        self.faults.replace([])
        self.journal.clear()
        self._tasks.clear()
        self._by_key.clear()
        self._by_parent.clear()
        self._activities.clear()

    # -- looking -------------------------------------------------------------------------------------------------------------------

    def tasks(self, folder: Folder | None = None) -> Iterator[Task]:
        """The tasks that are not deleted, oldest first; of one folder, or of all."""
        return (
            task
            for task in self._tasks.values()
            if task.deletion_time is None and (folder is None or task.folder is folder)
        )

    def all_tasks(self) -> Sequence[Task]:
        """Every task that was ever created, the deleted ones too, oldest first."""
        return tuple(self._tasks.values())

    def newest_tasks(self, most: int) -> list[Task]:
        """The latest tasks that are not deleted, newest first."""
        live = (task for task in reversed(self._tasks.values()) if task.deletion_time is None)
        return list(itertools.islice(live, most))

    def tasks_of_operation(self, parent_operation_id: str) -> list[Task]:
        """The tasks that are not deleted with exactly this `parentOperationId`; as quick as a look into an index."""
        return [task for task in self._by_parent.get(parent_operation_id, ()) if task.deletion_time is None]

    def task(self, task_id: int, folder: Folder | None = None) -> Task:
        """The task of this id; in the folder, if one is given. 404 for one that was deleted."""
        return _seen(self._tasks.get(task_id), folder)

    def task_by_key(self, key: UUID, folder: Folder | None = None) -> Task:
        """The task of this key; as `task`."""
        return _seen(self._by_key.get(key), folder)

    def activities(self, task_id: int) -> Sequence[Activity]:
        """What happened to a task, oldest first."""
        return tuple(self._activities.get(task_id, ()))

    # -- changing ------------------------------------------------------------------------------------------------------------------

    def create_task(self, request: NewTask, folder: Folder | None = None) -> Task:
        """A new unassigned task in the folder, or in the first one. Asking twice makes two: there is no idempotency to rely on."""
        folder = folder or self.folders[0]
        if request.catalog and request.catalog not in folder.catalogs:
            raise failures.catalog_unknown(request.catalog)
        task = Task(
            id=next(self._ids),
            key=UUID(int=self.rng.getrandbits(128), version=4),
            folder=folder,
            request=request,
            creation_time=self.clock(),
            data=request.data,
        )
        self._tasks[task.id] = task
        self._by_key[task.key] = task
        if request.parent_operation_id is not None:
            self._by_parent.setdefault(request.parent_operation_id, []).append(task)
        self._record(task, "Created")
        return task

    def complete_task(
        self,
        task_id: int,
        *,
        data: dict[str, Any] | None = None,
        action: str | None = None,
        folder: Folder | None = None,
        user: User | None = None,
    ) -> Task:
        """Complete a task, once. Data replaces what the task holds; without data that is kept."""
        task = self.task(task_id, folder)
        if task.status == COMPLETED:
            raise failures.task_completed()
        task.status = COMPLETED
        task.action = action
        task.data = task.data if data is None else data
        task.completed_by = user
        task.completion_time = task.modification_time = self.clock()
        task.completions += 1
        self._record(task, "Completed", by=user)
        return task

    def delete_task(self, task_id: int) -> Task:
        """Delete a task softly: it stays in the history, and no operation sees it any more."""
        task = self.task(task_id)
        task.deletion_time = task.modification_time = self.clock()
        self._record(task, "Deleted")
        return task

    # -- small things --------------------------------------------------------------------------------------------------------------

    def trace_id(self) -> str:
        """A new W3C trace id, as every error carries one."""
        return f"00-{self.rng.getrandbits(128):032x}-{self.rng.getrandbits(64):016x}-00"

    def _record(
        self,
        task: Task,
        kind: str,
        *,
        by: User | None = None,
        target: User | None = None,
        assigned_before: User | None = None,
    ) -> Activity:
        """Note a change that was made, and tell those who listen."""
        activity = Activity(next(self._activity_ids), task, kind, self.clock(), by, target, assigned_before)
        self._activities.setdefault(task.id, []).append(activity)
        for listener in self.listeners:
            listener(activity)
        return activity

    def token(self) -> str:
        """A new opaque token."""
        return f"{self.rng.getrandbits(256):064x}"


def _seen(task: Task | None, folder: Folder | None) -> Task:
    if task is None or task.deletion_time is not None or (folder is not None and task.folder is not folder):
        raise failures.task_unknown()
    return task


def _catalogs(folders: Iterable[Folder], now: datetime) -> tuple[Catalog, ...]:
    named = ((folder, name) for folder in folders for name in folder.catalogs)
    return tuple(
        Catalog(number, name, folder, uuid5(folder.key, name), now) for number, (folder, name) in enumerate(named, 1)
    )
