"""The client of Salesforce's REST API, against the simulated org over real sockets: what it finds, and the class of every error."""

from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from random import Random

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa

from bridge.apis import SalesforceClient, SalesforceTickets
from bridge.config import SalesforceApi, SalesforceSource
from bridge.errors import NotFound, RateLimited, Rejected, Unauthorized, Unavailable
from bridge.sandbox.salesforce import Fault, SimulatedSalesforce, salesforce_serving

pytestmark = pytest.mark.anyio

NOW = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
WITHIN = timedelta(seconds=30)
CLIENT = {"type": "client_credentials", "client_id": "connected-app", "client_secret": "demo"}


@dataclass
class Clock:
    """A clock that a test moves."""

    now: datetime = NOW

    def __call__(self) -> datetime:
        return self.now


def an_org(clock: Clock, **options: object) -> SimulatedSalesforce:
    return SimulatedSalesforce(clock, Random(1), **options)  # type: ignore[arg-type]  # noqa: S311 - ids


@dataclass
class Setting:
    """An org and our client of it."""

    org: SimulatedSalesforce
    client: SalesforceClient
    clock: Clock
    url: str


@pytest.fixture
async def setting() -> AsyncIterator[Setting]:
    clock = Clock()
    org = an_org(clock, page_size=5, daily_limit=100)
    async with salesforce_serving(org) as url, SalesforceClient(api(url), clock) as client:
        yield Setting(org, client, clock, url)


def api(url: str, **auth: str) -> SalesforceApi:
    return SalesforceApi.model_validate({"url": url, "auth": auth or CLIENT})


# -- reading -----------------------------------------------------------------------------------------------------------------------


async def test_a_query_goes_on_to_its_last_page(setting: Setting) -> None:
    cases = [setting.org.open(Subject=f"Case {number}") for number in range(12)]
    found = [record["Id"] async for record in setting.client.query("SELECT Id FROM Case ORDER BY CaseNumber")]
    assert found == [case["Id"] for case in cases]
    assert setting.org.journal.calls["queryMore"] == 2


async def test_records_are_found_by_id_in_chunks(setting: Setting) -> None:
    cases = [setting.org.open() for _ in range(450)]
    setting.org.page_size = 2000
    ids = [case["Id"] for case in cases]
    found = {record["Id"] async for record in setting.client.records("Case", ids, ["Id"])}
    assert found == set(ids)
    assert setting.org.journal.calls["queryAll"] == 3


async def test_a_deleted_record_is_shown_as_deleted_until_it_is_purged(setting: Setting) -> None:
    org, client = setting.org, setting.client
    case = org.open()["Id"]

    async def shown() -> list[bool]:
        return [record["IsDeleted"] async for record in client.records("Case", [case], ["Id", "IsDeleted"])]

    assert await shown() == [False]
    org.delete(case)
    assert await shown() == [True]
    with pytest.raises(NotFound):
        await client.record("Case", case)
    org.undelete(case)
    assert await shown() == [False]
    assert (await client.record("Case", case))["Id"] == case
    org.delete(case)
    org.purge(case)
    assert await shown() == []


async def test_deletions_are_told_with_the_time_until_which_they_are_known(setting: Setting) -> None:
    org = setting.org
    gone, back = org.open()["Id"], org.open()["Id"]
    org.delete(gone)
    org.delete(back)
    org.undelete(back)
    told = await setting.client.deleted("Case", NOW - timedelta(hours=1), NOW + timedelta(hours=1))
    assert list(told.records) == [gone]
    assert all(NOW <= at <= NOW + timedelta(minutes=1) for at in told.records.values())
    assert told.latest_date_covered.tzinfo is not None


