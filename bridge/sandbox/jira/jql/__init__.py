"""JQL: what a query says (`reading`), what it means for an issue (`meaning`), and in which order it finds them (`ordering`)."""

from collections.abc import Iterable

from bridge.sandbox.jira.failures import Failure
from bridge.sandbox.jira.issues import Issue
from bridge.sandbox.jira.jql.context import Asking
from bridge.sandbox.jira.jql.meaning import test
from bridge.sandbox.jira.jql.ordering import ordered
from bridge.sandbox.jira.jql.query import Query
from bridge.sandbox.jira.jql.reading import read

__all__ = ["Asking", "Query", "found", "read", "wanted"]


def found(query: Query, issues: Iterable[Issue], asking: Asking) -> list[Issue]:
    """The issues that a query finds, in its order. 400 if it does not fit this Jira."""
    if query.where is None:
        return ordered(list(issues), query.sorts, asking)
    fits = test(query.where, asking)
    return ordered([issue for issue in issues if fits(issue)], query.sorts, asking)


def wanted(jql: str, issue: Issue, asking: Asking) -> bool:
    """Whether a filter wants the issue: an empty one wants all, one that does not fit this Jira any more wants none."""
    try:
        return not jql.strip() or bool(found(read(jql), [issue], asking))
    except Failure:
        return False
