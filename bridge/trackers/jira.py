"""Jira Cloud and Data Center: every shape in which a Jira calls.

An event's envelope, a workflow post-function's, an automation's bare issue (whose ids are numbers) and a comment alone are read by the
same rules: find the issue, take its raw fields as facts, and judge it by its state, never by the name of the event. Sources: Jira's
webhook pages, and bodies that real Jiras sent.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any

import msgspec

from bridge.config import JiraSource
from bridge.model import DELETED, EVENT, KEY, URL, Facts, Observation, Ticket, TicketState, without_own_names
from bridge.trackers.json_body import read_object, read_part
from bridge.trackers.protocol import Ignored, Recognised
from bridge.trackers.values import as_email, as_object, as_text, clean, dedupe_key, fingerprint, milliseconds, version

IDENTIFIER = "x-atlassian-webhook-identifier"
"""The same for every retry of one event; Cloud only."""

_POLLED = "poll"
"""The event of what the bridge has seen by itself."""

_DONE_CATEGORY_ID = 3
_LONGEST_NAME = 255
"""Of an id, a key or an event: what is longer is none, and no index would hold it."""

_BLOCKS = frozenset({"paragraph", "heading", "codeBlock", "rule", "tableRow"})
"""Nodes of the Atlassian Document Format that end a line."""

_ISSUE_IN_URL = re.compile(r"/issue/(\d+)(?:/|$)")


class Jira:
    """One configured Jira."""

    def __init__(self, config: JiraSource) -> None:
        self._closed = config.closed

    def recognise(self, headers: Mapping[str, str], body: bytes, received_at: datetime) -> Sequence[Recognised]:
        """One delivery."""
        identifier = headers.get(IDENTIFIER, "").strip()
        head = _head(body)
        if head is not None:
            event, ticket_id = clean(head.webhook_event)[:_LONGEST_NAME], head.issue.id
            return [Recognised(event, ticket_id, _key(head.timestamp, identifier, body, received_at), body)]
        message = read_object(body)
        return [
            Recognised(
                event=_event(message),
                ticket_id=_ticket_id(message),
                dedupe_key=_dedupe_key(message, identifier, body, received_at),
                body=body,
            )
        ]

    def read(self, body: bytes, received_at: datetime) -> Observation | Ignored:
        """What the message says about its issue."""
        return self.observe(read_object(body), received_at)

    def observe(self, message: Mapping[str, Any], received_at: datetime) -> Observation | Ignored:
        """What a message, or an issue as the REST API gives it, says."""
        issue = _issue(message)
        if issue is None:
            return Ignored(_why_no_issue(message))
        ticket_id = _id_of(issue)
        if ticket_id is None:
            return Ignored("its issue has no id, so it cannot be told which ticket it is")
        facts = _facts(message, issue)
        state = self.state(facts)
        return Observation(ticket_id, _version(message, facts, state, received_at), facts, state)

    def state(self, facts: Facts) -> TicketState | None:
        """Closed is decided by the status's category unless the source says otherwise; deleted is final."""
        if facts.get(DELETED):
            return TicketState.DELETED
        closed = self._is_closed(facts)
        return None if closed is None else TicketState.CLOSED if closed else TicketState.OPEN

    def _is_closed(self, facts: Facts) -> bool | None:
        status = as_object(facts.get("status"))
        if isinstance(self._closed, list):
            name = as_text(status.get("name"))
            return None if name is None else name.casefold() in {known.casefold() for known in self._closed}
        if self._closed == "category":
            category = as_object(status.get("statusCategory"))
            key, number = category.get("key"), category.get("id")
            if key not in (None, "undefined") or number is not None:
                return key == "done" or (key is None and str(number) == str(_DONE_CATEGORY_ID))
        return bool(facts["resolution"]) if "resolution" in facts else None

    def ticket(self, ticket_id: str, facts: Facts) -> Ticket:
        """The issue's fields under the names that templates use."""
        labels = facts.get("labels")
        return Ticket(
            id=ticket_id,
            key=as_text(facts.get(KEY)) or ticket_id,
            url=as_text(facts.get(URL)),
            title=as_text(facts.get("summary")),
            description=_prose(facts.get("description")),
            status=_name(facts.get("status")),
            closed=self.state(facts) in (TicketState.CLOSED, TicketState.DELETED),
            resolution=_name(facts.get("resolution")),
            type=_name(facts.get("issuetype")),
            project=as_text(as_object(facts.get("project")).get("key")),
            priority=_name(facts.get("priority")),
            labels=tuple(label for label in labels if isinstance(label, str)) if isinstance(labels, list) else (),
            assignee=_person(facts.get("assignee")),
            assignee_email=_email(facts.get("assignee")),
            reporter=_person(facts.get("reporter")),
            created=as_text(facts.get("created")),
            updated=as_text(facts.get("updated")),
        )


# -- the head ----------------------------------------------------------------------------------------------------------------------


class _Issue(msgspec.Struct):
    id: str


class _Head(msgspec.Struct):
    """What the receiver asks of a message. The rest of it is passed over, which costs a third of reading it."""

    webhook_event: str = msgspec.field(name="webhookEvent")
    timestamp: int
    issue: _Issue


_READ_HEAD = msgspec.json.Decoder(_Head)


def _head(body: bytes) -> _Head | None:
    """What a message that is made as nearly all are begins with; None for another, which is to be read whole."""
    head = read_part(body, _READ_HEAD)
    if head is None or not head.webhook_event or not milliseconds(head.timestamp):
        return None
    return head if head.issue.id.isdecimal() and len(head.issue.id) <= _LONGEST_NAME else None


