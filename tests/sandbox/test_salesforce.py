"""The simulated Salesforce over a real socket: sessions, records, limits, replication and faults."""

from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from random import Random
from typing import Any

import httpx
import jwt
import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from bridge.sandbox.salesforce import Failure, Fault, SimulatedSalesforce, create_app, salesforce_serving
from bridge.sandbox.salesforce.ids import full_id

pytestmark = pytest.mark.anyio

NOON = datetime(2026, 1, 15, 12, 0, tzinfo=UTC)
CREDENTIALS = {"grant_type": "client_credentials", "client_id": "connected-app", "client_secret": "demo"}
JWT_BEARER = "urn:ietf:params:oauth:grant-type:jwt-bearer"
DATA = "/services/data/v61.0"


class Clock:
    """Noon, until a test moves it on."""

    def __init__(self) -> None:
        self.now = NOON

    def __call__(self) -> datetime:
        return self.now

    def passes(self, **span: float) -> None:
        self.now += timedelta(**span)


def a_die() -> Random:
    return Random(1)  # noqa: S311 - a die, not a secret


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def org(clock: Clock) -> SimulatedSalesforce:
    return SimulatedSalesforce(clock, a_die())


@pytest.fixture
async def url(org: SimulatedSalesforce) -> AsyncIterator[str]:
    async with salesforce_serving(org) as base:
        yield base


@pytest.fixture
async def client(org: SimulatedSalesforce, url: str) -> AsyncIterator[httpx.AsyncClient]:
    """A client with a session, below one version of the API."""
    headers = {"Authorization": f"Bearer {org.sessions.start()}"}
    async with httpx.AsyncClient(base_url=url + DATA, headers=headers) as signed_in:
        yield signed_in


def error(response: httpx.Response) -> tuple[int, str]:
    """Status and code of an error, which is always an array of one."""
    (only,) = response.json()
    return response.status_code, only["errorCode"]


# -- sessions ----------------------------------------------------------------------------------------------------------------------


async def token_for(url: str, form: dict[str, str], **options: Any) -> httpx.Response:
    async with httpx.AsyncClient() as http:
        return await http.post(f"{url}/services/oauth2/token", data=form, **options)


async def test_client_credentials_give_a_session_without_saying_how_long(url: str, org: SimulatedSalesforce) -> None:
    answer = (await token_for(url, CREDENTIALS)).json()

    assert answer["instance_url"] == url
    assert answer["token_type"] == "Bearer"
    assert answer["id"].startswith(f"{url}/id/{org.organization_id}/005")
    assert not {"expires_in", "refresh_token"} & set(answer)
    headers = {"Authorization": f"Bearer {answer['access_token']}"}
    async with httpx.AsyncClient(headers=headers) as http:
        assert (await http.get(f"{url}{DATA}/limits")).status_code == 200


async def test_client_credentials_may_come_as_basic_authentication(url: str) -> None:
    form = {"grant_type": "client_credentials"}

    assert (await token_for(url, form, auth=("connected-app", "demo"))).status_code == 200
    assert (await token_for(url, form, headers={"Authorization": "Basic ?"})).json()["error"] == "invalid_client"


@pytest.mark.parametrize(
    ("changed", "error"),
    [
        ({"client_secret": "wrong"}, "invalid_client"),
        ({"client_id": "somebody"}, "invalid_client"),
        ({"grant_type": "password"}, "unsupported_grant_type"),
        ({"grant_type": JWT_BEARER, "assertion": "nonsense"}, "invalid_grant"),
    ],
)
async def test_a_wrong_request_for_a_token(url: str, changed: dict[str, str], error: str) -> None:
    answer = await token_for(url, CREDENTIALS | changed)

    assert answer.status_code == 400
    assert answer.json()["error"] == error
    assert answer.json()["error_description"]


@pytest.fixture(scope="module")
def keys() -> tuple[str, str]:
    """A private key and its public one."""
    private = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    pem, no_password = serialization.Encoding.PEM, serialization.NoEncryption()
    secret = private.private_bytes(pem, serialization.PrivateFormat.PKCS8, no_password).decode()
    public = private.public_key().public_bytes(pem, serialization.PublicFormat.SubjectPublicKeyInfo).decode()
    return secret, public


