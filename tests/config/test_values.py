"""What a valid file means."""

from datetime import timedelta
from pathlib import Path

import pytest

from bridge.config import Config, Database, JiraSource, Password, Server
from bridge.model import Folder, Policy
from tests.config.conftest import SMALLEST, Read

JIRA = "    secrets: [webhook-secret]\n"
API = "    api: {url: 'https://jira.test', token: api-token}\n"
DATA = "    task: {data: {count: 3, share: 1.5, on: yes, none: null, zip: 01234, at: 12:30, day: 2024-02-29}}\n"


def jira(config: Config) -> JiraSource:
    source = config.sources["jira"]
    assert isinstance(source, JiraSource)
    return source


def test_the_smallest_file_has_working_defaults(read: Read, tmp_path: Path) -> None:
    config = read(SMALLEST)
    (route,) = config.routes
    assert config.name == "bridge"
    assert config.database.url == f"sqlite:///{tmp_path}/bridge.db"
    assert (config.server.host, config.server.port, config.server.loopback) == ("127.0.0.1", 8080, True)
    assert config.orchestrator.url == "https://orchestrator.test/acme/production"
    assert config.orchestrator.folder is None
    assert config.orchestrator.timeout == timedelta(seconds=30)
    assert config.sources["jira"].verify == "hmac"
    assert jira(config).poll is None
    assert route.policy == Policy()
    assert route.task.title == "[{{ ticket.key }}] {{ ticket.title }}"
    assert route.task.priority == {"Highest": "Critical", "High": "High", "Low": "Low", "*": "Medium"}
    assert route.task.data is None
    assert route.completion.action == "close"
    assert config.retention == timedelta(days=90)


@pytest.mark.parametrize(
    ("text", "length"),
    [
        ("500ms", timedelta(milliseconds=500)),
        ("30s", timedelta(seconds=30)),
        ("5m", timedelta(minutes=5)),
        ("2h", timedelta(hours=2)),
        ("7d", timedelta(days=7)),
    ],
)
def test_durations(read: Read, text: str, length: timedelta) -> None:
    config = read(SMALLEST.replace("  auth:", f"  timeout: {text}\n  auth:"))
    assert config.orchestrator.timeout == length
    assert config.model_dump(mode="json")["orchestrator"]["timeout"] == text


@pytest.mark.parametrize(
    ("lines", "poll"),
    [
        (API, timedelta(minutes=5)),
        (API + "    poll: off\n", None),
        (API + "    poll: 'off'\n", None),
        (API + "    poll: 90s\n", timedelta(seconds=90)),
        ("    poll: off\n", None),
    ],
)
def test_polling_is_on_where_there_is_an_api_unless_it_is_switched_off(
    read: Read, lines: str, poll: timedelta | None
) -> None:
    assert jira(read(SMALLEST.replace(JIRA, JIRA + lines))).poll == poll


@pytest.mark.parametrize(
    ("line", "folder"),
    [
        ("folder_path: Shared/Tickets", Folder("path", "Shared/Tickets")),
        ("folder_id: 1424", Folder("id", "1424")),
        (
            "folder_key: 6f1c4f0e-0d5f-4c2b-9a51-2f1d0c9b7e11",
            Folder("key", "6f1c4f0e-0d5f-4c2b-9a51-2f1d0c9b7e11"),
        ),
    ],
)
def test_a_folder_has_one_of_three_names(read: Read, line: str, folder: Folder) -> None:
    config = read(f"{SMALLEST}    task:\n      {line}\n".replace("  auth:", f"  {line}\n  auth:"))
    assert config.orchestrator.folder == folder
    assert config.routes[0].task.folder == folder


@pytest.mark.parametrize("closed", ["category", "resolution", ["Done", "Rejected"]])
def test_closed_is_a_rule_or_a_list_of_statuses(read: Read, closed: str | list[str]) -> None:
    assert jira(read(SMALLEST.replace(JIRA, f"{JIRA}    closed: {closed}\n"))).closed == closed


