"""What an Orchestrator holds, as values: folders, catalogs, users, tasks with their notes and their history, and what is asked for."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from functools import cached_property
from typing import Any
from uuid import NAMESPACE_URL, UUID, uuid5

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
CRITERIA = ("SingleUser", "Workload", "AllUsers", "Hierarchy", "RoundRobin")
"""How the assignee of a task is chosen. `RoundRobin` is in UiPath's SDKs only, not in the definition."""
RETENTIONS = ("Delete", "Archive", "None")
PERMISSIONS = (
    "Tasks.View",
    "Tasks.Edit",
    "Tasks.Create",
    "Tasks.Delete",
    "TaskCatalogs.View",
    "TaskCatalogs.Edit",
    "TaskCatalogs.Create",
    "TaskCatalogs.Delete",
    "TaskAssignment.Create",
)


@dataclass(frozen=True)
class Folder:
    """A folder, with the names of the task catalogs that it has from the start. Its key follows from its path, unless it is given one."""

    id: int
    path: str
    catalogs: tuple[str, ...] = ()
    given_key: UUID | None = None

    @cached_property
    def key(self) -> UUID:
        """The same for the same path, in every world."""
        return self.given_key or uuid5(NAMESPACE_URL, f"folder:{self.path}")


@dataclass(frozen=True, slots=True)
class User:
    """Somebody to whom tasks can be assigned, or who completes them in Action Center."""

    id: int
    email: str
    name: str
    surname: str
    folders: tuple[str, ...] | None = None  # the paths of those that the user works in; None: all


@dataclass(frozen=True, slots=True)
class Retention:
    """What becomes of a catalog's completed tasks. The sandbox only remembers it."""

    action: str = "None"
    period: int | None = None
    bucket_id: int | None = None


@dataclass(slots=True, kw_only=True)
class Catalog:
    """A task catalog: the folder that it was made in, and those that it was shared to."""

    id: int
    key: UUID
    name: str
    creation_time: datetime
    folders: list[Folder]
    description: str | None = None
    encrypted: bool = False
    tags: Sequence[Any] = ()
    retention: Retention = Retention()
    modification_time: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class NewCatalog:
    """What is asked of `CreateTaskCatalog` and `UpdateTaskCatalog`; the latter does not look at `encrypted`."""

    name: str
    description: str | None = None
    encrypted: bool = False
    tags: Sequence[Any] = ()
    retention: Retention = Retention()


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
    form: "Form | None" = None


@dataclass(frozen=True, slots=True)
class Form:
    """What a form task shows: a layout, or the id of one."""

    layout: Any = None
    layout_id: int | None = None
    bulk_layout_id: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Assignment:
    """To whom a task is to go: one user by id or by name, or a choice among several."""

    task_id: int
    user_id: int | None = None
    name: str | None = None
    criteria: str = "SingleUser"
    user_ids: Sequence[int] = ()
    names: Sequence[str] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class TaskEdit:
    """What is asked of `EditTaskMetadata`; None leaves a thing as it is."""

    title: str | None = None
    priority: str | None = None
    catalog_id: int | None = None
    unset_catalog: bool = False
    note: str | None = None


@dataclass(slots=True, kw_only=True)
class Task:
    """A task as it is now. `request` follows the edits of title, priority, catalog and tags.

    `completions` counts what a real server hides: how often it was completed.
    """

    id: int
    key: UUID
    folder: Folder
    request: NewTask
    creation_time: datetime
    data: dict[str, Any]
    status: int = UNASSIGNED
    action: str | None = None
    encrypted: bool = False
    criteria: str = "SingleUser"
    assignees: tuple[User, ...] = ()
    completed_by: User | None = None
    creator: User | None = None
    modifier: User | None = None
    deleter: User | None = None
    last_assigned_time: datetime | None = None
    completion_time: datetime | None = None
    modification_time: datetime | None = None
    deletion_time: datetime | None = None
    completions: int = 0
    notes: "list[Note]" = field(default_factory=list, repr=False, compare=False)
    activities: "list[Activity]" = field(default_factory=list, repr=False, compare=False)

    @property
    def assignee(self) -> User | None:
        """The one to whom it is assigned; None if that is nobody or a group."""
        return self.assignees[0] if len(self.assignees) == 1 else None


@dataclass(frozen=True, slots=True)
class Note:
    """A comment on a task."""

    id: int
    key: UUID
    task: Task
    text: str
    at: datetime
    by: User | None = None


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
    note: Note | None = None
    metadata: bool = False
    """Whether `Saved` speaks of title, priority, catalog or tags and not of data: webhooks call that `task.updated`."""