# -- the envelope ------------------------------------------------------------------------------------------------------------------


def _dedupe_key(message: Mapping[str, Any], identifier: str, body: bytes, received_at: datetime) -> str:
    """Jira's identifier. Without it the same event, issue and change are the same bytes, if there is a time among them."""
    fields = as_object((_issue(message) or {}).get("fields"))
    told_at = milliseconds(message.get("timestamp")) or _told_time(message, fields)
    return _key(told_at, identifier, body, received_at)


def _key(told_at: int, identifier: str, body: bytes, received_at: datetime) -> str:
    return dedupe_key(told_at, fingerprint(identifier.encode() or body), None if identifier else received_at)


def _event(message: Mapping[str, Any]) -> str:
    event = as_text(message.get("webhookEvent"))
    if event:
        return event[:_LONGEST_NAME]
    if isinstance(message.get("transition"), dict):
        return "transition"
    return "unknown" if _issue(message) is None else "issue"


def _issue(message: Mapping[str, Any]) -> Mapping[str, Any] | None:
    """The issue of an envelope, or the message itself where it is a bare issue."""
    issue = message.get("issue")
    if isinstance(issue, dict):
        return issue
    bare = isinstance(message.get("fields"), dict) and ("id" in message or "key" in message)
    return message if bare else None


def _ticket_id(message: Mapping[str, Any]) -> str | None:
    issue = _issue(message)
    if issue is not None:
        return _id_of(issue)
    return _id_in_url(as_object(message.get("comment")).get("self"))


def _why_no_issue(message: Mapping[str, Any]) -> str:
    event = _event(message)
    if "comment" in message:
        return f"{event}: carries the comment alone; the ticket's state is not in it"
    if event == "unknown":
        return "not an event of Jira's: neither webhookEvent nor an issue is in it"
    return f"{event}: carries no issue"


# -- the issue ---------------------------------------------------------------------------------------------------------------------


def _id_of(issue: Mapping[str, Any]) -> str | None:
    number = issue.get("id")
    if isinstance(number, str | int) and not isinstance(number, bool) and 0 < len(str(number).strip()) <= _LONGEST_NAME:
        return clean(str(number).strip())
    return _id_in_url(issue.get("self"))


def _id_in_url(url: Any) -> str | None:
    found = _ISSUE_IN_URL.search(url) if isinstance(url, str) else None
    return found.group(1) if found else None


def _facts(message: Mapping[str, Any], issue: Mapping[str, Any]) -> dict[str, Any]:
    facts: dict[str, Any] = {
        **without_own_names(as_object(issue.get("fields"))),
        EVENT: _event(message),
    }
    if "jira:issue_deleted" in (message.get("webhookEvent"), f"jira:{message.get('issue_event_type_name')}"):
        facts[DELETED] = True  # no webhook ever says the opposite: an issue is deleted for good
    elif message.get("webhookEvent") == _POLLED and issue.get("fields"):
        facts[DELETED] = False  # a poll that saw it no more may have been wrong: it was hidden from the account
    key = (as_text(issue.get("key")) or "")[:_LONGEST_NAME]
    if key:
        facts[KEY] = key
        site, rest, _ = str(issue.get("self") or "").partition("/rest/")
        if rest:
            facts[URL] = f"{site}/browse/{key}"
    return facts


def _version(
    message: Mapping[str, Any], facts: Mapping[str, Any], state: TicketState | None, received_at: datetime
) -> str:
    """When the ticket was as it is shown.

    A comment's event often shows an issue without its `updated`; the comment's own time stands for it, because the event's is later
    and would let a state of before a close win over the close.
    """
    emitted = milliseconds(message.get("timestamp"))
    updated = _told_time(message, facts) or int(received_at.timestamp() * 1000)
    if state is TicketState.DELETED:
        updated = max(updated, emitted)
    return version(updated, emitted, state, facts)


def _told_time(message: Mapping[str, Any], fields: Mapping[str, Any]) -> int:
    """The first of the issue's, the comment's and the event's own time that there is, in epoch milliseconds; 0 for none."""
    return (
        milliseconds(fields.get("updated"))
        or _commented_at(as_object(message.get("comment")))
        or milliseconds(message.get("timestamp"))
    )


def _commented_at(comment: Mapping[str, Any]) -> int:
    return max(milliseconds(comment.get("updated")), milliseconds(comment.get("created")))


# -- values ------------------------------------------------------------------------------------------------------------------------


def _name(value: Any) -> str | None:
    return as_text(value.get("name")) if isinstance(value, dict) else None


def _prose(value: Any) -> str | None:
    """A text; or what a document in the Atlassian Document Format says, as version 3 of the REST API gives it."""
    if not isinstance(value, dict):
        return as_text(value)
    return clean("".join(_words(value)).strip())


def _words(node: Mapping[str, Any]) -> Iterator[str]:
    if node.get("type") == "hardBreak":
        yield "\n"
    if isinstance(text := node.get("text"), str):
        yield text
    content = node.get("content")
    for inner in content if isinstance(content, list) else ():
        if isinstance(inner, dict):
            yield from _words(inner)
    if node.get("type") in _BLOCKS:
        yield "\n"


def _person(value: Any) -> str | None:
    if not isinstance(value, dict):
        return None
    return next((as_text(value[name]) for name in ("displayName", "name", "emailAddress") if value.get(name)), None)


def _email(value: Any) -> str | None:
    """Jira Cloud tells it only of people who show it; in Data Center a user's name may be one."""
    if not isinstance(value, dict):
        return None
    return next((found for name in ("emailAddress", "name") if (found := as_email(value.get(name)))), None)
