"""The simulated Jira over a real socket: issues, what is seen of them, and how it refuses."""

import asyncio
from collections.abc import AsyncIterator
from datetime import datetime, timedelta
from typing import Any

import httpx
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bridge.sandbox.jira import Fault, SimulatedJira, User, create_app
from tests.sandbox.jiras import NOON, Clock, a_jira, asking, keys, words

pytestmark = pytest.mark.anyio

DOCUMENT = {"type": "doc", "version": 1, "content": [{"type": "paragraph", "content": [{"type": "text", "text": "x"}]}]}
NEW = {"project": {"key": "OPS"}, "summary": "Printer on fire", "issuetype": {"name": "Bug"}}


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def jira(clock: Clock) -> SimulatedJira:
    return a_jira(clock)


@pytest.fixture
async def client(jira: SimulatedJira) -> AsyncIterator[httpx.AsyncClient]:
    async with asking(jira) as client:
        yield client


# -- issues ------------------------------------------------------------------------------------------------------------------------


async def test_an_issue_is_created_changed_and_deleted(client: httpx.AsyncClient, jira: SimulatedJira) -> None:
    created = (await client.post("/issue", json={"fields": {**NEW, "labels": ["a"]}})).json()
    change = {
        "fields": {"priority": {"name": "Low"}},
        "update": {"labels": [{"add": "b"}, {"remove": "a"}], "comment": [{"add": {"body": "hello"}}]},
    }
    changed = await client.put(f"/issue/{created['key']}", json=change)
    fields = (await client.get(f"/issue/{created['id']}")).json()["fields"]

    assert (created["key"], changed.status_code) == ("OPS-1", 204)
    assert (fields["summary"], fields["issuetype"]["name"], fields["labels"]) == ("Printer on fire", "Bug", ["b"])
    assert (fields["priority"]["name"], fields["status"]["name"]) == ("Low", "To Do")
    assert [one["body"] for one in fields["comment"]["comments"]] == ["hello"]
    assert fields["creator"]["displayName"] == "Task Bridge"
    assert (await client.delete("/issue/OPS-1")).status_code == 204
    assert words(await client.get("/issue/OPS-1")).startswith("404 Issue does not exist")
    assert jira.issues == []


@pytest.mark.parametrize(
    ("fields", "refused"),
    [
        ({}, {"project", "issuetype", "summary"}),
        ({**NEW, "project": {"key": "NOPE"}}, {"project"}),
        ({**NEW, "colour": "red", "summary": 1}, {"colour", "summary"}),
        ({**NEW, "description": DOCUMENT}, {"description"}),
        ({**NEW, "labels": ["a b"]}, {"labels"}),
        ({**NEW, "priority": {"name": "Nope"}}, {"priority"}),
        ({**NEW, "assignee": {"accountId": "nobody"}}, {"assignee"}),
    ],
)
async def test_fields_that_do_not_fit_are_named(
    client: httpx.AsyncClient, fields: dict[str, Any], refused: set[str]
) -> None:
    answer = await client.post("/issue", json={"fields": fields})

    assert answer.status_code == 400
    assert set(answer.json()["errors"]) == refused


async def test_version_3_has_documents_where_version_2_has_text(jira: SimulatedJira) -> None:
    async with asking(jira, "3") as v3:
        refused = await v3.post("/issue", json={"fields": {**NEW, "description": "text"}})
        created = await v3.post("/issue", json={"fields": {**NEW, "description": DOCUMENT}})
        no_comment = await v3.post("/issue/OPS-1/comment", json={"body": "text"})
        comment = await v3.post("/issue/OPS-1/comment", json={"body": DOCUMENT})
        rich = (await v3.get("/issue/OPS-1?fields=description")).json()["fields"]
    async with asking(jira, "2") as v2:
        plain = (await v2.get("/issue/OPS-1?fields=description,comment")).json()["fields"]

    assert (refused.status_code, created.status_code) == (400, 201)
    assert (no_comment.status_code, comment.status_code) == (400, 201)
    assert rich == {"description": DOCUMENT}
    assert comment.json()["body"] == DOCUMENT
    assert plain["description"] == plain["comment"]["comments"][0]["body"] == "x"


