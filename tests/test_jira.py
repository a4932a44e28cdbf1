"""Every shape in which a Jira calls."""

from datetime import UTC, datetime, timedelta
from typing import Any

import orjson
import pytest

from bridge.config import JiraSource
from bridge.errors import MalformedBody
from bridge.fold import Snapshot, fold
from bridge.model import KEY, URL, Observation, TicketState
from bridge.trackers import Ignored, jira
from bridge.trackers.jira import Jira
from tests.values import JIRA, NOW, body_of, jira_event


def read(event: dict[str, Any], source: Jira = JIRA) -> Observation:
    said = source.read(body_of(event), NOW)
    assert isinstance(said, Observation)
    return said


def time_of(observation: Observation) -> datetime:
    return datetime.fromtimestamp(int(observation.version.split(".")[0]) / 1000, UTC)


# -- shapes ------------------------------------------------------------------------------------------------------------------------


def test_an_events_envelope() -> None:
    said = read(jira_event(7, at=1))
    assert (said.ticket_id, said.state) == ("10007", TicketState.OPEN)
    assert said.facts[KEY] == "OPS-7"
    assert said.facts[URL] == "https://acme.atlassian.net/browse/OPS-7"


def test_a_context_path_of_data_center_is_part_of_the_tickets_address() -> None:
    event = jira_event(7)
    event["issue"]["self"] = "https://jira.acme.test/jira/rest/api/2/issue/10007"
    assert read(event).facts[URL] == "https://jira.acme.test/jira/browse/OPS-7"


def test_a_post_functions_body_has_no_event() -> None:
    event = {
        "transition": {"transitionName": "Close"},
        "issue": jira_event(closed=True)["issue"],
        "timestamp": 1767225600000,
    }
    assert read(event).state is TicketState.CLOSED
    assert JIRA.recognise({}, body_of(event), NOW)[0].event == "transition"


def test_an_automations_bare_issue_has_numbers_for_ids() -> None:
    issue = {**jira_event(7)["issue"], "id": 10007}
    assert read(issue).ticket_id == "10007"
    assert JIRA.recognise({}, body_of(issue), NOW)[0].ticket_id == "10007"


def test_a_comment_alone_says_nothing_about_its_ticket_but_which_it_is() -> None:
    event = {
        "webhookEvent": "comment_created",
        "comment": {"self": "https://a.test/rest/api/2/issue/10040/comment/1", "body": "x"},
    }
    said = JIRA.read(body_of(event), NOW)
    assert isinstance(said, Ignored)
    assert "comment alone" in said.reason
    assert JIRA.recognise({}, body_of(event), NOW)[0].ticket_id == "10040"


@pytest.mark.parametrize(
    "message",
    [
        {},
        {"webhookEvent": "project_created", "project": {"id": 1}},
        {"webhookEvent": "jira:issue_updated", "issue": {"key": "OPS-1"}},
        {"webhookEvent": ["odd"], "issue": "odd", "comment": 3},
        {"issue": {"id": True}},
        {"fields": {}, "id": None},
    ],
)
def test_what_concerns_no_ticket_is_ignored_with_a_reason(message: dict[str, Any]) -> None:
    said = JIRA.read(body_of(message), NOW)
    assert isinstance(said, Ignored)
    assert said.reason


@pytest.mark.parametrize(
    "issue",
    [
        {"id": "1"},
        {"id": "1", "fields": None},
        {"id": "1", "key": 3, "self": 4, "fields": {"status": "Open", "priority": {}, "project": [], "labels": "x"}},
        {"id": "1", "fields": {"status": {"statusCategory": None}, "assignee": {"name": None}, "updated": 3.5}},
    ],
)
def test_odd_issues_are_read_all_the_same(issue: dict[str, Any]) -> None:
    said = read({"webhookEvent": "jira:issue_updated", "issue": issue})
    assert JIRA.ticket("1", said.facts).id == "1"


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{",
        b"[]",
        b"3",
        b"null",
        b'{"a": nul}',
        b'{"a": NaN}',
        b'{"a": Infinity}',
        b'{"a": 1e999}',
        b"\xff\xfe",
        b"[" * 100_000,
    ],
)
def test_what_is_no_json_object_is_malformed(body: bytes) -> None:
    with pytest.raises(MalformedBody):
        JIRA.recognise({}, body, NOW)