@pytest.mark.parametrize(
    ("changed", "refused"),
    [
        ({}, None),
        ({"aud": "https://test.salesforce.com"}, None),
        ({"iss": "somebody"}, "invalid_client"),
        ({"sub": "somebody@acme.test"}, "invalid_grant"),
        ({"aud": "https://example.com"}, "invalid_grant"),
        ({"exp": NOON - timedelta(seconds=1)}, "invalid_grant"),
        ({"exp": NOON + timedelta(minutes=6)}, "invalid_grant"),
        ({"exp": None}, "invalid_grant"),
    ],
)
async def test_a_signed_assertion_goes_by_the_orgs_clock(
    keys: tuple[str, str], clock: Clock, changed: dict[str, Any], refused: str | None
) -> None:
    secret, public = keys
    claims = {
        "iss": "connected-app",
        "sub": "bridge@acme.test",
        "aud": "https://login.salesforce.com",
        "exp": NOON + timedelta(minutes=3),
    }
    assertion = jwt.encode(claims | changed, secret, algorithm="RS256")

    async with salesforce_serving(SimulatedSalesforce(clock, a_die(), public_key=public)) as url:
        answer = await token_for(url, {"grant_type": JWT_BEARER, "assertion": assertion})

    assert answer.json().get("error") == refused


async def test_the_servers_own_address_is_an_audience(keys: tuple[str, str], clock: Clock) -> None:
    secret, public = keys
    async with salesforce_serving(SimulatedSalesforce(clock, a_die(), public_key=public)) as url:
        claims = {"iss": "connected-app", "sub": "bridge@acme.test", "aud": url, "exp": NOON + timedelta(minutes=3)}
        form = {"grant_type": JWT_BEARER, "assertion": jwt.encode(claims, secret, algorithm="RS256")}

        assert (await token_for(url, form)).status_code == 200


async def test_an_assertion_of_another_key(keys: tuple[str, str], url: str) -> None:
    assertion = jwt.encode({"iss": "connected-app"}, keys[0], algorithm="RS256")

    assert (await token_for(url, {"grant_type": JWT_BEARER, "assertion": assertion})).json()["error"] == "invalid_grant"


async def test_nothing_is_answered_without_a_session(url: str) -> None:
    async with httpx.AsyncClient(base_url=url + DATA) as stranger:
        for headers in ({}, {"Authorization": "Bearer wrong"}, {"Authorization": "Basic x"}):
            response = await stranger.get("/limits", headers=headers)

            assert error(response) == (401, "INVALID_SESSION_ID")


async def test_a_session_lives_on_while_it_is_used(client: httpx.AsyncClient, clock: Clock) -> None:
    for _ in range(3):
        clock.passes(seconds=7199)
        assert (await client.get("/limits")).status_code == 200
    clock.passes(seconds=7200)

    assert error(await client.get("/limits")) == (401, "INVALID_SESSION_ID")


async def test_sessions_can_be_ended(client: httpx.AsyncClient, org: SimulatedSalesforce) -> None:
    org.expire_sessions()

    assert error(await client.get("/limits")) == (401, "INVALID_SESSION_ID")


# -- limits and faults -------------------------------------------------------------------------------------------------------------


async def test_every_answer_tells_the_usage_and_the_last_one_refuses(clock: Clock) -> None:
    org = SimulatedSalesforce(clock, a_die(), daily_limit=3)
    headers = {"Authorization": f"Bearer {org.sessions.start()}"}
    async with salesforce_serving(org) as url, httpx.AsyncClient(base_url=url + DATA, headers=headers) as client:
        answers = [await client.get(path) for path in ("/limits", "/sobjects/Case/nothing", "/limits", "/limits")]
        clock.passes(hours=24)
        a_day_later = await client.post(f"{url}/services/oauth2/token", data=CREDENTIALS)
        client.headers["Authorization"] = f"Bearer {a_day_later.json()['access_token']}"
        again = await client.get("/limits")

    assert [answer.headers["Sforce-Limit-Info"].partition("=")[2] for answer in answers] == ["1/3", "2/3", "3/3", "3/3"]
    assert answers[2].json() == {"DailyApiRequests": {"Max": 3, "Remaining": 0}}
    assert answers[3].json() == [
        {"message": "TotalRequests Limit exceeded.", "errorCode": "REQUEST_LIMIT_EXCEEDED"},
    ]
    assert answers[3].status_code == 403
    assert again.status_code == 200