async def test_changes_are_found_by_time(setting: Setting) -> None:
    org = setting.org
    source = SalesforceSource.model_validate({"type": "salesforce", "secrets": ["s"]})
    tickets = SalesforceTickets(setting.client, source, [], setting.clock)
    org.open(Subject="old")
    setting.clock.now += timedelta(hours=1)
    recent = org.open(Subject="recent")["Id"]
    setting.clock.now += timedelta(hours=1)
    new = org.open(Subject="new")["Id"]

    async def since(moment: datetime) -> list[str]:
        found, cursor = [], None
        while True:
            page = await tickets.changed(moment, cursor)
            found += [message["record"]["Id"] for message in page.messages]
            if (cursor := page.cursor) is None:
                return found

    assert await since(setting.clock.now) == [new]
    assert await since(setting.clock.now - timedelta(minutes=61)) == [recent, new]
    org.edit(recent, Subject="changed")  # the newest change is the last
    assert await since(setting.clock.now) == [new, recent]
    org.delete(new)
    assert await since(setting.clock.now) == [recent, new]  # getDeleted tells the last


async def test_which_statuses_are_closed(setting: Setting) -> None:
    setting.org.statuses["Abgeschlossen"] = True
    statuses = await setting.client.case_statuses()
    assert [name for name, closed in statuses.items() if closed] == ["Closed", "Resolved", "Abgeschlossen"]
    assert not statuses["New"]


def used(client: SalesforceClient) -> tuple[int, int] | None:
    return None if client.usage is None else (client.usage.used, client.usage.allowed)


async def test_every_answer_tells_how_many_requests_are_used(setting: Setting) -> None:
    seen = [used(setting.client)]
    assert (await setting.client.limits()).allowed == 100
    seen.append(used(setting.client))
    await setting.client.case_statuses()
    seen.append(used(setting.client))
    assert seen == [None, (1, 100), (2, 100)]


async def test_a_quote_in_a_text_does_not_end_it(setting: Setting) -> None:
    with pytest.raises(Rejected, match="invalid ID field: x' OR Id != '"):
        await anext(setting.client.records("Case", ["x' OR Id != '"], ["Id"]))


# -- signing in --------------------------------------------------------------------------------------------------------------------


async def test_an_expired_session_is_renewed_once(setting: Setting) -> None:
    await setting.client.limits()
    setting.org.expire_sessions()
    await setting.client.limits()
    assert setting.org.journal.calls["token"] == 2


async def test_a_session_that_is_always_refused_is_told(setting: Setting) -> None:
    setting.org.faults.append(Fault(operation="limits", status=401, code="INVALID_SESSION_ID", times=None))
    with pytest.raises(Unauthorized, match="INVALID_SESSION_ID"):
        await setting.client.limits()
    assert setting.org.journal.calls["token"] == 2


async def test_a_wrong_secret_is_told_without_it(setting: Setting) -> None:
    wrong = {"type": "client_credentials", "client_id": "connected-app", "client_secret": "s3cr3t"}
    async with SalesforceClient(api(setting.url, **wrong), setting.clock) as client:
        with pytest.raises(Unauthorized, match="no token from") as refused:
            await client.limits()
    assert "s3cr3t" not in str(refused.value)


def a_key() -> tuple[str, str]:
    """A private key and its public one, PEM."""
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    private = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    public = key.public_key().public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)
    return private.decode(), public.decode()


async def test_a_jwt_bearer_signs_in() -> None:
    private, public = a_key()
    clock = Clock(datetime.now(UTC))
    bearer = {"type": "jwt_bearer", "client_id": "connected-app", "username": "bridge@acme.test"}
    async with salesforce_serving(an_org(clock, public_key=public)) as url:
        async with SalesforceClient(api(url, **bearer, private_key=private), clock) as client:
            assert (await client.limits()).allowed == 15000
        for wrong in ({"private_key": a_key()[0]}, {"private_key": private, "username": "eve@acme.test"}):
            async with SalesforceClient(api(url, **{**bearer, **wrong}), clock) as client:
                with pytest.raises(Unauthorized):
                    await client.limits()
        async with SalesforceClient(api(url, **bearer, private_key="no key"), clock) as client:
            with pytest.raises(Unauthorized, match="private_key cannot sign"):
                await client.limits()