@pytest.mark.parametrize(
    "said",
    [
        {
            "webhookEvent": "jira:issue_updated",
            "timestamp": 1767225600000,
            "issue": {"id": "1", "fields": {"a": [1, {}]}},
        },
        {"webhookEvent": "jira:issue_updated", "timestamp": 1767225600000, "issue": {"id": 1}},
        {"webhookEvent": "jira:issue_updated", "timestamp": "1767225600000", "issue": {"id": "1"}},
        {"webhookEvent": "jira:issue_updated", "timestamp": 10**15, "issue": {"id": "1"}},
        {"webhookEvent": "jira:issue_updated", "timestamp": 1767225600000, "issue": {"id": "1" * 300}},
        {"webhookEvent": "", "timestamp": 1767225600000, "transition": {}, "issue": {"id": "1"}},
        {"webhookEvent": "x" * 300, "timestamp": 1767225600000, "issue": {"id": "1"}},
        {
            "webhookEvent": "jira:issue_updated",
            "timestamp": 0,
            "issue": {"id": "1", "fields": {"updated": "2026-01-01"}},
        },
        {"webhookEvent": "jira:issue_updated", "timestamp": 1767225600000, "issue": {"self": "https://a/issue/7"}},
        {
            "webhookEvent": "comment_created",
            "timestamp": 1767225600000,
            "comment": {"self": "https://a/issue/7/comment/1"},
        },
        {"webhookEvent": None, "issue": None},
        {"id": "1", "fields": {}},
    ],
)
@pytest.mark.parametrize("headers", [{}, {jira.IDENTIFIER: "one"}])
def test_what_a_message_is_does_not_depend_on_how_much_of_it_is_read(
    monkeypatch: pytest.MonkeyPatch, said: dict[str, Any], headers: dict[str, str]
) -> None:
    body = orjson.dumps(said)
    quickly = JIRA.recognise(headers, body, NOW)
    monkeypatch.setattr(jira, "_head", lambda _body: None)
    assert quickly == JIRA.recognise(headers, body, NOW)


@pytest.mark.parametrize("summary", [b"\xff", b"\x01", b'"', b"\\x"])
def test_a_broken_text_anywhere_in_a_message_makes_it_malformed(summary: bytes) -> None:
    start = b'{"webhookEvent": "jira:issue_updated", "timestamp": 1767225600000, "issue": {"id": "1", "fields": {"summary": "'
    with pytest.raises(MalformedBody):
        JIRA.recognise({}, start + summary + b'"}}}', NOW)


def test_half_a_surrogate_pair_does_not_make_a_body_malformed() -> None:
    body = b'{"webhookEvent": "jira:issue_updated", "issue": {"id": "1", "fields": {"summary": "cut \\ud83d"}}}'
    said = JIRA.read(body, NOW)
    assert isinstance(said, Observation)
    assert said.facts["summary"] == "cut ?"


# -- closed ------------------------------------------------------------------------------------------------------------------------


def status(name: str, category: str | None) -> dict[str, Any]:
    return {"name": name, "statusCategory": {"key": category}} if category else {"name": name}


@pytest.mark.parametrize(
    ("rule", "fields", "state"),
    [
        ("category", {"status": status("Erledigt", "done")}, TicketState.CLOSED),
        ("category", {"status": status("Closed", "new"), "resolution": {"name": "Done"}}, TicketState.OPEN),
        ("category", {"status": status("Done", None), "resolution": {"name": "Done"}}, TicketState.CLOSED),
        ("category", {"status": status("Done", None), "resolution": None}, TicketState.OPEN),
        ("category", {"status": {"name": "x", "statusCategory": {"id": 3}}}, TicketState.CLOSED),
        ("category", {"status": status("x", "undefined"), "resolution": {"name": "Done"}}, TicketState.CLOSED),
        ("category", {"status": status("Done", None)}, None),
        ("category", {}, None),
        ("resolution", {"status": status("Done", "done"), "resolution": None}, TicketState.OPEN),
        ("resolution", {"resolution": {"name": "Fixed"}}, TicketState.CLOSED),
        ("resolution", {"status": status("Done", "done")}, None),
        (["Rejected", "done"], {"status": status("DONE", "new")}, TicketState.CLOSED),
        (["Rejected"], {"status": status("Done", "done")}, TicketState.OPEN),
        (["Rejected"], {}, None),
    ],
)
def test_what_closed_means(rule: Any, fields: dict[str, Any], state: TicketState | None) -> None:
    jira = Jira(JiraSource.model_validate({"type": "jira", "secrets": ["s"], "closed": rule}))
    assert read({"issue": {"id": "1", "fields": fields}}, jira).state is state