async def test_a_fault_is_answered_instead_of_the_work(client: httpx.AsyncClient, org: SimulatedSalesforce) -> None:
    org.faults.append(Fault(operation="create", status=400, code="UNABLE_TO_LOCK_ROW", message="unable", retry_after=7))

    first = await client.post("/sobjects/Case", json={"Subject": "x"})

    assert error(first) == (400, "UNABLE_TO_LOCK_ROW")
    assert first.headers["Retry-After"] == "7"
    assert not org.records("Case")
    assert (await client.post("/sobjects/Case", json={"Subject": "x"})).status_code == 201
    assert org.journal.requests == [{"operation": "create", "status": 400}, {"operation": "create", "status": 201}]
    assert org.journal.calls == {"create": 2}


async def test_a_fault_may_last_and_strike_every_operation(client: httpx.AsyncClient, org: SimulatedSalesforce) -> None:
    org.faults.append(Fault(status=503, code="SERVER_UNAVAILABLE", times=None))

    assert {error(await client.get(path)) for path in ("/limits", "/sobjects", "/limits")} == {
        (503, "SERVER_UNAVAILABLE")
    }


async def test_a_fault_of_the_token_endpoint_has_oauths_shape(url: str, org: SimulatedSalesforce) -> None:
    org.faults.append(Fault(operation="token", status=400, code="invalid_grant", message="ip restricted"))

    assert (await token_for(url, CREDENTIALS)).json() == {
        "error": "invalid_grant",
        "error_description": "ip restricted",
    }


async def test_a_dropped_connection(client: httpx.AsyncClient, org: SimulatedSalesforce) -> None:
    org.faults.append(Fault(operation="limits", kind="drop"))

    with pytest.raises((httpx.RemoteProtocolError, httpx.ReadError)):
        await client.get("/limits")
    assert (await client.get("/limits")).status_code == 200


# -- records -----------------------------------------------------------------------------------------------------------------------


def test_a_case_is_opened_with_what_salesforce_fills_in(org: SimulatedSalesforce) -> None:
    first, second = org.open(Subject="Printer on fire"), org.open(Subject="")

    assert (first["CaseNumber"], second["CaseNumber"]) == ("00001001", "00001002")
    assert first | {"Status": "New", "Priority": "Medium", "Origin": "Web", "IsClosed": False} == first
    assert first["IsDeleted"] is False
    assert first["CreatedDate"] == first["LastModifiedDate"] == first["SystemModstamp"]
    assert second["Subject"] is None
    assert len(first["Id"]) == 18
    assert first["Id"].startswith("500")


def test_an_id_of_15_characters_has_one_of_18() -> None:
    assert full_id("00D000000000001") == "00D000000000001EAA"
    assert full_id("0031I0000081tbP") == "0031I0000081tbPQAQ"  # of a real message
    assert full_id("0031I0000081tbPQAQ") == "0031I0000081tbPQAQ"
    assert full_id("0031I0000081tbPQAA") is None


def test_other_objects_are_set_up_by_their_first_record(org: SimulatedSalesforce) -> None:
    work, incident, request = org.open("WorkOrder"), org.open("Incident__c", Cost__c=5), org.open("Request__c")

    assert [record["Id"][:3] for record in (work, incident, request)] == ["0WO", "a00", "a01"]
    assert (work["WorkOrderNumber"], incident["Name"]) == ("00000001", "Incident-0001")


def test_no_two_states_of_a_record_share_a_time(org: SimulatedSalesforce, clock: Clock) -> None:
    case = org.open()
    stamps = [case["SystemModstamp"]]
    org.edit(case["Id"], Priority="High")
    stamps.append(case["SystemModstamp"])
    clock.passes(hours=1)
    org.edit(case["Id"], Priority="Low")
    stamps.append(case["SystemModstamp"])

    assert stamps == [f"2026-01-15T{at}.000+0000" for at in ("12:00:01", "12:00:02", "13:00:00")]


