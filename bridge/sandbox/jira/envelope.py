"""What a webhook says: Jira's envelope around an issue as version 2 of the REST API shows it. Source: Atlassian's webhook pages."""

from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import Any

from bridge.sandbox.jira.issues import Comment, Issue
from bridge.sandbox.jira.people import Flavour, User
from bridge.sandbox.jira.times import milliseconds, stamp

_IN_A_COMMENTS_ISSUE = ("summary", "issuetype", "project", "assignee", "priority", "status")
_SILENT = frozenset({"updated", "created", "statuscategorychangedate", "creator"})


def of_issue(
    issue: Issue, event: str, kind: str, user: User, at: datetime, before: Issue | None, site: str, flavour: Flavour
) -> dict[str, Any]:
    """Something happened to an issue. What changed is told only of an update."""
    body: dict[str, Any] = {
        "timestamp": milliseconds(at),
        "webhookEvent": event,
        "issue_event_type_name": kind,
        "user": _person(user.shown(flavour), flavour),
        "issue": {**_named(issue, site), "fields": _told(issue.fields, flavour)},
    }
    if before is not None:
        body["changelog"] = {"id": str(milliseconds(at)), "items": list(_items(before, issue, flavour))}
    return body


def of_comment(
    issue: Issue, comment: Comment, event: str, user: User, at: datetime, site: str, flavour: Flavour
) -> dict[str, Any]:
    """Something was said of an issue, of which only few fields are told."""
    few = {name: issue.fields.get(name) for name in _IN_A_COMMENTS_ISSUE}
    body: dict[str, Any] = {
        "timestamp": milliseconds(at),
        "webhookEvent": event,
        "comment": {
            "self": f"{site}/rest/api/2/issue/{issue.id}/comment/{comment.id}",
            "id": comment.id,
            "author": _person(comment.author.shown(flavour), flavour),
            "body": comment.text,
            "updateAuthor": _person(comment.author.shown(flavour), flavour),
            "created": stamp(comment.created),
            "updated": stamp(comment.updated),
        },
        "issue": {**_named(issue, site), "fields": _told(few, flavour)},
    }
    return {**body, "user": _person(user.shown(flavour), flavour)} if flavour == "server" else body


def _named(issue: Issue, site: str) -> dict[str, Any]:
    return {"id": str(issue.id), "key": issue.key, "self": f"{site}/rest/api/2/issue/{issue.id}"}


def _told(fields: Mapping[str, Any], flavour: Flavour) -> dict[str, Any]:
    return {name: _person(value, flavour) for name, value in fields.items()}


def _person(value: Any, flavour: Flavour) -> Any:
    """Cloud's webhooks tell nobody's address."""
    if flavour == "server" or not isinstance(value, dict) or "accountId" not in value:
        return value
    return {name: part for name, part in value.items() if name != "emailAddress"}


def _items(before: Issue, after: Issue, flavour: Flavour) -> Iterator[dict[str, Any]]:
    for name in sorted({*before.fields, *after.fields} - _SILENT):
        old, new = before.fields.get(name), after.fields.get(name)
        if old != new:
            yield _item(name, _id_and_text(old), _id_and_text(new), flavour)
    if before.key != after.key:
        yield _item("Key", (None, before.key), (None, after.key), "server")


def _item(
    name: str, old: tuple[str | None, str | None], new: tuple[str | None, str | None], flavour: Flavour
) -> dict[str, Any]:
    custom = {"fieldtype": "custom"} if name.startswith("customfield_") else {"fieldtype": "jira"}
    named = {"fieldId": name} if flavour == "cloud" else {}
    return {
        "field": name,
        **custom,
        **named,
        "from": old[0],
        "fromString": old[1],
        "to": new[0],
        "toString": new[1],
    }


def _id_and_text(value: Any) -> tuple[str | None, str | None]:
    match value:
        case None:
            return None, None
        case dict():
            shown = value.get("name") or value.get("displayName") or value.get("value")
            return value.get("id") or value.get("accountId") or value.get("key"), shown
        case list():
            return None, " ".join(map(str, value))
        case _:
            return None, str(value)
