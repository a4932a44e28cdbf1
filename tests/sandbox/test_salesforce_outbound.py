"""The simulated Salesforce's outbound messages: what they say, which answers count, and when they come again."""

from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any
from xml.etree.ElementTree import Element

import httpx
import pytest
from defusedxml import ElementTree
from starlette.requests import Request
from starlette.responses import Response

from bridge.sandbox.salesforce import Delivered, MessageOptions, SimulatedSalesforce
from bridge.serving import listen, serving
from tests.sandbox.test_salesforce import NOON, Clock, a_die

pytestmark = pytest.mark.anyio

OUT = "{http://soap.sforce.com/2005/09/outbound}"
SF = "{urn:sobject.enterprise.soap.sforce.com}"
XSI = "{http://www.w3.org/2001/XMLSchema-instance}"
ACK = (
    '<e:Envelope xmlns:e="http://schemas.xmlsoap.org/soap/envelope/"><e:Body>'
    '<o:notificationsResponse xmlns:o="http://soap.sforce.com/2005/09/outbound"><o:Ack>true</o:Ack>'
    "</o:notificationsResponse></e:Body></e:Envelope>"
)
FAULT = (
    '<e:Envelope xmlns:e="http://schemas.xmlsoap.org/soap/envelope/"><e:Body>'
    "<e:Fault><faultcode>e:Server</faultcode><faultstring>later</faultstring></e:Fault></e:Body></e:Envelope>"
)
BOMB = '<!DOCTYPE x [<!ENTITY a "true">]><x>&a;</x>'


@dataclass
class Listener:
    """Takes messages, and answers as it is told; once it has run out of answers, with an Ack."""

    answers: list[tuple[int, str]] = field(default_factory=list)
    requests: list[Request] = field(default_factory=list)
    bodies: list[bytes] = field(default_factory=list)

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        request = Request(scope, receive)
        self.requests.append(request)
        self.bodies.append(await request.body())
        status, text = self.answers.pop(0) if self.answers else (200, ACK)
        await Response(text, status, media_type="text/xml")(scope, receive, send)

    def notifications(self, message: int = -1) -> list[Element]:
        """The notifications of a message that came."""
        return list(ElementTree.fromstring(self.bodies[message]).iter(f"{OUT}Notification"))


def ids(notifications: list[Element]) -> list[str | None]:
    return [one.findtext(f"{OUT}Id") for one in notifications]


def values(notification: Element) -> dict[str, str | None]:
    """The fields that a notification carries."""
    sobject = notification.find(f"{OUT}sObject")
    return {} if sobject is None else {child.tag.removeprefix(SF): child.text for child in sobject}


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def org(clock: Clock) -> SimulatedSalesforce:
    return SimulatedSalesforce(clock, a_die())


@pytest.fixture
def listener() -> Listener:
    return Listener()


@pytest.fixture
async def url(listener: Listener) -> AsyncIterator[str]:
    async with serving(listener) as base:
        yield f"{base}/hooks/acme"


@pytest.fixture
async def http() -> AsyncIterator[httpx.AsyncClient]:
    async with httpx.AsyncClient() as client:
        yield client


async def test_a_message_is_the_real_ones_envelope(
    org: SimulatedSalesforce, listener: Listener, url: str, http: httpx.AsyncClient
) -> None:
    case = org.open(Subject="fish & <chips>\x00")

    done = await org.deliver(url, http)

    assert done == Delivered(sent=1, notifications=1, acknowledged=1)
    assert org.queue == []
    assert listener.requests[0].headers["content-type"].startswith("text/xml")
    assert b'<SessionId xsi:nil="true"/>' in listener.bodies[0]
    root = ElementTree.fromstring(listener.bodies[0])
    (said,) = root.iter(f"{OUT}notifications")
    assert said.findtext(f"{OUT}OrganizationId") == "00D000000000001EAA"
    assert (said.findtext(f"{OUT}ActionId") or "").startswith("04k")
    assert (said.findtext(f"{OUT}PartnerUrl") or "").endswith("/services/Soap/u/61.0/00D000000000001")
    (notification,) = listener.notifications()
    (sobject,) = notification.iter(f"{OUT}sObject")
    assert (ids([notification])[0] or "").startswith("04l")
    assert sobject.get(f"{XSI}type") == "sf:Case"
    assert values(notification) == {
        "Id": case["Id"],
        "CaseNumber": "00001001",
        "Subject": "fish & <chips>",
        "Status": "New",
        "Priority": "Medium",
        "IsClosed": "false",
        "SystemModstamp": "2026-01-15T12:00:01.000Z",
    }


