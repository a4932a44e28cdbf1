"""The simulated Salesforce's queries: what they find, how they are paged, and how a wrong one is refused."""

from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from bridge.sandbox.salesforce import SimulatedSalesforce, create_app
from tests.sandbox.test_salesforce import DATA, Clock, a_die, error

pytestmark = pytest.mark.anyio


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def org(clock: Clock) -> SimulatedSalesforce:
    """Three cases: an open one, a closed one, and one with little in it."""
    org = SimulatedSalesforce(clock, a_die(), page_size=2)
    org.open(Subject="Printer on fire", Priority="High", Cost__c=10, Due__c="2026-02-01")
    org.close(org.open(Subject="it's 100% wet", Cost__c=2.5, Due__c="2026-01-01")["Id"])
    org.open()
    return org


def client_of(org: SimulatedSalesforce) -> httpx.AsyncClient:
    headers = {"Authorization": f"Bearer {org.sessions.start()}"}
    transport = httpx.ASGITransport(create_app(org))
    return httpx.AsyncClient(transport=transport, base_url=f"http://org.test{DATA}", headers=headers)


@pytest.fixture
async def client(org: SimulatedSalesforce) -> AsyncIterator[httpx.AsyncClient]:
    async with client_of(org) as signed_in:
        yield signed_in


async def ask(client: httpx.AsyncClient, soql: str, **headers: str) -> httpx.Response:
    return await client.get("/query", params={"q": soql}, headers=headers)


async def found(client: httpx.AsyncClient, rest: str) -> str:
    """The last digits of the cases that are found, in their order."""
    response = await ask(client, "SELECT CaseNumber FROM Case " + rest)  # noqa: S608 - it is the test that asks
    assert response.status_code == 200, response.text
    page = response.json()
    records = page["records"]
    if not page["done"]:
        records += (await client.get(f"http://org.test{page['nextRecordsUrl']}")).json()["records"]
    return "".join(record["CaseNumber"][-1] for record in records)


@pytest.mark.parametrize(
    ("where", "cases"),
    [
        ("Subject = 'Printer on fire'", "1"),
        ("subject = 'PRINTER ON FIRE'", "1"),  # without regard to case, as SOQL compares
        ("Subject = 'it\\'s 100% wet'", "2"),
        ("Subject LIKE 'it\\'s 100\\% %'", "2"),
        ("Subject LIKE '%r_nter%'", "1"),
        ("Subject LIKE '%*%'", ""),
        ("Subject LIKE '%'", "12"),
        ("Subject = null", "3"),
        ("Subject = ''", "3"),
        ("Subject != null", "12"),
        ("Subject <> 'Printer on fire'", "23"),  # null is unequal to a text
        ("IsClosed = true", "2"),
        ("IsClosed = FALSE", "13"),
        ("Cost__c > 2", "12"),
        ("Cost__c >= 2.5 AND Cost__c < 10.0", "2"),
        ("Due__c < 2026-01-15", "2"),
        ("SystemModstamp >= 2026-01-15T12:00:03Z", "23"),
        ("SystemModstamp <= 2026-01-15T14:00:01.000+02:00", "1"),
        ("ClosedDate > 2026-01-01T00:00:00Z", "2"),
        ("Status IN ('closed', 'Working')", "2"),
        ("Status NOT IN ('Closed')", "13"),
        ("Cost__c IN (10, null)", "13"),
        ("NOT IsClosed = true", "13"),
        ("NOT (IsClosed = true OR Priority = 'High')", "3"),
        ("IsClosed = true OR (Priority = 'High' AND Cost__c = 10)", "12"),
        ("Id = '500000000000001'", "1"),
        ("Id IN ('500000000000001AAA', '500000000000002')", "12"),
        ("Id != '500000000000001AAA'", "23"),
        ("Id > '500000000000001'", "23"),
        ("ContactId = null", "123"),
    ],
)
async def test_a_condition(client: httpx.AsyncClient, where: str, cases: str) -> None:
    assert await found(client, f"WHERE {where}") == cases


@pytest.mark.parametrize(
    ("rest", "cases"),
    [
        ("ORDER BY SystemModstamp, Id", "123"),
        ("ORDER BY Cost__c", "321"),  # nulls first
        ("ORDER BY Cost__c ASC NULLS LAST", "213"),
        ("ORDER BY Cost__c DESC NULLS LAST", "123"),
        ("ORDER BY IsClosed DESC, CaseNumber DESC", "231"),
        ("LIMIT 2", "12"),
        ("LIMIT 0", ""),
        ("ORDER BY Id LIMIT 2 OFFSET 1", "23"),
        ("OFFSET 2", "3"),
    ],
)
async def test_order_and_limits(client: httpx.AsyncClient, rest: str, cases: str) -> None:
    assert await found(client, rest) == cases