def test_closed_follows_from_the_status(org: SimulatedSalesforce) -> None:
    case = org.open()
    org.close(case["Id"], "Resolved")
    closed = case["ClosedDate"]
    org.edit(case["Id"], Status="Closed", IsClosed=False)

    assert case["IsClosed"] is True
    assert case["ClosedDate"] == closed == "2026-01-15T12:00:02.000+0000"
    org.reopen(case["Id"][:15])
    assert (case["Status"], case["IsClosed"], case["ClosedDate"]) == ("Working", False, None)
    org.statuses = {"New": False, "Erledigt": True}
    org.close(case["Id"], "Erledigt")
    assert case["IsClosed"] is True


def test_a_custom_object_is_closed_in_a_field_of_its_own(org: SimulatedSalesforce) -> None:
    incident = org.open("Incident__c", Status__c="Open")
    org.close(incident["Id"], "Done")

    assert incident["Status__c"] == "Done"
    assert "IsClosed" not in incident


def test_what_cannot_be_done_to_a_record(org: SimulatedSalesforce) -> None:
    case = org.open()
    org.delete(case["Id"])

    for change in (org.edit, org.close, org.delete):
        with pytest.raises(Failure) as deleted:
            change(case["Id"])
        assert deleted.value.code == "ENTITY_IS_DELETED"
    with pytest.raises(Failure, match="does not exist"):
        org.edit("500000000000999")
    with pytest.raises(TypeError, match="a field holds"):
        org.open(Subject=["a"])


async def test_a_record_is_read_by_either_id(client: httpx.AsyncClient, org: SimulatedSalesforce) -> None:
    case = org.open(Subject="Printer on fire")

    for record_id in (case["Id"], case["Id"][:15]):
        answer = (await client.get(f"/sobjects/case/{record_id}")).json()
        assert answer["attributes"] == {"type": "Case", "url": f"{DATA}/sobjects/Case/{case['Id']}"}
        assert answer | case == answer
        assert answer["ContactId"] is None


async def test_only_some_fields_of_a_record(client: httpx.AsyncClient, org: SimulatedSalesforce) -> None:
    case = org.open(Subject="x")

    some = await client.get(f"/sobjects/Case/{case['Id']}", params={"fields": "subject, IsClosed"})
    wrong = await client.get(f"/sobjects/Case/{case['Id']}", params={"fields": "Subject,Colour__c"})

    assert list(some.json()) == ["attributes", "Subject", "IsClosed"]
    assert error(wrong) == (400, "INVALID_FIELD")
    assert "Colour__c" in wrong.json()[0]["message"]


async def test_records_that_are_not_there(client: httpx.AsyncClient, org: SimulatedSalesforce) -> None:
    case, work = org.open()["Id"], org.open("WorkOrder")["Id"]

    for missing in ("500000000000999", "nothing", work):
        assert error(await client.get(f"/sobjects/Case/{missing}")) == (404, "NOT_FOUND")
    assert error(await client.get(f"/sobjects/Ticket__c/{case}")) == (404, "NOT_FOUND")
    org.delete(case)
    assert error(await client.get(f"/sobjects/Case/{case}")) == (404, "ENTITY_IS_DELETED")
    org.purge(case)
    assert error(await client.get(f"/sobjects/Case/{case}")) == (404, "NOT_FOUND")


async def test_a_record_is_written(client: httpx.AsyncClient, org: SimulatedSalesforce) -> None:
    created = await client.post("/sobjects/Case", json={"subject": "x", "Description": ""})
    (case,) = org.records("Case")
    closed = await client.patch(f"/sobjects/Case/{case['Id']}", json={"Status": "Closed"})

    assert created.status_code == 201
    assert created.json() == {"id": case["Id"], "success": True, "errors": []}
    assert (case["Subject"], case["Description"]) == ("x", None)
    assert (closed.status_code, closed.content) == (204, b"")
    assert case["IsClosed"] is True
    assert (await client.delete(f"/sobjects/Case/{case['Id']}")).status_code == 204
    assert error(await client.delete(f"/sobjects/Case/{case['Id']}")) == (404, "ENTITY_IS_DELETED")
    assert error(await client.patch(f"/sobjects/Case/{case['Id']}", json={})) == (404, "ENTITY_IS_DELETED")


