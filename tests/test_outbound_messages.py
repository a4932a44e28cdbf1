"""Salesforce's outbound messages and callouts: how they read, and what `POST /hooks/{source}` makes of them."""

import asyncio
import os
import re
import sqlite3
import sys
import tracemalloc
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx
import orjson
import pytest
from defusedxml import ElementTree
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from bridge.config import SalesforceSource
from bridge.errors import MalformedBody, Refused
from bridge.model import KEY, URL, Observation, TicketState
from bridge.sandbox.orchestrator import Folder, World, sandbox_serving
from bridge.trackers import Ignored, Recognised
from bridge.trackers.salesforce import Salesforce
from bridge.trackers.salesforce.ids import normal_id
from bridge.trackers.salesforce.messages import record_messages
from bridge.trackers.salesforce.soap import OutboundMessage, read_outbound_message
from tests.driving import PATIENCE_S, Bridge, bridge_running, configured, judged, settled, tasks_are
from tests.processes import bridge_process
from tests.values import NOW

PAYLOADS = Path(os.environ.get("BRIDGE_PAYLOADS", Path(__file__).parents[2] / "shared" / "payloads")) / "salesforce"
REAL_XML = sorted(PAYLOADS.rglob("*.xml"))
REAL_JSON = sorted(PAYLOADS.rglob("*.json"))
BROKEN = "test1.xml"  # its <sObject> is never opened
needs_payloads = pytest.mark.skipif(
    not REAL_XML, reason="REAL PAYLOADS ARE NOT TESTED: they are not part of the project"
)

FUZZ_EXAMPLES = int(os.environ.get("BRIDGE_FUZZ_EXAMPLES", "300"))

ORG15, ORG = "00DD0000000muCU", "00DD0000000muCUMAY"
CASE15, CASE = "500xx000000bX2B", "500xx000000bX2BAAU"
OTHER_CASE = "500xx000000bX2CAAU"
SESSION = "00DD0000000muCU!AQoAQLiveCredentialThatNobodyMaySee"
NIL_SESSION = '<SessionId xsi:nil="true"/>'
ACK = (
    b'<soapenv:Envelope xmlns:soapenv="http://schemas.xmlsoap.org/soap/envelope/"><soapenv:Body>'
    b'<notificationsResponse xmlns="http://soap.sforce.com/2005/09/outbound"><Ack>true</Ack></notificationsResponse>'
    b"</soapenv:Body></soapenv:Envelope>"
)
"""Byte for byte what Salesforce's WSDL asks for."""

CRM: dict[str, Any] = {"type": "salesforce", "secrets": ["t0ken"], "organization_id": ORG15}
ROUTES = [{"name": "cases", "source": "crm", "task": {"catalog": "Tickets"}}]
HOOK = "/hooks/crm?token=t0ken"
TEXT_XML = "text/xml; charset=UTF-8"


# -- what Salesforce sends ---------------------------------------------------------------------------------------------------------


def notification(number: int = 1, /, *, kind: str = "Case", **fields: str) -> str:
    """A notification of one record, with the fields that the administrator chose; null ones are left out, the Id never."""
    values = "".join(f"<sf:{name}>{value}</sf:{name}>" for name, value in {"Id": CASE, **fields}.items())
    return (
        f"<Notification><Id>04l{number:012}AAA</Id>"
        f'<sObject xsi:type="sf:{kind}" xmlns:sf="urn:sobject.enterprise.soap.sforce.com">{values}</sObject>'
        "</Notification>"
    )


def outbound(*notifications: str, organization: str | None = ORG, session: str = NIL_SESSION) -> str:
    """An outbound message as Salesforce writes it."""
    organization_id = "" if organization is None else f"<OrganizationId>{organization}</OrganizationId>"
    return (
        '<?xml version="1.0" encoding="UTF-8"?>\n'
        '<soapenv:Envelope xmlns:soapenv="http://schemas.xmlsoap.org/soap/envelope/" '
        'xmlns:xsd="http://www.w3.org/2001/XMLSchema" xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance">\n'
        ' <soapenv:Body>\n  <notifications xmlns="http://soap.sforce.com/2005/09/outbound">\n'
        f"   {organization_id}\n   <ActionId>04k57000000TOUIAA4</ActionId>\n   {session}\n"
        "   <EnterpriseUrl>https://acme.my.salesforce.com/services/Soap/c/61.0/00DD0000000muCU</EnterpriseUrl>\n"
        "   <PartnerUrl>https://acme.my.salesforce.com/services/Soap/u/61.0/00DD0000000muCU</PartnerUrl>\n"
        f"   {''.join(notifications)}\n  </notifications>\n </soapenv:Body>\n</soapenv:Envelope>"
    )


def a_case(number: int = 1, *, at: int = 0, closed: bool = False, **fields: str) -> str:
    """A case's notification; `at` is the second at which the case was so."""
    told = {
        "CaseNumber": "00001042",
        "Subject": "Printer on fire",
        "Status": "Closed" if closed else "New",
        "IsClosed": str(closed).lower(),
        "Priority": "High",
        "SystemModstamp": f"2026-01-01T00:00:{at:02}.000Z",
    }
    return notification(number, **{**told, **fields})


VALID = outbound(a_case())


def salesforce(**changes: Any) -> Salesforce:
    return Salesforce(SalesforceSource.model_validate({**CRM, **changes}))


SALESFORCE = salesforce()


def read_message(body: str | bytes) -> OutboundMessage:
    said = read_outbound_message(body.encode() if isinstance(body, str) else body)
    assert isinstance(said, OutboundMessage)
    return said


def record_of(body: str | bytes) -> dict[str, Any]:
    """The one record in an outbound message."""
    (found,) = read_message(body).notifications
    assert found.record is not None
    return found.record


def recognised(body: str | bytes | Any, tracker: Salesforce = SALESFORCE) -> Sequence[Recognised]:
    sent = body.encode() if isinstance(body, str) else body if isinstance(body, bytes) else orjson.dumps(body)
    return tracker.recognise({}, sent, NOW)


def read(body: str | bytes | Any, tracker: Salesforce = SALESFORCE) -> Observation | Ignored:
    """What the one delivery of a body says."""
    (found,) = recognised(body, tracker)
    return tracker.read(found.body, NOW)


def observed(body: str | bytes | Any, tracker: Salesforce = SALESFORCE) -> Observation:
    said = read(body, tracker)
    assert isinstance(said, Observation), said
    return said


def ignored(body: str | bytes | Any, tracker: Salesforce = SALESFORCE) -> str:
    said = read(body, tracker)
    assert isinstance(said, Ignored), said
    return said.reason


# -- the reading of SOAP -----------------------------------------------------------------------------------------------------------


def test_an_outbound_message() -> None:
    message = read_message(VALID)
    assert (message.organization_id, message.instance_url) == (ORG, "https://acme.my.salesforce.com")
    (found,) = message.notifications
    assert (found.id, found.object) == ("04l000000000001AAA", "Case")
    assert found.record == {
        "Id": CASE,
        "CaseNumber": "00001042",
        "Subject": "Printer on fire",
        "Status": "New",
        "IsClosed": False,
        "Priority": "High",
        "SystemModstamp": "2026-01-01T00:00:00.000Z",
    }