@pytest.mark.parametrize(
    ("asked", "has", "has_not"),
    [
        ("", {"summary", "comment"}, set()),
        ("*navigable", {"summary", "status"}, {"comment"}),
        ("summary,status", {"summary", "status"}, {"labels"}),
        ("*all,-comment,-labels", {"summary"}, {"comment", "labels"}),
        ("-status", {"summary", "comment"}, {"status"}),
    ],
)
async def test_fields_are_chosen(
    client: httpx.AsyncClient, jira: SimulatedJira, asked: str, has: set[str], has_not: set[str]
) -> None:
    jira.open("OPS", "x")
    shown = set((await client.get("/issue/OPS-1", params={"fields": asked})).json()["fields"])

    assert shown >= has
    assert not shown & has_not


async def test_the_clock_is_followed_but_no_two_changes_share_a_time(jira: SimulatedJira, clock: Clock) -> None:
    issue, _ = jira.open("OPS", "x")
    times = [issue.fields["updated"]]
    for _ in range(3):
        jira.edit(issue, summary="y")
        times.append(issue.fields["updated"])
    clock.passes(minutes=1)
    jira.edit(issue, summary="z")

    assert times[0] == issue.fields["created"] == "2026-01-15T12:00:00.000+0000"
    assert len(set(times)) == 4
    assert datetime.fromisoformat(times[-1]) - NOON < timedelta(seconds=1)
    assert issue.fields["updated"].startswith("2026-01-15T12:01:00")


async def test_times_are_shown_in_the_accounts_time_zone() -> None:
    jira = a_jira(time_zone="Asia/Tokyo")
    jira.open("OPS", "x")
    async with asking(jira) as client:
        fields = (await client.get("/issue/OPS-1")).json()["fields"]

    assert fields["updated"] == "2026-01-15T21:00:00.000+0900"


async def test_a_moved_issue_is_found_by_its_old_key_and_has_the_new_one(
    client: httpx.AsyncClient, jira: SimulatedJira
) -> None:
    issue, _ = jira.open("OPS", "x")
    jira.move(issue, "NET")

    assert (await client.get("/issue/ops-1")).json()["key"] == "NET-1"
    assert keys(await client.post("/issue/bulkfetch", json={"issueIdsOrKeys": ["OPS-1", "NET-1"]})) == ["NET-1"]
    assert keys(await client.get("/search/jql?jql=key=OPS-1&fields=key")) == ["NET-1"]


# -- transitions, assignees, comments -----------------------------------------------------------------------------------------------


async def test_transitions_lead_to_every_other_status(client: httpx.AsyncClient, jira: SimulatedJira) -> None:
    issue, _ = jira.open("OPS", "x")
    found = (await client.get("/issue/OPS-1/transitions?expand=transitions.fields")).json()["transitions"]
    done = next(one for one in found if one["to"]["statusCategory"]["key"] == "done")
    asked = {
        "transition": {"id": done["id"]},
        "fields": {"resolution": {"name": "Won't Do"}},
        "update": {"comment": [{"add": {"body": "over"}}]},
    }

    assert [one["to"]["name"] for one in found] == ["In Progress", "Done"]
    assert "resolution" in done["fields"]
    assert (await client.post("/issue/OPS-1/transitions", json=asked)).status_code == 204
    assert (issue.closed, issue.fields["resolution"]["name"]) == (True, "Won't Do")
    assert issue.fields["resolutiondate"]
    assert [one.text for one in issue.comments] == ["over"]
    assert words(await client.post("/issue/OPS-1/transitions", json=asked)).startswith("400 Transition id '31'")
    jira.reopen(issue)
    assert (issue.fields["resolution"], issue.fields["resolutiondate"]) == (None, None)


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"transition": {"id": "99"}},
        {"transition": "31"},
        {"transition": {"id": "31"}, "fields": {"summary": "not on the screen"}},
        {"transition": {"id": "31"}, "fields": {"resolution": {"name": "Nope"}}},
        {"transition": {"id": "21"}, "fields": {"resolution": {"name": "Done"}}},
    ],
)
async def test_a_transition_that_does_not_fit(
    client: httpx.AsyncClient, jira: SimulatedJira, body: dict[str, Any]
) -> None:
    issue, _ = jira.open("OPS", "x")

    assert words(await client.post("/issue/OPS-1/transitions", json=body)).startswith("400 ")
    assert issue.fields["status"]["name"] == "To Do"