@pytest.mark.parametrize(
    ("body", "code"),
    [
        (b"{", "JSON_PARSER_ERROR"),
        (b"[]", "JSON_PARSER_ERROR"),
        (b'{"Subject": {"a": 1}}', "JSON_PARSER_ERROR"),
        (b'{"Subject": 5}', "JSON_PARSER_ERROR"),
        (b'{"IsEscalated": "yes"}', "JSON_PARSER_ERROR"),
        (b'{"OwnerId": "nobody"}', "MALFORMED_ID"),
        (b'{"Colour__c": "red"}', "INVALID_FIELD"),
        (b'{"IsClosed": true}', "INVALID_FIELD_FOR_INSERT_UPDATE"),
        (b'{"Id": "500000000000001"}', "INVALID_FIELD_FOR_INSERT_UPDATE"),
    ],
)
async def test_what_cannot_be_written(
    client: httpx.AsyncClient, org: SimulatedSalesforce, body: bytes, code: str
) -> None:
    assert error(await client.post("/sobjects/Case", content=body)) == (400, code)
    assert not org.records("Case")


async def test_times_are_written_in_any_zone_and_read_in_utc(
    client: httpx.AsyncClient, org: SimulatedSalesforce
) -> None:
    case = org.open(Due__c=NOON)
    await client.patch(f"/sobjects/Case/{case['Id']}", json={"Due__c": "2026-01-15T10:20:30+02:00"})

    assert case["Due__c"] == "2026-01-15T08:20:30.000+0000"


async def test_what_the_org_has(client: httpx.AsyncClient, org: SimulatedSalesforce, url: str) -> None:
    org.open(Cost_Center__c="42")
    org.open("Incident__c", Open__c=True, Cost__c=1.5, Due__c="2026-01-15")

    names = {sobject["name"]: sobject["keyPrefix"] for sobject in (await client.get("/sobjects")).json()["sobjects"]}
    case = (await client.get("/sobjects/case/describe")).json()
    incident = (await client.get("/sobjects/Incident__c/describe")).json()

    assert names == {"Case": "500", "WorkOrder": "0WO", "CaseStatus": "01J", "Incident__c": "a00"}
    assert (case["name"], case["label"], case["keyPrefix"]) == ("Case", "Case", "500")
    types = {field["name"]: (field["type"], field["label"]) for field in case["fields"]}
    assert types["SystemModstamp"] == ("datetime", "System Modstamp")
    assert types["Cost_Center__c"] == ("string", "Cost Center")
    kinds = {field["name"]: field["type"] for field in incident["fields"]}
    assert kinds | {"Open__c": "boolean", "Cost__c": "double", "Due__c": "date"} == kinds
    async with httpx.AsyncClient() as stranger:
        assert {"label", "url", "version"} <= set((await stranger.get(f"{url}/services/data")).json()[0])


async def test_paths_and_methods_that_do_not_exist(client: httpx.AsyncClient, url: str) -> None:
    assert error(await client.get("/bulk")) == (404, "NOT_FOUND")
    assert error(await client.get("/sobjects/Nothing__c/describe")) == (404, "NOT_FOUND")
    assert error(await client.get(f"{url}/services/data/latest/limits")) == (404, "NOT_FOUND")
    assert error(await client.put("/limits")) == (405, "METHOD_NOT_ALLOWED")


# -- replication -------------------------------------------------------------------------------------------------------------------

SPAN = {"start": "2026-01-15T12:00:00.000Z", "end": "2026-01-15T14:00:00+00:00"}


