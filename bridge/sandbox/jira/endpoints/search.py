"""Cloud's search: bounded queries, pages by tokens, and an index that runs behind. The old search is gone."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from starlette.responses import Response

from bridge.sandbox.jira import failures, jql, shapes
from bridge.sandbox.jira.endpoints.bodies import number, numbers, text, texts, whole_body
from bridge.sandbox.jira.failures import Failure
from bridge.sandbox.jira.issues import Issue
from bridge.sandbox.jira.operation import CLOUD, Call, Operation, json_response

MOST_RECONCILED = 50
MOST_AT_ONCE = 5000
_DEFAULT_PAGE = 50
_SMALL = {"id", "key"}


@dataclass(frozen=True, slots=True)
class _Asked:
    jql: str
    token: str
    most: int
    fields: Sequence[str]
    reconciled: Sequence[int]


def by_query(call: Call) -> Response:
    """`GET search/jql`."""
    ids = call.parameters("reconcileIssues")
    if not all(one.isascii() and one.isdigit() and len(one) < 19 for one in ids):
        raise failures.payload_invalid()
    return _page(
        call,
        _Asked(
            call.parameter("jql"),
            call.parameter("nextPageToken"),
            call.whole("maxResults", _DEFAULT_PAGE),
            call.parameters("fields"),
            [int(one) for one in ids],
        ),
    )


def by_body(call: Call) -> Response:
    """`POST search/jql`."""
    body = whole_body(
        call,
        "jql",
        "nextPageToken",
        "maxResults",
        "fields",
        "expand",
        "properties",
        "fieldsByKeys",
        "reconcileIssues",
    )
    text(body, "expand")
    texts(body, "properties")
    return _page(
        call,
        _Asked(
            text(body, "jql"),
            text(body, "nextPageToken"),
            number(body, "maxResults", _DEFAULT_PAGE),
            texts(body, "fields"),
            numbers(body, "reconcileIssues"),
        ),
    )


def approximate_count(call: Call) -> Response:
    """How many a bounded query finds; here it is exact."""
    query = _bounded(text(whole_body(call, "jql"), "jql"))
    return json_response({"count": len(_found(call, query, ()))})


def match(call: Call) -> Response:
    """Which of the issues each query finds; a query that cannot be read is an error of its own."""
    body = whole_body(call, "issueIds", "jqls")
    ids, queries = set(numbers(body, "issueIds")), texts(body, "jqls")
    return json_response({"matches": [_matched(call, ids, one) for one in queries]})


def gone(_call: Call) -> Response:
    """The search by `startAt`, which Cloud has removed."""
    raise failures.search_gone()


def _matched(call: Call, ids: set[int], written: str) -> dict[str, Any]:
    try:
        found = _found(call, jql.read(written), ())
    except Failure as failure:
        return {"matchedIssues": [], "errors": failure.messages}
    return {"matchedIssues": sorted(issue.id for issue in found if issue.id in ids), "errors": []}


def _page(call: Call, asked: _Asked) -> Response:
    if len(asked.reconciled) > MOST_RECONCILED:
        raise Failure(400, f"The number of issues to reconcile must not be more than {MOST_RECONCILED}.")
    if asked.most < 1:
        raise Failure(400, "The value of maxResults must be at least 1.")
    seen = _seen(call, asked.reconciled)
    ids = _ids(call, asked, seen)
    fields = list(asked.fields) or ["id"]
    most = min(asked.most, MOST_AT_ONCE if set(fields) <= _SMALL else call.jira.page_size)
    page, rest = ids[:most], ids[most:]
    answer: dict[str, Any] = {
        "issues": [_shown(call, seen[one], fields) for one in page if one in seen],
        "isLast": not rest,
    }
    if rest:
        answer["nextPageToken"] = call.jira.cursors.keep(asked.jql, rest)
    return json_response(answer)


def _ids(call: Call, asked: _Asked, seen: dict[int, Issue]) -> Sequence[int]:
    """What is found, or what is left of it."""
    query = _bounded(asked.jql)
    if not asked.token:
        return [issue.id for issue in jql.found(query, seen.values(), call.jira.asking(call.user))]
    cursor = call.jira.cursors.find(asked.token, asked.jql)
    if cursor is None:
        raise Failure(400, "The provided next page token is invalid or has expired.")
    return cursor.ids


def _bounded(written: str) -> jql.Query:
    query = jql.read(written)
    if query.where is None:
        raise Failure(400, "Unbounded JQL queries are not allowed here. Please add a search restriction to your query.")
    return query


def _found(call: Call, query: jql.Query, reconciled: Sequence[int]) -> list[Issue]:
    return jql.found(query, _seen(call, reconciled).values(), call.jira.asking(call.user))


def _seen(call: Call, reconciled: Sequence[int]) -> dict[int, Issue]:
    """The issues as the index has them, but the reconciled ones as they are."""
    jira = call.jira
    seen = {issue.id: issue for issue in jira.index}
    for one in reconciled:
        now = jira.find(str(one))
        seen = {**seen, one: now} if now else {number: issue for number, issue in seen.items() if number != one}
    return {number: issue for number, issue in seen.items() if jira.access.sees(issue)}


def _shown(call: Call, issue: Issue, fields: Sequence[str]) -> dict[str, Any]:
    if set(fields) == {"id"}:
        return {"id": str(issue.id)}
    return shapes.issue(call, issue, fields)


OPERATIONS = (
    Operation("search.jql", "GET", "search/jql", by_query, CLOUD),
    Operation("search.jql", "POST", "search/jql", by_body, CLOUD),
    Operation("search.count", "POST", "search/approximate-count", approximate_count, CLOUD),
    Operation("jql.match", "POST", "jql/match", match, CLOUD),
    Operation("search.gone", "GET", "search", gone, CLOUD),
    Operation("search.gone", "POST", "search", gone, CLOUD),
)
