"""One Orchestrator's state and rules. No wire, no I/O: requests are turned into calls of it.

Time, randomness and ids are handed in, so that a test can hold them still.
"""

import itertools
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from random import Random, SystemRandom
from typing import Any
from uuid import UUID

from bridge.sandbox.orchestrator import assigning, failures
from bridge.sandbox.orchestrator.access import Access
from bridge.sandbox.orchestrator.catalogs import Catalogs
from bridge.sandbox.orchestrator.faults import Faults
from bridge.sandbox.orchestrator.journal import Journal
from bridge.sandbox.orchestrator.model import (
    COMPLETED,
    PENDING,
    PRIORITIES,
    STATUSES,
    TYPES,
    UNASSIGNED,
    Activity,
    Assignment,
    Catalog,
    Folder,
    NewCatalog,
    NewTask,
    Note,
    Task,
    TaskEdit,
    User,
)
from bridge.sandbox.orchestrator.webhooks import Webhooks

__all__ = [
    "COMPLETED",
    "PENDING",
    "PRIORITIES",
    "STATUSES",
    "TYPES",
    "UNASSIGNED",
    "Activity",
    "Catalog",
    "Folder",
    "NewTask",
    "Task",
    "User",
    "World",
]

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
        self.caller: User | None = None
        """Who asks over the API: an external application is nobody."""
        self.denied: set[str] = set()
        """The names of `PERMISSIONS` that the caller does not have."""
        self.require_folder = require_folder
        self.clock = clock
        self.rng = rng or Random(SystemRandom().getrandbits(64))  # noqa: S311 - nothing here is a secret
        self.faults = Faults(self.rng)
        self.journal = Journal()
        self.catalogs = Catalogs(self.folders, clock, self.rng)
        self.access = Access()
        self.webhooks = Webhooks()
        self.keep: Callable[[], None] = lambda: None
        """Called before anything is answered: makes what was changed last beyond this process, where there is a file for it."""
        self.touched: Callable[[Task], None] = lambda _task: None
        """Called with a task that was changed without an activity of its own."""
        self.resets: list[Callable[[], None]] = []
        """Called when all was forgotten."""
        self.listeners: list[Callable[[Activity], None]] = []
        """Told of every change, after it was made."""
        self._ids = iter(ids or itertools.count(1))
        self._activity_ids = itertools.count(1)
        self._note_ids = itertools.count(1)
        self._tasks: dict[int, Task] = {}
        self._by_key: dict[UUID, Task] = {}
        self._by_parent: dict[str, list[Task]] = {}

    def reset(self) -> None:
        """No tasks, no faults, nothing in the journal, the catalogs of the start; folders and users stay, and ids are not used again."""
        self.faults.replace([])
        self.journal.clear()
        self.catalogs.reset()
        self.denied.clear()
        self._tasks.clear()
        self._by_key.clear()
        self._by_parent.clear()
        self.webhooks.clear()
        for restart in self.resets:
            restart()

    # -- looking -------------------------------------------------------------------------------------------------------------------

    def folder(self, folder_id: int) -> Folder:
        """The folder of this id. 404 with code 1100."""
        for folder in self.folders:
            if folder.id == folder_id:
                return folder
        raise failures.folder_unknown()

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

    def tasks_of_operation(self, parent_operation_id: str) -> list[Task]:
        """The tasks that are not deleted with exactly this `parentOperationId`; as quick as a look into an index."""
        return [task for task in self._by_parent.get(parent_operation_id, ()) if task.deletion_time is None]

    def tasks_of_catalog(self, catalog: Catalog, folders: Iterable[Folder] | None = None) -> list[Task]:
        """The tasks that are not deleted in a catalog; in all its folders, or in these."""
        within = {folder.id for folder in (catalog.folders if folders is None else folders)}
        within &= {folder.id for folder in catalog.folders}
        return [task for task in self.tasks() if task.request.catalog == catalog.name and task.folder.id in within]

    def task(self, task_id: int, folder: Folder | None = None) -> Task:
        """The task of this id; in the folder, if one is given. 404 for one that was deleted."""
        return _seen(self._tasks.get(task_id), folder)

    def task_ever(self, task_id: int) -> Task:
        """The task of this id, deleted or not. KeyError if there never was one."""
        return self._tasks[task_id]

    def task_by_key(self, key: UUID, folder: Folder | None = None) -> Task:
        """The task of this key; as `task`."""
        return _seen(self._by_key.get(key), folder)

    def activities(self, task_id: int) -> Sequence[Activity]:
        """What happened to a task, oldest first; to a deleted one, too."""
        task = self._tasks.get(task_id)
        return () if task is None else tuple(task.activities)

    # -- a task's life -------------------------------------------------------------------------------------------------------------

    def create_task(self, request: NewTask, folder: Folder | None = None, *, by: User | None = None) -> Task:
        """A new unassigned task in the folder, or in the first one. Asking twice makes two: there is no idempotency to rely on."""
        folder = folder or self.folders[0]
        catalog = self._catalog_for(request, folder)
        task = Task(
            id=next(self._ids),
            key=self._key(),
            folder=folder,
            request=request,
            creation_time=self.clock(),
            data=request.data,
            encrypted=catalog is not None and catalog.encrypted,
            creator=by,
        )
        self.index(task)
        self._record(task, "Created", by=by, at=task.creation_time)
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
        """Complete a task, once. Data replaces what the task holds; without data that is kept. Its assignee stays to be seen."""
        task = self._open(task_id, folder)
        now = self._touch(task, user)
        task.status = COMPLETED
        task.action = action
        task.data = task.data if data is None else data
        task.completed_by = user
        task.completion_time = now
        task.completions += 1
        self._record(task, "Completed", by=user, at=now)
        return task

    def delete_task(self, task_id: int, *, by: User | None = None) -> Task:
        """Delete a task softly: it stays in the history, and no operation sees it any more."""
        task = self.task(task_id)
        task.deletion_time = self._touch(task, by)
        task.deleter = by
        self._record(task, "Deleted", by=by, at=task.deletion_time)
        return task

    # -- what a task says ----------------------------------------------------------------------------------------------------------

    def save_data(
        self, task_id: int, data: dict[str, Any], folder: Folder | None = None, *, by: User | None = None
    ) -> Task:
        """Other data instead of a task's own: nothing is merged."""
        task = self._open(task_id, folder)
        now = self._touch(task, by)
        task.data = data
        self._record(task, "Saved", by=by, at=now)
        return task

    def save_tags(
        self, task_id: int, tags: Sequence[Any], folder: Folder | None = None, *, by: User | None = None
    ) -> Task:
        """Other tags instead of a task's own."""
        task = self._open(task_id, folder)
        now = self._touch(task, by)
        task.request = replace(task.request, tags=tags)
        self._record(task, "Saved", by=by, at=now, metadata=True)
        return task

    def edit_task(self, task_id: int, edit: TaskEdit, folder: Folder | None = None, *, by: User | None = None) -> Task:
        """Title, priority and catalog as the edit says; its note becomes a comment. That a completed task refuses is not published."""
        task = self._open(task_id, folder)
        catalog = None if edit.catalog_id is None else self.catalogs.get(edit.catalog_id, task.folder)
        request = replace(
            task.request, title=edit.title or task.request.title, priority=edit.priority or task.request.priority
        )
        if catalog is not None:
            request, task.encrypted = replace(request, catalog=catalog.name), catalog.encrypted
        elif edit.unset_catalog:
            request, task.encrypted = replace(request, catalog=None), False
        if request != task.request:
            now = self._touch(task, by)
            task.request = request
            self._record(task, "Saved", by=by, at=now, metadata=True)
        if edit.note:
            self._comment(task, edit.note, by)
        return task

    def comment(self, task_id: int, text: str, folder: Folder | None = None, *, by: User | None = None) -> Note:
        """A note on a task; a completed one takes it, too."""
        return self._comment(self.task(task_id, folder), text, by)

    # -- who has a task ------------------------------------------------------------------------------------------------------------

    def assign(self, assignment: Assignment, *, by: User | None = None) -> Task:
        """Give a task that nobody has to somebody. 2400 if somebody has it, or it is completed."""
        task = self._open(assignment.task_id)
        if task.status == PENDING:
            raise failures.task_assigned()
        return self._give(task, assignment, "Assigned", by)

    def reassign(self, assignment: Assignment, *, by: User | None = None) -> Task:
        """Give a task to somebody else. No source says what becomes of one that nobody has: here it is assigned."""
        task = self._open(assignment.task_id)
        return self._give(task, assignment, "Reassigned" if task.status == PENDING else "Assigned", by)

    def forward(
        self,
        assignment: Assignment,
        *,
        data: dict[str, Any] | None = None,
        note: str | None = None,
        folder: Folder | None = None,
        by: User | None = None,
    ) -> Task:
        """Save a task's data, if there is some, and give it to somebody else with a note: all of it or nothing."""
        task = self._open(assignment.task_id, folder)
        assigning.chosen(assignment, self.users, ())  # refused before anything is saved
        if data is not None:
            self.save_data(task.id, data, folder, by=by)
        self._give(task, assignment, "Forwarded", by)
        if note:
            self._comment(task, note, by)
        return task

    def unassign(self, task_id: int, *, by: User | None = None) -> Task:
        """Take a task back from whoever has it. One that nobody has stays so, and nothing is recorded: no source says."""
        task = self._open(task_id)
        if task.status == PENDING:
            before, now = task.assignee, self._touch(task, by)
            task.status, task.assignees, task.criteria = UNASSIGNED, (), "SingleUser"
            self._record(task, "Unassigned", by=by, assigned_before=before, at=now)
        return task

    # -- catalogs that tasks are in ------------------------------------------------------------------------------------------------

    def update_catalog(self, catalog: Catalog, request: NewCatalog) -> None:
        """Change a catalog; its tasks follow it to its new name."""
        tasks = self.tasks_of_catalog(catalog)
        self.catalogs.update(catalog, request)
        for task in tasks:
            task.request = replace(task.request, catalog=catalog.name)
            self.touched(task)

    def delete_catalog(self, catalog: Catalog) -> None:
        """Forget a catalog. 409 while tasks are in it."""
        if self.tasks_of_catalog(catalog):
            raise failures.catalog_in_use()
        self.catalogs.delete(catalog)

    def share_catalogs(self, catalogs: Sequence[Catalog], more: Sequence[Folder], fewer: Sequence[Folder]) -> None:
        """Show catalogs in more folders and in fewer. 409 for a folder that has tasks in one of them: no source says."""
        if any(self.tasks_of_catalog(catalog, fewer) for catalog in catalogs):
            raise failures.catalog_in_use()
        self.catalogs.share(catalogs, more, fewer)

    def index(self, task: Task) -> None:
        """Let a task be found by its id, its key and its `parentOperationId`."""
        self._tasks[task.id] = task
        self._by_key[task.key] = task
        if task.request.parent_operation_id is not None:
            self._by_parent.setdefault(task.request.parent_operation_id, []).append(task)

    # -- small things --------------------------------------------------------------------------------------------------------------

    def trace_id(self) -> str:
        """A new W3C trace id, as every error carries one."""
        return f"00-{self.rng.getrandbits(128):032x}-{self.rng.getrandbits(64):016x}-00"

    def token(self) -> str:
        """A new opaque token."""
        return f"{self.rng.getrandbits(256):064x}"

    def _record(
        self,
        task: Task,
        kind: str,
        *,
        by: User | None = None,
        target: User | None = None,
        assigned_before: User | None = None,
        note: Note | None = None,
        metadata: bool = False,
        at: datetime | None = None,
    ) -> Activity:
        """Note a change that was made, and tell those who listen."""
        number, when = next(self._activity_ids), at or self.clock()
        activity = Activity(number, task, kind, when, by, target, assigned_before, note, metadata)
        task.activities.append(activity)
        for listener in self.listeners:
            listener(activity)
        return activity

    def _open(self, task_id: int, folder: Folder | None = None) -> Task:
        """A task that may change."""
        task = self.task(task_id, folder)
        if task.status == COMPLETED:
            raise failures.task_completed()
        return task

    def _touch(self, task: Task, by: User | None) -> datetime:
        """Now, which is when the task was last modified."""
        task.modification_time, task.modifier = self.clock(), by
        return task.modification_time

    def _give(self, task: Task, assignment: Assignment, kind: str, by: User | None) -> Task:
        assignees = assigning.chosen(assignment, self.users, self._tasks.values())
        before, now = task.assignee, self._touch(task, by)
        task.status, task.assignees, task.criteria = PENDING, assignees, assignment.criteria
        task.last_assigned_time = now
        self._record(task, kind, by=by, target=task.assignee, assigned_before=before, at=now)
        return task

    def _comment(self, task: Task, text: str, by: User | None) -> Note:
        note = Note(next(self._note_ids), self._key(), task, text, self.clock(), by)
        task.notes.append(note)
        self._record(task, "Commented", by=by, note=note, at=note.at)
        return note

    def _catalog_for(self, request: NewTask, folder: Folder) -> Catalog | None:
        if not request.catalog:
            return None
        catalog = self.catalogs.named(folder, request.catalog)
        if catalog is None:
            raise failures.catalog_unknown(request.catalog)
        return catalog

    def _key(self) -> UUID:
        return UUID(int=self.rng.getrandbits(128), version=4)


def _seen(task: Task | None, folder: Folder | None) -> Task:
    if task is None or task.deletion_time is not None or (folder is not None and task.folder is not folder):
        raise failures.task_unknown()
    return task