async def test_what_was_updated(client: httpx.AsyncClient, org: SimulatedSalesforce, clock: Clock) -> None:
    old, changed, gone = (org.open()["Id"] for _ in range(3))
    clock.passes(hours=1)
    org.edit(changed, Priority="High")
    org.delete(gone)

    hour = {"start": "2026-01-15T12:30:00Z", "end": "2026-01-15T13:00:00Z"}
    answer = (await client.get("/sobjects/Case/updated", params=hour)).json()

    assert answer == {"ids": [changed], "latestDateCovered": "2026-01-15T13:00:00.000+0000"}
    clock.passes(minutes=1)
    everything = (await client.get("/sobjects/Case/updated/", params=SPAN)).json()
    assert everything == {"ids": [old, changed], "latestDateCovered": "2026-01-15T13:01:00.000+0000"}


async def test_what_was_deleted(client: httpx.AsyncClient, org: SimulatedSalesforce) -> None:
    binned, purged, saved = (org.open()["Id"] for _ in range(3))
    for record_id in (binned, purged, saved):
        org.delete(record_id)
    org.purge(purged)
    org.undelete(saved)

    answer = (await client.get("/sobjects/Case/deleted", params=SPAN)).json()

    assert answer["deletedRecords"] == [
        {"id": binned, "deletedDate": "2026-01-15T12:00:04.000+0000"},
        {"id": purged, "deletedDate": "2026-01-15T12:00:05.000+0000"},
    ]
    assert answer["latestDateCovered"] == "2026-01-15T12:00:08.000+0000"
    assert answer["earliestDateAvailable"] == "2025-12-31T12:00:08.000+0000"


@pytest.mark.parametrize(
    "span",
    [
        {},
        {"start": "2026-01-15T12:00:00Z"},
        {"start": "2026-01-15T12:00:00 00:00", "end": "2026-01-15T13:00:00Z"},
        {"start": "2026-01-15T13:00:00Z", "end": "2026-01-15T12:00:00Z"},
        {"start": "2025-01-15T13:00:00Z", "end": "2026-01-15T12:00:00Z"},
    ],
)
async def test_a_span_that_cannot_be_answered(client: httpx.AsyncClient, span: dict[str, str]) -> None:
    for which in ("updated", "deleted"):
        response = await client.get(f"/sobjects/Case/{which}", params=span)
        assert error(response) == (400, "INVALID_REPLICATION_DATE")


# -- nothing breaks it -------------------------------------------------------------------------------------------------------------


@given(
    method=st.sampled_from(["GET", "POST", "PATCH", "DELETE"]),
    path=st.lists(
        st.sampled_from(["sobjects", "Case", "CaseStatus", "query", "updated", "500000000000001", "x", "describe"])
        | st.text(max_size=5)
    ),
    body=st.binary(max_size=30) | st.sampled_from([b'{"Subject": null}', b'{"Status": 1e999}', b'{"Type": "\\ud800"}']),
    query=st.text(max_size=20),
)
@settings(max_examples=100, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
async def test_no_request_breaks_it(
    org: SimulatedSalesforce, method: str, path: list[str], body: bytes, query: str
) -> None:
    org.usage.limit += 1
    headers = {"Authorization": f"Bearer {org.sessions.start()}"}
    transport = httpx.ASGITransport(create_app(org))
    async with httpx.AsyncClient(transport=transport, base_url="http://org.test", headers=headers) as client:
        quoted = "/".join(httpx.QueryParams({"": part}).__str__()[1:] for part in path)
        for root in (DATA, "/services"):
            response = await client.request(
                method, f"{root}/{quoted}", content=body, params={"q": query, "fields": query}
            )
            assert response.status_code < 500


@given(form=st.dictionaries(st.sampled_from(["grant_type", "assertion", "client_id"]), st.text()), raw=st.binary())
@settings(max_examples=50, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
async def test_no_request_for_a_token_breaks_it(org: SimulatedSalesforce, form: dict[str, str], raw: bytes) -> None:
    transport = httpx.ASGITransport(create_app(org))
    async with httpx.AsyncClient(transport=transport, base_url="http://org.test") as http:
        for content in ({"data": form}, {"content": raw}, {"data": {"grant_type": JWT_BEARER, "assertion": raw}}):
            response = await http.post("/services/oauth2/token", **content)
            assert response.status_code == 400
