"""The order of what is found. Without ORDER BY the newest comes first; no source says how Jira orders then."""

from collections.abc import Sequence
from typing import Any

from bridge.sandbox.jira.issues import Issue
from bridge.sandbox.jira.jql.context import Asking
from bridge.sandbox.jira.jql.fields import Field, field
from bridge.sandbox.jira.jql.meaning import rank
from bridge.sandbox.jira.jql.query import Sort


def ordered(issues: Sequence[Issue], sorts: Sequence[Sort], asking: Asking) -> list[Issue]:
    """By every field, the first one first; issues without a value come last, or first if it is descending."""
    by = [(sort, field(sort.field, asking.catalog)) for sort in sorts]
    found = sorted(issues, key=lambda issue: issue.id, reverse=True)
    for sort, asked in reversed(by):
        empty = [issue for issue in found if asked.get(issue) in (None, [])]
        filled = [issue for issue in found if asked.get(issue) not in (None, [])]
        filled.sort(key=lambda issue, asked=asked: _rank(issue, asked), reverse=sort.descending)  # type: ignore[misc]
        found = empty + filled if sort.descending else filled + empty
    return found


def _rank(issue: Issue, asked: Field) -> Any:
    if asked.name == "key":
        project, _, number = issue.key.rpartition("-")
        return project, int(number)
    if asked.name == "project":
        return issue.project
    return rank(asked.get(issue), asked)
