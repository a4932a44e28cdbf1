"""What a Jira's administrator has set up: statuses and the transitions between them, priorities, types, resolutions, projects.

The workflow is the simplified one: from every status a transition leads to every other. Ids are those of a new site.
"""

import itertools
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

CATEGORIES: dict[str, dict[str, Any]] = {
    "undefined": {"id": 1, "key": "undefined", "colorName": "medium-gray", "name": "No Category"},
    "new": {"id": 2, "key": "new", "colorName": "blue-gray", "name": "To Do"},
    "done": {"id": 3, "key": "done", "colorName": "green", "name": "Done"},
    "indeterminate": {"id": 4, "key": "indeterminate", "colorName": "yellow", "name": "In Progress"},
}
STATUSES: dict[str, dict[str, Any]] = {
    "To Do": {"id": "10000", "name": "To Do", "description": "", "statusCategory": CATEGORIES["new"]},
    "In Progress": {"id": "3", "name": "In Progress", "description": "", "statusCategory": CATEGORIES["indeterminate"]},
    "Done": {"id": "10001", "name": "Done", "description": "", "statusCategory": CATEGORIES["done"]},
}
TRANSITIONS = {"11": "To Do", "21": "In Progress", "31": "Done"}
"""Each by its id, and the status that it leads to."""

DONE = "Done"
"""The status that resolves."""


@dataclass(frozen=True, slots=True)
class Project:
    """Where issues are."""

    id: str
    key: str
    name: str

    def shown(self) -> dict[str, Any]:
        """As a value of an issue's field."""
        return {"id": self.id, "key": self.key, "name": self.name, "projectTypeKey": "software"}


class Choices:
    """The values that a field can have, by their names; a name that people use for the first time is set up by it."""

    def __init__(self, first_id: int, names: Iterable[str]) -> None:
        self._ids = itertools.count(first_id)
        self._values: dict[str, dict[str, Any]] = {}
        for name in names:
            self.named(name)

    def named(self, name: str) -> dict[str, Any]:
        """The value of this name, which may be new."""
        return self.find(name) or self._values.setdefault(name, {"id": str(next(self._ids)), "name": name})

    def find(self, word: str) -> dict[str, Any] | None:
        """The value of this name or id."""
        same = (one for one in self.all() if word.casefold() in (one["name"].casefold(), one["id"]))
        return next(same, None)

    def all(self) -> list[dict[str, Any]]:
        """Every value, in its order."""
        return list(self._values.values())


class Catalog:
    """The set-up of one Jira."""

    def __init__(self, projects: Iterable[str]) -> None:
        self.priorities = Choices(1, ("Highest", "High", "Medium", "Low", "Lowest"))
        self.types = Choices(10001, ("Task", "Bug", "Story", "Incident"))
        self.resolutions = Choices(10000, ("Done", "Won't Do", "Duplicate", "Cannot Reproduce"))
        self.custom_fields: dict[str, str] = {}
        """Names of custom fields by their ids, such as `customfield_10010`."""
        self._project_ids = itertools.count(10000)
        self.projects: dict[str, Project] = {}
        for key in projects:
            self.project(key)

    def project(self, key: str) -> Project:
        """The project of this key, which may be new."""
        if key not in self.projects:
            self.projects[key] = Project(str(next(self._project_ids)), key, f"Project {key}")
        return self.projects[key]

    def find_project(self, word: str) -> Project | None:
        """The project of this key, id or name."""
        same = (p for p in self.projects.values() if word.casefold() in (p.key.casefold(), p.id, p.name.casefold()))
        return next(same, None)

    def issue_type(self, name: str) -> dict[str, Any]:
        """As a value of an issue's field."""
        return {**self.types.named(name), "subtask": False}


def status(word: str) -> dict[str, Any] | None:
    """The status of this name or id."""
    return next((one for one in STATUSES.values() if word.casefold() in (one["name"].casefold(), one["id"])), None)
