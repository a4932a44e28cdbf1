"""Issues: creating, reading (one, or many at once), changing, assigning, deleting."""

from typing import Any

from starlette.responses import Response

from bridge.sandbox.jira import failures, setting, shapes
from bridge.sandbox.jira.endpoints.bodies import texts, whole_body
from bridge.sandbox.jira.failures import Failure
from bridge.sandbox.jira.operation import CLOUD, SERVER, Call, Operation, json_response, no_content

MOST_AT_ONCE = 100
"""Issues of one bulk fetch."""

_REQUIRED = {
    "project": "Specify a valid project ID or key",
    "issuetype": "Specify an issue type",
    "summary": "You must specify a summary of the issue.",
}


def create(call: Call) -> Response:
    """A new issue; its id and key are answered."""
    body = call.json()
    values = setting.values(call, body.get("fields", {}))
    values |= setting.operations(call, body.get("update") or {}, {"labels": [], **values})
    missing = {name: sentence for name, sentence in _REQUIRED.items() if name not in values}
    if missing:
        raise Failure(400, errors=missing)
    project, kind, summary = (values.pop(name) for name in _REQUIRED)
    issue, _ = call.jira.open(project["key"], summary, kind=kind["name"], by=call.user, **_with_priority(values))
    return json_response({"id": str(issue.id), "key": issue.key, "self": f"{call.root}/issue/{issue.id}"}, 201)


def read(call: Call) -> Response:
    """An issue, with all its fields unless others are asked for."""
    asked = call.parameters("fields") or [shapes.ALL]
    return json_response(shapes.issue(call, call.issue(), asked))


def change(call: Call) -> Response:
    """Change fields, and say something with it."""
    issue, body = call.issue(), call.json()
    values = setting.values(call, body.get("fields") or {})
    values |= setting.operations(call, body.get("update") or {}, {**issue.fields, **values})
    said = setting.said(call, body.get("update"))
    project = values.pop("project", issue.fields["project"])
    if project["key"] != issue.project:
        raise Failure(400, errors={"project": failures.field_unfit("project")})
    if values:
        call.jira.edit(issue, by=call.user, **values)
    for text in said:
        call.jira.comment(issue, text, by=call.user)
    return no_content()


def assign(call: Call) -> Response:
    """Make an issue somebody's; without anybody it is nobody's."""
    issue, body = call.issue(), call.json()
    handle = body.get("accountId" if call.jira.flavour == "cloud" else "name")
    call.jira.assign(issue, setting.person(call, str(handle)) if handle else None, by=call.user)
    return no_content()


def delete(call: Call) -> Response:
    """Delete an issue for good."""
    call.jira.delete(call.issue(), by=call.user)
    return no_content()


def bulk_fetch(call: Call) -> Response:
    """Up to 100 issues in the order of their ids; those that are not there or not seen are left out without a word."""
    body = whole_body(call, "issueIdsOrKeys", "fields", "expand", "properties", "fieldsByKeys")
    asked = texts(body, "issueIdsOrKeys")
    if not asked:
        raise Failure(400, "Either one or more issue ids or keys must be provided.")
    if len(asked) > MOST_AT_ONCE:
        raise Failure(400, f"The number of issues must not be more than {MOST_AT_ONCE}.")
    found = {issue.id: issue for word in asked if (issue := call.jira.seen(word)) is not None}
    fields = texts(body, "fields") or [shapes.NAVIGABLE]
    shown = [shapes.issue(call, found[issue_id], fields) for issue_id in sorted(found)]
    return json_response({"issueErrors": [], "issues": shown})


def no_bulk_fetch(_call: Call) -> Response:
    """Data Center has none."""
    raise failures.path_unknown()


def _with_priority(values: dict[str, Any]) -> dict[str, Any]:
    """`open` is told the priority by its name."""
    given = values.pop("priority", None)
    return {**values, "priority": given["name"]} if given else {**values, "priority": "Medium"}


OPERATIONS = (
    Operation("issue.create", "POST", "issue", create, needs="CREATE_ISSUES"),
    Operation("issue.bulkfetch", "POST", "issue/bulkfetch", bulk_fetch, CLOUD),
    Operation("issue.bulkfetch", "POST", "issue/bulkfetch", no_bulk_fetch, SERVER),
    Operation("issue", "GET", "issue/{issue}", read),
    Operation("issue.change", "PUT", "issue/{issue}", change, needs="EDIT_ISSUES"),
    Operation("issue.delete", "DELETE", "issue/{issue}", delete, needs="DELETE_ISSUES"),
    Operation("issue.assign", "PUT", "issue/{issue}/assignee", assign, needs="ASSIGN_ISSUES"),
)
