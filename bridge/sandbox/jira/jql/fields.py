"""The fields that JQL knows: how each is called, of which kind it is, and what an issue has in it."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any, Literal

from bridge.sandbox.jira.catalog import Catalog
from bridge.sandbox.jira.failures import Failure
from bridge.sandbox.jira.issues import Issue
from bridge.sandbox.jira.times import moment

Kind = Literal["choice", "issue", "user", "labels", "text", "time", "value"]

OPERATORS: dict[Kind, tuple[str, ...]] = {
    "choice": ("=", "!=", "in", "not in", "is", "is not"),
    "issue": ("=", "!=", "in", "not in", "is", "is not", "<", ">", "<=", ">="),
    "user": ("=", "!=", "in", "not in", "is", "is not"),
    "labels": ("=", "!=", "in", "not in", "is", "is not"),
    "text": ("~", "!~", "is", "is not"),
    "time": ("=", "!=", "in", "not in", "is", "is not", "<", ">", "<=", ">="),
    "value": ("=", "!=", "in", "not in", "is", "is not", "~", "!~"),
}


@dataclass(frozen=True, slots=True)
class Field:
    """One field. What it gets of an issue is None where the issue has nothing in it; labels and texts are always lists."""

    name: str
    kind: Kind
    get: Callable[[Issue], Any]
    ordered: bool = False
    """A choice whose values can be more or less."""


def _choice(name: str, *, ordered: bool = False) -> Field:
    return Field(name, "choice", lambda issue: (issue.fields.get(name) or {}).get("id"), ordered)


def _time(name: str, of: str) -> Field:
    def get(issue: Issue) -> Any:
        written = issue.fields.get(of)
        return moment(written) if written else None

    return Field(name, "time", get)


def _user(name: str) -> Field:
    def get(issue: Issue) -> Any:
        value = issue.fields.get(name) or {}
        return value.get("accountId") or value.get("name")

    return Field(name, "user", get)


def _text(name: str) -> Field:
    return Field(name, "text", lambda issue: [str(issue.fields[name])] if issue.fields.get(name) else [])


def _everything(issue: Issue) -> list[str]:
    said = (issue.fields.get("summary"), issue.fields.get("description"), *(one.text for one in issue.comments))
    return [str(one) for one in said if one]


_KEY = Field("key", "issue", lambda issue: issue.id)
_FIELDS: dict[str, Field] = {
    "project": _choice("project"),
    "key": _KEY,
    "issuekey": _KEY,
    "issue": _KEY,
    "id": _KEY,
    "status": _choice("status"),
    "statuscategory": Field(
        "statusCategory", "choice", lambda issue: str(issue.fields["status"]["statusCategory"]["id"])
    ),
    "resolution": _choice("resolution"),
    "issuetype": _choice("issuetype"),
    "type": _choice("issuetype"),
    "priority": _choice("priority", ordered=True),
    "labels": Field("labels", "labels", lambda issue: list(issue.fields.get("labels") or [])),
    "assignee": _user("assignee"),
    "reporter": _user("reporter"),
    "creator": _user("creator"),
    "summary": _text("summary"),
    "description": _text("description"),
    "text": Field("text", "text", _everything),
    "comment": Field("comment", "text", lambda issue: [one.text for one in issue.comments]),
    "created": _time("created", "created"),
    "createddate": _time("created", "created"),
    "updated": _time("updated", "updated"),
    "updateddate": _time("updated", "updated"),
    "resolved": _time("resolved", "resolutiondate"),
    "resolutiondate": _time("resolved", "resolutiondate"),
}


def field(name: str, catalog: Catalog) -> Field:
    """The field that a query means. 400 if there is none."""
    known = _FIELDS.get(name.casefold()) or _custom(name, catalog)
    if known is None:
        raise Failure(400, f"Field '{name}' does not exist or you do not have permission to view it.")
    return known


def _custom(name: str, catalog: Catalog) -> Field | None:
    for field_id, called in catalog.custom_fields.items():
        number = field_id.removeprefix("customfield_")
        if name.casefold() in (called.casefold(), f"cf[{number}]"):
            return Field(called, "value", partial(_written, field_id))
    return None


def _written(field_id: str, issue: Issue) -> str | None:
    """A custom field's value as text: an option by what it is called."""
    value = issue.fields.get(field_id)
    shown = value.get("value") or value.get("name") if isinstance(value, dict) else value
    return None if shown is None else str(shown)
