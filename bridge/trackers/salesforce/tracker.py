"""One object of a Salesforce org, as tickets.

A record is judged by its fields, never by the kind of message that brought it. Sources: Salesforce's "Outbound Messaging" pages, the
object reference (Case, CaseStatus), and messages that real orgs sent.
"""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from bridge.config import SalesforceSource
from bridge.errors import Refused
from bridge.model import EVENT, KEY, URL, Facts, Observation, Ticket, TicketState, without_own_names
from bridge.trackers.json_body import read_object
from bridge.trackers.protocol import Ignored, Recognised
from bridge.trackers.salesforce.ids import normal_id, same_org
from bridge.trackers.salesforce.messages import RecordMessage, encode_all, record_messages
from bridge.trackers.values import as_email, as_object, as_text, clean, dedupe_key, digest, milliseconds, version

STANDARD_FIELDS: Mapping[str, Sequence[str]] = {
    "key": ("CaseNumber", "WorkOrderNumber", "Name"),
    "title": ("Subject", "Name"),
    "description": ("Description",),
    "status": ("Status",),
    "type": ("Type",),
    "priority": ("Priority",),
    "assignee": ("OwnerId",),
    "reporter": ("ContactId",),
    "created": ("CreatedDate",),
    "updated": ("SystemModstamp", "LastModifiedDate"),
}
"""Which fields of the standard objects are what of a ticket; of several the first that there is."""

DEFAULT_CLOSED = ("Closed",)
_LONGEST_NAME = 255
_NO_RECORD = "0" * 15


