"""A client that others wrote for the real Salesforce works against the simulated one, over real HTTP."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import requests
from anyio.from_thread import start_blocking_portal
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from simple_salesforce.api import Salesforce
from simple_salesforce.exceptions import (
    SalesforceAuthenticationFailed,
    SalesforceExpiredSession,
    SalesforceMalformedRequest,
    SalesforceRefusedRequest,
    SalesforceResourceNotFound,
)
from simple_salesforce.login import SalesforceLogin

from bridge.sandbox.salesforce import SimulatedSalesforce, salesforce_serving
from tests.sandbox.test_salesforce import a_die

PRIVATE_KEY = rsa.generate_private_key(public_exponent=65537, key_size=2048)
PUBLIC_PEM = PRIVATE_KEY.public_key().public_bytes(
    serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
)


class ToTheSandbox(requests.adapters.HTTPAdapter):
    """simple-salesforce insists on https and on Salesforce's domains: everything goes to one local address instead."""

    def __init__(self, url: str) -> None:
        super().__init__()
        self._url = url

    def send(self, request: Any, *args: Any, **kwargs: Any) -> Any:
        request.url = self._url + request.path_url
        return super().send(request, *args, **kwargs)


@pytest.fixture
def org() -> SimulatedSalesforce:
    """By the machine's clock, as that is the client's."""
    return SimulatedSalesforce(
        lambda: datetime.now(UTC), a_die(), page_size=2, daily_limit=50, public_key=PUBLIC_PEM.decode()
    )


@pytest.fixture
def session(org: SimulatedSalesforce) -> Iterator[requests.Session]:
    """The org is served from a thread of its own, as the client blocks."""
    with (
        start_blocking_portal() as portal,
        portal.wrap_async_context_manager(salesforce_serving(org)) as url,
        requests.Session() as session,
    ):
        session.mount("https://", ToTheSandbox(url))
        yield session


@pytest.fixture
def client(session: requests.Session) -> Salesforce:
    token, instance = login(session)
    return Salesforce(session_id=token, instance=instance, session=session, version="61.0")


def login(session: requests.Session, secret: str = "demo") -> tuple[str, str]:
    return SalesforceLogin(consumer_key="connected-app", consumer_secret=secret, domain="acme.my", session=session)


def test_it_signs_in_with_client_credentials(session: requests.Session) -> None:
    token, instance = login(session)

    assert token.startswith("00D000000000001!")
    assert instance.startswith("127.0.0.1:")
    with pytest.raises(SalesforceAuthenticationFailed, match="invalid_client"):
        login(session, "wrong")


def test_it_signs_in_with_a_signed_assertion(session: requests.Session) -> None:
    pem = PRIVATE_KEY.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )

    client = Salesforce(
        username="bridge@acme.test", consumer_key="connected-app", privatekey=pem.decode(), session=session
    )

    assert client.query("SELECT COUNT() FROM Case")["totalSize"] == 0


def test_it_queries(client: Salesforce, org: SimulatedSalesforce) -> None:
    for number in range(5):
        org.open(Subject=f"case {number}")
    org.delete(org.records("Case")[0]["Id"])
    soql = "SELECT Id, Subject FROM Case ORDER BY CaseNumber"

    page = client.query(soql)
    rest = client.query_more(page["nextRecordsUrl"], identifier_is_url=True)
    by_name = client.query_more(page["nextRecordsUrl"].rsplit("/", 1)[1])
    everything = client.query_all(soql, include_deleted=True)

    assert (page["totalSize"], page["done"], len(page["records"])) == (4, False, 2)
    assert rest == by_name
    assert [row["Subject"] for row in rest["records"]] == ["case 3", "case 4"]
    assert everything["totalSize"] == 5
    with pytest.raises(SalesforceMalformedRequest, match="INVALID_FIELD"):
        client.query("SELECT Colour__c FROM Case")


def test_it_reads_and_writes_records(client: Salesforce, org: SimulatedSalesforce) -> None:
    cases: Any = client.Case
    created = cases.create({"Subject": "Printer on fire"})
    record_id = created["id"]

    assert created["success"] is True
    assert cases.get(record_id)["CaseNumber"] == "00001001"
    assert cases.update(record_id, {"Status": "Closed"}) == 204
    assert cases.get(record_id)["IsClosed"] is True
    assert cases.delete(record_id) == 204
    assert org.records("Case") == []
    with pytest.raises(SalesforceResourceNotFound, match="ENTITY_IS_DELETED"):
        cases.get(record_id)


def test_it_reads_the_schema(client: Salesforce) -> None:
    everything: Any = client.describe()
    case: Any = client.Case
    described = case.describe()

    assert "Case" in [sobject["name"] for sobject in everything["sobjects"]]
    assert described["keyPrefix"] == "500"
    assert "SystemModstamp" in [field["name"] for field in described["fields"]]


def test_it_asks_what_was_changed_and_deleted(client: Salesforce, org: SimulatedSalesforce) -> None:
    kept, gone = org.open()["Id"], org.open()["Id"]
    org.delete(gone)
    cases: Any = client.Case
    now = datetime.now(UTC)
    start, end = now - timedelta(hours=1), now + timedelta(hours=1)

    assert cases.updated(start, end)["ids"] == [kept]
    assert [row["id"] for row in cases.deleted(start, end)["deletedRecords"]] == [gone]


def test_it_sees_the_limits(client: Salesforce) -> None:
    limits = client.limits()["DailyApiRequests"]
    usage = client.api_usage["api-usage"]

    assert limits == {"Max": 50, "Remaining": 49}
    assert tuple(usage)[:2] == (1, 50)
    for _ in range(49):
        client.limits()
    with pytest.raises(SalesforceRefusedRequest, match="REQUEST_LIMIT_EXCEEDED"):
        client.limits()


def test_an_expired_session(client: Salesforce, org: SimulatedSalesforce) -> None:
    org.expire_sessions()

    with pytest.raises(SalesforceExpiredSession):
        client.query("SELECT Id FROM Case")


def test_it_renews_a_session_that_it_opened_itself(session: requests.Session, org: SimulatedSalesforce) -> None:
    client = Salesforce(
        consumer_key="connected-app", consumer_secret="demo", domain="acme.my", session=session, version="61.0"
    )
    org.expire_sessions()

    assert client.query("SELECT COUNT() FROM Case")["totalSize"] == 0
    assert org.journal.calls["token"] == 2