@pytest.mark.parametrize(
    "priority", ["High", "'{{ fields.urgency }}'", "{Major: Critical, '*': '{{ fields.urgency }}'}"]
)
def test_a_priority_is_a_word_a_template_or_a_mapping_of_them(read: Read, priority: str) -> None:
    assert read(f"{SMALLEST}    task: {{priority: {priority}}}\n").routes[0].task.priority


def test_numbers_are_text_where_text_is_wanted_and_stay_as_they_are_written(read: Read) -> None:
    auth = read(
        SMALLEST.replace("type: token\n", "type: password\n    tenancy_name: 4711\n    username: 00123\n").replace(
            "token: orchestrator-token", "password: 0123_4"
        )
    ).orchestrator.auth
    assert isinstance(auth, Password)
    assert (auth.tenancy_name, auth.username, auth.password.get_secret_value()) == ("4711", "00123", "0123_4")


def test_data_keeps_its_types_and_text_that_only_looks_like_a_number_stays_text(read: Read) -> None:
    assert read(SMALLEST + DATA).routes[0].task.data == {
        "count": 3,
        "share": 1.5,
        "on": True,
        "none": None,
        "zip": "01234",
        "at": "12:30",
        "day": "2024-02-29",
    }


def test_anchors_and_merges_share_what_routes_have_in_common(read: Read) -> None:
    config = read(
        SMALLEST
        + "    task: &task {catalog: Tickets, title: a}\n"
        + "  - {name: b, source: jira, task: {<<: *task, title: b}}\n"
        + "  - {name: c, source: jira, task: *task}\n"
    )
    assert [(route.task.catalog, route.task.title) for route in config.routes] == [
        ("Tickets", "a"),
        ("Tickets", "b"),
        ("Tickets", "a"),
    ]


def test_verify_none_needs_no_secret_on_loopback(read: Read) -> None:
    assert read(SMALLEST.replace(JIRA, "    verify: none\n")).sources["jira"].secrets == []


@pytest.mark.parametrize(
    ("host", "loopback"),
    [
        ("127.0.0.1", True),
        ("127.9.9.9", True),
        ("::1", True),
        ("localhost", True),
        ("0.0.0.0", False),  # noqa: S104 - that it is refused is the point
        ("::", False),
        ("bridge.test", False),
    ],
)
def test_loopback_is_what_only_this_machine_reaches(host: str, loopback: bool) -> None:
    assert Server.model_validate({"host": host, "admin_token": "x"}).loopback is loopback


@pytest.mark.parametrize(
    ("url", "stored", "display"),
    [
        ("sqlite:////var/lib/bridge.db", "sqlite:////var/lib/bridge.db", "sqlite:////var/lib/bridge.db"),
        ("postgres://u:p%40w@db.test/b", "postgresql://u:p%40w@db.test/b", "postgresql://u:***@db.test/b"),
        ("postgresql://db.test/b?password=pw", "postgresql://db.test/b?password=pw", "postgresql://db.test/b"),
    ],
)
def test_a_database_url_is_shown_without_its_password(url: str, stored: str, display: str) -> None:
    database = Database.model_validate({"url": url})
    assert (database.url, database.display) == (stored, display)


@pytest.mark.parametrize("url", ["sqlite:///:memory:", "sqlite://bridge.db", "postgresql://u:p@h:port/x", "bridge.db"])
def test_a_database_is_a_file_or_a_postgresql(url: str) -> None:
    with pytest.raises(ValueError, match=r"write `sqlite:///bridge\.db` or `postgresql://"):
        Database.model_validate({"url": url})


def test_a_configuration_does_not_change(read: Read) -> None:
    config: Config = read(SMALLEST)
    with pytest.raises(ValueError, match="frozen"):
        config.name = "other"