async def test_an_issue_is_assigned_and_commented(client: httpx.AsyncClient, jira: SimulatedJira) -> None:
    issue, _ = jira.open("OPS", "x")
    (grace,) = (await client.get("/user/search?query=grac")).json()

    assert (await client.put("/issue/OPS-1/assignee", json={"accountId": grace["accountId"]})).status_code == 204
    assert issue.fields["assignee"]["displayName"] == "Grace Hopper"
    assert (await client.put("/issue/OPS-1/assignee", json={"accountId": None})).status_code == 204
    assert issue.fields["assignee"] is None
    for text in ("one", "two", "three"):
        assert (await client.post("/issue/OPS-1/comment", json={"body": text})).status_code == 201
    page = (await client.get("/issue/OPS-1/comment?startAt=1&maxResults=1")).json()
    assert (page["total"], [one["body"] for one in page["comments"]]) == (3, ["two"])
    path = f"/issue/OPS-1/comment/{page['comments'][0]['id']}"
    assert (await client.get(path)).json()["body"] == "two"
    assert (await client.put(path, json={"body": "2"})).json()["body"] == "2"
    assert (await client.delete(path)).status_code == 204
    assert (await client.get(path)).status_code == 404
    assert [one.text for one in issue.comments] == ["one", "three"]


async def test_a_remote_link_of_the_same_global_id_is_replaced(client: httpx.AsyncClient, jira: SimulatedJira) -> None:
    jira.open("OPS", "x")
    by_id = {"globalId": "system=uipath&id=1"}
    asked = {**by_id, "object": {"url": "http://x.test/1", "title": "Task 1"}}
    statuses = [(await client.post("/issue/OPS-1/remotelink", json=asked)).status_code for _ in range(2)]
    (link,) = (await client.get("/issue/OPS-1/remotelink")).json()

    assert statuses == [201, 200]
    assert link["object"]["title"] == "Task 1"
    assert (await client.get("/issue/OPS-1/remotelink", params=by_id)).json() == link
    assert (await client.post("/issue/OPS-1/remotelink", json={"object": {}})).status_code == 400
    assert (await client.delete("/issue/OPS-1/remotelink", params=by_id)).status_code == 204
    assert (await client.delete("/issue/OPS-1/remotelink", params=by_id)).status_code == 404
    assert (await client.get("/issue/OPS-1/remotelink", params=by_id)).status_code == 404


async def test_properties_of_an_issue(client: httpx.AsyncClient, jira: SimulatedJira) -> None:
    jira.open("OPS", "x")
    path = "/issue/OPS-1/properties/bridge.task"
    statuses = [(await client.put(path, json={"id": number})).status_code for number in (1, 2)]
    shown = await client.get("/issue/OPS-1?fields=summary&properties=bridge.task,other")

    assert statuses == [201, 200]
    assert (await client.get(path)).json() == {"key": "bridge.task", "value": {"id": 2}}
    assert [one["key"] for one in (await client.get("/issue/OPS-1/properties")).json()["keys"]] == ["bridge.task"]
    assert shown.json()["properties"] == {"bridge.task": {"id": 2}}
    assert (await client.put(path, json="x" * 32_768)).status_code == 400
    assert (await client.put(path, content="{")).status_code == 400
    assert [(await client.delete(path)).status_code for _ in range(2)] == [204, 404]
    assert (await client.get(path)).status_code == 404


# -- bulk fetch --------------------------------------------------------------------------------------------------------------------


async def test_bulk_fetch_answers_by_id_and_is_silent_about_what_is_absent(
    client: httpx.AsyncClient, jira: SimulatedJira
) -> None:
    first, second, gone, hidden = (jira.open("OPS", name)[0] for name in ("a", "b", "c", "d"))
    jira.delete(gone)
    jira.hide(hidden)
    asked = [second.key, str(first.id), gone.key, hidden.key, "NOPE-1", "nonsense"]
    answer = await client.post("/issue/bulkfetch", json={"issueIdsOrKeys": asked, "fields": ["summary"]})

    assert keys(answer) == ["OPS-1", "OPS-2"]
    assert answer.json()["issueErrors"] == []
    assert answer.json()["issues"][0]["fields"] == {"summary": "a"}
    jira.show(hidden)
    assert keys(await client.post("/issue/bulkfetch", json={"issueIdsOrKeys": asked})) == ["OPS-1", "OPS-2", "OPS-4"]


