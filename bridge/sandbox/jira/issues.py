"""Issues: the truth about each, and what the search index, which runs behind, knows of them."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Any

from bridge.sandbox.jira.people import User


@dataclass(frozen=True, slots=True)
class Comment:
    """What somebody said of an issue. Its text is plain: formatting is not kept."""

    id: str
    author: User
    text: str
    created: datetime
    updated: datetime


@dataclass
class Issue:
    """An issue. Its id stays; its key changes when it moves. The values of its fields are replaced, never changed."""

    id: int
    key: str
    fields: dict[str, Any] = field(default_factory=dict)
    comments: list[Comment] = field(default_factory=list)
    properties: dict[str, Any] = field(default_factory=dict)
    links: dict[int, dict[str, Any]] = field(default_factory=dict)
    """Remote links, by their ids."""

    @property
    def closed(self) -> bool:
        """Whether its status is of the category Done."""
        return bool(self.fields["status"]["statusCategory"]["key"] == "done")

    @property
    def project(self) -> str:
        """The key of its project."""
        return str(self.fields["project"]["key"])

    def copy(self) -> "Issue":
        """As it is now, whatever happens to it later."""
        return replace(self, fields=dict(self.fields), comments=list(self.comments))


@dataclass(frozen=True, slots=True)
class _Snapshot:
    at: datetime
    issue: Issue | None  # None: deleted


class Index:
    """What search sees: each issue as it was `lag` ago. Jira's documented lag is seconds, and minutes after bulk changes."""

    def __init__(self, clock: Callable[[], datetime], lag: timedelta) -> None:
        self._clock = clock
        self.lag = lag
        self._history: dict[int, list[_Snapshot]] = {}

    def changed(self, issue: Issue) -> None:
        """The issue is new or has changed, and will be found so later."""
        self._history.setdefault(issue.id, []).append(_Snapshot(self._clock(), issue.copy()))

    def deleted(self, issue: Issue) -> None:
        """The issue is gone, and will be found until that is known."""
        self._history[issue.id].append(_Snapshot(self._clock(), None))

    def issue(self, issue_id: int) -> Issue | None:
        """The issue as the index has it; what is older is forgotten."""
        history = self._history.get(issue_id, [])
        known = [number for number, snapshot in enumerate(history) if snapshot.at + self.lag <= self._clock()]
        if not known:
            return None
        del history[: known[-1]]
        return history[0].issue

    def __iter__(self) -> Iterator[Issue]:
        found = (self.issue(issue_id) for issue_id in tuple(self._history))
        return (issue for issue in found if issue is not None)


class Issues:
    """The issues that there are, by id and by every key that each ever had."""

    def __init__(self) -> None:
        self._issues: dict[int, Issue] = {}
        self._ids: dict[str, int] = {}
        self._numbers: dict[str, int] = {}

    def __iter__(self) -> Iterator[Issue]:
        return iter(self._issues.values())

    def next_key(self, project: str) -> str:
        """The next key of a project; none is given twice."""
        self._numbers[project] = self._numbers.get(project, 0) + 1
        return f"{project}-{self._numbers[project]}"

    def keep(self, issue: Issue) -> None:
        """The issue is new, or has a new key."""
        self._issues[issue.id] = issue
        self._ids[issue.key.casefold()] = issue.id

    def remove(self, issue: Issue) -> None:
        """The issue is deleted."""
        del self._issues[issue.id]

    def find(self, id_or_key: str) -> Issue | None:
        """The issue of this id or key, in any case, be it a key that it had before it moved."""
        word = id_or_key.strip()
        number = int(word) if word.isascii() and word.isdigit() and len(word) < 19 else self._ids.get(word.casefold())
        return None if number is None else self._issues.get(number)