def another_prefix(text: str) -> str:
    return text.replace("soapenv", "SOAP-ENV").replace("sf:", "ns1.x:").replace(":sf=", ":ns1.x=")


def prefixes_everywhere(text: str) -> str:
    """No default namespace at all: `<out:notifications xmlns:out="…">`."""
    text = text.replace("notifications xmlns=", "notifications xmlns:out=")
    names = "notifications|OrganizationId|ActionId|SessionId|EnterpriseUrl|PartnerUrl|Notification|Id|sObject"
    return re.sub(rf"<(/?)({names})(?=[ />])", r"<\1out:\2", text)


def default_namespace_of_the_record(text: str) -> str:
    return (
        text.replace("xmlns:sf=", 'xmlns:sf="urn:sobject.enterprise.soap.sforce.com" xmlns=')
        .replace("<sf:", "<")
        .replace("</sf:", "</")
    )


def in_one_line(text: str) -> str:
    return re.sub(r"\s*\n\s*", "", text)


def with_comments_and_instructions(text: str) -> str:
    text = text.replace("<soapenv:Body>", "<!-- a --><?pi b?><soapenv:Body><?pi c?><!-- d -->")
    return text.replace("Printer on fire", "Printer<!-- e --> on<?pi f?> fire") + "<!-- g -->"


def with_cdata(text: str) -> str:
    return text.replace("Printer on fire", "<![CDATA[Printer]]> on <![CDATA[fire]]>")


def with_character_references(text: str) -> str:
    return text.replace("Printer on fire", "&#80;rinter on &#x66;ire")


def with_a_soap_header(text: str) -> str:
    return text.replace("<soapenv:Body>", "<soapenv:Header><x>1</x></soapenv:Header><soapenv:Body>")


def indented(text: str) -> str:
    return text.replace("><", ">\n     <")


@pytest.mark.parametrize(
    "written",
    [
        another_prefix,
        prefixes_everywhere,
        default_namespace_of_the_record,
        in_one_line,
        with_comments_and_instructions,
        with_cdata,
        with_character_references,
        with_a_soap_header,
        indented,
    ],
    ids=lambda way: str(way.__name__),
)
def test_the_same_message_written_in_another_way(written: Callable[[str], str]) -> None:
    other = written(VALID)
    assert other != VALID
    assert read_message(other) == read_message(VALID)


@pytest.mark.parametrize(
    "body",
    [
        b"\xef\xbb\xbf" + VALID.encode(),
        VALID.replace("UTF-8", "UTF-16").encode("utf-16"),
        b"\xfe\xff" + VALID.replace("UTF-8", "UTF-16").encode("utf-16-be"),
        VALID.replace("UTF-8", "ISO-8859-1").encode("latin-1"),
        VALID.partition("?>\n")[2].encode(),
        VALID.replace("\n", "\r\n").encode(),
    ],
    ids=["bom", "utf-16", "utf-16-be", "latin-1", "no declaration", "crlf"],
)
def test_the_same_message_in_another_encoding(body: bytes) -> None:
    assert read_message(body) == read_message(VALID)


@pytest.mark.parametrize("encoding", ["UTF-8", "UTF-16"])
def test_words_of_every_language(encoding: str) -> None:
    words = "Drucker brennt: 火事 🔥 ß"
    assert record_of(outbound(a_case(Subject=words)).replace("UTF-8", encoding).encode(encoding))["Subject"] == words


def test_escaped_characters_are_read_as_what_they_are() -> None:
    assert record_of(outbound(a_case(Subject="R&amp;D &lt;b&gt;")))["Subject"] == "R&D <b>"


def test_a_field_that_is_nil_is_null_and_one_that_is_left_out_is_not_spoken_of() -> None:
    body = outbound(a_case()).replace("<sf:Subject>Printer on fire</sf:Subject>", '<sf:Subject xsi:nil="true"/>')
    record = record_of(body)
    assert record["Subject"] is None
    assert "Description" not in record


def test_true_and_false_are_booleans_and_numbers_stay_texts() -> None:
    """A case's number is one: `00001042`."""
    record = record_of(outbound(a_case(IsEscalated="true", Discount__c="0.0", Steps__c="24", Answer__c="True")))
    assert record["IsEscalated"] is True
    assert record["IsClosed"] is False
    assert (record["CaseNumber"], record["Discount__c"], record["Steps__c"]) == ("00001042", "0.0", "24")
    assert record["Answer__c"] == "True"  # a text: XML's booleans are lower case


def test_a_message_without_notifications_has_none() -> None:
    assert read_message(outbound()).notifications == []
    assert recognised(outbound()) == []


@pytest.mark.parametrize("record", ["", '<sObject xsi:nil="true"/>'])
def test_a_record_that_was_deleted_meanwhile_is_ignored_with_its_reason(record: str) -> None:
    body = outbound(f"<Notification><Id>04l000000000001AAA</Id>{record}</Notification>")
    assert read_message(body).notifications[0].record is None
    assert "deleted before Salesforce sent the message" in ignored(body)


def test_another_document_is_named() -> None:
    assert read_outbound_message(b"<html><body>x</body></html>") == "html"
    assert "<html>" in ignored(b"<html><body>x</body></html>")
    assert "<describe>" in ignored(
        b'<e:Envelope xmlns:e="http://schemas.xmlsoap.org/soap/envelope/"><e:Body><describe/></e:Body></e:Envelope>'
    )


def test_the_session_is_not_read_from_the_message() -> None:
    body = outbound(a_case(), session=f"<SessionId>{SESSION}</SessionId>")
    assert SESSION not in repr(read_message(body))
    assert SESSION.encode() not in recognised(body)[0].body


def test_every_notification_is_a_delivery_of_its_own() -> None:
    found = recognised(outbound(a_case(1), a_case(2, Id=OTHER_CASE)))
    assert [one.ticket_id for one in found] == [CASE, OTHER_CASE]
    assert [one.event for one in found] == ["outbound_message"] * 2
    assert len({one.dedupe_key for one in found}) == 2


def test_a_message_that_is_sent_again_is_a_duplicate_unless_it_brings_something_newer() -> None:
    """Salesforce reads the fields when it sends: a repetition under the same id may tell more."""
    first, again, newer = (
        recognised(outbound(one))[0].dedupe_key for one in (a_case(), a_case(), a_case(at=5, closed=True))
    )
    assert first == again < newer, "keys lie in the order of their times"


# -- the record as a ticket --------------------------------------------------------------------------------------------------------


def test_a_case_as_a_ticket() -> None:
    said = observed(outbound(a_case(OwnerId="005xx000001Sv6EAAS", Type="Problem", Description="It burns")))
    assert (said.ticket_id, said.state) == (CASE, TicketState.OPEN)
    assert (said.facts[KEY], said.facts[URL]) == ("00001042", f"https://acme.my.salesforce.com/{CASE}")
    ticket = SALESFORCE.ticket(said.ticket_id, said.facts)
    assert (ticket.id, ticket.key, ticket.title) == (CASE, "00001042", "Printer on fire")
    assert (ticket.status, ticket.priority, ticket.type) == ("New", "High", "Problem")
    assert (ticket.description, ticket.assignee) == ("It burns", "005xx000001Sv6EAAS")
    assert not ticket.closed


