"""Transitions: from every status to every other. One to Done has a screen with the resolution."""

from typing import Any

from starlette.responses import Response

from bridge.sandbox.jira import failures, setting
from bridge.sandbox.jira.catalog import DONE, STATUSES, TRANSITIONS
from bridge.sandbox.jira.failures import Failure
from bridge.sandbox.jira.issues import Issue
from bridge.sandbox.jira.operation import Call, Operation, json_response, no_content

MAY = "TRANSITION_ISSUES"


def transitions(call: Call) -> Response:
    """Those that are possible now; none, and no error, if the account may not."""
    issue, wanted = call.issue(), call.parameter("transitionId")
    shown = [_shown(call, number) for number in _possible(call, issue) if wanted in ("", number)]
    return json_response({"expand": "transitions", "transitions": shown})


def transition(call: Call) -> Response:
    """Go through one, with the fields of its screen and a comment."""
    issue, body = call.issue(), call.json()
    status = TRANSITIONS[_asked(call, issue, body.get("transition"))]
    fields = body.get("fields") or {}
    if not isinstance(fields, dict):
        raise failures.payload_invalid()
    if (strangers := fields.keys() - {"resolution"}) or (fields and status != DONE):
        raise Failure(400, errors={name: failures.field_unfit(name) for name in strangers or fields})
    resolution = setting.resolution(call, fields["resolution"])["name"] if fields else None
    said = setting.said(call, body.get("update"))
    call.jira.transition(issue, status, resolution=resolution, by=call.user)
    for text in said:
        call.jira.comment(issue, text, by=call.user)
    return no_content()


def _asked(call: Call, issue: Issue, given: Any) -> str:
    number = str(given.get("id", "")) if isinstance(given, dict) else ""
    if not number:
        raise Failure(400, "Missing 'transition' identifier")
    if number not in _possible(call, issue):
        raise Failure(400, f"Transition id '{number:.80}' is not valid for this issue.")
    return number


def _possible(call: Call, issue: Issue) -> list[str]:
    if MAY in call.jira.access.denied:
        return []
    return [number for number, status in TRANSITIONS.items() if status != issue.fields["status"]["name"]]


def _shown(call: Call, number: str) -> dict[str, Any]:
    status = STATUSES[TRANSITIONS[number]]
    screen = status["name"] == DONE
    shown: dict[str, Any] = {
        "id": number,
        "name": status["name"],
        "to": {"self": f"{call.root}/status/{status['id']}", **status},
        "hasScreen": screen,
        "isGlobal": True,
        "isInitial": False,
        "isConditional": False,
        "isAvailable": True,
        "looped": False,
    }
    if "transitions.fields" in call.parameters("expand"):
        shown["fields"] = {"resolution": _resolution(call)} if screen else {}
    return shown


def _resolution(call: Call) -> dict[str, Any]:
    return {
        "key": "resolution",
        "name": "Resolution",
        "required": False,
        "schema": {"type": "resolution", "system": "resolution"},
        "operations": ["set"],
        "allowedValues": call.jira.catalog.resolutions.all(),
    }


OPERATIONS = (
    Operation("transitions", "GET", "issue/{issue}/transitions", transitions),
    Operation("transition", "POST", "issue/{issue}/transitions", transition),
)
