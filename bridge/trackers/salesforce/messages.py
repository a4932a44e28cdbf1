"""Every shape in which Salesforce calls, as one: a *record message* for each record.

    {"event": "updated", "object": "Case", "record": {"Id": "500…", "CaseNumber": "00001042", …},
     "organizationId": "00D…", "instanceUrl": "https://acme.my.salesforce.com", "notificationId": "04l…"}

It is what a callout sends by default, and what the bridge keeps of an outbound message, a record alone, a list of records, a page of a
query's answer or a change event. Everything but the record is optional.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from itertools import islice
from typing import Any

import orjson

from bridge.errors import MalformedBody
from bridge.trackers.json_body import read_value
from bridge.trackers.salesforce.soap import read_outbound_message
from bridge.trackers.values import as_object, as_text, clean, milliseconds

RecordMessage = dict[str, Any]

MOST_KEPT_BYTES = 64 * 1024 * 1024

MOST_RECORDS = 2000
"""Of one JSON body: as many as a page of a query's answer has."""

_TOLD = ("event", "object", "organizationId", "instanceUrl", "notificationId")
_LONGEST_TEXT = 255
_JSON = re.compile(rb"(?:\xef\xbb\xbf)?\s*[{\[]")


def is_json(body: bytes) -> bool:
    """Whether a body is a callout's, not an outbound message's."""
    return _JSON.match(body) is not None


def record_messages(body: bytes) -> list[RecordMessage]:
    """The record messages in a request's body. What holds no record is one without. Raises `MalformedBody`."""
    if not is_json(body):
        return _of_outbound_message(body)
    message = read_value(body)
    if isinstance(message, list) and len(message) > MOST_RECORDS:
        raise MalformedBody(f"the body has more than {MOST_RECORDS} records")
    records = list(islice(_of_json(message), MOST_RECORDS + 1)) or [{"event": "unknown", "record": None}]
    if len(records) > MOST_RECORDS:
        raise MalformedBody(f"the body has more than {MOST_RECORDS} records")
    return records


def _of_outbound_message(body: bytes) -> list[RecordMessage]:
    message = read_outbound_message(body)
    if isinstance(message, str):
        return [{"event": "unknown", "record": None, "element": message[:100]}]
    common = {"event": "outbound_message", "organizationId": message.organization_id}
    if message.instance_url:
        common["instanceUrl"] = message.instance_url
    return [
        {**common, "notificationId": notification.id, "object": notification.object, "record": notification.record}
        for notification in message.notifications
    ]


def _of_json(message: Any) -> Iterator[RecordMessage]:
    for entry in message if isinstance(message, list) else [message]:
        yield from _of_object(as_object(entry))


def _of_object(message: Mapping[str, Any]) -> Iterator[RecordMessage]:
    event = as_object(as_object(message.get("data") or message).get("payload") or message)
    if isinstance(event.get("ChangeEventHeader"), dict):
        yield from _of_change_event(event)
    elif isinstance(message.get("record"), dict):
        yield _told(message, message["record"])
    elif isinstance(message.get("records"), list):
        yield from (_told(message, record) for record in message["records"] if isinstance(record, dict))
    elif "Id" in message or "attributes" in message:
        yield _told({}, message)


def _told(message: Mapping[str, Any], record: Mapping[str, Any]) -> RecordMessage:
    kind = as_object(record.get("attributes")).get("type")
    texts = {name: text for name in _TOLD if (text := as_text(message.get(name)))}
    told = {"event": "callout", "object": as_text(kind), **texts}
    return {**told, "record": {name: value for name, value in record.items() if name != "attributes"}}


def _of_change_event(event: Mapping[str, Any]) -> Iterator[RecordMessage]:
    """One for each of the records that changed alike. A gap's has no fields: the record has to be read."""
    header = event["ChangeEventHeader"]
    change = str(header.get("changeType"))
    deleted = {"DELETE": {"IsDeleted": True}, "UNDELETE": {"IsDeleted": False}}.get(change.removeprefix("GAP_"), {})
    fields = {name: value for name, value in event.items() if name != "ChangeEventHeader"}
    ids = header.get("recordIds")
    for record_id in ids if isinstance(ids, list) and change != "GAP_OVERFLOW" else [None]:
        yield {
            "event": f"change_event:{clean(change[:40].lower())}",
            "object": as_text(header.get("entityName")),
            "at": milliseconds(header.get("commitTimestamp")),
            "record": {"Id": record_id, **fields, **deleted} if record_id else None,
        }


def encode_all(messages: Sequence[RecordMessage]) -> list[bytes]:
    """As they are kept. Raises `MalformedBody` if that is far more than the body was: what all share is repeated in each."""
    kept: list[bytes] = []
    size = 0
    for message in messages:
        kept.append(_encode(message))
        size += len(kept[-1])
        if size > MOST_KEPT_BYTES:
            raise MalformedBody(
                f"the body's records are more than {MOST_KEPT_BYTES} bytes, each with what all of them share"
            )
    return kept


def _encode(message: RecordMessage) -> bytes:
    """Raises `MalformedBody` for what is nested more deeply than a record can be."""
    for name in (*_TOLD, "element"):
        if len(message.get(name) or "") > _LONGEST_TEXT:
            raise MalformedBody(f"the body's {name} is longer than {_LONGEST_TEXT} characters")
    kept = {name: value for name, value in message.items() if value is not None or name == "record"}
    try:
        return orjson.dumps(kept)
    except TypeError as error:
        raise MalformedBody(f"the record cannot be kept: {error}") from None
