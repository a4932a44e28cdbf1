"""What JQL finds in the simulated Jira, and what it refuses."""

from datetime import timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bridge.sandbox.jira import SimulatedJira
from bridge.sandbox.jira.failures import Failure
from bridge.sandbox.jira.jql import found, read
from bridge.sandbox.jira.jql.query import Every, Some
from tests.sandbox.jiras import Clock, a_jira


def a_full_jira() -> SimulatedJira:
    """OPS-1 is new, OPS-2 is Grace's and under way, OPS-3 is done, NET-1 was OPS-4. Each but the first has changed after half an hour."""
    clock = Clock()
    clock.now -= timedelta(hours=4)
    jira = a_jira(clock)
    jira.open("OPS", "Printer on fire", kind="Bug", priority="Highest", labels=["hardware"])
    clock.passes(hours=1)
    second, _ = jira.open("OPS", "Printer in mirror writing", kind="Task", priority="Low", labels=["hardware"])
    clock.passes(minutes=30)
    jira.transition(second, "In Progress", assignee=jira.grace.shown("cloud"))
    clock.passes(minutes=30)
    third, _ = jira.open("OPS", "New laptop", kind="Task", priority="Medium")
    clock.passes(minutes=30)
    jira.transition(third, "Done", resolution="Won't Do")
    clock.passes(minutes=30)
    fourth, _ = jira.open("OPS", "Network is slow")
    clock.passes(minutes=30)
    jira.move(fourth, "NET")
    jira.comment(fourth, "since Monday")
    clock.passes(minutes=30)
    return jira


JIRA = a_full_jira()


def keys(query: str, jira: SimulatedJira = JIRA, *, strict: bool = True) -> str:
    """The keys of what a query finds, oldest first unless the query says otherwise."""
    issues = found(read(query), jira.issues, jira.asking(jira.me, strict=strict))
    ordered = issues if "order by" in query.casefold() else sorted(issues, key=lambda issue: issue.id)
    return " ".join(issue.key for issue in ordered)