@pytest.mark.parametrize(
    "body",
    [
        {"issueIdsOrKeys": [str(number) for number in range(101)]},
        {"issueIdsOrKeys": []},
        {"issueIdsOrKeys": [1]},
        {"issueIdsOrKeys": ["OPS-1"], "startAt": 0},
    ],
)
async def test_a_bulk_fetch_that_does_not_fit(client: httpx.AsyncClient, body: dict[str, Any]) -> None:
    assert words(await client.post("/issue/bulkfetch", json=body)).startswith("400 ")


# -- who sees what -----------------------------------------------------------------------------------------------------------------


async def test_what_is_hidden_is_not_there(client: httpx.AsyncClient, jira: SimulatedJira) -> None:
    jira.open("OPS", "x")
    jira.open("NET", "y")
    jira.hide("NET")

    assert keys(await client.get("/search/jql?jql=summary+is+not+empty&fields=key")) == ["OPS-1"]
    assert words(await client.get("/issue/NET-1")).startswith("404 ")
    assert words(await client.get("/search/jql?jql=project=NET")).startswith("400 The value 'NET' does not exist")
    assert [one["key"] for one in (await client.get("/project")).json()] == ["OPS"]
    assert (await client.get("/mypermissions?permissions=BROWSE_PROJECTS&projectKey=NET")).status_code == 404
    jira.show("NET")
    assert (await client.get("/issue/NET-1")).status_code == 200


async def test_revoked_and_forbidden(client: httpx.AsyncClient, jira: SimulatedJira) -> None:
    jira.revoke()
    assert (await client.get("/myself")).status_code == 401
    jira.admit()
    jira.forbid()
    assert (await client.get("/myself")).status_code == 403
    jira.admit()
    assert (await client.get("/myself")).json()["displayName"] == "Task Bridge"


async def test_permissions_that_the_account_lacks(client: httpx.AsyncClient, jira: SimulatedJira) -> None:
    jira.open("OPS", "x")
    jira.access.denied |= {"TRANSITION_ISSUES", "ADD_COMMENTS"}
    asked = "/mypermissions?permissions=ADD_COMMENTS,BROWSE_PROJECTS&projectKey=OPS"
    held = (await client.get(asked)).json()["permissions"]

    assert {name: one["havePermission"] for name, one in held.items()} == {
        "ADD_COMMENTS": False,
        "BROWSE_PROJECTS": True,
    }
    assert (await client.get("/issue/OPS-1/transitions")).json()["transitions"] == []
    assert words(await client.post("/issue/OPS-1/comment", json={"body": "x"})).startswith("403 ")
    assert (await client.get("/mypermissions")).status_code == 400
    assert (await client.get("/mypermissions?permissions=FLY")).status_code == 400


@pytest.mark.parametrize(
    ("flavour", "good", "wrong"),
    [
        (
            "cloud",
            httpx.BasicAuth("bridge@acme.test", "t"),
            [("bridge@acme.test", "x"), ("ada@acme.test", "t"), "Bearer t", "Basic ?", ""],
        ),
        ("server", "Bearer t", ["Bearer x", ("bridge@acme.test", "t"), ""]),
    ],
)
async def test_once_a_token_is_named_only_who_has_one_comes_in(flavour: Any, good: Any, wrong: list[Any]) -> None:
    jira = a_jira(flavour=flavour, tokens={"t": "bridge@acme.test"})

    async def status(client: httpx.AsyncClient, credentials: Any) -> int:
        if isinstance(credentials, str):
            return (await client.get("/myself", headers={"Authorization": credentials})).status_code
        return (await client.get("/myself", auth=credentials)).status_code

    async with asking(jira) as client:
        assert await status(client, good) == 200
        assert [await status(client, credentials) for credentials in wrong] == [401] * len(wrong)