def test_the_version_is_the_records_own_time() -> None:
    updated = datetime.fromtimestamp(int(observed(outbound(a_case(at=7))).version.split(".")[0]) / 1000, UTC)
    assert updated == datetime(2026, 1, 1, 0, 0, 7, tzinfo=UTC)


def test_a_record_of_which_only_the_id_is_told() -> None:
    said = observed(outbound(notification()))
    assert (said.ticket_id, said.state) == (CASE, None)
    assert SALESFORCE.ticket(said.ticket_id, said.facts).key == CASE


def test_an_id_of_15_characters_is_the_same_record() -> None:
    short = outbound(a_case(Id=CASE15))
    assert observed(short).ticket_id == recognised(short)[0].ticket_id == CASE


@pytest.mark.parametrize("missing", ["", "000000000000000AAA", "500", "x" * 16, "500xx000000bX2!", "\uff15" * 15])
def test_a_record_without_an_id_is_ignored(missing: str) -> None:
    assert "no Id" in ignored(outbound(a_case(Id=missing)))


def test_a_record_of_another_object_is_ignored_with_its_reason() -> None:
    body = outbound(notification(kind="Account"))
    assert ignored(body) == "its record is of the object Account; this source takes Case"
    assert observed(outbound(notification(kind="Work_Order__c")), salesforce(object="work_order__C")).ticket_id == CASE


@pytest.mark.parametrize(
    ("closed", "fields", "state"),
    [
        (None, {"IsClosed": "true", "Status": "Erledigt"}, TicketState.CLOSED),
        (None, {"IsClosed": "false", "Status": "Closed"}, TicketState.OPEN),
        (None, {"Status": "Closed"}, TicketState.CLOSED),
        (None, {"Status": "closed"}, TicketState.CLOSED),
        (None, {"Status": "New"}, TicketState.OPEN),
        (None, {}, None),
        (["Solved", "Rejected"], {"Status": "rejected"}, TicketState.CLOSED),
        (["Solved", "Rejected"], {"Status": "Closed"}, TicketState.OPEN),
        (None, {"IsDeleted": "true", "Status": "New"}, TicketState.DELETED),
        (None, {"IsDeleted": "false", "Status": "New"}, TicketState.OPEN),
    ],
)
def test_what_closed_means(closed: list[str] | None, fields: dict[str, str], state: TicketState | None) -> None:
    assert observed(outbound(notification(**fields)), salesforce(closed=closed)).state is state


def test_fields_of_ones_own() -> None:
    tracker = salesforce(object="Work__c", fields={"key": "Number__c", "status": "Stage__c", "updated": "Changed__c"})
    fields = {"Number__c": "W-7", "Stage__c": "Closed", "Changed__c": "2026-01-01T00:00:03Z"}
    said = observed(outbound(notification(kind="Work__c", **fields)), tracker)
    assert (said.facts[KEY], said.state) == ("W-7", TicketState.CLOSED)
    assert said.version.startswith("001767225603000.")


# -- ids ---------------------------------------------------------------------------------------------------------------------------


def eighteen(id15: str) -> str:
    """The same by another way: each five characters backwards are a binary number, a capital is a 1."""
    suffix = ""
    for five in re.findall(".{5}", id15):
        number = int("".join(str(int(character.isupper())) for character in reversed(five)), 2)
        suffix += "ABCDEFGHIJKLMNOPQRSTUVWXYZ012345"[number]
    return id15 + suffix


@pytest.mark.parametrize(
    "known",
    [
        "00DD0000000muCUMAY",
        "04k57000000TOUIAA4",
        "04l570000176YSmAAM",
        "a025700000OPgOjAAL",
        "01t57000006qVLRAA2",
        "0031I0000081tbPQAQ",
        "0031I0000081tb0QAA",
        "04l1I000000fztEQAQ",
    ],
)
def test_ids_that_real_orgs_wrote_with_18_characters(known: str) -> None:
    assert normal_id(known[:15]) == eighteen(known[:15]) == known
    assert normal_id(known) == known


@given(id15=st.text("ABCXYZabcxyz0189", min_size=15, max_size=15))
def test_every_id_gets_the_checksum_that_another_way_gives(id15: str) -> None:
    assert normal_id(id15) == eighteen(id15)


def test_the_id_of_salesforces_own_example() -> None:
    assert normal_id("0015000000Gv7qJ") == eighteen("0015000000Gv7qJ") == "0015000000Gv7qJAAR"


# -- what is refused ---------------------------------------------------------------------------------------------------------------

LAUGHS = (
    '<?xml version="1.0"?><!DOCTYPE l [<!ENTITY a0 "ha">'
    + "".join(f'<!ENTITY a{n} "{f"&a{n - 1};" * 10}">' for n in range(1, 10))
    + "]><notifications>&a9;</notifications>"
)
HOSTILE: dict[str, str] = {
    "billion laughs": LAUGHS,
    "external entity": '<!DOCTYPE x [<!ENTITY e SYSTEM "file:///etc/passwd">]><notifications>&e;</notifications>',
    "external DTD": '<!DOCTYPE x SYSTEM "file:///etc/passwd"><notifications/>',
    "parameter entity": '<!DOCTYPE x [<!ENTITY % e SYSTEM "http://127.0.0.1:1/x.dtd"> %e;]><notifications/>',
    "a DTD alone": "<!DOCTYPE x><notifications/>",
    "an unknown entity": "<notifications>&nbsp;</notifications>",
    "101 notifications": outbound(*map(a_case, range(101))),
    "10,000 notifications": outbound("<Notification/>" * 10_000),
    "too deep": "<a>" * 100_000 + "</a>" * 100_000,
    "too deep and never closed": "<a>" * 100_000,
    "too many elements": f"<notifications>{'<a/>' * 100_001}</notifications>",
}


@pytest.mark.parametrize("body", HOSTILE.values(), ids=HOSTILE.keys())
def test_hostile_documents_are_malformed(body: str) -> None:
    with pytest.raises(MalformedBody) as refusal:
        recognised(body)
    assert len(str(refusal.value)) < 200
    assert "root:" not in str(refusal.value)


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b" ",
        b"x",
        b"<",
        b"<a>",
        b"<a></b>",
        b"<a/><b/>",
        b"\x00",
        b"\xff\xfe",
        b"\xef\xbb\xbf",
        b"<a>\x00</a>",
        b"<a>\x01</a>",
        b"<a>&#0;</a>",
        b"<a>\xff</a>",
        b"<a b=1/>",
        b'<a b="1" b="2"/>',
        b"<p:a/>",
        VALID[:-1].encode(),
        VALID.encode()[: len(VALID) // 2],
        *(
            f'<?xml version="1.0" encoding="{name}"?><a/>'.encode()
            for name in ("klingon", "utf-7", "utf-32", "utf-16", "idna", "hex", "zlib", "undefined", "x" * 1000)
        ),
    ],
)
def test_what_is_not_well_formed_is_malformed(body: bytes) -> None:
    with pytest.raises(MalformedBody):
        recognised(body)