@pytest.mark.parametrize(
    ("query", "finds"),
    [
        ("project = OPS", "OPS-1 OPS-2 OPS-3"),
        ("project in (ops, NET)", "OPS-1 OPS-2 OPS-3 NET-1"),
        ('project = "Project NET"', "NET-1"),
        ("project != 10000", "NET-1"),
        ("key = OPS-1", "OPS-1"),
        ("key in (ops-1, OPS-4, 10002)", "OPS-1 OPS-2 NET-1"),
        ("id = 10003 or issue = OPS-2", "OPS-2 OPS-3"),
        ("issuekey not in (OPS-1)", "OPS-2 OPS-3 NET-1"),
        ("key > OPS-1", "OPS-2 OPS-3"),
        ("status = 'To Do'", "OPS-1 NET-1"),
        ("status in (Done, 'in progress')", "OPS-2 OPS-3"),
        ("status != Done", "OPS-1 OPS-2 NET-1"),
        ("statusCategory = Done", "OPS-3"),
        ("statusCategory not in (done)", "OPS-1 OPS-2 NET-1"),
        ("statusCategory in (new, 4)", "OPS-1 OPS-2 NET-1"),
        ("resolution is EMPTY", "OPS-1 OPS-2 NET-1"),
        ("resolution = Unresolved", "OPS-1 OPS-2 NET-1"),
        ("resolution is not null", "OPS-3"),
        ('resolution = "Won\'t Do"', "OPS-3"),
        ("resolution != Done", "OPS-3"),
        ("issuetype = Task", "OPS-2 OPS-3"),
        ("type in (Bug, Incident)", "OPS-1 NET-1"),
        ("priority = highest", "OPS-1"),
        ("priority >= Medium", "OPS-1 OPS-3 NET-1"),
        ("priority < High", "OPS-2 OPS-3"),
        ("labels = hardware", "OPS-1 OPS-2"),
        ("labels is empty", "OPS-3 NET-1"),
        ("labels != other", "OPS-1 OPS-2"),
        ("assignee is empty", "OPS-1 OPS-3 NET-1"),
        ("assignee = 'Grace Hopper'", "OPS-2"),
        ("assignee = grace", "OPS-2"),
        ('assignee in ("grace@acme.test", EMPTY)', "OPS-1 OPS-2 OPS-3 NET-1"),
        ("assignee != ada", "OPS-2"),
        ("not assignee = ada", "OPS-2"),
        ("reporter = currentUser()", ""),
        ("reporter = 5b10a2844c20165700ede21g", "OPS-1 OPS-2 OPS-3 NET-1"),
        ("summary ~ printer", "OPS-1 OPS-2"),
        ("summary ~ 'fire printer'", "OPS-1"),
        ("summary ~ 'print*'", "OPS-1 OPS-2"),
        (r'summary ~ "\"on fire\""', "OPS-1"),
        ("summary !~ printer", "OPS-3 NET-1"),
        ("text ~ monday", "NET-1"),
        ("comment ~ Monday AND description is empty", "NET-1"),
        ("project = OPS AND status = Done OR project = NET", "OPS-3 NET-1"),
        ("project = OPS AND (status = Done OR key = OPS-1)", "OPS-1 OPS-3"),
        ("NOT (status = Done OR project = NET)", "OPS-1 OPS-2"),
        ("project=OPS&&!(status=Done)||key=NET-1", "OPS-1 OPS-2 NET-1"),
        ("PROJECT = ops and STATUS in (done)", "OPS-3"),
        ("", "OPS-1 OPS-2 OPS-3 NET-1"),
        # it is noon; the issues were opened at 8, 9, 10 and 11
        ("created >= -2h", "OPS-3 NET-1"),
        ('created >= "-2h"', "OPS-3 NET-1"),
        ("created > -90m", "NET-1"),
        ("created < -1d", ""),
        ('updated >= "-1w 2d 3h"', "OPS-1 OPS-2 OPS-3 NET-1"),
        ("updated >= 1768471200000", "OPS-3 NET-1"),
        ("updated < 1768471200000", "OPS-1 OPS-2"),
        ('updated >= "2026-01-15 10:00"', "OPS-3 NET-1"),
        ('updated >= "2026/01/15 10:00" and updated <= now()', "OPS-3 NET-1"),
        ("created >= 2026-01-15", "OPS-1 OPS-2 OPS-3 NET-1"),
        ("created >= startOfDay()", "OPS-1 OPS-2 OPS-3 NET-1"),
        ("resolved is not empty", "OPS-3"),
        ("resolved >= -3h", "OPS-3"),
        ("resolved = empty", "OPS-1 OPS-2 NET-1"),
        # orders
        ("order by key", "NET-1 OPS-1 OPS-2 OPS-3"),
        ("project = OPS ORDER BY created DESC", "OPS-3 OPS-2 OPS-1"),
        ("ORDER BY priority", "OPS-2 OPS-3 NET-1 OPS-1"),
        ("order by project asc, issuetype desc, key desc", "NET-1 OPS-1 OPS-3 OPS-2"),
        ("order by assignee, key", "OPS-2 NET-1 OPS-1 OPS-3"),
        ("order by resolved desc, key", "NET-1 OPS-1 OPS-2 OPS-3"),
    ],
)
def test_what_a_query_finds(query: str, finds: str) -> None:
    assert keys(query) == finds


def test_a_written_time_is_the_users_and_milliseconds_are_nobodys() -> None:
    jira = a_full_jira()
    jira.me.time_zone = "Asia/Tokyo"

    assert keys('updated >= "2026-01-15 19:00"', jira) == "OPS-3 NET-1"
    assert keys('updated >= "2026-01-15 10:00"', jira) == "OPS-1 OPS-2 OPS-3 NET-1"
    assert keys("updated >= 1768471200000", jira) == "OPS-3 NET-1"
    assert keys("created >= 2026-01-16", jira) == ""