async def test_a_user_of_ones_own_acts(jira: SimulatedJira) -> None:
    jira.people.add(User("acc-1", "kurt", "Kurt G", "kurt@acme.test"))
    jira.access.tokens["k"] = "kurt@acme.test"
    async with asking(jira) as client:
        client.auth = httpx.BasicAuth("kurt@acme.test", "k")
        await client.post("/issue", json={"fields": NEW})

    assert jira.issues[0].fields["reporter"]["accountId"] == "acc-1"


@pytest.mark.parametrize(
    ("path", "first"),
    [
        ("status", "To Do"),
        ("statuscategory", "No Category"),
        ("priority", "Highest"),
        ("resolution", "Done"),
        ("issuetype", "Task"),
        ("field", "Summary"),
        ("project", "Project OPS"),
        ("project/OPS/statuses", "Task"),
    ],
)
async def test_the_set_up(client: httpx.AsyncClient, path: str, first: str) -> None:
    assert (await client.get(path)).json()[0]["name"] == first


async def test_projects_page_by_page(client: httpx.AsyncClient, jira: SimulatedJira) -> None:
    jira.open("NET", "x")
    page = (await client.get("/project/search?maxResults=1&startAt=1")).json()

    assert ([one["key"] for one in page["values"]], page["total"], page["isLast"]) == (["NET"], 2, True)
    assert (await client.get("/project/search?keys=OPS")).json()["total"] == 1
    assert (await client.get("/project/NET")).json()["name"] == "Project NET"


async def test_one_user(client: httpx.AsyncClient, jira: SimulatedJira) -> None:
    by_id = {"accountId": jira.grace.account_id}

    assert (await client.get("/user", params=by_id)).json()["displayName"] == "Grace Hopper"
    assert [one["displayName"] for one in (await client.get("/user/search", params=by_id)).json()] == ["Grace Hopper"]


async def test_the_servers_time_is_its_clocks() -> None:
    async with asking(a_jira(time_zone="Asia/Tokyo")) as client:
        info = (await client.get("/serverInfo")).json()

    assert (info["serverTime"], info["deploymentType"]) == ("2026-01-15T21:00:00.000+0900", "Cloud")
    assert info["baseUrl"] == str(client.base_url).partition("/rest/")[0]


# -- refusals and faults -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("method", "path", "content", "status"),
    [
        ("GET", "/nothing", "", 404),
        ("PATCH", "/issue/OPS-1", "", 405),
        ("POST", "/issue", "{", 400),
        ("POST", "/issue", "[]", 400),
        ("POST", "/issue", '{"fields": []}', 400),
        ("PUT", "/issue/OPS-1", '{"update": {"labels": 1}}', 400),
        ("PUT", "/issue/OPS-1", '{"update": {"labels": [{"set": 5}, {"add": "x"}]}}', 400),
        ("PUT", "/issue/OPS-1", '{"update": {"summary": [{"add": "x"}]}}', 400),
        ("PUT", "/issue/OPS-1", '{"fields": {"project": {"key": "NET"}}}', 400),
        ("GET", "/issue/OPS-1/comment?startAt=x", "", 400),
        ("GET", "/user/search", "", 400),
        ("GET", "/project/NOPE", "", 404),
        ("GET", "/user?accountId=nobody", "", 404),
        ("POST", "/search/jql", '{"jql": 1}', 400),
    ],
)
async def test_a_wrong_request_is_refused_in_jiras_shape(
    client: httpx.AsyncClient, jira: SimulatedJira, method: str, path: str, content: str, status: int
) -> None:
    jira.open("OPS", "x")
    jira.catalog.project("NET")

    assert words(await client.request(method, path, content=content)).startswith(f"{status} ")


async def test_rate_limits(client: httpx.AsyncClient, jira: SimulatedJira) -> None:
    jira.faults.append(Fault(status=429, retry_after=7, reason="jira-quota-tenant-based", times=2))
    limited = await client.get("/myself")

    assert limited.status_code == 429
    assert limited.headers["retry-after"] == "7"
    assert limited.headers["ratelimit-reason"] == "jira-quota-tenant-based"
    assert limited.headers["x-ratelimit-nearlimit"] == "true"
    assert limited.headers["x-ratelimit-remaining"] == "0"
    assert limited.headers["x-ratelimit-reset"] == "2026-01-15T12:00Z"
    assert [(await client.get("/myself")).status_code for _ in range(2)] == [429, 200]
    assert jira.journal.calls == {"myself": 3}