# -- errors ------------------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("fault", "expected"),
    [
        (Fault(status=403, code="REQUEST_LIMIT_EXCEEDED", message="TotalRequests Limit exceeded."), RateLimited),
        (Fault(status=403, code="REQUEST_LIMIT_EXCEEDED", message="ConcurrentRequests Limit exceeded."), RateLimited),
        (Fault(status=400, code="UNABLE_TO_LOCK_ROW", message="unable to obtain exclusive access"), Unavailable),
        (Fault(status=503, code="SERVER_UNAVAILABLE"), Unavailable),
        (Fault(status=503, code="SERVER_UNAVAILABLE", retry_after=7), RateLimited),
        (Fault(status=500, code="UNKNOWN_EXCEPTION"), Unavailable),
        (Fault(status=500, code="SOMETHING_NEW"), Unavailable),
        (Fault(status=403, code="API_DISABLED_FOR_ORG"), Unauthorized),
        (Fault(status=400, code="MALFORMED_QUERY"), Rejected),
        (Fault(status=400, code="INVALID_QUERY_LOCATOR"), Rejected),
        (Fault(status=404, code="NOT_FOUND"), NotFound),
        (Fault(kind="drop", times=None), Unavailable),
    ],
    ids=lambda value: f"{value.status} {value.code}" if isinstance(value, Fault) else "",
)
async def test_the_class_of_every_error(setting: Setting, fault: Fault, expected: type[Exception]) -> None:
    await setting.client.limits()
    setting.org.faults.append(fault)
    with pytest.raises(expected) as raised:
        await setting.client.case_statuses()
    assert type(raised.value) is expected


async def test_the_daily_limit_is_waited_out_and_a_crowd_is_let_pass(setting: Setting) -> None:
    waits = []
    for words in ("TotalRequests Limit exceeded.", "ConcurrentRequests (Concurrent API Requests) Limit exceeded."):
        setting.org.faults.append(Fault(operation="limits", status=403, code="REQUEST_LIMIT_EXCEEDED", message=words))
        with pytest.raises(RateLimited, match="Limit exceeded") as raised:
            await setting.client.limits()
        waits.append(raised.value.retry_after)
    assert waits == [timedelta(minutes=15), timedelta(seconds=30)]


async def test_the_orgs_own_daily_limit(setting: Setting) -> None:
    for _ in range(100):
        await setting.client.limits()
    assert used(setting.client) == (100, 100)
    with pytest.raises(RateLimited, match="TotalRequests Limit exceeded"):
        await setting.client.limits()


async def test_an_org_that_is_not_there(setting: Setting) -> None:
    async with SalesforceClient(api("http://127.0.0.1:1"), setting.clock) as client:
        with pytest.raises(Unavailable):
            await client.limits()


# -- tickets -----------------------------------------------------------------------------------------------------------------------


async def test_tickets_are_read_with_the_fields_that_there_are(setting: Setting) -> None:
    """Of the wanted fields those that the object has; one that a route speaks of beside the standard ones."""
    source = SalesforceSource.model_validate({"type": "salesforce", "secrets": ["s"]})
    tickets = SalesforceTickets(setting.client, source, {"Region__c", "Nowhere__c"}, setting.clock)
    case = setting.org.open(Subject="Printer", Region__c="EMEA")["Id"]
    found = await tickets.look([case, "500000000000999AAA", "500000000000998XXX"], WITHIN)
    assert list(found) == [case]
    record = found[case]["record"]
    assert (record["Subject"], record["Region__c"], record["IsClosed"]) == ("Printer", "EMEA", False)
    assert "Nowhere__c" not in record
    assert setting.org.journal.calls["describe"] == 1
    await tickets.look([case], WITHIN)
    assert setting.org.journal.calls["describe"] == 1