@pytest.mark.parametrize(
    ("query", "says"),
    [
        ("colour = red", "Field 'colour' does not exist or you do not have permission to view it."),
        ("order by colour", "Field 'colour' does not exist"),
        ("project = NOPE", "The value 'NOPE' does not exist for the field 'project'."),
        ("status = Resolved", "The value 'Resolved' does not exist for the field 'status'."),
        ("assignee = nobody", "The value 'nobody' does not exist for the field 'assignee'."),
        ("key = X-1", "An issue with key 'X-1' does not exist for field 'key'."),
        ("key = 7", "A value with ID '7' does not exist for the field 'key'."),
        ("key in ('0.0')", "The issue key '0.0' for field 'key' is invalid."),
        ("updated >= yesterday", "Date value 'yesterday' for field 'updated' is invalid."),
        ('updated >= "1768471200000"', "Date value '1768471200000'"),
        ('updated >= "2026-13-01"', "Date value"),
        ('updated >= "2026-01-15T10:00Z"', "Date value"),
        ("updated >= 999999999999999999", "Date value"),
        ("status ~ Done", "The operator '~' is not supported by the 'status' field."),
        ("summary = x", "The operator '=' is not supported by the 'summary' field."),
        ("status > Done", "The operator '>' is not supported"),
        ("updated > empty", "cannot be compared with EMPTY"),
        ("assignee in membersOf(x)", "Unable to find JQL function 'membersOf()'."),
        ("summary ~ currentUser()", "needs a text"),
        (
            "project =",
            "Error in the JQL Query: Expecting either a value, list or function before the end of the query.",
        ),
        ("project", "Error in the JQL Query: Expecting operator before the end"),
        ("project = OPS foo", "Expecting either 'OR' or 'AND' but got 'foo'. (line 1, character 15)"),
        ("project = OPS and", "Expecting a field name before the end of the query."),
        ("status was Done", "Expecting operator but got 'was'"),
        ("(project = OPS", "before the end of the query"),
        ("project = 'OPS", "The quoted string 'OPS' has not been completed. (line 1, character 11)"),
        ("assignee = a@b", "The character '@' is a reserved JQL character."),
        ("order by key,key,key,key,key,key,key,key", "The maximum number of fields in an ORDER BY clause is 7."),
    ],
)
def test_what_a_query_is_refused_for(query: str, says: str) -> None:
    with pytest.raises(Failure) as refused:
        keys(query)

    assert refused.value.status == 400
    assert says in str(refused.value)


def test_where_values_are_not_checked_what_does_not_exist_finds_nothing() -> None:
    assert keys("key in (OPS-1, X-1, 7)", strict=False) == "OPS-1"
    assert keys("project = NOPE or assignee = nobody", strict=False) == ""
    assert keys("key > X-1", strict=False) == ""


def test_a_custom_field() -> None:
    jira = a_full_jira()
    jira.catalog.custom_fields["customfield_10010"] = "Region"
    jira.edit(jira.issues[0], customfield_10010={"value": "North"})

    assert keys("Region = North", jira) == keys("cf[10010] = North", jira) == "OPS-1"
    assert keys('"region" is empty and project = NET', jira) == "NET-1"
    assert keys("Region ~ 'nor*'", jira) == "OPS-1"


def test_deep_queries_are_refused_and_long_ones_are_not() -> None:
    deep = "".join("(key = 1 or (key = 2 and " for _ in range(100)) + "key = 3" + "))" * 100
    with pytest.raises(Failure, match="nested"):
        read(deep)
    assert isinstance(read(" or ".join(["key = 1"] * 3000)).where, Some)
    assert isinstance(read("(" * 3000 + "key = 1 and key = 2" + ")" * 3000).where, Every)


WORDS = st.sampled_from(
    [
        *"()=!<>~,&|'\"\\@[]-;",
        "and",
        "or",
        "not",
        "in",
        "is",
        "empty",
        "order",
        "by",
        "key",
        "updated",
        "status",
        "1",
        "-1d",
    ]
)


@given(st.one_of(st.text(max_size=40), st.lists(WORDS, max_size=12).map(" ".join)))
@settings(max_examples=300, deadline=None)
def test_whatever_is_asked_is_answered_or_refused_with_400(query: str) -> None:
    status = 400
    try:
        keys(query)
    except Failure as failure:
        status = failure.status

    assert status == 400