async def test_null_fields_are_left_out(
    org: SimulatedSalesforce, listener: Listener, url: str, http: httpx.AsyncClient
) -> None:
    org.messages[:] = [MessageOptions(fields=("Subject", "ClosedDate", "Never__c", "Id"))]
    case = org.open()

    await org.deliver(url, http)

    assert values(listener.notifications()[0]) == {"Id": case["Id"]}


async def test_a_session_is_sent_only_if_asked_for(
    org: SimulatedSalesforce, listener: Listener, url: str, http: httpx.AsyncClient
) -> None:
    org.messages[:] = [MessageOptions(send_session_id=True)]
    org.open()
    await org.deliver(url, http)

    token = ElementTree.fromstring(listener.bodies[0]).findtext(f".//{OUT}SessionId")
    assert org.sessions.use(str(token))


def test_every_change_is_told_to_every_set_up_of_its_object(org: SimulatedSalesforce) -> None:
    org.messages += [MessageOptions(fields=("Status",)), MessageOptions("Incident__c", ("Status__c",))]

    case = org.open()
    org.edit(case["Id"], Priority="High")
    org.close(case["Id"])
    org.reopen(case["Id"])
    org.delete(case["Id"])
    org.open("Incident__c")

    assert [one.object for one in org.queue] == ["Case"] * 8 + ["Incident__c"]
    assert len({one.id for one in org.queue}) == 9
    assert {(one.queued_at, one.due_at, one.attempts) for one in org.queue} == {(NOON, NOON, 0)}


async def test_set_ups_do_not_share_a_message(
    org: SimulatedSalesforce, listener: Listener, url: str, http: httpx.AsyncClient
) -> None:
    org.messages.append(MessageOptions("Incident__c", ("Name",)))
    org.open()
    org.open("Incident__c")
    org.open()

    assert (await org.deliver(url, http)).sent == 2
    assert [len(listener.notifications(n)) for n in (0, 1)] == [2, 1]
    assert len({ElementTree.fromstring(body).findtext(f".//{OUT}ActionId") for body in listener.bodies}) == 2


async def test_fields_are_read_when_the_message_is_sent(
    org: SimulatedSalesforce, listener: Listener, url: str, http: httpx.AsyncClient, clock: Clock
) -> None:
    case = org.open()
    listener.answers = [(500, "")]
    await org.deliver(url, http)
    org.close(case["Id"])
    clock.passes(seconds=30)
    await org.deliver(url, http)

    assert values(listener.notifications(0)[0])["Status"] == "New"
    assert {values(one)["Status"] for one in listener.notifications(1)} == {"Closed"}
    assert len(listener.notifications(1)) == 2


async def test_a_record_that_was_deleted_meanwhile_has_no_data(
    org: SimulatedSalesforce, listener: Listener, url: str, http: httpx.AsyncClient
) -> None:
    for gone in (org.delete, org.purge):
        gone(org.open()["Id"])

    waiting = [one.id for one in org.queue]
    await org.deliver(url, http)

    assert ids(listener.notifications()) == waiting
    assert all(one.find(f"{OUT}sObject") is None for one in listener.notifications())


@pytest.mark.parametrize(
    "answer",
    [
        (500, ACK),
        (202, ACK),
        (200, ""),
        (200, "true"),
        (200, ACK.replace("true", "false")),
        (200, ACK.replace("notificationsResponse", "notifications")),
        (200, FAULT),
        (200, BOMB),
        (500, FAULT),
    ],
)
async def test_only_an_ack_with_200_counts(
    org: SimulatedSalesforce, listener: Listener, url: str, http: httpx.AsyncClient, answer: tuple[int, str]
) -> None:
    org.open()
    listener.answers = [answer]

    assert await org.deliver(url, http) == Delivered(sent=1, notifications=1, failed=1)
    (waiting,) = org.queue
    assert (waiting.attempts, waiting.due_at) == (1, NOON + timedelta(seconds=30))
    assert await org.deliver(url, http) == Delivered()


