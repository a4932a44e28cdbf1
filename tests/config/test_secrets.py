"""References are filled in, and what they bring is never shown."""

from pathlib import Path

import pytest

from bridge.config import Token
from tests.config.conftest import SMALLEST, Broken, Read

HIDDEN = "hunter2"


def token(read: Read, written: str, environ: dict[str, str]) -> str:
    auth = read(SMALLEST.replace("orchestrator-token", written), environ).orchestrator.auth
    assert isinstance(auth, Token)
    return auth.token.get_secret_value()


@pytest.mark.parametrize(
    ("written", "value"),
    [
        ("${SECRET}", "a'b\"c: {d} #e\n${SECRET}"),
        ("x-${SHORT}-${SHORT}", "x-s-s"),
        ("${NOT_SET:-default: with #signs}", "default: with #signs"),
        ("${EMPTY:-default}", "default"),
        ("${SHORT:-default}", "s"),
        ("x${NOT_SET:-}", "x"),
        ("$${SHORT}", "${SHORT}"),
        ("a$$b$c", "a$b$c"),
    ],
)
def test_references_are_filled_in_after_parsing(read: Read, written: str, value: str) -> None:
    environ = {"SECRET": "a'b\"c: {d} #e\n${SECRET}", "SHORT": "s", "EMPTY": ""}
    assert token(read, f"'{written}'", environ) == value


@pytest.mark.parametrize("content", ["hunter2", "hunter2\n", "hunter2\r\n"])
def test_a_mounted_secret_comes_without_its_last_line_end(read: Read, tmp_path: Path, content: str) -> None:
    (tmp_path / "token").write_bytes(content.encode())
    assert token(read, "${file:token}", {}) == HIDDEN
    assert token(read, f"${{file:{tmp_path}/token}}", {}) == HIDDEN


def test_a_reference_can_be_a_number_or_a_duration(read: Read) -> None:
    config = read(
        SMALLEST + "server:\n  port: ${PORT}\nretention: ${DAYS}d\n",
        {"PORT": "9000", "DAYS": "3"},
    )
    assert (config.server.port, config.retention.days) == (9000, 3)


def test_an_empty_admin_token_is_none(read: Read) -> None:
    assert read(SMALLEST + "server:\n  admin_token: ${TOKEN:-}\n").server.admin_token is None


@pytest.mark.parametrize(
    ("written", "remedy"),
    [
        ("${NOT_SET}", "the environment variable NOT_SET is not set: set it, or give a default with ${NOT_SET:-…}"),
        ("${file:nowhere}", "the file nowhere cannot be read: check the path"),
        ("${file:}", "write ${file:path}"),
        ("${}", "write ${NAME}, ${NAME:-default} or ${file:path}"),
        ("${NOT_SET:-${SET}}", "the default of NOT_SET holds another reference"),
    ],
)
def test_a_reference_that_leads_nowhere_is_named(broken: Broken, written: str, remedy: str) -> None:
    (problem,) = broken(SMALLEST.replace("orchestrator-token", f"'{written}'"))
    assert problem.startswith("line 5: orchestrator.auth.token: ")
    assert remedy in problem


WRONG_PLACES = [
    "name: ${S}: x\n",
    "name: '${S} ${S}'\n",
    "database: {url: '${S}'}\n",
    "database: {url: 'postgresql://u:${S}@h:port/x'}\n",
    "database: '${S}'\n",
    "server: {port: '${S}', host: '${S}'}\n",
    "server: {admin_token: [hunter2]}\n",
    "retention: ${S}\n",
    "    on_reopen: ${S}\n",
    "    task: {type: '${S}', folder_id: '${S}', folder_key: '${S}', priority: '${S}', data: '${S}'}\n",
    "    task: {priority: {High: '${S}'}}\n",
    "  - {name: b, source: '${S}'}\n",
    "  - '${S}'\n",
]


@pytest.mark.parametrize("line", WRONG_PLACES)
def test_no_error_repeats_a_value(broken: Broken, line: str) -> None:
    problems = broken(SMALLEST + line, {"S": HIDDEN})
    assert problems
    assert HIDDEN not in "\n".join(problems)


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("type: token", "type: ${S}"),
        ("token: orchestrator-token", "token: {a: hunter2}"),
        ("[webhook-secret]", "hunter2"),
        ("[webhook-secret]", "[[hunter2]]"),
        ("https://orchestrator.test", "https://u:hunter2@orchestrator.test"),
        ("type: jira", "type: jira\n    verify: ${S}\n    poll: ${S}\n    closed: ${S}"),
        ("type: jira", "type: jira\n    api: hunter2"),
    ],
)
def test_no_error_about_credentials_repeats_them(broken: Broken, old: str, new: str) -> None:
    problems = broken(SMALLEST.replace(old, new), {"S": HIDDEN})
    assert problems
    assert HIDDEN not in "\n".join(problems)


def test_a_configuration_does_not_print_its_secrets(read: Read) -> None:
    config = read(
        SMALLEST.replace("orchestrator-token", "${S}").replace("webhook-secret", "'${S}'")
        + "database: {url: 'postgresql://u:${S}@host/name'}\nserver: {admin_token: '${S}'}\n",
        {"S": HIDDEN},
    )
    assert HIDDEN in config.database.url
    for shown in (repr(config), str(config), config.model_dump_json(), str(config.model_dump(mode="json"))):
        assert HIDDEN not in shown