async def test_records_are_spelled_as_the_schema_spells_them(client: httpx.AsyncClient) -> None:
    answer = (await ask(client, "select ID, isclosed, cost__C from CASE where casenumber = '00001002'")).json()

    assert answer == {
        "totalSize": 1,
        "done": True,
        "records": [
            {
                "attributes": {"type": "Case", "url": f"{DATA}/sobjects/Case/500000000000002AAA"},
                "Id": "500000000000002AAA",
                "IsClosed": True,
                "Cost__c": 2.5,
            }
        ],
    }


async def test_only_how_many(client: httpx.AsyncClient) -> None:
    assert (await ask(client, "SELECT COUNT() FROM Case WHERE IsClosed = false")).json() == {
        "totalSize": 2,
        "done": True,
        "records": [],
    }


async def test_the_list_of_statuses(client: httpx.AsyncClient, org: SimulatedSalesforce) -> None:
    org.statuses = {"New": False, "Erledigt": True}
    soql = "SELECT ApiName, MasterLabel, IsClosed, IsDefault, SortOrder FROM CaseStatus ORDER BY SortOrder DESC"

    rows = (await ask(client, soql)).json()["records"]

    assert [tuple(row.values())[1:] for row in rows] == [
        ("Erledigt", "Erledigt", True, False, 2),
        ("New", "New", False, True, 1),
    ]


async def test_deleted_records(client: httpx.AsyncClient, org: SimulatedSalesforce) -> None:
    for record in org.records("Case")[:2]:
        org.delete(record["Id"])
    org.purge("500000000000002")
    soql = "SELECT CaseNumber, IsDeleted FROM Case"

    plain = (await ask(client, soql)).json()["records"]
    everything = (await client.get("/queryAll/", params={"q": soql})).json()["records"]

    assert [row["CaseNumber"] for row in plain] == ["00001003"]
    assert [(row["CaseNumber"], row["IsDeleted"]) for row in everything] == [("00001001", True), ("00001003", False)]


# -- pages -------------------------------------------------------------------------------------------------------------------------


async def test_pages(client: httpx.AsyncClient, org: SimulatedSalesforce) -> None:
    first = (await ask(client, "SELECT Id FROM Case")).json()
    org.open()
    second = (await client.get(f"http://org.test{first['nextRecordsUrl']}")).json()

    assert (first["totalSize"], first["done"], len(first["records"])) == (3, False, 2)
    assert (second["totalSize"], second["done"], len(second["records"])) == (3, True, 1)
    assert "nextRecordsUrl" not in second


@pytest.mark.parametrize(("asked", "given"), [("batchSize=1", 1), ("batchSize=2000", 2), ("batchSize=0", 2), ("x", 2)])
async def test_a_smaller_page_can_be_asked_for(client: httpx.AsyncClient, asked: str, given: int) -> None:
    page = (await ask(client, "SELECT Id FROM Case", **{"Sforce-Query-Options": asked})).json()

    assert len(page["records"]) == given


async def test_a_locator_lives_for_two_days(client: httpx.AsyncClient, org: SimulatedSalesforce, clock: Clock) -> None:
    following = (await ask(client, "SELECT Id FROM Case")).json()["nextRecordsUrl"]
    clock.passes(days=2)
    client.headers["Authorization"] = f"Bearer {org.sessions.start()}"

    old = f"http://org.test{following}"
    for locator in (old, "/query/0r8000000000009-2000", "/query/nothing", f"{old}9", old.replace("-2", "-²")):
        assert error(await client.get(locator)) == (400, "INVALID_QUERY_LOCATOR")


