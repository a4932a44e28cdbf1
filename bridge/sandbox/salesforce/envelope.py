"""Outbound messages on the wire: the SOAP envelope that is sent, and the answer that counts as taken."""

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from xml.etree.ElementTree import ParseError
from xml.sax.saxutils import escape, quoteattr

from defusedxml import DefusedXmlException, ElementTree

from bridge.sandbox.salesforce.schema import Field
from bridge.sandbox.salesforce.times import soap_time

INSTANCE = "https://acme.my.salesforce.com"
_API = "61.0"
_ACK = (
    "{http://schemas.xmlsoap.org/soap/envelope/}Body"
    "/{http://soap.sforce.com/2005/09/outbound}notificationsResponse"
    "/{http://soap.sforce.com/2005/09/outbound}Ack"
)
_ENVELOPE = (
    '<?xml version="1.0" encoding="UTF-8"?>\n'
    '<soapenv:Envelope xmlns:soapenv="http://schemas.xmlsoap.org/soap/envelope/"'
    ' xmlns:xsd="http://www.w3.org/2001/XMLSchema" xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance">\n'
    " <soapenv:Body>\n"
    '  <notifications xmlns="http://soap.sforce.com/2005/09/outbound">\n'
    "{}\n"
    "  </notifications>\n"
    " </soapenv:Body>\n"
    "</soapenv:Envelope>\n"
)
_NOT_IN_XML = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


@dataclass(frozen=True, slots=True)
class Entry:
    """One notification as it is sent. Without a record (deleted meanwhile) it is only its id."""

    notification_id: str
    object: str
    record: Mapping[str, Any] | None
    fields: Sequence[Field]


def envelope(organization_id: str, action_id: str, session_id: str | None, entries: Iterable[Entry]) -> bytes:
    """The message. Null fields are left out; the record's Id always comes."""
    soap = f"{INSTANCE}/services/Soap"
    session = '<SessionId xsi:nil="true"/>' if session_id is None else f"<SessionId>{_text(session_id)}</SessionId>"
    lines = [
        f"   <OrganizationId>{organization_id}</OrganizationId>",
        f"   <ActionId>{action_id}</ActionId>",
        f"   {session}",
        f"   <EnterpriseUrl>{soap}/c/{_API}/{organization_id[:15]}</EnterpriseUrl>",
        f"   <PartnerUrl>{soap}/u/{_API}/{organization_id[:15]}</PartnerUrl>",
        *map(_notification, entries),
    ]
    return _ENVELOPE.format("\n".join(lines)).encode()


def acknowledged(answer: bytes) -> bool:
    """Whether an answer says `<Ack>true</Ack>` where it belongs; with whatever prefixes."""
    try:
        ack = ElementTree.fromstring(answer).findtext(_ACK)
    except (ParseError, DefusedXmlException, LookupError, ValueError):
        return False
    return ack is not None and ack.strip() in ("true", "1")


def _notification(entry: Entry) -> str:
    sobject = "" if entry.record is None else _sobject(entry, entry.record)
    return f"   <Notification>\n    <Id>{entry.notification_id}</Id>\n{sobject}   </Notification>"


def _sobject(entry: Entry, record: Mapping[str, Any]) -> str:
    kind = quoteattr(f"sf:{entry.object}")
    values = "".join(_element(field, record.get(field.name)) for field in entry.fields if field.name != "Id")
    return (
        f'    <sObject xsi:type={kind} xmlns:sf="urn:sobject.enterprise.soap.sforce.com">\n'
        f"     <sf:Id>{record['Id']}</sf:Id>\n{values}    </sObject>\n"
    )


def _element(field: Field, value: Any) -> str:
    if value is None:
        return ""
    return f"     <sf:{field.name}>{_text(_written(field, value))}</sf:{field.name}>\n"


def _written(field: Field, value: Any) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    return soap_time(str(value)) if field.type == "datetime" else str(value)


def _text(value: str) -> str:
    """Escaped, and without the characters that XML cannot hold at all."""
    return escape(_NOT_IN_XML.sub("", value))
