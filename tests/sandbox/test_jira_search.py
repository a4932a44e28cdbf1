"""The simulated Jira's searches: Cloud's by tokens over an index that runs behind, Data Center's by page numbers."""

from collections.abc import AsyncIterator
from datetime import timedelta
from typing import Any

import httpx
import pytest

from bridge.sandbox.jira import SimulatedJira
from tests.sandbox.jiras import Clock, a_jira, asking, keys, words

pytestmark = pytest.mark.anyio


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def jira(clock: Clock) -> SimulatedJira:
    return a_jira(clock)


@pytest.fixture
async def client(jira: SimulatedJira) -> AsyncIterator[httpx.AsyncClient]:
    async with asking(jira, "3") as client:
        yield client


@pytest.fixture
def server() -> SimulatedJira:
    return a_jira(flavour="server", page_size=2, result_window=10)


@pytest.fixture
async def dc(server: SimulatedJira) -> AsyncIterator[httpx.AsyncClient]:
    async with asking(server, "2") as client:
        yield client


# -- Cloud -------------------------------------------------------------------------------------------------------------------------


async def test_pages_by_tokens(client: httpx.AsyncClient, jira: SimulatedJira) -> None:
    for number in range(5):
        jira.open("OPS", str(number))
    asked: dict[str, Any] = {"jql": "project = OPS ORDER BY key", "maxResults": 2, "fields": ["key"]}
    found: list[list[str]] = []
    token, page = None, {}
    for _ in range(3):
        page = (await client.post("/search/jql", json={**asked, "nextPageToken": token})).json()
        found.append([issue["key"] for issue in page["issues"]])
        token = page.get("nextPageToken")

    assert found == [["OPS-1", "OPS-2"], ["OPS-3", "OPS-4"], ["OPS-5"]]
    assert page == {"issues": page["issues"], "isLast": True}


async def test_a_token_lives_seven_days_and_is_of_one_query(
    client: httpx.AsyncClient, jira: SimulatedJira, clock: Clock
) -> None:
    for number in range(3):
        jira.open("OPS", str(number))
    query = {"jql": "project = OPS", "maxResults": "1"}
    token = (await client.get("/search/jql", params=query)).json()["nextPageToken"]

    again = [await client.get("/search/jql", params={**query, "nextPageToken": token}) for _ in range(2)]
    other = await client.get("/search/jql", params={"jql": "project in (OPS)", "nextPageToken": token})
    clock.passes(days=7)
    late = await client.get("/search/jql", params={**query, "nextPageToken": token})

    assert [one.json()["issues"] for one in again] == [[{"id": "10002"}]] * 2
    assert (other.status_code, late.status_code) == (400, 400)


async def test_only_ids_unless_more_is_asked_for(client: httpx.AsyncClient, jira: SimulatedJira) -> None:
    jira.open("OPS", "x")
    bare = (await client.post("/search/jql", json={"jql": "project = OPS"})).json()
    more = (await client.post("/search/jql", json={"jql": "project = OPS", "fields": ["status"]})).json()

    assert bare["issues"] == [{"id": "10001"}]
    assert set(more["issues"][0]["fields"]) == {"status"}


async def test_a_page_is_smaller_with_many_fields() -> None:
    jira = a_jira(page_size=2)
    for number in range(4):
        jira.open("OPS", str(number))
    async with asking(jira) as client:
        ids = (await client.get("/search/jql?jql=project=OPS&maxResults=1000")).json()
        whole = (await client.get("/search/jql?jql=project=OPS&maxResults=1000&fields=*all")).json()

    assert (len(ids["issues"]), ids["isLast"]) == (4, True)
    assert (len(whole["issues"]), whole["isLast"]) == (2, False)


@pytest.mark.parametrize(
    "body",
    [
        {"jql": "ORDER BY key DESC"},
        {"jql": ""},
        {"jql": "project = OPS", "startAt": 0},
        {"jql": "project = OPS", "fields": "summary"},
        {"jql": "project = OPS", "expand": ["names"]},
        {"jql": "project = OPS", "maxResults": 0},
        {"jql": "project = OPS", "maxResults": "50"},
        {"jql": "project = OPS", "nextPageToken": "nonsense"},
        {"jql": "project = OPS", "reconcileIssues": list(range(51))},
        {"jql": "project = OPS ORDER BY key,key,key,key,key,key,key,key"},
    ],
)
async def test_a_search_that_does_not_fit(client: httpx.AsyncClient, body: dict[str, Any]) -> None:
    assert words(await client.post("/search/jql", json=body)).startswith("400 ")


@pytest.mark.parametrize("version", ["2", "3"])
async def test_the_old_search_is_gone(jira: SimulatedJira, version: str) -> None:
    async with asking(jira, version) as client:
        answers = [await client.get("/search?jql=project=OPS"), await client.post("/search", json={})]

    assert [words(one)[:45] for one in answers] == ["410 The requested API has been removed. Pleas"] * 2


