"""What a Jira's administrator has set up, and the server itself."""

from typing import Any

from starlette.responses import Response

from bridge.sandbox.jira import failures, shapes
from bridge.sandbox.jira.catalog import CATEGORIES, STATUSES, Project
from bridge.sandbox.jira.operation import CLOUD, Call, Operation, json_response
from bridge.sandbox.jira.times import stamp

_FIELDS = {
    "summary": ("Summary", "string"),
    "description": ("Description", "string"),
    "issuetype": ("Issue Type", "issuetype"),
    "project": ("Project", "project"),
    "priority": ("Priority", "priority"),
    "status": ("Status", "status"),
    "resolution": ("Resolution", "resolution"),
    "resolutiondate": ("Resolved", "datetime"),
    "labels": ("Labels", "array"),
    "assignee": ("Assignee", "user"),
    "reporter": ("Reporter", "user"),
    "creator": ("Creator", "user"),
    "created": ("Created", "datetime"),
    "updated": ("Updated", "datetime"),
    "comment": ("Comment", "comments-page"),
}


def server_info(call: Call) -> Response:
    """What kind of Jira this is, and its time."""
    cloud = call.jira.flavour == "cloud"
    version = "1001.0.0-SNAPSHOT" if cloud else "10.3.5"
    return json_response(
        {
            "baseUrl": call.jira.site,
            "version": version,
            "versionNumbers": [int(part) for part in version.removesuffix("-SNAPSHOT").split(".")],
            "deploymentType": "Cloud" if cloud else "Server",
            "buildNumber": 100_250,
            "serverTime": stamp(call.jira.clock(), call.user.zone),
            "scmInfo": "0" * 40,
            "serverTitle": "Jira",
        }
    )


def fields(call: Call) -> Response:
    """The fields of issues."""
    system = [
        _field(name, called, {"type": kind, "system": name}, custom=False) for name, (called, kind) in _FIELDS.items()
    ]
    own = [
        _field(name, called, {"type": "any", "customId": int(name.removeprefix("customfield_"))}, custom=True)
        for name, called in call.jira.catalog.custom_fields.items()
    ]
    return json_response([*system, *own])


def statuses(call: Call) -> Response:
    """Every status."""
    return json_response([_status(call, status) for status in STATUSES.values()])


def project_statuses(call: Call) -> Response:
    """The statuses of a project's types; here all have all."""
    _project(call)
    all_of_them = [_status(call, status) for status in STATUSES.values()]
    types = call.jira.catalog.types.all()
    return json_response([{**one, "subtask": False, "statuses": all_of_them} for one in types])


def categories(_call: Call) -> Response:
    """The categories of statuses."""
    return json_response(list(CATEGORIES.values()))


def priorities(call: Call) -> Response:
    """The priorities, the highest first."""
    return json_response(
        [{**_own(call, "priority", one), "description": ""} for one in call.jira.catalog.priorities.all()]
    )


def resolutions(call: Call) -> Response:
    """How issues can be solved."""
    found = call.jira.catalog.resolutions.all()
    return json_response([{**_own(call, "resolution", one), "description": ""} for one in found])


def types(call: Call) -> Response:
    """The types of issues."""
    return json_response(_types(call))


def projects(call: Call) -> Response:
    """The projects that the account sees."""
    return json_response([shapes.project(call, one) for one in _seen(call)])


def search_projects(call: Call) -> Response:
    """The same, page by page."""
    start, most = call.whole("startAt", 0), call.whole("maxResults", 50)
    keys, seen = call.parameters("keys"), _seen(call)
    wanted = [one for one in seen if not keys or one.key in keys]
    return json_response(
        {
            "self": str(call.request.url),
            "startAt": start,
            "maxResults": most,
            "total": len(wanted),
            "isLast": start + most >= len(wanted),
            "values": [shapes.project(call, one) for one in wanted[start : start + most]],
        }
    )


def project(call: Call) -> Response:
    """One project, by its key or id."""
    return json_response({**shapes.project(call, _project(call)), "issueTypes": _types(call)})


def _seen(call: Call) -> list[Project]:
    return [one for one in call.jira.catalog.projects.values() if call.jira.access.sees_project(one.key)]


def _project(call: Call) -> Project:
    found = call.jira.catalog.find_project(call.path("project"))
    if found is None or not call.jira.access.sees_project(found.key):
        raise failures.project_unknown(call.path("project"))
    return found


def _types(call: Call) -> list[dict[str, Any]]:
    return [{**_own(call, "issuetype", one), "subtask": False} for one in call.jira.catalog.types.all()]


def _status(call: Call, status: dict[str, Any]) -> dict[str, Any]:
    return _own(call, "status", status)


def _own(call: Call, kind: str, value: dict[str, Any]) -> dict[str, Any]:
    return {"self": f"{call.root}/{kind}/{value['id']}", **value}


def _field(name: str, called: str, schema: dict[str, Any], *, custom: bool) -> dict[str, Any]:
    return {
        "id": name,
        "key": name,
        "name": called,
        "custom": custom,
        "navigable": name != "comment",
        "orderable": True,
        "searchable": True,
        "clauseNames": [name],
        "schema": schema,
    }


OPERATIONS = (
    Operation("serverInfo", "GET", "serverInfo", server_info),
    Operation("field", "GET", "field", fields),
    Operation("status", "GET", "status", statuses),
    Operation("statuscategory", "GET", "statuscategory", categories),
    Operation("priority", "GET", "priority", priorities),
    Operation("resolution", "GET", "resolution", resolutions),
    Operation("issuetype", "GET", "issuetype", types),
    Operation("project.search", "GET", "project/search", search_projects, CLOUD),
    Operation("project", "GET", "project/{project}", project),
    Operation("project.statuses", "GET", "project/{project}/statuses", project_statuses),
    Operation("projects", "GET", "project", projects),
)
