"""Data Center's search: pages by numbers, a total, and queries whose values are checked unless that is switched off."""

from collections.abc import Sequence
from dataclasses import dataclass

from starlette.responses import Response

from bridge.sandbox.jira import jql, shapes
from bridge.sandbox.jira.endpoints.bodies import number, text, texts, truth, whole_body
from bridge.sandbox.jira.failures import Failure
from bridge.sandbox.jira.operation import SERVER, Call, Operation, json_response

_DEFAULT_PAGE = 50


@dataclass(frozen=True, slots=True)
class _Asked:
    jql: str
    start: int
    most: int
    fields: Sequence[str]
    strict: bool


def by_query(call: Call) -> Response:
    """`GET search`."""
    strict = call.parameter("validateQuery").casefold() not in ("false", "none", "warn")
    start, most = call.whole("startAt", 0), call.whole("maxResults", _DEFAULT_PAGE)
    return _page(call, _Asked(call.parameter("jql"), start, most, call.parameters("fields"), strict))


def by_body(call: Call) -> Response:
    """`POST search`."""
    body = whole_body(call, "jql", "startAt", "maxResults", "fields", "validateQuery", "expand")
    start, most = number(body, "startAt", 0), number(body, "maxResults", _DEFAULT_PAGE)
    strict = truth(body, "validateQuery", default=True)
    return _page(call, _Asked(text(body, "jql"), start, most, texts(body, "fields"), strict))


def _page(call: Call, asked: _Asked) -> Response:
    jira = call.jira
    start, most = max(asked.start, 0), min(max(asked.most, 0), jira.page_size)
    if start + most > jira.result_window:
        raise Failure(500, f"Search limit exceeded: only the first {jira.result_window} issues can be asked for.")
    seen = (issue for issue in jira.index if jira.access.sees(issue))
    found = jql.found(jql.read(asked.jql), seen, jira.asking(call.user, strict=asked.strict))
    fields = asked.fields or [shapes.NAVIGABLE]
    return json_response(
        {
            "expand": "schema,names",
            "startAt": start,
            "maxResults": most,
            "total": len(found),
            "issues": [shapes.issue(call, issue, fields) for issue in found[start : start + most]],
        }
    )


OPERATIONS = (
    Operation("search", "GET", "search", by_query, SERVER),
    Operation("search", "POST", "search", by_body, SERVER),
)
