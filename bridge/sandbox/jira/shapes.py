"""How the REST API shows things: issues with the fields that are asked for, comments, users, projects.

Times are in the asking user's time zone, as in a real Jira; long texts are documents in version 3 and plain in version 2.
"""

from collections.abc import Collection, Sequence
from typing import Any

from bridge.sandbox.jira import adf
from bridge.sandbox.jira.catalog import Project
from bridge.sandbox.jira.issues import Comment, Issue
from bridge.sandbox.jira.operation import Call
from bridge.sandbox.jira.people import User
from bridge.sandbox.jira.times import moment, stamp

ALL = "*all"
NAVIGABLE = "*navigable"
_NOT_NAVIGABLE = frozenset({"comment"})
_TIMES = frozenset({"created", "updated", "resolutiondate", "statuscategorychangedate"})
_TEXTS = frozenset({"description"})
_ONLY_CLOUD = frozenset({"statuscategorychangedate"})


def issue(call: Call, shown: Issue, asked: Sequence[str]) -> dict[str, Any]:
    """An issue with the fields that are asked for: names, `*all`, `*navigable`, and what is not wanted with a minus."""
    properties = call.parameters("properties")
    kept = {key: shown.properties[key] for key in properties if key in shown.properties}
    return {
        "expand": "renderedFields,names,schema,operations,editmeta,changelog,versionedRepresentations",
        "id": str(shown.id),
        "self": f"{call.root}/issue/{shown.id}",
        "key": shown.key,
        "fields": _fields(call, shown, _chosen(asked, _names(call, shown))),
        **({"properties": kept} if properties else {}),
    }


def comment(call: Call, of: Issue, said: Comment) -> dict[str, Any]:
    """One comment."""
    return {
        "self": f"{call.root}/issue/{of.id}/comment/{said.id}",
        "id": said.id,
        "author": user(call, said.author),
        "body": _text(call, said.text),
        "updateAuthor": user(call, said.author),
        "created": stamp(said.created, call.user.zone),
        "updated": stamp(said.updated, call.user.zone),
        **({"jsdPublic": True} if call.jira.flavour == "cloud" else {}),
    }


def comments(call: Call, of: Issue, start: int = 0, most: int = 5000) -> dict[str, Any]:
    """A page of comments, the oldest first."""
    shown = [comment(call, of, said) for said in of.comments[start : start + most]]
    return {"startAt": start, "maxResults": most, "total": len(of.comments), "comments": shown}


def user(call: Call, who: User) -> dict[str, Any]:
    """A user, with the address that the real ones show only to some."""
    flavour = call.jira.flavour
    handle = f"accountId={who.account_id}" if flavour == "cloud" else f"username={who.name}"
    return {"self": f"{call.root}/user?{handle}", **who.shown(flavour)}


def project(call: Call, of: Project) -> dict[str, Any]:
    """A project."""
    return {"self": f"{call.root}/project/{of.id}", **of.shown()}


def _names(call: Call, shown: Issue) -> list[str]:
    hidden = frozenset() if call.jira.flavour == "cloud" else _ONLY_CLOUD
    custom = [name for name in call.jira.catalog.custom_fields if name not in shown.fields]
    return [*(name for name in shown.fields if name not in hidden), *custom, "comment"]


def _chosen(asked: Sequence[str], names: Collection[str]) -> list[str]:
    positive = [name for name in asked if not name.startswith("-")] or [ALL]
    negative = {name.removeprefix("-") for name in asked if name.startswith("-")}
    whole, navigable = ALL in positive, NAVIGABLE in positive
    wanted = (name for name in names if whole or name in positive or (navigable and name not in _NOT_NAVIGABLE))
    return [name for name in wanted if name not in negative]


def _fields(call: Call, shown: Issue, names: Sequence[str]) -> dict[str, Any]:
    return {name: _value(call, shown, name) for name in names}


def _value(call: Call, shown: Issue, name: str) -> Any:
    if name == "comment":
        page = comments(call, shown)
        return {**page, "maxResults": page["total"], "self": f"{call.root}/issue/{shown.id}/comment"}
    value = shown.fields.get(name)
    if name in _TIMES and value:
        return stamp(moment(value), call.user.zone)
    return _text(call, value) if name in _TEXTS else value


def _text(call: Call, value: str | None) -> Any:
    return adf.document(value) if call.rich else value
