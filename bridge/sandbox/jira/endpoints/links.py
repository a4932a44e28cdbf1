"""Remote links and entity properties: what other systems leave at an issue."""

from typing import Any

import orjson
from starlette.responses import Response

from bridge.sandbox.jira import failures
from bridge.sandbox.jira.failures import Failure
from bridge.sandbox.jira.issues import Issue
from bridge.sandbox.jira.operation import Call, Operation, json_response, no_content

LONGEST_PROPERTY = 32_768
LONGEST_KEY = 255


def links(call: Call) -> Response:
    """An issue's remote links, or the one of a global id."""
    issue, wanted = call.issue(), call.parameter("globalId")
    shown = [_shown(call, issue, number) for number in issue.links]
    if not wanted:
        return json_response(shown)
    for link in shown:
        if link.get("globalId") == wanted:
            return json_response(link)
    raise failures.link_unknown()


def link(call: Call) -> Response:
    """A remote link; one of the same global id is replaced, with what is left out of it gone."""
    issue, body = call.issue(), call.json()
    target = body.get("object")
    if not isinstance(target, dict) or not target.get("url") or not target.get("title"):
        raise Failure(400, errors={"object": "The URL and the title of the link are required."})
    known = body.get("globalId")
    same = next((number for number, one in issue.links.items() if known and one.get("globalId") == known), None)
    number = same or call.jira.next_id()
    issue.links[number] = {
        key: body[key] for key in ("globalId", "application", "relationship", "object") if key in body
    }
    answer = {"id": number, "self": _self(call, issue, number)}
    return json_response(answer, 200 if same else 201)


def unlink(call: Call) -> Response:
    """Remove the link of a global id."""
    issue, wanted = call.issue(), call.parameter("globalId")
    for number, one in issue.links.items():
        if wanted and one.get("globalId") == wanted:
            del issue.links[number]
            return no_content()
    raise failures.link_unknown()


def properties(call: Call) -> Response:
    """The keys of an issue's properties."""
    issue = call.issue()
    keys = [{"key": key, "self": f"{call.root}/issue/{issue.id}/properties/{key}"} for key in issue.properties]
    return json_response({"keys": keys})


def get_property(call: Call) -> Response:
    """One property."""
    key = call.path("key")
    try:
        return json_response({"key": key, "value": call.issue().properties[key]})
    except KeyError:
        raise failures.property_unknown(key) from None


def set_property(call: Call) -> Response:
    """A property, which may be any JSON of at most 32,768 characters."""
    issue, key = call.issue(), call.path("key")
    try:
        value = orjson.loads(call.body)
    except orjson.JSONDecodeError as error:
        raise failures.unreadable_json() from error
    if len(call.body.decode()) > LONGEST_PROPERTY or len(key) > LONGEST_KEY:
        raise Failure(400, "The property's key or value is too long.")
    status = 200 if key in issue.properties else 201
    issue.properties[key] = value
    return Response(status_code=status)


def delete_property(call: Call) -> Response:
    """Remove a property."""
    issue, key = call.issue(), call.path("key")
    if key not in issue.properties:
        raise failures.property_unknown(key)
    del issue.properties[key]
    return no_content()


def _shown(call: Call, issue: Issue, number: int) -> dict[str, Any]:
    return {"id": number, "self": _self(call, issue, number), **issue.links[number]}


def _self(call: Call, issue: Issue, number: int) -> str:
    return f"{call.root}/issue/{issue.id}/remotelink/{number}"


_LINKS, _PROPERTIES = "issue/{issue}/remotelink", "issue/{issue}/properties"
OPERATIONS = (
    Operation("links", "GET", _LINKS, links),
    Operation("link", "POST", _LINKS, link),
    Operation("unlink", "DELETE", _LINKS, unlink),
    Operation("properties", "GET", _PROPERTIES, properties),
    Operation("property", "GET", f"{_PROPERTIES}/{{key}}", get_property),
    Operation("property.set", "PUT", f"{_PROPERTIES}/{{key}}", set_property, needs="EDIT_ISSUES"),
    Operation("property.delete", "DELETE", f"{_PROPERTIES}/{{key}}", delete_property, needs="EDIT_ISSUES"),
)