async def test_retries_come_at_doubling_gaps_until_the_day_is_over(
    org: SimulatedSalesforce, http: httpx.AsyncClient, clock: Clock
) -> None:
    with listen("127.0.0.1", 0) as closed:
        nobody = f"http://127.0.0.1:{closed.getsockname()[1]}"
    org.open()
    gaps = []
    while org.queue and org.queue[0].due_at < NOON + timedelta(hours=24):
        clock.now = org.queue[0].due_at
        assert (await org.deliver(nobody, http)).failed == 1
        gaps.append((org.queue[0].due_at - clock.now).total_seconds())

    assert gaps[:10] == [30, 60, 120, 240, 480, 960, 1920, 3840, 7200, 7200]
    assert set(gaps[8:]) == {7200}
    assert await org.deliver(nobody, http, now=NOON + timedelta(hours=24)) == Delivered(dropped=1)
    assert org.queue == []


async def test_a_retry_comes_after_what_was_queued_meanwhile(
    org: SimulatedSalesforce, listener: Listener, url: str, http: httpx.AsyncClient, clock: Clock
) -> None:
    org.open()
    listener.answers = [(503, "")]
    await org.deliver(url, http)
    clock.passes(seconds=10)
    org.open()
    first, second = (one.id for one in org.queue)
    clock.passes(seconds=20)
    await org.deliver(url, http)

    assert ids(listener.notifications()) == [second, first]


@pytest.mark.parametrize(("batch", "sizes"), [(100, [100, 100, 5]), (500, [100, 100, 5]), (80, [80, 80, 45])])
async def test_a_message_holds_a_hundred_at_most(
    org: SimulatedSalesforce, listener: Listener, url: str, http: httpx.AsyncClient, batch: int, sizes: list[int]
) -> None:
    for _ in range(205):
        org.open()

    done = await org.deliver(url, http, batch=batch)

    assert done == Delivered(sent=3, notifications=205, acknowledged=205)
    assert [len(listener.notifications(n)) for n in range(3)] == sizes


async def test_one_answer_is_for_the_whole_message(
    org: SimulatedSalesforce, listener: Listener, url: str, http: httpx.AsyncClient
) -> None:
    for _ in range(4):
        org.open()
    listener.answers = [(200, ACK), (500, "")]

    done = await org.deliver(url, http, batch=2)

    assert done == Delivered(sent=2, notifications=4, acknowledged=2, failed=2)
    assert [one.id for one in org.queue] == ids(listener.notifications())


async def test_a_message_may_come_twice_although_it_was_acknowledged(
    org: SimulatedSalesforce, listener: Listener, url: str, http: httpx.AsyncClient
) -> None:
    org.open()

    done = await org.deliver(url, http, again=1.0)

    assert done == Delivered(sent=2, notifications=1, acknowledged=1)
    assert listener.bodies[0] == listener.bodies[1]
    assert org.queue == []


async def test_the_order_can_be_shuffled(
    org: SimulatedSalesforce, listener: Listener, url: str, http: httpx.AsyncClient
) -> None:
    for _ in range(20):
        org.open()
    waiting = [one.id for one in org.queue]

    await org.deliver(url, http, shuffle=True)

    came = ids(listener.notifications())
    assert came != waiting
    assert sorted(map(str, came)) == waiting


async def test_a_callout_is_json_with_every_field(
    org: SimulatedSalesforce, listener: Listener, url: str, http: httpx.AsyncClient
) -> None:
    case = org.open(Subject="x")

    response = await org.post_callout(case["Id"], url, http, **{"X-Token": "secret"})

    assert response.status_code == 200
    assert listener.requests[0].headers["x-token"] == "secret"
    assert httpx.Response(200, content=listener.bodies[0]).json() == {
        "event": "updated",
        "organizationId": "00D000000000001EAA",
        "object": "Case",
        "record": {
            "attributes": {"type": "Case", "url": f"/services/data/v61.0/sobjects/Case/{case['Id']}"},
            **case,
        },
    }