async def test_the_index_runs_behind_and_the_truth_does_not(clock: Clock) -> None:
    jira = a_jira(clock, index_lag=timedelta(minutes=1))
    issue, _ = jira.open("OPS", "x")
    async with asking(jira) as client:

        async def open_ones(**more: Any) -> list[str]:
            body = {"jql": "project = OPS AND statusCategory != Done", "fields": ["key"], **more}
            return keys(await client.post("/search/jql", json=body))

        assert await open_ones() == []
        assert await open_ones(reconcileIssues=[issue.id]) == ["OPS-1"]
        assert (await client.get("/issue/OPS-1")).status_code == 200
        clock.passes(seconds=60)
        assert await open_ones() == ["OPS-1"]

        jira.close(issue)
        assert await open_ones() == ["OPS-1"]
        assert await open_ones(reconcileIssues=[issue.id]) == []
        fetched = (await client.post("/issue/bulkfetch", json={"issueIdsOrKeys": ["OPS-1"]})).json()["issues"]
        assert fetched[0]["fields"]["status"]["name"] == "Done"
        shown = (await client.get("/search/jql?jql=key=OPS-1&fields=status")).json()["issues"]
        assert shown[0]["fields"]["status"]["name"] == "To Do"
        clock.passes(seconds=60)
        assert await open_ones() == []

        jira.reopen(issue)
        clock.passes(seconds=60)
        jira.delete(issue)
        assert await open_ones() == ["OPS-1"]
        assert await open_ones(reconcileIssues=[issue.id]) == []
        assert (await client.get("/issue/OPS-1")).status_code == 404
        clock.passes(seconds=60)
        assert await open_ones() == []


async def test_counting_and_matching(client: httpx.AsyncClient, jira: SimulatedJira) -> None:
    first, second = (jira.open("OPS", name)[0] for name in "ab")
    jira.close(second)
    count = await client.post("/search/approximate-count", json={"jql": "project = OPS"})
    queries = ["statusCategory = Done", "project = OPS", "broken ="]
    matched = await client.post("/jql/match", json={"issueIds": [second.id, 5], "jqls": queries})
    matches = matched.json()["matches"]

    assert count.json() == {"count": 2}
    assert [one["matchedIssues"] for one in matches] == [[second.id], [second.id], []]
    assert [bool(one["errors"]) for one in matches] == [False, False, True]
    assert first.key == "OPS-1"


# -- Data Center -------------------------------------------------------------------------------------------------------------------


async def test_pages_by_numbers_with_a_total_and_a_cap(dc: httpx.AsyncClient, server: SimulatedJira) -> None:
    for number in range(5):
        server.open("OPS", str(number))
    first = (await dc.get("/search?jql=project=OPS+order+by+key&maxResults=50")).json()
    last = (await dc.post("/search", json={"jql": "order by key", "startAt": 4, "fields": ["summary"]})).json()

    assert {name: first[name] for name in ("startAt", "maxResults", "total")} == {
        "startAt": 0,
        "maxResults": 2,
        "total": 5,
    }
    assert [issue["key"] for issue in first["issues"]] == ["OPS-1", "OPS-2"]
    assert [(issue["key"], issue["fields"]) for issue in last["issues"]] == [("OPS-5", {"summary": "4"})]


async def test_one_unknown_key_fails_the_query_unless_it_is_not_validated(
    dc: httpx.AsyncClient, server: SimulatedJira
) -> None:
    seen, hidden = server.open("OPS", "a")[0], server.open("OPS", "b")[0]
    server.hide(hidden)
    query = {"jql": f"key in ({seen.key}, OPS-2, X-1)"}

    strict = await dc.get("/search", params=query)
    assert words(strict) == "400 An issue with key 'OPS-2' does not exist for field 'key'."
    assert keys(await dc.get("/search", params={**query, "validateQuery": "false"})) == ["OPS-1"]
    assert keys(await dc.post("/search", json={**query, "validateQuery": False})) == ["OPS-1"]
    assert words(await dc.post("/search", json={"jql": "id in (10001, 5)"})).startswith("400 A value with ID '5'")


async def test_the_window_of_results(dc: httpx.AsyncClient) -> None:
    assert (await dc.get("/search?startAt=8")).status_code == 200
    assert words(await dc.get("/search?startAt=9")).startswith("500 Search limit exceeded")


async def test_data_center_has_none_of_clouds_operations(dc: httpx.AsyncClient, server: SimulatedJira) -> None:
    server.open("OPS", "x")

    assert (await dc.post("/issue/bulkfetch", json={"issueIdsOrKeys": ["OPS-1"]})).status_code == 404
    assert (await dc.get("/search/jql?jql=project=OPS")).status_code == 404
    assert (await dc.get("../3/myself")).status_code == 404
    assert (await dc.get("../latest/issue/OPS-1")).json()["key"] == "OPS-1"


async def test_users_of_data_center_have_names(dc: httpx.AsyncClient, server: SimulatedJira) -> None:
    issue, _ = server.open("OPS", "x")
    me = (await dc.get("/myself")).json()

    assert (me["name"], me["key"], "accountId" in me) == ("bridge", "bridge", False)
    assert (await dc.put("/issue/OPS-1/assignee", json={"name": "grace"})).status_code == 204
    assert issue.fields["assignee"]["name"] == "grace"
    assert [one["name"] for one in (await dc.get("/user/search?username=ada")).json()] == ["ada"]
    assert keys(await dc.get("/search?jql=assignee=grace")) == ["OPS-1"]