async def test_faults_strike_some_paths_some_times(jira: SimulatedJira) -> None:
    waited: list[float] = []
    jira.open("OPS", "x")
    jira.faults += [
        Fault(path="*/comment", method="POST", kind="drop", when="after"),
        Fault(path="*/myself", kind="latency", seconds=3),
        Fault(path="*/myself", status=503, rate=0.5, times=None),
    ]
    async with asking(jira, waits=waited) as client:
        with pytest.raises(httpx.TransportError):
            await client.post("/issue/OPS-1/comment", json={"body": "is there"})
        assert [one.text for one in jira.issues[0].comments] == ["is there"]
        assert (await client.get("/issue/OPS-1/comment")).status_code == 200
        statuses = {(await client.get("/myself")).status_code for _ in range(20)}

    assert statuses == {200, 503}
    assert waited == [3]


async def test_data_centers_limits_have_other_headers() -> None:
    jira = a_jira(flavour="server")
    jira.faults.append(Fault(status=429, retry_after=2))
    async with asking(jira) as client:
        limited = await client.get("/myself")

    assert limited.headers["x-ratelimit-fillrate"] == "10"
    assert "ratelimit-reason" not in limited.headers


NAMES = [
    *(
        "fields",
        "update",
        "transition",
        "id",
        "key",
        "name",
        "accountId",
        "body",
        "object",
        "url",
        "title",
        "globalId",
        "jql",
    ),
    *(
        "project",
        "summary",
        "description",
        "issuetype",
        "priority",
        "labels",
        "assignee",
        "reporter",
        "resolution",
        "comment",
    ),
    *(
        "add",
        "set",
        "remove",
        "issueIdsOrKeys",
        "issueIds",
        "jqls",
        "maxResults",
        "startAt",
        "nextPageToken",
        "reconcileIssues",
    ),
    *(
        "events",
        "filters",
        "secret",
        "enabled",
        "type",
        "version",
        "content",
        "text",
        "validateQuery",
        "expand",
        "properties",
    ),
]
SCRAPS = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-5, 20_000)
    | st.sampled_from(["", "OPS", "OPS-1", "31", "Bug", "x", "\x00"]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(NAMES), inner, max_size=4),
    max_leaves=12,
)


@given(
    where=st.sampled_from(
        [
            ("POST", "issue"),
            ("PUT", "issue/OPS-1"),
            ("POST", "issue/OPS-1/transitions"),
            ("POST", "issue/OPS-1/comment"),
            ("PUT", "issue/OPS-1/assignee"),
            ("POST", "issue/OPS-1/remotelink"),
            ("PUT", "issue/OPS-1/properties/x"),
            ("POST", "issue/bulkfetch"),
            ("POST", "search/jql"),
            ("POST", "search/approximate-count"),
            ("POST", "jql/match"),
            ("POST", "search"),
            ("POST", "../../webhooks/1.0/webhook"),
        ]
    ),
    body=st.dictionaries(st.sampled_from(NAMES), SCRAPS, max_size=5) | SCRAPS,
    version=st.sampled_from(["2", "3"]),
    flavour=st.sampled_from(["cloud", "server"]),
)
@settings(max_examples=400, deadline=None)
def test_whatever_is_sent_is_answered_in_jiras_shape(
    where: tuple[str, str], body: Any, version: str, flavour: Any
) -> None:
    async def send() -> httpx.Response:
        jira = a_jira(flavour=flavour)
        issue, _ = jira.open("OPS", "x")
        transport = httpx.ASGITransport(create_app(jira))
        async with httpx.AsyncClient(transport=transport, base_url=f"http://jira.test/rest/api/{version}/") as client:
            sent = await client.request(where[0], where[1], json=body)
            assert (await client.get(f"issue/{issue.id}")).status_code in (200, 404)
            return sent

    answer = asyncio.run(send())
    assert answer.status_code < 500
    assert answer.is_success or set(answer.json()) == {"errorMessages", "errors"}
