"""Which tasks the page shows: the filter of its form, and the tasks by folder, newest first."""

from collections.abc import Mapping
from dataclasses import dataclass

from bridge.sandbox.orchestrator.world import COMPLETED, STATUSES, Folder, Task, World

SHOWN = 200
"""How many tasks the page shows at most."""

OPEN, DELETED = "Open", "Deleted"
CHOICES = (OPEN, *STATUSES, DELETED)


@dataclass(frozen=True, slots=True)
class Filter:
    """What the form asks for; empty is everything that is not deleted."""

    status: str = ""
    text: str = ""
    folder: str = ""

    @classmethod
    def of(cls, query: Mapping[str, str]) -> "Filter":
        """The filter in a URL. A status that is none is no wish."""
        status = query.get("status", "")
        return cls(status if status in CHOICES else "", query.get("text", "").strip(), query.get("folder", ""))

    def takes(self, task: Task) -> bool:
        """Whether the task is shown."""
        return (
            (task.deletion_time is not None) == (self.status == DELETED)
            and (self.status in ("", DELETED) or _has_status(task, self.status))
            and self.folder in ("", task.folder.path)
            and self.text.casefold() in _words(task)
        )


@dataclass(frozen=True, slots=True)
class Found:
    """The tasks of each folder that has some, and how many there are that are not shown."""

    folders: list[tuple[Folder, list[Task]]]
    count: int
    hidden: int


def look(world: World, wanted: Filter) -> Found:
    """What the page shows."""
    found = [task for task in reversed(world.all_tasks()) if wanted.takes(task)]
    shown = found[:SHOWN]
    groups = [(folder, [task for task in shown if task.folder is folder]) for folder in world.folders]
    return Found([(folder, tasks) for folder, tasks in groups if tasks], len(found), len(found) - len(shown))


def _has_status(task: Task, status: str) -> bool:
    return task.status != COMPLETED if status == OPEN else STATUSES[task.status] == status


def _words(task: Task) -> str:
    request = task.request
    parts = (str(task.id), request.title, request.external_tag, request.catalog, request.parent_operation_id)
    return "\n".join(part for part in parts if part).casefold()