class Salesforce:
    """One configured Salesforce source."""

    def __init__(self, config: SalesforceSource) -> None:
        self._object = config.object
        self._organization_id = config.organization_id
        self._address = config.api.url if config.api else None
        given = config.fields.model_dump(exclude_none=True)
        self._fields = {**STANDARD_FIELDS, **{name: (field,) for name, field in given.items()}}
        asked = config.closed is None and config.api is not None
        self._closed = frozenset() if asked else {name.casefold() for name in config.closed or DEFAULT_CLOSED}

    def recognise(self, headers: Mapping[str, str], body: bytes, received_at: datetime) -> Sequence[Recognised]:
        """A delivery for every record: 1 to 100 in an outbound message."""
        del headers
        messages = record_messages(body)
        for message in messages:
            self._check_organization(message)
        return [
            Recognised(
                event=str(message["event"]),
                ticket_id=_record_id(message),
                dedupe_key=self._dedupe_key(message, received_at),
                body=body,
            )
            for message, body in zip(messages, encode_all(messages), strict=True)
        ]

    def read(self, body: bytes, received_at: datetime) -> Observation | Ignored:
        """What a record message says."""
        return self.observe(read_object(body), received_at)

    def observe(self, message: Mapping[str, Any], received_at: datetime) -> Observation | Ignored:
        """What a record message, or one made of a record of the REST API, says of its record."""
        record, kind = message.get("record"), message.get("object")
        if isinstance(kind, str) and kind.casefold() != self._object.casefold():
            return Ignored(f"its record is of the object {kind[:80]}; this source takes {self._object}")
        if not isinstance(record, dict):
            return Ignored(_why_no_record(message))
        ticket_id = _record_id(message)
        if ticket_id is None:
            return Ignored("its record has no Id, so it cannot be told which ticket it is")
        facts = self._facts(message, record, ticket_id)
        state = self.state(facts)
        updated = self._told_time(message, record) or int(received_at.timestamp() * 1000)
        return Observation(ticket_id, version(updated, milliseconds(message.get("readAt")), state, facts), facts, state)

    def state(self, facts: Facts) -> TicketState | None:
        """By IsClosed; where that is not told by the statuses that mean closed."""
        if _flag(facts.get("IsDeleted")):
            return TicketState.DELETED
        closed = _flag(facts.get("IsClosed"))
        status = as_text(self._get(facts, "status"))
        if closed is None and status is not None and self._closed:
            closed = status.casefold() in self._closed
        return None if closed is None else TicketState.CLOSED if closed else TicketState.OPEN

    def ticket(self, ticket_id: str, facts: Facts) -> Ticket:
        """The record's fields under the names that templates use."""
        texts: dict[str, Any] = {name: _as_written(self._get(facts, name)) for name in self._fields if name != "key"}
        return Ticket(
            id=ticket_id,
            key=as_text(facts.get(KEY)) or ticket_id,
            url=as_text(facts.get(URL)),
            closed=self.state(facts) in (TicketState.CLOSED, TicketState.DELETED),
            assignee_email=as_email(texts["assignee"]),
            **texts,
        )

    def _check_organization(self, message: RecordMessage) -> None:
        """An outbound message always tells its org; a callout proves itself by its secret, and may leave it out."""
        if self._organization_id is None:
            return
        told = message.get("organizationId")
        if told is None and message["event"] != "outbound_message":
            return
        if not isinstance(told, str) or not same_org(told, self._organization_id):
            raise Refused("the message's OrganizationId is not the one of this source's organization_id")

    def _dedupe_key(self, message: RecordMessage, received_at: datetime) -> str:
        """A notification's id with what it brings: a repetition may bring newer fields, because they are read when it is sent."""
        record = message.get("record")
        told_at = self._told_time(message, as_object(record))
        if notification := message.get("notificationId"):
            return dedupe_key(told_at, digest([notification, message.get("object"), record]))
        return dedupe_key(told_at, digest(message), received_at)

    def _facts(self, message: Mapping[str, Any], record: Mapping[str, Any], ticket_id: str) -> dict[str, Any]:
        facts = {**without_own_names(record), "Id": ticket_id, EVENT: as_text(message.get("event")) or ""}
        if self._closed and "IsClosed" not in record and self._get(record, "status") is not None:
            facts["IsClosed"] = None  # this status decides, not what an older message said
        if len(record) > 1:
            facts.setdefault("IsDeleted", False)  # what shows its fields is there
        if key := (_as_written(self._get(record, "key")) or "")[:_LONGEST_NAME]:
            facts[KEY] = key
        if address := as_text(message.get("instanceUrl")) or self._address:
            facts[URL] = f"{address.rstrip('/')}/{ticket_id}"
        return facts

    def _told_time(self, message: Mapping[str, Any], record: Mapping[str, Any]) -> int:
        return milliseconds(self._get(record, "updated")) or milliseconds(message.get("at"))

    def _get(self, record: Mapping[str, Any], name: str) -> Any:
        """The field that stands for a ticket's `name`, through relationships: `Owner.Name`."""
        for field in self._fields.get(name, ()):
            value: Any = record
            for part in field.split("."):
                value = as_object(value).get(part)
            if value is not None:
                return value
        return None


def _record_id(message: Mapping[str, Any]) -> str | None:
    record = as_object(message.get("record"))
    found = normal_id(record.get("Id") or record.get("id"))
    return None if found is None or found.startswith(_NO_RECORD) else found


def _why_no_record(message: Mapping[str, Any]) -> str:
    event = str(message.get("event"))
    if event == "outbound_message":
        return "its record was deleted before Salesforce sent the message"
    if event.startswith("change_event:gap"):
        return "a gap in the change events, which speaks of no single record"
    if element := message.get("element"):
        return f"not an outbound message: its body is <{element}>, not <notifications>"
    return "no record of Salesforce's is in it: send `object` and `record`, with the record's Id"


def _flag(value: Any) -> bool | None:
    if isinstance(value, bool):
        return value
    return {"true": True, "false": False}.get(value.casefold()) if isinstance(value, str) else None


def _as_written(value: Any) -> str | None:
    """A field as a text: a number, true and false as JSON writes them."""
    if isinstance(value, str):
        return clean(value)
    return str(value).lower() if isinstance(value, int | float) else None
