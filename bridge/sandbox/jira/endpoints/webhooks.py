"""The webhooks that an administrator registers. Source: Atlassian's pages on managing webhooks."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any
from urllib.parse import urlsplit

from starlette.responses import Response

from bridge.sandbox.jira import failures
from bridge.sandbox.jira.failures import Failure
from bridge.sandbox.jira.hooks import EVENTS, Hook, Wanted
from bridge.sandbox.jira.operation import Call, Operation, json_response, no_content
from bridge.sandbox.jira.times import milliseconds

_PATH = "/rest/webhooks/1.0/webhook"
_FILTER = "issue-related-events-section"


def webhooks(call: Call) -> Response:
    """All of them."""
    return json_response([_shown(call, hook) for hook in call.jira.hooks])


def webhook(call: Call) -> Response:
    """One."""
    return json_response(_shown(call, _hook(call)))


def register(call: Call) -> Response:
    """A new one; without `events` it hears of issues and comments, without `secret` it is not signed."""
    hook = call.jira.hooks.add(_wanted(call.json(), Wanted(name="", url="")), call.jira.clock())
    return json_response(_shown(call, hook), 201)


def change(call: Call) -> Response:
    """Another wish; what is not given stays."""
    hook = _hook(call)
    hook.wanted, hook.updated = _wanted(call.json(), hook.wanted), call.jira.clock()
    return json_response(_shown(call, hook))


def remove(call: Call) -> Response:
    """It hears nothing more."""
    call.jira.hooks.remove(_hook(call))
    return no_content()


def _hook(call: Call) -> Hook:
    hook = call.jira.hooks.find(call.path("id"))
    if hook is None:
        raise Failure(404, f"Webhook with id {call.path('id')} does not exist.")
    return hook


def _wanted(body: Mapping[str, Any], before: Wanted) -> Wanted:
    filters, events = body.get("filters", {}), body.get("events", before.events)
    if not isinstance(filters, dict) or not isinstance(events, list | tuple):
        raise failures.payload_invalid()
    wanted = replace(
        before,
        name=_given(body, "name", before.name),
        url=_given(body, "url", before.url),
        secret=_given(body, "secret", before.secret),
        jql=_given(filters, _FILTER, before.jql),
        events=tuple(map(str, events)),
        enabled=body.get("enabled", before.enabled) is not False,
        exclude_body=body.get("excludeBody", before.exclude_body) is True,
    )
    if not wanted.name:
        raise Failure(400, errors={"name": "The name is required."})
    if not _callable(wanted.url):
        raise Failure(400, errors={"url": "The URL must be an absolute one, with http or https."})
    if strangers := [event for event in wanted.events if event not in EVENTS]:
        raise Failure(
            400,
            errors={"events": f"Events that do not exist, or that the sandbox does not send: {', '.join(strangers)}"},
        )
    return wanted


def _callable(url: str) -> bool:
    try:
        parts = urlsplit(url)
        return parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
    except ValueError:
        return False


def _given(body: Mapping[str, Any], name: str, before: str) -> str:
    value = body.get(name)
    if value is None:
        return before
    if not isinstance(value, str):
        raise failures.payload_invalid()
    return value


def _shown(call: Call, hook: Hook) -> dict[str, Any]:
    wanted, me = hook.wanted, call.jira.me
    return {
        "name": wanted.name,
        "url": wanted.url,
        "excludeBody": wanted.exclude_body,
        "filters": {_FILTER: wanted.jql},
        "events": list(wanted.events),
        "enabled": wanted.enabled,
        "isSigned": bool(wanted.secret),
        "self": f"{call.jira.site}{_PATH}/{hook.id}",
        "lastUpdatedUser": me.account_id if call.jira.flavour == "cloud" else me.name,
        "lastUpdatedDisplayName": me.display_name,
        "lastUpdated": milliseconds(hook.updated),
    }


OPERATIONS = (
    Operation("webhooks", "GET", _PATH, webhooks, below="/"),
    Operation("webhook.register", "POST", _PATH, register, needs="ADMINISTER", below="/"),
    Operation("webhook", "GET", f"{_PATH}/{{id}}", webhook, below="/"),
    Operation("webhook.change", "PUT", f"{_PATH}/{{id}}", change, needs="ADMINISTER", below="/"),
    Operation("webhook.remove", "DELETE", f"{_PATH}/{{id}}", remove, needs="ADMINISTER", below="/"),
)