def test_an_encoding_that_python_only_reads_with_a_warning_is_no_mistake_of_ours() -> None:
    body = b'<?xml version="1.0" encoding="unicode_escape"?><a/>'
    with suppress(MalformedBody):
        assert ignored(body)


def attributes(count: int) -> bytes:
    return b" ".join(b"a%d='1'" % number for number in range(count))


def test_a_million_attributes_are_refused() -> None:
    with pytest.raises(MalformedBody, match="a tag or comment of more than 65536 bytes"):
        recognised(b"<notifications " + attributes(1_000_000) + b"/>")


def test_a_million_attributes_on_many_elements_are_refused() -> None:
    with pytest.raises(MalformedBody, match="more than 100000 elements and attributes"):
        recognised(b"<notifications>" + (b"<a " + attributes(1_000) + b"/>") * 1_000 + b"</notifications>")


def test_a_hundred_notifications_are_taken() -> None:
    """As many as Salesforce ever sends at once."""
    assert len(recognised(outbound(*map(a_case, range(100))))) == 100


def peak_of(body: bytes) -> int:
    """Bytes that are held at once at most while a body is read."""
    tracemalloc.start()
    try:
        with suppress(MalformedBody):
            recognised(body)
        return tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize(
    "body",
    [
        b"<notifications " + attributes(100_000) + b"/>",
        b"<notifications a='" + b"x" * 10_000_000 + b"'/>",
        b"<notifications><OrganizationId>" + b"x" * 10_000_000 + b"</OrganizationId></notifications>",
        b"<" + b"x" * 10_000_000 + b"/>",
        b"<notifications><!--" + b"x" * 10_000_000 + b"--></notifications>",
        b"<notifications " + b" ".join(b"xmlns:n%d='u%d'" % (n, n) for n in range(100_000)) + b"/>",
    ],
    ids=["many attributes", "giant attribute", "giant text", "giant name", "giant comment", "many namespaces"],
)
def test_a_giant_document_takes_memory_in_proportion_to_its_length(body: bytes) -> None:
    assert peak_of(body) < 50 * len(body)


def test_a_long_namespace_takes_no_memory_for_every_name_in_it() -> None:
    """A parser that writes the namespace before each name makes a hundred megabytes of two hundred kilobytes."""
    names = b"".join(b"<p:f%d/>" % number for number in range(250))
    body = b'<notifications xmlns:p="' + b"x" * 200_000 + b'">' + names + b"</notifications>"
    assert peak_of(body) < 50 * len(body)


# -- whose message it is -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("told", [ORG, ORG15])
@pytest.mark.parametrize("wanted", [ORG, ORG15])
def test_the_organization_with_15_or_18_characters(told: str, wanted: str) -> None:
    assert recognised(outbound(a_case(), organization=told), salesforce(organization_id=wanted))


@pytest.mark.parametrize("told", ["00DD0000000mucU", "00D", "", None, ORG15.lower()])
def test_another_organization_is_refused(told: str | None) -> None:
    with pytest.raises(Refused, match="OrganizationId"):
        recognised(outbound(a_case(), organization=told))


def test_without_an_organization_id_any_orgs_message_is_taken() -> None:
    assert recognised(outbound(a_case(), organization="00DD0000000XXXX"), salesforce(organization_id=None))


def test_a_callout_need_not_tell_its_organization_but_may_not_tell_another() -> None:
    assert recognised({"object": "Case", "record": {"Id": CASE}})
    assert recognised({"organizationId": ORG, "object": "Case", "record": {"Id": CASE}})
    with pytest.raises(Refused):
        recognised({"organizationId": "00DD0000000XXXX", "object": "Case", "record": {"Id": CASE}})


# -- callouts and events, as JSON --------------------------------------------------------------------------------------------------

RECORD = {
    "Id": CASE,
    "CaseNumber": "00001042",
    "Subject": "Printer on fire",
    "Status": "Closed",
    "IsClosed": True,
    "LastModifiedDate": "2026-01-01T00:00:05.000+0000",
}
SOBJECT = {"attributes": {"type": "Case", "url": f"/services/data/v61.0/sobjects/Case/{CASE}"}, **RECORD}


@pytest.mark.parametrize(
    "body",
    [
        {"event": "updated", "object": "Case", "record": RECORD},
        {"object": "Case", "record": RECORD},
        {"record": SOBJECT},
        RECORD,
        SOBJECT,
        [SOBJECT],
        {"totalSize": 1, "done": True, "records": [SOBJECT]},
        {"data": {"payload": {"ChangeEventHeader": {"entityName": "Case", "recordIds": [CASE]}, **RECORD}}},
    ],
    ids=["message", "no event", "sObject", "bare record", "bare sObject", "list", "query", "event"],
)
def test_one_record_in_every_shape(body: Any) -> None:
    said = observed(body)
    assert (said.ticket_id, said.state, said.facts[KEY]) == (CASE, TicketState.CLOSED, "00001042")
    assert said.version.startswith("001767225605000.")
    assert "attributes" not in said.facts


def test_the_default_record_message_tells_what_happened_and_where() -> None:
    body = {"event": "updated", "object": "Case", "record": RECORD, "instanceUrl": "https://acme.my.salesforce.com/"}
    assert recognised(body)[0].event == "updated"
    assert observed(body).facts[URL] == f"https://acme.my.salesforce.com/{CASE}"


def test_several_records_are_several_deliveries() -> None:
    other = {**SOBJECT, "Id": OTHER_CASE}
    for body in ([SOBJECT, other], {"records": [SOBJECT, other]}, [{"record": RECORD}, {"record": other}]):
        assert [one.ticket_id for one in recognised(body)] == [CASE, OTHER_CASE]


def test_more_records_than_a_querys_page_has_are_malformed() -> None:
    with pytest.raises(MalformedBody, match="2000"):
        recognised([{"Id": CASE}] * 2001)


@pytest.mark.parametrize("body", [{}, [], [1, "x", None], {"Status": "Closed"}, {"record": 3}, {"records": [3]}])
def test_json_without_a_record_is_ignored_with_what_to_send(body: Any) -> None:
    assert "send `object` and `record`" in ignored(body)


def change_event(kind: str, *ids: str, **fields: Any) -> dict[str, Any]:
    header = {"entityName": "Case", "recordIds": list(ids), "changeType": kind, "commitTimestamp": 1767225605000}
    return {"data": {"schema": "s", "payload": {"ChangeEventHeader": header, **fields}, "event": {"replayId": 6}}}


def test_an_update_of_two_records_is_two_deliveries() -> None:
    found = recognised(change_event("UPDATE", CASE, OTHER_CASE, Status="Closed", IsClosed=True))
    assert [one.event for one in found] == ["change_event:update"] * 2
    said = [SALESFORCE.read(one.body, NOW) for one in found]
    assert [(one.ticket_id, one.state) for one in said if isinstance(one, Observation)] == [
        (CASE, TicketState.CLOSED),
        (OTHER_CASE, TicketState.CLOSED),
    ]


@pytest.mark.parametrize(
    ("change", "state"),
    [
        ("DELETE", TicketState.DELETED),
        ("GAP_DELETE", TicketState.DELETED),
        ("UNDELETE", None),
        ("GAP_UPDATE", None),
        ("CREATE", None),
    ],
)
def test_change_events_without_fields(change: str, state: TicketState | None) -> None:
    said = observed(change_event(change, CASE))
    assert (said.ticket_id, said.state) == (CASE, state)
    assert said.version.startswith("001767225605000.")