# -- refusals ----------------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("soql", "code", "says"),
    [
        ("SELECT Id, Colour__c FROM Case", "INVALID_FIELD", "Colour__c"),
        ("SELECT Id FROM Case WHERE Owner.Name = 'x'", "INVALID_FIELD", "Owner.Name"),
        ("SELECT Id FROM Case ORDER BY Colour__c", "INVALID_FIELD", "Colour__c"),
        ("SELECT Id FROM Ticket__c", "INVALID_TYPE", "Ticket__c"),
        (
            "SELECT Id FROM Case WHERE CreatedDate > '2026-01-15T12:00:00Z'",
            "INVALID_FIELD",
            "not be enclosed in quotes",
        ),
        ("SELECT Id FROM Case WHERE CreatedDate > 2026-01-15", "INVALID_FIELD", "dateTime"),
        ("SELECT Id FROM Case WHERE Subject = 5", "INVALID_FIELD", "enclosed in quotes"),
        ("SELECT Id FROM Case WHERE IsClosed = 'true'", "INVALID_FIELD", "boolean"),
        ("SELECT Id FROM Case WHERE IsClosed > true", "INVALID_QUERY_FILTER_OPERATOR", "IsClosed"),
        ("SELECT Id FROM Case WHERE Cost__c > null", "INVALID_QUERY_FILTER_OPERATOR", "Cost__c"),
        ("SELECT Id FROM Case WHERE Id = 'ABC-1'", "INVALID_QUERY_FILTER_OPERATOR", "ABC-1"),
        ("SELECT Id FROM Case WHERE CreatedDate LIKE '2026%'", "INVALID_QUERY_FILTER_OPERATOR", "CreatedDate"),
        ("SELECT Id FROM Case OFFSET 2001", "NUMBER_OUTSIDE_VALID_RANGE", "2000"),
        ("", "MALFORMED_QUERY", "SELECT"),
        ("SELECT FROM Case", "MALFORMED_QUERY", "Case"),
        ("SELECT Id, id FROM Case", "MALFORMED_QUERY", "duplicate field selected: Id"),
        ("SELECT MAX(Cost__c) FROM Case", "MALFORMED_QUERY", "COUNT()"),
        ("SELECT Id FROM Case WHERE", "MALFORMED_QUERY", "end of the query"),
        ("SELECT Id FROM Case WHERE Subject = 'x", "MALFORMED_QUERY", "closing quote"),
        ("SELECT Id FROM Case WHERE Subject = 'a\\z'", "MALFORMED_QUERY", "escape"),
        ("SELECT Id FROM Case WHERE Subject == 'x'", "MALFORMED_QUERY", "="),
        ("SELECT Id FROM Case WHERE Subject 'x'", "MALFORMED_QUERY", "'x'"),
        ("SELECT Id FROM Case WHERE Id IN ()", "MALFORMED_QUERY", ")"),
        ("SELECT Id FROM Case WHERE CreatedDate > TODAY", "MALFORMED_QUERY", "TODAY"),
        ("SELECT Id FROM Case WHERE CreatedDate > 2026-13-01T00:00:00Z", "MALFORMED_QUERY", "2026-13-01"),
        ("SELECT Id FROM Case WHERE Type = 'a' AND Type = 'b' OR Type = 'c'", "MALFORMED_QUERY", "parentheses"),
        ("SELECT Id FROM Case WHERE " + "(" * 60 + "Id = null" + ")" * 60, "MALFORMED_QUERY", "nested"),
        ("SELECT Id FROM Case LIMIT 1.5", "MALFORMED_QUERY", "1.5"),
        ("SELECT Id FROM Case LIMIT 99999999999999", "MALFORMED_QUERY", "9999"),
        ("SELECT Id FROM Case GROUP BY Id", "MALFORMED_QUERY", "GROUP"),
        ("SELECT Id FROM Case; DROP TABLE Case", "MALFORMED_QUERY", ";"),
    ],
)
async def test_a_wrong_query_is_told_what_is_wrong(client: httpx.AsyncClient, soql: str, code: str, says: str) -> None:
    response = await ask(client, soql)

    assert error(response) == (400, code)
    assert says in response.json()[0]["message"]


WORDS = """
    SELECT FROM WHERE AND OR NOT IN LIKE ORDER BY ASC DESC NULLS FIRST LAST LIMIT OFFSET COUNT ( ) , = != < >= null true
    Id Subject IsClosed Cost__c Due__c CreatedDate Case CaseStatus 'x' '%\\'_' 1 -2.5 2026-01-15 0001-01-01T00:00:00+14:00
    2026-01-15T10:20:30Z '500000000000001' 99999999999999999999
"""
TEXTS = st.text() | st.lists(st.sampled_from(WORDS.split())).map(" ".join)
QUERIES = TEXTS | TEXTS.map("SELECT Id, Subject FROM Case WHERE ".__add__)
VALUES = (
    st.none()
    | st.booleans()
    | st.integers(-(2**53), 2**53)
    | st.floats(allow_nan=False)
    | st.text("%_*?[]\\'é\n", max_size=5)
)


@given(soql=QUERIES, value=VALUES, other=VALUES)
@settings(max_examples=200, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
async def test_no_query_breaks_it(org: SimulatedSalesforce, soql: str, value: Any, other: Any) -> None:
    org.usage.limit += 1
    org.edit("500000000000001", Cost__c=value, Due__c=other)
    async with client_of(org) as client:
        assert (await ask(client, soql)).status_code in (200, 400)