def test_a_deleted_issue_is_deleted_whatever_its_status() -> None:
    assert read(jira_event(event="jira:issue_deleted")).state is TicketState.DELETED


# -- versions ----------------------------------------------------------------------------------------------------------------------


def test_the_version_is_the_issues_own_update_time() -> None:
    assert time_of(read(jira_event(at=5))) == datetime(2026, 1, 1, 0, 0, 5, tzinfo=UTC)


def test_an_offset_counts() -> None:
    event = jira_event(at=0, updated="2026-01-01T02:00:00.000+0200")
    assert time_of(read(event)) == datetime(2026, 1, 1, tzinfo=UTC)


def test_a_deletion_is_final() -> None:
    """A comment's event that comes after it, with a later time, does not bring the issue back."""
    deleted, later = read(jira_event(at=5, event="jira:issue_deleted")), read(jira_event(at=9, event="comment_deleted"))
    facts = fold(fold(Snapshot(), deleted), later).facts
    assert JIRA.state(facts) is TicketState.DELETED


def test_a_deletion_is_newer_than_the_last_update() -> None:
    assert read(jira_event(at=5, event="jira:issue_deleted")).version > read(jira_event(at=5)).version


def test_a_comments_event_without_the_issues_time_is_as_old_as_the_comment() -> None:
    event = {
        **jira_event(at=9, event="comment_created", updated=None),
        "comment": {"updated": "2026-01-01T00:00:03.000+0000"},
    }
    assert time_of(read(event)) == datetime(2026, 1, 1, 0, 0, 3, tzinfo=UTC)


@pytest.mark.parametrize("timestamp", [1767225604000, "1767225604000", "2026-01-01T00:00:04+00:00"])
def test_without_the_issues_time_the_events_time_is_taken(timestamp: object) -> None:
    event = {**jira_event(updated=None), "timestamp": timestamp}
    assert time_of(read(event)) == datetime(2026, 1, 1, 0, 0, 4, tzinfo=UTC)


@pytest.mark.parametrize("timestamp", [None, "soon", -1, 10**18, 1e300, True, {}])
def test_without_any_time_the_arrivals_is_taken(timestamp: object) -> None:
    assert time_of(read({**jira_event(updated="soon"), "timestamp": timestamp})) == NOW


# -- dedupe ------------------------------------------------------------------------------------------------------------------------


def test_jiras_identifier_tells_duplicates() -> None:
    def key(identifier: str, **event: Any) -> str:
        return JIRA.recognise({"x-atlassian-webhook-identifier": identifier}, body_of(jira_event(**event)), NOW)[
            0
        ].dedupe_key

    first = key("a")
    assert first == key("a", summary="told in other words")
    assert first != key("b")
    assert first < key("a", at=1), "keys lie in the order of their times"


def test_a_message_has_one_key_however_it_is_read() -> None:
    """A bare number is an id of automation's; the head's reader does not take it."""
    event, key = jira_event(), {"x-atlassian-webhook-identifier": "a"}
    otherwise = {**event, "issue": {**event["issue"], "id": int(event["issue"]["id"])}}
    first, again = (JIRA.recognise(key, body_of(message), NOW)[0].dedupe_key for message in (event, otherwise))
    assert first == again


def test_without_it_the_same_bytes_are_the_same_event() -> None:
    keys = [JIRA.recognise({}, body_of(jira_event(at=at)), NOW)[0].dedupe_key for at in (1, 1, 2)]
    assert keys[0] == keys[1] != keys[2]


def test_a_body_without_any_time_can_truly_come_again() -> None:
    """Open, closed and open again look the same the first time and the third."""
    issue = {"id": 1, "key": "OPS-1", "fields": {"status": {"name": "Open"}}}
    first, again = (JIRA.recognise({}, body_of(issue), NOW + timedelta(seconds=n))[0].dedupe_key for n in (0, 1))
    assert first != again