def test_an_undeletion_says_that_the_record_is_there_again() -> None:
    assert observed(change_event("UNDELETE", CASE)).facts["IsDeleted"] is False


def test_an_overflow_is_of_no_record() -> None:
    assert "a gap" in ignored(change_event("GAP_OVERFLOW", "000000000000000AAA"))


def test_a_wildcard_id_is_of_no_record() -> None:
    assert "no Id" in ignored(change_event("GAP_UPDATE", "500*"))


@pytest.mark.parametrize("depth", [200, 300, 900, 1010, 100_000])
@pytest.mark.parametrize("place", [b'{"Id":"%s","x":%s}', b'{"record":{"Id":"%s"},"event":%s}'], ids=["field", "event"])
def test_deeply_nested_json_is_read_or_malformed_and_never_a_mistake_of_ours(place: bytes, depth: int) -> None:
    body = place % (CASE.encode(), b"[" * depth + b"]" * depth)
    with suppress(MalformedBody):
        assert observed(body).ticket_id == CASE


# -- from outside ------------------------------------------------------------------------------------------------------------------


@pytest.fixture
async def bridge(tmp_path: Path) -> AsyncIterator[Bridge]:
    async with bridge_running(configured(tmp_path, sources={"crm": CRM}, routes=ROUTES)) as running:
        yield running


async def sent(bridge: Bridge, body: str | bytes | Any, path: str = HOOK, **headers: str) -> httpx.Response:
    """Send a message as Salesforce does."""
    content = body.encode() if isinstance(body, str) else body if isinstance(body, bytes) else orjson.dumps(body)
    kind = "application/json" if isinstance(body, dict | list) else TEXT_XML
    return await bridge.http.post(path, content=content, headers={"Content-Type": kind, "SOAPAction": '""', **headers})


def assert_ack(answer: httpx.Response) -> None:
    assert answer.status_code == 200, answer.text
    assert answer.headers["content-type"].split(";")[0] == "text/xml"
    assert answer.content == ACK


def assert_fault(answer: httpx.Response, status: int, code: str = "soapenv:Client", told: str = "") -> None:
    """A SOAP 1.1 fault, read by a parser: it is well-formed, whatever is in its words."""
    assert answer.status_code == status, answer.text
    assert answer.headers["content-type"].split(";")[0] == "text/xml"
    (fault,) = ElementTree.fromstring(answer.content).iter("{http://schemas.xmlsoap.org/soap/envelope/}Fault")
    assert fault.findtext("faultcode") == code
    assert told in (fault.findtext("faultstring") or "")


@pytest.mark.anyio
async def test_a_message_is_acknowledged_and_kept(bridge: Bridge) -> None:
    assert_ack(await sent(bridge, VALID))
    (delivery,) = await judged(bridge)
    assert (delivery["event"], delivery["ticket_id"], delivery["state"]) == ("outbound_message", CASE, "applied")
    (link,) = await bridge.links()
    assert (link["ticket_key"], link["external_tag"]) == ("00001042", "Salesforce")
    assert link["ticket_url"] == f"https://acme.my.salesforce.com/{CASE}"


@pytest.mark.anyio
@pytest.mark.parametrize(
    "body",
    [
        another_prefix(VALID),
        prefixes_everywhere(VALID),
        in_one_line(VALID),
        with_comments_and_instructions(VALID),
        b"\xef\xbb\xbf" + VALID.encode(),
        VALID.replace("UTF-8", "UTF-16").encode("utf-16"),
        outbound(a_case(Id=CASE15)),
    ],
    ids=["prefix", "prefixes", "one line", "comments", "bom", "utf-16", "15 characters"],
)
async def test_however_it_is_written_it_is_the_same_case(bridge: Bridge, body: str | bytes) -> None:
    assert_ack(await sent(bridge, body))
    (delivery,) = await judged(bridge)
    assert (delivery["ticket_id"], delivery["state"]) == (CASE, "applied")


@pytest.mark.anyio
async def test_a_repetition_is_acknowledged_and_not_kept(bridge: Bridge) -> None:
    for _ in range(3):
        assert_ack(await sent(bridge, VALID))
    assert len(await judged(bridge)) == 1


@pytest.mark.anyio
async def test_one_ack_is_for_all_notifications(bridge: Bridge) -> None:
    ids = [f"500xx{number:010}" for number in range(100)]
    assert_ack(await sent(bridge, outbound(*(a_case(n, Id=case, CaseNumber=f"{n:08}") for n, case in enumerate(ids)))))
    assert [delivery["ticket_id"] for delivery in await judged(bridge)] == [eighteen(case) for case in ids]
    assert len(await bridge.links()) == 100


@pytest.mark.anyio
async def test_an_empty_message_is_acknowledged_and_nothing_is_kept(bridge: Bridge) -> None:
    assert_ack(await sent(bridge, outbound()))
    assert await bridge.deliveries() == []


@pytest.mark.anyio
@pytest.mark.parametrize(
    ("body", "reason"),
    [
        (outbound("<Notification><Id>04l000000000001AAA</Id></Notification>"), "deleted before Salesforce sent"),
        (outbound(notification(kind="Contact")), "its record is of the object Contact; this source takes Case"),
        (b"<html/>", "not an outbound message: its body is <html>"),
    ],
    ids=["deleted", "another object", "another document"],
)
async def test_what_is_of_no_case_is_acknowledged_and_ignored_with_its_reason(
    bridge: Bridge, body: str | bytes, reason: str
) -> None:
    assert_ack(await sent(bridge, body))
    (delivery,) = await judged(bridge)
    assert delivery["state"] == "ignored"
    assert reason in delivery["reason"]


@pytest.mark.anyio
async def test_a_record_of_which_only_the_id_came_has_a_link(bridge: Bridge) -> None:
    assert_ack(await sent(bridge, outbound(notification())))
    (delivery,) = await judged(bridge)
    assert delivery["state"] == "applied"
    (link,) = await bridge.links()
    assert (link["ticket_key"], link["ticket_state"]) == (CASE, "open")


@pytest.mark.anyio
@pytest.mark.parametrize(
    ("path", "told"),
    [
        ("/hooks/crm?token=wrong", "none of this source's secrets"),
        ("/hooks/crm", "add `?token=…`"),
        ("/hooks/crm?token=", "add `?token=…`"),
        ("/hooks/crm?secret=t0ken", "add `?token=…`"),
    ],
)
async def test_a_wrong_token_is_a_fault(bridge: Bridge, path: str, told: str) -> None:
    assert_fault(await sent(bridge, VALID, path), 401, told=told)
    assert await bridge.deliveries() == []


@pytest.mark.anyio
@pytest.mark.parametrize("organization", ["00DD0000000XXXXEAW", "", None])
async def test_a_wrong_organization_is_a_fault(bridge: Bridge, organization: str | None) -> None:
    assert_fault(await sent(bridge, outbound(a_case(), organization=organization)), 401, told="OrganizationId")
    assert await bridge.deliveries() == []


