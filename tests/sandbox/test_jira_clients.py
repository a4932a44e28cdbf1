"""Clients that others wrote for the real Jira work against the simulated one, over real HTTP."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from anyio.from_thread import start_blocking_portal
from atlassian import Jira as Atlassian
from atlassian.jira import JiraCloud
from jira import JIRA, JIRAError
from requests import HTTPError

from bridge.sandbox.jira import Fault, SimulatedJira, jira_serving
from tests.sandbox.jiras import a_jira

EMAIL = "bridge@acme.test"
FIELDS = {"project": {"key": "OPS"}, "summary": "Printer on fire", "issuetype": {"name": "Bug"}}
DOCUMENT = {"type": "doc", "version": 1, "content": [{"type": "paragraph", "content": [{"type": "text", "text": "x"}]}]}


@contextmanager
def served(jira: SimulatedJira) -> Iterator[str]:
    """The Jira is served from a thread of its own, as the clients block."""
    with start_blocking_portal() as portal, portal.wrap_async_context_manager(jira_serving(jira)) as url:
        yield url


@pytest.fixture
def cloud() -> SimulatedJira:
    return a_jira(tokens={"t": EMAIL})


@pytest.fixture
def server() -> SimulatedJira:
    return a_jira(flavour="server", tokens={"t": EMAIL}, page_size=2)


@pytest.fixture
def cloud_url(cloud: SimulatedJira) -> Iterator[str]:
    with served(cloud) as url:
        yield url


@pytest.fixture
def server_url(server: SimulatedJira) -> Iterator[str]:
    with served(server) as url:
        yield url


def jira_of(url: str, *, version: str = "2", **options: Any) -> Any:
    """Any, as its types know less of its issues than their fields."""
    signed_in: dict[str, Any] = options or {"basic_auth": (EMAIL, "t")}
    return JIRA(url, options={"rest_api_version": version}, max_retries=0, **signed_in)


# -- jira --------------------------------------------------------------------------------------------------------------------------


def test_jira_lives_an_issues_life_on_cloud(cloud: SimulatedJira, cloud_url: str) -> None:
    client = jira_of(cloud_url)
    issue = client.create_issue(fields=FIELDS)
    client.add_comment(issue, "hello")
    client.assign_issue(issue, "Grace Hopper")
    issue.update(fields={"summary": "Printer still on fire"}, update={"labels": [{"add": "hot"}]})
    client.transition_issue(issue, "Done", fields={"resolution": {"name": "Duplicate"}}, comment="over")
    shown = client.issue(issue.key)

    assert client.myself()["displayName"] == "Task Bridge"
    assert shown.fields.status.statusCategory.key == "done"
    assert (shown.fields.summary, shown.fields.labels) == ("Printer still on fire", ["hot"])
    assert (shown.fields.assignee.displayName, shown.fields.resolution.name) == ("Grace Hopper", "Duplicate")
    assert [one.body for one in client.comments(issue.key)] == ["hello", "over"]
    assert shown.fields.comment.comments[0].author.displayName == "Task Bridge"
    assert [one["name"] for one in client.transitions(issue)] == ["To Do", "In Progress"]
    shown.delete()
    assert cloud.issues == []
    with pytest.raises(JIRAError, match="does not exist") as missing:
        client.issue("OPS-1")
    assert missing.value.status_code == 404


def test_jira_searches_cloud_page_by_page(cloud: SimulatedJira, cloud_url: str) -> None:
    for number in range(250):
        cloud.open("OPS", str(number))
    client = jira_of(cloud_url)
    page = client.enhanced_search_issues("project = OPS ORDER BY key", maxResults=100, fields="summary")
    rest = client.enhanced_search_issues(
        "project = OPS ORDER BY key",
        nextPageToken=page.nextPageToken,
        maxResults=False,
        fields="summary",
        use_post=True,
    )
    reconciled = client.enhanced_search_issues("key = OPS-1", reconcileIssues=[10001], json_result=True)

    assert [len(page), len(rest)] == [100, 150]
    assert [issue.key for issue in (page[0], rest[0], rest[-1])] == ["OPS-1", "OPS-101", "OPS-250"]
    assert reconciled["isLast"] is True
    assert client.approximate_issue_count("project = OPS") == 250
    with pytest.raises(JIRAError, match="does not exist for the field 'project'"):
        client.enhanced_search_issues("project = NOPE")


def test_jira_with_version_3_has_documents(cloud: SimulatedJira, cloud_url: str) -> None:
    client = jira_of(cloud_url, version="3")
    issue = client.create_issue(fields={**FIELDS, "description": DOCUMENT})

    assert cloud.issues[0].fields["description"] == "x"
    assert issue.raw["fields"]["description"] == DOCUMENT
    with pytest.raises(JIRAError, match="Comment body is not valid"):
        client.add_comment(issue, "text")


def test_jira_reads_the_set_up(cloud_url: str) -> None:
    client = jira_of(cloud_url)

    assert client.server_info()["deploymentType"] == "Cloud"
    assert [one.key for one in client.projects()] == ["OPS"]
    assert client.project("OPS").name == "Project OPS"
    assert [one.name for one in client.statuses()] == ["To Do", "In Progress", "Done"]
    assert next(one.name for one in client.priorities()) == "Highest"
    assert {one.name for one in client.issue_types()} >= {"Bug", "Task"}
    assert "Duplicate" in [one.name for one in client.resolutions()]
    assert "summary" in [one["id"] for one in client.fields()]
    assert [one.displayName for one in client.search_users(query="ada")] == ["Ada Lovelace"]
    assert client.my_permissions(permissions="BROWSE_PROJECTS")["permissions"]["BROWSE_PROJECTS"]["havePermission"]


def test_jira_works_with_a_data_center(server: SimulatedJira, server_url: str) -> None:
    client = jira_of(server_url, token_auth="t")
    issues = [client.create_issue(fields={**FIELDS, "summary": str(number)}) for number in range(5)]
    client.assign_issue(issues[0], "grace")
    client.transition_issue(issues[0], "31")
    found = client.search_issues("project = OPS ORDER BY key", maxResults=False)
    lenient = client.search_issues("key in (OPS-1, X-1)", validate_query=False)

    assert [issue.key for issue in found] == [f"OPS-{number}" for number in range(1, 6)]
    assert found.total == 5
    assert [issue.key for issue in lenient] == ["OPS-1"]
    assert server.issues[0].closed
    assert client.issue("OPS-1").fields.assignee.name == "grace"
    with pytest.raises(JIRAError, match="An issue with key 'X-1' does not exist"):
        client.search_issues("key in (OPS-1, X-1)")


def test_jira_is_told_about_credentials_and_limits(cloud: SimulatedJira, cloud_url: str) -> None:
    with pytest.raises(JIRAError) as refused:
        jira_of(cloud_url, basic_auth=(EMAIL, "wrong"))
    client = jira_of(cloud_url)
    cloud.faults.append(Fault(status=429, retry_after=1))
    with pytest.raises(JIRAError) as limited:
        client.myself()

    assert (refused.value.status_code, limited.value.status_code) == (401, 429)


# -- atlassian-python-api ----------------------------------------------------------------------------------------------------------


def test_atlassian_lives_an_issues_life_on_cloud(cloud: SimulatedJira, cloud_url: str) -> None:
    client: Any = Atlassian(cloud_url, username=EMAIL, password="t", cloud=True)
    created = client.issue_create(fields=dict(FIELDS))
    client.issue_add_comment(created["key"], "hello")
    client.update_issue_field(created["key"], {"summary": "y"})
    client.assign_issue(created["key"], cloud.grace.account_id)
    client.set_issue_status(created["key"], "Done", fields={"resolution": {"name": "Done"}})
    shown = client.issue(created["key"])

    assert client.get_issue_status("OPS-1") == "Done"
    assert (shown["fields"]["summary"], shown["fields"]["assignee"]["displayName"]) == ("y", "Grace Hopper")
    assert shown["fields"]["comment"]["comments"][0]["body"] == "hello"
    assert [one["to"] for one in client.get_issue_transitions("OPS-1")] == ["To Do", "In Progress"]
    client.delete_issue("OPS-1")
    assert cloud.issues == []
    with pytest.raises(HTTPError, match="does not exist"):
        client.issue("OPS-1")


def test_atlassian_searches_cloud(cloud: SimulatedJira, cloud_url: str) -> None:
    for number in range(120):
        cloud.open("OPS", str(number))
    client: Any = Atlassian(cloud_url, username=EMAIL, password="t", cloud=True)
    cloud_client = JiraCloud(cloud_url, username=EMAIL, password="t")
    page = client.jql("project = OPS", limit=10)
    counted = client.approximate_issue_count("project = OPS")
    matched = client.match_jql([10001, 10002], ["key = OPS-1"])

    assert (len(page["issues"]), page["isLast"]) == (10, False)
    assert len(client.enhanced_jql_get_list_of_tickets("project = OPS", fields=["key"])) == 120
    assert len(cloud_client.enhanced_jql_get_list_of_tickets("project = OPS")) == 120
    assert counted == {"count": 120}
    assert matched["matches"][0]["matchedIssues"] == [10001]


def test_atlassian_works_with_a_data_center(server: SimulatedJira, server_url: str) -> None:
    client: Any = Atlassian(server_url, token="t", cloud=False)
    for number in range(5):
        client.issue_create(fields={**FIELDS, "summary": str(number)})
    client.assign_issue("OPS-1", "ada")
    client.issue_transition("OPS-1", "Done")
    found = client.jql_get_list_of_tickets("project = OPS")
    lenient = client.jql("key in (OPS-1, X-1)", validate_query="false")
    me = client.myself()

    assert len(found) == 5
    assert [one["key"] for one in lenient["issues"]] == ["OPS-1"]
    assert me["name"] == "bridge"
    assert server.issues[0].closed
    with pytest.raises(HTTPError, match="An issue with key 'X-1' does not exist"):
        client.jql("key in (OPS-1, X-1)")
