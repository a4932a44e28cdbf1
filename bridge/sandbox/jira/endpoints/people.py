"""Who asks, what they may do, and who else there is."""

from starlette.responses import Response

from bridge.sandbox.jira import failures, shapes
from bridge.sandbox.jira.access import PERMISSIONS
from bridge.sandbox.jira.failures import Failure
from bridge.sandbox.jira.operation import Call, Operation, json_response


def myself(call: Call) -> Response:
    """Who asks."""
    return json_response({**shapes.user(call, call.user), "locale": "en_US"})


def my_permissions(call: Call) -> Response:
    """Which of the permissions the account has. Cloud wants them named. A project that it does not see is 404."""
    asked, jira = call.parameters("permissions"), call.jira
    if not asked and jira.flavour == "cloud":
        raise Failure(400, "The 'permissions' query parameter is required.")
    if strangers := [one for one in asked if one not in PERMISSIONS]:
        raise Failure(400, f"Unrecognized permission: {', '.join(strangers)}")
    key = call.parameter("projectKey")
    project = jira.catalog.find_project(key) if key else None
    if key and (project is None or not jira.access.sees_project(project.key)):
        raise failures.project_unknown(key)
    held = [(name, name not in jira.access.denied) for name in asked or PERMISSIONS]
    shown = {
        name: {
            "id": str(number),
            "key": name,
            "name": name.replace("_", " ").capitalize(),
            "type": "GLOBAL" if name == "ADMINISTER" else "PROJECT",
            "description": "",
            "havePermission": has,
        }
        for number, (name, has) in enumerate(held)
    }
    return json_response({"permissions": shown})


def search(call: Call) -> Response:
    """Users by the beginning of their names or addresses, or one by the accountId."""
    if call.jira.flavour == "cloud":
        query, handle = call.parameter("query"), call.parameter("accountId")
    else:
        query, handle = call.parameter("username"), ""
    if not query and not handle:
        raise Failure(400, "At least one query parameter must be provided.")
    found = [one for one in call.jira.people if (one.account_id == handle if handle else one.resembles(query))]
    start, most = call.whole("startAt", 0), call.whole("maxResults", 50)
    return json_response([shapes.user(call, one) for one in found[start : start + most]])


def user(call: Call) -> Response:
    """One user."""
    name = "accountId" if call.jira.flavour == "cloud" else "username"
    handle = call.parameter(name) or call.parameter("key")
    for one in call.jira.people:
        if handle in (one.account_id, one.name):
            return json_response(shapes.user(call, one))
    raise Failure(404, "Specified user does not exist or you do not have required permissions")


OPERATIONS = (
    Operation("myself", "GET", "myself", myself),
    Operation("mypermissions", "GET", "mypermissions", my_permissions),
    Operation("user.search", "GET", "user/search", search),
    Operation("user", "GET", "user", user),
)