@pytest.mark.anyio
@pytest.mark.parametrize("body", HOSTILE.values(), ids=HOSTILE.keys())
async def test_hostile_documents_are_a_fault(bridge: Bridge, body: str) -> None:
    answer = await sent(bridge, body)
    assert_fault(answer, 400)
    assert "root:" not in answer.text
    assert await bridge.deliveries() == []


@pytest.mark.anyio
@pytest.mark.parametrize("body", [b"", b"<a>", b"<a>&lt;&x;</a>", b"\x00\x00", b"x & <y>", VALID[:-9].encode()])
async def test_a_malformed_body_is_a_fault(bridge: Bridge, body: bytes) -> None:
    assert_fault(await sent(bridge, body), 400, told="the body")
    assert await bridge.deliveries() == []


@pytest.mark.anyio
async def test_a_body_over_the_limit_is_a_fault(tmp_path: Path) -> None:
    config = configured(tmp_path, sources={"crm": CRM}, routes=ROUTES, server={"max_body_bytes": len(VALID)})
    async with bridge_running(config) as bridge:
        assert_ack(await sent(bridge, VALID))
        assert_fault(await sent(bridge, VALID + " "), 413, told="max_body_bytes")


@pytest.mark.anyio
async def test_while_the_database_is_away_it_is_a_fault_of_the_server(bridge: Bridge, tmp_path: Path) -> None:
    """Salesforce sends a message again until it has its Ack; the fault says that the message is not to blame."""
    file = tmp_path / "bridge.db"
    file.rename(tmp_path / "away.db")
    answer = await sent(bridge, VALID)
    assert_fault(answer, 503, "soapenv:Server", "send it again")
    assert int(answer.headers["retry-after"]) > 0
    (tmp_path / "away.db").rename(file)
    assert_ack(await sent(bridge, VALID))
    assert len(await judged(bridge)) == 1


@pytest.mark.anyio
async def test_a_callout_on_the_same_path_is_answered_in_json(bridge: Bridge) -> None:
    answer = await sent(bridge, {"event": "updated", "object": "Case", "record": RECORD})
    assert answer.status_code == 202
    assert answer.headers["content-type"] == "application/json"
    assert answer.json() == {"deliveries": [1], "duplicates": 0}
    again = await sent(bridge, {"event": "updated", "object": "Case", "record": RECORD})
    assert again.json() == {"deliveries": [], "duplicates": 1}
    two = await sent(bridge, change_event("UPDATE", CASE, OTHER_CASE, Status="New"))
    assert two.json() == {"deliveries": [2, 3], "duplicates": 0}


@pytest.mark.anyio
@pytest.mark.parametrize(("body", "path", "status"), [(b"{", HOOK, 400), (b"{}", "/hooks/crm", 401)])
async def test_a_callout_is_refused_in_json(bridge: Bridge, body: bytes, path: str, status: int) -> None:
    answer = await sent(bridge, body, path, **{"Content-Type": "application/json"})
    assert answer.status_code == status
    assert answer.headers["content-type"] == "application/problem+json"


def bytes_of_the_database(folder: Path) -> bytes:
    """All that SQLite has written: the file, and its write-ahead log."""
    files = [path for path in sorted(folder.iterdir()) if path.name.startswith("bridge.db")]
    assert [path.name for path in files][:2] == ["bridge.db", "bridge.db-shm"]
    return b"".join(path.read_bytes() for path in files)


@pytest.mark.anyio
async def test_the_session_is_nowhere(tmp_path: Path) -> None:
    """Not in the database's bytes, not in what the API shows, not in the logs at their most talkative."""
    body = outbound(a_case(), notification(2, kind="Lead"), session=f"<SessionId>{SESSION}</SessionId>")
    broken = body.replace("</soapenv:Body>", "")
    elsewhere = body.replace(ORG, "00DD0000000XXXXEAW")
    configured(tmp_path, sources={"crm": CRM}, routes=ROUTES)
    async with (
        bridge_process(tmp_path / "config.yaml", BRIDGE_LOG_LEVEL="debug") as process,
        httpx.AsyncClient(base_url=process.url, timeout=PATIENCE_S) as http,
    ):
        bridge = Bridge(process.url, http)
        assert_ack(await sent(bridge, body))
        assert_fault(await sent(bridge, broken), 400)
        assert_fault(await sent(bridge, elsewhere), 401)
        deliveries = await judged(bridge)
        paths = ["links/1", "links", "deliveries", "summary", *(f"deliveries/{one['id']}" for one in deliveries)]
        shown = [(await http.get(f"/api/v1/{path}")).raise_for_status().text for path in paths]
        stored = bytes_of_the_database(tmp_path)
    assert CASE.encode() in stored  # the search does find what is there
    assert CASE in "".join(shown)
    for secret in (SESSION, "LiveCredential"):
        assert secret.encode() not in stored
        assert secret not in "".join(shown)
        assert secret not in str(process.lines)
    database = sqlite3.connect(tmp_path / "bridge.db")
    assert not any(SESSION in line for line in database.iterdump())
    database.close()


def peak_kilobytes(pid: int) -> int:
    """The most memory that a process ever held."""
    status = Path(f"/proc/{pid}/status").read_text()
    return int(status.partition("VmHWM:")[2].split()[0])


@pytest.mark.anyio
@pytest.mark.skipif(sys.platform != "linux", reason="how much memory a process takes is read from Linux's /proc")
async def test_a_hundred_megabytes_are_refused_in_bounded_memory(tmp_path: Path) -> None:
    """Sent in chunks, so that no length tells beforehand."""
    taken = 0

    async def endless() -> AsyncIterator[bytes]:
        nonlocal taken
        yield VALID.encode()
        while taken < 100_000_000:
            taken += 1_000_000
            yield b" " * 1_000_000

    configured(tmp_path, sources={"crm": CRM}, routes=ROUTES, server={"max_body_bytes": 1_000_000})
    async with (
        bridge_process(tmp_path / "config.yaml") as process,
        httpx.AsyncClient(base_url=process.url, timeout=PATIENCE_S) as http,
    ):
        bridge = Bridge(process.url, http)
        assert_ack(await sent(bridge, VALID))
        before = peak_kilobytes(process.process.pid)
        try:
            answer = await http.post(HOOK, content=endless(), headers={"Content-Type": TEXT_XML})
        except httpx.TransportError:
            answer = None  # the connection was closed while we were still sending
        if answer is not None:
            assert_fault(answer, 413, told="max_body_bytes")
        assert peak_kilobytes(process.process.pid) - before < 20_000
        assert_ack(await sent(bridge, VALID))


# -- the whole way -----------------------------------------------------------------------------------------------------------------


@pytest.fixture
def world() -> World:
    return World(folders=[Folder(id=1, path="Shared", catalogs=("Tickets",))])


@pytest.fixture
async def orchestrator(world: World) -> AsyncIterator[str]:
    async with sandbox_serving(world) as url:
        yield url


@pytest.mark.anyio
async def test_a_case_becomes_a_task_and_its_closing_completes_it(
    world: World, orchestrator: str, tmp_path: Path
) -> None:
    async with bridge_running(configured(tmp_path, orchestrator, sources={"crm": CRM}, routes=ROUTES)) as bridge:
        assert_ack(await sent(bridge, outbound(a_case(1, at=0))))
        (task,) = await tasks_are(world, 0)
        assert (task.request.title, task.request.priority) == ("[00001042] Printer on fire", "High")
        assert task.request.external_tag == "Salesforce"
        assert_ack(await sent(bridge, outbound(a_case(2, at=9, closed=True))))
        await tasks_are(world, 1)


@pytest.mark.anyio
async def test_out_of_order_and_repeated_messages_are_one_task(world: World, orchestrator: str, tmp_path: Path) -> None:
    """Retries ignore the order, and one message may bring the newer state before the older."""
    opened, changed, closed = a_case(1, at=0), a_case(2, at=5, Priority="Low"), a_case(3, at=9, closed=True)
    async with bridge_running(configured(tmp_path, orchestrator, sources={"crm": CRM}, routes=ROUTES)) as bridge:
        assert_ack(await sent(bridge, outbound(changed)))
        await tasks_are(world, 0)
        for body in (outbound(closed, opened), outbound(changed), outbound(opened), outbound(closed)):
            assert_ack(await sent(bridge, body))
        await tasks_are(world, 1)
        assert len(await judged(bridge)) == 3
        (link,) = await settled(bridge)
        assert (link["ticket_state"], link["task_state"], link["generation"]) == ("closed", "completed", 1)


# -- bodies that real orgs sent ----------------------------------------------------------------------------------------------------


@needs_payloads
@pytest.mark.anyio
async def test_every_real_payload_is_answered_and_none_is_parked(tmp_path: Path) -> None:
    sources = {"crm": {**CRM, "organization_id": None}}
    async with bridge_running(configured(tmp_path, sources=sources, routes=ROUTES)) as bridge:
        for payload in REAL_XML:
            answer = await sent(bridge, payload.read_bytes())
            if payload.name == BROKEN:
                assert_fault(answer, 400, told="not well-formed")
            else:
                assert_ack(answer)
        for payload in REAL_JSON:
            answer = await sent(bridge, payload.read_bytes(), **{"Content-Type": "application/json"})
            assert answer.status_code == 202, payload.name
        for delivery in await judged(bridge):
            assert delivery["state"] in ("applied", "ignored"), delivery
            assert delivery["state"] == "applied" or delivery["reason"]


@needs_payloads
@pytest.mark.parametrize("payload", REAL_XML, ids=lambda path: f"{path.parent.name}/{path.stem}")
def test_every_real_message_says_what_another_parser_finds(payload: Path) -> None:
    """Compared with the standard library's own reading."""
    if payload.name == BROKEN:
        with pytest.raises(MalformedBody, match="not well-formed"):
            recognised(payload.read_bytes())
        return
    tree = ElementTree.fromstring(payload.read_bytes())
    objects = list(tree.iter("{http://soap.sforce.com/2005/09/outbound}sObject"))
    expected = [{child.tag.partition("}")[2]: child.text for child in record} for record in objects]
    messages = [message for message in record_messages(payload.read_bytes()) if message["event"] == "outbound_message"]
    as_written = [{name: _as_xml(value) for name, value in message["record"].items()} for message in messages]
    assert as_written == expected
    for message in messages:
        kept = recognised(payload.read_bytes(), salesforce(organization_id=None, object=message["object"]))
        assert b"REDACTED.SESSION.ID" not in b"".join(one.body for one in kept)


def _as_xml(value: Any) -> Any:
    return str(value).lower() if isinstance(value, bool) else value


# -- whatever comes ----------------------------------------------------------------------------------------------------------------

TOKENS = re.findall(r"<[^>]*>|[^<]+", VALID)
NAMES = ["Notification", "notifications", "sObject", "Id", "sf:Id", "SessionId", "Envelope", "x", "sf:IsClosed", "true"]
INSERTED = [
    "<!DOCTYPE x>",
    '<!DOCTYPE x [<!ENTITY e "&e;">]>',
    "&e;",
    "&amp;",
    "&#0;",
    "&#x1F525;",
    "&#xD800;",
    "<![CDATA[",
    "]]>",
    "<!--",
    "-->",
    "<?xml version='1.0'?>",
    "<?pi?>",
    "\x00",
    "\x01",
    "\ufffe",
    "9" * 400,
    "1e999",
    "-1",
    "true",
    "null",
    " " * 100,
    "{",
    "<a>" * 20,
    "<Notification/>" * 120,
    '<sObject xsi:nil="true"/>',
    "<sf:Id>500000000000000</sf:Id>",
    "<sf:SystemModstamp>9999-99-99T99:99:99Z</sf:SystemModstamp>",
    "<sf:SystemModstamp>0001-01-01T00:00:00+23:59</sf:SystemModstamp>",
    "<sf:IsDeleted>true</sf:IsDeleted>",
    "<sf:Subject><sf:a>1</sf:a><sf:a/></sf:Subject>",
]
ENCODINGS = ["utf-8", "utf-16", "utf-16-be", "utf-8-sig", "latin-1", "cp1252", "utf-32", "utf-7", "cp037"]
DECLARED = [
    "UTF-8",
    "UTF-16",
    "ISO-8859-1",
    "windows-1252",
    "US-ASCII",
    "klingon",
    "utf-32",
    "idna",
    "hex",
    "unicode_escape",
    "",
    "x" * 99,
]

Tokens = list[str]


def _span(tokens: Tokens, at: int) -> slice:
    """The element that begins at a token, to its end; the token alone if none begins there."""
    if not re.match(r"<[^/!?]", tokens[at]) or tokens[at].endswith("/>"):
        return slice(at, at + 1)
    depth = 0
    for end in range(at, len(tokens)):
        if re.match(r"<[^/!?]", tokens[end]) and not tokens[end].endswith("/>"):
            depth += 1
        depth -= tokens[end].startswith("</")
        if depth == 0:
            return slice(at, end + 1)
    return slice(at, at + 1)


def _renamed(element: Tokens, name: str) -> Tokens:
    first = re.sub(r"<[\w:]+", f"<{name}", element[0], count=1)
    return [first, *element[1:-1], f"</{name}>"] if len(element) > 1 else [first]


def _mutated(tokens: Tokens, kind: str, at: int, other: int, name: str, text: str) -> Tokens:
    """A change to the document's structure; most keep it well-formed."""
    at, other = at % len(tokens), other % (len(tokens) + 1)
    span = _span(tokens, at)
    element = tokens[span]
    match kind:
        case "drop":
            return tokens[: span.start] + tokens[span.stop :] or ["<x/>"]
        case "duplicate":
            return tokens[: span.stop] + element * (other % 4) + tokens[span.stop :]
        case "rename":
            return tokens[: span.start] + _renamed(element, name) + tokens[span.stop :]
        case "nest":
            depth = other % 20
            inside = [f"<{name}>"] * depth + element + [f"</{name}>"] * depth
            return tokens[: span.start] + inside + tokens[span.stop :]
        case "move":
            return tokens[:other] + element + tokens[other:]
        case "prefix":
            return [re.sub(r"\bsf\b", name.partition(":")[0], token) for token in tokens]
        case "attribute":
            return [*tokens[:at], tokens[at].replace(">", f' {name}="{at}">', 1), *tokens[at + 1 :]]
        case "text":
            return [*tokens[:at], text, *tokens[at + 1 :]]
        case _:
            return [*tokens[:at], text, *tokens[at:]]


KINDS = ["drop", "duplicate", "rename", "nest", "move", "prefix", "attribute", "text", "insert"]
MUTATION = st.tuples(
    st.sampled_from(KINDS),
    st.integers(0, len(TOKENS) * 2),
    st.integers(0, len(TOKENS) * 2),
    st.sampled_from(NAMES),
    st.sampled_from(INSERTED) | st.text(max_size=8),
)


@st.composite
def messages(draw: st.DrawFn) -> bytes:
    """A valid message, changed here and there: in its structure, its encoding and its bytes."""
    tokens = TOKENS
    for mutation in draw(st.lists(MUTATION, max_size=4)):
        tokens = _mutated(tokens, *mutation)[:5000]
    text = "".join(tokens)
    if draw(st.integers(0, 3)) == 0:
        text = text.replace('encoding="UTF-8"', f'encoding="{draw(st.sampled_from(DECLARED))}"')
    encoding = draw(st.sampled_from(ENCODINGS)) if draw(st.integers(0, 3)) == 0 else "utf-8"
    body = text.encode(encoding, errors="replace")
    match draw(st.sampled_from(["whole", "whole", "whole", "cut", "broken", "after"])):
        case "cut":
            return body[: draw(st.integers(0, len(body)))]
        case "broken":
            at = draw(st.integers(0, len(body)))
            return body[:at] + draw(st.binary(max_size=4)) + body[at + draw(st.integers(0, 4)) :]
        case "after":
            return body + draw(st.binary(max_size=4))
        case _:
            return body


SCALARS = (
    st.none() | st.booleans() | st.integers(-(2**63), 2**64 - 1) | st.floats(allow_nan=False, allow_infinity=False)
)
HEADER_NAMES = ["ChangeEventHeader", "recordIds", "changeType", "entityName", "commitTimestamp", "data", "payload"]
MESSAGE_NAMES = ["record", "records", "event", "object", "organizationId", "instanceUrl", "notificationId"]
RECORD_NAMES = ["Id", "id", "attributes", "type", "Status", "IsClosed", "IsDeleted", "SystemModstamp", "CaseNumber"]
JSON_NAMES = st.sampled_from([*HEADER_NAMES, *MESSAGE_NAMES, *RECORD_NAMES, "@closed", "@key"]) | st.text(max_size=4)
JSON_TEXTS = st.sampled_from([CASE, CASE15, ORG, "Case", "GAP_OVERFLOW", "DELETE", "true", "2026-01-01", "9" * 5000])
JSON = st.recursive(
    SCALARS | JSON_TEXTS | st.text(st.characters(exclude_categories=["Cs"]), max_size=6),
    lambda parts: st.lists(parts, max_size=3) | st.dictionaries(JSON_NAMES, parts, max_size=6),
    max_leaves=12,
)
NOISE = st.binary(max_size=200) | st.text(max_size=100).map(lambda text: text.encode(errors="replace"))
FUZZ = settings(
    max_examples=FUZZ_EXAMPLES,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow, HealthCheck.data_too_large],
)
FEWER = settings(FUZZ, max_examples=max(FUZZ_EXAMPLES // 10, 30))
TAKERS = [SALESFORCE, salesforce(organization_id=None, closed=["Closed"], fields={"key": "Subject.a", "updated": "Id"})]


def assert_read_or_refused(body: bytes) -> None:
    """The whole of what may come of a body: its deliveries, or one of two refusals."""
    for tracker in TAKERS:
        try:
            found = tracker.recognise({}, body, NOW)
        except (MalformedBody, Refused):
            continue
        for delivery in found:
            assert_said(tracker, delivery)


def assert_said(tracker: Salesforce, delivery: Recognised) -> None:
    kept = orjson.loads(delivery.body)
    assert isinstance(kept, Mapping)
    said = tracker.read(delivery.body, NOW)
    assert tracker.read(delivery.body, NOW) == said
    if isinstance(said, Ignored):
        assert said.reason
        return
    assert said.ticket_id == delivery.ticket_id
    assert re.fullmatch(r"[0-9A-Za-z]{18}", said.ticket_id)
    assert tracker.ticket(said.ticket_id, said.facts).id == said.ticket_id
    orjson.dumps(dict(said.facts))


@given(body=messages())
@FUZZ
def test_whatever_a_message_is_changed_into_it_is_read_or_refused(body: bytes) -> None:
    assert_read_or_refused(body)


@given(body=NOISE)
@FEWER
def test_noise_is_read_or_refused(body: bytes) -> None:
    assert_read_or_refused(body)


@given(value=JSON)
@FEWER
def test_whatever_json_comes_it_is_read_or_refused(value: Any) -> None:
    assert_read_or_refused(orjson.dumps(value))


@pytest.mark.anyio
@given(bodies=st.lists(messages() | NOISE | JSON.map(orjson.dumps), min_size=1, max_size=5))
@FEWER
async def test_nothing_that_comes_is_a_mistake_of_ours(bridge: Bridge, bodies: list[bytes]) -> None:
    answers = await asyncio.gather(*(sent(bridge, body) for body in bodies))
    for answer in answers:
        assert answer.status_code in (200, 202, 400, 401), answer.text
        if answer.headers["content-type"].startswith("text/xml"):
            ElementTree.fromstring(answer.content)
    assert [delivery["reason"] for delivery in await judged(bridge) if delivery["state"] == "parked"] == []


# -- what all records of a body share ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["event", "object", "instanceUrl", "notificationId", "organizationId"])
def test_a_long_text_is_not_repeated_for_every_record(name: str) -> None:
    records = [{"Id": f"500{number:012}"} for number in range(2000)]
    with pytest.raises(MalformedBody, match="longer than 255 characters"):
        recognised({name: "x" * 100_000, "records": records}, salesforce(organization_id=None))


def test_the_fields_of_a_change_event_are_not_repeated_without_bound() -> None:
    header = {"changeType": "UPDATE", "recordIds": [f"500{number:012}" for number in range(2000)]}
    with pytest.raises(MalformedBody, match="each with what all of them share"):
        recognised({"ChangeEventHeader": header, "Description": "x" * 200_000})


@pytest.mark.parametrize(
    "body",
    [
        outbound(a_case()).replace("</soapenv:Body>", "<notifications/></soapenv:Body>"),
        outbound(a_case()).replace("</Notification>", "<sObject><Id>500000000000001</Id></sObject></Notification>"),
    ],
    ids=["two elements in the body", "two records in a notification"],
)
def test_a_message_is_acknowledged_whole_or_not_at_all(body: str) -> None:
    with pytest.raises(MalformedBody, match="more than one"):
        recognised(body)


def test_the_checksum_of_an_id_may_be_in_other_capitals() -> None:
    ids = [{"Id": "500xx000000bX2B"}, {"Id": "500xx000000bX2BAAU"}, {"Id": "500xx000000bX2Baau"}]
    assert {found.ticket_id for found in recognised(ids)} == {CASE}
